//! From names to entries. Names are text that strangers choose: their hash is keyed.

use std::collections::HashMap;

use crate::ledger::{SenderId, SenderIndex};

#[derive(Debug, Default)]
pub(super) struct Index {
    /// Logins, lower-cased: apart, so that one is found without making a [`SenderId`].
    logins: HashMap<Box<str>, SenderIndex>,
    others: HashMap<SenderId, SenderIndex>,
}

impl Index {
    pub(super) fn get(&self, id: &SenderId) -> Option<SenderIndex> {
        match id {
            SenderId::Sasl(login) => self.logins.get(login),
            other => self.others.get(other),
        }
        .copied()
    }

    /// The entry of a login as logged.
    pub(super) fn login(&self, login: &str) -> Option<SenderIndex> {
        let is_lower = login
            .bytes()
            .all(|c| c.is_ascii() && !c.is_ascii_uppercase());
        if is_lower {
            self.logins.get(login)
        } else {
            self.logins.get(login.to_lowercase().as_str())
        }
        .copied()
    }

    pub(super) fn insert(&mut self, id: SenderId, sender: SenderIndex) {
        match id {
            SenderId::Sasl(login) => self.logins.insert(login, sender),
            other => self.others.insert(other, sender),
        };
    }
}
