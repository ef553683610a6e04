//! What the correlator may keep, and what it counts.

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

/// Bounds of the correlator's memory, and which addresses are our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages known at once; beyond that the oldest is forgotten. About 500 bytes each.
    pub messages: usize,
    /// Facts kept back at once until an origin is known.
    pub early: usize,
    /// `maximal_queue_lifetime`; a message is forgotten a day later.
    pub lifetime: Duration,
    /// Addresses of this host besides loopback: a hop that goes there stays in the house, and `queued as` in its answer
    /// is believed.
    pub own_addresses: Vec<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: 400_000,
            early: 50_000,
            lifetime: Duration::from_secs(5 * 86_400),
            own_addresses: Vec::new(),
        }
    }
}

/// What happened so far, kept over a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Messages opened.
    pub opened: u64,
    /// Of these, seen first when they had been in the queue already.
    pub unknown: u64,
    /// Origins read from queue files.
    pub adopted: u64,
    /// Hops, requeues, forwards and notifications tied to the mail they came from.
    pub linked: u64,
    /// Queue IDs used again while the message before was still remembered.
    pub reused: u64,
    /// Messages forgotten because there were too many.
    pub evicted: u64,
    /// Messages forgotten because nothing was heard of them for too long.
    pub aged_out: u64,
    /// Lines that came when their message was closed already.
    pub late: u64,
    /// Attempts whose origin stayed unknown when they were told.
    pub unattributed: u64,
    /// Holds at intake that could not be kept until their `client=` line came.
    pub holds_lost: u64,
}
