//! Specimens of a policy: what it must fire on and what it must not, run by `check`.

use std::{fmt, time::Duration};

use crate::{
    classify::BounceClass,
    correlate::{Attempt, MessageKey, Origin},
    ledger::{Ledger, SenderIndex, Setup, class::Class},
    policy::{
        Policies, Rule,
        layers::{Override, Place, Scope},
        score,
    },
    postfix::record::{Relay, Status},
    time::Timestamp,
};

/// So many answers of a class (`None`: accepted).
pub type Answers = (u32, Option<BounceClass>);

/// One specimen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it is.
    pub name: String,
    /// True when the policy must fire on it.
    pub fires: bool,
    /// What kind of sender it is.
    pub class: Class,
    /// What the sender had over the past twenty days, spread evenly.
    pub usual: Vec<Answers>,
    /// What it has within the last half hour.
    pub now: Vec<Answers>,
    /// True when that comes from a network where the sender never was.
    pub new_network: bool,
    /// Messages that are put off at intake after that.
    pub put_off: u32,
    /// What each of twelve other senders has at the same place at the same time.
    pub others: Vec<Answers>,
}

/// A specimen on which a policy was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the policy, or the override that the specimen belongs to, stands.
    pub place: Place,
    /// The policy.
    pub policy: String,
    /// The specimen.
    pub case: String,
    /// What it should have done.
    pub fires: bool,
    /// True when the policy by itself does right, and only what is laid over it makes the difference: the site wants
    /// it so, and should know.
    pub overridden: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            policy,
            case,
            ..
        } = self;
        match (self.fires, self.overridden) {
            (true, false) => write!(f, "{place}: {policy} does not fire on: {case}"),
            (false, false) => write!(f, "{place}: {policy} must not fire on: {case}"),
            (true, true) => write!(
                f,
                "with the overrides in force {policy} no longer fires on: {case}"
            ),
            (false, true) => write!(f, "with the overrides in force {policy} fires on: {case}"),
        }
    }
}

/// Runs every specimen: those of a policy against the policy by itself, and where something is laid over it, as that
/// makes it; those of an override against what it makes of the policies that it names.
pub(super) fn run(policies: &Policies) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (policy, number) in policies.policies.iter().zip(0u16..) {
        for case in &policy.cases {
            let failure = |overridden| Failure {
                place: policy.place.clone(),
                policy: policy.name.clone(),
                case: case.name.clone(),
                fires: case.fires,
                overridden,
            };
            let rules = policies.layers.rules(case.class);
            let in_force = rules.get(usize::from(number)).copied();
            if !holds(policy.rule, case) {
                failures.push(failure(false));
            } else if in_force.is_some_and(|rule| rule != policy.rule && !holds(rule, case)) {
                failures.push(failure(true));
            }
        }
    }
    for over in &policies.layers.overrides {
        failures.extend(of_override(policies, over));
    }
    failures
}

fn of_override(policies: &Policies, over: &Override) -> Vec<Failure> {
    let mut failures = Vec::new();
    for number in &over.policies {
        for case in &over.cases {
            let class = match over.scope {
                Scope::Class(class) => class,
                Scope::Site | Scope::Senders(_) => case.class,
            };
            let rules = policies.layers.rules(class);
            let Some(mut rule) = rules.get(usize::from(*number)).copied() else {
                continue;
            };
            over.change(&mut rule, *number);
            if !holds(rule, case) {
                failures.push(Failure {
                    place: over.place.clone(),
                    policy: policies.name(*number).to_owned(),
                    case: case.name.clone(),
                    fires: case.fires,
                    overridden: false,
                });
            }
        }
    }
    failures
}

/// Reads `"12 user_unknown"`.
pub(super) fn parse_answers(text: &str) -> Option<Answers> {
    use serde::de::IntoDeserializer as _;
    let (number, class) = text.split_once(' ')?;
    let number = number.parse().ok()?;
    let class = class.trim();
    if class == "sent" {
        return Some((number, None));
    }
    let deserializer: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        class.into_deserializer();
    let class = serde::Deserialize::deserialize(deserializer).ok()?;
    Some((number, Some(class)))
}

