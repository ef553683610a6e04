//! What is normal for one sender: record volumes, hours of the week, long-run refusals, recipients, networks.
//!
//! Learned once a day and only from days without suspicion, so that an attack cannot teach it.

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
