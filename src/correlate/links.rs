//! Who a message belongs to: its opening line, and the lines that tie it to the mail it came from.
//!
//! Only what the mail system itself says makes a link: `orig_queue_id` (XFORWARD, from those allowed to send it), `queued as` in
//! the answer of a loopback or own address, `forwarded as` of local(8), notifications of bounce(8), `orig_id` of pickup(8), the
//! answer that a before-queue proxy passed on. A remote side that writes `queued as` into its answer ties nothing.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::{Correlator, Entry, MessageKey, Origin, correlator::Out, hop, message::Message};
use crate::postfix::record::{Action, Client, Delivery, Event, Record, Sasl};

/// Most links and holds kept until the line they are for comes.
pub(super) const MOST: usize = 10_000;
/// How long a link is kept for a message that is not seen yet, and how old a message may be to be the one meant.
const LINK_SPAN: i64 = 60 * 1_000_000;
/// A queue file is as old as MAIL FROM, its line as RCPT TO: a client may take five minutes between them, stamps have whole seconds.
const BEFORE_ITS_LINE: i64 = 600 * 1_000_000;

/// How a message came from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Bond {
    /// The same mail, after a filter or a hop within the house.
    Hop,
    Forward,
    Notification,
}

/// Whether the mail was told as its former message's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Parent {
    /// It was, or will be, as this one's.
    Told(MessageKey),
    /// It is nobody's to tell.
    Silent,
    /// It is this message's own to tell.
    Untold,
}

impl Parent {
    /// The message that handed the mail on.
    const fn of(message: &Message) -> Self {
        if message.is_known() {
            Self::Told(message.key)
        } else {
            Self::Untold
        }
    }
}

/// A link whose message was not seen yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Promise {
    pub(super) host: Box<str>,
    pub(super) queue_id: Box<str>,
    pub(super) bond: Bond,
    pub(super) origin: Origin,
    pub(super) parent: Parent,
    /// The hop that gave the ID: a content filter, once the message is born here.
    pub(super) filter: Option<hop::Endpoint>,
}

/// Content filters that are remembered.
const MOST_FILTERS: usize = 256;

impl Correlator {
    /// smtpd's opening line.
    pub(super) fn client(&mut self, record: &Record<'_>, out: Out<'_>) {
        let (
            Some(id),
            Event::Client {
                client,
                sasl,
                orig_queue_id,
                orig_client,
            },
        ) = (record.queue_id, &record.event)
        else {
            return;
        };
        if sasl.method.is_some() && sasl.username.is_none() {
            self.login_in_doubt(record, id);
            return;
        }
        let mut origin = smtp_origin(record, *client, *sasl);
        let linkable = origin.login.is_none()
            && client
                .address
                .is_some_and(|address| hop::is_own(address, &self.limits.own_addresses));
        if origin.login.is_none()
            && let Some(first) = orig_client
        {
            set_client(&mut origin, *first);
        }
        let first_hop = orig_queue_id
            .filter(|first| *first != id)
            .and_then(|first| self.table.find_anywhere(record.host, first))
            .and_then(|slot| self.table.get(slot))
            .map(|parent| (parent.origin.clone(), Parent::of(parent)));
        let slot = self.opened(record, id, origin);
        if let Some((origin, parent)) = first_hop {
            self.bind(slot, Bond::Hop, &origin, parent);
        } else if linkable {
            if let Some(message) = self.table.get_mut(slot) {
                message.linkable = true;
            }
            if let Some(promise) = self.promised(record.host, id) {
                self.hands_back = true;
                self.learn_filter(promise.filter);
                self.bind(slot, promise.bond, &promise.origin, promise.parent);
            }
        }
        self.birth_line_came(slot, out);
        if !self.intake.is_empty()
            && let Some(hold) = self
                .intake
                .take(session(record))
                .filter(|hold| hold.client == client.address)
        {
            self.put_on_hold(slot, record, hold.sender.as_deref(), out);
        }
    }

    /// pickup's opening line; with `orig_id` it is the new name of a message that is known already.
    pub(super) fn pickup(
        &mut self,
        record: &Record<'_>,
        uid: u32,
        sender: &str,
        orig_id: Option<&str>,
        out: Out<'_>,
    ) {
        let Some(id) = record.queue_id else {
            return;
        };
        if let Some(old) = orig_id {
            self.requeued_as(record, id, sender, old);
            return;
        }
        let origin = Origin {
            entry: Entry::Pickup,
            sender: Some(sender.into()),
            uid: Some(uid),
            host: record.host.into(),
            service: record.service.into(),
            ..Origin::default()
        };
        let slot = self.opened(record, id, origin);
        self.birth_line_came(slot, out);
    }

