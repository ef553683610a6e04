//! The worst moment of one sender in a replayed log, to be explained: when it was held, or else when it was nearest.

use std::io::Write;

use crate::{
    cli::{explain, wording::moment},
    engine::Engine,
    ledger::SenderId,
    policy::{Explanation, Verdict},
    time::Timestamp,
};

/// Whom to watch, and the worst that was seen of it.
#[derive(Debug)]
pub(super) struct Worst {
    who: SenderId,
    /// Points and refused recipients together; what was explained is the highest so far.
    badness: f64,
    held: bool,
    told: Option<(Timestamp, Explanation)>,
}

impl Worst {
    /// Nothing seen yet.
    #[must_use]
    pub(super) const fn new(who: SenderId) -> Self {
        Self {
            who,
            badness: 0.0,
            held: false,
            told: None,
        }
    }

    /// To be asked after every input.
    pub(super) fn look(&mut self, engine: &Engine, at: Timestamp) {
        if self.held {
            return;
        }
        let ledger = engine.ledger();
        let Some(entry) = ledger
            .find(&self.who)
            .and_then(|found| ledger.sender(found))
        else {
            return;
        };
        let refused: f64 = [&entry.familiar, &entry.novel]
            .map(|context| context.hour.refused.sum())
            .iter()
            .sum();
        let badness = entry.suspicion.score.max(0.0) + refused;
        self.held = engine.docket().verdict(&self.who) >= Verdict::Hold;
        if self.held || badness > self.badness + 0.05 {
            self.badness = self.badness.max(badness);
            let told = engine.explain(&self.who, at);
            self.told = told.map(|told| (at, told));
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// Of the writer.
    pub(super) fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Some((at, told)) = &self.told else {
            return writeln!(out, "\nnothing was ever unusual about {}", self.who);
        };
        let what = if self.held {
            "held"
        } else {
            "nearest to a hold"
        };
        writeln!(out, "\n{what} at {} UTC:\n", moment(*at))?;
        explain::print(&self.who, told, None, None, out)
    }
}
