//! Whose fault: what a destination, or every destination, answers everybody else just now.
//!
//! Over the running and the previous quarter of an hour, per mail operator and for the whole site: how many senders
//! (familiar network, not suspected) met a refusal of the same picture. Senders count, not messages: each weighs at
//! most one, so one loud sender makes no weather; novel traffic is left out, so forty stolen accounts do not either;
//! and trouble counts for the whole site only when it comes from several operators, so nobody's own server does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ledger::{
        counters::Picture,
        numbers::{self, ByNumber},
    },
    time::Timestamp,
};

/// Seconds of one slot.
const SLOT: i64 = 900;
/// Operators kept; the longest quiet go first.
const MAX_OPERATORS: usize = 20_000;

/// What may be everybody's trouble: the pictures of an attack, and that our address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Of(Picture),
    Address,
}

impl Kind {
    const ALL: [Self; 4] = [
        Self::Of(Picture::List),
        Self::Of(Picture::Content),
        Self::Of(Picture::Rate),
        Self::Address,
    ];
}

/// One number per kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PerKind([f64; 4]);

impl PerKind {
    fn get(&self, kind: Kind) -> f64 {
        self.0.get(position(kind)).copied().unwrap_or(0.0)
    }

    fn add(&mut self, kind: Kind, more: f64) {
        if let Some(sum) = self.0.get_mut(position(kind)) {
            *sum += more;
        }
    }
}

/// One sender's attempts at one place within a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Share {
    attempts: f64,
    refused: PerKind,
}

impl Share {
    fn of(&self, kind: Kind) -> f64 {
        if self.attempts > 0.0 {
            self.refused.get(kind) / self.attempts
        } else {
            0.0
        }
    }
}

/// One quarter of an hour at one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Slot {
    number: i64,
    #[serde(with = "numbers::sorted")]
    senders: ByNumber<u32, Share>,
    sums: PerKind,
    operators: [BTreeSet<u32>; 4],
}

impl Slot {
    /// Begins anew; the table keeps its room.
    fn begin(&mut self, number: i64) {
        self.number = number;
        self.senders.clear();
        self.sums = PerKind::default();
        self.operators = Default::default();
    }
}

/// The running and the previous slot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Place {
    current: Slot,
    previous: Slot,
}

impl Place {
    fn advance(&mut self, number: i64) {
        if number <= self.current.number {
            return;
        }
        std::mem::swap(&mut self.current, &mut self.previous);
        if self.previous.number != number - 1 {
            self.previous = Slot::default();
        }
        self.current.begin(number);
    }

    fn note(&mut self, number: i64, sender: u32, refused: [Option<Kind>; 2], operator: u32) {
        self.advance(number);
        let slot = &mut self.current;
        let share = slot.senders.entry(sender).or_default();
        // Mostly nothing was refused, and nothing is.
        if refused == [None, None] && share.refused == PerKind::default() {
            share.attempts += 1.0;
            return;
        }
        let before = Kind::ALL.map(|kind| share.of(kind));
        share.attempts += 1.0;
        for kind in refused.into_iter().flatten() {
            share.refused.add(kind, 1.0);
            if let Some(operators) = slot.operators.get_mut(position(kind))
                && operators.len() < 64
            {
                operators.insert(operator);
            }
        }
        for (kind, before) in Kind::ALL.into_iter().zip(before) {
            slot.sums.add(kind, share.of(kind) - before);
        }
    }

    /// Senders other than `except`, how much of their traffic meets this refusal, and at how many operators.
    fn others(&self, number: i64, except: Option<u32>, kind: Kind) -> Others {
        let mut found = Others::default();
        let mut operators: BTreeSet<u32> = BTreeSet::new();
        for slot in [&self.current, &self.previous] {
            if slot.number < number - 1 {
                continue;
            }
            found.senders += slot.senders.len() as f64;
            found.refused += slot.sums.get(kind);
            if let Some(own) = except.and_then(|sender| slot.senders.get(&sender)) {
                found.senders -= 1.0;
                found.refused -= own.of(kind);
            }
            operators.extend(slot.operators.get(position(kind)).into_iter().flatten());
        }
        found.refused = found.refused.max(0.0);
        found.operators = operators.len();
        found
    }
}

const fn position(kind: Kind) -> usize {
    match kind {
        Kind::Of(Picture::List) => 0,
        Kind::Of(Picture::Content) => 1,
        Kind::Of(Picture::Rate) => 2,
        Kind::Address => 3,
    }
}

/// What other senders meet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Others {
    /// How many (a sender counts once a slot).
    pub senders: f64,
    /// Sum of their refused shares.
    pub refused: f64,
    /// Operators that refused.
    pub operators: usize,
}

/// The control group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weather {
    #[serde(with = "numbers::sorted")]
    operators: ByNumber<u32, Place>,
    site: Place,
    storms: BTreeMap<(u32, Picture), Timestamp>,
    #[serde(skip)]
    news: Vec<Storm>,
}

/// Trouble that everybody meets: an operator, the whole site ([`SITE`]), or our own address ([`ADDRESS`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// Event time of its beginning or end.
    pub at: Timestamp,
    /// Number of the operator, or one of the two that stand for none.
    pub operator: u32,
    /// What is refused.
    pub picture: Picture,
    /// True when it began.
    pub began: bool,
}

