//! The messages, found by queue ID in one hash lookup, and by place when somebody remembers one.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{MessageKey, message::Message};

/// Where a message is kept. Stale once another key lives there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    #[serde(skip)]
    pub(super) slot: u32,
    pub(super) key: MessageKey,
}

/// Hash that is one already.
#[derive(Debug, Default)]
pub(super) struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

pub(super) type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Identity>>;

/// Messages in slots, chained by the hash of their queue ID (the same ID may live on several hosts).
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Message>>,
    free: Vec<u32>,
    heads: ByHash<u32>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Message> {
        self.slots.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Message> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    /// The slot of a place that is not stale.
    pub(super) fn live(&self, place: Place) -> Option<u32> {
        self.get(place.slot)
            .is_some_and(|message| message.key == place.key)
            .then_some(place.slot)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.slots.iter().flatten()
    }

    /// The slots in use, in no meaningful order.
    pub(super) fn slots(&self) -> Vec<u32> {
        (0_u32..)
            .zip(&self.slots)
            .filter_map(|(slot, message)| message.as_ref().map(|_| slot))
            .collect()
    }

    fn chain(&self, queue_id: &str) -> impl Iterator<Item = (u32, &Message)> {
        let mut next = self.heads.get(&xxh3_64(queue_id.as_bytes())).copied();
        std::iter::from_fn(move || {
            let slot = next?;
            let message = self.get(slot)?;
            next = message.next;
            Some((slot, message))
        })
        .filter(move |(_, message)| *message.queue_id == *queue_id)
    }

    /// The message of that ID on that host; one whose host is not known yet will do.
    pub(super) fn find(&self, host: &str, queue_id: &str) -> Option<u32> {
        let mut hostless = None;
        for (slot, message) in self.chain(queue_id) {
            if *message.host == *host {
                return Some(slot);
            }
            if message.host.is_empty() || host.is_empty() {
                hostless = Some(slot);
            }
        }
        hostless
    }

    /// The message of that ID on that host, else the youngest of that ID anywhere.
    pub(super) fn find_anywhere(&self, host: &str, queue_id: &str) -> Option<u32> {
        self.find(host, queue_id).or_else(|| {
            self.chain(queue_id)
                .max_by_key(|(_, message)| message.key)
                .map(|(slot, _)| slot)
        })
    }

    /// Puts a message into a slot, to be found unless another one took its ID.
    pub(super) fn insert(&mut self, mut message: Message) -> Place {
        let key = message.key;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        if !message.superseded {
            message.next = self
                .heads
                .insert(xxh3_64(message.queue_id.as_bytes()), slot);
        }
        if let Some(free) = self.slots.get_mut(slot as usize) {
            *free = Some(message);
        }
        Place { slot, key }
    }

    /// Takes a message out of its chain: its ID belongs to another one from now on.
    pub(super) fn unlink(&mut self, slot: u32) {
        let Some(message) = self.get(slot) else {
            return;
        };
        let hash = xxh3_64(message.queue_id.as_bytes());
        let after = message.next;
        if self.heads.get(&hash) == Some(&slot) {
            match after {
                Some(next) => self.heads.insert(hash, next),
                None => self.heads.remove(&hash),
            };
        } else {
            let mut at = self.heads.get(&hash).copied();
            while let Some(current) = at {
                let Some(message) = self.get_mut(current) else {
                    break;
                };
                if message.next == Some(slot) {
                    message.next = after;
                    break;
                }
                at = message.next;
            }
        }
        if let Some(message) = self.get_mut(slot) {
            message.next = None;
        }
    }

    /// Gives a message another queue ID.
    pub(super) fn rename(&mut self, slot: u32, queue_id: &str) {
        self.unlink(slot);
        let next = self.heads.insert(xxh3_64(queue_id.as_bytes()), slot);
        if let Some(message) = self.get_mut(slot) {
            message.queue_id = queue_id.into();
            message.superseded = false;
            message.next = next;
        }
    }

    /// Takes a message out.
    pub(super) fn remove(&mut self, slot: u32) -> Option<Message> {
        self.unlink(slot);
        let message = self.slots.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        Some(message)
    }
}
