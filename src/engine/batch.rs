//! Facts on their way from one core to another: three buffers that are used again, however many facts they take.

use std::net::IpAddr;

use crate::{
    classify::BounceClass,
    correlate::{Entry, MessageKey, Party},
    engine::clerk::Told,
    ledger::Answer,
    postfix::record::Status,
    time::Timestamp,
};

/// Facts in order, each with the time that the log had reached.
#[derive(Debug, Default)]
pub struct Batch {
    facts: Vec<(Timestamp, Packed)>,
    text: String,
    lines: Vec<u8>,
}

/// A piece of a buffer.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug)]
enum Packed {
    Submission {
        message: MessageKey,
        queue_id: Span,
        at: Timestamp,
        party: PackedParty,
        recipients: u32,
        size: u64,
    },
    Hop {
        message: MessageKey,
        queue_id: Span,
        from: MessageKey,
        at: Timestamp,
        recipients: u32,
    },
    Answer(PackedAnswer),
    End {
        message: MessageKey,
        at: Timestamp,
    },
    Settled {
        message: MessageKey,
        at: Timestamp,
    },
    Released {
        message: MessageKey,
        at: Timestamp,
    },
    PutOff {
        at: Timestamp,
        party: PackedParty,
    },
    Held {
        message: MessageKey,
        queue_id: Span,
        at: Timestamp,
    },
}

#[derive(Clone, Copy, Debug)]
struct PackedAnswer {
    message: MessageKey,
    at: Timestamp,
    recipient: u64,
    host: Span,
    status: Status,
    class: Option<BounceClass>,
    line: Span,
}

#[derive(Clone, Copy, Debug)]
struct PackedParty {
    entry: Entry,
    login: Option<Span>,
    number: Option<u32>,
    sender: Option<Span>,
    client_address: Option<IpAddr>,
    uid: Option<u32>,
}

impl Batch {
    /// Adds a fact; `now` is the time that the log has reached.
    pub fn push(&mut self, now: Timestamp, told: &Told<'_>) {
        let packed = match *told {
            Told::Submission {
                message,
                queue_id,
                at,
                party,
                recipients,
                size,
            } => Packed::Submission {
                message,
                queue_id: self.put(queue_id),
                at,
                party: self.put_party(party),
                recipients,
                size,
            },
            Told::Hop {
                message,
                queue_id,
                from,
                at,
                recipients,
            } => Packed::Hop {
                message,
                queue_id: self.put(queue_id),
                from,
                at,
                recipients,
            },
            Told::Answer { answer, line } => Packed::Answer(PackedAnswer {
                message: answer.message,
                at: answer.at,
                recipient: answer.recipient,
                host: self.put(answer.host),
                status: answer.status,
                class: answer.class,
                line: self.put_line(line),
            }),
            Told::End { message, at } => Packed::End { message, at },
            Told::Settled { message, at } => Packed::Settled { message, at },
            Told::Released { message, at } => Packed::Released { message, at },
            Told::PutOff { at, party } => Packed::PutOff {
                at,
                party: self.put_party(party),
            },
            Told::Held {
                message,
                queue_id,
                at,
            } => Packed::Held {
                message,
                queue_id: self.put(queue_id),
                at,
            },
        };
        self.facts.push((now, packed));
    }

