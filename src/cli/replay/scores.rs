//! `replay --scores`: the daily maximum score of every sender, and the threshold that would give a wanted number of false
//! alarms.
//!
//! What counts is the score where it may convict (two independent kinds of evidence, and something to show), so that a
//! threshold means what `score_at_least` of a policy means. Who is guilty in an old log nobody knows but the reader:
//! senders that he names are left out, all others are taken for innocent, and the recommendation errs on their side.

use std::{
    collections::{BTreeMap, HashSet},
    io::Write,
};

use serde_json::{Value, json};

use crate::{
    cli::{Failure, table::plain},
    ledger::SenderId,
};

/// Lowest score that is kept by sender.
const KEPT: f64 = 1.0;
/// Steps of a recommended threshold.
const STEP: f64 = 0.25;
/// Rows of the list of the highest.
const TOP: usize = 10;
/// Days of a month, for rates.
const MONTH: f64 = 30.0;

/// The daily maxima.
pub(super) struct Scores {
    /// Senders that the reader knows to be guilty.
    guilty: HashSet<String>,
    /// False alarms that are acceptable within 30 days.
    wanted: f64,
    /// Sender-days by whole nats.
    histogram: BTreeMap<i64, u64>,
    /// Those that matter: score, day (since the epoch), sender.
    high: Vec<(f64, i64, String)>,
    days: Option<(i64, i64)>,
}

/// What the scores say.
struct Advice {
    threshold: f64,
    days: f64,
    /// Sender-days at or above it.
    above: usize,
}

impl Scores {
    pub(super) fn new(guilty: HashSet<String>, wanted: f64) -> Self {
        Self {
            guilty,
            wanted,
            histogram: BTreeMap::new(),
            high: Vec::new(),
            days: None,
        }
    }

    /// The maximum of one sender on one day.
    pub(super) fn add(&mut self, sender_id: &SenderId, day: i64, score: f64) {
        let (first, last) = self.days.unwrap_or((day, day));
        self.days = Some((first.min(day), last.max(day)));
        #[expect(clippy::cast_possible_truncation, reason = "a score is a small number")]
        let bin = score.max(0.0).floor() as i64;
        *self.histogram.entry(bin).or_default() += 1;
        if score >= KEPT {
            self.high.push((score, day, sender_id.to_string()));
        }
    }

    /// Prints histogram and advice.
    pub(super) fn print(&mut self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        self.high
            .sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.cmp_names(b)));
        let advice = self.advise();
        if json {
            writeln!(out, "{}", self.to_json(advice.as_ref()))?;
            return Ok(());
        }
        writeln!(
            out,
            "\nDaily maximum scores of all senders (as far as they may convict)"
        )?;
        let most = self.histogram.values().max().copied().unwrap_or(1);
        for (bin, count) in &self.histogram {
            writeln!(
                out,
                "  {bin:>4} .. {:<4} {count:>10}  {}",
                bin + 1,
                bar(*count, most)
            )?;
        }
        writeln!(out, "The highest:")?;
        for (score, day, sender) in self.high.iter().take(TOP) {
            let guilty = if self.guilty.contains(sender) {
                "  (guilty, left out)"
            } else {
                ""
            };
            writeln!(
                out,
                "  {score:>6.1}  {}  {}{guilty}",
                date(*day),
                plain(sender)
            )?;
        }
        match advice {
            Some(Advice {
                threshold,
                days,
                above,
            }) => writeln!(
                out,
                "For at most {} false alarms in 30 days: score_at_least = {threshold:.2} ({above} sender-days of {days:.0} days at or above it, were all of them innocent; name those that were not with --guilty)",
                self.wanted,
            )?,
            None => writeln!(out, "There is nothing to recommend a threshold from.")?,
        }
        Ok(())
    }

    /// The lowest threshold, in quarters of a nat, with no more innocent sender-days above it than are wanted.
    fn advise(&self) -> Option<Advice> {
        let (first, last) = self.days?;
        #[expect(clippy::cast_precision_loss, reason = "days of an archive")]
        let days = (last - first + 1) as f64;
        let allowed = (self.wanted * days / MONTH).floor();
        let innocent: Vec<f64> = self
            .high
            .iter()
            .filter(|(_, _, sender)| !self.guilty.contains(sender))
            .map(|(score, _, _)| *score)
            .collect();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small count, not below zero"
        )]
        let next = innocent.get(allowed.max(0.0) as usize).copied();
        // Just above the first one that is too many.
        let threshold = next.map_or(KEPT, |score| ((score / STEP).floor() + 1.0) * STEP);
        let above = innocent.iter().filter(|score| **score >= threshold).count();
        Some(Advice {
            threshold,
            days,
            above,
        })
    }

    fn to_json(&self, advice: Option<&Advice>) -> Value {
        let bins: Vec<Value> = self
            .histogram
            .iter()
            .map(|(bin, count)| json!({"from": bin, "to": bin + 1, "sender_days": count}))
            .collect();
        let highest: Vec<Value> = self
            .high
            .iter()
            .take(TOP)
            .map(|(score, day, sender)| {
                json!({"score": score, "day": date(*day), "sender_id": sender, "guilty": self.guilty.contains(sender)})
            })
            .collect();
        json!({
            "type": "scores",
            "histogram": bins,
            "highest": highest,
            "days": advice.map(|advice| advice.days),
            "false_alarms": self.wanted,
            "score_at_least": advice.map(|advice| advice.threshold),
            "sender_days_above": advice.map(|advice| advice.above),
        })
    }
}

