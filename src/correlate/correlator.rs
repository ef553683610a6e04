//! The join itself: one lookup per record, what it changes, what it tells.

use std::collections::{BTreeSet, VecDeque};

use super::{
    Counters, Entry, Fact, Limits, Open, Orphan,
    clock::Clock,
    holds::IntakeHold,
    hop,
    life::HOUR,
    links::Promise,
    message::{Due, Early, Message, attempt},
    shelf::Shelf,
    table::{Place, Table},
};
use crate::{
    postfix::record::{Delivery, Event, Record, Status},
    time::Timestamp,
};

/// See the module's head.
#[derive(Debug)]
pub struct Correlator {
    pub(super) limits: Limits,
    pub(super) table: Table,
    pub(super) clock: Clock,
    pub(super) next_key: u64,
    pub(super) next_turn: u64,
    /// Messages by age: in their first hour, and later.
    pub(super) young: VecDeque<(Due, Place)>,
    pub(super) grown: VecDeque<(Due, Place)>,
    pub(super) closing: VecDeque<(Due, Place)>,
    pub(super) waiting: VecDeque<(Due, Place)>,
    pub(super) orphans: VecDeque<Place>,
    pub(super) promises: Shelf<Promise>,
    pub(super) intake: Shelf<IntakeHold>,
    /// A filter was seen that hands mail back without XFORWARD.
    pub(super) hands_back: bool,
    /// Endpoints on our own addresses that handed mail back.
    pub(super) filters: BTreeSet<hop::Endpoint>,
    /// Attempts kept back in all messages.
    pub(super) early: usize,
    pub(super) tracking: bool,
    pub(super) dirty: Vec<Place>,
    pub(super) gone: Vec<u64>,
    pub(super) counters: Counters,
}