    /// The facts, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (Timestamp, Told<'_>)> {
        self.facts
            .iter()
            .map(|(now, packed)| (*now, self.unpack(packed)))
    }

    /// Who brought mail in.
    pub(super) fn parties(&self) -> impl Iterator<Item = Party<'_>> {
        self.facts.iter().filter_map(|(_, packed)| match packed {
            Packed::Submission { party, .. } => Some(self.party(*party)),
            _ => None,
        })
    }

    /// How many facts it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.facts.len()
    }

    /// True when it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Forgets them; the room stays.
    pub fn clear(&mut self) {
        self.facts.clear();
        self.text.clear();
        self.lines.clear();
    }

    fn unpack(&self, packed: &Packed) -> Told<'_> {
        match *packed {
            Packed::Submission {
                message,
                queue_id,
                at,
                party,
                recipients,
                size,
            } => Told::Submission {
                message,
                queue_id: self.text(queue_id),
                at,
                party: self.party(party),
                recipients,
                size,
            },
            Packed::Hop {
                message,
                queue_id,
                from,
                at,
                recipients,
            } => Told::Hop {
                message,
                queue_id: self.text(queue_id),
                from,
                at,
                recipients,
            },
            Packed::Answer(ref answer) => self.answer(answer),
            Packed::End { message, at } => Told::End { message, at },
            Packed::Settled { message, at } => Told::Settled { message, at },
            Packed::Released { message, at } => Told::Released { message, at },
            Packed::PutOff { at, party } => Told::PutOff {
                at,
                party: self.party(party),
            },
            Packed::Held {
                message,
                queue_id,
                at,
            } => Told::Held {
                message,
                queue_id: self.text(queue_id),
                at,
            },
        }
    }

    fn answer(&self, packed: &PackedAnswer) -> Told<'_> {
        Told::Answer {
            answer: Answer {
                message: packed.message,
                at: packed.at,
                recipient: packed.recipient,
                host: self.text(packed.host),
                status: packed.status,
                class: packed.class,
            },
            line: self.line(packed.line),
        }
    }

    fn put_party(&mut self, party: Party<'_>) -> PackedParty {
        PackedParty {
            entry: party.entry,
            login: party.login.map(|login| self.put(login)),
            number: party.number,
            sender: party.sender.map(|sender| self.put(sender)),
            client_address: party.client_address,
            uid: party.uid,
        }
    }

    fn party(&self, packed: PackedParty) -> Party<'_> {
        Party {
            entry: packed.entry,
            login: packed.login.map(|span| self.text(span)),
            number: packed.number,
            sender: packed.sender.map(|span| self.text(span)),
            client_address: packed.client_address,
            uid: packed.uid,
        }
    }

    fn put(&mut self, text: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(text);
        span(start, self.text.len())
    }

    fn put_line(&mut self, line: &[u8]) -> Span {
        let start = self.lines.len();
        self.lines.extend_from_slice(line);
        span(start, self.lines.len())
    }

    fn text(&self, Span { start, end }: Span) -> &str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    fn line(&self, Span { start, end }: Span) -> &[u8] {
        self.lines
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// A batch never comes near four gigabytes; a piece beyond them would be empty.
fn span(start: usize, end: usize) -> Span {
    let place = |at| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        start: place(start),
        end: place(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_is_what_was_put_in() {
        let at = Timestamp::from_seconds(7);
        let message = MessageKey(1);
        let told = [
            Told::Submission {
                message,
                queue_id: "A1",
                at,
                party: Party {
                    login: Some("anna"),
                    number: Some(3),
                    sender: Some(""),
                    client_address: "192.0.2.1".parse().ok(),
                    ..Party::default()
                },
                recipients: 2,
                size: 9,
            },
            Told::Answer {
                answer: Answer {
                    message,
                    at,
                    recipient: 5,
                    host: "mx.example.com",
                    status: Status::Bounced,
                    class: Some(BounceClass::UserUnknown),
                },
                line: b"the line \xFF",
            },
            Told::Held {
                message,
                queue_id: "A2",
                at,
            },
            Told::End { message, at },
        ];
        let mut batch = Batch::default();
        for round in 0..2 {
            batch.clear();
            for (n, fact) in (0_i64..).zip(&told).skip(round) {
                batch.push(Timestamp::from_seconds(n), fact);
            }
            assert_eq!(batch.len(), 4 - round);
            let out: Vec<Told<'_>> = batch.iter().map(|(_, fact)| fact).collect();
            assert_eq!(out, told[round..]);
        }
    }
}
