//! The second half of the engine: facts are weighed, and whoever they are about is judged.

use crate::{
    correlate::Party,
    engine::{
        Engine,
        allowance::Allowance,
        clerk::{Clerk, Told},
        docket::{Docket, Signs},
        lines::Lines,
        peaks::Peaks,
    },
    ledger::{Answer, Ledger, SenderIndex},
    policy::{Policies, Verdict},
    postfix::record::Status,
    time::Timestamp,
};

/// The parts of the engine that weigh facts while the clerk tells them.
pub(super) struct Court<'e> {
    policies: &'e Policies,
    ledger: &'e mut Ledger,
    docket: &'e mut Docket,
    lines: &'e mut Lines,
    attempts: &'e mut u64,
    peaks: &'e mut Option<Peaks>,
}

impl<'e> Court<'e> {
    pub(super) const fn of(engine: &'e mut Engine) -> (&'e mut Clerk, Self) {
        let Engine {
            clerk,
            policies,
            ledger,
            docket,
            lines,
            attempts,
            peaks,
            ..
        } = engine;
        (
            clerk,
            Self {
                policies,
                ledger,
                docket,
                lines,
                attempts,
                peaks,
            },
        )
    }

    /// Takes a fact.
    pub(super) fn weigh(&mut self, told: &Told<'_>) {
        match *told {
            Told::Submission {
                message,
                queue_id,
                at,
                party,
                recipients,
                size,
            } => {
                let Some(sender) = self.ledger.submission(at, message, party, recipients, size)
                else {
                    return;
                };
                if let Some(sender_id) = self.ledger.sender_id(sender) {
                    self.docket.submitted(sender_id, queue_id);
                }
                self.judge(at, sender);
            }
            Told::Hop {
                message,
                queue_id,
                from,
                at,
                recipients,
            } => {
                let sender = self.ledger.hop(at, message, from, recipients);
                if let Some(sender_id) = sender.and_then(|sender| self.ledger.sender_id(sender)) {
                    self.docket.submitted(sender_id, queue_id);
                }
            }
            Told::Answer { answer, line } => self.answer(&answer, line),
            Told::End { message, at } => {
                self.ledger.end(at, message);
            }
            Told::Held {
                message,
                queue_id,
                at,
            } => {
                let sender = self.ledger.hold(at, message, true);
                if let Some(sender_id) = sender.and_then(|sender| self.ledger.sender_id(sender)) {
                    self.docket.held(sender_id, queue_id, at);
                }
            }
            Told::PutOff { at, party } => self.put_off(at, party),
            Told::Settled { message, at } => self.ledger.settled(at, message),
            Told::Released { message, at } => {
                self.ledger.hold(at, message, false);
            }
        }
    }

    /// Intake put off mail of a slowed sender. No evidence of a rejection, but whoever goes on in spite of it shows
    /// something.
    fn put_off(&mut self, at: Timestamp, party: Party<'_>) {
        let Some(sender) = self.ledger.put_off(at, party) else {
            return;
        };
        if let Some(sender_id) = self.ledger.sender_id(sender) {
            self.docket.put_off(sender_id, at);
        }
        self.judge(at, sender);
    }

    fn answer(&mut self, answer: &Answer<'_>, line: &[u8]) {
        *self.attempts += 1;
        let Some(sender) = self.ledger.answer(answer) else {
            return;
        };
        let Some(sender_id) = self.ledger.sender_id(sender) else {
            return;
        };
        if answer.class.is_some() {
            self.lines.keep(sender_id, line);
        } else if answer.status == Status::Sent {
            self.docket.accepted(sender_id, answer.at);
        }
        self.judge(answer.at, sender);
    }

    /// Judges a sender by what is known of it at an event time.
    pub(super) fn judge(&mut self, at: Timestamp, sender: SenderIndex) {
        let ruling = self.policies.judge(self.ledger, sender, at);
        if let Some(peaks) = self.peaks {
            peaks.note(at, sender, ruling.score);
        }
        let Some(sender_id) = self.ledger.sender_id(sender) else {
            return;
        };
        if !self.docket.changes(sender_id, &ruling) {
            return self.limit_home(at, sender);
        }
        let sender_id = sender_id.clone();
        let judgement = self.policies.judgement(self.ledger, sender, at);
        let entry = self.ledger.sender(sender);
        let signs = Signs {
            first: entry
                .and_then(|entry| entry.recent.front())
                .map(|refusal| refusal.at),
            lines: self.lines.of(&sender_id),
            machines: self.ledger.machines_of(&sender_id),
            allowance: entry
                .filter(|_| ruling.verdict >= Verdict::Slow)
                .map(|entry| Allowance::of(entry, at)),
        };
        self.docket.rule(at, &sender_id, &ruling, judgement, signs);
    }

    /// A slowed sender whose own networks turn out to be suspect too is limited there as well.
    fn limit_home(&mut self, at: Timestamp, sender: SenderIndex) {
        let Some(entry) = self.ledger.sender(sender) else {
            return;
        };
        let Some(sender_id) = &entry.id else { return };
        if self.docket.is_open_at_home(sender_id) && Allowance::suspects_home(entry, at) {
            let limit = Allowance::of(entry, at).usual;
            self.docket.limit_home(sender_id, limit);
        }
    }
}