/// Where facts go.
pub(super) type Out<'o> = &'o mut dyn FnMut(Fact<'_>);

impl Correlator {
    /// A correlator that knows no message.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            table: Table::default(),
            clock: Clock::default(),
            next_key: 1,
            next_turn: 0,
            young: VecDeque::new(),
            grown: VecDeque::new(),
            closing: VecDeque::new(),
            waiting: VecDeque::new(),
            orphans: VecDeque::new(),
            promises: Shelf::new(super::links::MOST),
            intake: Shelf::new(super::links::MOST),
            hands_back: false,
            filters: BTreeSet::new(),
            early: 0,
            tracking: false,
            dirty: Vec::new(),
            gone: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// One of the same limits that knows no message.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(self.limits.clone())
    }

    /// Takes the next record and tells what follows from it, and from the time having come to its stamp.
    pub fn feed(&mut self, record: &Record<'_>, out: Out<'_>) {
        self.tick(record.at, out);
        match &record.event {
            Event::Client { .. } => self.client(record, out),
            Event::Pickup {
                uid,
                sender,
                orig_id,
            } => self.pickup(record, *uid, sender, *orig_id, out),
            Event::Queued {
                sender,
                size,
                nrcpt,
            } => self.queued(record, sender, *size, *nrcpt, out),
            Event::Delivery(delivery) => self.delivery(record, delivery, out),
            Event::Removed { .. } => self.removed(record),
            Event::Expired { .. } => self.expired(record),
            Event::Delete => self.deleted(record),
            Event::Requeue => self.requeued(record, out),
            Event::Release => self.released(record, out),
            Event::Hold(action) | Event::MilterHold(action) => self.hold(record, action, out),
            Event::Notification {
                notification_id, ..
            } => self.notification(record, notification_id, out),
            Event::ProxyAccept { action, queued_as } => {
                self.proxy_accept(record, action, *queued_as, out);
            }
            Event::Reject(action) | Event::MilterReject(action) | Event::Discard(action) => {
                self.refused(record, action, out);
            }
            Event::Connect(_) | Event::Disconnect { .. } => self.session_bound(record),
            _ => {}
        }
        self.evict(out);
    }

    /// Lets time pass: what waited long enough is told, what is over is forgotten. Live, call it while no record comes,
    /// with a time that the log has surely reached.
    pub fn tick(&mut self, at: Timestamp, out: Out<'_>) {
        self.clock.advance(at);
        let now = self.clock.now();
        while let Some(slot) = due(&mut self.waiting, now, &self.table, |m| m.waiting) {
            self.flush(slot, out);
        }
        while let Some(slot) = due(&mut self.closing, now, &self.table, |m| m.closing) {
            self.forget(slot, out);
        }
        while let Some(slot) = due(&mut self.young, now, &self.table, age_of_young) {
            self.grow(slot, out);
        }
        while let Some(slot) = due(&mut self.grown, now, &self.table, age_of_grown) {
            self.grow(slot, out);
        }
        self.promises.expire(now);
        self.intake.expire(now);
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Messages remembered now, those just closed included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// True when no message is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// The messages that are in the queue as far as is known, oldest first.
    pub fn open_messages(&self) -> impl Iterator<Item = Open<'_>> {
        let mut open: Vec<&Message> = self
            .table
            .iter()
            .filter(|message| message.ended.is_none() && !message.superseded)
            .collect();
        open.sort_unstable_by_key(|message| message.key);
        open.into_iter().map(|message| Open {
            message: message.key,
            host: &message.host,
            queue_id: &message.queue_id,
            origin: &message.origin,
            held: message.held,
        })
    }

    /// Up to `most` messages whose origin is unknown and whose queue file was not asked for yet; each is given once. What
    /// is found goes to [`Correlator::adopt`], at best before the next record.
    pub fn unknown(&mut self, most: usize) -> Vec<Orphan> {
        let mut found = Vec::new();
        while found.len() < most
            && let Some(place) = self.orphans.pop_front()
        {
            let Some(slot) = self.table.live(place) else {
                continue;
            };
            self.mark(slot);
            if let Some(message) = self.table.get_mut(slot)
                && !message.is_known()
                && !message.looked_up
                && message.ended.is_none()
            {
                message.looked_up = true;
                found.push(Orphan {
                    host: message.host.clone(),
                    queue_id: message.queue_id.clone(),
                });
            }
        }
        found
    }

    fn delivery(&mut self, record: &Record<'_>, delivery: &Delivery<'_>, out: Out<'_>) {
        let Some(id) = record.queue_id else {
            return;
        };
        let slot = match self.lookup(record, id) {
            Some(slot) => self.meant(slot, true),
            None => self.open_unknown(record, id, None),
        };
        if matches!(delivery.status, Status::Deliverable | Status::Undeliverable)
            && let Some(message) = self.table.get_mut(slot)
            && matches!(message.origin.entry, Entry::Unknown | Entry::Notification)
        {
            message.origin.entry = Entry::Probe;
            self.mark(slot);
            self.flush(slot, out);
        }
        if delivery.recipient.is_some() {
            self.attempt(slot, record, delivery, out);
        }
        if delivery.status == Status::Sent {
            self.follow(slot, record, delivery, out);
        }
    }

    fn attempt(&mut self, slot: u32, record: &Record<'_>, delivery: &Delivery<'_>, out: Out<'_>) {
        let remote = hop::is_remote(
            record.daemon,
            delivery,
            &self.limits.own_addresses,
            &self.filters,
        );
        let Some(message) = self.table.get_mut(slot) else {
            return;
        };
        if message.ended.is_some() {
            self.counters.late += 1;
        }
        if message.waiting.is_some() {
            message.early.push(Early::new(record.at, delivery, remote));
            self.early += 1;
            self.mark(slot);
            if self.early > self.limits.early {
                self.flush(slot, out);
            }
            return;
        }
        self.submit(slot, record.at, out);
        let Some(message) = self.table.get_mut(slot) else {
            return;
        };
        if !message.spoken {
            message.spoken = true;
            self.mark(slot);
        }
        if let Some(message) = self.table.get(slot) {
            if !message.is_known() {
                self.counters.unattributed += 1;
            }
            out(Fact::Attempt(attempt(message, record.at, delivery, remote)));
        }
    }

    fn queued(&mut self, record: &Record<'_>, sender: &str, size: u64, nrcpt: u32, out: Out<'_>) {
        let Some(id) = record.queue_id else {
            return;
        };
        let slot = match self.lookup(record, id) {
            Some(slot) if self.table.get(slot).is_some_and(|m| m.ended.is_none()) => slot,
            Some(slot) => {
                self.supersede(slot);
                self.open_unknown(record, id, Some(sender))
            }
            None => self.open_unknown(record, id, Some(sender)),
        };
        let Some(message) = self.table.get_mut(slot) else {
            return;
        };
        let released = std::mem::take(&mut message.held);
        if released {
            // It could not have become active on hold: the line that released it was missed.
            out(Fact::Released {
                message: message.key,
                at: record.at,
            });
        }
        let first = message.queued.is_none();
        if first {
            message.queued = Some(record.at);
            message.closing = None;
            message.recipients = nrcpt;
            message.size = size;
            message.origin.sender.get_or_insert_with(|| sender.into());
        }
        let may_be_linked = message.linkable && self.hands_back;
        if first || released {
            self.mark(slot);
        }
        if first && may_be_linked {
            self.wait(slot);
        }
        if self.table.get(slot).is_some_and(|m| m.waiting.is_none()) {
            self.submit(slot, record.at, out);
        }
    }

    fn removed(&mut self, record: &Record<'_>) {
        if let Some(slot) = record.queue_id.and_then(|id| self.lookup(record, id)) {
            let slot = self.meant(slot, false);
            self.close(slot, Some(record.at));
        }
    }

    fn deleted(&mut self, record: &Record<'_>) {
        if let Some(slot) = record.queue_id.and_then(|id| self.lookup(record, id)) {
            self.close(slot, Some(record.at));
        }
    }

    fn expired(&mut self, record: &Record<'_>) {
        if let Some(slot) = record.queue_id.and_then(|id| self.lookup(record, id))
            && let Some(message) = self.table.get_mut(slot)
        {
            message.expired = true;
            self.mark(slot);
        }
    }

    /// Tells the submission, once, if there is one to tell.
    pub(super) fn submit(&mut self, slot: u32, at: Timestamp, out: Out<'_>) {
        let Some(message) = self.table.get_mut(slot) else {
            return;
        };
        if !message.is_known() {
            return;
        }
        if message.told {
            if message.is_submission()
                && let Some(from) = message.from.take()
            {
                message.spoken = true;
                out(Fact::Hop {
                    message: message.key,
                    queue_id: &message.queue_id,
                    from,
                    at,
                    recipients: message.recipients.max(1),
                });
                self.mark(slot);
            }
            return;
        }
        message.told = true;
        if message.is_submission() {
            message.spoken = true;
            out(Fact::Submission {
                message: message.key,
                queue_id: &message.queue_id,
                at,
                origin: &message.origin,
                recipients: message.recipients.max(1),
                size: message.size,
            });
        }
        self.mark(slot);
    }

    /// Ends the waiting: what was kept back is told.
    pub(super) fn flush(&mut self, slot: u32, out: Out<'_>) {
        let Some(message) = self.table.get_mut(slot) else {
            return;
        };
        message.waiting = None;
        let early = std::mem::take(&mut message.early);
        self.early = self.early.saturating_sub(early.len());
        let begun = message.queued.is_some() || message.held || !early.is_empty();
        let at = message.queued.unwrap_or_else(|| self.clock.event_time());
        if begun {
            self.submit(slot, at, out);
        }
        if let Some(message) = self.table.get_mut(slot) {
            message.spoken |= !early.is_empty();
        }
        if let Some(message) = self.table.get(slot) {
            for kept in &early {
                if !message.is_known() {
                    self.counters.unattributed += 1;
                }
                out(Fact::Attempt(kept.attempt(message)));
            }
        }
        self.mark(slot);
    }

    /// The message a line is about, by its queue ID.
    pub(super) fn lookup(&mut self, record: &Record<'_>, id: &str) -> Option<u32> {
        let slot = self.table.find(record.host, id)?;
        let now = self.clock.now();
        let message = self.table.get_mut(slot)?;
        let stale = now.saturating_sub(message.heard) > HOUR;
        if stale || message.unlogged.is_some() {
            message.heard = now;
            message.unlogged = None;
            if message.host.is_empty() {
                message.host = record.host.into();
            }
            self.mark(slot);
        }
        Some(slot)
    }

    /// A line of a delivery agent or of the queue manager is about the message before, if this one is not in the queue yet.
    fn meant(&self, slot: u32, even_if_ended: bool) -> u32 {
        let Some(message) = self.table.get(slot).filter(|m| m.queued.is_none()) else {
            return slot;
        };
        message
            .prior
            .and_then(|place| self.table.live(place))
            .filter(|prior| {
                self.table
                    .get(*prior)
                    .is_some_and(|m| m.queued.is_some() && (even_if_ended || m.ended.is_none()))
            })
            .unwrap_or(slot)
    }
}

const fn age_of_young(message: &Message) -> Option<Due> {
    if message.grown {
        None
    } else {
        Some(message.age)
    }
}

const fn age_of_grown(message: &Message) -> Option<Due> {
    if message.grown {
        Some(message.age)
    } else {
        None
    }
}

/// The next message of a queue whose appointment has come and still stands.
fn due(
    queue: &mut VecDeque<(Due, Place)>,
    now: i64,
    table: &Table,
    appointment: impl Fn(&Message) -> Option<Due>,
) -> Option<u32> {
    while let Some((due, place)) = queue.front().copied().filter(|(due, _)| due.at <= now) {
        queue.pop_front();
        if let Some(slot) = table.live(place)
            && table.get(slot).and_then(&appointment) == Some(due)
        {
            return Some(slot);
        }
    }
    None
}
