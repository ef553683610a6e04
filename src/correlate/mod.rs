//! Joins the records of one message by queue ID into facts about whoever brought it in.
//!
//! A message is one queue file. It is opened by `client=`, `pickup`, a notification, a local forward or, when the log
//! begins later, by the first line about it; followed through requeue (it keeps its key and changes its ID), and over
//! content filters and proxies (each hop is a message of its own with the origin of the first hop); closed by `removed`
//! or by age. Short queue IDs are used again within seconds: an opening line always starts a new message.
//!
//! | state | holds | ends by |
//! |---|---|---|
//! | opened | origin known, nothing told | `queue active`, hold, first delivery: [`Fact::Submission`] |
//! | waiting | who brought it in may still be named by another line: facts are kept back | that line, [`Correlator::adopt`], two seconds |
//! | told | every line is a fact at once | |
//! | closed | `removed` was seen; late lines of other daemons still belong to it | five seconds: [`Fact::End`] |
//!
//! Promises: the same records give the same facts, whether they come live, from an archive, or with a restart in between;
//! only trusted text makes a link (XFORWARD, our own filter's answer from a loopback address, lines of bounce, local and pickup),
//! never the answer of a remote side. Bounded: the oldest message is forgotten first, and counted.

mod adopt;
mod clock;
mod correlator;
mod holds;
mod hop;
mod life;
mod limits;
mod links;
mod message;
mod shelf;
mod snapshot;
mod table;

pub use adopt::Found;
pub use correlator::Correlator;
pub use limits::{Counters, Limits};
pub use snapshot::{Change, Damaged};

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    postfix::record::{Relay, Status},
    time::Timestamp,
};

/// Our number for one message, never reused within a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageKey(pub u64);

/// How a message came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// By SMTP, with or without a login.
    #[default]
    Smtp,
    /// By sendmail(1): pickup.
    Pickup,
    /// A notification made by bounce(8): nobody's mail.
    Notification,
    /// Forwarded by local(8): nobody's own doing.
    Forwarded,
    /// Address verification probe: carries no mail.
    Probe,
    /// Seen for the first time after it came in (log began later, file renamed).
    Unknown,
}

/// Who brought a message in, as far as the log or the queue file tells. Followed over hops: a re-injected message has
/// the origin of the first hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// How it came in.
    pub entry: Entry,
    /// SASL login, exactly as logged.
    pub login: Option<Box<str>>,
    /// Envelope sender; empty for the null sender.
    pub sender: Option<Box<str>>,
    /// Client host name.
    pub client_name: Option<Box<str>>,
    /// Client address.
    pub client_address: Option<IpAddr>,
    /// Client port.
    pub client_port: Option<u16>,
    /// Local user of sendmail(1).
    pub uid: Option<u32>,
    /// Log host, and service label of the daemon that took it.
    pub host: Box<str>,
    /// Service label (`postfix/submission`).
    pub service: Box<str>,
}

/// The part of an [`Origin`] that says who is answerable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// How the message came in.
    pub entry: Entry,
    /// SASL login, exactly as logged.
    pub login: Option<&'a str>,
    /// Whoever tells of many parties may number the logins, each always alike: an entry is found sooner then.
    pub number: Option<u32>,
    /// Envelope sender; empty for the null sender.
    pub sender: Option<&'a str>,
    /// Client address.
    pub client_address: Option<IpAddr>,
    /// Local user of sendmail(1).
    pub uid: Option<u32>,
}

impl<'a> From<&'a Origin> for Party<'a> {
    fn from(origin: &'a Origin) -> Self {
        Self {
            entry: origin.entry,
            login: origin.login.as_deref(),
            number: None,
            sender: origin.sender.as_deref(),
            client_address: origin.client_address,
            uid: origin.uid,
        }
    }
}

/// One recipient's delivery attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt<'a> {
    /// The message.
    pub message: MessageKey,
    /// Its queue ID now.
    pub queue_id: &'a str,
    /// Event time.
    pub at: Timestamp,
    /// Who brought it in.
    pub origin: &'a Origin,
    /// Envelope recipient.
    pub recipient: &'a str,
    /// Recipient before aliases, if different.
    pub orig_to: Option<&'a str>,
    /// Remote host or local service; `None`: no conversation came about.
    pub relay: Option<Relay<'a>>,
    /// True when this is an opinion of a remote side, or the failure to reach one: smtp-like agent, not our own filter
    /// or re-injection hop, not a probe, not "temporarily suspended".
    pub remote: bool,
    /// `dsn=` as printed.
    pub dsn: &'a str,
    /// Outcome.
    pub status: Status,
    /// The remote side's own words; `None` for local and network reasons.
    pub reply: Option<&'a str>,
    /// SMTP stage of the reply.
    pub stage: Option<&'a str>,
    /// The whole reason text, wrapper included.
    pub text: &'a str,
}

/// A message that is still somewhere in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open<'a> {
    /// The message.
    pub message: MessageKey,
    /// Log host; empty when only the queue file was seen.
    pub host: &'a str,
    /// Its queue ID now.
    pub queue_id: &'a str,
    /// Who brought it in.
    pub origin: &'a Origin,
    /// It is on hold, as far as the log tells.
    pub held: bool,
}

/// A message whose origin the log does not tell: its queue file may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Log host.
    pub host: Box<str>,
    /// Its queue ID.
    pub queue_id: Box<str>,
}

/// What the judgement rooms are told. Event times may step back by some seconds, as in the log; those of a submission
/// found in a queue file lie as far back as its arrival.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<'a> {
    /// Mail of [`Entry::Smtp`] or [`Entry::Pickup`] entered the queue and its origin is known. Told once: the further hops of
    /// the same mail (content filter, requeue) are none of their own.
    Submission {
        /// The message.
        message: MessageKey,
        /// Its queue ID.
        queue_id: &'a str,
        /// Event time.
        at: Timestamp,
        /// Who brought it in.
        origin: &'a Origin,
        /// Recipients as far as known; 1 where nobody counted them yet (held at intake).
        recipients: u32,
        /// Size in bytes.
        size: u64,
    },
    /// A mail that was told before goes on as another message of the house: behind a content filter, or another hop.
    Hop {
        /// The message.
        message: MessageKey,
        /// Its queue ID.
        queue_id: &'a str,
        /// The message that it was before.
        from: MessageKey,
        /// Event time.
        at: Timestamp,
        /// Recipients.
        recipients: u32,
    },
    /// One recipient's delivery attempt.
    Attempt(Attempt<'a>),
    /// The message left the queue, or is forgotten. Told some seconds after the line, when nothing more can come, and only
    /// of messages of which something was told before.
    End {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// smtpd did not take a message whose recipients it had taken. Nothing else is told of it.
    Refused {
        /// Event time.
        at: Timestamp,
        /// Who tried to bring it in.
        origin: &'a Origin,
        /// Our own reply, code first (`450 4.7.1 <DATA>: Data command rejected: ...`).
        text: &'a str,
    },
    /// The message was put on hold (by us, a person, an access map or a milter).
    Held {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// The message was released from hold.
    Released {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
}

#[cfg(test)]
mod tests;
