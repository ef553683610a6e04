//! How usual networks are among all our senders, and what a new one says of the sender who comes from it.
//!
//! With countries (a GeoIP table) an unused network of a country nobody writes from speaks loudest. Without, networks
//! are prefixes: two rates are learned, how often honest senders come to a network that others use, and how often to one
//! that hardly anybody does; each sender's own habit is shrunk to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    ledger::{counters::DAY, network::Place, profile::Home, sender::Sender},
    time::Timestamp,
};

/// How usual networks and countries are among all our senders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Neighbourhood {
    networks: BTreeMap<u64, f64>,
    countries: BTreeMap<[u8; 2], f64>,
    adoptions: f64,
    in_countries: f64,
    /// Active days of senders with a record, fading.
    days: f64,
    /// Networks that they came to for the first time: shared ones and lonely ones.
    met: Habit,
}

/// New networks: those that several others use, and those that hardly anybody does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Habit {
    /// Used by at least three of our senders.
    pub shared: f64,
    /// Used by fewer.
    pub lonely: f64,
}

impl Habit {
    /// Fades both.
    pub fn scale(&mut self, keep: f64) {
        self.shared *= keep;
        self.lonely *= keep;
    }

    fn add(&mut self, shared: bool) {
        if shared {
            self.shared += 1.0;
        } else {
            self.lonely += 1.0;
        }
    }

    /// Both together.
    #[must_use]
    pub fn all(self) -> f64 {
        self.shared + self.lonely
    }
}

/// Pseudo-senders that stand for what we have not seen.
const PRIOR: f64 = 100.0;
/// Users from which on a network is a shared one.
const SHARED: f64 = 3.0;
/// The most that a new network may say (nats); of the very first one of a sender less.
const CEILING: f64 = 6.0;
const FIRST_CEILING: f64 = 3.0;
/// A new account in a place below this is at home there at once.
const ORDINARY: f64 = 2.0;
/// New networks within an hour that a person may well have: the office, the telephone, the sofa.
const AT_ONCE: usize = 3;
/// What each further one says (nats), and the most that they say together.
const HURRY: f64 = 1.0;
const HURRY_CEILING: f64 = 3.5;
/// Active days of our senders after which half of what is unusual for a newcomer may be told from what is new to us.
const HALF_TAUGHT: f64 = 30.0;
/// How likely a thief comes from a network that is new for his victim.
const THIEF_IS_NEW: f64 = 0.85;
/// Share of thieves' networks that several of our senders use.
const THIEF_SHARED: f64 = 0.25;
/// Days of everybody's habit that a sender's own is mixed with. Some senders change between shared networks daily and
/// others never; lonely ones are met on journeys, which anybody may make.
const SHARED_DAYS: f64 = 10.0;
const LONELY_DAYS: f64 = 40.0;

impl Neighbourhood {
    /// Senders that adopted the network.
    #[must_use]
    pub fn users(&self, network: u64) -> f64 {
        self.networks.get(&network).copied().unwrap_or(0.0)
    }

    /// A sender with a record was active on one more day.
    pub(super) fn day(&mut self) {
        let keep = 1.0 - 1.0 / 1500.0;
        self.met.scale(keep);
        self.days = self.days * keep + 1.0;
    }

    /// How much we know of our senders (0 to 1): on the first day every sender and every recipient is new.
    #[must_use]
    pub fn experience(&self) -> f64 {
        self.days / (self.days + HALF_TAUGHT)
    }

    fn is_shared(&self, place: Place) -> bool {
        self.users(place.network) >= SHARED
    }

    /// How likely a sender of ours is to come from this place, with countries known.
    fn share(&self, place: Place, country: [u8; 2]) -> f64 {
        let country = self.countries.get(&country).copied().unwrap_or(0.0);
        let country = (country + 0.05) / (self.in_countries + 3.0);
        (self.users(place.network) + PRIOR * country / 40.0) / (self.adoptions + PRIOR)
    }

    /// Adds what another relay learned of everybody's habits.
    pub(super) fn merge(&mut self, theirs: &Self) {
        self.days += theirs.days;
        self.met.shared += theirs.met.shared;
        self.met.lonely += theirs.met.lonely;
    }

