//! How much a slowed sender may still send, by where his mail comes from. His own record is the measure.
//!
//! | where the client is | what it may send |
//! |---|---|
//! | in a network that is new for the sender | a quarter of his record hour, [`NOVEL_HOUR`] to [`NOVEL_MOST`] recipients |
//! | in a usual one | everything; his record hour, [`USUAL_HOUR`] recipients at least, once evidence came from there too |
//!
//! A network is usual once it was used for a day without suspicion, so an account that is younger than that has none. What
//! was sent in the hour before counts against the allowance: who is in the middle of a burst has nothing left.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    ledger::{
        counters::{Counters, DAY},
        network::Geo,
        sender::Sender,
    },
    time::Timestamp,
};

/// Recipients an hour that anybody may have from a new network: the pace of a person who writes by hand ...
const NOVEL_HOUR: f64 = 6.0;
/// ... and the most, whatever the record.
const NOVEL_MOST: f64 = 30.0;
/// Recipients at once.
const NOVEL_BURST: f64 = 8.0;
/// The same for a usual network.
const USUAL_HOUR: f64 = 20.0;
const USUAL_BURST: f64 = 15.0;
/// Refusals of a day from which on a usual network is suspected itself.
const REFUSED: f64 = 0.9;
/// With less than this taken in from new networks within an hour, the suspicion cannot have come from there.
const TAKEN: f64 = 0.3;

/// A token bucket's measures, in recipients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// At once.
    pub burst: f64,
    /// In the long run.
    pub per_hour: f64,
    /// What is left of `burst` ...
    pub left: f64,
    /// ... at this time.
    pub at: Timestamp,
}

impl Limit {
    /// A limit of which `taken` is used up.
    fn new(burst: f64, per_hour: f64, taken: f64, at: Timestamp) -> Self {
        Self {
            burst,
            per_hour,
            left: (burst - taken).max(0.0),
            at,
        }
    }
}

/// What a slowed sender may send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allowance {
    /// Networks in which he is at home (see [`crate::ledger::network::Place`]).
    pub homes: Vec<u64>,
    /// All other networks together.
    pub novel: Limit,
    /// His own networks together; `None`: without a limit.
    pub usual: Option<Limit>,
}

impl Allowance {
    /// The allowance of a sender by what the ledger holds at an event time.
    #[must_use]
    pub fn of(entry: &Sender, at: Timestamp) -> Self {
        let is_home = |home: &&crate::ledger::profile::Home| {
            home.adopted && (!entry.is_young() || at.seconds_since(home.first) > DAY)
        };
        let homes: Vec<u64> = entry
            .homes
            .iter()
            .filter(is_home)
            .map(|home| home.network)
            .collect();
        let [_, record, ..] = entry.volume.record;
        let (usual, novel) = (faded(&entry.familiar, at), faded(&entry.novel, at));
        // With no network of his own everything comes from new ones, whatever the ledger has adopted in a hurry.
        let taken = if homes.is_empty() {
            usual.hour.taken + novel.hour.taken
        } else {
            novel.hour.taken
        };
        let hour = (record / 4.0).clamp(NOVEL_HOUR, NOVEL_MOST);
        let is_suspected = !homes.is_empty() && Self::suspects_home(entry, at);
        Self {
            novel: Limit::new(NOVEL_BURST.max(hour / 2.0), hour, taken, at),
            usual: is_suspected.then(|| {
                let hour = record.max(USUAL_HOUR);
                Limit::new(hour.max(USUAL_BURST), hour, usual.hour.taken, at)
            }),
            homes,
        }
    }

    /// Makes what is left anew from the ledger, limits and networks staying as they are: after a restart.
    pub(super) fn refill(&mut self, entry: &Sender) {
        let now = Self::of(entry, entry.last);
        let fill = |limit: &mut Limit, taken: f64| {
            limit.left = (limit.burst - taken).max(0.0);
            limit.at = entry.last;
        };
        fill(&mut self.novel, now.novel.burst - now.novel.left);
        if let Some(usual) = &mut self.usual {
            fill(usual, faded(&entry.familiar, entry.last).hour.taken);
        }
    }

