//! From names to entries. Names are text that strangers choose: their hash is keyed.

use std::collections::HashMap;

use crate::ledger::{SenderId, SenderIndex, keyed::ByText};

/// Numbers that are noted.
const MOST_NUMBERED: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Index {
    /// Logins, lower-cased: apart, so that one is found without making a [`SenderId`].
    logins: ByText<Box<str>, SenderIndex>,
    others: HashMap<SenderId, SenderIndex>,
    /// By the number of a login, if it has one; to be looked at before it is believed.
    numbered: Vec<SenderIndex>,
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

    /// Who had a number when it was seen last.
    pub(super) fn numbered(&self, number: u32) -> Option<SenderIndex> {
        self.numbered.get(usize::try_from(number).ok()?).copied()
    }

    /// Notes who has a number; numbers come in order.
    pub(super) fn number(&mut self, number: u32, sender: SenderIndex) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(known) = self.numbered.get_mut(place) {
            *known = sender;
        } else if place < MOST_NUMBERED {
            self.numbered.resize(place, SenderIndex(u32::MAX));
            self.numbered.push(sender);
        }
    }

    pub(super) fn insert(&mut self, id: SenderId, sender: SenderIndex) {
        match id {
            SenderId::Sasl(login) => self.logins.insert(login, sender),
            other => self.others.insert(other, sender),
        };
    }
}
