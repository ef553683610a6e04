//! Counts what slowed senders are let through: one token bucket for each sender and lane, in recipients.
//!
//! Promises: time is an input, an earlier time changes nothing; however often smtpd asks about one message (RCPT, DATA, end of
//! data), its recipients are charged once; a bucket that is not known yet begins with what the engine says is left, so a
//! restart gives nobody a second burst. A message for more recipients than the bucket holds goes through when the bucket is
//! full, and leaves a debt. Limits: two buckets a slowed sender, [`MESSAGES`] messages remembered in each.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{
    engine::{
        allowance::{Lane, Limit},
        view::View,
    },
    ledger::SenderId,
    time::Timestamp,
};

/// Messages remembered of one bucket, so that the second question about one is free.
const MESSAGES: usize = 64;
/// Begins the text of every refusal; by it the log tells them from other refusals.
pub const SLOWED: &str = "slowed: ";
/// Less than this of a recipient is rounding.
const GRAIN: f64 = 1e-6;

/// What smtpd asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One more recipient of a message.
    Recipient,
    /// A whole message for so many recipients.
    Message(u32),
}

/// A slowed sender's question, as the picture found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// Whose mail.
    pub sender_id: SenderId,
    /// Where it comes from.
    pub lane: Lane,
    /// The limit there.
    pub limit: Limit,
    /// Since when he is slowed: another time is another story, with a fresh bucket.
    pub since: Timestamp,
}

/// One token bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    since: Timestamp,
    left: f64,
    at: Timestamp,
    /// Messages that were charged of late, and for how many recipients.
    messages: VecDeque<(Box<str>, f64)>,
}

impl Bucket {
    /// What the engine says is left.
    #[must_use]
    pub fn new(limit: &Limit, since: Timestamp, now: Timestamp) -> Self {
        Self {
            since,
            left: limit.left.min(limit.burst),
            // A log whose clock is ahead must not stop the refill.
            at: limit.at.min(now),
            messages: VecDeque::new(),
        }
    }

    /// Charges a message, or says how long to wait.
    ///
    /// # Errors
    /// Not enough is left: the time after which there is.
    pub fn take(
        &mut self,
        limit: &Limit,
        now: Timestamp,
        message: &str,
        asked: Asked,
    ) -> Result<(), Duration> {
        let seconds = now.seconds_since(self.at).max(0.0);
        self.left = (self.left + limit.per_hour * seconds / 3600.0).min(limit.burst);
        self.at = self.at.max(now);
        let known = self
            .messages
            .iter_mut()
            .find(|(name, _)| !message.is_empty() && **name == *message);
        let charged = known.as_ref().map_or(0.0, |(_, charged)| *charged);
        let more = match asked {
            Asked::Recipient => 1.0,
            Asked::Message(recipients) => (f64::from(recipients.max(1)) - charged).max(0.0),
        };
        let wanted = more.min(limit.burst);
        if self.left + GRAIN < wanted {
            let hours = (wanted - self.left) / limit.per_hour.max(GRAIN);
            return Err(Duration::from_secs_f64(
                (3600.0 * hours).clamp(1.0, 86_400.0),
            ));
        }
        self.left -= more;
        match known {
            Some((_, charged)) => *charged += more,
            None => {
                if self.messages.len() >= MESSAGES {
                    self.messages.pop_front();
                }
                self.messages.push_back((message.into(), more));
            }
        }
        Ok(())
    }
}

/// All buckets, and how many questions were answered with a refusal.
#[derive(Debug, Default)]
pub struct Turnstile {
    buckets: BTreeMap<(SenderId, Lane), Bucket>,
    refused: u64,
}

impl Turnstile {
    /// Lets a message through or not; `message` is the same for all questions about it, and may be empty.
    ///
    /// # Errors
    /// It is to be refused for now: after so long it may come again.
    pub fn admit(
        &mut self,
        pass: Pass,
        now: Timestamp,
        message: &str,
        asked: Asked,
    ) -> Result<(), Duration> {
        let Pass {
            sender_id,
            lane,
            limit,
            since,
        } = pass;
        let bucket = self
            .buckets
            .entry((sender_id, lane))
            .or_insert_with(|| Bucket::new(&limit, since, now));
        if bucket.since != since {
            *bucket = Bucket::new(&limit, since, now);
        }
        let taken = bucket.take(&limit, now, message, asked);
        self.refused += u64::from(taken.is_err());
        taken
    }

