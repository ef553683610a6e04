//! Hash tables whose keys are numbers that we gave ourselves, and their way to disk.
//!
//! Nobody outside chooses such a number, so that a multiplication will do for a hash. Nothing may depend on the order of
//! such a table: what is written down is sorted.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
};

use crate::{correlate::MessageKey, ledger::message::Message};

/// The hash of a number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        // The high bits of a product depend on all bits of the number, the low ones on few: a table uses both ends.
        let product = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ (product >> 32);
    }
}

/// A table by our own numbers.
pub(super) type ByNumber<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// Such a table on disk: as a sorted map, so that the same table gives the same bytes.
pub(super) mod sorted {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ByNumber;

    pub(in crate::ledger) fn serialize<K, V, S>(
        map: &ByNumber<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        K: Ord + Serialize,
        V: Serialize,
        S: Serializer,
    {
        let mut entries: Vec<(&K, &V)> = map.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        serializer.collect_map(entries)
    }

    pub(in crate::ledger) fn deserialize<'de, K, V, D>(
        deserializer: D,
    ) -> Result<ByNumber<K, V>, D::Error>
    where
        K: std::hash::Hash + Eq + Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        ByNumber::deserialize(deserializer)
    }
}

/// Open messages by number; numbers grow, so that the order of opening is the order of age.
#[derive(Debug, Default)]
pub(super) struct Messages {
    table: ByNumber<MessageKey, Message>,
    /// In the order of opening; what is gone leaves a stale number.
    order: VecDeque<MessageKey>,
}

impl Messages {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn get(&self, key: MessageKey) -> Option<&Message> {
        self.table.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: MessageKey) -> Option<&mut Message> {
        self.table.get_mut(&key)
    }

    pub(super) fn insert(&mut self, key: MessageKey, message: Message) {
        if self.table.insert(key, message).is_none() {
            self.order.push_back(key);
        }
        // Mostly the oldest are gone; the rest is swept when there is as much gone as open.
        while self
            .order
            .front()
            .is_some_and(|oldest| !self.table.contains_key(oldest))
        {
            self.order.pop_front();
        }
        if self.order.len() > 2 * self.table.len() + 1024 {
            let table = &self.table;
            self.order.retain(|key| table.contains_key(key));
        }
    }

    pub(super) fn remove(&mut self, key: MessageKey) -> Option<Message> {
        self.table.remove(&key)
    }

    /// Takes out the one that was opened first.
    pub(super) fn pop_oldest(&mut self) -> Option<(MessageKey, Message)> {
        while let Some(oldest) = self.order.pop_front() {
            if let Some(message) = self.table.remove(&oldest) {
                return Some((oldest, message));
            }
        }
        None
    }

    /// All of them, in no meaningful order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.table.values()
    }

    /// All of them, in no meaningful order.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (MessageKey, &mut Message)> {
        self.table.iter_mut().map(|(key, message)| (*key, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ledger::SenderIndex, time::Timestamp};

    fn message() -> Message {
        Message::new(SenderIndex(0), false, None, 1, Timestamp::EPOCH)
    }

    #[test]
    fn the_first_opened_goes_first_and_what_is_gone_takes_no_room() {
        let mut messages = Messages::default();
        for n in 0..10_000 {
            messages.insert(MessageKey(n), message());
            if n % 100 != 7 {
                messages.remove(MessageKey(n));
            }
        }
        assert_eq!(messages.len(), 100);
        assert!(messages.order.len() < 2000, "{}", messages.order.len());
        let mut oldest = || messages.pop_oldest().map(|(key, _)| key);
        assert_eq!(oldest(), Some(MessageKey(7)));
        assert_eq!(oldest(), Some(MessageKey(107)));
        assert_eq!(messages.len(), 98);
    }

    #[test]
    fn neighbours_do_not_fall_together() {
        use std::hash::{BuildHasher as _, BuildHasherDefault};
        let hasher = BuildHasherDefault::<Spread>::default();
        let mut low = std::collections::BTreeSet::new();
        let mut high = std::collections::BTreeSet::new();
        for n in 0..128_u32 {
            let hash = hasher.hash_one(n);
            low.insert(hash & 0xFFF);
            high.insert(hash >> 57);
        }
        assert!(low.len() > 100, "{}", low.len());
        assert!(high.len() > 60, "{}", high.len());
    }
}
