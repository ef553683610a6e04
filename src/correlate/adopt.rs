//! What a queue file tells of a message whose opening line the log does not have, or not yet.

use super::{Correlator, Entry, Fact, MessageKey, Origin, hop};
use crate::{postfix::queue_file::Head, time::Timestamp};

/// A queued message as its queue file shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// Log host if known (from [`Correlator::unknown`]), else empty: the first line of the log about that ID tells it.
    pub host: &'a str,
    /// The file's name.
    pub queue_id: &'a str,
    /// When the message came in.
    pub arrival: Timestamp,
    /// Who brought it in: [`Correlator::origin_of`].
    pub origin: Origin,
    /// Recipients.
    pub recipients: u32,
    /// Size in bytes.
    pub size: u64,
}

impl Correlator {
    /// Who brought in a message with such a queue file. Behind a content filter that speaks XFORWARD the file names the first
    /// hop's queue ID, and the origin is that one's if it is remembered.
    #[must_use]
    pub fn origin_of(&self, queue_id: &str, head: &Head) -> Origin {
        head.log_ident
            .as_deref()
            .filter(|first| *first != queue_id && head.sasl_username.is_none())
            .and_then(|first| self.table.find_anywhere("", first))
            .and_then(|slot| self.table.get(slot))
            .filter(|first| first.is_known())
            .map_or_else(|| origin(head), |first| first.origin.clone())
    }

    /// Takes the origin of a queued message from its queue file. A message whose origin is known already stays as it is,
    /// and when the opening line comes after all it is the same message. Not for files in `maildrop`: nothing in them
    /// is an identity.
    pub fn adopt(&mut self, found: Found<'_>, out: &mut dyn FnMut(Fact<'_>)) -> MessageKey {
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
        if self.table.get(slot).is_some_and(|m| m.waiting.is_some()) {
            self.flush(slot, out);
        }
        let key = self.table.get(slot).map_or(MessageKey(0), |m| m.key);
        self.evict(out);
        key
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

/// Who brought a message in, by the attributes of its queue file.
fn origin(head: &Head) -> Origin {
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
    Origin {
        entry,
        login: head.sasl_username.clone(),
        sender: head.sender.clone(),
        client_name: peer.name.clone().filter(|_| entry == Entry::Smtp),
        client_address: peer.address.filter(|_| entry == Entry::Smtp),
        client_port: peer.port.filter(|_| entry == Entry::Smtp),
        ..Origin::default()
    }
}
