mod filter;

use std::time::Duration;

use super::*;
use crate::{
    engine::{effect::VerdictChange, incident::State},
    ledger::network::Geo,
    policy::Verdict,
    postfix::log_record::{Reader, Reading},
    time::Zone,
};

/// An engine in `mode` with the shipped rules, and the log that it reads.
struct World {
    engine: Engine,
    reader: Reader,
    clock: i64,
    serial: u64,
}

fn setup(mode: Mode) -> Setup {
    Setup {
        mode,
        policies: Policies::shipped(),
        classifier: Classifier::shipped().unwrap(),
        ledger: ledger::Setup {
            geo: Geo::by_prefix(),
            persistent: true,
            ..ledger::Setup::default()
        },
        correlate: correlate::Limits::default(),
        brake: Brake::default(),
    }
}

impl World {
    fn new(mode: Mode) -> Self {
        Self {
            engine: Engine::new(setup(mode)),
            reader: reader(),
            clock: 1_790_000_000,
            serial: 0,
        }
    }

    fn line(&mut self, daemon: &str, text: &str) {
        let at = Timestamp::from_seconds(self.clock);
        let line = format!("{at} relay1 postfix/{daemon}[77]: {text}");
        let Reading::Record(record) = self.reader.read(line.as_bytes()) else {
            panic!("{line}")
        };
        self.engine.feed(
            record.at,
            Input::Record {
                record: &record,
                line: line.as_bytes(),
            },
        );
    }

    /// One message of `login` to one recipient, and what the remote side says.
    fn mail(&mut self, login: &str, client: &str, verdict: &str) -> String {
        self.clock += 1;
        self.serial += 1;
        let id = format!("{:010X}", 0xA0_0000_0000_u64 + self.serial);
        let n = self.serial;
        let domain = n % 7;
        self.line(
            "submission/smtpd",
            &format!("{id}: client=c[{client}], sasl_method=PLAIN, sasl_username={login}"),
        );
        self.line("cleanup", &format!("{id}: message-id=<{n}@c.example>"));
        self.line(
            "qmgr",
            &format!("{id}: from=<{login}>, size=900, nrcpt=1 (queue active)"),
        );
        self.line(
            "smtp",
            &format!("{id}: to=<r{n}@d{domain}.example>, relay=mx.d{domain}.example[198.51.100.{domain}]:25, delay=1, delays=0/0/0/1, {verdict}"),
        );
        self.line("qmgr", &format!("{id}: removed"));
        id
    }

    /// A message that stays in the queue.
    fn submit(&mut self, login: &str, client: &str, n: u64) {
        let id = format!("{:010X}", 0xB0_0000_0000_u64 + n);
        self.line(
            "submission/smtpd",
            &format!("{id}: client=c[{client}], sasl_method=PLAIN, sasl_username={login}"),
        );
        self.line(
            "qmgr",
            &format!("{id}: from=<{login}>, size=900, nrcpt=1 (queue active)"),
        );
    }

    fn answer(&mut self, n: u64, verdict: &str) {
        let id = format!("{:010X}", 0xB0_0000_0000_u64 + n);
        let to = format!(
            "{id}: to=<q{n}@d1.example>, relay=mx.d1.example[198.51.100.1]:25, delay=9, delays=0/0/0/9"
        );
        self.line("smtp", &format!("{to}, {verdict}"));
    }

    /// Phishing to a bad list: half of it is refused, for its content or for want of a recipient.
    fn attack(&mut self, login: &str) {
        for n in 0..120 {
            self.mail(login, "203.0.113.9", PHISHING[n % 4]);
        }
    }

    fn verdicts(&mut self) -> Vec<VerdictChange> {
        std::iter::from_fn(|| self.engine.next_effect())
            .filter_map(|effect| match effect {
                Effect::Verdict(change) => Some(*change),
                _ => None,
            })
            .collect()
    }

    fn order(&mut self, verb: OrderVerb) {
        let order = Order {
            by: "anna".to_owned(),
            reason: "because".to_owned(),
            verb,
        };
        self.engine
            .feed(Timestamp::from_seconds(self.clock), Input::Operator(order));
    }
}

fn reader() -> Reader {
    Reader::new(Zone::utc(), Timestamp::from_seconds(1_800_000_000))
}

