use proptest::prelude::*;

use super::*;
use crate::postfix::record::Status;

const CAPTURE: &[u8] = include_bytes!("../../../tests/data/logs/real-3.7-postlogd-scenarios.log");
const JOURNAL: &[u8] = include_bytes!("../../../tests/data/logs/real-3.7-journald.json");

fn reference() -> Timestamp {
    Timestamp::parse_rfc3339(b"2026-11-24T00:00:00Z").unwrap()
}

fn lines() -> Vec<&'static [u8]> {
    let lines = |log: &'static [u8]| log.split(|c| *c == b'\n').filter(|line| !line.is_empty());
    lines(CAPTURE).chain(lines(JOURNAL)).collect()
}

#[test]
fn a_line_that_can_be_read_in_two_ways_stays_a_delivery_without_a_status() {
    let line = b"Nov  3 08:25:50 r postfix/smtp[1]: 4F2A1C0D3B: to=<a@x.example>, relay=none, delay=0, delays=0/0/0/0, dsn=2.0.0, status=sent (b@evil.example>, relay=none, delay=0, delays=0/0/0/0, dsn=5.0.0, status=bounced (no)";
    let mut reader = Reader::new(Zone::utc(), reference());
    let Reading::Record(record) = reader.read(line) else {
        panic!("not read");
    };
    let Event::Delivery(delivery) = record.event else {
        panic!("no delivery");
    };
    assert_eq!(delivery.recipient, None);
    assert_eq!((delivery.status, delivery.status_text), (Status::Other, ""));
    assert_eq!(delivery.delay, Some(0.0));
    assert_eq!(record.queue_id, Some("4F2A1C0D3B"));
}

#[test]
fn a_program_that_may_be_anothers_must_write_what_only_postfix_writes() {
    let mut reader = Reader::new(Zone::utc(), reference());
    let mut is_ours = |text: &str| matches!(reader.read(text.as_bytes()), Reading::Record(_));
    assert!(is_ours(
        "Nov  3 08:25:50 r out/bounce[1]: 4F2A1C0D3B: sender non-delivery notification: EF51DFE4C0"
    ));
    assert!(!is_ours(
        "Nov  3 08:25:50 r cyrus/master[1]: process type:SERVICE name:imap exited"
    ));
}

#[test]
fn a_line_of_another_program_is_not_understood() {
    let mut reader = Reader::new(Zone::utc(), reference());
    let mut is_understood = |daemon: &str, text: &str| {
        let line = format!("Nov  3 08:25:50 r postfix/{daemon}[1]: 4F2A1C0D3B: {text}");
        matches!(reader.read(line.as_bytes()), Reading::Record(_))
    };
    let client = "client=c.example[192.0.2.1], sasl_method=PLAIN, sasl_username=anna";
    assert!(is_understood("smtpd", client));
    assert!(is_understood("submission-proxy", client));
    assert!(!is_understood("smtp", client));
    let delivered =
        "to=<a@example.net>, relay=none, delay=0, delays=0/0/0/0, dsn=5.0.0, status=bounced (x)";
    for daemon in ["smtp", "qmgr", "cleanup", "pipe", "own-agent"] {
        assert!(is_understood(daemon, delivered), "{daemon}");
    }
    assert!(!is_understood("smtpd", delivered));
    assert!(is_understood(
        "qmgr",
        "from=<a@example.org>, size=1, nrcpt=1 (queue active)"
    ));
    assert!(!is_understood(
        "local",
        "from=<a@example.org>, size=1, nrcpt=1 (queue active)"
    ));
}

#[test]
fn a_hostile_line_costs_no_more_than_a_long_one() {
    // Every one of these could end an address and start a list: the readings must stay bounded.
    let mut line =
        b"Nov  3 08:25:50 r postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.1]: 550 "
            .to_vec();
    for _ in 0..20_000 {
        line.extend(b"; from=<@a> to=<@a> proto=X helo=<x>");
    }
    let mut reader = Reader::new(Zone::utc(), reference());
    assert!(matches!(reader.read(&line), Reading::Record(_)));
    let mut line = b"Nov  3 08:25:50 r postfix/smtp[1]: 4F2A1C0D3B: to=<a".to_vec();
    for _ in 0..20_000 {
        line.extend(b"@a>, orig_to=<a@a>, relay=none, status=sent (");
    }
    assert!(matches!(reader.read(&line), Reading::Record(_)));
}

#[test]
fn shapes_hide_what_differs() {
    let shape = |text| {
        Unparsed {
            daemon: "smtp",
            text,
        }
        .shape()
    };
    assert_eq!(
        shape(
            "4F2A1C0D3B: to=<bob@example.net>, relay=mx.example.net[198.51.100.10]:25, odd 4711 u@d.example"
        ),
        "smtp: ID: to=<>, relay=HOST[N]:N, odd N ADDRESS"
    );
    assert!(shape(&"ä ".repeat(500)).len() <= 160);
}

/// Real lines with bytes changed, cut, doubled or joined.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let lines = lines();
    let count = lines.len();
    let edit = (0..400_usize, any::<u8>(), 0..6_u8);
    (0..count, 0..count, prop::collection::vec(edit, 0..8)).prop_map(move |(line, other, edits)| {
        let mut line = lines[line].to_vec();
        for (at, byte, how) in edits {
            let at = at.min(line.len());
            match how {
                0 => line.insert(at, byte),
                1 => line.truncate(at.max(20)),
                2 => line.splice(at..at, *b">, relay=").for_each(drop),
                3 => line.splice(at..at, *b"; from=<").for_each(drop),
                4 => line.extend_from_slice(lines[other]),
                _ => {
                    if let Some(old) = line.get_mut(at) {
                        *old = byte;
                    }
                }
            }
        }
        line
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_stop_the_reader(line in prop::collection::vec(any::<u8>(), 0..300)) {
        Reader::new(Zone::utc(), reference()).read(&line);
    }

    #[test]
    fn no_mutation_of_a_real_line_stops_the_reader(line in mutated()) {
        let mut reader = Reader::new(Zone::utc(), reference());
        if let Reading::Unparsed(unparsed) = reader.read(&line) {
            prop_assert!(unparsed.shape().len() <= 160);
        }
    }

    #[test]
    fn a_line_reads_the_same_whatever_came_before(before in mutated(), line in mutated()) {
        let mut fresh = Scratch::default();
        let mut used = Scratch::default();
        scan(&before, &mut used);
        prop_assert_eq!(scan(&line, &mut fresh), scan(&line, &mut used));
    }
}