/// Stands for every operator.
pub const SITE: u32 = 0;
/// Stands for our own address, which several operators refuse.
pub const ADDRESS: u32 = u32::MAX;
/// Slots without a sign after which trouble is over.
const OVER: i64 = 3;

impl Weather {
    /// Records an attempt of a familiar, unsuspected sender.
    pub fn note(
        &mut self,
        at: Timestamp,
        sender: u32,
        operator: u32,
        picture: Option<Picture>,
        about_us: bool,
    ) {
        let number = at.seconds().div_euclid(SLOT);
        self.bound(number);
        let kind = picture.map(Kind::Of);
        let address = about_us.then_some(Kind::Address);
        self.operators
            .entry(operator)
            .or_default()
            .note(number, sender, [kind, None], operator);
        self.site.note(number, sender, [kind, address], operator);
        if let Some(picture) = picture {
            self.watch(at, number, operator, picture);
        }
        if about_us && self.is_listed(number, None) {
            self.begin(at, ADDRESS, Picture::Content);
        }
        self.settle(at);
    }

    /// When the next storm is over unless there are new signs of it.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let last = self.storms.values().min()?;
        let slot = last.seconds().div_euclid(SLOT) + OVER;
        Some(Timestamp::from_seconds(slot * SLOT))
    }

    /// Ends what has not been seen for two slots. True when there is news.
    pub fn settle(&mut self, at: Timestamp) -> bool {
        if self.deadline().is_none_or(|deadline| deadline > at) {
            return false;
        }
        self.calm(at, at.seconds().div_euclid(SLOT));
        true
    }

    /// How far a refusal is common property just now, from 0 (this sender's alone) to 1 (everybody's).
    #[must_use]
    pub fn common(&self, at: Timestamp, sender: u32, operator: u32, picture: Picture) -> f64 {
        let number = at.seconds().div_euclid(SLOT);
        if self.stormy_site(number, Some(sender), picture) {
            return 1.0;
        }
        let Some(others) = self
            .operators
            .get(&operator)
            .map(|place| place.others(number, Some(sender), Kind::Of(picture)))
            .filter(|others| others.senders >= 2.0)
        else {
            return 0.0;
        };
        let share = others.refused / (others.senders + 2.0);
        if share > 0.25 && others.refused >= 1.5 {
            1.0
        } else {
            share
        }
    }

    /// What others meet at an operator, for the words of an explanation.
    #[must_use]
    pub fn others(&self, at: Timestamp, sender: u32, operator: u32, picture: Picture) -> Others {
        let number = at.seconds().div_euclid(SLOT);
        self.operators
            .get(&operator)
            .map(|place| place.others(number, Some(sender), Kind::Of(picture)))
            .unwrap_or_default()
    }

    /// True when several operators tell several other senders that our address is refused: then an unexplained refusal
    /// is about the address as well.
    #[must_use]
    pub fn listed(&self, at: Timestamp, sender: u32) -> bool {
        self.is_listed(at.seconds().div_euclid(SLOT), Some(sender))
    }

    fn is_listed(&self, number: i64, except: Option<u32>) -> bool {
        let others = self.site.others(number, except, Kind::Address);
        others.operators >= 3
            && others.refused > 1.5
            && others.refused / (others.senders + 6.0) > 0.04
    }

    fn stormy_site(&self, number: i64, except: Option<u32>, picture: Picture) -> bool {
        // Unknown recipients are never put down to the site: only to one operator's directory.
        if picture == Picture::List {
            return false;
        }
        let others = self.site.others(number, except, Kind::Of(picture));
        let share = others.refused / (others.senders + 6.0);
        others.operators >= 3 && share > 0.06 && others.refused > 4.0
    }

    fn watch(&mut self, at: Timestamp, number: i64, operator: u32, picture: Picture) {
        if self.stormy_site(number, None, picture) {
            self.begin(at, SITE, picture);
        }
        let others = self
            .operators
            .get(&operator)
            .map(|place| place.others(number, None, Kind::Of(picture)))
            .unwrap_or_default();
        // An alert wants more witnesses than leaving a refusal uncounted does.
        if others.refused >= 3.0 && others.refused / (others.senders + 2.0) > 0.25 {
            self.begin(at, operator, picture);
        }
    }

    fn begin(&mut self, at: Timestamp, operator: u32, picture: Picture) {
        if self.storms.insert((operator, picture), at).is_none() {
            self.news.push(Storm {
                at,
                operator,
                picture,
                began: true,
            });
        }
    }

    fn calm(&mut self, at: Timestamp, number: i64) {
        let news = &mut self.news;
        self.storms.retain(|(operator, picture), last| {
            let over = last.seconds().div_euclid(SLOT) + OVER <= number;
            if over {
                news.push(Storm {
                    at,
                    operator: *operator,
                    picture: *picture,
                    began: false,
                });
            }
            !over
        });
    }

    fn bound(&mut self, number: i64) {
        if self.operators.len() >= MAX_OPERATORS {
            self.operators
                .retain(|_, place| place.current.number >= number - 1);
        }
    }

    /// Beginnings and ends since the last call.
    pub fn take_news(&mut self) -> Vec<Storm> {
        std::mem::take(&mut self.news)
    }
}
