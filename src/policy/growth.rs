//! The queue: mail of one sender that piles up, more than ever on his earlier days, while that of the others does not.

use crate::{
    ledger::{Ledger, sender::Sender},
    policy::{
        rule::{Key, Kind, Value},
        verdict::Reason,
    },
    time::Timestamp,
};

/// The limits of one such rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Recipients that wait for at least five minutes, more than an hour ago, at least.
    pub at_least: f64,
    /// Times the most that waited so on clean days, at least.
    pub times: f64,
    /// How the number of other senders with waiting mail has grown within the hour, at most: above it, it is everybody's
    /// trouble.
    pub others: f64,
    /// The score, at least: what else there is against the sender.
    pub score: f64,
}

impl Growth {
    /// Without any limit set.
    pub(super) const UNSET: Self = Self {
        at_least: 0.0,
        times: 2.0,
        others: 2.0,
        score: 0.0,
    };

    /// Its keys.
    pub(super) const KEYS: &'static [Key] = &[
        Key::required("grown_at_least", Kind::Number),
        Key::optional("record_times", Kind::Number),
        Key::optional("others_grown_below", Kind::Number),
        Key::optional("score_at_least", Kind::Number),
    ];

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Value> {
        let number = match key {
            "grown_at_least" => self.at_least,
            "record_times" => self.times,
            "others_grown_below" => self.others,
            "score_at_least" => self.score,
            _ => return None,
        };
        Some(Value::Number(number))
    }

    /// Sets a key.
    pub(super) fn set(&mut self, key: &str, value: Value) {
        let Value::Number(number) = value else {
            return;
        };
        match key {
            "grown_at_least" => self.at_least = number,
            "record_times" => self.times = number,
            "others_grown_below" => self.others = number,
            "score_at_least" => self.score = number,
            _ => {}
        }
    }

    /// True when it asks for the score as well.
    pub(super) fn scores(&self) -> bool {
        self.score > 0.0
    }

    /// True when the sender is over every limit.
    #[must_use]
    pub fn fires(&self, ledger: &Ledger, sender: &Sender, score: f64, at: Timestamp) -> bool {
        let backlog = &sender.backlog;
        let grown = f64::from(backlog.grown(at));
        // The cheap question first: most senders have next to nothing in the queue.
        grown >= self.at_least.max(1.0)
            && f64::from(backlog.level.standing(at)) >= self.times * backlog.record
            && (!self.scores() || score >= self.score)
            && ledger.crowd_growth(sender, at) < self.others
    }

    /// The numbers in words.
    #[must_use]
    pub fn reasons(&self, ledger: &Ledger, sender: &Sender, at: Timestamp) -> Vec<Reason> {
        let backlog = &sender.backlog;
        let everyone = ledger.everyone();
        let all = everyone.recipients.now().max(1);
        let share = 100.0 * f64::from(backlog.level.now()) / f64::from(all);
        let reason = |signal: &str, text: String| Reason {
            signal: signal.to_owned(),
            text,
        };
        vec![
            reason(
                "queue_growth",
                format!(
                    "{} recipients wait in the queue, {} more than an hour ago (limit {:.0}); {share:.0}% of all that wait",
                    backlog.level.standing(at),
                    backlog.grown(at),
                    self.at_least,
                ),
            ),
            reason(
                "queue_record",
                format!(
                    "on earlier days at most {:.0} waited (limit {:.1} times that)",
                    backlog.record, self.times
                ),
            ),
            reason(
                "queue_others",
                format!(
                    "mail of {} other senders waits, an hour ago of {}: it is not everybody's trouble",
                    everyone.senders.standing(at),
                    everyone.senders.hour_ago(at),
                ),
            ),
        ]
    }

    /// What is missing for it to fire.
    #[must_use]
    pub fn missing(&self, ledger: &Ledger, sender: &Sender, score: f64, at: Timestamp) -> String {
        let backlog = &sender.backlog;
        let others = ledger.crowd_growth(sender, at);
        if others >= self.others {
            return format!(
                "the mail of {others:.1} times as many others waits as an hour ago: it is everybody's trouble"
            );
        }
        let also = if self.scores() {
            format!(", and a score of {:.1} (it is {score:.1})", self.score)
        } else {
            String::new()
        };
        format!(
            "{} recipients wait in the queue, {} more than an hour ago; it takes {:.0} more and {:.0} in all{also}",
            backlog.level.standing(at),
            backlog.grown(at),
            self.at_least,
            (self.times * backlog.record).max(self.at_least),
        )
    }
}