/// Plays a specimen to a rule alone.
fn holds(rule: Rule, case: &Case) -> bool {
    let mut stage = Stage::new();
    let begin = stage.now;
    for colleague in 0..12 {
        let login = format!("colleague{colleague}@example.org");
        stage.play(&login, "192.0.2.1", &[(40, None)], 20 * 86_400);
        stage.now = begin;
    }
    stage.play("anna@example.org", "192.0.2.1", &case.usual, 20 * 86_400);
    stage.now = Timestamp::from_seconds(1_772_409_600 + 21 * 86_400 + 10 * 3600);
    let mut fired = false;
    if !case.others.is_empty() {
        for other in 0..12 {
            stage.play(
                &format!("colleague{other}@example.org"),
                "192.0.2.1",
                &case.others,
                300,
            );
            stage.now = stage.now - Duration::from_secs(300);
        }
    }
    stage.rule = Some(rule);
    let client = if case.new_network {
        "203.0.113.1"
    } else {
        "192.0.2.1"
    };
    stage.play("anna@example.org", client, &case.now, 1800);
    stage.put_off("anna@example.org", client, case.put_off);
    fired |= stage.fired;
    fired == case.fires
}

struct Stage {
    ledger: Ledger,
    now: Timestamp,
    next: u64,
    rule: Option<Rule>,
    fired: bool,
}

impl Stage {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(Setup::default()),
            now: Timestamp::from_seconds(1_772_409_600),
            next: 0,
            rule: None,
            fired: false,
        }
    }

    /// Spreads answers evenly over a span, well mixed.
    fn play(&mut self, login: &str, client: &str, answers: &[Answers], span: u64) {
        let total: u32 = answers.iter().map(|(number, _)| number).sum();
        if total == 0 {
            return;
        }
        let step = Duration::from_micros(span * 1_000_000 / u64::from(total));
        let origin = Origin {
            login: Some(login.into()),
            sender: Some(login.into()),
            client_address: client.parse().ok(),
            ..Origin::default()
        };
        let mut due: Vec<f64> = answers.iter().map(|_| 0.0).collect();
        for _ in 0..total {
            // The class that is most behind its share comes next.
            for ((number, _), due) in answers.iter().zip(&mut due) {
                *due += f64::from(*number) / f64::from(total);
            }
            let next = due
                .iter()
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(b.1))
                .map(|(position, _)| position);
            let Some(position) = next else { return };
            if let Some(due) = due.get_mut(position) {
                *due -= 1.0;
            }
            let class = answers.get(position).and_then(|(_, class)| *class);
            self.one(&origin, class);
            self.now = self.now + step;
        }
    }

    /// So many messages of a login are put off, one a second.
    fn put_off(&mut self, login: &str, client: &str, messages: u32) {
        let origin = Origin {
            login: Some(login.into()),
            client_address: client.parse().ok(),
            ..Origin::default()
        };
        for _ in 0..messages {
            let sender = self.ledger.put_off(self.now, (&origin).into());
            self.judge(sender);
            self.now = self.now + Duration::from_secs(1);
        }
    }

    fn one(&mut self, origin: &Origin, class: Option<BounceClass>) {
        self.next += 1;
        let message = MessageKey(self.next);
        let sender = self.ledger.submission(self.now, message, origin, 1, 2000);
        self.judge(sender);
        let recipient = format!("r{}@example.com", self.next);
        let host = format!(
            "mx{}.example",
            if class.is_some() { 1 } else { self.next % 9 }
        );
        let attempt = Attempt {
            message,
            queue_id: "",
            at: self.now + Duration::from_secs(1),
            origin,
            recipient: &recipient,
            orig_to: None,
            relay: Some(Relay {
                host: &host,
                address: "",
                port: Some(25),
            }),
            remote: true,
            dsn: "",
            status: match class {
                None => Status::Sent,
                Some(class) if is_temporary(class) => Status::Deferred,
                Some(_) => Status::Bounced,
            },
            reply: None,
            stage: None,
            text: "",
        };
        let sender = self.ledger.attempt(&attempt, class);
        self.judge(sender);
        if attempt.status != Status::Deferred {
            self.ledger.end(attempt.at, message);
        }
    }

    fn judge(&mut self, sender: Option<SenderIndex>) {
        let (Some(rule), Some(sender)) = (self.rule, sender) else {
            return;
        };
        let found = rule
            .scores()
            .then(|| score::assess(&mut self.ledger, sender, self.now))
            .flatten();
        if let Some(entry) = self.ledger.sender(sender) {
            self.fired |= rule.enabled && rule.fires(&self.ledger, entry, found.as_ref(), self.now);
        }
    }
}

/// Classes that a specimen means as 4yz answers.
const fn is_temporary(class: BounceClass) -> bool {
    use BounceClass as C;
    matches!(
        class,
        C::RateSender
            | C::RateUnsolicited
            | C::RateRcpt
            | C::RateHost
            | C::Greylist
            | C::RemoteTemp
            | C::Network
    )
}
