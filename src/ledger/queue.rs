//! What waits in the queue: how many recipients of each sender have no final answer yet, and how that grew.
//!
//! Mail on hold is not counted: it waits for a person. What passes through within minutes is no backlog either: a level
//! counts as standing once it has not been lower for five minutes. Everyone's growth is told in senders, not in
//! messages: how many established, unsuspected senders have mail that stands. So neither one loud sender nor forty new
//! accounts make a crowd that hides anybody, and an outage that meets everyone convicts nobody.
//!
//! Derived from the log alone (and from queue files where it is missing), so that a replay finds what was found live.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    correlate::MessageKey,
    ledger::{Ledger, SenderIndex, message::Message, sender::Sender},
    time::Timestamp,
};

/// Seconds of one span.
const SPAN: i64 = 300;
/// Spans remembered: the running one, and an hour before it.
const SPANS: usize = 13;
/// Others with standing mail that there always are: growth of fewer is chance.
const ALWAYS: f64 = 5.0;

/// A level over the last hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    now: u32,
    /// Number of the running span.
    span: i64,
    /// Lowest in each span, the running one first.
    lows: [u32; SPANS],
}

impl Level {
    /// The level now.
    #[must_use]
    pub const fn now(&self) -> u32 {
        self.now
    }

    /// What has stood for at least five minutes.
    #[must_use]
    pub fn standing(&self, at: Timestamp) -> u32 {
        self.low(at, 0).min(self.low(at, 1))
    }

    /// The lowest level five to ten minutes ago.
    #[must_use]
    pub fn minutes_ago(&self, at: Timestamp) -> u32 {
        self.low(at, 2)
    }

    /// The lowest level an hour ago.
    #[must_use]
    pub fn hour_ago(&self, at: Timestamp) -> u32 {
        self.low(at, SPANS - 1)
    }

    /// The lowest level of a span, counted back from the one that `at` is in.
    fn low(&self, at: Timestamp, back: usize) -> u32 {
        let passed = usize::try_from(number(at) - self.span).unwrap_or(0);
        back.checked_sub(passed)
            .map_or(self.now, |place| self.lows.get(place).copied().unwrap_or(0))
    }

    fn change(&mut self, at: Timestamp, more: u32, less: u32) {
        let number = number(at);
        let passed = usize::try_from(number.saturating_sub(self.span)).unwrap_or(0);
        if passed > 0 {
            let kept = SPANS.saturating_sub(passed);
            self.lows.copy_within(..kept, SPANS - kept);
            self.lows
                .iter_mut()
                .take(passed)
                .for_each(|low| *low = self.now);
            self.span = number;
        }
        self.now = self.now.saturating_add(more).saturating_sub(less);
        if let Some(low) = self.lows.first_mut() {
            *low = self.now.min(*low);
        }
    }
}

const fn number(at: Timestamp) -> i64 {
    at.seconds().div_euclid(SPAN)
}

/// One sender's mail in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backlog {
    /// Recipients without a final answer, mail on hold left out.
    pub level: Level,
    /// Highest that stood on clean days.
    pub record: f64,
    /// Highest that stood since the day began.
    pending: f64,
    /// Counted among those whose mail stands.
    in_crowd: bool,
}

impl Backlog {
    /// How much more stands than stood an hour ago.
    #[must_use]
    pub fn grown(&self, at: Timestamp) -> u32 {
        let standing = self.level.standing(at);
        standing.saturating_sub(self.level.hour_ago(at))
    }

    /// A day ended; a clean one is learned.
    pub(super) fn roll(&mut self, at: Timestamp, clean: bool) {
        if clean {
            self.record = (self.record * 0.995).max(self.pending);
        }
        self.pending = self.level.standing(at).into();
    }

    /// A person said that what is seen is normal.
    pub(super) const fn vouch(&mut self) {
        self.record = self.record.max(self.pending);
    }

    fn change(&mut self, at: Timestamp, more: u32, less: u32) {
        self.level.change(at, more, less);
        self.pending = self.pending.max(self.level.standing(at).into());
    }
}

/// Everybody's mail in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Everyone {
    /// Recipients without a final answer.
    pub recipients: Level,
    /// Established, unsuspected senders with mail in the queue.
    pub senders: Level,
}

/// What is in the queue of one sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InQueue {
    /// Messages that wait for delivery.
    pub messages: u32,
    /// Their recipients without a final answer.
    pub recipients: u32,
    /// Messages on hold.
    pub held_messages: u32,
    /// Their recipients.
    pub held_recipients: u32,
    /// When the oldest of those that wait came in.
    pub oldest: Option<Timestamp>,
}

impl Ledger {
    /// Everybody's mail in the queue.
    #[must_use]
    pub const fn everyone(&self) -> &Everyone {
        &self.everyone
    }

    /// How the number of *other* senders with standing mail has grown within the hour: 1.0 where it has not.
    #[must_use]
    pub fn crowd_growth(&self, entry: &Sender, at: Timestamp) -> f64 {
        let own = f64::from(u8::from(entry.backlog.in_crowd));
        let standing = f64::from(self.everyone.senders.standing(at)) - own;
        let before = f64::from(self.everyone.senders.hour_ago(at));
        ((standing.max(0.0) + ALWAYS) / (before + ALWAYS)).max(1.0)
    }

    /// What is in the queue, by sender; goes through all open messages.
    #[must_use]
    pub fn in_queue(&self) -> BTreeMap<SenderIndex, InQueue> {
        let mut found: BTreeMap<SenderIndex, InQueue> = BTreeMap::new();
        for message in self.messages.iter() {
            let sum = found.entry(message.sender).or_default();
            if message.held {
                sum.held_messages += 1;
                sum.held_recipients = sum.held_recipients.saturating_add(message.left);
            } else if message.left > 0 {
                sum.messages += 1;
                sum.recipients = sum.recipients.saturating_add(message.left);
                let oldest = sum.oldest.unwrap_or(message.arrived);
                sum.oldest = Some(oldest.min(message.arrived));
            }
        }
        found
    }

