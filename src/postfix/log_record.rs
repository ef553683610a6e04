//! The text of a Postfix log line, read left to right into a [`Record`].
//!
//! [`Reader`] takes raw lines of any framing and gives exactly one [`Reading`] for each: a record, foreign, or unparsed
//! (a Postfix line that looks like one that matters and does not fit; counted by its [`Unparsed::shape`]). [`scan`] does
//! the same without resolving the stamp, for callers that parse on several threads and resolve in order afterwards.
//!
//! What it promises: logins, addresses, HELO names, remote replies, headers and message IDs are text that strangers
//! choose. A member is given only where the line can be read in one way, and nothing near the end of a text that may be
//! cut is trusted. Formats are those of Postfix 2.3 to 3.12 (format strings of every `msg_info` and `msg_warn` call).
//! Lines of no use here become [`Event::Other`]. Nothing panics; nothing is kept but the calendar.

mod action;
mod delivery;
mod owner;
mod peer;
mod queue;
mod reading;
mod reply;
mod session;
mod shape;
#[cfg(test)]
mod tests;

use crate::{
    postfix::{
        calendar::{Calendar, Stamp},
        log_line::{self, Framing, LogLine, Origin, Scratch},
        queue_id,
        record::{Event, Record},
        run,
    },
    time::{Timestamp, Zone},
};

/// Reads the lines of one log, in order.
#[derive(Debug)]
pub struct Reader {
    calendar: Calendar,
    scratch: Scratch,
}

/// What one line came to.
#[expect(
    clippy::large_enum_variant,
    reason = "most lines are records, and none is allocated for"
)]
#[derive(Clone, Debug, PartialEq)]
pub enum Reading<'a> {
    /// A line that is understood.
    Record(Record<'a>),
    /// Another program's line.
    Foreign,
    /// Postfix's, and not understood.
    Unparsed(Unparsed<'a>),
}

/// A Postfix line that is not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unparsed<'a> {
    /// The program; may be empty.
    pub daemon: &'a str,
    /// Its text.
    pub text: &'a str,
}

impl Unparsed<'_> {
    /// The line with its digits, queue IDs, addresses and hosts masked: lines of one kind have one shape.
    #[must_use]
    pub fn shape(&self) -> String {
        shape::of(self.daemon, self.text)
    }
}

impl Reader {
    /// For a log whose stamps without zone are of `zone` and whose last line is not newer than `reference` (its file's
    /// last change, or now).
    #[must_use]
    pub fn new(zone: Zone, reference: Timestamp) -> Self {
        Self {
            calendar: Calendar::new(zone, reference),
            scratch: Scratch::default(),
        }
    }

    /// Reads the next line, with or without its line end.
    pub fn read<'a>(&'a mut self, line: &'a [u8]) -> Reading<'a> {
        let mut reading = Reading::Foreign;
        let stamp = scan_into(line, &mut self.scratch, &mut reading);
        if let Reading::Record(record) = &mut reading {
            record.at = self.calendar.resolve(stamp);
        }
        reading
    }
}

/// Reads one line; its stamp is left to a [`Calendar`], and [`Record::at`] is the epoch.
pub fn scan<'a>(line: &'a [u8], scratch: &'a mut Scratch) -> (Stamp, Reading<'a>) {
    let mut reading = Reading::Foreign;
    let stamp = scan_into(line, scratch, &mut reading);
    (stamp, reading)
}

