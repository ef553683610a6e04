//! The plain rule: so many recipients refused, and that is such a share of what was answered.

use std::time::Duration;

use crate::{
    ledger::{
        counters::{Counters, Counts, DAY, HOUR, Picture},
        sender::{Refusal, Sender},
    },
    policy::rule::{Key, Kind, Pictures, Value},
    time::Timestamp,
};

/// The limits of one such rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusals {
    /// True for the day's sums, false for the hour's.
    pub day: bool,
    /// What counts.
    pub count: Pictures,
    /// Recipients refused, at least.
    pub at_least: f64,
    /// Share of final answers, at least.
    pub share: f64,
    /// Refusals for the content or the sender among them, at least: a stale list has none.
    pub content: f64,
    /// Refusals among the last sixteen that call the mail or the sender abusive in so many words, at least.
    pub abuse: f64,
    /// Share of recipients that the sender had not written to before, at least.
    pub strangers: f64,
    /// Answers on record of earlier days, at most: for senders of whom nothing is known. None: whatever the past.
    pub past: Option<f64>,
    /// Messages that intake put off because the sender is slowed, at least: who goes on in spite of it.
    pub put_off: f64,
    /// True where only mail counts that came over networks which are new for the sender.
    pub novel: bool,
    /// Mail operators that refused, at least (among the last sixteen refusals).
    pub operators: usize,
}

impl Refusals {
    /// Nothing is limited yet: what a file leaves out.
    pub(super) const UNSET: Self = Self {
        day: false,
        count: Pictures::NONE.with(Picture::List).with(Picture::Content),
        at_least: 0.0,
        share: 0.0,
        content: 0.0,
        abuse: 0.0,
        strangers: 0.0,
        past: None,
        put_off: 0.0,
        novel: false,
        operators: 1,
    };