trait Names {
    fn cmp_names(&self, other: &Self) -> std::cmp::Ordering;
}

impl Names for (f64, i64, String) {
    fn cmp_names(&self, other: &Self) -> std::cmp::Ordering {
        (self.1, &self.2).cmp(&(other.1, &other.2))
    }
}

/// A bar whose length is that of the logarithm: one sender-day must be seen beside a million.
fn bar(count: u64, most: u64) -> String {
    let length = |count: u64| u64::from((count + 1).ilog2()) * 2 + 1;
    let length = length(count).min(length(most));
    "#".repeat(usize::try_from(length).unwrap_or(0))
}

/// A day since the epoch, as a date (UTC).
fn date(day: i64) -> String {
    let at = crate::time::Timestamp::from_seconds(day.saturating_mul(86_400)).to_string();
    at.get(..10).unwrap_or(&at).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(wanted: f64, guilty: &[&str]) -> Scores {
        let guilty = guilty.iter().map(|name| (*name).to_owned()).collect();
        let mut scores = Scores::new(guilty, wanted);
        for day in 0..60 {
            scores.add(&SenderId::Sasl("quiet".into()), day, 0.0);
            scores.add(
                &SenderId::Sasl("busy".into()),
                day,
                if day % 20 == 0 { 6.1 } else { 2.0 },
            );
        }
        scores.add(&SenderId::Sasl("thief".into()), 30, 22.0);
        scores
    }

    #[test]
    fn the_recommended_threshold_lets_through_no_more_than_is_wanted() {
        let mut one = scores(1.0, &["sasl:thief"]);
        one.high.sort_by(|a, b| b.0.total_cmp(&a.0));
        let advice = one.advise().unwrap();
        // Two in sixty days are wanted; three days of `busy` are at 6.1, so it must lie above them.
        assert_eq!((advice.threshold, advice.above), (6.25, 0));
        let mut two = scores(2.0, &["sasl:thief"]);
        two.high.sort_by(|a, b| b.0.total_cmp(&a.0));
        let advice = two.advise().unwrap();
        assert_eq!((advice.threshold, advice.above), (2.25, 3));
    }

    #[test]
    fn a_thief_who_is_not_named_makes_the_threshold_stricter_never_laxer() {
        let mut unnamed = scores(1.0, &[]);
        unnamed.high.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert!((unnamed.advise().unwrap().threshold - 6.25).abs() < 1e-9);
        let mut none = scores(0.0, &[]);
        none.high.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert!((none.advise().unwrap().threshold - 22.25).abs() < 1e-9);
    }
}
