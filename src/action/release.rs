//! The way out of `hold`: release, requeue, and, when a person says so and the evidence is sound, delete.
//!
//! In batches; after each batch the caller is told what became of it, writes that down, and may stop there. To go on
//! after a crash, call again with what is still on record as held: what has left `hold` already counts as gone.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    action::{
        evidence::Kept,
        hands::{Hands, HandsError},
        hold::BATCH,
    },
    postfix::queue_id,
    wire::holder::{Place, Request, Verb},
};

/// After so long on hold mail is queued anew: what is released keeps its age, and Postfix would return the old mail at
/// the first deferral (`maximal_queue_lifetime`, 5 days).
pub const STALE: Duration = Duration::from_secs(24 * 3600);

/// How held mail is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// `postsuper -H`: on to `deferred`, same queue ID.
    Release,
    /// `postsuper -r`: through cleanup once more, new queue ID, new age.
    Requeue,
}

impl WayOut {
    /// What suits mail that was on hold for so long.
    #[must_use]
    pub fn after(held: Duration) -> Self {
        if held < STALE {
            Self::Release
        } else {
            Self::Requeue
        }
    }

    const fn verb(self) -> Verb {
        match self {
            Self::Release => Verb::Release,
            Self::Requeue => Verb::Requeue,
        }
    }
}

/// What became of one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Let go, and seen in another queue.
    pub moved: Vec<String>,
    /// In no queue: delivered or deleted, by this or before it.
    pub gone: Vec<String>,
    /// Still in `hold`: the verb did not take.
    pub still_held: Vec<String>,
    /// Not touched: no queue ID, or (purge) not in the evidence, or not in `hold`.
    pub refused: Vec<String>,
    /// What the holder complained of.
    pub error: Option<String>,
}

/// Lets messages go. `each` is told of every batch and says whether to go on.
///
/// # Errors
/// When the holder cannot be asked; the batches before it were reported.
pub fn release(
    hands: &mut dyn Hands,
    way: WayOut,
    queue_ids: &[String],
    each: &mut dyn FnMut(&Moved) -> bool,
) -> Result<(), HandsError> {
    let mut report = Moved::default();
    let valid = valid(queue_ids, &mut report);
    if !report.refused.is_empty() && !each(&report) {
        return Ok(());
    }
    for batch in valid.chunks(BATCH) {
        if !each(&act(hands, way.verb(), batch)?) {
            return Ok(());
        }
    }
    Ok(())
}

/// Deletes messages that are on hold and stand in sound evidence; no others. `each` is told of every batch (deleted
/// ones are `gone`) and says whether to go on.
///
/// # Errors
/// When the holder cannot be asked; the batches before it were reported.
pub fn purge(
    hands: &mut dyn Hands,
    kept: &Kept,
    queue_ids: &[String],
    each: &mut dyn FnMut(&Moved) -> bool,
) -> Result<(), HandsError> {
    let mut report = Moved::default();
    let mut valid = valid(queue_ids, &mut report);
    valid.retain(|id| {
        let kept = kept.has(id);
        if !kept {
            report.refused.push(id.clone());
        }
        kept
    });
    if !report.refused.is_empty() && !each(&report) {
        return Ok(());
    }
    for batch in valid.chunks(BATCH) {
        let mut moved = act(hands, Verb::Delete, batch)?;
        // What is in another queue was not on hold, and the holder left it alone.
        moved.refused.append(&mut moved.moved);
        if !each(&moved) {
            return Ok(());
        }
    }
    Ok(())
}

fn valid(queue_ids: &[String], report: &mut Moved) -> Vec<String> {
    let distinct: BTreeSet<&String> = queue_ids.iter().collect();
    let (valid, refused) = distinct
        .into_iter()
        .cloned()
        .partition(|id| queue_id::is_valid(id));
    report.refused = refused;
    valid
}

fn act(hands: &mut dyn Hands, verb: Verb, batch: &[String]) -> Result<Moved, HandsError> {
    let reply = hands.call(&Request {
        verb,
        queue_ids: batch.to_vec(),
        limit: 0,
    })?;
    if let (Some(error), true) = (&reply.error, reply.outcomes.is_empty()) {
        return Err(HandsError::Refused(error.clone()));
    }
    let mut moved = Moved {
        error: reply.error,
        ..Moved::default()
    };
    for outcome in reply.outcomes {
        match outcome.place {
            Place::Hold => moved.still_held.push(outcome.queue_id),
            Place::Gone => moved.gone.push(outcome.queue_id),
            Place::Maildrop | Place::Incoming | Place::Active | Place::Deferred => {
                moved.moved.push(outcome.queue_id);
            }
        }
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::hold::tests::{Queue, id};

    fn ids(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(id).collect()
    }

    #[test]
    fn a_release_goes_on_where_it_was_stopped() {
        let mut queue = Queue::with(0..1200, Place::Hold);
        let mut left = ids(0..1200);
        let mut calls = 0;
        release(&mut queue, WayOut::Release, &left.clone(), &mut |moved| {
            calls += 1;
            left.retain(|id| !moved.moved.contains(id));
            calls < 2
        })
        .unwrap();
        assert_eq!(left.len(), 200);
        release(&mut queue, WayOut::Release, &left.clone(), &mut |moved| {
            left.retain(|id| !moved.moved.contains(id));
            true
        })
        .unwrap();
        assert!(left.is_empty());
        assert_eq!(queue.count(Place::Deferred), 1200);
    }

    #[test]
    fn mail_that_was_held_for_days_is_queued_anew() {
        assert_eq!(WayOut::after(Duration::from_secs(3600)), WayOut::Release);
        assert_eq!(WayOut::after(Duration::from_secs(90_000)), WayOut::Requeue);
        let mut queue = Queue::with(0..2, Place::Hold);
        release(&mut queue, WayOut::Requeue, &ids(0..2), &mut |moved| {
            assert_eq!(moved.moved.len(), 2);
            true
        })
        .unwrap();
        assert_eq!(queue.count(Place::Maildrop), 2);
    }

    #[test]
    fn a_purge_deletes_only_what_is_on_hold_and_in_the_evidence() {
        let mut queue = Queue::with(0..3, Place::Hold);
        queue.put(3, Place::Deferred);
        let kept = Kept::for_tests([id(0), id(1), id(3)]);
        let mut wanted = ids(0..4);
        wanted.push("ALL".to_owned());
        let (mut gone, mut refused) = (Vec::new(), Vec::new());
        purge(&mut queue, &kept, &wanted, &mut |moved| {
            gone.extend(moved.gone.clone());
            refused.extend(moved.refused.clone());
            true
        })
        .unwrap();
        assert_eq!(gone, [id(0), id(1)]);
        refused.sort_unstable();
        assert_eq!(refused, [id(2), id(3), "ALL".to_owned()]);
        assert_eq!(queue.count(Place::Hold), 1);
        assert_eq!(queue.count(Place::Deferred), 1);
    }

    #[test]
    fn a_holder_that_fails_half_way_loses_no_report() {
        let mut queue = Queue::with(0..1000, Place::Hold);
        queue.fail_after(1);
        let mut moved = 0;
        let error = release(&mut queue, WayOut::Release, &ids(0..1000), &mut |batch| {
            moved += batch.moved.len();
            true
        })
        .unwrap_err();
        assert!(matches!(error, HandsError::Broken(_)), "{error}");
        assert_eq!(moved, 500);
    }
}