    /// Its keys in files.
    pub(super) const KEYS: &'static [Key] = &[
        Key::optional("within", Kind::Window),
        Key::optional("count", Kind::Pictures),
        Key::required("refused_at_least", Kind::Number),
        Key::required("refused_share", Kind::Share),
        Key::optional("content_at_least", Kind::Number),
        Key::optional("abuse_at_least", Kind::Number),
        Key::optional("strangers_at_least", Kind::Share),
        Key::optional("past_at_most", Kind::Number),
        Key::optional("put_off_at_least", Kind::Number),
        Key::optional("new_network", Kind::Flag),
        Key::optional("operators_at_least", Kind::Count),
    ];

    pub(super) fn get(&self, key: &str) -> Option<Value> {
        Some(match key {
            "within" => Value::Window(self.day),
            "count" => Value::Pictures(self.count),
            "refused_at_least" => Value::Number(self.at_least),
            "refused_share" => Value::Share(self.share),
            "content_at_least" => Value::Number(self.content),
            "abuse_at_least" => Value::Number(self.abuse),
            "strangers_at_least" => Value::Share(self.strangers),
            "past_at_most" => Value::Number(self.past?),
            "put_off_at_least" => Value::Number(self.put_off),
            "new_network" => Value::Flag(self.novel),
            "operators_at_least" => Value::Count(self.operators),
            _ => return None,
        })
    }

    pub(super) fn set(&mut self, key: &str, value: Value) {
        match (key, value) {
            ("within", Value::Window(day)) => self.day = day,
            ("count", Value::Pictures(count)) => self.count = count,
            ("refused_at_least", Value::Number(number)) => self.at_least = number,
            ("refused_share", Value::Share(share)) => self.share = share,
            ("content_at_least", Value::Number(number)) => self.content = number,
            ("abuse_at_least", Value::Number(number)) => self.abuse = number,
            ("strangers_at_least", Value::Share(share)) => self.strangers = share,
            ("past_at_most", Value::Number(number)) => self.past = Some(number),
            ("put_off_at_least", Value::Number(number)) => self.put_off = number,
            ("new_network", Value::Flag(novel)) => self.novel = novel,
            ("operators_at_least", Value::Count(count)) => self.operators = count,
            _ => {}
        }
    }

    /// Reads the window: an hour or a day.
    #[must_use]
    pub fn window(within: Duration) -> Option<bool> {
        match within.as_secs() {
            3600 => Some(false),
            86_400 => Some(true),
            _ => None,
        }
    }

    /// True when the sender is over every limit.
    #[must_use]
    pub fn fires(&self, sender: &Sender, at: Timestamp) -> bool {
        if self.most(sender) < 0.5 {
            return false;
        }
        let (refused, answered) = self.sums(sender, at);
        if refused < 0.5
            || self.past.is_some_and(|past| sender.usual.answered > past)
            || self.strangers(sender, at) < self.strangers
            || self.abuse(sender, at) < 0.9 * self.abuse
        {
            return false;
        }
        if self.put_off > 0.0 && self.put_off(sender, at) < 0.9 * self.put_off {
            return false;
        }
        if self.content > 0.0 && self.sum(sender, at, Picture::Content) < 0.9 * self.content {
            return false;
        }
        refused.max(self.one_by_one(sender, at)) >= self.at_least
            && refused >= self.share * answered.max(1.0)
            && (self.operators <= 1 || self.operators_of(sender) >= self.operators)
    }

    /// Refused recipients before they fade, which only takes away: most senders have none, and need no exponential.
    fn most(&self, sender: &Sender) -> f64 {
        let familiar = (!self.novel).then_some(&sender.familiar);
        let contexts = familiar.into_iter().chain([&sender.novel]);
        contexts
            .flat_map(|context| {
                let refused = &self.horizon(context).refused;
                self.count.iter().map(|picture| refused.get(picture))
            })
            .sum()
    }

    /// The contexts that count, faded.
    fn contexts(&self, sender: &Sender, at: Timestamp) -> impl Iterator<Item = Counters> + use<> {
        let familiar = (!self.novel).then_some(sender.familiar);
        familiar
            .into_iter()
            .chain([sender.novel])
            .map(move |mut context| {
                context.fade(at);
                context
            })
    }

    /// Refusals of one picture.
    pub(super) fn sum(&self, sender: &Sender, at: Timestamp, picture: Picture) -> f64 {
        self.contexts(sender, at)
            .map(|context| self.horizon(&context).refused.get(picture))
            .sum()
    }

    /// Refusals within the window, counted one by one (exact up to sixteen; the faded sum lags behind).
    pub(super) fn one_by_one(&self, sender: &Sender, at: Timestamp) -> f64 {
        self.lately(sender, at, |_| true)
    }

    /// Those among them that call the mail abusive.
    pub(super) fn abuse(&self, sender: &Sender, at: Timestamp) -> f64 {
        self.lately(sender, at, |refusal| refusal.abuse)
    }

    fn lately(&self, sender: &Sender, at: Timestamp, which: impl Fn(&Refusal) -> bool) -> f64 {
        let window = if self.day { DAY } else { HOUR };
        sender
            .recent
            .iter()
            .filter(|refusal| {
                self.count.contains(refusal.picture)
                    && (refusal.novel || !self.novel)
                    && at.seconds_since(refusal.at) < window
                    && which(refusal)
            })
            .map(|refusal| refusal.weight)
            // `sum` of nothing is minus zero, and would be printed so.
            .fold(0.0, |sum, weight| sum + weight)
    }

    /// Messages that were put off.
    pub(super) fn put_off(&self, sender: &Sender, at: Timestamp) -> f64 {
        self.contexts(sender, at)
            .map(|context| self.horizon(&context).put_off)
            .sum()
    }

    /// Share of recipients that the sender had not written to before.
    pub(super) fn strangers(&self, sender: &Sender, at: Timestamp) -> f64 {
        let (mut strangers, mut tried) = (0.0, 0.0);
        for context in self.contexts(sender, at) {
            let counts = self.horizon(&context);
            strangers += counts.strangers;
            tried += counts.tried;
        }
        strangers / f64::max(tried, 1.0)
    }

    /// Refused and answered recipients of both contexts.
    pub(super) fn sums(&self, sender: &Sender, at: Timestamp) -> (f64, f64) {
        let mut refused = 0.0;
        let mut answered = 0.0;
        for context in self.contexts(sender, at) {
            let counts = self.horizon(&context);
            answered += counts.answered;
            for picture in self.count.iter() {
                refused += counts.refused.get(picture);
            }
        }
        (refused, answered)
    }

    const fn horizon<'c>(&self, context: &'c Counters) -> &'c Counts {
        if self.day {
            &context.day
        } else {
            &context.hour
        }
    }

    pub(super) fn operators_of(&self, sender: &Sender) -> usize {
        let mut operators: Vec<u32> = sender
            .recent
            .iter()
            .filter(|refusal| {
                refusal.weight > 0.0
                    && self.count.contains(refusal.picture)
                    && (refusal.novel || !self.novel)
            })
            .map(|refusal| refusal.operator)
            .collect();
        operators.sort_unstable();
        operators.dedup();
        operators.len()
    }

    /// Where the mail comes from that counts, to be appended to a sentence.
    pub(super) const fn place(&self) -> &'static str {
        if self.novel {
            ", of mail from networks where this sender never was"
        } else {
            ""
        }
    }
}

/// Name of a picture in policy files and signals.
#[must_use]
pub(super) const fn name(picture: Picture) -> &'static str {
    match picture {
        Picture::List => "list",
        Picture::Content => "content",
        Picture::Rate => "rate",
    }
}

/// A picture in plain words, after a number of recipients.
#[must_use]
pub(super) const fn words(picture: Picture) -> &'static str {
    match picture {
        Picture::List => "do not exist",
        Picture::Content => "were refused for the content or the sender",
        Picture::Rate => "were put off because of the content or the sender",
    }
}
