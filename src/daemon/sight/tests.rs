use super::*;
use crate::{postfix::log_record::Reader, time::Zone};

const LIMIT: Duration = Duration::from_secs(60);
/// 2026-11-25 03:00:00 UTC.
const NIGHT: i64 = 1_795_575_600;

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NIGHT + seconds)
}

/// A daemon's night, second by second.
struct Night {
    sight: Sight,
    metrics: Metrics,
    reader: Reader,
    pulse: Option<Timestamp>,
    report: Report,
    troubles: BTreeMap<String, Trouble>,
    told: Vec<(i64, String)>,
}

impl Night {
    fn new() -> Self {
        Self {
            sight: Sight::new(LIMIT, None, Vec::new(), t(0)),
            metrics: Metrics::default(),
            reader: Reader::new(Zone::utc(), t(0)),
            pulse: None,
            report: Report {
                path: "/var/log/mail.log".into(),
                lag_bytes: 0,
                silent: Duration::ZERO,
                counters: Counters::default(),
                errors: 0,
            },
            troubles: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    /// A line is read at one time that was written at another.
    fn line(&mut self, read: i64, written: i64, text: &str) {
        let line = format!("{} relay1 {text}", t(written));
        let reading = self.reader.read(line.as_bytes());
        self.sight.line(t(read), &reading, &self.metrics);
        self.sight.turned(t(read), &self.metrics);
    }

    fn postfix(&mut self, at: i64) {
        self.line(at, at, "postfix/qmgr[7]: 4F2A1C0D3B: removed");
    }

    fn examine(&mut self, at: i64) {
        let facts = Facts {
            pulse: self.pulse,
            reports: std::slice::from_ref(&self.report),
            troubles: &self.troubles,
        };
        self.sight.tally(facts.reports, &self.metrics);
        for change in self.sight.examine(t(at), &facts, &self.metrics) {
            let text = match change {
                Change::Began(alarm) => format!("began {}: {}", alarm.kind.as_str(), alarm.what),
                Change::Ended(alarm) => format!("ended {}", alarm.kind.as_str()),
            };
            self.told.push((at, text));
        }
    }

    fn words(&self) -> Vec<(i64, &str)> {
        self.told
            .iter()
            .map(|(at, text)| (*at, text.split(':').next().unwrap()))
            .collect()
    }
}

#[test]
fn a_log_that_falls_silent_while_the_queue_moves_is_told_once_and_its_end_once() {
    let mut night = Night::new();
    for second in (0..600).step_by(2) {
        night.pulse = Some(t(second));
        if !(100..=400).contains(&second) {
            night.postfix(second);
        }
        if (100..400).contains(&second) {
            night.line(second, second, "dovecot: imap-login: Login: user=<anna>");
        }
        night.examine(second);
    }
    assert_eq!(
        night.words(),
        [(170, "began silent"), (460, "ended silent")]
    );
    assert!(
        night.told[0].1.contains("none of them is Postfix's"),
        "{:?}",
        night.told
    );
    assert!(
        night.told[0].1.contains("since 2026-11-25T03:01:38Z"),
        "{:?}",
        night.told
    );
}

#[test]
fn a_quiet_night_is_no_alarm() {
    let mut night = Night::new();
    night.postfix(10);
    // The last file moved a moment after the last line, as when qmgr puts a message off.
    night.pulse = Some(t(14));
    let quiet = BTreeMap::from([("deferred", 1)]);
    for second in (10..40_000).step_by(2) {
        if second % 30 == 0 {
            night.sight.looked(t(second), &quiet);
        }
        night.examine(second);
    }
    assert_eq!(night.told, []);
}

#[test]
fn a_message_that_comes_and_goes_between_two_looks_with_its_lines_is_no_alarm() {
    let mut night = Night::new();
    let counts = |n| BTreeMap::from([("active", n)]);
    night.sight.looked(t(0), &counts(0));
    night.postfix(28);
    night.sight.looked(t(30), &counts(1));
    night.postfix(32);
    night.sight.looked(t(60), &counts(0));
    for second in 60..400 {
        night.examine(second);
    }
    assert_eq!(night.told, []);
}

#[test]
fn counts_that_change_without_a_line_are_a_moving_queue() {
    let mut night = Night::new();
    for look in 0..20_u32 {
        let second = i64::from(look) * 30;
        let counts = BTreeMap::from([("deferred", u64::from(look))]);
        night.sight.looked(t(second), &counts);
        night.examine(second);
    }
    assert_eq!(
        night.words().first().map(|(_, what)| *what),
        Some("began silent")
    );
}

#[test]
fn lines_that_are_not_understood_are_told_with_their_share_and_shape_and_a_few_are_not() {
    let strange =
        "postfix/smtp[7]: 4F2A1C0D3B: to=<anna@example.org>, relais=mx.example.com, status=??";
    let mut night = Night::new();
    for second in 0..300 {
        for _ in 0..10 {
            night.postfix(second);
        }
        if second < 19 {
            night.line(second, second, strange);
        }
        night.examine(second);
    }
    assert_eq!(night.told, [], "19 of 3000");
    assert_eq!(
        night.sight.totals().unparsed,
        19,
        "the line is one of those"
    );
    for second in 300..600 {
        night.line(second, second, strange);
        night.postfix(second);
        night.examine(second);
    }
    for second in 600..2_000 {
        night.postfix(second);
        night.examine(second);
    }
    let words = night.words();
    assert_eq!(words[0].1, "began unparsed");
    assert_eq!(words[1].1, "ended unparsed");
    assert_eq!(words.len(), 2);
    let text = &night.told[0].1;
    assert!(
        text.contains("%") && text.contains("smtp: ID: to=<>"),
        "{text}"
    );
}

#[test]
fn bytes_that_wait_while_the_last_record_is_old_are_told_and_a_short_catching_up_is_not() {
    let mut night = Night::new();
    night.report.lag_bytes = 1_000_000;
    for second in 0..50 {
        night.line(
            second,
            second * 60 - 3_600,
            "postfix/qmgr[7]: 4F2A1C0D3B: removed",
        );
        night.examine(second);
    }
    night.report.lag_bytes = 0;
    for second in 50..100 {
        night.postfix(second);
        night.examine(second);
    }
    assert_eq!(night.told, []);
    night.report.lag_bytes = 77;
    for second in 100..300 {
        night.line(second, second - 90, "postfix/qmgr[7]: 4F2A1C0D3B: removed");
        night.examine(second);
    }
    assert_eq!(night.words(), [(160, "began behind")]);
    assert!(
        night.told[0].1.contains("77 bytes wait"),
        "{:?}",
        night.told
    );
}

#[test]
fn a_zone_that_is_not_this_hosts_is_told_and_one_late_line_is_not() {
    let mut night = Night::new();
    night.line(5, -600, "postfix/qmgr[7]: 4F2A1C0D3B: removed");
    for second in 5..300 {
        night.examine(second);
    }
    assert_eq!(night.told, []);
    let mut night = Night::new();
    for second in (0..300).step_by(20) {
        night.line(
            second,
            second + 3_600,
            "postfix/qmgr[7]: 4F2A1C0D3B: removed",
        );
        night.examine(second);
    }
    assert_eq!(night.words(), [(60, "began behind")]);
    assert!(
        night.told[0].1.contains("3600 s in the future"),
        "{:?}",
        night.told
    );
}

#[test]
fn a_source_that_cannot_be_read_is_told_after_a_while_by_its_name() {
    let mut night = Night::new();
    let trouble = Trouble {
        since: t(10),
        text: "permission denied".to_owned(),
    };
    night
        .troubles
        .insert("/var/log/mail.log".to_owned(), trouble);
    for second in 10..100 {
        night.examine(second);
    }
    night.troubles.clear();
    for second in 100..200 {
        night.examine(second);
    }
    assert_eq!(
        night.words(),
        [(70, "began unreadable"), (159, "ended unreadable")]
    );
    assert!(
        night.told[0]
            .1
            .ends_with("/var/log/mail.log: permission denied")
    );
}

#[test]
fn losses_are_counted_told_once_and_over_after_an_hour() {
    let mut night = Night::new();
    for second in 0..10_000 {
        if second == 10 || second == 20 {
            night.report.counters.lost_bytes += 50;
            night.report.counters.lost_files += 1;
        }
        night.examine(second);
    }
    assert_eq!(night.words(), [(10, "began lost"), (3_620, "ended lost")]);
    assert_eq!(night.sight.totals().lost_bytes, 100);
    assert_eq!(night.metrics.counted(Counter::LogLostBytes), 100);
}

#[test]
fn what_was_counted_goes_on_after_a_restart() {
    let mut night = Night::new();
    night.postfix(1);
    let saved = serde_json::to_value(night.sight.totals()).unwrap();
    let mut sight = Sight::new(
        LIMIT,
        serde_json::from_value(saved).unwrap(),
        Vec::new(),
        t(5),
    );
    let reading = night.reader.read(b"not of Postfix");
    sight.line(t(6), &reading, &night.metrics);
    assert_eq!(
        (
            sight.totals().lines,
            sight.totals().records,
            sight.totals().foreign
        ),
        (2, 1, 1)
    );
}

#[test]
fn a_restart_while_the_log_is_silent_neither_ends_nor_repeats_the_alarm() {
    let mut night = Night::new();
    night.postfix(1);
    for second in 2..200 {
        night.pulse = Some(t(second));
        night.examine(second);
    }
    assert_eq!(night.words(), [(72, "began silent")]);
    let saved = serde_json::to_value(night.sight.totals()).unwrap();
    let on = night.sight.alarms().into_iter().cloned().collect();
    let totals = serde_json::from_value(saved).unwrap();
    night.sight = Sight::new(LIMIT, totals, on, t(210));
    for second in 210..600 {
        night.pulse = Some(t(second));
        night.examine(second);
    }
    assert_eq!(night.told.len(), 1, "{:?}", night.told);
    night.postfix(600);
    for second in 600..700 {
        night.examine(second);
    }
    assert_eq!(night.words().last(), Some(&(659, "ended silent")));
}
