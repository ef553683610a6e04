//! Who stands where: the verdict on each sender that is not clear, the open incidents, the brake, the published
//! digests, and what follows from a change: effects for the shell and a new picture for lookups.
//!
//! States of a sender and what holds in each:
//!
//! | state | in `standing` | open incident | lookups |
//! |---|---|---|---|
//! | clear | no | no | nothing |
//! | watch, slow | yes, reviewed every half hour | no | nothing |
//! | hold, suspend, observed | yes | yes, `mode = observe` | nothing |
//! | hold, suspend, enforced | yes | yes, `mode = enforce` | `HOLD` or `450` |
//!
//! An incident is left only through a person's order; until then its verdict can rise but not fall.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    engine::{
        Order,
        effect::{Effect, VerdictChange},
        incident::{Incident, State},
        view::{Conviction, Publication, View},
    },
    ledger::SenderId,
    policy::{Figures, Judgement, Mode, Reason, Ruling, Verdict},
    time::Timestamp,
};

/// Too many automatic holds in too short a time stop further automatic action: then a person must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// So many automatic holds ...
    pub holds: usize,
    /// ... within this span are let through; what comes after them only observes.
    pub within: Duration,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            holds: 30,
            within: Duration::from_secs(3600),
        }
    }
}

/// What counted against a sender, to be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Event time of the first refusal that counted.
    pub(super) first: Option<Timestamp>,
    /// The log lines, oldest first.
    pub(super) lines: Vec<String>,
}

/// How long a verdict below `hold` stands before it is looked at again without new evidence.
const REVIEW: Duration = Duration::from_secs(1800);

/// See the module's table.
#[derive(Debug)]
pub struct Docket {
    mode: Mode,
    brake: Brake,
    kept: Kept,
    /// The earliest review of a standing verdict.
    soonest: Timestamp,
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
    pub(super) fn new(mode: Mode, brake: Brake) -> Self {
        Self {
            mode,
            brake,
            kept: Kept {
                next: 1,
                ..Kept::default()
            },
            soonest: Timestamp::FAR_FUTURE,
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
        judgement: Judgement,
        signs: Signs,
    ) {
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
        self.picture();
    }

    /// A person wants a sender's mail held; acts in observe mode too, since a person decided.
    pub(super) fn hold_by_person(&mut self, at: Timestamp, sender_id: &SenderId, order: &Order) {
        let text = format!("{} said so: {}", order.by, order.reason);
        let judgement = Judgement {
            verdict: Verdict::Hold,
            policy: "operator".to_owned(),
            mode: Mode::Enforce,
            reasons: vec![Reason {
                signal: "operator".to_owned(),
                text,
            }],
            figures: Figures::default(),
        };
        self.stand(at, sender_id, Verdict::Hold);
        let number = match self.open.get(sender_id).copied() {
            Some(number) => {
                self.raise(at, number, &judgement, Signs::default());
                number
            }
            None => self.open(at, sender_id, &judgement, Signs::default()),
        };
        self.announce(at, sender_id, judgement, Some(number));
        self.picture();
    }

    /// Closes an incident and lets the mail go; answers whether the compromise had been confirmed.
    pub(super) fn release(
        &mut self,
        at: Timestamp,
        number: u64,
        false_positive: bool,
        order: &Order,
    ) -> bool {
        let Some(mut incident) = self.incidents.remove(&number) else {
            return false;
        };
        self.open.remove(&incident.sender_id);
        self.kept.standing.remove(&incident.sender_id);
        self.reckon();
        let confirmed = incident.state == State::Confirmed;
        if !confirmed {
            incident.state = if false_positive {
                State::FalsePositive
            } else {
                State::Released
            };
            self.retract(number);
        }
        incident.closed = Some(at);
        incident.closed_by = Some(format!("{}: {}", order.by, order.reason));
        // A person has looked: what the brake stopped may act again.
        self.kept.braked = false;
        self.kept.holds.clear();
        self.announce(
            at,
            &incident.sender_id.clone(),
            cleared(&incident, order),
            Some(number),
        );
        self.effects
            .push_back(Effect::Incident(Box::new(incident.clone())));
        if incident.mode == Mode::Enforce {
            self.effects.push_back(Effect::Release { incident: number });
        }
        self.closed.push(incident);
        self.picture();
        confirmed
    }

    /// The compromise is confirmed: new mail is refused from now on, whatever the mode was.
    pub(super) fn confirm(&mut self, at: Timestamp, number: u64, order: &Order) {
        let Some(incident) = self.incidents.get_mut(&number) else {
            return;
        };
        incident.state = State::Confirmed;
        incident.verdict = Verdict::Suspend;
        incident.mode = Mode::Enforce;
        let text = format!("{} confirmed it: {}", order.by, order.reason);
        incident.reasons.push(Reason {
            signal: "operator".to_owned(),
            text,
        });
        let (copy, sender_id) = (incident.clone(), incident.sender_id.clone());
        let judgement = Judgement {
            verdict: Verdict::Suspend,
            policy: "operator".to_owned(),
            mode: Mode::Enforce,
            reasons: copy.reasons.clone(),
            figures: copy.figures,
        };
        self.changed.push(number);
        self.announce(at, &sender_id, judgement, Some(number));
        self.effects.push_back(Effect::Incident(Box::new(copy)));
        self.picture();
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

    /// When the next verdict below `hold` is to be looked at again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        (self.soonest < Timestamp::FAR_FUTURE).then_some(self.soonest)
    }

    /// Finds the next review again; to be called whenever the standing verdicts have changed, so that the path of every
    /// record compares one number.
    fn reckon(&mut self) {
        let reviews = self.kept.standing.values().map(|standing| standing.review);
        self.soonest = reviews.min().unwrap_or(Timestamp::FAR_FUTURE);
    }

    /// A sender to be judged again by `now`, and the time that was set for it; the earliest first.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<(Timestamp, SenderId)> {
        let at = self.deadline().filter(|at| *at <= now)?;
        let (sender_id, standing) = self
            .kept
            .standing
            .iter_mut()
            .find(|(_, standing)| standing.review == at)?;
        let sender_id = sender_id.clone();
        standing.review = at + REVIEW;
        self.reckon();
        Some((at, sender_id))
    }

