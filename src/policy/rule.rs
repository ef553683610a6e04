//! One rule as it is in force for somebody: whether at all, what it gives, whether it may act, and its limits.
//!
//! Small and `Copy`, so that an override for one sender costs no allocation. The names of the keys are those of the
//! files; a measure lists its own ([`Measure::keys`]), and files, overrides and `explain` go by that list alone.

use std::fmt;

use crate::{
    ledger::counters::Picture,
    policy::{
        growth::Growth,
        refusals::{self, Refusals},
        verdict::{Mode, Verdict},
    },
};

/// What a rule measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Refused recipients and their share.
    Refusals(Refusals),
    /// The score.
    Score {
        /// Nats, at least.
        at_least: f64,
    },
    /// Mail that piles up in the queue.
    Queue(Growth),
}

/// A rule without its name and cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// False: it is not asked.
    pub enabled: bool,
    /// What it gives when it fires.
    pub verdict: Verdict,
    /// Whether it may act.
    pub mode: Mode,
    /// What it measures, with its limits.
    pub measure: Measure,
}

/// A key of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// As files write it.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// True when a policy must say it.
    pub required: bool,
}

/// What may stand behind a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, 0 or more.
    Number,
    /// `"25%"`.
    Share,
    /// A whole number from 1 to 16.
    Count,
    /// `"1h"` or `"1d"`.
    Window,
    /// Some of `list`, `content`, `rate`.
    Pictures,
    /// `"observe"` or `"enforce"`.
    Mode,
    /// A verdict above `clear`.
    Verdict,
    /// `true` or `false`.
    Flag,
}

/// A value of one of these kinds; printed as a file writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// [`Kind::Number`].
    Number(f64),
    /// [`Kind::Share`], from 0 to 1.
    Share(f64),
    /// [`Kind::Count`].
    Count(usize),
    /// [`Kind::Window`]; true: a day.
    Window(bool),
    /// [`Kind::Pictures`].
    Pictures(Pictures),
    /// [`Kind::Mode`].
    Mode(Mode),
    /// [`Kind::Verdict`].
    Verdict(Verdict),
    /// [`Kind::Flag`].
    Flag(bool),
}

/// A set of pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pictures([bool; 3]);

/// Keys that every rule has, whatever it measures.
pub(super) const COMMON: &[Key] = &[
    Key::optional("enabled", Kind::Flag),
    Key::required("verdict", Kind::Verdict),
    Key::optional("mode", Kind::Mode),
];

const SCORE: &[Key] = &[Key::required("score_at_least", Kind::Number)];

impl Key {
    pub(super) const fn required(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            required: true,
        }
    }

    pub(super) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            required: false,
        }
    }
}

impl Measure {
    /// Every measure by the name that files give it, without any limit set.
    pub(super) const ALL: &'static [(&'static str, Self)] = &[
        ("refusals", Self::Refusals(Refusals::UNSET)),
        ("score", Self::Score { at_least: 0.0 }),
        ("queue", Self::Queue(Growth::UNSET)),
    ];

    /// Its name in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refusals(_) => "refusals",
            Self::Score { .. } => "score",
            Self::Queue(_) => "queue",
        }
    }

    /// Its keys.
    #[must_use]
    pub const fn keys(&self) -> &'static [Key] {
        match self {
            Self::Refusals(_) => Refusals::KEYS,
            Self::Score { .. } => SCORE,
            Self::Queue(_) => Growth::KEYS,
        }
    }

    fn get(&self, key: &str) -> Option<Value> {
        match self {
            Self::Refusals(refusals) => refusals.get(key),
            Self::Score { at_least } => {
                (key == "score_at_least").then_some(Value::Number(*at_least))
            }
            Self::Queue(growth) => growth.get(key),
        }
    }

    fn set(&mut self, key: &str, value: Value) {
        match (self, value) {
            (Self::Refusals(refusals), value) => refusals.set(key, value),
            (Self::Score { at_least }, Value::Number(number)) if key == "score_at_least" => {
                *at_least = number;
            }
            (Self::Queue(growth), value) => growth.set(key, value),
            (Self::Score { .. }, _) => {}
        }
    }
}

impl Rule {
    /// The value of a key; `None` for a key that the rule does not have.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        match key {
            "enabled" => Some(Value::Flag(self.enabled)),
            "verdict" => Some(Value::Verdict(self.verdict)),
            "mode" => Some(Value::Mode(self.mode)),
            _ => self.measure.get(key),
        }
    }

    /// Sets a key; one that the rule does not have, or a value of another kind, changes nothing.
    pub(super) fn set(&mut self, key: &str, value: Value) {
        match (key, value) {
            ("enabled", Value::Flag(enabled)) => self.enabled = enabled,
            ("verdict", Value::Verdict(verdict)) => self.verdict = verdict,
            ("mode", Value::Mode(mode)) => self.mode = mode,
            _ => self.measure.set(key, value),
        }
    }

    /// All its keys, those of every rule first.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        COMMON.iter().chain(self.measure.keys())
    }
}

impl Pictures {
    /// None of them.
    pub const NONE: Self = Self([false; 3]);

    /// With one more.
    #[must_use]
    pub const fn with(self, picture: Picture) -> Self {
        let [list, content, rate] = self.0;
        Self(match picture {
            Picture::List => [true, content, rate],
            Picture::Content => [list, true, rate],
            Picture::Rate => [list, content, true],
        })
    }

    /// True for one of them.
    #[must_use]
    pub const fn contains(self, picture: Picture) -> bool {
        let [list, content, rate] = self.0;
        match picture {
            Picture::List => list,
            Picture::Content => content,
            Picture::Rate => rate,
        }
    }

    /// Those in it.
    pub fn iter(self) -> impl Iterator<Item = Picture> {
        Picture::ALL
            .into_iter()
            .filter(move |picture| self.contains(*picture))
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Share(share) => write!(f, "\"{}%\"", (share * 1000.0).round() / 10.0),
            Self::Count(count) => write!(f, "{count}"),
            Self::Window(day) => f.write_str(if *day { "\"1d\"" } else { "\"1h\"" }),
            Self::Pictures(pictures) => {
                let names: Vec<String> = pictures
                    .iter()
                    .map(|picture| format!("\"{}\"", refusals::name(picture)))
                    .collect();
                write!(f, "[{}]", names.join(", "))
            }
            Self::Mode(Mode::Observe) => f.write_str("\"observe\""),
            Self::Mode(Mode::Enforce) => f.write_str("\"enforce\""),
            Self::Verdict(verdict) => write!(f, "\"{verdict}\""),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}
