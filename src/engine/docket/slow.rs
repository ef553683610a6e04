//! Who is limited at intake, and what was put off there.
//!
//! A sender is limited while a policy that may act says `slow` or more and no enforced incident stops all of its mail. It
//! ends by itself, with the evidence.

use serde::{Deserialize, Serialize};

use crate::{
    engine::{
        allowance::{Allowance, Limit},
        docket::Docket,
    },
    ledger::SenderId,
    policy::{Judgement, Mode, Ruling, Verdict},
    time::Timestamp,
};

/// One sender that is limited at intake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// Event time from which on.
    pub since: Timestamp,
    /// The policy that said so.
    pub policy: String,
    /// What may be sent.
    pub allowance: Allowance,
    /// The clients that an envelope sender is a habit of.
    pub machines: Vec<u64>,
    /// Messages that were put off so far, as often as they were tried.
    pub put_off: u64,
    /// The last one.
    pub last: Option<Timestamp>,
}

impl Slow {
    pub(super) fn new(
        at: Timestamp,
        judgement: &Judgement,
        allowance: Allowance,
        machines: Vec<u64>,
    ) -> Self {
        Self {
            since: at,
            policy: judgement.policy.clone(),
            allowance,
            machines,
            put_off: 0,
            last: None,
        }
    }
}

impl Docket {
    /// Whether the ruling limits the sender at intake. On the path of every record.
    pub(super) fn limits(&self, sender_id: &SenderId, ruling: &Ruling) -> bool {
        ruling.verdict >= Verdict::Slow
            && self.mode == Mode::Enforce
            && (!self.kept.braked || self.is_slowed(sender_id))
            && self.enforced(sender_id).is_none()
    }

    /// Whether a sender is in the list.
    pub(super) fn is_slowed(&self, sender_id: &SenderId) -> bool {
        !self.slowed.is_empty() && self.slowed.contains_key(sender_id)
    }

    /// Puts a sender on the list, or (`None`) takes it off. Who is on it stays with what he was allowed.
    pub(super) fn slow(&mut self, sender_id: &SenderId, slow: Option<Slow>) {
        match slow {
            Some(slow) => {
                if !self.slowed.contains_key(sender_id) {
                    self.slowed.insert(sender_id.clone(), slow);
                    self.slowed_changed = true;
                }
            }
            None => self.slowed_changed |= self.slowed.remove(sender_id).is_some(),
        }
    }

    /// Whether a slowed sender's own networks have no limit yet.
    pub(in crate::engine) fn is_open_at_home(&self, sender_id: &SenderId) -> bool {
        !self.slowed.is_empty()
            && self.slowed.get(sender_id).is_some_and(|slow| {
                slow.allowance.usual.is_none() && !slow.allowance.homes.is_empty()
            })
    }

    /// Evidence came from a slowed sender's own network too: it is limited from now on.
    pub(in crate::engine) fn limit_home(&mut self, sender_id: &SenderId, limit: Option<Limit>) {
        if let Some(slow) = self.slowed.get_mut(sender_id) {
            slow.allowance.usual = limit;
            self.slowed_changed = true;
            self.picture();
        }
    }

    /// Intake put off a message of a sender.
    pub(in crate::engine) fn put_off(&mut self, sender_id: &SenderId, at: Timestamp) {
        if let Some(slow) = self.slowed.get_mut(sender_id) {
            slow.put_off += 1;
            slow.last = Some(at);
            self.slowed_changed = true;
        } else if let Some(number) = self.open.get(sender_id).copied()
            && let Some(incident) = self.incidents.get_mut(&number)
        {
            // It was put off just before the hold.
            incident.put_off += 1;
            self.changed.push(number);
        }
    }

    /// Messages of a sender that were put off since it is slowed.
    pub(super) fn put_off_of(&self, sender_id: &SenderId) -> u64 {
        self.slowed.get(sender_id).map_or(0, |slow| slow.put_off)
    }

    /// How a sender is limited at intake, if it is.
    #[must_use]
    pub fn slow_of(&self, sender_id: &SenderId) -> Option<&Slow> {
        self.slowed
            .get(sender_id)
            .filter(|_| self.mode == Mode::Enforce && self.enforced(sender_id).is_none())
    }

    /// Everybody who is limited at intake.
    pub fn slowed(&self) -> impl Iterator<Item = (&SenderId, &Slow)> {
        self.slowed
            .keys()
            .filter_map(|sender_id| Some((sender_id, self.slow_of(sender_id)?)))
    }
}
