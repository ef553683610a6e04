//! The first half of the engine: records become facts about senders, classified, and stripped to what is judged.
//!
//! A clerk knows nothing of policies and verdicts, so that old logs may be read on one core and judged on another, or
//! by several engines: what a clerk tells goes, in its order, to [`Input::Told`](super::Input::Told) of an engine, at
//! once or by way of a [`Batch`](super::Batch). An engine that is fed records has a clerk of its own and does the same.

use std::sync::Arc;

use crate::{
    classify::{Classifier, Question},
    correlate::{self, Attempt, Correlator, Fact, MessageKey, Party},
    engine::turnstile::SLOWED,
    ledger::{AddressHash, Answer, keyed::ByText},
    postfix::record::{Record, Status},
    time::Timestamp,
};

/// One fact, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told<'a> {
    /// Mail came in.
    Submission {
        /// The message.
        message: MessageKey,
        /// Its queue ID now.
        queue_id: &'a str,
        /// Event time.
        at: Timestamp,
        /// Who brought it in.
        party: Party<'a>,
        /// Recipients.
        recipients: u32,
        /// Size in bytes.
        size: u64,
    },
    /// A mail that was told before goes on as another message of the house.
    Hop {
        /// The message.
        message: MessageKey,
        /// Its queue ID now.
        queue_id: &'a str,
        /// The message that it was before.
        from: MessageKey,
        /// Event time.
        at: Timestamp,
        /// Recipients.
        recipients: u32,
    },
    /// A remote side answered for one recipient.
    Answer {
        /// What it said.
        answer: Answer<'a>,
        /// The log line; empty where it accepted.
        line: &'a [u8],
    },
    /// A message left the queue.
    End {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// A recipient has its final answer from our own side.
    Settled {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// A message is on hold no longer.
    Released {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// Intake put off mail of a slowed sender, in our own words.
    PutOff {
        /// Event time.
        at: Timestamp,
        /// Who tried to bring it in.
        party: Party<'a>,
    },
    /// A message was put on hold.
    Held {
        /// The message.
        message: MessageKey,
        /// Its queue ID now.
        queue_id: &'a str,
        /// Event time.
        at: Timestamp,
    },
}

/// See the module's head.
#[derive(Debug)]
pub struct Clerk {
    pub(super) correlator: Correlator,
    pub(super) classifier: Arc<Classifier>,
    hash: AddressHash,
    numbers: Numbers,
}

/// Numbers for logins, in the order in which they were seen first.
#[derive(Debug, Default)]
struct Numbers(ByText<Box<str>, u32>);

impl Numbers {
    /// Further logins go without.
    const MOST: u32 = 1 << 20;

    fn of(&mut self, login: &str) -> Option<u32> {
        if let Some(number) = self.0.get(login) {
            return Some(*number);
        }
        let number = u32::try_from(self.0.len()).ok()?;
        if number >= Self::MOST {
            return None;
        }
        self.0.insert(login.into(), number);
        Some(number)
    }
}

/// Where facts go.
pub(super) type Out<'o> = &'o mut dyn FnMut(Told<'_>);

impl Clerk {
    pub(super) fn new(correlator: Correlator, classifier: Classifier, key: &[u8; 32]) -> Self {
        Self {
            correlator,
            classifier: Arc::new(classifier),
            hash: AddressHash::new(key),
            numbers: Numbers::default(),
        }
    }

    /// A clerk of the same kind that has seen nothing.
    pub(super) fn another(&self) -> Self {
        Self {
            correlator: self.correlator.another(),
            classifier: Arc::clone(&self.classifier),
            hash: self.hash,
            numbers: Numbers::default(),
        }
    }

    /// Takes the next record and its line; tells what follows.
    pub fn record(&mut self, record: &Record<'_>, line: &[u8], out: &mut dyn FnMut(Told<'_>)) {
        let queue_id = record.queue_id.unwrap_or_default();
        let (correlator, mut teller) = self.teller(queue_id, line);
        correlator.feed(record, &mut |fact| teller.tell(&fact, out));
    }

    /// The log has reached `now`: what waited for its origin's line is told.
    pub fn tick(&mut self, now: Timestamp, out: &mut dyn FnMut(Told<'_>)) {
        let (correlator, mut teller) = self.teller("", b"");
        correlator.tick(now, &mut |fact| teller.tell(&fact, out));
    }

    pub(super) fn adopt(&mut self, found: correlate::Found<'_>, out: Out<'_>) {
        let (correlator, mut teller) = self.teller(found.queue_id, b"");
        correlator.adopt(found, &mut |fact| teller.tell(&fact, out));
    }

    fn teller<'c>(
        &'c mut self,
        queue_id: &'c str,
        line: &'c [u8],
    ) -> (&'c mut Correlator, Teller<'c>) {
        let teller = Teller {
            classifier: &self.classifier,
            hash: self.hash,
            numbers: &mut self.numbers,
            queue_id,
            line,
        };
        (&mut self.correlator, teller)
    }
}

/// What a clerk needs to tell the facts of one record.
struct Teller<'c> {
    classifier: &'c Classifier,
    hash: AddressHash,
    numbers: &'c mut Numbers,
    /// The queue ID of the record.
    queue_id: &'c str,
    line: &'c [u8],
}

impl Teller<'_> {
    fn tell(&mut self, fact: &Fact<'_>, out: Out<'_>) {
        match *fact {
            Fact::Submission {
                message,
                queue_id,
                at,
                origin,
                recipients,
                size,
            } => out(Told::Submission {
                message,
                queue_id,
                at,
                party: Party {
                    number: origin
                        .login
                        .as_deref()
                        .and_then(|login| self.numbers.of(login)),
                    ..origin.into()
                },
                recipients,
                size,
            }),
            Fact::Hop {
                message,
                queue_id,
                from,
                at,
                recipients,
            } => out(Told::Hop {
                message,
                queue_id,
                from,
                at,
                recipients,
            }),
            Fact::Attempt(ref attempt) if attempt.remote => self.answer(attempt, out),
            Fact::End { message, at } => out(Told::End { message, at }),
            Fact::Held { message, at } => out(Told::Held {
                message,
                queue_id: self.queue_id,
                at,
            }),
            Fact::Refused { at, origin, text } if is_ours(text) => out(Told::PutOff {
                at,
                party: origin.into(),
            }),
            Fact::Attempt(ref attempt)
                if matches!(attempt.status, Status::Sent | Status::Bounced) =>
            {
                out(Told::Settled {
                    message: attempt.message,
                    at: attempt.at,
                });
            }
            Fact::Released { message, at } => out(Told::Released { message, at }),
            Fact::Attempt(_) | Fact::Refused { .. } => {}
        }
    }

    fn answer(&self, attempt: &Attempt<'_>, out: Out<'_>) {
        let accepted = matches!(attempt.status, Status::Sent | Status::Deliverable);
        let question = Question {
            dsn: attempt.dsn,
            reply: attempt.reply,
            text: attempt.text,
            stage: attempt.stage,
            relay: attempt.relay.map(|relay| relay.host),
            cut: false,
        };
        out(Told::Answer {
            answer: Answer {
                message: attempt.message,
                at: attempt.at,
                recipient: self.hash.of(attempt.recipient),
                host: &Answer::host_of(attempt),
                status: attempt.status,
                class: (!accepted).then(|| self.classifier.classify(&question).class),
            },
            line: if accepted { b"" } else { self.line },
        });
    }
}

/// True for what smtpd said in the words that the policy service gave it (`450 4.7.1 <DATA>: Data command rejected: ...`).
fn is_ours(text: &str) -> bool {
    text.split_once(" rejected: ")
        .is_some_and(|(_, reason)| reason.starts_with(SLOWED))
}

#[cfg(test)]
mod tests;