    /// Whether the sender's own networks are suspected: mail from there was refused, or none came from anywhere else.
    #[must_use]
    pub fn suspects_home(entry: &Sender, at: Timestamp) -> bool {
        let (usual, novel) = (faded(&entry.familiar, at), faded(&entry.novel, at));
        usual.day.refused.sum() >= REFUSED || novel.hour.taken < TAKEN
    }

    /// The limit that holds for a client, if any.
    #[must_use]
    pub fn limit(&self, client: Option<IpAddr>, geo: &Geo) -> Option<(Lane, Limit)> {
        let network = client.map(|client| geo.place(client).network);
        if network.is_some_and(|network| self.homes.contains(&network)) {
            self.usual.map(|limit| (Lane::Usual, limit))
        } else {
            Some((Lane::Novel, self.novel))
        }
    }
}

/// Where mail comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A network in which the sender is at home.
    Usual,
    /// Any other.
    Novel,
}

fn faded(counters: &Counters, at: Timestamp) -> Counters {
    let mut counters = *counters;
    counters.fade(at);
    counters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::profile::Home;

    const HOME: u64 = 4 << 32;

    /// Tenths of days.
    fn t(tenths: i64) -> Timestamp {
        Timestamp::from_seconds(tenths * 8_640)
    }

    fn about(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    /// Ten days of clean life from one network, with this record hour.
    fn settled(record: f64) -> Sender {
        let mut entry = Sender::new(None, [0; 16], t(0));
        entry.active_days = 10.0;
        entry.volume.record = [record / 2.0, record, record * 3.0, record / 2.0];
        entry.homes.add(Home {
            network: HOME,
            country: None,
            first: t(0),
            last: t(99),
            adopted: true,
        });
        entry
    }

    fn send(context: &mut Counters, at: Timestamp, recipients: f64) {
        context.fade(at);
        context.each(|counts| counts.taken += recipients);
    }

    #[test]
    fn a_thief_in_a_burst_has_nothing_left_and_the_owner_no_limit() {
        let mut entry = settled(12.0);
        send(&mut entry.familiar, t(100), 5.0);
        send(&mut entry.novel, t(100), 30.0);
        let allowance = Allowance::of(&entry, t(100));
        assert_eq!(allowance.homes, [HOME]);
        assert!(about(allowance.novel.left, 0.0));
        assert!(about(allowance.novel.per_hour, NOVEL_HOUR));
        assert_eq!(allowance.usual, None);
    }

    #[test]
    fn a_traveller_keeps_what_he_has_not_sent() {
        let mut entry = settled(12.0);
        send(&mut entry.novel, t(100), 3.0);
        let left = Allowance::of(&entry, t(100)).novel.left;
        assert!(about(left, NOVEL_BURST - 3.0));
    }

    #[test]
    fn evidence_from_home_limits_home_to_its_record() {
        let mut entry = settled(300.0);
        send(&mut entry.novel, t(100), 30.0);
        entry
            .familiar
            .refuse(crate::ledger::counters::Picture::Content, 2.0);
        entry.familiar.fade(t(100));
        entry
            .familiar
            .refuse(crate::ledger::counters::Picture::Content, 2.0);
        let usual = Allowance::of(&entry, t(100)).usual.unwrap();
        assert!(about(usual.per_hour, 300.0) && about(usual.burst, 300.0));
        let only_home = settled(0.0);
        let usual = Allowance::of(&only_home, t(100)).usual.unwrap();
        assert!(about(usual.per_hour, USUAL_HOUR));
    }

    #[test]
    fn a_new_account_is_at_home_nowhere() {
        let mut entry = settled(0.0);
        entry.active_days = 1.0;
        let young = Allowance::of(&entry, t(5));
        assert!(young.homes.is_empty() && young.usual.is_none());
        let address = "192.0.2.1".parse().ok();
        let (lane, limit) = young.limit(address, &Geo::by_prefix()).unwrap();
        assert_eq!((lane, limit), (Lane::Novel, young.novel));
    }
}