const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 12345678)";
const REFUSED: &str = "dsn=5.1.1, status=bounced (host mx.example[198.51.100.1] said: 550 5.1.1 <x@y.example>: Recipient address rejected: User unknown (in reply to RCPT TO command))";

const SPAM: &str = "dsn=5.7.1, status=bounced (host mx.example[198.51.100.1] said: 554 5.7.1 Spam message rejected (in reply to end of DATA command))";

const PHISHING: [&str; 4] = [SENT, REFUSED, SENT, SPAM];

fn thief() -> SenderId {
    "sasl:thief@example.org".parse().unwrap()
}

#[test]
fn a_flood_of_refusals_opens_one_incident_that_lookups_see() {
    let mut world = World::new(Mode::Enforce);
    world.attack("thief@example.org");
    let holds: Vec<VerdictChange> = world
        .verdicts()
        .into_iter()
        .filter(|change| change.verdict == Verdict::Hold)
        .collect();
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].sender_id, thief());
    assert_eq!(holds[0].incident, Some(1));
    let view = world.engine.view();
    assert_eq!(
        view.abused("Thief@Example.org").as_deref(),
        Some("HOLD incident 1")
    );
    assert_eq!(
        view.intake("thief@example.org", "boss@example.org", None)
            .as_deref(),
        Some("HOLD incident 1")
    );
    assert_eq!(
        view.intake("anna@example.org", "thief@example.org", None),
        None
    );
    let incident = world.engine.incident(1).unwrap();
    assert!(
        !incident.lines.is_empty()
            && incident
                .lines
                .iter()
                .all(|line| line.contains("status=bounced"))
    );
}

#[test]
fn observing_decides_the_same_and_shows_lookups_nothing() {
    let (mut observing, mut acting) = (World::new(Mode::Observe), World::new(Mode::Enforce));
    observing.attack("thief@example.org");
    acting.attack("thief@example.org");
    let (seen, acted) = (observing.verdicts(), acting.verdicts());
    assert_eq!(seen.len(), acted.len());
    for (a, b) in seen.iter().zip(&acted) {
        assert_eq!(
            (a.at, &a.sender_id, a.verdict, &a.policy, a.incident),
            (b.at, &b.sender_id, b.verdict, &b.policy, b.incident)
        );
        assert_eq!(a.mode, Mode::Observe);
    }
    assert_eq!(*observing.engine.view(), View::default());
}

#[test]
fn a_convicted_senders_new_mail_is_to_be_stopped() {
    let mut world = World::new(Mode::Enforce);
    world.attack("thief@example.org");
    world.verdicts();
    let id = world.mail("thief@example.org", "203.0.113.9", SENT);
    world.mail("anna@example.org", "192.0.2.1", SENT);
    let stops: Vec<Effect> = std::iter::from_fn(|| world.engine.next_effect())
        .filter(|effect| matches!(effect, Effect::Stop { .. }))
        .collect();
    assert_eq!(
        stops,
        [Effect::Stop {
            incident: 1,
            queue_id: id
        }]
    );
    assert!(world.engine.incident(1).unwrap().accepted_after > 0);
}

#[test]
fn a_release_clears_the_sender_for_the_same_evidence() {
    let mut world = World::new(Mode::Enforce);
    world.attack("thief@example.org");
    world.verdicts();
    world.order(OrderVerb::Release {
        incident: 1,
        false_positive: true,
    });
    let effects: Vec<Effect> = std::iter::from_fn(|| world.engine.next_effect()).collect();
    assert!(effects.contains(&Effect::Release { incident: 1 }));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Incident(incident) if incident.state == State::FalsePositive)));
    assert_eq!(*world.engine.view(), View::default());
    world.mail("thief@example.org", "203.0.113.9", REFUSED);
    assert!(
        world
            .verdicts()
            .iter()
            .all(|change| change.verdict < Verdict::Hold)
    );
}

