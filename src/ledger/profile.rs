//! What is normal for one sender: record volumes, hours of the week, long-run refusals, recipients, networks.
//!
//! Learned once a day and only from days without suspicion, so that an attack cannot teach it.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::ledger::{
    counters::{DAY, HOUR, PerPicture},
    neighbourhood::Habit,
};
use crate::time::Timestamp;

/// Horizons of the volume sums (seconds): recipients in ten minutes, an hour, a day, and messages in ten minutes.
pub const SPANS: [f64; 4] = [600.0, HOUR, DAY, 600.0];

/// Recipients and messages taken in of late, and the highest values in clean times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Volume {
    /// The time to which `now` is faded.
    pub at: Timestamp,
    /// Faded sums at [`SPANS`].
    pub now: [f64; 4],
    /// Highest value of clean days.
    pub record: [f64; 4],
    /// Highest value since the day began; becomes the record when the day stays clean.
    pub pending: [f64; 4],
}

impl Volume {
    /// Adds a message of so many recipients.
    pub fn add(&mut self, at: Timestamp, recipients: f64) {
        let seconds = at.seconds_since(self.at);
        if seconds > 0.0 {
            self.now = kept(self.now, seconds);
            self.at = at;
        }
        let more = [recipients, recipients, recipients, 1.0];
        for ((sum, high), more) in self.now.iter_mut().zip(&mut self.pending).zip(more) {
            *sum += more;
            *high = high.max(*sum);
        }
    }

    /// The sums faded to `at`.
    #[must_use]
    pub fn faded(&self, at: Timestamp) -> [f64; 4] {
        kept(self.now, at.seconds_since(self.at).max(0.0))
    }
}

/// What is left of the sums after so many seconds.
fn kept(sums: [f64; 4], seconds: f64) -> [f64; 4] {
    let [ten_minutes, hour, day, messages] = sums;
    let [span, of_hour, of_day, _] = SPANS;
    let keep = (-seconds / span).exp();
    [
        ten_minutes * keep,
        hour * (-seconds / of_hour).exp(),
        day * (-seconds / of_day).exp(),
        messages * keep,
    ]
}

/// Long-run outcomes, in recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Final answers.
    pub answered: f64,
    /// Refusals, weighted.
    pub refused: PerPicture,
}

impl Outcomes {
    /// Fades these by `keep` and adds `more`.
    pub fn fold(&mut self, more: &Self, keep: f64) {
        self.answered = self.answered * keep + more.answered;
        self.refused.scale(keep);
        self.refused.list += more.refused.list;
        self.refused.content += more.refused.content;
        self.refused.rate += more.refused.rate;
    }
}

/// How often in which hour: 24 hours of a weekday, then 24 of the weekend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hours {
    bins: Vec<u16>,
    total: u32,
}

impl Default for Hours {
    fn default() -> Self {
        Self {
            bins: vec![0; 48],
            total: 0,
        }
    }
}

impl Hours {
    /// One more message in a bin (0 to 47).
    pub fn add(&mut self, bin: usize) {
        if let Some(count) = self.bins.get_mut(bin) {
            *count = count.saturating_add(1);
            self.total = self.total.saturating_add(1);
        }
    }

    /// Halves everything once there is enough, so that habits may change.
    pub fn age(&mut self) {
        if self.total > 400 {
            for count in &mut self.bins {
                *count /= 2;
            }
            self.total = self.bins.iter().map(|count| u32::from(*count)).sum();
        }
    }

    /// Adds what was counted elsewhere.
    pub(super) fn merge(&mut self, theirs: &Self) {
        for (ours, theirs) in self.bins.iter_mut().zip(&theirs.bins) {
            *ours = ours.saturating_add(*theirs);
        }
        self.total = self.bins.iter().map(|count| u32::from(*count)).sum();
    }

    /// Messages seen.
    #[must_use]
    pub fn total(&self) -> f64 {
        f64::from(self.total)
    }

    /// How likely this sender is to write in that bin, neighbours counted half.
    #[must_use]
    pub fn share(&self, bin: usize) -> f64 {
        let count = |bin: usize| {
            self.bins
                .get(bin % 48)
                .map_or(0.0, |count| f64::from(*count))
        };
        (count(bin) + 0.5 * (count(bin + 47) + count(bin + 1)) + 0.4) / (2.0 * self.total() + 20.0)
    }
}

/// Recipients that the first layer takes; each further layer takes twice as many in twice the bits.
const FIRST_LAYER: u32 = 1500;
/// Words of the first layer.
const WORDS: usize = 128;
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
        Self::Few(u16::try_from(words).unwrap_or(u16::MAX), Vec::new())
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

/// One network of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Its number (see [`super::network::Place`]).
    pub network: u64,
    /// Country, if known.
    pub country: Option<[u8; 2]>,
    /// First use.
    pub first: Timestamp,
    /// Last use.
    pub last: Timestamp,
    /// Known as the sender's own: used for a day without suspicion, or vouched for.
    pub adopted: bool,
}

/// The networks of a sender, at most twelve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Homes {
    known: Vec<Home>,
    /// New networks seen, fading over active days.
    pub new: Habit,
    /// The last day (since the epoch) on which this sender told the neighbourhood of a new network.
    pub witnessed: i64,
}

const MAX_HOMES: usize = 12;

impl Homes {
    /// One network.
    pub fn get_mut(&mut self, network: u64) -> Option<&mut Home> {
        self.known.iter_mut().find(|home| home.network == network)
    }

    /// True before the first message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Adds one; when there are too many the longest unused goes, those that are not the sender's own first: a thief
    /// with many addresses does not make the owner a stranger.
    pub fn add(&mut self, home: Home) {
        if self.known.len() >= MAX_HOMES {
            let oldest = self
                .known
                .iter()
                .enumerate()
                .min_by_key(|(_, home)| (home.adopted, home.last))
                .map(|(position, _)| position);
            if let Some(position) = oldest {
                self.known.remove(position);
            }
        }
        self.known.reserve_exact(1);
        self.known.push(home);
    }

    /// Networks met for the first time within the hour before `at`.
    #[must_use]
    pub fn met_lately(&self, at: Timestamp) -> usize {
        self.known
            .iter()
            .filter(|home| at.seconds_since(home.first) < HOUR)
            .count()
    }

    /// Those of the last hour are not the sender's own after all; their numbers and countries.
    pub fn doubt(&mut self, at: Timestamp) -> Vec<Home> {
        let mut doubted = Vec::new();
        for home in &mut self.known {
            if home.adopted && at.seconds_since(home.first) < HOUR {
                doubted.push(*home);
                home.adopted = false;
            }
        }
        doubted
    }

    /// Every network is the sender's own.
    pub fn adopt_all(&mut self) {
        for home in &mut self.known {
            home.adopted = true;
        }
    }

    /// Forgets those that are not the sender's own.
    pub fn forget_novel(&mut self) {
        self.known.retain(|home| home.adopted);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Home> {
        self.known.iter()
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