    /// A message was put on hold, or let go.
    pub fn hold(&mut self, at: Timestamp, message: MessageKey, held: bool) -> Option<SenderIndex> {
        let found = self.messages.get_mut(message)?;
        let sender = found.sender;
        if found.held != held {
            found.held = held;
            let left = found.left;
            let (more, less) = if held { (0, left) } else { (left, 0) };
            self.changes.message(message);
            self.queue_changes(at, sender, false, more, less);
        }
        Some(sender)
    }

    /// A recipient has its final answer, whoever gave it: it waits no longer.
    pub fn settled(&mut self, at: Timestamp, key: MessageKey) {
        let Some(message) = self.messages.get_mut(key) else {
            return;
        };
        if message.left == 0 {
            return;
        }
        message.left -= 1;
        let (sender, held) = (message.sender, message.held);
        self.changes.message(key);
        if !held {
            self.queue_changes(at, sender, false, 0, 1);
        }
    }

    /// A message is gone, and with it the recipients that still waited.
    pub(super) fn left_queue(&mut self, at: Timestamp, message: &Message) {
        if message.left > 0 && !message.held {
            self.queue_changes(at, message.sender, message.novel, 0, message.left);
        }
    }

    /// So many recipients of a sender entered the queue or left it.
    pub(super) fn queue_changes(
        &mut self,
        at: Timestamp,
        sender: SenderIndex,
        novel: bool,
        more: u32,
        less: u32,
    ) {
        self.changes.sender(sender);
        self.changes.everyone = true;
        let Ok(place) = usize::try_from(sender.0) else {
            return;
        };
        let Some(entry) = self.senders.get_mut(place) else {
            return;
        };
        // What more leaves than was counted in came in before the first record.
        let less = less.min(entry.backlog.level.now().saturating_add(more));
        entry.backlog.change(at, more, less);
        self.everyone.recipients.change(at, more, less);
        let waits = entry.backlog.level.now() > 0;
        let witness = !novel && !entry.is_young() && entry.is_clean(at);
        if !entry.backlog.in_crowd && waits && witness {
            entry.backlog.in_crowd = true;
            self.everyone.senders.change(at, 1, 0);
        } else if entry.backlog.in_crowd && !waits {
            entry.backlog.in_crowd = false;
            self.everyone.senders.change(at, 0, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{correlate::Origin, ledger::Setup};

    fn t(minutes: i64) -> Timestamp {
        Timestamp::from_seconds(1_772_409_600 + minutes * 60)
    }

    #[test]
    fn what_passes_through_is_no_backlog_and_what_stays_is() {
        let mut level = Level::default();
        level.change(t(0), 400, 0);
        assert_eq!((level.now(), level.standing(t(1))), (400, 0));
        level.change(t(2), 0, 370);
        assert_eq!(level.standing(t(4)), 0);
        assert_eq!(level.standing(t(11)), 30, "nothing changed since");
        level.change(t(12), 5, 0);
        assert_eq!(level.standing(t(12)), 30);
        assert_eq!(level.hour_ago(t(12)), 0);
    }

    #[test]
    fn an_hour_later_what_stands_is_no_growth_any_more() {
        let mut backlog = Backlog::default();
        backlog.change(t(0), 40, 0);
        assert_eq!(backlog.grown(t(10)), 40);
        assert_eq!(backlog.grown(t(59)), 40);
        assert_eq!(backlog.grown(t(70)), 0);
        backlog.change(t(71), 0, 40);
        assert_eq!(backlog.grown(t(90)), 0);
    }

    /// A message of `login` comes in and stays.
    fn submit(ledger: &mut Ledger, number: u64, login: &str, at: Timestamp) -> MessageKey {
        let origin = Origin {
            login: Some(login.into()),
            sender: Some(login.into()),
            client_address: "192.0.2.1".parse().ok(),
            ..Origin::default()
        };
        ledger.submission(at, MessageKey(number), &origin, 1, 900);
        MessageKey(number)
    }

    #[test]
    fn forty_new_accounts_and_one_loud_sender_make_no_crowd() {
        let mut ledger = Ledger::new(Setup::default());
        for day in 0..10 {
            let at = t(1440 * i64::try_from(day).unwrap());
            let key = submit(&mut ledger, 100 + day, "old@example.org", at);
            ledger.end(at, key);
        }
        for number in 0..40 {
            submit(
                &mut ledger,
                200 + number,
                &format!("new{number}"),
                t(14_400),
            );
        }
        assert_eq!(ledger.everyone().senders.now(), 0);
        for number in 0..400 {
            submit(&mut ledger, 300 + number, "old@example.org", t(14_401));
        }
        assert_eq!(ledger.everyone().senders.now(), 1);
        assert_eq!(ledger.everyone().recipients.now(), 440);
        let held = ledger.hold(t(14_402), MessageKey(300), true).unwrap();
        let queue = ledger.in_queue();
        assert_eq!(
            (queue[&held].messages, queue[&held].held_messages),
            (399, 1)
        );
        assert_eq!(queue[&held].oldest, Some(t(14_401)));
    }

    #[test]
    fn an_earlier_time_does_not_turn_the_spans_back() {
        let mut level = Level::default();
        level.change(t(60), 1, 0);
        level.change(t(0), 2, 0);
        assert_eq!((level.now(), level.standing(t(75))), (3, 3));
        level.change(t(100_000), 0, 7);
        assert_eq!(level.now(), 0);
    }
}
