//! Mail without a login: when an envelope sender is somebody's habit, and when it is only what a message claims.
//!
//! Who writes a message chooses its envelope sender, so a sender is answerable only for mail of the same client that he
//! always used. A client may bring a few new senders a day (a new list, a new application); beyond that, and for a
//! sender who is at home at another client, the client itself is answerable. So nobody is convicted by forging his
//! address, and a client that forges many is convicted itself. A new sender becomes a habit after a day in which its
//! client was not suspected.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// New senders that a client may bring within a day.
const NEW_A_DAY: usize = 3;
/// Seconds after which a new sender is a habit.
const HABIT: i64 = 86_400;
/// Seconds after which an unused habit is forgotten when room is needed.
const UNUSED: i64 = 60 * 86_400;
/// Senders remembered of one client, and clients.
const MAX_SENDERS: usize = 2048;
const MAX_CLIENTS: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Use {
    first: i64,
    last: i64,
    /// True for one of the few that were believed at once.
    believed: bool,
}

/// Who is answerable for a message without a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answerable {
    /// Its envelope sender.
    Sender,
    /// Its client.
    Client,
}

/// What clients bring in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clients {
    clients: BTreeMap<u64, BTreeMap<u64, Use>>,
    /// How many clients a sender is a habit of.
    homes: BTreeMap<u64, u32>,
}

impl Clients {
    /// Who is answerable for mail of a sender (by hash) from a client (by hash); `clean`: the client is not suspected.
    pub(crate) fn who(&self, client: u64, sender: u64, at: Timestamp, clean: bool) -> Answerable {
        let now = at.seconds();
        let known = self.clients.get(&client).and_then(|c| c.get(&sender));
        let habit = match known {
            Some(found) => found.believed || clean && now - found.first >= HABIT,
            None => !self.homes.contains_key(&sender) && self.new_ones(client, now) < NEW_A_DAY,
        };
        if habit {
            Answerable::Sender
        } else {
            Answerable::Client
        }
    }

    /// Remembers that a client brought mail of a sender; true when that is worth saving.
    pub(crate) fn note(&mut self, client: u64, sender: u64, at: Timestamp, clean: bool) -> bool {
        let now = at.seconds();
        let who = self.who(client, sender, at, clean);
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            self.clients
                .retain(|_, senders| senders.values().any(|found| now - found.last < UNUSED));
        }
        let senders = self.clients.entry(client).or_default();
        if let Some(found) = senders.get_mut(&sender) {
            let rare = now - found.last > 3600;
            if rare {
                found.last = now;
            }
            if !found.believed && who == Answerable::Sender {
                found.believed = true;
                *self.homes.entry(sender).or_insert(0) += 1;
                return true;
            }
            return rare;
        }
        if senders.len() >= MAX_SENDERS {
            senders.retain(|_, found| found.believed && now - found.last < UNUSED);
        }
        if senders.len() >= MAX_SENDERS {
            return false;
        }
        let believed = who == Answerable::Sender;
        senders.insert(
            sender,
            Use {
                first: now,
                last: now,
                believed,
            },
        );
        if believed {
            *self.homes.entry(sender).or_insert(0) += 1;
        }
        true
    }

    /// The clients that a sender is a habit of.
    pub(crate) fn of(&self, sender: u64) -> Vec<u64> {
        self.clients
            .iter()
            .filter(|(_, senders)| senders.get(&sender).is_some_and(|found| found.believed))
            .map(|(client, _)| *client)
            .collect()
    }

    /// Senders that the client brought for the first time within a day and that were believed.
    fn new_ones(&self, client: u64, now: i64) -> usize {
        self.clients.get(&client).map_or(0, |senders| {
            senders
                .values()
                .filter(|found| found.believed && now - found.first < HABIT)
                .count()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(hours: i64) -> Timestamp {
        Timestamp::from_seconds(hours * 3600)
    }

    #[test]
    fn a_client_that_forges_many_senders_answers_itself() {
        let mut clients = Clients::default();
        let mut blamed = 0;
        for sender in 0..50 {
            if clients.who(1, sender, t(0), true) == Answerable::Client {
                blamed += 1;
            }
            clients.note(1, sender, t(0), true);
        }
        assert_eq!(blamed, 47);
    }

    #[test]
    fn a_sender_at_home_elsewhere_is_not_answerable_for_forged_mail() {
        let mut clients = Clients::default();
        for hour in 0..50 {
            clients.note(1, 7, t(hour), true);
        }
        assert_eq!(clients.who(1, 7, t(51), true), Answerable::Sender);
        assert_eq!(clients.who(2, 7, t(51), true), Answerable::Client);
    }

    #[test]
    fn the_senders_of_a_new_relay_become_habits_after_a_quiet_day() {
        let mut clients = Clients::default();
        for sender in 0..20 {
            clients.note(1, sender, t(0), true);
        }
        assert_eq!(clients.who(1, 9, t(1), true), Answerable::Client);
        assert_eq!(clients.who(1, 9, t(25), false), Answerable::Client);
        assert_eq!(clients.who(1, 9, t(25), true), Answerable::Sender);
    }
}
