//! Holds at intake and by postsuper, releases, requeues, refusals.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Correlator, Fact, correlator::Out, links::session};
use crate::postfix::record::{Action, Event, Record};

/// How long after the first recipient's hold the session may take to come to `client=`.
const HOLD_SPAN: i64 = 3600 * 1_000_000;
/// `NOQUEUE: hold:` before the `client=` of the same session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IntakeHold {
    pub(super) client: Option<IpAddr>,
    pub(super) sender: Option<Box<str>>,
}

impl Correlator {
    /// A hold by a restriction, a milter, a header check, or postsuper.
    pub(super) fn hold(&mut self, record: &Record<'_>, action: &Action<'_>, out: Out<'_>) {
        if let Some(id) = record.queue_id {
            let slot = match self.lookup(record, id) {
                Some(slot) => slot,
                None => self.open_unknown(record, id, action.sender),
            };
            self.put_on_hold(slot, record, action.sender, out);
        } else if let Some(client) = action.client {
            let due = self.clock.now().saturating_add(HOLD_SPAN);
            let hold = IntakeHold {
                client: client.address,
                sender: action.sender.map(Into::into),
            };
            if self.intake.put(session(record), due, hold) {
                self.counters.holds_lost += 1;
            }
        }
    }

    pub(super) fn put_on_hold(
        &mut self,
        slot: u32,
        record: &Record<'_>,
        sender: Option<&str>,
        out: Out<'_>,
    ) {
        let Some(message) = self
            .table
            .get_mut(slot)
            .filter(|m| m.ended.is_none() && !m.held)
        else {
            return;
        };
        message.held = true;
        message.closing = None;
        if message.origin.sender.is_none() {
            message.origin.sender = sender.map(Into::into);
        }
        let may_be_linked = message.linkable && self.hands_back;
        if may_be_linked {
            self.wait(slot);
        }
        if self.table.get(slot).is_some_and(|m| m.waiting.is_none()) {
            self.submit(slot, record.at, out);
        }
        if let Some(message) = self.table.get_mut(slot) {
            message.spoken = true;
            out(Fact::Held {
                message: message.key,
                at: record.at,
            });
        }
        self.mark(slot);
    }

    /// postsuper: released from hold.
    pub(super) fn released(&mut self, record: &Record<'_>, out: Out<'_>) {
        if let Some(slot) = record.queue_id.and_then(|id| self.lookup(record, id)) {
            self.release(slot, record, out);
        }
    }

    fn release(&mut self, slot: u32, record: &Record<'_>, out: Out<'_>) {
        let Some(message) = self.table.get_mut(slot).filter(|m| m.held) else {
            return;
        };
        message.held = false;
        out(Fact::Released {
            message: message.key,
            at: record.at,
        });
        self.mark(slot);
    }

    /// postsuper: requeued. pickup gives it another ID within a minute.
    pub(super) fn requeued(&mut self, record: &Record<'_>, out: Out<'_>) {
        if let Some(slot) = record.queue_id.and_then(|id| self.lookup(record, id)) {
            self.release(slot, record, out);
            if let Some(message) = self.table.get_mut(slot) {
                message.requeued = true;
            }
            self.mark(slot);
        }
    }

    /// Refused or thrown away after its data: before 3.10 no other line tells its end.
    pub(super) fn refused(&mut self, record: &Record<'_>, action: &Action<'_>, out: Out<'_>) {
        let whole = matches!(
            action.stage,
            Some("END-OF-MESSAGE" | "DATA" | "BDAT" | "header" | "body" | "content" | "mime-error")
        );
        let Some(slot) = record
            .queue_id
            .filter(|_| whole)
            .and_then(|id| self.lookup(record, id))
        else {
            return;
        };
        let Some(message) = self
            .table
            .get(slot)
            .filter(|m| m.queued.is_none() && !m.held)
        else {
            return;
        };
        if matches!(record.event, Event::Reject(_)) && message.is_known() {
            let mut origin = message.origin.clone();
            origin.sender = origin.sender.or_else(|| action.sender.map(Into::into));
            out(Fact::Refused {
                at: record.at,
                origin: &origin,
                text: action.text,
            });
        }
        self.close(slot, None);
    }

    /// A session began or ended: a hold that no `client=` followed is over.
    pub(super) fn session_bound(&mut self, record: &Record<'_>) {
        if self.intake.is_empty() {
            return;
        }
        self.intake.take(session(record));
    }
}