    /// Refusals since the last call. Buckets of senders who are not slowed any more are forgotten.
    pub fn tidy(&mut self, view: &View) -> u64 {
        self.buckets
            .retain(|(sender_id, _), _| view.slowed.contains_key(sender_id));
        std::mem::take(&mut self.refused)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_790_000_000 + seconds)
    }

    const fn limit(left: f64, at: Timestamp) -> Limit {
        Limit {
            burst: 8.0,
            per_hour: 6.0,
            left,
            at,
        }
    }

    fn pass(left: f64, lane: Lane) -> Pass {
        Pass {
            sender_id: "sasl:anna".parse().unwrap(),
            lane,
            limit: limit(left, t(0)),
            since: t(0),
        }
    }

    #[test]
    fn what_is_over_waits_and_comes_through_after_the_time_that_was_named() {
        let mut turnstile = Turnstile::default();
        let mut one = |now: Timestamp, name: &str| {
            turnstile.admit(pass(2.0, Lane::Novel), now, name, Asked::Message(1))
        };
        assert_eq!(one(t(0), "a"), Ok(()));
        assert_eq!(one(t(0), "b"), Ok(()));
        let wait = one(t(0), "c").unwrap_err();
        assert_eq!(wait.as_secs(), 600);
        assert!(one(t(599), "c").is_err());
        assert_eq!(one(t(600), "c"), Ok(()));
        assert!(one(t(0), "d").is_err(), "an earlier time gives nothing");
    }

    #[test]
    fn all_questions_about_one_message_are_charged_once() {
        let mut turnstile = Turnstile::default();
        let mut ask =
            |name: &str, asked| turnstile.admit(pass(3.0, Lane::Novel), t(0), name, asked);
        assert_eq!(ask("a", Asked::Recipient), Ok(()));
        assert_eq!(ask("a", Asked::Recipient), Ok(()));
        assert_eq!(ask("a", Asked::Message(2)), Ok(()));
        assert_eq!(ask("a", Asked::Message(2)), Ok(()));
        assert_eq!(ask("b", Asked::Message(1)), Ok(()));
        assert!(ask("b", Asked::Recipient).is_err());
        assert!(ask("", Asked::Message(1)).is_err());
    }

    #[test]
    fn a_message_that_is_larger_than_the_bucket_waits_for_a_full_one_and_leaves_a_debt() {
        let mut turnstile = Turnstile::default();
        let mut ask = |now, n| {
            turnstile.admit(
                pass(7.0, Lane::Novel),
                now,
                &format!("{now}"),
                Asked::Message(n),
            )
        };
        assert!(ask(t(0), 20).is_err());
        assert_eq!(ask(t(600), 20), Ok(()));
        assert!(
            ask(t(7200), 1).is_err(),
            "12 recipients of debt are two hours"
        );
        assert_eq!(ask(t(600 + 7200 + 600), 1), Ok(()));
    }

    #[test]
    fn lanes_do_not_share_and_a_new_story_begins_with_what_the_engine_says() {
        let mut turnstile = Turnstile::default();
        let one = Asked::Message(1);
        assert!(
            turnstile
                .admit(pass(0.0, Lane::Novel), t(0), "a", one)
                .is_err()
        );
        assert_eq!(
            turnstile.admit(pass(1.0, Lane::Usual), t(0), "b", one),
            Ok(())
        );
        let later = Pass {
            since: t(50),
            ..pass(1.0, Lane::Novel)
        };
        assert_eq!(turnstile.admit(later, t(50), "c", one), Ok(()));
    }

    #[test]
    fn refusals_are_told_once_and_forgotten_senders_cost_nothing() {
        let mut turnstile = Turnstile::default();
        let admitted = turnstile.admit(pass(0.0, Lane::Novel), t(0), "a", Asked::Message(3));
        assert!(admitted.is_err());
        assert_eq!(turnstile.tidy(&View::default()), 1);
        assert_eq!(turnstile.tidy(&View::default()), 0);
        assert!(turnstile.buckets.is_empty());
    }

    proptest! {
        #[test]
        fn no_more_than_burst_and_rate_ever_comes_through(
            steps in prop::collection::vec((0i64..900, 1u32..4), 1..200)
        ) {
            let mut turnstile = Turnstile::default();
            let (mut now, mut through) = (0i64, 0.0);
            for (number, (pause, recipients)) in steps.into_iter().enumerate() {
                now += pause;
                let asked = Asked::Message(recipients);
                if turnstile.admit(pass(8.0, Lane::Novel), t(now), &number.to_string(), asked).is_ok() {
                    through += f64::from(recipients);
                }
                let most = 8.0 + 6.0 * now as f64 / 3600.0;
                prop_assert!(through <= most + 1e-3, "{through} of {most}");
            }
        }
    }
}
