//! An open message: whose it is, how it came in, and which recipients wait for another attempt.

use serde::{Deserialize, Serialize};

use crate::{
    ledger::{SenderIndex, counters::Picture, group::Source},
    time::Timestamp,
};

/// A temporary refusal that counts until the recipient has an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// Keyed hash of the recipient.
    pub(crate) recipient: u64,
    /// How new it was for the sender at the first attempt (0 to 1).
    pub(crate) strangeness: f64,
    /// What was counted, and when.
    pub(crate) counted: Option<(Picture, f64, Timestamp)>,
}

/// An open message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Whose.
    pub(crate) sender: SenderIndex,
    /// True when it came over a network that is new for its sender.
    pub(crate) novel: bool,
    /// Where it came from, if it is pooled with others.
    pub(crate) source: Option<Source>,
    /// When it came in.
    pub(crate) arrived: Timestamp,
    /// Recipients without a final answer.
    pub(crate) left: u32,
    /// It is on hold.
    pub(crate) held: bool,
    /// A person has let it go: what remote sides say of it is no news.
    pub(crate) forgiven: bool,
    /// Recipients between attempts, sorted by hash.
    waiting: Vec<Waiting>,
}

impl Message {
    pub(crate) const fn new(
        sender: SenderIndex,
        novel: bool,
        source: Option<Source>,
        recipients: u32,
        arrived: Timestamp,
    ) -> Self {
        Self {
            sender,
            novel,
            source,
            arrived,
            left: recipients,
            held: false,
            forgiven: false,
            waiting: Vec::new(),
        }
    }

    /// The same mail behind a hop within the house.
    pub(crate) fn next_hop(&self, recipients: u32) -> Self {
        Self {
            forgiven: self.forgiven,
            ..Self::new(
                self.sender,
                self.novel,
                self.source,
                recipients,
                self.arrived,
            )
        }
    }

    /// True when the recipient was tried before and waits.
    pub(crate) fn waits(&self, recipient: u64) -> bool {
        self.position(recipient).is_ok()
    }

    /// The recipient waits for another attempt.
    pub(crate) fn wait(&mut self, waiting: Waiting) {
        if let Err(position) = self.position(waiting.recipient) {
            self.waiting.insert(position, waiting);
        }
    }

    /// The recipient has its answer.
    pub(crate) fn answer(&mut self, recipient: u64) -> Option<Waiting> {
        let position = self.position(recipient).ok()?;
        Some(self.waiting.remove(position))
    }

    fn position(&self, recipient: u64) -> Result<usize, usize> {
        self.waiting
            .binary_search_by_key(&recipient, |waiting| waiting.recipient)
    }
}
