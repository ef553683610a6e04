//! One message as it is remembered, and the attempts kept back until its origin is known.

use serde::{Deserialize, Serialize};

use super::{Attempt, Entry, MessageKey, Origin, table::Place};
use crate::{
    postfix::record::{Delivery, Relay, Status},
    time::Timestamp,
};

/// An appointment: when, and in which order of all appointments, so that one made over makes the former one stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Due {
    /// Microseconds of the correlator's clock.
    pub(super) at: i64,
    pub(super) turn: u64,
}

/// A message between its opening line and some seconds after its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) key: MessageKey,
    /// Log host of this hop; empty while only its queue file was seen.
    pub(super) host: Box<str>,
    pub(super) queue_id: Box<str>,
    pub(super) origin: Origin,
    pub(super) recipients: u32,
    pub(super) size: u64,
    /// Clock when it was opened, and roughly (to the hour) when something was heard of it last.
    pub(super) opened: i64,
    pub(super) heard: i64,
    /// First `queue active`.
    pub(super) queued: Option<Timestamp>,
    /// The submission was told, or is another hop's to tell.
    pub(super) told: bool,
    /// The hop that it came from within the house, until it is told that the mail goes on here.
    pub(super) from: Option<MessageKey>,
    /// Some fact was told.
    pub(super) spoken: bool,
    pub(super) held: bool,
    /// The queue manager gave up: what follows is old news.
    pub(super) expired: bool,
    /// Requeued: it comes back under another ID.
    pub(super) requeued: bool,
    /// It came from one of our own addresses without a login: another line may say whose it is.
    pub(super) linkable: bool,
    /// Its queue file was asked for.
    pub(super) looked_up: bool,
    /// Arrival by its queue file, while no line of the log was seen.
    pub(super) unlogged: Option<Timestamp>,
    /// Another message has taken its ID.
    pub(super) superseded: bool,
    /// The message that had the ID before, for lines that come late.
    pub(super) prior: Option<Place>,
    /// When it ended.
    pub(super) ended: Option<Timestamp>,
    pub(super) closing: Option<Due>,
    pub(super) waiting: Option<Due>,
    pub(super) age: Due,
    /// It has been through the first, short span of age.
    pub(super) grown: bool,
    pub(super) early: Vec<Early>,
    /// Next in the chain of its hash.
    #[serde(skip)]
    pub(super) next: Option<u32>,
    /// Changed since it was written last; written before.
    #[serde(skip)]
    pub(super) dirty: bool,
    #[serde(skip)]
    pub(super) stored: bool,
}

impl Message {
    pub(super) const fn is_known(&self) -> bool {
        !matches!(self.origin.entry, Entry::Unknown)
    }

    /// Mail of somebody, as against what the mail system makes by itself.
    pub(super) const fn is_submission(&self) -> bool {
        matches!(self.origin.entry, Entry::Smtp | Entry::Pickup)
    }

    /// Whether an attempt that went out of the house counts as the remote side's opinion of this mail.
    pub(super) const fn counts_as_remote(&self) -> bool {
        !self.expired && !matches!(self.origin.entry, Entry::Notification | Entry::Probe)
    }
}

/// An attempt kept back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Early {
    at: Timestamp,
    recipient: Box<str>,
    orig_to: Option<Box<str>>,
    relay: Option<(Box<str>, Box<str>, Option<u16>)>,
    remote: bool,
    dsn: Box<str>,
    status: u8,
    reply: Option<Box<str>>,
    stage: Option<Box<str>>,
    text: Box<str>,
}

const STATUSES: [Status; 7] = [
    Status::Sent,
    Status::Deferred,
    Status::Bounced,
    Status::SoftBounce,
    Status::Deliverable,
    Status::Undeliverable,
    Status::Other,
];

impl Early {
    pub(super) fn new(at: Timestamp, delivery: &Delivery<'_>, remote: bool) -> Self {
        let status = STATUSES.iter().position(|s| *s == delivery.status);
        Self {
            at,
            recipient: delivery.recipient.unwrap_or_default().into(),
            orig_to: delivery.orig_to.map(Into::into),
            relay: delivery
                .relay
                .as_ref()
                .map(|relay| (relay.host.into(), relay.address.into(), relay.port)),
            remote,
            dsn: delivery.dsn.unwrap_or_default().into(),
            status: status.and_then(|i| u8::try_from(i).ok()).unwrap_or(u8::MAX),
            reply: delivery.reply.map(Into::into),
            stage: delivery.stage.map(Into::into),
            text: delivery.text.into(),
        }
    }

    pub(super) fn attempt<'a>(&'a self, message: &'a Message) -> Attempt<'a> {
        Attempt {
            message: message.key,
            queue_id: &message.queue_id,
            at: self.at,
            origin: &message.origin,
            recipient: &self.recipient,
            orig_to: self.orig_to.as_deref(),
            relay: self.relay.as_ref().map(|(host, address, port)| Relay {
                host,
                address,
                port: *port,
            }),
            remote: self.remote && message.counts_as_remote(),
            dsn: &self.dsn,
            status: STATUSES
                .get(usize::from(self.status))
                .copied()
                .unwrap_or(Status::Other),
            reply: self.reply.as_deref(),
            stage: self.stage.as_deref(),
            text: &self.text,
        }
    }
}

pub(super) fn attempt<'a>(
    message: &'a Message,
    at: Timestamp,
    delivery: &'a Delivery<'a>,
    remote: bool,
) -> Attempt<'a> {
    Attempt {
        message: message.key,
        queue_id: &message.queue_id,
        at,
        origin: &message.origin,
        recipient: delivery.recipient.unwrap_or_default(),
        orig_to: delivery.orig_to,
        relay: delivery.relay,
        remote: remote && message.counts_as_remote(),
        dsn: delivery.dsn.unwrap_or_default(),
        status: delivery.status,
        reply: delivery.reply,
        stage: delivery.stage,
        text: delivery.text,
    }
}