    /// The message that an opening line is about: a new one, unless lines that ran ahead of it, or its queue file, have
    /// opened it already.
    pub(super) fn opened(&mut self, record: &Record<'_>, id: &str, origin: Origin) -> u32 {
        let Some(slot) = self.table.find(record.host, id) else {
            return self.insert(record.host, id, origin);
        };
        let Some(message) = self.table.get_mut(slot) else {
            return slot;
        };
        let ahead = !message.is_known() && message.waiting.is_some() && message.ended.is_none();
        let filed = message.unlogged.is_some_and(|arrival| {
            let after = record.at.micros().saturating_sub(arrival.micros());
            (-2_000_000..BEFORE_ITS_LINE).contains(&after)
        });
        if filed {
            message.unlogged = None;
            message.host = record.host.into();
            message.origin.host = record.host.into();
            message.origin.service = record.service.into();
            if !message.is_known() {
                message.origin = origin;
            }
            self.mark(slot);
            return slot;
        }
        if ahead {
            let sender = message.origin.sender.take();
            message.origin = origin;
            if message.origin.sender.is_none() {
                message.origin.sender = sender;
            }
            self.mark(slot);
            return slot;
        }
        self.open(record, id, origin)
    }

    /// What had run ahead of the opening line is told, unless another line may still name the origin.
    fn birth_line_came(&mut self, slot: u32, out: Out<'_>) {
        let hands_back = self.hands_back;
        if self
            .table
            .get(slot)
            .is_some_and(|m| m.waiting.is_some() && m.is_known() && !(m.linkable && hands_back))
        {
            self.flush(slot, out);
        }
    }

    /// `orig_id=`: the same message under another ID.
    fn requeued_as(&mut self, record: &Record<'_>, id: &str, sender: &str, old: &str) {
        if let Some(taken) = self.table.find(record.host, id)
            && id != old
        {
            self.supersede(taken);
        }
        let known = self
            .table
            .find(record.host, old)
            .filter(|slot| self.table.get(*slot).is_some_and(|m| m.ended.is_none()));
        let Some(slot) = known else {
            self.open_unknown(record, id, Some(sender));
            return;
        };
        self.counters.linked += 1;
        self.table.rename(slot, id);
        if let Some(message) = self.table.get_mut(slot) {
            message.requeued = false;
            message.closing = None;
            message.expired = false;
            message.prior = None;
            if message.host.is_empty() {
                message.host = record.host.into();
            }
        }
        self.mark(slot);
    }

    /// What an answer of our own next hop, or of local(8), ties to this message.
    pub(super) fn follow(
        &mut self,
        slot: u32,
        record: &Record<'_>,
        delivery: &Delivery<'_>,
        out: Out<'_>,
    ) {
        let (bond, id) = if let Some(id) = hop::handed_on_as(delivery, &self.limits.own_addresses) {
            (Bond::Hop, id)
        } else if let Some(id) = hop::forwarded_as(record.daemon, delivery) {
            (Bond::Forward, id)
        } else {
            return;
        };
        let Some(parent) = self.table.get(slot).filter(|m| *m.queue_id != *id) else {
            return;
        };
        let promise = Promise {
            host: record.host.into(),
            queue_id: id.into(),
            bond,
            parent: Parent::of(parent),
            origin: parent.origin.clone(),
            filter: hop::endpoint(delivery).filter(|_| bond == Bond::Hop),
        };
        if bond == Bond::Hop && self.table.find_anywhere(record.host, id).is_some() {
            self.learn_filter(promise.filter);
        }
        self.keep_promise(promise, out);
    }

    /// bounce's notification: nobody's mail, made on behalf of a message's sender.
    pub(super) fn notification(&mut self, record: &Record<'_>, id: &str, out: Out<'_>) {
        let origin = record
            .queue_id
            .and_then(|parent| self.lookup(record, parent))
            .and_then(|slot| self.table.get(slot))
            .map(|parent| parent.origin.clone())
            .unwrap_or_default();
        let promise = Promise {
            host: record.host.into(),
            queue_id: id.into(),
            bond: Bond::Notification,
            origin,
            parent: Parent::Silent,
            filter: None,
        };
        self.keep_promise(promise, out);
    }

