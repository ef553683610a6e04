//! The ledger on disk: what changed since the last time, and the way back.
//!
//! Entries are stored under a keyed hash of their sender (HMAC-SHA-256, cut to 16 bytes); the clear name is handed
//! out apart, so that it can be kept for two days only. Every blob begins with a version byte. Restoring all blobs gives
//! a ledger that behaves identically, to the bit. A blob that cannot be read is left out and counted.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Serialize, de::DeserializeOwned};
use sha2::Sha256;

use crate::{
    correlate::MessageKey,
    ledger::{Ledger, SenderId, SenderIndex, Setup, sender::Sender},
};

/// Format of the blobs.
const VERSION: u8 = 2;

/// Key of an entry.
pub type Key = [u8; 16];

/// What changed: see [`Ledger::take_dirty`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Entries: key, state.
    pub senders: Vec<(Vec<u8>, Vec<u8>)>,
    /// Open messages: number, state; `None`: gone.
    pub messages: Vec<(u64, Option<Vec<u8>>)>,
    /// Whole parts: name, state.
    pub parts: Vec<(String, Vec<u8>)>,
    /// Clear names of the changed entries: key, `SenderId` as printed, last seen (microseconds since the epoch).
    pub names: Vec<(Vec<u8>, String, i64)>,
}

/// The key under which a sender is stored.
pub(super) fn key_of(setup: &Setup, id: &SenderId) -> Key {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&setup.key) else {
        // HMAC takes keys of any length.
        return Key::default();
    };
    mac.update(id.to_string().as_bytes());
    let digest = mac.finalize().into_bytes();
    digest.first_chunk::<16>().copied().unwrap_or_default()
}

fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).unwrap_or_default()
}

fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (version, rest) = bytes.split_first()?;
    (*version == VERSION)
        .then(|| postcard::from_bytes(rest).ok())
        .flatten()
}

const WEATHER: &str = "ledger.weather";
const CLIENTS: &str = "ledger.clients";
const GROUPS: &str = "ledger.groups";
const NEIGHBOURHOOD: &str = "ledger.neighbourhood";
const OPERATORS: &str = "ledger.operators";
const EVERYONE: &str = "ledger.queue";

/// What is to be written; nothing is noted unless `on`.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    on: bool,
    senders: BTreeSet<SenderIndex>,
    messages: BTreeSet<MessageKey>,
    pub(super) weather: bool,
    pub(super) groups: bool,
    pub(super) clients: bool,
    pub(super) neighbourhood: bool,
    pub(super) operators: bool,
    pub(super) everyone: bool,
}

impl Changes {
    pub(super) fn new(on: bool) -> Self {
        Self {
            on,
            ..Self::default()
        }
    }

    pub(super) fn sender(&mut self, sender: SenderIndex) {
        if self.on {
            self.senders.insert(sender);
        }
    }

    pub(super) fn message(&mut self, message: MessageKey) {
        if self.on {
            self.messages.insert(message);
        }
    }
}

impl Ledger {
    /// What changed since the last call, to be written in one transaction with the log position.
    pub fn take_dirty(&mut self) -> Dirty {
        let fresh = Changes::new(self.changes.on);
        let changes = std::mem::replace(&mut self.changes, fresh);
        let mut dirty = Dirty::default();
        for number in changes.senders {
            let Some(entry) = self.sender(number) else {
                continue;
            };
            dirty
                .senders
                .push((entry.key.to_vec(), pack(&(number, entry))));
            if let Some(id) = &entry.id {
                dirty
                    .names
                    .push((entry.key.to_vec(), id.to_string(), entry.last.micros()));
            }
        }
        for key in changes.messages {
            dirty
                .messages
                .push((key.0, self.messages.get(key).map(pack)));
        }
        let mut part = |changed: bool, name: &str, bytes: &dyn Fn() -> Vec<u8>| {
            if changed {
                dirty.parts.push((name.to_owned(), bytes()));
            }
        };
        part(changes.weather, WEATHER, &|| pack(&self.weather));
        part(changes.groups, GROUPS, &|| pack(&self.groups));
        part(changes.clients, CLIENTS, &|| pack(&self.clients));
        part(changes.neighbourhood, NEIGHBOURHOOD, &|| {
            pack(&self.neighbourhood)
        });
        part(changes.operators, OPERATORS, &|| pack(&self.operators));
        part(changes.everyone, EVERYONE, &|| pack(&self.everyone));
        dirty
    }

    /// The ledger that these blobs were taken from, and how many of them could not be read. Parts of other rooms and
    /// names that do not parse are passed over.
    #[must_use]
    pub fn restore(setup: Setup, saved: &Dirty) -> (Self, usize) {
        let mut ledger = Self::new(setup);
        let mut damaged = 0;
        let mut entries: Vec<(SenderIndex, Sender)> = Vec::new();
        for (_, bytes) in &saved.senders {
            match unpack(bytes) {
                Some(entry) => entries.push(entry),
                None => damaged += 1,
            }
        }
        entries.sort_by_key(|(number, _)| *number);
        // Numbers are given out without gaps: one that is far off comes from a damaged blob, and would cost memory.
        let most = saved.senders.len().saturating_mul(2).saturating_add(1000);
        for (number, entry) in entries {
            if usize::try_from(number.0).is_ok_and(|number| number < most) {
                ledger.place(number, entry);
            } else {
                damaged += 1;
            }
        }
        for (key, name, _) in &saved.names {
            ledger.name(key, name);
        }
        let mut messages: Vec<_> = saved.messages.iter().collect();
        messages.sort_unstable_by_key(|(number, _)| *number);
        for (number, bytes) in messages {
            match bytes.as_deref().map(unpack) {
                Some(Some(message)) => {
                    ledger.messages.insert(MessageKey(*number), message);
                }
                Some(None) => damaged += 1,
                None => {}
            }
        }
        for (name, bytes) in &saved.parts {
            damaged += usize::from(!ledger.restore_part(name, bytes));
        }
        (ledger, damaged)
    }

    /// Puts an entry at its number; entries that are missing in between (damaged) are left empty.
    fn place(&mut self, number: SenderIndex, entry: Sender) {
        let Ok(position) = usize::try_from(number.0) else {
            return;
        };
        while self.senders.len() < position {
            self.senders
                .push(Sender::new(None, Key::default(), entry.first));
        }
        self.keys.insert(entry.key, number);
        if self.senders.len() == position {
            self.senders.push(entry);
        } else if let Some(place) = self.senders.get_mut(position) {
            *place = entry;
        }
    }

    fn name(&mut self, key: &[u8], name: &str) {
        let found = Key::try_from(key)
            .ok()
            .and_then(|key| self.keys.get(&key).copied());
        let (Some(number), Ok(id)) = (found, name.parse::<SenderId>()) else {
            return;
        };
        if let Some(entry) = self.sender_mut_quietly(number) {
            entry.id = Some(id.clone());
        }
        self.index.insert(id, number);
    }

    fn restore_part(&mut self, name: &str, bytes: &[u8]) -> bool {
        match name {
            WEATHER => put(&mut self.weather, bytes),
            GROUPS => put(&mut self.groups, bytes),
            CLIENTS => put(&mut self.clients, bytes),
            NEIGHBOURHOOD => put(&mut self.neighbourhood, bytes),
            OPERATORS => put(&mut self.operators, bytes),
            EVERYONE => put(&mut self.everyone, bytes),
            _ => true,
        }
    }
}

fn put<T: DeserializeOwned>(place: &mut T, bytes: &[u8]) -> bool {
    unpack(bytes).map(|value| *place = value).is_some()
}
