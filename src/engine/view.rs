//! What lookups may see: an immutable picture that the engine publishes and servers answer from.
//!
//! In observe mode the picture is empty: an answer that touches mail can only come from an enforced incident.

use std::{collections::HashMap, net::IpAddr};

use crate::policy::Verdict;

/// The picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Logins under conviction, lower-cased.
    pub logins: HashMap<String, Conviction>,
    /// Envelope senders under conviction (mail without a login only), lower-cased and folded.
    pub senders: HashMap<String, Conviction>,
    /// Client addresses under conviction (mail without a login only).
    pub clients: HashMap<IpAddr, Conviction>,
    /// Published digests (`pyzor:<hex>`) and their incident.
    pub digests: HashMap<String, Publication>,
}

/// One convicted identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conviction {
    /// Incident number.
    pub incident: u64,
    /// `hold` or `suspend`.
    pub verdict: Verdict,
}

/// One published digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Incident number.
    pub incident: u64,
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
        let key = key.to_lowercase();
        self.logins
            .get(&key)
            .or_else(|| self.senders.get(&key))
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

    /// The policy service's answer for one message: by login if there is one, else by sender or client.
    #[must_use]
    pub fn intake(&self, login: &str, sender: &str, client: Option<IpAddr>) -> Option<String> {
        let conviction = if login.is_empty() {
            self.senders
                .get(&sender.to_lowercase())
                .or_else(|| self.clients.get(&client?))
        } else {
            self.logins.get(&login.to_lowercase())
        };
        conviction.map(|conviction| conviction.action())
    }

    /// The first published digest among those of one message.
    #[must_use]
    pub fn content(&self, digests: &[String]) -> Option<&Publication> {
        digests.iter().find_map(|digest| self.digests.get(digest))
    }
}
