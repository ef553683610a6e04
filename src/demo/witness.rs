//! What every remote side saw, in the order in which it happened: the only source of the demo's figures.
//!
//! Messages carry two marker headers that remote sides write down and nothing else reads: who really sent them
//! ([`IDENTITY`]) and which message it is ([`MESSAGE`]). A refusal at RCPT comes before the headers; whose it was is then
//! known by the recipient, if the traffic registered it, else by the envelope sender.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::time::Timestamp;

/// Header: who really sent the message.
pub const IDENTITY: &str = "X-Demo-Sender";
/// Header: the message's own name, unique in the run.
pub const MESSAGE: &str = "X-Demo-Message";

/// How a remote side answered for one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// 2yz at the end of the message: it has left and cannot be called back.
    Accepted,
    /// 5yz.
    Rejected,
    /// 4yz.
    Deferred,
    /// The connection was closed without a word.
    Dropped,
}

/// One answer for one recipient.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it was given.
    pub at: Timestamp,
    /// Which remote side.
    pub place: Arc<str>,
    /// How.
    pub outcome: Outcome,
    /// The reply; empty where there was none.
    pub reply: String,
    /// Envelope sender; empty for the null sender.
    pub sender: String,
    /// Envelope recipient.
    pub recipient: String,
    /// [`IDENTITY`], where it is known.
    pub identity: Option<String>,
    /// [`MESSAGE`], where it is known.
    pub message: Option<String>,
    /// The whole message, where the remote side keeps it.
    pub content: Option<Arc<[u8]>>,
}

/// The record. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    seen: Vec<Seen>,
    expected: HashMap<String, (String, String)>,
}

impl Witness {
    /// An empty record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says beforehand whose mail to `recipient` is, so that a refusal before the headers can be told apart.
    pub fn expect(&self, recipient: &str, identity: &str, message: &str) {
        let value = (identity.to_owned(), message.to_owned());
        self.record()
            .expected
            .insert(recipient.to_lowercase(), value);
    }

    /// Writes down one answer.
    pub fn note(&self, mut seen: Seen) {
        let mut record = self.record();
        if seen.identity.is_none() {
            let known = record.expected.get(&seen.recipient.to_lowercase());
            (seen.identity, seen.message) = known.cloned().unzip();
        }
        record.seen.push(seen);
    }

    /// The answers that `filter` wants, in order.
    #[must_use]
    pub fn seen(&self, filter: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let record = self.record();
        record
            .seen
            .iter()
            .filter(|seen| filter(seen))
            .cloned()
            .collect()
    }

    /// How many answers `filter` wants.
    #[must_use]
    pub fn count(&self, filter: impl Fn(&Seen) -> bool) -> usize {
        self.record()
            .seen
            .iter()
            .filter(|seen| filter(seen))
            .count()
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        // A panicked writer leaves whole entries: the record stays good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Whether it is about mail of this identity.
    #[must_use]
    pub fn is_of(&self, identity: &str) -> bool {
        self.identity.as_deref() == Some(identity)
    }
}

/// The value of a header in the head of a message; unfolded headers only.
#[must_use]
pub fn header(content: &[u8], name: &str) -> Option<String> {
    content
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_before_the_headers_is_known_by_its_recipient() {
        let witness = Witness::new();
        witness.expect("R1@example.net", "thief", "m1");
        witness.note(Seen {
            at: Timestamp::EPOCH,
            place: "mx".into(),
            outcome: Outcome::Rejected,
            reply: "550 5.1.1 no".to_owned(),
            sender: "anna@example.org".to_owned(),
            recipient: "r1@example.net".to_owned(),
            identity: None,
            message: None,
            content: None,
        });
        assert_eq!(witness.count(|seen| seen.is_of("thief")), 1);
        assert_eq!(witness.seen(|_| true)[0].message.as_deref(), Some("m1"));
    }

    #[test]
    fn headers_are_read_from_the_head_only() {
        let content = b"Subject: x\r\nx-demo-sender:  anna \r\n\r\nX-Demo-Message: forged\r\n";
        assert_eq!(header(content, IDENTITY).as_deref(), Some("anna"));
        assert_eq!(header(content, MESSAGE), None);
    }
}
