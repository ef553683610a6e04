//! Saved state that was damaged: an error, a counted loss, or a state to go on from; never a panic, never memory without
//! bound.

use std::sync::OnceLock;

use postwarden::{
    classify::Classifier,
    correlate,
    engine::{Engine, Input, Setup, docket::Brake, snapshot::Checkpoint},
    ledger::{self, SenderId},
    policy::{Mode, Policies},
    postfix::log_record::Reading,
    time::Timestamp,
};

use super::log;

/// The shipped rules, in force.
pub fn setup() -> Setup {
    Setup {
        mode: Mode::Enforce,
        policies: Policies::shipped(),
        classifier: Classifier::shipped().expect("the shipped rules"),
        ledger: ledger::Setup::default(),
        correlate: correlate::Limits::default(),
        brake: Brake::default(),
    }
}

/// Feeds a log.
pub fn feed(engine: &mut Engine, log: &str) {
    let mut reader = log::reader();
    for line in log.lines() {
        if let Reading::Record(record) = reader.read(line.as_bytes()) {
            let input = Input::Record {
                record: &record,
                line: line.as_bytes(),
            };
            engine.feed(record.at, input);
        }
    }
}

/// Some people, one thief, one filter, mail that waits.
fn traffic(round: u32) -> String {
    let mut log = String::new();
    for n in 0..60_u32 {
        let id = format!("{:010X}", 0xA0_0000_0000_u64 + u64::from(round * 1000 + n));
        let at = format!(
            "2026-11-{:02}T08:{:02}:{:02}Z relay1 postfix",
            3 + round,
            n / 60,
            n % 60
        );
        let login = format!("user{}@example.org", n % 5);
        let verdict = match n % 4 {
            0 => {
                "dsn=5.1.1, status=bounced (host mx.example.net[198.51.100.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command))"
            }
            1 => {
                "dsn=5.7.1, status=bounced (host mx.example.net[198.51.100.1] said: 550 5.7.1 Message rejected as spam (in reply to end of DATA command))"
            }
            2 => {
                "dsn=4.2.0, status=deferred (host mx.example.net[198.51.100.1] said: 450 4.2.0 Greylisted (in reply to RCPT TO command))"
            }
            _ => "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 12345)",
        };
        for line in [
            format!(
                "{at}/smtpd[1]: {id}: client=c.example[203.0.113.{n}], sasl_method=PLAIN, sasl_username={login}"
            ),
            format!("{at}/cleanup[2]: {id}: message-id=<{n}@example.org>"),
            format!("{at}/qmgr[3]: {id}: from=<{login}>, size=900, nrcpt=1 (queue active)"),
            format!(
                "{at}/smtp[4]: {id}: to=<r{n}@example.net>, relay=mx.example.net[198.51.100.1]:25, delay=1, delays=0/0/0/1, {verdict}"
            ),
        ] {
            log.push_str(&line);
            log.push('\n');
        }
        if n % 4 != 2 {
            log.push_str(&format!("{at}/qmgr[3]: {id}: removed\n"));
        }
    }
    log
}

/// What an engine wrote down after some traffic.
fn saved() -> &'static Checkpoint {
    static SAVED: OnceLock<Checkpoint> = OnceLock::new();
    SAVED.get_or_init(|| {
        let mut engine = Engine::new(setup());
        feed(&mut engine, &traffic(0));
        engine.checkpoint()
    })
}

/// How often bytes of the saved state are changed at most.
const CHANGES: usize = 4;

/// Which blob to change, where, and what to put there instead of how much.
fn damage(saved: &mut Checkpoint, change: &[u8]) {
    let [kind, which, at, less, new @ ..] = change else {
        return;
    };
    let blobs: Vec<&mut Vec<u8>> = match kind % 5 {
        0 => saved.senders.iter_mut().map(|(_, blob)| blob).collect(),
        1 => saved
            .messages
            .iter_mut()
            .filter_map(|(_, blob)| blob.as_mut())
            .collect(),
        2 => saved.parts.iter_mut().map(|(_, blob)| blob).collect(),
        3 => saved.senders.iter_mut().map(|(key, _)| key).collect(),
        _ => saved.names.iter_mut().map(|(key, _, _)| key).collect(),
    };
    let count = blobs.len();
    let Some(blob) = blobs.into_iter().nth(usize::from(*which) % count.max(1)) else {
        return;
    };
    let start = usize::from(*at) * (1 + usize::from(kind / 5)) % (blob.len() + 1);
    let end = (start + usize::from(*less)).min(blob.len());
    blob.splice(start..end, new.iter().copied());
}

/// Each piece of the input is one change; what comes back must be fit to go on.
pub(super) fn damaged(data: &[u8]) {
    let mut state = saved().clone();
    for change in data.split(|c| *c == b'\n').take(CHANGES) {
        damage(&mut state, change);
    }
    let Ok(mut engine) = Engine::restore(setup_cheap(), state, Vec::new()) else {
        return;
    };
    feed(&mut engine, &traffic(1));
    let now = Timestamp::from_seconds(1_793_900_000);
    engine.feed(now, Input::Tick);
    let effects = std::iter::from_fn(|| engine.next_effect()).count();
    assert!(effects < 10_000, "work out of nothing");
    let owner: SenderId = "sasl:user1@example.org".parse().expect("a sender");
    drop(engine.explain(&owner, now));
    drop(engine.queued(&owner));
    assert!(
        engine.ledger().senders().count() <= 64,
        "senders out of nothing"
    );
    let again = engine.checkpoint();
    assert!(again.senders.len() <= 64);
}

/// The same with rules that are compiled once.
fn setup_cheap() -> Setup {
    let mut setup = Setup {
        classifier: Classifier::compile(&[]).expect("no rules"),
        ..setup()
    };
    setup.mode = Mode::Enforce;
    setup
}
