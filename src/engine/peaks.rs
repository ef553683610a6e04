//! The highest score of every sender on every day (UTC), where somebody asks for it: what a threshold is chosen from.

use std::collections::BTreeMap;

use crate::{ledger::SenderIndex, time::Timestamp};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Kept while old logs are replayed; costs nothing otherwise.
#[derive(Debug, Default)]
pub(super) struct Peaks {
    day: i64,
    today: BTreeMap<SenderIndex, f64>,
    /// Days that are over.
    past: Vec<(SenderIndex, i64, f64)>,
}

impl Peaks {
    /// One more judgement. What comes late counts for the running day.
    pub(super) fn note(&mut self, at: Timestamp, sender: SenderIndex, score: f64) {
        let day = at.seconds().div_euclid(DAY);
        if day > self.day {
            self.end_day();
            self.day = day;
        }
        let peak = self.today.entry(sender).or_insert(score);
        *peak = peak.max(score);
    }

    pub(super) fn end_day(&mut self) {
        let day = self.day;
        let today = std::mem::take(&mut self.today).into_iter();
        self.past
            .extend(today.map(|(sender, score)| (sender, day, score)));
    }

    /// The days that are over: sender, day since the epoch, score.
    pub(super) fn take(&mut self) -> Vec<(SenderIndex, i64, f64)> {
        std::mem::take(&mut self.past)
    }
}
