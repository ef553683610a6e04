//! The whole log of a real Postfix 3.7 that was driven through every kind of delivery, filter, proxy and hold.

use super::*;
use crate::{
    postfix::log_record::{Reader, Reading},
    time::Zone,
};

const LOG: &[u8] = include_bytes!("../../../tests/data/logs/real-3.7-postlogd-scenarios.log");

/// Feeds the log, with a restart after every `each` records; gives the facts as lines and what was counted.
fn read(each: usize) -> (Vec<String>, Counters) {
    let mut reader = Reader::new(Zone::utc(), t(1_000_000_000));
    let mut correlator = Correlator::new(Limits::default());
    let mut stored = std::collections::BTreeMap::new();
    let mut facts = Vec::new();
    for (number, line) in LOG.split(|c| *c == b'\n').enumerate() {
        if let Reading::Record(record) = reader.read(line) {
            correlator.feed(&record, &mut |fact| facts.push(format!("{fact:?}")));
        }
        if number % each == each - 1 {
            for (key, state) in correlator.take_dirty() {
                match state {
                    Some(state) => stored.insert(key, state),
                    None => stored.remove(&key),
                };
            }
            let part = correlator.part();
            let messages = stored.values().map(Vec::as_slice);
            correlator = Correlator::restore(Limits::default(), &part, messages).unwrap();
        }
    }
    (facts, correlator.counters())
}

#[test]
fn a_restart_anywhere_in_a_real_log_changes_no_fact() {
    let at_once = read(usize::MAX);
    for each in [5, 100] {
        assert_eq!(read(each), at_once);
    }
}

#[test]
fn every_attempt_of_a_real_log_has_its_sender_and_none_is_our_own_filters() {
    let (facts, counters) = read(usize::MAX);
    let attempts: Vec<&String> = facts
        .iter()
        .filter(|fact| fact.starts_with("Attempt"))
        .collect();
    assert_eq!(attempts.len(), 621);
    // Two messages were renamed by postsuper to match their inodes: the log does not say from what. Two logins (one with
    // an AUTH parameter, one that fakes a member) can be read in two ways.
    assert_eq!(counters.unattributed, 10);
    let own: Vec<_> = facts
        .iter()
        .filter(|fact| fact.contains("client_address: Some(127.0.0.1)"))
        .collect();
    assert!(own.is_empty(), "{own:?}");
}
