//! What lookups may see: an immutable picture that the engine publishes and servers answer from.
//!
//! In observe mode the picture is empty: an answer that touches mail can only come from an enforced incident or an enforced
//! `slow`.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use crate::{
    engine::{allowance::Allowance, turnstile::Pass},
    ledger::{
        SenderId,
        network::{self, Geo},
    },
    mail::address,
    policy::Verdict,
    time::Timestamp,
};

/// The picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// Logins under conviction, lower-cased.
    pub logins: HashMap<String, Conviction>,
    /// Envelope senders under conviction (mail without a login only), lower-cased and folded.
    pub senders: HashMap<String, Conviction>,
    /// Client addresses under conviction (mail without a login only).
    pub clients: HashMap<IpAddr, Conviction>,
    /// The clients that an envelope sender is a habit of (see [`network::machine`]): only mail of these is his. A sender
    /// who is not in here is believed whatever client writes.
    pub machines: HashMap<String, Vec<u64>>,
    /// Senders that are limited at intake.
    pub slowed: BTreeMap<SenderId, Slowed>,
    /// Published digests (`pyzor:<hex>`) and their incident.
    pub digests: HashMap<String, Publication>,
    /// From client addresses to networks.
    pub places: Places,
}

/// One convicted identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conviction {
    /// Incident number.
    pub incident: u64,
    /// `hold` or `suspend`.
    pub verdict: Verdict,
}

/// One sender that is limited at intake.
#[derive(Clone, Debug, PartialEq)]
pub struct Slowed {
    /// Since when.
    pub since: Timestamp,
    /// What he may send.
    pub allowance: Allowance,
}

/// One published digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Incident number.
    pub incident: u64,
}

/// The way from addresses to networks. The same as long as the engine lives, so two are always equal.
#[derive(Clone, Debug, Default)]
pub struct Places(pub Geo);

impl PartialEq for Places {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Conviction {
    /// The access(5) action.
    #[must_use]
    pub fn action(self) -> String {
        match self.verdict {
            Verdict::Suspend => format!("450 4.7.1 abused, incident {}", self.incident),
            _ => format!("HOLD incident {}", self.incident),
        }
    }
}

impl View {
    /// Table `abused`: a login or an envelope sender → access(5) action.
    #[must_use]
    pub fn abused(&self, key: &str) -> Option<String> {
        self.logins
            .get(&key.to_lowercase())
            .or_else(|| self.senders.get(&address::fold(key)))
            .map(|conviction| conviction.action())
    }

    /// Table `digest`: a published digest → `REJECT 5.7.1 ...`.
    #[must_use]
    pub fn digest(&self, key: &str) -> Option<String> {
        let publication = self.digests.get(&key.to_ascii_lowercase())?;
        Some(format!(
            "REJECT 5.7.1 content refused, incident {}",
            publication.incident
        ))
    }

    /// Table `line`: a header or body line. Nothing is published by line yet, so nothing is found.
    #[must_use]
    pub fn line(&self, _key: &str) -> Option<String> {
        None
    }

    /// The policy service's answer for one message of a convicted sender: by login if there is one, else by sender or
    /// client.
    #[must_use]
    pub fn intake(&self, login: &str, sender: &str, client: Option<IpAddr>) -> Option<String> {
        let conviction = if login.is_empty() {
            self.convicted_sender(sender, client)
                .or_else(|| self.clients.get(&client?))
        } else {
            self.logins.get(&login.to_lowercase())
        };
        conviction.map(|conviction| conviction.action())
    }

    fn convicted_sender(&self, sender: &str, client: Option<IpAddr>) -> Option<&Conviction> {
        if self.senders.is_empty() {
            return None;
        }
        let sender = address::fold(sender);
        let conviction = self.senders.get(&sender)?;
        self.is_of(&sender, client).then_some(conviction)
    }

    /// Whether mail of an envelope sender is his when this client writes it.
    fn is_of(&self, sender: &str, client: Option<IpAddr>) -> bool {
        self.machines.get(sender).is_none_or(|machines| {
            client.is_some_and(|client| machines.contains(&network::machine(client)))
        })
    }