    /// Counts anew who uses which network.
    pub(super) fn recount<'h>(&mut self, homes: impl Iterator<Item = &'h Home>) {
        self.networks.clear();
        self.countries.clear();
        (self.adoptions, self.in_countries) = (0.0, 0.0);
        for home in homes.filter(|home| home.adopted) {
            self.adopt(Place {
                network: home.network,
                country: home.country,
            });
        }
    }

    /// Takes an adoption back.
    fn forsake(&mut self, home: Home) {
        if let Some(users) = self.networks.get_mut(&home.network) {
            *users = (*users - 1.0).max(0.0);
            self.adoptions = (self.adoptions - 1.0).max(0.0);
        }
        if let Some(users) = home.country.and_then(|cc| self.countries.get_mut(&cc)) {
            *users = (*users - 1.0).max(0.0);
            self.in_countries = (self.in_countries - 1.0).max(0.0);
        }
    }

    fn adopt(&mut self, place: Place) {
        *self.networks.entry(place.network).or_insert(0.0) += 1.0;
        self.adoptions += 1.0;
        if let Some(country) = place.country {
            *self.countries.entry(country).or_insert(0.0) += 1.0;
            self.in_countries += 1.0;
        }
    }

    /// Updates what is known of a sender's network; true when it is new for this sender.
    ///
    /// A network is adopted after a day without suspicion; an ordinary one of a young sender at once, unless it has more
    /// of them within an hour than a person has places to be.
    pub(super) fn meet(&mut self, sender: &mut Sender, place: Place, at: Timestamp) -> bool {
        let clean = sender.is_clean(at);
        if let Some(home) = sender.homes.get_mut(place.network) {
            home.last = home.last.max(at);
            if !home.adopted && clean && at.seconds_since(home.first) > DAY {
                home.adopted = true;
                self.adopt(place);
            }
            return !home.adopted;
        }
        let surprise = self.surprise(sender, place);
        let young = sender.active_days < 3.0;
        let many = (sender.homes.met_lately(at) + 1).saturating_sub(AT_ONCE);
        if many > 0 {
            for home in sender.homes.doubt(at) {
                self.forsake(home);
            }
        }
        let surprise = surprise.max((HURRY * many as f64).min(HURRY_CEILING));
        let adopted = young && surprise < ORDINARY && many == 0;
        let faded = sender.network_met.map_or(f64::NEG_INFINITY, |met| {
            sender.network_surprise * (-at.seconds_since(met) / (DAY / 2.0)).exp()
        });
        sender.network_surprise = surprise.max(faded);
        sender.network_met = Some(at);
        let shared = self.is_shared(place);
        sender.homes.new.add(shared);
        // One sender is one witness a day: a stolen account with a thousand addresses teaches nothing.
        if !young && clean && sender.homes.witnessed < sender.day {
            sender.homes.witnessed = sender.day;
            self.met.add(shared);
        }
        sender.homes.add(Home {
            network: place.network,
            country: place.country,
            first: at,
            last: at,
            adopted,
        });
        if adopted {
            self.adopt(place);
        }
        !adopted
    }

    /// How much a new network speaks for a thief (nats): the sender's own habit of new networks, and how usual this one
    /// is among all our senders, against what thieves use.
    fn surprise(&self, sender: &Sender, place: Place) -> f64 {
        if sender.homes.is_empty() {
            // The first network of a sender is judged by its country alone.
            return place.country.map_or(0.0, |country| {
                self.foreign(place, country).clamp(-0.5, FIRST_CEILING)
            });
        }
        let young = sender.active_days < 3.0;
        let by_country = place.country.map_or(f64::NEG_INFINITY, |country| {
            let own = (sender.homes.new.all() + 0.5) / (sender.active_days + 15.0);
            let habit = if young {
                0.0
            } else {
                (THIEF_IS_NEW / own.min(THIEF_IS_NEW)).ln()
            };
            self.foreign(place, country) + habit
        });
        by_country
            .max(self.by_habit(sender, place))
            .clamp(-0.5, CEILING)
    }

    /// How unusual the place is among all our senders, with countries known.
    fn foreign(&self, place: Place, country: [u8; 2]) -> f64 {
        let usual = self.share(place, country);
        let thief = 0.35 * usual + 0.65 / 1500.0;
        (thief / usual).ln()
    }

    /// How unusual it is for this sender to come to a new shared, or a new lonely, network.
    fn by_habit(&self, sender: &Sender, place: Place) -> f64 {
        let own = sender.homes.new;
        let (thief, own, all, strength, prior) = if self.is_shared(place) {
            (THIEF_SHARED, own.shared, self.met.shared, SHARED_DAYS, 10.0)
        } else {
            (
                1.0 - THIEF_SHARED,
                own.lonely,
                self.met.lonely,
                LONELY_DAYS,
                15.0,
            )
        };
        // Before much is learned every new network is an ordinary one.
        let everybody = (all + prior) / (self.days + 100.0);
        let habit = (own + strength * everybody) / (sender.active_days + strength);
        (THIEF_IS_NEW * thief / habit.min(THIEF_IS_NEW)).ln()
    }
}
