//! When standing verdicts are looked at again without new evidence.

use std::time::Duration;

use crate::{
    engine::docket::{Docket, Standing},
    ledger::SenderId,
    policy::Verdict,
    time::Timestamp,
};

/// How long a verdict below `hold` stands before it is looked at again without new evidence.
const REVIEW: Duration = Duration::from_secs(1800);

impl Docket {
    /// When the next verdict below `hold` is to be looked at again.
    pub(in crate::engine) fn deadline(&self) -> Option<Timestamp> {
        (self.soonest < Timestamp::FAR_FUTURE).then_some(self.soonest)
    }

    /// Finds the next review again; to be called whenever the standing verdicts have changed, so that the path of every
    /// record compares one number.
    pub(super) fn reckon(&mut self) {
        let reviews = self.kept.standing.values().map(|standing| standing.review);
        self.soonest = reviews.min().unwrap_or(Timestamp::FAR_FUTURE);
    }

    /// A sender to be judged again by `now`, and the time that was set for it; the earliest first.
    pub(in crate::engine) fn due(&mut self, now: Timestamp) -> Option<(Timestamp, SenderId)> {
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

    pub(in crate::engine) fn forget(&mut self, sender_id: &SenderId) {
        self.kept.standing.remove(sender_id);
        self.reckon();
    }

    /// Writes down the verdict that stands.
    pub(super) fn stand(&mut self, at: Timestamp, sender_id: &SenderId, verdict: Verdict) {
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
}
