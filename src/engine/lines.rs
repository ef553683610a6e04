//! The last log lines that counted against each sender, kept for the incident that may follow.
//!
//! Bounded: at most [`EACH`] lines of [`LENGTH`] bytes a sender, [`SENDERS`] senders, the one longest without a refusal
//! is forgotten first. A line is shown, never judged.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ledger::SenderId;

/// Lines a sender.
const EACH: usize = 12;
/// Bytes a line.
const LENGTH: usize = 1000;
/// Senders.
const SENDERS: usize = 2000;

#[derive(Debug, Default)]
pub(super) struct Lines {
    of: HashMap<SenderId, Kept>,
    /// Last use → sender, for eviction in order.
    order: BTreeMap<u64, SenderId>,
    clock: u64,
    changed: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    used: u64,
    lines: VecDeque<String>,
}

impl Lines {
    /// Keeps a line that counted against a sender.
    pub(super) fn keep(&mut self, sender_id: &SenderId, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        self.clock += 1;
        self.changed = true;
        if let Some(kept) = self.of.get_mut(sender_id) {
            self.order.remove(&kept.used);
            kept.push(self.clock, line);
        } else {
            let mut kept = Kept::default();
            kept.push(self.clock, line);
            self.of.insert(sender_id.clone(), kept);
        }
        self.order.insert(self.clock, sender_id.clone());
        while self.of.len() > SENDERS {
            let Some((_, oldest)) = self.order.pop_first() else {
                break;
            };
            self.of.remove(&oldest);
        }
    }

    /// The lines of a sender, oldest first.
    pub(super) fn of(&self, sender_id: &SenderId) -> Vec<String> {
        self.of
            .get(sender_id)
            .map(|kept| kept.lines.iter().cloned().collect())
            .unwrap_or_default()
    }
}

impl Kept {
    fn push(&mut self, clock: u64, line: &[u8]) {
        self.used = clock;
        if self.lines.len() >= EACH {
            self.lines.pop_front();
        }
        self.lines.push_back(shortened(line));
    }
}

fn shortened(line: &[u8]) -> String {
    let cut = line.get(..line.len().min(LENGTH)).unwrap_or_default();
    String::from_utf8_lossy(cut).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(n: usize) -> SenderId {
        SenderId::Sasl(format!("u{n}@example.org").into())
    }

    #[test]
    fn the_newest_lines_are_kept_and_the_quietest_sender_is_forgotten() {
        let mut lines = Lines::default();
        for n in 0..SENDERS {
            lines.keep(&sender(n), b"first");
        }
        for n in 0..EACH + 3 {
            lines.keep(&sender(0), format!("line {n}").as_bytes());
        }
        lines.keep(&sender(SENDERS), b"new");
        assert_eq!(lines.of(&sender(0)).len(), EACH);
        assert_eq!(lines.of(&sender(0)).last().unwrap(), "line 14");
        assert!(lines.of(&sender(1)).is_empty());
        assert_eq!(lines.of(&sender(SENDERS)), ["new"]);
        assert_eq!(lines.order.len(), lines.of.len());
    }
}
