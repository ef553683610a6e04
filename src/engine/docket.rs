//! Who stands where: the verdict on each sender that is not clear, the open incidents, the brake, the published
//! digests, and what follows from a change: effects for the shell and a new picture for lookups.
//!
//! States of a sender and what holds in each:
//!
//! | state | in `standing` | open incident | lookups |
//! |---|---|---|---|
//! | clear | no | no | nothing |
//! | watch | yes, reviewed every half hour | no | nothing |
//! | slow, observed | the same | no | nothing |
//! | slow, enforced | the same, and in `slowed` | no | what is over the allowance: `450`, to come again |
//! | hold, suspend, observed | yes | yes, `mode = observe` | nothing |
//! | hold, suspend, enforced | yes | yes, `mode = enforce` | `HOLD` or `450` |
//!
//! An incident is left only through a person's order; until then its verdict can rise but not fall.

mod brake;
mod orders;
mod picture;
mod reviews;
mod saved;
mod slow;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    engine::{
        allowance::Allowance,
        effect::{Effect, VerdictChange},
        incident::{Incident, State},
        view::{Places, View},
    },
    ledger::{SenderId, network::Geo},
    policy::{Judgement, Mode, Ruling, Verdict},
    time::Timestamp,
};

pub use self::{brake::Brake, slow::Slow};

/// What is known of a sender besides the judgement: what counted, to be shown, and what acting on it needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Signs {
    /// Event time of the first refusal that counted.
    pub(super) first: Option<Timestamp>,
    /// The log lines, oldest first.
    pub(super) lines: Vec<String>,
    /// The clients that an envelope sender is a habit of; of any other sender none.
    pub(super) machines: Vec<u64>,
    /// What the sender may send while slowed.
    pub(super) allowance: Option<Allowance>,
}

/// See the module's table.
#[derive(Debug)]
pub struct Docket {
    mode: Mode,
    brake: Brake,
    kept: Kept,
    /// The earliest review of a standing verdict.
    soonest: Timestamp,
    /// Senders that are limited at intake.
    slowed: BTreeMap<SenderId, Slow>,
    slowed_changed: bool,
    /// From client addresses to networks.
    places: Places,
    /// Open incidents by number.
    incidents: BTreeMap<u64, Incident>,
    /// Their numbers by sender.
    open: HashMap<SenderId, u64>,
    /// Numbers of incidents that changed since the last checkpoint.
    changed: Vec<u64>,
    /// Incidents that were closed since the last checkpoint.
    closed: Vec<Incident>,
    effects: VecDeque<Effect>,
    view: Arc<View>,
}

/// The part that is written down with every checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    next: u64,
    standing: BTreeMap<SenderId, Standing>,
    /// Event times of the automatic holds within the brake's span.
    holds: VecDeque<Timestamp>,
    braked: bool,
    digests: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Standing {
    verdict: Verdict,
    review: Timestamp,
}

impl Docket {
    pub(super) fn new(mode: Mode, brake: Brake, geo: Geo) -> Self {
        Self {
            mode,
            brake,
            kept: Kept {
                next: 1,
                ..Kept::default()
            },
            soonest: Timestamp::FAR_FUTURE,
            slowed: BTreeMap::new(),
            slowed_changed: false,
            places: Places(geo),
            incidents: BTreeMap::new(),
            open: HashMap::new(),
            changed: Vec::new(),
            closed: Vec::new(),
            effects: VecDeque::new(),
            view: Arc::default(),
        }
    }

    /// Whether the ruling says something new about the sender. On the path of every record: no allocation.
    pub(super) fn changes(&self, sender_id: &SenderId, ruling: &Ruling) -> bool {
        self.is_news(sender_id, ruling)
            || self.limits(sender_id, ruling) != self.is_slowed(sender_id)
    }

    /// Whether it changes the verdict on record, or what is done about it.
    fn is_news(&self, sender_id: &SenderId, ruling: &Ruling) -> bool {
        let (verdict, _, _) = ruling.highest();
        if let Some(incident) = self.incident_of(sender_id) {
            let arms = ruling.verdict >= Verdict::Hold
                && incident.mode == Mode::Observe
                && self.mode == Mode::Enforce
                && !self.kept.braked;
            return verdict > incident.verdict || arms;
        }
        self.verdict(sender_id) != verdict
    }

    /// Takes a judgement that [`Docket::changes`] found new.
    pub(super) fn rule(
        &mut self,
        at: Timestamp,
        sender_id: &SenderId,
        ruling: &Ruling,
        judgement: Judgement,
        signs: Signs,
    ) {
        let slow = signs
            .allowance
            .clone()
            .map(|allowance| Slow::new(at, &judgement, allowance, signs.machines.clone()));
        if self.is_news(sender_id, ruling) {
            self.news(at, sender_id, judgement, signs);
        }
        let slow = slow.filter(|_| self.limits(sender_id, ruling));
        self.slow(sender_id, slow);
        self.picture();
    }

    fn news(&mut self, at: Timestamp, sender_id: &SenderId, judgement: Judgement, signs: Signs) {
        let mut judgement = judgement;
        let mut mode = self.effective(judgement.mode);
        if judgement.verdict >= Verdict::Hold && mode == Mode::Enforce && self.brakes(at) {
            mode = Mode::Observe;
            judgement.reasons.push(self.brake_reason());
        }
        judgement.mode = mode;
        self.stand(at, sender_id, judgement.verdict);
        let incident = match self.open.get(sender_id).copied() {
            Some(number) => {
                self.raise(at, number, &judgement, signs);
                Some(number)
            }
            None if judgement.verdict >= Verdict::Hold => {
                Some(self.open(at, sender_id, &judgement, signs))
            }
            None => None,
        };
        self.announce(at, sender_id, judgement, incident);
    }