    /// What the turnstile must know of a message of a slowed sender; `None` for everybody else, and where he is not limited.
    #[must_use]
    pub fn slowed(&self, login: &str, sender: &str, client: Option<IpAddr>) -> Option<Pass> {
        if self.slowed.is_empty() {
            return None;
        }
        let (sender_id, slowed) = self.slowed_sender(login, sender, client)?;
        let (lane, limit) = slowed.allowance.limit(client, &self.places.0)?;
        Some(Pass {
            sender_id: sender_id.clone(),
            lane,
            limit,
            since: slowed.since,
        })
    }

    fn slowed_sender(
        &self,
        login: &str,
        sender: &str,
        client: Option<IpAddr>,
    ) -> Option<(&SenderId, &Slowed)> {
        if !login.is_empty() {
            let login = SenderId::Sasl(login.to_lowercase().into());
            return self.slowed.get_key_value(&login);
        }
        let sender = address::fold(sender);
        if self.is_of(&sender, client) {
            let found = self.slowed.get_key_value(&SenderId::From(sender.into()));
            if found.is_some() {
                return found;
            }
        }
        self.slowed.get_key_value(&SenderId::Ip(client?))
    }

    /// The first published digest among those of one message.
    #[must_use]
    pub fn content(&self, digests: &[String]) -> Option<&Publication> {
        digests.iter().find_map(|digest| self.digests.get(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::allowance::{Lane, Limit};

    fn ip(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    fn slowed() -> Slowed {
        let novel = Limit {
            burst: 8.0,
            per_hour: 6.0,
            left: 0.0,
            at: Timestamp::EPOCH,
        };
        Slowed {
            since: Timestamp::EPOCH,
            allowance: Allowance {
                homes: vec![Geo::by_prefix().place(ip("192.0.2.1").unwrap()).network],
                novel,
                usual: None,
            },
        }
    }

    #[test]
    fn mail_of_a_convicted_envelope_sender_is_his_only_from_the_clients_that_he_uses() {
        let conviction = Conviction {
            incident: 3,
            verdict: Verdict::Hold,
        };
        let name = "list@lists.example.org".to_owned();
        let own = network::machine(ip("192.0.2.1").unwrap());
        let mut view = View {
            senders: HashMap::from([(name.clone(), conviction)]),
            ..View::default()
        };
        let verp = "list+anna=example.com@lists.example.org";
        assert!(view.intake("", verp, ip("198.51.100.9")).is_some());
        view.machines.insert(name, vec![own]);
        assert_eq!(
            view.intake("", verp, ip("192.0.2.1")).as_deref(),
            Some("HOLD incident 3")
        );
        assert_eq!(view.intake("", verp, ip("198.51.100.9")), None);
        assert_eq!(view.intake("", verp, None), None);
    }

    #[test]
    fn a_slowed_login_is_limited_only_outside_of_its_own_networks() {
        let anna: SenderId = "sasl:anna@example.org".parse().unwrap();
        let view = View {
            slowed: BTreeMap::from([(anna.clone(), slowed())]),
            ..View::default()
        };
        let ask = |login, client| view.slowed(login, "boss@example.org", ip(client));
        let pass = ask("Anna@Example.org", "203.0.113.9").unwrap();
        assert_eq!((&pass.sender_id, pass.lane), (&anna, Lane::Novel));
        assert!(ask("Anna@Example.org", "unknown").is_some());
        assert_eq!(ask("Anna@Example.org", "192.0.77.9"), None);
        assert_eq!(ask("bert@example.org", "203.0.113.9"), None);
        assert_eq!(view.slowed("", "anna@example.org", ip("203.0.113.9")), None);
    }

    #[test]
    fn a_slowed_envelope_sender_is_told_from_others_who_write_his_name() {
        let from: SenderId = "from:web@example.org".parse().unwrap();
        let own = network::machine(ip("192.0.2.1").unwrap());
        let mut slowed = slowed();
        slowed.allowance.homes.clear();
        let view = View {
            slowed: BTreeMap::from([(from, slowed)]),
            machines: HashMap::from([("web@example.org".to_owned(), vec![own])]),
            ..View::default()
        };
        assert!(
            view.slowed("", "Web@example.org", ip("192.0.2.1"))
                .is_some()
        );
        assert!(
            view.slowed("", "web@example.org", ip("192.0.2.2"))
                .is_none()
        );
    }
}
