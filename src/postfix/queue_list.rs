//! The output of `postqueue -j`, one JSON object a line, read leniently.
//!
//! Promises: members that are missing or unknown harm nothing (the set has grown in 3.5 and 3.11); a line that is no
//! JSON is counted and skipped, and the rest is read; control bytes and invalid UTF-8 inside a line (a server reply of a
//! Postfix before December 2023) are taken as `?` before a line is given up; an endless line is cut off.
//! Limits: the listing is no snapshot. A message may come twice or not at all while the queue moves (postqueue(1)), there
//! is no login and no client in it, and the null sender cannot be told from a sender called `MAILER-DAEMON`.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Longest line kept, in bytes. A message with 10,000 recipients and 2,000 bytes of reason each is 21 MB; what is longer
/// is counted as unread.
const LONGEST_LINE: usize = 64 << 20;

/// A queue of Postfix.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Queue {
    /// Submitted by sendmail(1), not yet picked up.
    Maildrop,
    /// Being received, or waiting for the queue manager.
    Incoming,
    /// Being delivered.
    Active,
    /// Waiting for its next attempt.
    Deferred,
    /// Put on hold.
    Hold,
    /// Another name.
    #[default]
    #[serde(other)]
    Other,
}

impl Queue {
    /// The queues of the mail that is not yet gone, in the order in which mail moves through them.
    pub const ALL: [Self; 5] = [
        Self::Maildrop,
        Self::Incoming,
        Self::Active,
        Self::Deferred,
        Self::Hold,
    ];

    /// As Postfix names it and its directory.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Maildrop => "maildrop",
            Self::Incoming => "incoming",
            Self::Active => "active",
            Self::Deferred => "deferred",
            Self::Hold => "hold",
            Self::Other => "other",
        }
    }
}

/// One queued message as `postqueue -j` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The queue it is in.
    #[serde(rename = "queue_name")]
    pub queue: Queue,
    /// Its queue ID; letters, digits and `_` only.
    pub queue_id: Box<str>,
    /// Arrival in whole seconds since the epoch, as printed.
    arrival_time: i64,
    /// Bytes.
    #[serde(rename = "message_size")]
    pub size: u64,
    /// `postsuper -e` or `-f` was used on it (3.5 and later).
    pub forced_expire: bool,
    /// Envelope sender in printable form; `MAILER-DAEMON` for the null sender.
    pub sender: Box<str>,
    /// Recipients still to be delivered to. Empty: a husk, delivered while it was put on hold.
    pub recipients: Vec<Recipient>,
}

/// A recipient that has not got its mail yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Recipient {
    /// The address in printable form (RFC 5322 quoting).
    pub address: Box<str>,
    /// The address before aliases (3.11 and later).
    pub orig_address: Option<Box<str>>,
    /// Why it was deferred last; whatever the remote side wrote.
    pub delay_reason: Option<Box<str>>,
    /// Why it was bounced, the notification being still due (3.11 and later).
    pub bounce_reason: Option<Box<str>>,
}

impl Entry {
    /// When it came in.
    #[must_use]
    pub const fn arrival(&self) -> Timestamp {
        Timestamp::from_seconds(self.arrival_time)
    }

    /// True for a message that has nobody left to go to: its delivery ended after it was put on hold.
    #[must_use]
    pub const fn is_husk(&self) -> bool {
        self.recipients.is_empty()
    }

    /// Reads one line; `None` when it is no JSON object or names no valid queue ID.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line)
            .or_else(|_| serde_json::from_str(&made_printable(line)))
            .ok()
            .filter(|entry: &Self| is_queue_id(&entry.queue_id))
    }
}

/// Control bytes as `?`, invalid UTF-8 as U+FFFD. JSON has neither, outside of the blanks between its members.
fn made_printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// What may become a command's argument or a file name: `mail_queue_id_ok()` of Postfix.
fn is_queue_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// Reads a listing in pieces of any size.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    overlong: bool,
    unread: u64,
}

