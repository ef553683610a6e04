mod crash;
mod file;
mod work;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    engine::{
        Checkpoint,
        incident::{Incident, State},
    },
    ledger::SenderId,
    policy::{Figures, Mode, Reason, Verdict},
    telemetry::Fault,
    time::Timestamp,
};

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_790_000_000 + seconds)
}

fn path(dir: &TempDir) -> PathBuf {
    dir.path().join("state/postwarden.db")
}

fn incident(number: u64) -> Incident {
    Incident {
        number,
        sender_id: SenderId::Sasl("anna@example.org".into()),
        state: State::Open,
        verdict: Verdict::Hold,
        mode: Mode::Enforce,
        policy: "rejections".to_owned(),
        reasons: vec![Reason {
            signal: "refused_share".to_owned(),
            text: "41 of 60 refused".to_owned(),
        }],
        figures: Figures {
            attempts: 60,
            accepted: 19,
            rejected: 41,
            recipients: 60,
        },
        opened: t(0),
        first_sign: Some(t(-5)),
        accepted_after: 0,
        put_off: 0,
        machines: Vec::new(),
        lines: vec!["a \"line\" with \u{fffd}".to_owned()],
        closed: None,
        closed_by: None,
    }
}

fn event(kind: EventKind, at: Timestamp) -> Event {
    Event {
        incident: 1,
        kind,
        at,
        wall: at,
        who: "postwarden".to_owned(),
        detail: json!({"n": 1}),
    }
}

fn job(kind: JobKind, due: Timestamp) -> NewJob {
    NewJob {
        incident: 1,
        kind,
        generation: 0,
        detail: json!({}),
        due,
    }
}

fn message(queue_id: &str, state: HeldState) -> Held {
    Held {
        incident: 1,
        host: "relay1".to_owned(),
        queue_id: queue_id.to_owned(),
        arrival: t(-1),
        recipients: 2,
        bytes: 1000,
        state,
        changed: t(1),
    }
}

fn mail(key: &str) -> NewMail {
    NewMail {
        key: key.to_owned(),
        incident: Some(1),
        envelope_from: "postwarden@relay1.example.org".to_owned(),
        envelope_to: vec!["abuse@example.org".to_owned()],
        message: b"Subject: x\r\n\r\nbody\r\n".to_vec(),
        created: t(0),
    }
}

fn publication(name: &str, digests: &[(&str, u64)]) -> NewPublication {
    NewPublication {
        name: name.to_owned(),
        incident: Some(1),
        created: t(0),
        created_by: "postwarden".to_owned(),
        digests: digests
            .iter()
            .map(|(digest, samples)| ((*digest).to_owned(), *samples))
            .collect(),
    }
}

/// Everything that one decision writes.
fn decision() -> Commit {
    Commit {
        cursors: vec![Cursor {
            source: "/var/log/mail.log".to_owned(),
            position: vec![1, 2, 3],
        }],
        checkpoint: Checkpoint {
            senders: vec![(vec![7], vec![1; 100])],
            messages: vec![(u64::MAX, Some(vec![9]))],
            parts: vec![("weather".to_owned(), vec![4])],
            names: vec![(vec![7], "sasl:anna@example.org".to_owned(), t(0).micros())],
        },
        incidents: vec![incident(1)],
        events: vec![event(EventKind::Proposed, t(0))],
        jobs: vec![job(JobKind::Hold, t(0)), job(JobKind::Alert, t(0))],
        held: vec![message("4F2A", HeldState::Held)],
        mails: vec![mail("PW-1.1")],
        evidence: vec![EvidenceFile {
            incident: 1,
            path: "queue/4F2A".to_owned(),
            queue_id: Some("4F2A".to_owned()),
            sha256: "00".repeat(32),
            bytes: 1234,
            created: t(2),
        }],
        publications: vec![publication("PW-1", &[("pyzor:aa", 3)])],
        gates: vec![Gate {
            name: "brake".to_owned(),
            value: json!(false),
            changed: t(0),
        }],
        ..Commit::default()
    }
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let commit = decision();
    Store::open(&path(&dir)).unwrap().commit(&commit).unwrap();
    let store = Store::open(&path(&dir)).unwrap();
    let restored = store.restore().unwrap();
    assert_eq!(restored.cursors, commit.cursors);
    assert_eq!(restored.incidents, commit.incidents);
    assert_eq!(restored.checkpoint.senders, commit.checkpoint.senders);
    assert_eq!(restored.checkpoint.messages, commit.checkpoint.messages);
    assert_eq!(restored.checkpoint.parts, commit.checkpoint.parts);
    assert_eq!(store.incident(1).unwrap(), Some(incident(1)));
    assert_eq!(store.events(1).unwrap(), commit.events);
    assert_eq!(store.held(1, None).unwrap(), commit.held);
    assert_eq!(store.evidence(1).unwrap(), commit.evidence);
    assert_eq!(store.gate("brake").unwrap().as_ref(), commit.gates.first());
    assert_eq!(store.mails(1).unwrap()[0].message, commit.mails[0].message);
    assert_eq!(
        store.names(10).unwrap()[0].sender_id,
        "sasl:anna@example.org"
    );
}

