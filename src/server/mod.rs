//! The answers that Postfix and mail filters ask for: one file per protocol over [`crate::wire`], all from the engine's
//! [`View`], in memory.
//!
//! Promises: an answer costs no I/O, and no lock but for mail of a slowed sender ([`Intake`]); a peer that talks nonsense, is slow, or holds too many connections harms
//! only itself; nothing that goes wrong here refuses mail by our own doing. What a closed connection means is Postfix's to
//! say: the policy service and the milter fail open with the settings that we ship, the lookup tables cannot.
//!
//! On failure: an address that cannot be had stops the start as a whole. A connection that breaks is counted and forgotten.
//!
//! Limits: see [`Limits`] for connections and times, and each codec for the sizes of requests.

use std::{io, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use crate::engine::view::View;

mod address;
mod counters;
mod intake;
mod listener;
mod milter;
mod policy;
mod pyzor;
mod socketmap;
mod stream;
mod table;
mod tcp_table;

pub use address::{Address, BadAddress, parse_table};
pub use counters::{Counters, Event, Protocol};
pub use intake::{Clock, Intake};
pub use table::{Table, UnknownTable};

use listener::{Bound, Endpoint};
use stream::Session;

/// What the engine publishes, as the servers see it: one load an answer, never a lock.
pub type SharedView = Arc<ArcSwap<View>>;
/// The digests of one message (headers and body, lines ended by LF), in the form in which they are published.
pub type Digester = fn(&[u8]) -> Vec<String>;

/// Where to listen. Each list may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// socketmap_table(5), all maps.
    pub socketmap: Vec<Address>,
    /// tcp_table(5), one map an address: the protocol has no names.
    pub tcp_table: Vec<(Table, Address)>,
    /// The policy service.
    pub policy: Vec<Address>,
    /// The milter of the inbound side.
    pub milter: Vec<Address>,
    /// pyzor's protocol, over UDP.
    pub pyzor: Vec<Address>,
}

/// Bounds of one listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at one time; the next one is closed at once. There is one for each smtpd process, so it must be above
    /// `default_process_limit`.
    pub connections: usize,
    /// How long a connection may be silent between requests. Postfix closes its own after 10 s (socketmap) or 300 s
    /// (policy) at the latest when it is idle itself, and has but one try with `try_limit=1`: it must be the first to close.
    pub idle: Duration,
    /// How long one request may take from its first byte to its last, and one reply to be taken.
    pub request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            idle: Duration::from_secs(3600),
            request: Duration::from_secs(60),
        }
    }
}

/// Why the servers did not start. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Address,
        /// Why.
        source: io::Error,
    },
    /// Another process answers there.
    #[error("another process listens on {0}")]
    InUse(Address),
    /// The protocol does not run over that kind of address: pyzor is UDP, everything else is not.
    #[error("{protocol} cannot be spoken on {address}")]
    Kind {
        /// The protocol.
        protocol: Protocol,
        /// The address.
        address: Address,
    },
}

/// Running servers. Dropping them closes everything and removes their socket files.
#[derive(Debug)]
pub struct Servers {
    tasks: Vec<JoinHandle<()>>,
    bound: Vec<Bound>,
    counters: Arc<Counters>,
}

impl Servers {
    /// Binds every address, then serves. To be called within a tokio runtime.
    ///
    /// # Errors
    /// An address is wrong for its protocol or cannot be had; nothing is served then.
    pub fn start(
        listen: &Listen,
        view: &SharedView,
        intake: &Arc<Intake>,
        digester: Digester,
        limits: Limits,
    ) -> Result<Self, Error> {
        let counters = Arc::new(Counters::default());
        let mut servers = Self {
            tasks: Vec::new(),
            bound: Vec::new(),
            counters: Arc::clone(&counters),
        };
        let streams = [
            (Protocol::Socketmap, &listen.socketmap),
            (Protocol::Policy, &listen.policy),
            (Protocol::Milter, &listen.milter),
        ];
        let streams = streams.into_iter().flat_map(|(protocol, addresses)| {
            addresses
                .iter()
                .map(move |address| (protocol, None, address))
        });
        let tables = listen
            .tcp_table
            .iter()
            .map(|(table, address)| (Protocol::TcpTable, Some(*table), address));
        let pyzor = listen
            .pyzor
            .iter()
            .map(|address| (Protocol::Pyzor, None, address));
        let mut endpoints = Vec::new();
        for (protocol, table, address) in streams.chain(tables).chain(pyzor) {
            let (endpoint, bound) = listener::bind(protocol, address)?;
            servers.bound.push(bound);
            endpoints.push((protocol, table, endpoint));
        }
        let budget = milter::Budget::new(COLLECTED_LIMIT);
        for (protocol, table, endpoint) in endpoints {
            let view = Arc::clone(view);
            let intake = Arc::clone(intake);
            let budget = budget.clone();
            let table = table.unwrap_or(Table::Abused);
            let session = move || -> Box<dyn Session> {
                let view = Arc::clone(&view);
                match protocol {
                    Protocol::Socketmap => Box::new(socketmap::Lookups::new(view)),
                    Protocol::TcpTable => Box::new(tcp_table::Lookups::new(view, table)),
                    Protocol::Policy => Box::new(policy::Questions::new(view, Arc::clone(&intake))),
                    Protocol::Milter => {
                        Box::new(milter::Conversation::new(view, digester, budget.clone()))
                    }
                    Protocol::Pyzor => Box::new(pyzor::Datagrams::new(view)),
                }
            };
            let counters = Arc::clone(&counters);
            servers.tasks.push(match endpoint {
                Endpoint::Stream(listener) => {
                    tokio::spawn(stream::serve(listener, session, limits, protocol, counters))
                }
                Endpoint::Datagram(socket) => {
                    tokio::spawn(pyzor::serve(socket, session(), counters))
                }
            });
        }
        Ok(servers)
    }

    /// What was bound, with the port that a port of 0 became.
    pub fn addresses(&self) -> impl Iterator<Item = (Protocol, &Address)> {
        self.bound
            .iter()
            .map(|bound| (bound.protocol, &bound.address))
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Bytes of messages that all milter conversations together may hold. Beyond it messages go through unjudged.
const COLLECTED_LIMIT: usize = 256 * 1024 * 1024;