/// The same where the reading is to stay: a record is large, and a move of it is what a line costs most.
fn scan_into<'a>(line: &'a [u8], scratch: &'a mut Scratch, out: &mut Reading<'a>) -> Stamp {
    let framing = log_line::split(line, scratch);
    let line = match &framing {
        Framing::Postfix(line) => line,
        Framing::Foreign => return Stamp::Missing,
        Framing::Broken(text) => {
            *out = Reading::Unparsed(Unparsed { daemon: "", text });
            return Stamp::Missing;
        }
    };
    *out = Reading::Record(Record {
        at: Timestamp::EPOCH,
        host: line.host,
        service: line.tag.service,
        daemon: line.tag.daemon,
        pid: line.pid,
        queue_id: None,
        repeat: line.repeat,
        event: Event::Other { text: line.text },
    });
    let Reading::Record(record) = out else {
        return line.stamp;
    };
    let understood = understand(line, record) && owner::writes(line.tag.daemon, &record.event);
    let sure = line.tag.origin == Origin::Certain;
    if !sure && (!understood || matches!(record.event, Event::Other { .. })) {
        *out = Reading::Foreign;
    } else if !understood {
        *out = Reading::Unparsed(Unparsed {
            daemon: line.tag.daemon,
            text: line.text,
        });
    } else if record.daemon.is_empty() {
        record.daemon = shown(&record.event);
    }
    line.stamp
}

/// The program that alone writes such a line, where the framing lost its name.
fn shown(event: &Event<'_>) -> &'static str {
    match event {
        Event::Client { .. }
        | Event::Connect(_)
        | Event::Disconnect { .. }
        | Event::SaslFailure { .. }
        | Event::Lost { .. } => "smtpd",
        Event::Pickup { .. } => "pickup",
        Event::MessageId { .. } => "cleanup",
        Event::Queued { .. } | Event::Expired { .. } => "qmgr",
        Event::Notification { .. } => "bounce",
        Event::Release | Event::Requeue => "postsuper",
        Event::Hold(action) if action.action.is_empty() => "postsuper",
        Event::Reload { .. } => "master",
        Event::Delivery(delivery) => match delivery.relay {
            Some(relay) if relay.host == "local" && relay.address.is_empty() => "local",
            Some(relay) if relay.host == "virtual" && relay.address.is_empty() => "virtual",
            _ => "",
        },
        _ => "",
    }
}

/// Fills in the queue ID and what happened; false for a line that begins like one that matters and does not fit.
fn understand<'a>(line: &LogLine<'a>, record: &mut Record<'a>) -> bool {
    let text = line.text;
    let prefix = queue_prefix(text);
    if !line.severity.is_empty() {
        let id = prefix.map(|(id, _)| id);
        record.queue_id = id.filter(|id| queue_id::is_canonical(id));
        if let Some(event) = session::warning(line) {
            record.event = event;
        }
        return true;
    }
    let Some((id, rest)) = prefix else {
        if let Some(event) = session::line(line, text) {
            record.event = event;
        }
        return true;
    };
    let named = Some(id).filter(|id| *id != "NOQUEUE");
    match queue::line(line, rest, &mut record.event) {
        queue::Found::Event => record.queue_id = named,
        queue::Found::Misfit => return false,
        // `statistics: ...`: a word with a colon is no queue ID.
        queue::Found::Nothing => {
            let known = named.is_none_or(queue_id::is_canonical);
            let text = if known { rest } else { text };
            record.queue_id = named.filter(|_| known);
            record.event = session::line(line, text).unwrap_or(Event::Other { text });
        }
    }
    true
}

/// `QID: rest`. Archives have mangled IDs, so that any single word may be one; what follows decides.
fn queue_prefix(text: &str) -> Option<(&str, &str)> {
    let bytes = text.as_bytes();
    let mut end = run::alphanumeric(bytes);
    while let Some(c) = bytes.get(end)
        && in_id(*c)
    {
        end += 1;
    }
    let rest = text.get(end..)?.strip_prefix(": ")?;
    (3..=64).contains(&end).then_some((text.get(..end)?, rest))
}

/// True for a word that may be a queue ID that somebody mangled.
fn is_id(word: &str) -> bool {
    (3..=64).contains(&word.len()) && word.bytes().all(in_id)
}

const fn in_id(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'*' | b'.' | b'#')
}