impl Reader {
    /// A reader at the start of a listing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the listing and gives the messages whose lines are complete.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut dyn FnMut(Entry)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, after) = bytes.split_at(end);
            bytes = after.get(1..).unwrap_or_default();
            if self.rest.is_empty() && !self.overlong {
                self.line(line, out);
            } else {
                self.keep(line);
                self.finish_line(out);
            }
        }
        self.keep(bytes);
    }

    /// Ends the listing: a last line without newline is a line too. Gives the number of lines that were no message.
    #[must_use]
    pub fn finish(mut self, out: &mut dyn FnMut(Entry)) -> u64 {
        self.finish_line(out);
        self.unread
    }

    fn finish_line(&mut self, out: &mut dyn FnMut(Entry)) {
        if self.overlong {
            self.unread += 1;
        } else {
            let line = std::mem::take(&mut self.rest);
            self.line(&line, out);
        }
        self.overlong = false;
        self.rest.clear();
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.overlong || self.rest.len() + bytes.len() > LONGEST_LINE {
            self.overlong = true;
            self.rest = Vec::new();
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }

    fn line(&mut self, line: &[u8], out: &mut dyn FnMut(Entry)) {
        if line.trim_ascii().is_empty() {
            return;
        }
        match Entry::parse(line) {
            Some(entry) => out(entry),
            None => self.unread += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LISTING: &[u8] = br#"{"queue_name": "deferred", "queue_id": "4F2A1C0D3B", "arrival_time": 1700000000, "message_size": 345, "forced_expire": false, "sender": "anna@example.org", "recipients": [{"address": "\"a@b\"@c.example", "delay_reason": "host mx.example[192.0.2.1] said: 451 \u0007 later"}]}
{"queue_name": "hold", "queue_id": "4jXzRv5gxPz1St68", "arrival_time": 1700000001, "message_size": 1, "sender": "MAILER-DAEMON", "recipients": [], "newer": {"member": [1, 2]}}
mailq: something else
{"queue_name": "backup", "queue_id": "4F2A1C0D3C"}
{"queue_name": "deferred", "queue_id": "../../etc/passwd", "sender": "x"}
"#;

    fn read(pieces: &[&[u8]]) -> (Vec<Entry>, u64) {
        let mut entries = Vec::new();
        let mut reader = Reader::new();
        for piece in pieces {
            reader.push(piece, &mut |entry| entries.push(entry));
        }
        let unread = reader.finish(&mut |entry| entries.push(entry));
        (entries, unread)
    }

    #[test]
    fn a_listing_is_read_and_what_is_no_message_is_counted() {
        let (entries, unread) = read(&[LISTING]);
        assert_eq!(unread, 2);
        assert_eq!(entries.len(), 3);
        assert_eq!(entries[0].queue, Queue::Deferred);
        assert_eq!(entries[0].arrival(), Timestamp::from_seconds(1_700_000_000));
        assert_eq!(&*entries[0].recipients[0].address, "\"a@b\"@c.example");
        assert!(entries[1].is_husk());
        assert_eq!(entries[2].queue, Queue::Other);
    }

    #[test]
    fn raw_control_bytes_and_bad_utf8_cost_a_character_not_the_message() {
        let line = b"{\"queue_name\": \"active\", \"queue_id\": \"AB12\", \"recipients\": [{\"address\": \"x@y\", \"delay_reason\": \"a\x1b[1mb\xff\"}]}";
        let entry = Entry::parse(line).unwrap();
        assert_eq!(
            entry.recipients[0].delay_reason.as_deref(),
            Some("a?[1mb\u{fffd}")
        );
    }

    #[test]
    fn a_last_line_without_newline_counts() {
        let (entries, unread) = read(&[br#"{"queue_name":"hold","queue_id":"AB12CD"}"#]);
        assert_eq!((entries.len(), unread), (1, 0));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_messages(cuts in prop::collection::vec(0..LISTING.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut start = 0;
            for cut in cuts {
                pieces.push(&LISTING[start..cut]);
                start = cut;
            }
            pieces.push(&LISTING[start..]);
            prop_assert_eq!(read(&pieces), read(&[LISTING]));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(read(&[&bytes]));
        }
    }
}