#[test]
fn mail_that_a_person_let_go_is_no_new_evidence() {
    let mut world = World::new(Mode::Enforce);
    for n in 0..40 {
        world.submit("thief@example.org", "203.0.113.9", n);
    }
    world.attack("thief@example.org");
    world.verdicts();
    world.order(OrderVerb::Release {
        incident: 1,
        false_positive: false,
    });
    world.verdicts();
    for n in 0..40 {
        world.answer(n, REFUSED);
    }
    assert_eq!(world.verdicts(), []);
    world.attack("thief@example.org");
    assert!(
        world
            .verdicts()
            .iter()
            .any(|change| change.verdict == Verdict::Hold),
        "new mail counts again"
    );
}

#[test]
fn confirming_refuses_new_mail_and_a_person_can_hold_in_observe_mode() {
    let mut world = World::new(Mode::Observe);
    world.order(OrderVerb::Hold(thief()));
    assert_eq!(
        world.engine.view().abused("thief@example.org").as_deref(),
        Some("HOLD incident 1")
    );
    world.order(OrderVerb::Confirm { incident: 1 });
    assert_eq!(
        world.engine.view().abused("thief@example.org").as_deref(),
        Some("450 4.7.1 abused, incident 1")
    );
}

#[test]
fn published_digests_are_seen_until_they_are_retracted_or_the_incident_was_none() {
    let mut world = World::new(Mode::Enforce);
    world.order(OrderVerb::Hold(thief()));
    let digests = vec!["pyzor:0123".to_owned()];
    world.engine.feed(
        Timestamp::from_seconds(world.clock),
        Input::Published {
            incident: 1,
            digests,
        },
    );
    assert_eq!(
        world.engine.view().digest("pyzor:0123").as_deref(),
        Some("REJECT 5.7.1 content refused, incident 1")
    );
    world.order(OrderVerb::Release {
        incident: 1,
        false_positive: false,
    });
    assert_eq!(world.engine.view().digest("pyzor:0123"), None);
}

#[test]
fn the_brake_lets_only_so_many_automatic_holds_through() {
    let mut world = World::new(Mode::Enforce);
    let brake = Brake {
        holds: 2,
        within: Duration::from_secs(86_400),
    };
    world.engine.reconfigure(
        Mode::Enforce,
        Policies::shipped(),
        Classifier::shipped().unwrap(),
        brake,
    );
    for n in 0..3 {
        world.attack(&format!("thief{n}@example.org"));
    }
    let modes: Vec<Mode> = world
        .engine
        .docket()
        .incidents()
        .map(|incident| incident.mode)
        .collect();
    assert_eq!(modes, [Mode::Enforce, Mode::Enforce, Mode::Observe]);
    assert!(world.engine.docket().braked());
    assert!(world.engine.view().abused("thief2@example.org").is_none());
    world.order(OrderVerb::Release {
        incident: 1,
        false_positive: false,
    });
    assert!(!world.engine.docket().braked());
}

#[test]
fn an_engine_restored_at_any_point_decides_what_it_would_have_decided() {
    let mut whole = World::new(Mode::Enforce);
    for n in 0..30 {
        whole.mail(&format!("u{}@example.org", n % 5), "192.0.2.7", SENT);
    }
    whole.attack("thief@example.org");
    let wanted = whole.verdicts();
    for cut in [3, 17, 31, 44, 60] {
        let mut world = World::new(Mode::Enforce);
        let mut saved = Checkpoint::default();
        let mut found = Vec::new();
        for n in 0..150 {
            if n == cut {
                merge(&mut saved, world.engine.checkpoint());
                let incidents = world.engine.take_changed_incidents();
                found.extend(world.verdicts());
                world.engine =
                    Engine::restore(setup(Mode::Enforce), saved.clone(), incidents).unwrap();
                assert_eq!(world.engine.damaged(), 0);
            }
            if n < 30 {
                world.mail(&format!("u{}@example.org", n % 5), "192.0.2.7", SENT);
            } else {
                world.mail("thief@example.org", "203.0.113.9", PHISHING[(n - 30) % 4]);
            }
        }
        found.extend(world.verdicts());
        assert_eq!(found, wanted, "cut at {cut}");
    }
}

fn merge(saved: &mut Checkpoint, more: Checkpoint) {
    saved.senders.extend(more.senders);
    saved.messages.extend(more.messages);
    saved.parts.extend(more.parts);
    saved.names.extend(more.names);
}

mod attacker;
mod slow;
