//! What a queue file tells of a message whose opening line the log does not have, or not yet, or that can be read in two
//! ways.

use super::{Correlator, Entry, Fact, MessageKey, Origin, hop};
use crate::{
    postfix::{queue_file::Head, record::Record},
    time::Timestamp,
};

/// A queued message as its queue file shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// Log host if known (from [`Correlator::unknown`]), else empty: the first line of the log about that ID tells it.
    pub host: &'a str,
    /// The file's name.
    pub queue_id: &'a str,
    /// When the message came in.
    pub arrival: Timestamp,
    /// Who brought it in: [`Origin::of_file`].
    pub origin: Origin,
    /// The first queue ID of this mail, if its file names one (`log_ident`) and no login: behind a content filter that
    /// speaks XFORWARD the origin is that one's, if it is remembered.
    pub first: Option<&'a str>,
    /// Recipients.
    pub recipients: u32,
    /// Size in bytes.
    pub size: u64,
    /// It lies in `hold`.
    pub held: bool,
}

impl Correlator {
    /// Takes the origin of a queued message from its queue file. A message whose origin is known already stays as it is,
    /// and when the opening line comes after all it is the same message. Not for files in `maildrop`: nothing in them
    /// is an identity.
    pub fn adopt(&mut self, mut found: Found<'_>, out: &mut dyn FnMut(Fact<'_>)) -> MessageKey {
        let slot = match self.table.find(found.host, found.queue_id) {
            Some(slot) => {
                if let Some(message) = self.table.get(slot)
                    && (message.is_known() || message.ended.is_some())
                {
                    return message.key;
                }
                slot
            }
            None => self.insert_unlogged(&found),
        };
        if let Some(first) = self.first_hop(&found) {
            found.origin = first;
        }
        self.counters.adopted += 1;
        self.mark(slot);
        if let Some(message) = self.table.get_mut(slot) {
            message.looked_up = true;
            message.recipients = message.recipients.max(found.recipients);
            message.size = message.size.max(found.size);
            let former = std::mem::replace(&mut message.origin, found.origin);
            if message.origin.sender.is_none() {
                message.origin.sender = former.sender;
            }
            if message.origin.host.is_empty() {
                message.origin.host = former.host;
            }
        }
        self.submit(slot, found.arrival, out);
        if found.held {
            self.lie_on_hold(slot, found.arrival, out);
        }
        if self.table.get(slot).is_some_and(|m| m.waiting.is_some()) {
            self.flush(slot, out);
        }
        let key = self.table.get(slot).map_or(MessageKey(0), |m| m.key);
        self.evict(out);
        key
    }

    /// The origin of the mail's first hop, if its file names it and it is remembered.
    fn first_hop(&self, found: &Found<'_>) -> Option<Origin> {
        let first = found.first.filter(|first| *first != found.queue_id)?;
        let slot = self.table.find_anywhere(found.host, first)?;
        let message = self.table.get(slot).filter(|message| message.is_known())?;
        Some(message.origin.clone())
    }

    /// The file was found on hold: when it was put there is not known.
    fn lie_on_hold(&mut self, slot: u32, at: Timestamp, out: &mut dyn FnMut(Fact<'_>)) {
        let Some(message) = self.table.get_mut(slot).filter(|message| !message.held) else {
            return;
        };
        message.held = true;
        message.spoken = true;
        out(Fact::Held {
            message: message.key,
            at,
        });
    }

    /// Somebody logged in, and the line can be read as two names (a thief needs no more than an AUTH parameter at MAIL FROM
    /// for that): whose mail it is the queue file must tell. It is not mail without a login.
    pub(super) fn login_in_doubt(&mut self, record: &Record<'_>, id: &str) {
        let origin = Origin {
            entry: Entry::Unknown,
            host: record.host.into(),
            service: record.service.into(),
            ..Origin::default()
        };
        let slot = self.opened(record, id, origin);
        if self.table.get(slot).is_some_and(|m| !m.is_known()) {
            self.counters.unknown += 1;
            self.orphan(slot);
            self.wait(slot);
        }
    }

    fn insert_unlogged(&mut self, found: &Found<'_>) -> u32 {
        self.clock.start(found.arrival);
        let origin = Origin {
            entry: Entry::Unknown,
            ..Origin::default()
        };
        let slot = self.insert(found.host, found.queue_id, origin);
        if let Some(message) = self.table.get_mut(slot) {
            message.unlogged = Some(found.arrival);
            message.queued = Some(found.arrival);
        }
        slot
    }
}

impl Origin {
    /// Who brought a message in, by the attributes of its queue file.
    #[must_use]
    pub fn of_file(head: &Head) -> Self {
        let peer = if head.log_client.address.is_some() {
            &head.log_client
        } else {
            &head.client
        };
        let sender = head.sender.as_deref().unwrap_or_default();
        let entry = if head.sasl_username.is_some() {
            Entry::Smtp
        } else if hop::is_double_bounce(sender) || (peer.address.is_none() && sender.is_empty()) {
            Entry::Notification
        } else if head.local_origin || peer.address.is_none() {
            Entry::Pickup
        } else {
            Entry::Smtp
        };
        Self {
            entry,
            login: head.sasl_username.clone(),
            sender: head.sender.clone(),
            client_name: peer.name.clone().filter(|_| entry == Entry::Smtp),
            client_address: peer.address.filter(|_| entry == Entry::Smtp),
            client_port: peer.port.filter(|_| entry == Entry::Smtp),
            ..Self::default()
        }
    }
}
