use super::*;
use crate::time::{Civil, Timestamp};

/// Host, service, daemon, pid and text of a line; `None` if it is foreign.
fn parts(line: &str) -> Option<(String, String, String, u32, String)> {
    let mut scratch = Scratch::default();
    match split(line.as_bytes(), &mut scratch) {
        Framing::Postfix(line) => Some((
            line.host.to_owned(),
            line.tag.service.to_owned(),
            line.tag.daemon.to_owned(),
            line.pid,
            line.text.to_owned(),
        )),
        Framing::Foreign | Framing::Broken(_) => None,
    }
}

fn stamp_of(line: &str) -> Stamp {
    let mut scratch = Scratch::default();
    match split(line.as_bytes(), &mut scratch) {
        Framing::Postfix(line) => line.stamp,
        other => panic!("{line}: {other:?}"),
    }
}

fn utc(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text.as_bytes()).unwrap()
}

#[test]
fn every_framing_gives_the_same_parts() {
    let want = |host: &str| {
        Some((
            host.to_owned(),
            "postfix".to_owned(),
            "qmgr".to_owned(),
            42,
            "4F2A1C0D3B: removed".to_owned(),
        ))
    };
    for line in [
        "Nov  3 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Nov 03 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed\r\n",
        "Nov 03 08:25:50.123 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Nov 3 2026 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Nov  3 08:25:50 2026 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Tue Nov  3 08:25:50 2026 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Tue 2026-11-03 08:25:50 UTC relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2013 Jun 10 06:27:30.123 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03T08:25:50.213851+00:00 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03T08:25:50Z relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03T08:25:50+0100 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03 08:25:50 +0100 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03 08:25:50 UTC relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "1793694350.25 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "<22>Nov  3 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "<22>1 2026-11-03T08:25:50Z relay1 postfix/qmgr 42 - -  4F2A1C0D3B: removed",
        "<22>1 2026-11-03T08:25:50Z relay1 postfix/qmgr 42 - [a@1 b=\"x\\\"] y\"][c] \u{feff}4F2A1C0D3B: removed",
        "\0\0\0Nov  3 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Nov  3 08:25:50 relay1 mail.info postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Nov  3 08:25:50 <mail.info> relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "Nov  3 08:25:50 relay1 postfix/qmgr[42]: [ID 197553 mail.info] 4F2A1C0D3B: removed",
        "Nov  3 08:25:50 loghost Nov  3 08:25:49 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "mail.log.1:Nov  3 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "mail-1  | Nov 03 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03T08:25:50.1Z stdout F Nov 03 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "{\"log\":\"Nov 03 08:25:50 relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-03T08:25:50.1Z\"}",
        "{\"timestamp\":\"2026-11-03T08:25:50+00:00\", \"host\":\"relay1\", \"tag\":\"postfix\\/qmgr[42]:\", \"msg\":\" 4F2A1C0D3B: removed\"}",
        "{\"SYSLOG_IDENTIFIER\":\"postfix/qmgr\",\"SYSLOG_PID\":\"42\",\"_PID\":\"7\",\"_HOSTNAME\":\"relay1\",\"MESSAGE\":\"4F2A1C0D3B: removed\",\"__REALTIME_TIMESTAMP\":\"1793694350000000\",\"SYSLOG_FACILITY\":\"2\"}",
        "{\"MESSAGE\":[52,70,50,65,49,67,48,68,51,66,58,32,114,101,109,111,118,101,100],\"_HOSTNAME\":\"relay1\",\"SYSLOG_IDENTIFIER\":\"postfix/qmgr\",\"_PID\":\"42\",\"_SOURCE_REALTIME_TIMESTAMP\":\"1793694350000000\"}",
    ] {
        assert_eq!(parts(line), want("relay1"), "{line}");
    }
    for line in [
        "Nov  3 08:25:50 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "2026-11-03T08:25:50 postfix/qmgr[42]: 4F2A1C0D3B: removed",
        "postfix/qmgr[42]: 4F2A1C0D3B: removed",
    ] {
        assert_eq!(parts(line), want(""), "{line}");
    }
}

#[test]
fn stamps_say_what_they_know() {
    let tail = " relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed";
    let civil = |text: &str| Civil::parse(text.as_bytes()).unwrap().0;
    for (stamp, want) in [
        (
            "Nov  3 08:25:50",
            Stamp::Yearless(civil("2000-11-03T08:25:50")),
        ),
        (
            "Nov 03 08:25:50.25",
            Stamp::Yearless(civil("2000-11-03T08:25:50.25")),
        ),
        (
            "2013 Jun 10 06:27:30.123",
            Stamp::Local(civil("2013-06-10T06:27:30.123")),
        ),
        (
            "2024-04-09 20:22:42",
            Stamp::Local(civil("2024-04-09T20:22:42")),
        ),
        (
            "Tue Nov  3 08:25:50 2026",
            Stamp::Local(civil("2026-11-03T08:25:50")),
        ),
        (
            "2026-11-23T09:25:50.5+01:00",
            Stamp::Absolute(utc("2026-11-23T08:25:50.5Z")),
        ),
        (
            "2026-11-23 09:25:50 +0100",
            Stamp::Absolute(utc("2026-11-23T08:25:50Z")),
        ),
        (
            "2026-11-23 09:25:50 UTC",
            Stamp::Absolute(utc("2026-11-23T09:25:50Z")),
        ),
        (
            "1793694350.25",
            Stamp::Absolute(Timestamp::from_micros(1_793_694_350_250_000)),
        ),
    ] {
        assert_eq!(stamp_of(&format!("{stamp}{tail}")), want, "{stamp}");
    }
    assert_eq!(
        stamp_of(tail.trim_start().trim_start_matches("relay1 ")),
        Stamp::Missing
    );
    let inner = "{\"log\":\"postfix/qmgr[42]: 4F2A1C0D3B: removed\\n\",\"time\":\"2026-11-03T08:25:50.1Z\"}";
    assert_eq!(
        stamp_of(inner),
        Stamp::Absolute(utc("2026-11-03T08:25:50.1Z"))
    );
}

#[test]
fn the_last_slash_parts_service_and_daemon() {
    for (tag, service, daemon) in [
        ("postfix/smtp[1]:", "postfix", "smtp"),
        (
            "postfix/submission/smtpd[1]:",
            "postfix/submission",
            "smtpd",
        ),
        (
            "postfix-10.20.30.40/smtp[1]:",
            "postfix-10.20.30.40",
            "smtp",
        ),
        ("mail_batch-a/smtp[1]:", "mail_batch-a", "smtp"),
        ("authclean/cleanup[1]:", "authclean", "cleanup"),
        ("postfix/smtp:", "postfix", "smtp"),
        ("postfix/postfix-script[1]:", "postfix", "postfix-script"),
        ("postfix-script[1]:", "", "postfix-script"),
        ("postfix[1]:", "postfix", ""),
        ("postfix-out[1]:", "postfix-out", ""),
        ("postfix/renamed-agent[1]:", "postfix", "renamed-agent"),
        ("out/bounce[1]:", "out", "bounce"),
    ] {
        let got = parts(&format!("Nov  3 08:25:50 relay1 {tag} text")).unwrap();
        assert_eq!((got.1.as_str(), got.2.as_str()), (service, daemon), "{tag}");
    }
}

#[test]
fn other_programs_are_foreign() {
    for line in [
        "",
        "\n",
        "-- Reboot --",
        "Nov  3 08:25:50 relay1 sshd[1]: hello",
        "Nov  3 08:25:50 relay1 smtpd[1]: 4F2A1C0D3B: client=x[192.0.2.1]",
        "Nov  3 08:25:50 relay1 postfixadmin[1]: hello",
        "Nov  3 08:25:50 relay1 postgrey[1]: hello",
        "Nov  3 08:25:50 relay1 exim/queue[1]: hello",
        "Nov  3 08:25:50 relay1 last message repeated 2 times",
        "Nov  3 08:25:50 relay1 CRON[1]: (root) CMD (postfix/smtp[1]: x)",
        "<38>1 2026-11-03T08:25:50Z relay1 sshd 42 - -  hello",
        "{\"SYSLOG_IDENTIFIER\":\"postfix/qmgr\",\"MESSAGE\":\"x\",\"SYSLOG_FACILITY\":\"4\"}",
        "{\"SYSLOG_IDENTIFIER\":\"sshd\",\"MESSAGE\":\"postfix/qmgr[1]: x\"}",
        "{\"broken",
        "{}",
    ] {
        assert_eq!(parts(line), None, "{line}");
    }
    // Broken JSON that names Postfix is not silently foreign.
    let mut scratch = Scratch::default();
    let broken = b"{\"SYSLOG_IDENTIFIER\":\"postfix/qmgr\",\"MESSAGE\":\"4F2A";
    assert!(matches!(split(broken, &mut scratch), Framing::Broken(_)));
}

#[test]
fn severities_and_repetitions_come_off() {
    let mut scratch = Scratch::default();
    let line =
        b"Nov  3 08:25:50 r postfix/smtpd[1]: message repeated 3 times: [ warning: hostname x [y]]";
    let Framing::Postfix(line) = split(line, &mut scratch) else {
        panic!("foreign");
    };
    assert_eq!(
        (line.repeat, line.severity, line.text),
        (3, "warning", "hostname x [y]")
    );
}

#[test]
fn a_text_is_cut_at_2000_bytes_whatever_they_are() {
    let is_cut = |text: &[u8]| {
        let line = [b"Nov  3 08:25:50 r postfix/smtp[1]: ".as_slice(), text].concat();
        let mut scratch = Scratch::default();
        let Framing::Postfix(line) = split(&line, &mut scratch) else {
            panic!("foreign");
        };
        line.cut
    };
    assert!(!is_cut(&[b'x'; 1999]));
    assert!(is_cut(&[b'x'; 2000]));
    // The severity is not part of the 2000.
    assert!(!is_cut(&[b"warning: ".as_slice(), &[b'x'; 1999]].concat()));
    assert!(is_cut(&[b"warning: ".as_slice(), &[b'x'; 2000]].concat()));
    // What is not UTF-8 counts as the bytes that it was.
    assert!(!is_cut(&[0xff; 1999]));
    assert!(is_cut(&[0xff; 2000]));
    let json = format!(
        "{{\"SYSLOG_IDENTIFIER\":\"postfix/smtp\",\"MESSAGE\":\"{}\"}}",
        "\\u0001".repeat(2000)
    );
    let mut scratch = Scratch::default();
    assert!(matches!(split(json.as_bytes(), &mut scratch), Framing::Postfix(line) if line.cut));
}

#[test]
fn json_escapes_come_off() {
    let json = r#"{"tag":"postfix\/cleanup[1]:","msg":" a\"b\\c\/\u00fc\ud83d\ude00\ud83d x","extra":{"msg":["]}"]},"n":null}"#;
    let got = parts(json).unwrap();
    assert_eq!(got.4, "a\"b\\c/\u{fc}\u{1f600}\u{fffd} x");
}

#[test]
fn a_line_without_a_stamp_has_its_host_and_tag() {
    let got = parts("mail postfix/submission/smtpd[42]: 4F2A1C0D3B: removed").unwrap();
    assert_eq!(
        (got.0.as_str(), got.1.as_str(), got.2.as_str(), got.3),
        ("mail", "postfix/submission", "smtpd", 42)
    );
    assert_eq!(got.4, "4F2A1C0D3B: removed");
    // Words of another program about Postfix are none of its lines.
    assert_eq!(parts("see the log: postfix/smtpd[42]: hello"), None);
    assert_eq!(parts("error: postfix/smtpd[42]: hello"), None);
    assert_eq!(parts("2026-11-23T8:25:50Z postfix/smtpd[42]: hello"), None);
}

#[test]
fn the_stamps_of_lines_before_do_not_change_how_one_is_read() {
    let text = "relay1 postfix/qmgr[42]: 4F2A1C0D3B: removed";
    let stamps = [
        "Nov  3 08:25:50",
        "Nov  3 08:25:50",
        "Nov  3 08:25:51",
        "2026-11-23T08:25:50.213851+00:00",
        "2026-11-23T08:25:50.213852+01:00",
        "2026-11-23T08:25:09.000001-05:30",
        "2026-11-23T08:25:60.000001Z",
        "2026-11-23T08:25:61.000001Z",
        "2026-11-23T08:25:50.213Z",
        "2026-11-23T08:25:50Z",
        "2026-11-23T08:26:50.213851Z",
        "2026-11-23 08:26:50.213851",
        "2026-11-23T08:26:xx.213851Z",
        "2026-11-23T08:26:50.21385xZ",
        "2026-13-23T08:26:50.213851Z",
        "Nov  3 08:25:51",
        "Nov 33 08:25:51",
        "Nov  3 08:25:51.5",
    ];
    let mut scratch = Scratch::default();
    for stamp in stamps {
        let line = format!("{stamp} {text}");
        let mut fresh = Scratch::default();
        let alone = format!("{:?}", split(line.as_bytes(), &mut fresh));
        let together = format!("{:?}", split(line.as_bytes(), &mut scratch));
        assert_eq!(together, alone, "{stamp}");
        assert_eq!(
            alone.contains("Foreign"),
            stamp.contains("xx")
                || stamp.contains("13-23")
                || stamp.contains("33")
                || stamp.contains(":61"),
            "{stamp}"
        );
    }
}
