use super::*;
use crate::{postfix::log_record::Reader, time::Timestamp};

fn records(log: &[u8]) -> String {
    let reference = Timestamp::parse_rfc3339(b"2026-11-24T00:00:00Z").unwrap();
    let mut reader = Reader::new(Zone::utc(), reference);
    let mut out = Vec::new();
    let mut report = Report::new(&mut out);
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        report.line(reader.read(line), line).unwrap();
    }
    report.end().unwrap();
    String::from_utf8(out).unwrap()
}

/// The objects without their last line.
fn objects(log: &[u8]) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let text = records(log);
    let mut lines: Vec<&str> = text.lines().collect();
    lines.pop();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn summary(log: &[u8]) -> serde_json::Value {
    serde_json::from_str(records(log).lines().last().unwrap()).unwrap()
}

macro_rules! capture {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/logs/real-3.7-",
            $name
        ))
    };
}

const SCENARIOS: &[u8] = capture!("postlogd-scenarios.log");
const JOURNAL: &[u8] = capture!("journald.json");
const TRADITIONAL: &[u8] = capture!("rsyslog-traditional.log");
const RFC3339: &[u8] = capture!("rsyslog-rfc3339.log");
const RFC5424: &[u8] = capture!("rsyslog-rfc5424.log");
const JSON: &[u8] = capture!("rsyslog-json.log");

#[test]
fn specimens_of_every_kind_and_version_read_as_they_should() {
    let log = include_bytes!("../../../tests/data/records/specimens.log");
    let expected = include_str!("../../../tests/data/records/specimens.jsonl");
    let got = records(log);
    for (got, expected) in got.lines().zip(expected.lines()) {
        assert_eq!(got, expected);
    }
    assert_eq!(got.lines().count(), expected.lines().count());
}

#[test]
fn every_line_of_the_captures_is_understood() {
    for (log, lines) in [
        (SCENARIOS, 2878),
        (JOURNAL, 470),
        (TRADITIONAL, 518),
        (RFC3339, 518),
        (RFC5424, 518),
        (JSON, 518),
    ] {
        let summary = summary(log);
        assert_eq!(summary["lines"], lines);
        assert_eq!(summary["records"], lines, "{summary}");
    }
}

#[test]
fn every_delivery_record_of_the_captures_has_its_members() {
    for log in [SCENARIOS, JOURNAL, TRADITIONAL, RFC3339, RFC5424, JSON] {
        let lines: Vec<&[u8]> = log.split(|c| *c == b'\n').collect();
        let mut found = 0;
        for object in objects(log) {
            let line = lines[usize::try_from(object["line"].as_u64().unwrap()).unwrap() - 1];
            let is_delivery = memchr::memmem::find(line, b": to=<").is_some()
                || memchr::memmem::find(line, b" to=<").is_some()
                    && memchr::memmem::find(line, b"status=").is_some();
            if is_delivery {
                found += 1;
                assert_eq!(object["kind"], "delivery", "{object:?}");
                for member in ["queue_id", "recipient", "delay", "delays", "dsn", "status"] {
                    assert!(object.contains_key(member), "{member}: {object:?}");
                }
            }
        }
        assert!(found >= 60, "{found}");
    }
}

#[test]
fn the_same_traffic_in_four_framings_gives_the_same_records() {
    let plain = objects(RFC3339);
    // The traditional stamp ends at the second.
    let second = |at: &serde_json::Value| at.as_str().unwrap().get(..19).unwrap().to_owned();
    for (mut got, mut want) in objects(TRADITIONAL).into_iter().zip(plain.clone()) {
        assert_eq!(
            second(&got.remove("at").unwrap()),
            second(&want.remove("at").unwrap())
        );
        assert_eq!(got, want);
    }
    assert_eq!(objects(JSON), plain);
    // RFC 5424's APP-NAME ends at the slash: the daemon is lost, and with it who removed a message.
    for (mut got, mut want) in objects(RFC5424).into_iter().zip(plain) {
        let (got_daemon, daemon) = (got.remove("daemon"), want.remove("daemon"));
        assert!(
            got_daemon.is_none() || got_daemon == daemon,
            "{got:?} {want:?}"
        );
        assert_eq!(got.remove("service").unwrap(), "postfix");
        want.remove("service");
        if daemon.unwrap() == "postsuper" && got["kind"] == "removed" {
            got.remove("kind");
            want.remove("kind");
        }
        assert_eq!(got, want);
    }
}

#[test]
fn repetition_is_a_member_and_numbers_are_numbers() {
    let log = b"Nov  3 08:25:50 r postfix/smtpd[7]: message repeated 3 times: [ connect from unknown[192.0.2.1]:99]\n";
    let object = &objects(log)[0];
    assert_eq!(object["repeat"], 3);
    assert_eq!(object["client_port"], 99);
    assert_eq!(object["pid"], 7);
    assert_eq!(object["at"], "2026-11-03T08:25:50.000000Z");
    assert_eq!(summary(log)["lines"], 1);
}

#[test]
fn what_is_not_understood_is_counted_by_shape() {
    let mut log = Vec::new();
    for n in 0..5000 {
        log.extend(format!("Nov  3 08:25:50 r postfix/smtp[7]: 4F{n:08X}: to=<u{n}@d{n}.example>, relay=x, oops\n").bytes());
        log.extend(
            format!(
                "Nov  3 08:25:50 r postfix/smtp[7]: 4F{n:08X}: to=<u@d.example>, {}\n",
                "ab".repeat(n % 1500)
            )
            .bytes(),
        );
        log.extend(b"Nov  3 08:25:50 r kernel: boo\n");
    }
    let summary = summary(&log);
    assert_eq!(summary["lines"], 15_000);
    assert_eq!(summary["unparsed"], 10_000);
    assert_eq!(summary["foreign"], 5000);
    assert_eq!(
        summary["shapes"][0]["shape"],
        "smtp: ID: to=<>, relay=x, oops"
    );
    assert_eq!(summary["shapes"][0]["count"], 5000);
    assert!(summary["shapes"].as_array().unwrap().len() <= SHAPES + 1);
}

#[test]
fn a_line_without_an_end_costs_no_more_than_the_limit() {
    let mut log = b"Nov  3 08:25:50 r postfix/qmgr[7]: 4F2A1C0D3B: removed\n".to_vec();
    log.extend(vec![b'x'; 3 << 20]);
    log.extend(b"\nNov  3 08:25:50 r postfix/qmgr[7]: 4F2A1C0D3C: removed");
    let summary = summary(&log);
    assert_eq!(
        (&summary["lines"], &summary["records"]),
        (&3.into(), &2.into())
    );
}

#[test]
fn control_characters_are_escaped() {
    let log = b"{\"timestamp\":\"2026-11-23T08:25:46Z\",\"host\":\"r\",\"tag\":\"postfix\\/cleanup[1]:\",\"msg\":\" 4F2A1C0D3B: message-id=a\\nb\\u0001\\\"c\"}\n";
    assert_eq!(objects(log)[0]["message_id"], "a\nb\u{1}\"c");
}

#[test]
fn zones_are_found_by_name_and_by_posix_string() {
    assert!(zone(Some("UTC")).is_ok());
    let cet = zone(Some("CET-1CEST,M3.5.0,M10.5.0/3")).unwrap();
    assert_eq!(cet.offset_at(Timestamp::EPOCH), 3600);
    for wrong in ["../../etc/passwd", "No/Such", ""] {
        assert_eq!(zone(Some(wrong)).unwrap_err().exit, Exit::Usage, "{wrong}");
    }
}