    pub(super) fn forget(&mut self, sender_id: &SenderId) {
        self.kept.standing.remove(sender_id);
        self.reckon();
    }

    pub(super) const fn reconfigure(&mut self, mode: Mode, brake: Brake) {
        self.mode = mode;
        self.brake = brake;
    }

    pub(super) const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// As new, with the same mode and brake.
    pub(super) fn acquit_all(&mut self) {
        *self = Self::new(self.mode, self.brake);
    }

    /// Incidents that changed since the last call, closed ones included.
    pub(super) fn take_changed(&mut self) -> Vec<Incident> {
        let mut numbers = std::mem::take(&mut self.changed);
        numbers.sort_unstable();
        numbers.dedup();
        let open = numbers
            .iter()
            .filter_map(|number| self.incidents.get(number).cloned());
        open.chain(std::mem::take(&mut self.closed)).collect()
    }

    pub(super) fn restore(&mut self, kept: Option<Kept>, incidents: Vec<Incident>) {
        if let Some(kept) = kept {
            self.kept = kept;
            self.reckon();
        }
        for incident in incidents {
            self.kept.next = self.kept.next.max(incident.number + 1);
            if incident.closed.is_none() {
                self.open
                    .insert(incident.sender_id.clone(), incident.number);
                self.incidents.insert(incident.number, incident);
            }
        }
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

    fn stand(&mut self, at: Timestamp, sender_id: &SenderId, verdict: Verdict) {
        if verdict == Verdict::Clear {
            return self.forget(sender_id);
        }
        let review = if verdict >= Verdict::Hold {
            Timestamp::FAR_FUTURE
        } else {
            at + REVIEW
        };
        self.kept
            .standing
            .insert(sender_id.clone(), Standing { verdict, review });
        self.reckon();
    }

    fn enforced(&self, sender_id: &SenderId) -> Option<u64> {
        self.incident_of(sender_id)
            .filter(|incident| incident.mode == Mode::Enforce)
            .map(|incident| incident.number)
    }

    fn effective(&self, mode: Mode) -> Mode {
        if self.mode == Mode::Enforce {
            mode
        } else {
            Mode::Observe
        }
    }

    /// Whether the brake stops an automatic hold now; pulls it where the limit is reached.
    fn brakes(&mut self, at: Timestamp) -> bool {
        while self
            .kept
            .holds
            .front()
            .is_some_and(|first| at.since(*first) > self.brake.within)
        {
            self.kept.holds.pop_front();
        }
        if !self.kept.braked && self.kept.holds.len() >= self.brake.holds {
            self.kept.braked = true;
            self.effects.push_back(Effect::Brake {
                at,
                holds: self.kept.holds.len(),
            });
        }
        self.kept.braked
    }

    fn brake_reason(&self) -> Reason {
        let text = format!(
            "not enforced: the brake is on after {} automatic holds within {} minutes; a person must look",
            self.brake.holds,
            self.brake.within.as_secs() / 60
        );
        Reason {
            signal: "brake".to_owned(),
            text,
        }
    }

    /// Draws the picture that lookups see. The one place that turns an incident into an answer.
    fn picture(&mut self) {
        let mut view = View::default();
        for incident in self
            .incidents
            .values()
            .filter(|incident| incident.mode == Mode::Enforce)
        {
            let conviction = Conviction {
                incident: incident.number,
                verdict: incident.verdict,
            };
            match &incident.sender_id {
                SenderId::Sasl(login) => {
                    view.logins.insert(login.to_lowercase(), conviction);
                }
                SenderId::From(sender) => {
                    view.senders.insert(sender.to_lowercase(), conviction);
                }
                SenderId::Ip(address) => {
                    view.clients.insert(*address, conviction);
                }
                // Mail of a local user comes in by pickup, which asks nobody: it is swept from the queue.
                SenderId::Uid(_) => {}
            }
        }
        let digests = self.kept.digests.iter();
        view.digests = digests
            .map(|(digest, incident)| {
                (
                    digest.clone(),
                    Publication {
                        incident: *incident,
                    },
                )
            })
            .collect();
        if *self.view != view {
            self.view = Arc::new(view);
        }
    }
}

fn cleared(incident: &Incident, order: &Order) -> Judgement {
    Judgement {
        verdict: Verdict::Clear,
        policy: "operator".to_owned(),
        mode: incident.mode,
        reasons: vec![Reason {
            signal: "operator".to_owned(),
            text: format!("{} released it: {}", order.by, order.reason),
        }],
        figures: incident.figures,
    }
}
