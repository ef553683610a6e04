//! What kind of sender somebody is, as far as habit shows.
//!
//! Learned like the profile, once a day and only from days without suspicion, and it takes many days to change: within
//! the time in which a person looks, a thief cannot turn a person's account into one from which much mail is expected.

use serde::{Deserialize, Serialize};

use crate::mail::address;

/// The kinds that policies may tell apart.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A human being, or nothing known yet.
    #[default]
    Person,
    /// A newsletter, invoices: one letter for many.
    Bulk,
    /// Hands on what others wrote (SRS).
    Forwarder,
    /// A web shop or web application: single letters to ever new people, day and night.
    Application,
    /// A mailing list.
    List,
    /// Monitoring, cron, scanners: the same few recipients for ever.
    System,
}

impl Class {
    /// All of them by the names that files use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("person", Self::Person),
        ("bulk", Self::Bulk),
        ("forwarder", Self::Forwarder),
        ("application", Self::Application),
        ("list", Self::List),
        ("system", Self::System),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bulk => "bulk",
            Self::Forwarder => "forwarder",
            Self::Application => "application",
            Self::List => "list",
            Self::System => "system",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the running day showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Day {
    messages: f32,
    recipients: f32,
    /// Recipients tried, and those among them never written to before.
    tried: f32,
    strangers: f32,
    /// Messages whose envelope sender is rewritten by a forwarder (SRS).
    forwarded: f32,
    /// Messages whose envelope sender is a list's.
    listed: f32,
    /// Messages between midnight and six.
    night: f32,
}

impl Day {
    /// What kind of sender has such a day; mass mailings are counted apart.
    fn class(&self, networks: usize) -> Class {
        let of = |part: f32, all: f32| part / all.max(1.0);
        let single = networks <= 2 && of(self.recipients, self.messages) <= 1.7;
        let new = of(self.strangers, self.tried);
        if of(self.forwarded, self.messages) >= 0.5 {
            Class::Forwarder
        } else if of(self.listed, self.messages) >= 0.7 {
            Class::List
        } else if single
            && new <= 0.05
            && self.messages >= 3.0
            && of(self.night, self.messages) >= 0.12
        {
            Class::System
        } else if single && new >= 0.3 && self.messages >= 10.0 {
            Class::Application
        } else {
            Class::Person
        }
    }
}

/// Habits by which a class is told: every clean day speaks for one, whatever its volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Habits {
    today: Day,
    /// Clean active days that spoke for each class, in the order of [`Class::ALL`], fading.
    votes: [f32; 6],
    /// Clean active days with a mass mailing, fading slowly.
    mailings: f32,
    class: Class,
}

/// What one active day keeps of the days before.
const KEEP: f32 = 0.9;
/// The same of mass mailings, which are rarer.
const KEEP_MAILINGS: f32 = 0.97;
/// Recipients in ten minutes that make a mass mailing.
const MAILING: f64 = 100.0;
/// Mass mailings that make a bulk sender, and that let it remain one.
const BULK: f32 = 2.4;
const STILL_BULK: f32 = 0.8;
/// Faded days below which nothing is said.
const MIN_DAYS: f32 = 3.5;
/// Share of the days that makes a class, and that lets it remain. From the one to the other it takes more than a week.
const MOST: f32 = 0.6;
const STILL: f32 = 0.4;

impl Habits {
    /// The class that the habits show.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// A message came in, in that hour of the day.
    pub(super) fn bring(&mut self, envelope: &str, recipients: f64, hour: usize) {
        let today = &mut self.today;
        today.messages += 1.0;
        today.recipients += narrow(recipients);
        today.night += f32::from(u8::from(hour < 6));
        match envelope_kind(envelope) {
            Envelope::Forwarded => today.forwarded += 1.0,
            Envelope::List => today.listed += 1.0,
            Envelope::Plain => {}
        }
    }

    /// A recipient was tried, once more if `again`; how new it is (0 to 1).
    pub(super) fn tried(&mut self, again: bool, strangeness: f64) {
        if again {
            return;
        }
        self.today.tried += 1.0;
        self.today.strangers += narrow(strangeness);
    }

    /// The day is over: a clean one is learned. `peak`: its most recipients in ten minutes; `networks`: how many the
    /// sender has.
    pub(super) fn roll(&mut self, clean: bool, peak: f64, networks: usize) {
        let today = std::mem::take(&mut self.today);
        if !clean || today.messages < 0.5 {
            return;
        }
        let spoken = today.class(networks);
        for (vote, (_, class)) in self.votes.iter_mut().zip(Class::ALL) {
            *vote = *vote * KEEP + f32::from(u8::from(*class == spoken));
        }
        self.mailings = self.mailings * KEEP_MAILINGS + f32::from(u8::from(peak >= MAILING));
        self.class = self.finding();
    }

    /// Adds what another relay saw of the same sender.
    pub(super) fn merge(&mut self, theirs: &Self) {
        let (ours, more) = (&mut self.today, theirs.today);
        ours.messages += more.messages;
        ours.recipients += more.recipients;
        ours.tried += more.tried;
        ours.strangers += more.strangers;
        ours.forwarded += more.forwarded;
        ours.listed += more.listed;
        ours.night += more.night;
        for (ours, theirs) in self.votes.iter_mut().zip(theirs.votes) {
            *ours += theirs;
        }
        self.mailings = self.mailings.max(theirs.mailings);
        if self.class != theirs.class {
            self.class = Class::Person;
            self.class = self.finding();
        }
    }

