//! The correlator's state in pieces: one per message, so that a commit writes only what changed, and one for the rest.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    Correlator, Counters, Limits, MessageKey,
    clock::Clock,
    holds::IntakeHold,
    hop,
    links::Promise,
    message::Message,
    table::{ByHash, Place},
};

/// A message that changed (its state) or is gone (`None`), by the number in its [`MessageKey`].
pub type Change = (u64, Option<Vec<u8>>);

/// A stored piece of state that cannot be read: written by another version, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("stored state of the correlator cannot be read")]
pub struct Damaged(#[from] postcard::Error);

/// Everything but the messages.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    clock: Clock,
    next_key: u64,
    next_turn: u64,
    hands_back: bool,
    filters: BTreeSet<hop::Endpoint>,
    counters: Counters,
    promises: Vec<(u64, i64, Promise)>,
    intake: Vec<(u64, i64, IntakeHold)>,
}

impl Correlator {
    /// What changed since the last call, to be written in one transaction with [`Correlator::part`]. The first call gives
    /// every message; before it nothing is noted, so that who never asks never pays.
    pub fn take_dirty(&mut self) -> Vec<Change> {
        let mut changes: Vec<Change> = std::mem::take(&mut self.gone)
            .into_iter()
            .map(|key| (key, None))
            .collect();
        let dirty = std::mem::take(&mut self.dirty);
        let slots: Vec<u32> = if self.tracking {
            dirty
                .into_iter()
                .filter_map(|place| self.table.live(place))
                .collect()
        } else {
            self.tracking = true;
            self.table.slots()
        };
        for slot in slots {
            if let Some(message) = self.table.get_mut(slot) {
                message.dirty = false;
                message.stored = true;
                changes.push((message.key.0, Some(written(message))));
            }
        }
        changes
    }

    /// The rest of the state: small.
    #[must_use]
    pub fn part(&self) -> Vec<u8> {
        written(&Part {
            clock: self.clock.clone(),
            next_key: self.next_key,
            next_turn: self.next_turn,
            hands_back: self.hands_back,
            filters: self.filters.clone(),
            counters: self.counters,
            promises: self
                .promises
                .iter()
                .map(|(name, due, promise)| (name, due, promise.clone()))
                .collect(),
            intake: self
                .intake
                .iter()
                .map(|(name, due, hold)| (name, due, hold.clone()))
                .collect(),
        })
    }

    /// A correlator that goes on where the one that wrote `part` and `messages` stood.
    ///
    /// # Errors
    /// [`Damaged`] when a piece cannot be read.
    pub fn restore<'m>(
        limits: Limits,
        part: &[u8],
        messages: impl IntoIterator<Item = &'m [u8]>,
    ) -> Result<Self, Damaged> {
        let part: Part = postcard::from_bytes(part)?;
        let mut correlator = Self::new(limits);
        correlator.clock = part.clock;
        correlator.next_key = part.next_key;
        correlator.next_turn = part.next_turn;
        correlator.hands_back = part.hands_back;
        correlator.filters = part.filters;
        correlator.counters = part.counters;
        for (name, due, promise) in part.promises {
            correlator.promises.put(name, due, promise);
        }
        for (name, due, hold) in part.intake {
            correlator.intake.put(name, due, hold);
        }
        let mut messages = messages
            .into_iter()
            .map(postcard::from_bytes)
            .collect::<Result<Vec<Message>, _>>()?;
        messages.sort_unstable_by_key(|message| message.key);
        for message in messages {
            correlator.put_back(message);
        }
        correlator.finish_restore();
        Ok(correlator)
    }

    fn put_back(&mut self, mut message: Message) {
        message.stored = true;
        self.early += message.early.len();
        let (age, grown) = (message.age, message.grown);
        let (closing, waiting) = (message.closing, message.waiting);
        let orphaned = !message.is_known() && !message.looked_up;
        let place = self.table.insert(message);
        if grown {
            self.grown.push_back((age, place));
        } else {
            self.young.push_back((age, place));
        }
        self.closing.extend(closing.map(|due| (due, place)));
        self.waiting.extend(waiting.map(|due| (due, place)));
        if orphaned {
            self.orphans.push_back(place);
        }
    }

    /// Appointments in the order in which they were made; links by key become links by place again.
    fn finish_restore(&mut self) {
        for queue in [
            &mut self.young,
            &mut self.grown,
            &mut self.closing,
            &mut self.waiting,
        ] {
            queue
                .make_contiguous()
                .sort_unstable_by_key(|(due, _)| due.turn);
        }
        let slots = self.table.slots();
        let by_key: ByHash<u32> = slots
            .iter()
            .filter_map(|slot| Some((self.table.get(*slot)?.key.0, *slot)))
            .collect();
        for slot in slots {
            if let Some(message) = self.table.get_mut(slot) {
                message.prior = message.prior.and_then(|prior| {
                    let MessageKey(key) = prior.key;
                    by_key.get(&key).map(|slot| Place {
                        slot: *slot,
                        key: prior.key,
                    })
                });
            }
        }
        self.tracking = true;
    }
}

#[expect(
    clippy::expect_used,
    reason = "writing plain data into memory has no way to fail"
)]
fn written(data: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(data).expect("plain data")
}