    /// A new message of a sender: one that is convicted must not get away because no lookup stopped it at intake.
    pub(super) fn submitted(&mut self, sender_id: &SenderId, queue_id: &str) {
        if let Some(incident) = self.enforced(sender_id) {
            self.effects.push_back(Effect::Stop {
                incident,
                queue_id: queue_id.to_owned(),
            });
        }
    }

    /// A message of a sender was put on hold.
    pub(super) fn held(&mut self, sender_id: &SenderId, queue_id: &str, at: Timestamp) {
        if let Some(incident) = self.enforced(sender_id) {
            self.effects.push_back(Effect::Held {
                incident,
                queue_id: queue_id.to_owned(),
                at,
            });
        }
    }

    /// A remote side accepted mail of a sender.
    pub(super) fn accepted(&mut self, sender_id: &SenderId, at: Timestamp) {
        if self.open.is_empty() {
            return;
        }
        let Some(number) = self.open.get(sender_id).copied() else {
            return;
        };
        if let Some(incident) = self
            .incidents
            .get_mut(&number)
            .filter(|incident| at >= incident.opened)
        {
            incident.accepted_after += 1;
            self.changed.push(number);
        }
    }

    pub(super) fn publish(&mut self, incident: u64, digests: Vec<String>) {
        self.kept
            .digests
            .extend(digests.into_iter().map(|digest| (digest, incident)));
        self.picture();
    }

    pub(super) fn retract(&mut self, incident: u64) {
        self.kept.digests.retain(|_, of| *of != incident);
        self.picture();
    }

    pub(super) fn weather(&mut self, at: Timestamp, name: String, text: String, began: bool) {
        self.effects.push_back(Effect::Weather {
            at,
            name,
            text,
            began,
        });
    }

    pub(super) fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    pub(super) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// The open incident of that number.
    #[must_use]
    pub fn incident(&self, number: u64) -> Option<&Incident> {
        self.incidents.get(&number)
    }

    /// The open incident of a sender.
    #[must_use]
    pub fn incident_of(&self, sender_id: &SenderId) -> Option<&Incident> {
        if self.open.is_empty() {
            return None;
        }
        self.incidents.get(self.open.get(sender_id)?)
    }

    /// All open incidents, the oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values()
    }

    /// True while the brake is on.
    #[must_use]
    pub const fn braked(&self) -> bool {
        self.kept.braked
    }

    /// The verdict that stands on a sender.
    #[must_use]
    pub fn verdict(&self, sender_id: &SenderId) -> Verdict {
        self.kept
            .standing
            .get(sender_id)
            .map_or(Verdict::Clear, |standing| standing.verdict)
    }

    pub(super) fn reconfigure(&mut self, mode: Mode, brake: Brake) {
        self.mode = mode;
        self.brake = brake;
        self.picture();
    }

    fn open(
        &mut self,
        at: Timestamp,
        sender_id: &SenderId,
        judgement: &Judgement,
        signs: Signs,
    ) -> u64 {
        let number = self.kept.next;
        self.kept.next += 1;
        let incident = Incident {
            number,
            sender_id: sender_id.clone(),
            state: State::Open,
            verdict: judgement.verdict,
            mode: judgement.mode,
            policy: judgement.policy.clone(),
            reasons: judgement.reasons.clone(),
            figures: judgement.figures,
            opened: at,
            first_sign: signs.first,
            accepted_after: 0,
            put_off: self.put_off_of(sender_id),
            machines: signs.machines,
            lines: signs.lines,
            closed: None,
            closed_by: None,
        };
        if incident.mode == Mode::Enforce && incident.policy != "operator" {
            self.kept.holds.push_back(at);
        }
        self.open.insert(sender_id.clone(), number);
        self.incidents.insert(number, incident.clone());
        self.changed.push(number);
        self.effects.push_back(Effect::Incident(Box::new(incident)));
        number
    }

    fn raise(&mut self, at: Timestamp, number: u64, judgement: &Judgement, signs: Signs) {
        let Some(incident) = self.incidents.get_mut(&number) else {
            return;
        };
        let arms = incident.mode == Mode::Observe && judgement.mode == Mode::Enforce;
        if !signs.machines.is_empty() {
            incident.machines = signs.machines;
        }
        incident.verdict = incident.verdict.max(judgement.verdict);
        if arms {
            incident.mode = Mode::Enforce;
            self.kept.holds.push_back(at);
        }
        incident.reasons.clone_from(&judgement.reasons);
        if !signs.lines.is_empty() {
            incident.lines = signs.lines;
        }
        let copy = incident.clone();
        self.changed.push(number);
        self.effects.push_back(Effect::Incident(Box::new(copy)));
    }

    fn announce(
        &mut self,
        at: Timestamp,
        sender_id: &SenderId,
        judgement: Judgement,
        incident: Option<u64>,
    ) {
        let Judgement {
            verdict,
            policy,
            mode,
            reasons,
            figures,
        } = judgement;
        let sender_id = sender_id.clone();
        let change = VerdictChange {
            at,
            sender_id,
            verdict,
            incident,
            policy,
            mode,
            reasons,
            figures,
        };
        self.effects.push_back(Effect::Verdict(Box::new(change)));
    }

    fn enforced(&self, sender_id: &SenderId) -> Option<u64> {
        self.incident_of(sender_id)
            .filter(|incident| incident.mode == Mode::Enforce)
            .map(|incident| incident.number)
    }
}
