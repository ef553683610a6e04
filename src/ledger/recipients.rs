//! Whom a sender wrote to before, in little memory.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// Recipients that the first layer takes; each further layer takes twice as many in twice the bits.
const FIRST_LAYER: u32 = 1500;
/// Words of the first layer.
const WORDS: usize = 128;
/// Places that a list of bits begins with room for: ten recipients.
const ROOM: usize = 30;
/// Layers: 1, 2 and 4 KiB, for 10,500 recipients in all.
const LAYERS: usize = 3;

/// Recipients written to before: Bloom filters over keyed hashes, 5.5 bits a recipient, 3 of them set (a full layer
/// takes 7% of strangers for known). Most senders need one layer; only bulk senders have more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recipients {
    layers: Vec<Layer>,
    stored: u32,
    /// Recipients seen while there was room.
    pub seen: f64,
    /// New ones among them.
    pub new: f64,
}

impl Recipients {
    /// Reads where the next recipient will be looked for.
    pub(super) fn touch(&self) -> u64 {
        self.layers.first().map_or(0, |layer| match layer {
            Layer::Few(_, set) => set.get(set.len() / 2).map_or(0, |place| u64::from(*place)),
            Layer::Many(filter) => filter.first().copied().unwrap_or(0),
        })
    }

    /// Records a recipient; how new it is (0 or 1, or the usual share when the filter is full).
    pub fn add(&mut self, hash: u64) -> f64 {
        if self.contains(hash) {
            self.seen += 1.0;
            return 0.0;
        }
        let layer = self.layers.len().saturating_sub(1);
        let room = FIRST_LAYER << layer;
        if (self.layers.is_empty() || self.stored >= room) && !self.grow() {
            return self.usual();
        }
        self.seen += 1.0;
        self.new += 1.0;
        self.stored += 1;
        if let Some(filter) = self.layers.last_mut() {
            filter.set(hash);
        }
        1.0
    }

    /// Unites two filters. A recipient that both relays wrote to counts as new twice.
    pub(super) fn merge(&mut self, theirs: &Self) {
        self.stored = match self.layers.len().cmp(&theirs.layers.len()) {
            Ordering::Less => theirs.stored,
            Ordering::Equal => self.stored.saturating_add(theirs.stored),
            Ordering::Greater => self.stored,
        };
        for (ours, theirs) in self.layers.iter_mut().zip(&theirs.layers) {
            ours.unite(theirs);
        }
        let more = theirs.layers.iter().skip(self.layers.len()).cloned();
        let more: Vec<_> = more.collect();
        self.layers.extend(more);
        self.seen += theirs.seen;
        self.new += theirs.new;
    }

    fn grow(&mut self) -> bool {
        if self.layers.len() >= LAYERS {
            return false;
        }
        self.layers.reserve_exact(1);
        self.layers.push(Layer::new(WORDS << self.layers.len()));
        self.stored = 0;
        true
    }

    /// True when the recipient was written to before.
    #[must_use]
    pub fn contains(&self, hash: u64) -> bool {
        self.layers.iter().any(|filter| filter.has(hash))
    }

    /// The usual share of new recipients.
    #[must_use]
    pub fn usual(&self) -> f64 {
        self.new / self.seen.max(1.0)
    }
}

/// One Bloom filter: a list of the bits that are set while that is shorter than the filter, which it is for whoever
/// writes to a hundred people. The same bits, and so the same answers, either way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Layer {
    /// Words of the filter, and the bits that are set in order.
    Few(u16, Vec<u16>),
    /// The filter.
    Many(Vec<u64>),
}

impl Layer {
    fn new(words: usize) -> Self {
        Self::Few(
            u16::try_from(words).unwrap_or(u16::MAX),
            Vec::with_capacity(ROOM),
        )
    }

    fn has(&self, hash: u64) -> bool {
        match self {
            Self::Few(words, set) => {
                places(hash, usize::from(*words)).all(|place| set.binary_search(&place).is_ok())
            }
            Self::Many(filter) => places(hash, filter.len()).all(|place| {
                let (word, bit) = bit(place);
                filter.get(word).is_some_and(|word| word & bit != 0)
            }),
        }
    }

    fn set(&mut self, hash: u64) {
        for place in places(hash, self.words()) {
            self.put(place);
        }
    }

    fn words(&self) -> usize {
        match self {
            Self::Few(words, _) => usize::from(*words),
            Self::Many(filter) => filter.len(),
        }
    }

    fn put(&mut self, place: u16) {
        match self {
            Self::Few(words, set) => {
                if let Err(before) = set.binary_search(&place) {
                    set.insert(before, place);
                }
                // Four places take the room of a word; a list that grows may have twice the room that it needs.
                let words = usize::from(*words);
                if set.len() > 2 * words {
                    let mut filter = vec![0; words];
                    for place in &*set {
                        fill(&mut filter, *place);
                    }
                    *self = Self::Many(filter);
                }
            }
            Self::Many(filter) => fill(filter, place),
        }
    }

    /// All bits of both; both are filters of the same length.
    fn unite(&mut self, theirs: &Self) {
        match theirs {
            Self::Few(_, set) => set.iter().for_each(|place| self.put(*place)),
            Self::Many(filter) => {
                for (place, word) in (0u16..).step_by(64).zip(filter) {
                    let set = (0u16..64).filter(|bit| word >> bit & 1 == 1);
                    set.for_each(|bit| self.put(place.saturating_add(bit)));
                }
            }
        }
    }
}

/// The three bits of a hash in a filter of so many words (a power of two, at most 1024).
fn places(hash: u64, words: usize) -> impl Iterator<Item = u16> {
    let bits = u64::try_from(words * 64).unwrap_or(1);
    [0u32, 21, 42].into_iter().map(move |shift| {
        let place = (hash >> shift) & bits.saturating_sub(1);
        u16::try_from(place).unwrap_or(0)
    })
}

fn bit(place: u16) -> (usize, u64) {
    (usize::from(place >> 6), 1u64 << (place & 63))
}

fn fill(filter: &mut [u64], place: u16) {
    let (word, bit) = bit(place);
    if let Some(word) = filter.get_mut(word) {
        *word |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_bits_answers_as_the_filter_does() {
        let hash = |n: u64| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes());
        for words in [WORDS, WORDS << 2] {
            let mut layer = Layer::new(words);
            let mut filter = Layer::Many(vec![0; words]);
            let mut bytes = Vec::new();
            for n in 0..1500 {
                assert_eq!(layer.has(hash(n)), filter.has(hash(n)), "{n} of {words}");
                layer.set(hash(n));
                filter.set(hash(n));
                assert!(layer.has(hash(n)));
                bytes.push(match &layer {
                    Layer::Few(_, set) => 2 * set.len(),
                    Layer::Many(filter) => 8 * filter.len(),
                });
            }
            assert_eq!(layer, filter);
            assert!(bytes[20] <= 126 && bytes.iter().max() == Some(&(8 * words)));
        }
    }

    #[test]
    fn a_recipient_is_new_once() {
        let mut recipients = Recipients::default();
        assert!(recipients.add(7) > 0.5);
        assert!(recipients.add(7) < 0.5);
        assert!((recipients.usual() - 0.5).abs() < 1e-9);
    }
}
