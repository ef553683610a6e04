//! One set of policies on its way through old logs: whom it held, when, and how much had left.

use std::{collections::BTreeSet, io};

use crate::{
    daemon::rehearsal::Rehearsal,
    engine::{Batch, Clerk, Engine, Input, Setup, effect::VerdictChange},
    ledger::SenderId,
    policy::Verdict,
    time::Timestamp,
};

use super::{scores::Scores, worst::Worst};

/// A hold, as it fell.
pub(super) type Hold = VerdictChange;

/// Hears one change of verdict.
pub(super) type Told<'t> = &'t mut dyn FnMut(&VerdictChange) -> io::Result<()>;

/// See the module.
pub(super) struct Lane {
    engine: Engine,
    rehearsal: Rehearsal,
    /// Holds in the order in which they fell, observed ones included.
    pub(super) holds: Vec<Hold>,
    /// Senders that were slowed and never held.
    slowed: BTreeSet<SenderId>,
    /// The daily maximum scores, if they are asked for.
    pub(super) scores: Option<Scores>,
    /// The sender that is to be explained.
    pub(super) worst: Option<Worst>,
}

impl Lane {
    pub(super) fn new(setup: Setup, rehearsal: Rehearsal) -> Self {
        Self {
            engine: Engine::new(setup),
            rehearsal,
            holds: Vec::new(),
            slowed: BTreeSet::new(),
            scores: None,
            worst: None,
        }
    }

    /// Keeps the daily maximum score of every sender.
    pub(super) fn keep_scores(&mut self, scores: Scores) {
        self.engine.keep_peaks();
        self.scores = Some(scores);
    }

    /// Who reads the log for this lane, and for all others of the same run.
    pub(super) fn clerk(&self) -> Clerk {
        self.engine.clerk()
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) const fn incidents(&self) -> u64 {
        self.rehearsal.incidents()
    }

    pub(super) fn slowed(&self) -> usize {
        self.slowed.len()
    }

    /// Senders that were held.
    pub(super) fn held(&self) -> usize {
        let senders: BTreeSet<&SenderId> = self.holds.iter().map(|hold| &hold.sender_id).collect();
        senders.len()
    }

    pub(super) fn hear(&mut self, batch: &Batch, told: Told<'_>) -> io::Result<()> {
        self.engine.prepare(batch);
        for (at, fact) in batch.iter() {
            self.feed(at, Input::Told(&fact), told)?;
        }
        self.score(false);
        Ok(())
    }

    fn score(&mut self, last: bool) {
        if let Some(scores) = &mut self.scores {
            let mut add = |sender_id: &SenderId, day, score| scores.add(sender_id, day, score);
            self.engine.take_peaks(last, &mut add);
        }
    }

    /// What waited for a line that did not come is told at the end.
    pub(super) fn finish(&mut self, at: Timestamp, told: Told<'_>) -> io::Result<()> {
        self.feed(at, Input::Tick, told)?;
        self.score(true);
        Ok(())
    }

    fn feed(&mut self, at: Timestamp, input: Input<'_>, told: Told<'_>) -> io::Result<()> {
        let Self {
            engine,
            rehearsal,
            holds,
            slowed,
            worst,
            ..
        } = self;
        let opened = rehearsal.incidents();
        let mut latest = opened;
        rehearsal.feed(engine, at, input, &mut |change, incidents| {
            if incidents > latest {
                latest = incidents;
                slowed.remove(&change.sender_id);
                holds.push(change.clone());
            } else if change.verdict == Verdict::Slow {
                slowed.insert(change.sender_id.clone());
            }
            told(change)
        })?;
        if let Some(worst) = worst {
            worst.look(engine, at);
        }
        Ok(())
    }
}
