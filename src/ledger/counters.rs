//! Sums that fade: what happened of late, at two horizons.
//!
//! Decay is linear, so sums of several relays may be added once they are brought to one time.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Seconds of the short horizon.
pub const HOUR: f64 = 3600.0;
/// Seconds of the long horizon.
pub const DAY: f64 = 86_400.0;

/// What a refusal speaks about: the three pictures of an attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Picture {
    /// The recipient list is bad.
    List,
    /// Remote sides refuse the content or the sender for good.
    Content,
    /// Remote sides slow the sender or put its mail off.
    Rate,
}

impl Picture {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::List, Self::Content, Self::Rate];
}

/// One number per picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PerPicture {
    /// [`Picture::List`].
    pub list: f64,
    /// [`Picture::Content`].
    pub content: f64,
    /// [`Picture::Rate`].
    pub rate: f64,
}

impl PerPicture {
    /// The number of one picture.
    #[must_use]
    pub const fn get(&self, picture: Picture) -> f64 {
        match picture {
            Picture::List => self.list,
            Picture::Content => self.content,
            Picture::Rate => self.rate,
        }
    }

    /// The same, to change it.
    pub const fn get_mut(&mut self, picture: Picture) -> &mut f64 {
        match picture {
            Picture::List => &mut self.list,
            Picture::Content => &mut self.content,
            Picture::Rate => &mut self.rate,
        }
    }

    /// All together.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.list + self.content + self.rate
    }

    /// Multiplies all.
    pub fn scale(&mut self, factor: f64) {
        self.list *= factor;
        self.content *= factor;
        self.rate *= factor;
    }
}

/// Faded sums at one horizon, in recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Final answers: sent and bounced.
    pub answered: f64,
    /// Refusals that count against the sender, weighted.
    pub refused: PerPicture,
    /// Recipients not written to before.
    pub strangers: f64,
    /// Recipients taken in.
    pub taken: f64,
    /// First attempts.
    pub tried: f64,
    /// Messages that intake put off because the sender is slowed, as often as they were tried. Not among the others.
    pub put_off: f64,
}

impl Counts {
    fn scale(&mut self, factor: f64) {
        self.answered *= factor;
        self.refused.scale(factor);
        self.strangers *= factor;
        self.taken *= factor;
        self.tried *= factor;
        self.put_off *= factor;
    }
}

/// The same sums at both horizons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// The time to which the sums are faded.
    pub at: Timestamp,
    /// One hour.
    pub hour: Counts,
    /// One day.
    pub day: Counts,
}

impl Counters {
    /// Nothing yet.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            ..Self::default()
        }
    }

    /// Fades the sums to `at`; an earlier time changes nothing, as does less than a second.
    pub fn fade(&mut self, at: Timestamp) {
        if at.seconds_since(self.at) > 1.0 {
            self.fade_exactly(at);
        }
    }

    /// The same, to the microsecond.
    pub(super) fn fade_exactly(&mut self, at: Timestamp) {
        let seconds = at.seconds_since(self.at);
        if seconds > 0.0 {
            self.hour.scale((-seconds / HOUR).exp());
            self.day.scale((-seconds / DAY).exp());
            self.at = at;
        }
    }

    /// Changes both horizons alike.
    pub fn each(&mut self, mut change: impl FnMut(&mut Counts)) {
        change(&mut self.hour);
        change(&mut self.day);
    }

    /// Adds a refusal of that weight.
    pub fn refuse(&mut self, picture: Picture, weight: f64) {
        self.each(|counts| *counts.refused.get_mut(picture) += weight);
    }

    /// Takes a refusal back that was counted at `counted`, as much of it as has not faded.
    pub fn take_back(&mut self, picture: Picture, weight: f64, counted: Timestamp) {
        let age = self.at.seconds_since(counted).max(0.0);
        for (counts, horizon) in [(&mut self.hour, HOUR), (&mut self.day, DAY)] {
            let sum = counts.refused.get_mut(picture);
            *sum = (*sum - weight * (-age / horizon).exp()).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fades_in_an_hour_is_still_there_after_an_hour_of_the_day() {
        let mut counters = Counters::new(Timestamp::from_seconds(0));
        counters.refuse(Picture::List, 10.0);
        counters.fade(Timestamp::from_seconds(7200));
        assert!(counters.hour.refused.list < 1.5);
        assert!(counters.day.refused.list > 9.0);
    }

    #[test]
    fn an_earlier_time_changes_nothing() {
        let mut counters = Counters::new(Timestamp::from_seconds(7200));
        counters.refuse(Picture::Rate, 1.0);
        let before = counters;
        counters.fade(Timestamp::from_seconds(0));
        assert_eq!(counters, before);
    }

    #[test]
    fn taking_back_leaves_no_trace() {
        let mut counters = Counters::new(Timestamp::from_seconds(0));
        counters.refuse(Picture::Content, 0.8);
        counters.fade(Timestamp::from_seconds(1800));
        counters.take_back(Picture::Content, 0.8, Timestamp::from_seconds(0));
        assert!(counters.hour.refused.content < 1e-9 && counters.day.refused.content < 1e-9);
    }
}
