//! The life of a message in the table: opened, waiting, superseded, closed, grown old, forgotten.

use super::{
    Correlator, Entry, Fact, MessageKey, Origin,
    correlator::Out,
    hop,
    message::{Due, Message},
    table::Place,
};
use crate::{postfix::record::Record, time::Timestamp};

const SECOND: i64 = 1_000_000;
/// How long facts wait for the line that names the origin. Log stamps may have whole seconds only.
const WAIT: i64 = 2 * SECOND;
/// How long lines of other daemons may come after `removed`, or after another message took the ID.
const LINGER: i64 = 5 * SECOND;
/// How long a message may take from its first recipient to the queue. Refused after the data before 3.10 it ends without a line.
const INTAKE: i64 = 3600 * SECOND;
/// How often "heard of" is noted.
pub(super) const HOUR: i64 = 3600 * SECOND;
/// Messages whose queue files are to be asked for.
const MOST_ORPHANS: usize = 10_000;
/// What is on hold stays as many lifetimes.
const HELD_LIFETIMES: i64 = 10;

impl Correlator {
    /// Opens a message whose ID is in nobody else's way any more.
    pub(super) fn open(&mut self, record: &Record<'_>, id: &str, origin: Origin) -> u32 {
        let prior = self.table.find(record.host, id).map(|slot| {
            self.supersede(slot);
            let key = self.table.get(slot).map_or(MessageKey(0), |m| m.key);
            Place { slot, key }
        });
        let slot = self.insert(record.host, id, origin);
        if let Some(message) = self.table.get_mut(slot) {
            message.prior = prior;
        }
        slot
    }

    /// Puts a new message into the table, and the oldest out of it if there are too many.
    pub(super) fn insert(&mut self, host: &str, id: &str, origin: Origin) -> u32 {
        let now = self.clock.now();
        let age = self.due(INTAKE);
        let key = MessageKey(self.next_key);
        self.next_key += 1;
        self.counters.opened += 1;
        let place = self.table.insert(Message {
            key,
            host: host.into(),
            queue_id: id.into(),
            origin,
            recipients: 0,
            size: 0,
            opened: now,
            heard: now,
            queued: None,
            told: false,
            from: None,
            spoken: false,
            held: false,
            expired: false,
            requeued: false,
            linkable: false,
            looked_up: false,
            unlogged: None,
            superseded: false,
            prior: None,
            ended: None,
            closing: None,
            waiting: None,
            age,
            grown: false,
            early: Vec::new(),
            next: None,
            dirty: false,
            stored: false,
        });
        self.young.push_back((age, place));
        self.mark(place.slot);
        place.slot
    }

    /// Opens a message that was in the queue before the log told of it.
    pub(super) fn open_unknown(
        &mut self,
        record: &Record<'_>,
        id: &str,
        sender: Option<&str>,
    ) -> u32 {
        let origin = Origin {
            entry: Entry::Unknown,
            sender: sender.map(Into::into),
            host: record.host.into(),
            ..Origin::default()
        };
        let slot = self.open(record, id, origin);
        if let Some(promise) = self.promised(record.host, id) {
            self.bind(slot, promise.bond, &promise.origin, promise.parent);
            if self.table.get(slot).is_some_and(|m| !m.is_known()) {
                self.wait(slot);
            }
        } else if sender.is_some_and(hop::is_double_bounce) {
            if let Some(message) = self.table.get_mut(slot) {
                message.origin.entry = Entry::Notification;
            }
        } else {
            self.counters.unknown += 1;
            self.orphan(slot);
            self.wait(slot);
        }
        slot
    }

    /// Notes that a message's queue file is to be asked for.
    pub(super) fn orphan(&mut self, slot: u32) {
        if let Some(message) = self.table.get(slot).filter(|m| !m.looked_up) {
            // Where nobody asks, as in a replay, the oldest are never asked for.
            while self.orphans.len() >= MOST_ORPHANS {
                self.orphans.pop_front();
            }
            self.orphans.push_back(Place {
                slot,
                key: message.key,
            });
        }
    }