    fn finding(&self) -> Class {
        let days: f32 = self.votes.iter().sum();
        if days < MIN_DAYS {
            return self.class;
        }
        let share = |class: Class| {
            let votes = self.votes.iter().zip(Class::ALL);
            let own = votes.filter(|(_, (_, known))| *known == class);
            own.map(|(vote, _)| vote / days).sum::<f32>()
        };
        let is_bulk = self.class == Class::Bulk;
        let mailings = if is_bulk { STILL_BULK } else { BULK };
        let most = Class::ALL
            .iter()
            .map(|(_, class)| *class)
            .find(|class| share(*class) >= MOST);
        match most {
            Some(class) if class != Class::Person => class,
            _ if self.mailings >= mailings => Class::Bulk,
            Some(class) => class,
            None if !is_bulk && share(self.class) >= STILL => self.class,
            None => Class::Person,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a number of recipients; its last digits do not matter"
)]
const fn narrow(number: f64) -> f32 {
    number as f32
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Envelope {
    Plain,
    Forwarded,
    List,
}

/// By the marks that forwarders and lists leave in an envelope sender.
fn envelope_kind(envelope: &str) -> Envelope {
    let local = address::split(envelope).map_or(envelope, |(local, _)| local);
    let bytes = local.as_bytes();
    let begins = |mark: &[u8]| {
        bytes
            .get(..mark.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(mark))
    };
    let holds = |mark: &[u8]| {
        bytes
            .windows(mark.len())
            .any(|part| part.eq_ignore_ascii_case(mark))
    };
    if ["srs0=", "srs0-", "srs0+", "srs1=", "srs1-", "srs1+"]
        .iter()
        .any(|mark| begins(mark.as_bytes()))
    {
        Envelope::Forwarded
    } else if holds(b"-bounce")
        || holds(b"bounce-")
        || holds(b"bounce+")
        || begins(b"owner-")
        || holds(b"-owner")
        || holds(b"-request")
    {
        Envelope::List
    } else {
        Envelope::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many days of `messages` to `recipients` each.
    fn days(habits: &mut Habits, number: u32, day: impl Fn(&mut Habits, u32) -> f64) {
        for today in 0..number {
            let peak = day(habits, today);
            habits.roll(true, peak, 1);
        }
    }

    #[test]
    fn each_kind_is_told_by_its_habits_and_a_person_stays_one() {
        type Day = fn(&mut Habits, u32) -> f64;
        let kinds: &[(Class, Day)] = &[
            (Class::Person, |habits, day| {
                for n in 0..20 {
                    habits.bring(
                        "anna@example.org",
                        1.0 + f64::from(n % 3),
                        9 + usize::try_from(n % 9).unwrap(),
                    );
                    habits.tried(false, f64::from(u8::from(n % 9 == 0)));
                }
                // Once a serial letter.
                if day == 5 { 150.0 } else { 12.0 }
            }),
            (Class::Bulk, |habits, day| {
                habits.bring("news@example.org", 50.0, 10);
                habits.tried(false, 0.02);
                if day % 2 == 0 { 900.0 } else { 1.0 }
            }),
            (Class::Forwarder, |habits, _| {
                for _ in 0..30 {
                    habits.bring("SRS0=ab=cd=example.net=x@fwd.example.org", 1.0, 11);
                    habits.tried(false, 0.0);
                }
                6.0
            }),
            (Class::List, |habits, _| {
                for _ in 0..30 {
                    habits.bring("talk-bounces+anna=example.net@lists.example.org", 10.0, 11);
                    habits.tried(false, 0.0);
                }
                300.0
            }),
            (Class::Application, |habits, _| {
                for n in 0..40 {
                    habits.bring("shop@example.org", 1.0, 8 + n % 14);
                    habits.tried(false, f64::from(u8::from(n % 3 > 0)));
                }
                9.0
            }),
            (Class::System, |habits, _| {
                for n in 0..24 {
                    habits.bring("monitor@example.org", 1.0, n);
                    habits.tried(false, 0.0);
                }
                4.0
            }),
        ];
        for (class, day) in kinds {
            let mut habits = Habits::default();
            days(&mut habits, 12, day);
            assert_eq!(habits.class(), *class);
        }
    }

    #[test]
    fn a_mass_mailing_of_two_days_makes_no_bulk_sender_of_a_person() {
        let mut habits = Habits::default();
        let person = |habits: &mut Habits, _| {
            for n in 0..20 {
                habits.bring("anna@example.org", 1.0, 9);
                habits.tried(false, f64::from(u8::from(n % 9 == 0)));
            }
            12.0
        };
        days(&mut habits, 12, person);
        let attack = |habits: &mut Habits, _| {
            for _ in 0..2000 {
                habits.bring("anna@example.org", 1.0, 3);
                habits.tried(false, 1.0);
            }
            800.0
        };
        days(&mut habits, 2, attack);
        assert_eq!(habits.class(), Class::Person);
        days(&mut habits, 12, person);
        assert_eq!(habits.class(), Class::Person);
    }

    #[test]
    fn days_under_suspicion_teach_nothing() {
        let mut habits = Habits::default();
        for _ in 0..30 {
            for _ in 0..200 {
                habits.bring("shop@example.org", 1.0, 9);
                habits.tried(false, 1.0);
            }
            habits.roll(false, 300.0, 1);
        }
        assert_eq!(habits.class(), Class::Person);
        assert_eq!(habits, Habits::default());
    }
}
