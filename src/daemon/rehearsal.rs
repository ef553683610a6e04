//! Feeding an engine with old logs: time is that of the records, nothing is carried out, and (if asked for) a hold ends
//! after a while as if somebody had cleaned the account, so that the same account can be judged again.

use std::{collections::VecDeque, time::Duration};

use crate::{
    engine::{
        Engine, Input, Order, OrderVerb,
        effect::{Effect, VerdictChange},
    },
    policy::Verdict,
    time::Timestamp,
};

/// Who ends a hold in a rehearsal.
const REVIEWER: &str = "review";

/// One pass over old logs.
#[derive(Clone, Debug, Default)]
pub struct Rehearsal {
    /// How long an account stays on hold before it is as good as cleaned; `None`: for ever.
    review: Option<Duration>,
    /// Incidents by the time of their review, the earliest first.
    due: VecDeque<(Timestamp, u64)>,
    /// The incident opened last.
    latest: u64,
    incidents: u64,
}

impl Rehearsal {
    /// A pass in which a hold ends after `review`, or never.
    #[must_use]
    pub fn new(review: Option<Duration>) -> Self {
        Self {
            review,
            ..Self::default()
        }
    }

    /// Incidents that were opened.
    #[must_use]
    pub const fn incidents(&self) -> u64 {
        self.incidents
    }

    /// Feeds one input, and before it what was due by then; tells every change of verdict, with the
    /// number of incidents so far.
    ///
    /// # Errors
    /// As `told` has them.
    pub fn feed<E>(
        &mut self,
        engine: &mut Engine,
        at: Timestamp,
        input: Input<'_>,
        told: &mut dyn FnMut(&VerdictChange, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some((due, incident)) = self.due.front().copied().filter(|(due, _)| *due <= at) {
            self.due.pop_front();
            clean(engine, due, incident);
        }
        engine.feed(at, input);
        while let Some(effect) = engine.next_effect() {
            if let Effect::Verdict(change) = effect
                && self.counts(&change)
            {
                told(&change, self.incidents)?;
            }
        }
        Ok(())
    }

    /// Takes note of a new incident; false for the reviewer's own first step.
    fn counts(&mut self, change: &VerdictChange) -> bool {
        if change.policy == "operator" {
            return change.verdict == Verdict::Clear;
        }
        if let Some(number) = change.incident
            && change.verdict >= Verdict::Hold
            && number > self.latest
        {
            self.latest = number;
            self.incidents += 1;
            self.due
                .extend(self.review.map(|after| (change.at + after, number)));
        }
        true
    }
}

/// The account was compromised, and is its owner's again.
fn clean(engine: &mut Engine, at: Timestamp, incident: u64) {
    let release = OrderVerb::Release {
        incident,
        false_positive: false,
    };
    for verb in [OrderVerb::Confirm { incident }, release] {
        let order = Order {
            by: REVIEWER.to_owned(),
            reason: "as if cleaned".to_owned(),
            verb,
        };
        engine.feed(at, Input::Operator(order));
    }
}
