//! Traffic that comes from new networks, pooled over senders: one client address, one site, one network.
//!
//! A stolen account seldom comes alone: what several senders do from the same unusual place is judged together, and a
//! place that a convicted sender used counts against the next one that is new there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    ledger::{SenderIndex, counters::Picture},
    time::Timestamp,
};

/// Groups kept; the longest quiet go first.
const MAX_GROUPS: usize = 8192;
/// Members remembered of one group.
const MAX_MEMBERS: usize = 64;
/// Seconds after which half of it is forgotten, roughly.
const HORIZON: f64 = 6.0 * 3600.0;
/// Days a source is remembered after a conviction.
const REMEMBERED: i64 = 7 * 86_400;

/// What is pooled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupKey {
    /// One client address.
    Address(u64),
    /// Its /24 or /48.
    Site(u64),
    /// Its network.
    Network(u64),
}

/// The places of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// [`super::network::machine`].
    pub machine: u64,
    /// [`super::network::site`].
    pub site: u64,
    /// [`super::network::Place::network`].
    pub network: u64,
}

impl Source {
    /// The groups it belongs to.
    #[must_use]
    pub const fn keys(self) -> [GroupKey; 3] {
        [
            GroupKey::Address(self.machine),
            GroupKey::Network(self.network),
            GroupKey::Site(self.site),
        ]
    }
}

/// Pooled outcomes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    at: Timestamp,
    /// Attempts.
    pub tried: f64,
    /// Refusals about the list.
    pub list: f64,
    /// Other refusals.
    pub other: f64,
    members: BTreeSet<u32>,
}

impl Group {
    /// Senders that came from there.
    #[must_use]
    pub fn members(&self) -> usize {
        self.members.len()
    }

    fn fade(&mut self, at: Timestamp) {
        let seconds = at.seconds_since(self.at);
        if seconds > 60.0 {
            let keep = (-seconds / HORIZON).exp();
            self.tried *= keep;
            self.list *= keep;
            self.other *= keep;
            self.at = at;
        }
    }
}

/// All groups, and the sources of convicted senders.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Groups {
    groups: BTreeMap<GroupKey, Group>,
    convicted: BTreeMap<u64, BTreeMap<u32, Timestamp>>,
}

impl Groups {
    /// A sender came from a new place.
    pub fn join(&mut self, at: Timestamp, sender: u32, source: Source) {
        if self.groups.len() >= MAX_GROUPS {
            self.shrink(at);
        }
        for key in source.keys() {
            let group = self.groups.entry(key).or_insert_with(|| Group {
                at,
                ..Group::default()
            });
            if group.members.len() < MAX_MEMBERS {
                group.members.insert(sender);
            }
        }
    }

    /// The outcome of one recipient of such traffic.
    pub fn outcome(&mut self, at: Timestamp, source: Source, refused: Option<(Picture, f64)>) {
        for key in source.keys() {
            let Some(group) = self.groups.get_mut(&key) else {
                continue;
            };
            group.fade(at);
            group.tried += 1.0;
            match refused {
                Some((Picture::List, weight)) => group.list += weight,
                Some((_, weight)) => group.other += weight,
                None => {}
            }
        }
    }

    /// One group.
    #[must_use]
    pub fn get(&self, key: GroupKey) -> Option<&Group> {
        self.groups.get(&key)
    }

    /// A sender was convicted for traffic from these machines.
    pub fn convict(&mut self, at: Timestamp, sender: u32, machines: &[u64]) {
        for machine in machines {
            self.convicted
                .entry(*machine)
                .or_default()
                .insert(sender, at);
        }
    }

    /// How many other senders were convicted for traffic from this machine within a week.
    #[must_use]
    pub fn convicted(&self, at: Timestamp, sender: SenderIndex, machine: u64) -> usize {
        self.convicted.get(&machine).map_or(0, |senders| {
            let fresh = |when: &Timestamp| at.seconds() - when.seconds() < REMEMBERED;
            if senders.contains_key(&sender.0) {
                return 0;
            }
            senders.values().filter(|when| fresh(when)).count()
        })
    }

    /// Forgets a sender's convictions (they were wrong).
    pub fn acquit(&mut self, sender: u32) {
        self.convicted.retain(|_, senders| {
            senders.remove(&sender);
            !senders.is_empty()
        });
    }

    fn shrink(&mut self, at: Timestamp) {
        self.groups
            .retain(|_, group| at.seconds_since(group.at) < 4.0 * HORIZON);
        while self.groups.len() >= MAX_GROUPS {
            let oldest = self
                .groups
                .iter()
                .min_by_key(|(key, group)| (group.at, **key))
                .map(|(key, _)| *key);
            match oldest {
                Some(key) => self.groups.remove(&key),
                None => return,
            };
        }
        self.convicted.retain(|_, senders| {
            senders.retain(|_, when| at.seconds() - when.seconds() < REMEMBERED);
            !senders.is_empty()
        });
    }
}