    /// Takes a message's ID away, because another one has it now.
    pub(super) fn supersede(&mut self, slot: u32) {
        self.counters.reused += 1;
        self.table.unlink(slot);
        let closing = self.due(LINGER);
        self.mark(slot);
        if let Some(message) = self.table.get_mut(slot) {
            message.superseded = true;
            if message.closing.is_none() {
                message.closing = Some(closing);
                let key = message.key;
                self.closing.push_back((closing, Place { slot, key }));
            }
        }
    }

    /// Lets a message end: at once for the queue, some seconds later for us.
    pub(super) fn close(&mut self, slot: u32, ended: Option<Timestamp>) {
        let closing = self.due(LINGER);
        self.mark(slot);
        if let Some(message) = self.table.get_mut(slot) {
            message.ended = message.ended.or(ended);
            message.closing = Some(closing);
            let key = message.key;
            self.closing.push_back((closing, Place { slot, key }));
        }
    }

    /// Keeps back what there is to tell of a message.
    pub(super) fn wait(&mut self, slot: u32) {
        let waiting = self.due(WAIT);
        self.mark(slot);
        if let Some(message) = self.table.get_mut(slot)
            && message.waiting.is_none()
        {
            message.waiting = Some(waiting);
            let key = message.key;
            self.waiting.push_back((waiting, Place { slot, key }));
        }
    }

    /// A span of age is over: forgotten, unless it is in the queue and something was heard of it.
    pub(super) fn grow(&mut self, slot: u32, out: Out<'_>) {
        let now = self.clock.now();
        let lifetime = i64::try_from(self.limits.lifetime.as_micros())
            .unwrap_or(i64::MAX)
            .saturating_add(24 * HOUR);
        let age = self.due(lifetime);
        let Some(message) = self.table.get_mut(slot) else {
            return;
        };
        let span = if message.held {
            lifetime.saturating_mul(HELD_LIFETIMES)
        } else {
            lifetime
        };
        let queued = message.queued.is_some() || message.held || message.told;
        if queued && now.saturating_sub(message.heard) < span {
            message.age = age;
            message.grown = true;
            let key = message.key;
            self.grown.push_back((age, Place { slot, key }));
            self.mark(slot);
        } else {
            self.counters.aged_out += 1;
            self.forget(slot, out);
        }
    }

    /// Takes a message out, and tells its end if anything was told of it.
    pub(super) fn forget(&mut self, slot: u32, out: Out<'_>) {
        if self.table.get(slot).is_some_and(|m| m.waiting.is_some()) {
            self.flush(slot, out);
        }
        let Some(message) = self.table.remove(slot) else {
            return;
        };
        if message.stored {
            self.gone.push(message.key.0);
        }
        if message.spoken {
            out(Fact::End {
                message: message.key,
                at: message.ended.unwrap_or_else(|| self.clock.event_time()),
            });
        }
    }

    /// Makes room.
    pub(super) fn evict(&mut self, out: Out<'_>) {
        while self.table.len() > self.limits.messages {
            let Some((due, place)) = self.grown.pop_front().or_else(|| self.young.pop_front())
            else {
                return;
            };
            if let Some(slot) = self.table.live(place)
                && self.table.get(slot).is_some_and(|m| m.age == due)
            {
                self.counters.evicted += 1;
                self.forget(slot, out);
            }
        }
    }

    pub(super) fn due(&mut self, span: i64) -> Due {
        self.next_turn += 1;
        Due {
            at: self.clock.now().saturating_add(span),
            turn: self.next_turn,
        }
    }

    /// Notes that a message has changed since it was written.
    pub(super) fn mark(&mut self, slot: u32) {
        if self.tracking
            && let Some(message) = self.table.get_mut(slot)
            && !message.dirty
        {
            message.dirty = true;
            let key = message.key;
            self.dirty.push(Place { slot, key });
        }
    }
}