    /// A before-queue proxy passed on the answer of the smtpd behind it: the one line that has both login and queue ID.
    pub(super) fn proxy_accept(
        &mut self,
        record: &Record<'_>,
        action: &Action<'_>,
        queued_as: Option<&str>,
        out: Out<'_>,
    ) {
        let Some(id) = queued_as else {
            return;
        };
        let mut origin = smtp_origin(record, action.client.unwrap_or_default(), action.sasl);
        origin.sender = action.sender.map(Into::into);
        let promise = Promise {
            host: record.host.into(),
            queue_id: id.into(),
            bond: Bond::Hop,
            origin,
            parent: Parent::Untold,
            filter: None,
        };
        self.keep_promise(promise, out);
    }

    /// Ties now if the message was seen already, else when it comes.
    fn keep_promise(&mut self, promise: Promise, out: Out<'_>) {
        let now = self.clock.now();
        let found = match promise.bond {
            Bond::Hop => self.table.find_anywhere(&promise.host, &promise.queue_id),
            Bond::Forward | Bond::Notification => self.table.find(&promise.host, &promise.queue_id),
        }
        .filter(|slot| {
            self.table.get(*slot).is_some_and(|child| {
                now.saturating_sub(child.opened) <= LINK_SPAN && may_be_bound(child, promise.bond)
            })
        });
        if let Some(slot) = found {
            self.hands_back |= promise.bond == Bond::Hop;
            self.bind(slot, promise.bond, &promise.origin, promise.parent);
            if self
                .table
                .get(slot)
                .is_some_and(|m| m.waiting.is_some() && m.is_known())
            {
                self.flush(slot, out);
            }
        } else {
            let name = xxh3_64(promise.queue_id.as_bytes());
            self.promises
                .put(name, now.saturating_add(LINK_SPAN), promise);
        }
    }

    /// The link that was kept for a message that opens now.
    pub(super) fn promised(&mut self, host: &str, id: &str) -> Option<Promise> {
        let name = xxh3_64(id.as_bytes());
        let promise = self.promises.get(name)?;
        if *promise.queue_id != *id || (promise.bond != Bond::Hop && *promise.host != *host) {
            return None;
        }
        self.promises.take(name)
    }

    /// Mail that went to that endpoint came back: what it answers is our own word.
    fn learn_filter(&mut self, filter: Option<hop::Endpoint>) {
        if self.filters.len() < MOST_FILTERS {
            self.filters.extend(filter);
        }
    }

    /// Gives a message the origin of the one it came from.
    pub(super) fn bind(&mut self, slot: u32, bond: Bond, origin: &Origin, parent: Parent) {
        self.counters.linked += 1;
        let Some(message) = self.table.get_mut(slot) else {
            return;
        };
        let mut origin = origin.clone();
        match bond {
            Bond::Hop => {
                message.told |= parent != Parent::Untold;
                if let Parent::Told(from) = parent {
                    message.from = Some(from);
                }
                message.linkable = false;
            }
            Bond::Forward => origin.entry = Entry::Forwarded,
            Bond::Notification => {
                origin.entry = Entry::Notification;
                origin.sender = Some("".into());
            }
        }
        if origin.sender.is_none() {
            origin.sender = message.origin.sender.take();
        }
        message.origin = origin;
        let known = message.is_known();
        self.mark(slot);
        if !known {
            self.orphan(slot);
        }
    }
}

/// Whether a message of which something was seen already may be the one that a link means.
fn may_be_bound(child: &Message, bond: Bond) -> bool {
    if child.superseded {
        return false;
    }
    match bond {
        Bond::Hop => child.linkable || !child.is_known(),
        Bond::Forward => !child.is_known(),
        Bond::Notification => !child.is_known() || child.origin.entry == Entry::Notification,
    }
}

/// One smtpd process serves one session at a time.
pub(super) fn session(record: &Record<'_>) -> u64 {
    xxh3_64_with_seed(
        record.host.as_bytes(),
        xxh3_64_with_seed(record.service.as_bytes(), u64::from(record.pid)),
    )
}

fn smtp_origin(record: &Record<'_>, client: Client<'_>, sasl: Sasl<'_>) -> Origin {
    let mut origin = Origin {
        entry: Entry::Smtp,
        login: sasl.username.map(Into::into),
        host: record.host.into(),
        service: record.service.into(),
        ..Origin::default()
    };
    set_client(&mut origin, client);
    origin
}

fn set_client(origin: &mut Origin, client: Client<'_>) {
    origin.client_name = Some(client.name.into());
    origin.client_address = client.address;
    origin.client_port = client.port;
}
