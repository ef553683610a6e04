//! Joins the records of one message by queue ID into facts about whoever brought it in.
//!
//! Opened by `client=`, `pickup`, a notification or `queue active`; followed through requeue, content filters and
//! proxies; closed by `removed` or by age. Queue IDs are reused: an opening line always starts a new message. Bounded:
//! the oldest message is forgotten first, and counted.

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

/// What the judgement rooms are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<'a> {
    /// A message entered the queue and its origin is known; told once a message.
    Submission {
        /// The message.
        message: MessageKey,
        /// Its queue ID.
        queue_id: &'a str,
        /// Event time.
        at: Timestamp,
        /// Who brought it in.
        origin: &'a Origin,
        /// Recipients as far as known.
        recipients: u32,
        /// Size in bytes.
        size: u64,
    },
    /// One recipient's delivery attempt.
    Attempt(Attempt<'a>),
    /// The message left the queue, or is forgotten.
    End {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
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