#[test]
fn the_same_decision_written_again_doubles_nothing() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    for _ in 0..3 {
        store.commit(&decision()).unwrap();
    }
    assert_eq!(store.incidents(&Filter::default()).unwrap().len(), 1);
    assert_eq!(store.events(1).unwrap().len(), 1);
    assert_eq!(store.jobs(1).unwrap().len(), 2);
    assert_eq!(store.totals(1, HeldState::Held).unwrap().messages, 1);
    assert_eq!(store.mails(1).unwrap().len(), 1);
    assert_eq!(store.active_digests().unwrap().len(), 1);
    assert_eq!(store.publications().unwrap().len(), 1);
}

#[test]
fn a_commit_that_fails_half_way_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    let mut broken = decision();
    // The last thing but one to be written names an incident that does not exist.
    broken.evidence[0].incident = 99;
    let error = store.commit(&broken).unwrap_err();
    assert_eq!(error.fault(), Fault::Bug);
    let restored = store.restore().unwrap();
    assert_eq!(restored, Restored::default());
    assert_eq!(store.claim_job(t(9), &[]).unwrap(), None);
    assert_eq!(store.claim_mail(t(9)).unwrap(), None);
    store.commit(&decision()).unwrap();
    assert_eq!(store.restore().unwrap().incidents.len(), 1);
}

#[test]
fn the_last_state_counts_and_what_is_gone_is_gone() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    store.commit(&decision()).unwrap();
    let mut changed = incident(1);
    changed.state = State::FalsePositive;
    changed.closed = Some(t(60));
    store
        .commit(&Commit {
            checkpoint: Checkpoint {
                senders: vec![(vec![7], vec![2])],
                messages: vec![(u64::MAX, None), (1, None)],
                parts: vec![("weather".to_owned(), vec![5])],
                names: vec![],
            },
            incidents: vec![changed.clone()],
            ..Commit::default()
        })
        .unwrap();
    let restored = store.restore().unwrap();
    assert_eq!(restored.checkpoint.senders, [(vec![7], vec![2])]);
    assert_eq!(restored.checkpoint.messages, []);
    assert_eq!(restored.checkpoint.parts, [("weather".to_owned(), vec![5])]);
    assert_eq!(restored.incidents, [changed]);
    assert_eq!(store.sender(&[7]).unwrap(), Some(vec![2]));
    assert_eq!(store.sender(&[8]).unwrap(), None);
}

#[test]
fn incidents_are_found_by_state_sender_and_time() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    let mut second = incident(2);
    second.sender_id = SenderId::Ip("192.0.2.1".parse().unwrap());
    second.state = State::Confirmed;
    second.opened = t(100);
    store
        .commit(&Commit {
            incidents: vec![incident(1), second],
            ..Commit::default()
        })
        .unwrap();
    let numbers = |filter: Filter| -> Vec<u64> {
        let found = store.incidents(&filter).unwrap();
        found.iter().map(|incident| incident.number).collect()
    };
    assert_eq!(numbers(Filter::default()), [2, 1]);
    let state = Some(State::Open);
    assert_eq!(
        numbers(Filter {
            state,
            ..Filter::default()
        }),
        [1]
    );
    let sender_id = Some("ip:192.0.2.1".to_owned());
    assert_eq!(
        numbers(Filter {
            sender_id,
            ..Filter::default()
        }),
        [2]
    );
    let since = Some(t(50));
    assert_eq!(
        numbers(Filter {
            since,
            ..Filter::default()
        }),
        [2]
    );
    let limit = Some(1);
    assert_eq!(
        numbers(Filter {
            limit,
            ..Filter::default()
        }),
        [2]
    );
    assert_eq!(store.incident(3).unwrap(), None);
}

