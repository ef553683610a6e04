use super::*;
use crate::{
    classify::Classifier,
    engine::{Batch, Engine, Input, Setup, docket::Brake, effect::VerdictChange},
    ledger,
    policy::{Mode, Policies},
    postfix::log_record::{Reader, Reading},
    time::Zone,
};

fn engine() -> Engine {
    Engine::new(Setup {
        mode: Mode::Enforce,
        policies: Policies::shipped(),
        classifier: Classifier::shipped().unwrap(),
        ledger: ledger::Setup::default(),
        correlate: correlate::Limits::default(),
        brake: Brake::default(),
    })
}

/// Two days of twenty users; on the second day two of them are taken over, one after the other, and one writes to a
/// server that is down.
fn log() -> Vec<String> {
    let mut log = Vec::new();
    let mut serial = 0_u64;
    let mut mail = |log: &mut Vec<String>, seconds: u64, user: u64, client: &str, said: &str| {
        serial += 1;
        let at = Timestamp::from_seconds(1_790_000_000 + seconds.cast_signed());
        let id = format!(
            "{:05X}{:X}",
            serial * 7919 % 0xF_FFFF,
            0x20000 + serial % 50
        );
        let login = format!("User{user}@example.org");
        for (daemon, text) in [
            (
                "submission/smtpd",
                format!("client=c[{client}], sasl_method=PLAIN, sasl_username={login}"),
            ),
            (
                "qmgr",
                format!("from=<{login}>, size=900, nrcpt=1 (queue active)"),
            ),
            (
                "smtp",
                format!(
                    "to=<r{serial}@d{}.example>, relay=mx.d{}.example[198.51.100.7]:25, delay=1, delays=0/0/0/1, {said}",
                    serial % 9,
                    serial % 9
                ),
            ),
            ("qmgr", "removed".to_owned()),
        ] {
            log.push(format!("{at} relay1 postfix/{daemon}[77]: {id}: {text}"));
        }
    };
    let sent = "dsn=2.0.0, status=sent (250 2.0.0 Ok)";
    let unknown = "dsn=5.1.1, status=bounced (host mx.example[198.51.100.7] said: 550 5.1.1 User unknown (in reply to RCPT TO command))";
    let spam = "dsn=5.7.1, status=bounced (host mx.example[198.51.100.7] said: 550 5.7.1 Message rejected as spam (in reply to end of DATA command))";
    let later = "dsn=4.7.0, status=deferred (host mx.example[198.51.100.7] said: 450 4.7.0 Try again later (in reply to RCPT TO command))";
    for n in 0..2000_u64 {
        let seconds = n * 86;
        mail(
            &mut log,
            seconds,
            n % 20,
            "192.0.2.8",
            if n % 90 == 7 { unknown } else { sent },
        );
        for (thief, from) in [(3, 1200), (4, 1500)] {
            if (from..from + 40).contains(&n) {
                let said = [spam, unknown, sent, later][usize::try_from(n % 4).unwrap()];
                mail(&mut log, seconds + 3, thief, "203.0.113.9", said);
                mail(&mut log, seconds + 4, thief, "203.0.113.9", spam);
            }
        }
    }
    log
}

fn verdicts(engine: &mut Engine) -> Vec<VerdictChange> {
    std::iter::from_fn(|| engine.next_effect())
        .filter_map(|effect| match effect {
            crate::engine::effect::Effect::Verdict(change) => Some(*change),
            _ => None,
        })
        .collect()
}

fn read(log: &[String], mut each: impl FnMut(&Record<'_>, &[u8])) {
    let mut reader = Reader::new(Zone::utc(), Timestamp::from_seconds(1_800_000_000));
    for line in log {
        if let Reading::Record(record) = reader.read(line.as_bytes()) {
            each(&record, line.as_bytes());
        }
    }
}

#[test]
fn two_cores_decide_what_one_decides() {
    let log = log();
    let mut one = engine();
    read(&log, |record, line| {
        one.feed(record.at, Input::Record { record, line });
    });
    let decided = verdicts(&mut one);
    assert!(decided.iter().any(|change| change.incident.is_some()));
    for most in [1, 7, 1000] {
        let mut judge = engine();
        let mut clerk = judge.clerk();
        let mut batch = Batch::default();
        let mut hear = |batch: &mut Batch| {
            for (now, told) in batch.iter() {
                judge.feed(now, Input::Told(&told));
            }
            batch.clear();
        };
        read(&log, |record, line| {
            clerk.record(record, line, &mut |told| batch.push(record.at, &told));
            if batch.len() >= most {
                hear(&mut batch);
            }
        });
        hear(&mut batch);
        assert_eq!(verdicts(&mut judge), decided);
        assert_eq!(judge.attempts(), one.attempts());
        for n in 0..20 {
            let id = format!("sasl:user{n}@example.org").parse().unwrap();
            let entry = |engine: &Engine| {
                let ledger = engine.ledger();
                ledger.sender(ledger.find(&id).unwrap()).cloned()
            };
            assert_eq!(entry(&judge), entry(&one), "{id}");
        }
    }
}
