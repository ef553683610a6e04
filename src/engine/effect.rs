//! What the pure core asks the shell to do. Effects are idempotent and named by incident: after a crash they are asked
//! for again.

use crate::{
    engine::incident::Incident,
    ledger::SenderId,
    policy::{Figures, Mode, Reason, Verdict},
    time::Timestamp,
};

/// One thing for the shell to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// The verdict on a sender changed; goes on record, and out of `replay --json`.
    Verdict(Box<VerdictChange>),
    /// An incident was opened or changed: write it down, then (if it enforces) stop the mail, then tell people.
    Incident(Box<Incident>),
    /// A convicted sender's new message is in the queue: hold it.
    Stop {
        /// The incident.
        incident: u64,
        /// The message.
        queue_id: String,
    },
    /// A convicted sender's message is on hold.
    Held {
        /// The incident.
        incident: u64,
        /// The message.
        queue_id: String,
        /// Event time.
        at: Timestamp,
    },
    /// A person let a sender's mail go: release what the incident holds.
    Release {
        /// The incident.
        incident: u64,
    },
    /// Too many automatic holds: what follows only observes until a person releases or confirms something.
    Brake {
        /// Event time.
        at: Timestamp,
        /// How many automatic holds there were.
        holds: usize,
    },
    /// A destination, or our own address, is in trouble for everybody; or no longer.
    Weather {
        /// Event time.
        at: Timestamp,
        /// Names it, the same at its end as at its beginning.
        name: String,
        /// Who refuses what, in words.
        text: String,
        /// True when it began, false when it ended.
        began: bool,
    },
}

/// A change of verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictChange {
    /// Event time.
    pub at: Timestamp,
    /// Whose.
    pub sender_id: SenderId,
    /// The new verdict.
    pub verdict: Verdict,
    /// Incident, from `hold` on.
    pub incident: Option<u64>,
    /// The policy that decided.
    pub policy: String,
    /// Whether it may act.
    pub mode: Mode,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The numbers.
    pub figures: Figures,
}