#[test]
fn a_released_message_stays_released_unless_it_is_found_on_hold_again() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    store.commit(&decision()).unwrap();
    let mut put = |state, changed| {
        let mut held = message("4F2A", state);
        held.changed = changed;
        held.recipients = 0;
        let held = vec![held];
        store
            .commit(&Commit {
                held,
                ..Commit::default()
            })
            .unwrap();
        let now = store.held(1, None).unwrap().remove(0);
        (now.state, now.changed, now.recipients)
    };
    assert_eq!(put(HeldState::Held, t(5)), (HeldState::Held, t(1), 2));
    assert_eq!(
        put(HeldState::Released, t(6)),
        (HeldState::Released, t(6), 2)
    );
    assert_eq!(put(HeldState::Gone, t(7)), (HeldState::Released, t(6), 2));
    assert_eq!(put(HeldState::Held, t(8)), (HeldState::Held, t(8), 2));
    assert_eq!(put(HeldState::Husk, t(9)), (HeldState::Husk, t(9), 2));
}

#[test]
fn a_withdrawn_publication_counts_no_more_and_can_be_published_anew() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    let publish = |store: &mut Store, digests: &[(&str, u64)]| {
        let publications = vec![publication("PW-1", digests)];
        store
            .commit(&Commit {
                publications,
                ..Commit::default()
            })
            .unwrap();
    };
    publish(&mut store, &[("pyzor:aa", 1)]);
    publish(&mut store, &[("pyzor:aa", 3), ("pyzor:bb", 1)]);
    let active = store.active_digests().unwrap();
    assert_eq!(active.len(), 2);
    assert_eq!((active[0].samples, active[0].incident), (3, Some(1)));
    let number = store.publication("PW-1").unwrap().unwrap().number;
    let retraction = Retraction {
        name: "PW-1".to_owned(),
        at: t(9),
        by: "mk".to_owned(),
    };
    let retractions = vec![retraction.clone(), retraction];
    store
        .commit(&Commit {
            retractions,
            ..Commit::default()
        })
        .unwrap();
    assert_eq!(store.active_digests().unwrap(), []);
    assert_eq!(store.publication("PW-1").unwrap(), None);
    assert_eq!(
        store.publications().unwrap()[0].retracted_by.as_deref(),
        Some("mk")
    );
    publish(&mut store, &[("pyzor:bb", 1)]);
    assert_ne!(store.publication("PW-1").unwrap().unwrap().number, number);
    assert_eq!(store.active_digests().unwrap().len(), 1);
}

#[test]
fn names_and_what_is_over_are_forgotten_in_time() {
    let dir = TempDir::new().unwrap();
    let mut store = Store::open(&path(&dir)).unwrap();
    let name = |key, seen: Timestamp| (vec![key], "sasl:x".to_owned(), seen.micros());
    let mut commit = decision();
    commit.checkpoint.names = vec![name(1, t(0)), name(2, t(86_400))];
    store.commit(&commit).unwrap();
    assert_eq!(store.forget(t(2 * 86_400)).unwrap(), 0);
    assert_eq!(store.forget(t(2 * 86_400 + 1)).unwrap(), 1);
    assert_eq!(store.names(10).unwrap().len(), 1);
    let sent = store.claim_mail(t(0)).unwrap().unwrap();
    let ended_mails = vec![(sent.number, MailEnd::Sent { at: t(1) })];
    store
        .commit(&Commit {
            ended_mails,
            ..Commit::default()
        })
        .unwrap();
    store.forget(t(15 * 86_400)).unwrap();
    assert_eq!(store.mails(1).unwrap(), []);
}

#[test]
fn the_daemon_reports_and_others_read_while_it_writes() {
    let dir = TempDir::new().unwrap();
    let mut daemon = Store::open(&path(&dir)).unwrap();
    let reader = Store::open_read_only(&path(&dir)).unwrap();
    assert_eq!(reader.status().unwrap(), None);
    daemon.report(t(1), &json!({"lag_us": 3})).unwrap();
    daemon.report(t(2), &json!({"lag_us": 4})).unwrap();
    let status = reader.status().unwrap().unwrap();
    assert_eq!(
        (status.heartbeat, status.record),
        (t(2), json!({"lag_us": 4}))
    );
    reader.check().unwrap();
    assert!(reader.bytes().unwrap() > 0);
    let mut reader = reader;
    assert!(reader.commit(&decision()).is_err());
}
