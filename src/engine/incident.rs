//! One compromise of one sender: opened by a verdict or a person, closed by a person.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    ledger::SenderId,
    policy::{Figures, Mode, Reason, Verdict},
    time::Timestamp,
};

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Waits for a person.
    Open,
    /// A person let the mail go without a judgement on the account.
    Released,
    /// A person confirmed the compromise.
    Confirmed,
    /// A person said it was none.
    FalsePositive,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Released => "released",
            Self::Confirmed => "confirmed",
            Self::FalsePositive => "false-positive",
        })
    }
}

/// The record of one incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number, from 1, never reused.
    pub number: u64,
    /// Whose mail.
    pub sender_id: SenderId,
    /// Where it stands.
    pub state: State,
    /// The highest verdict so far.
    pub verdict: Verdict,
    /// `enforce`: acted upon; `observe`: only recorded.
    pub mode: Mode,
    /// The policy that decided, or `operator`.
    pub policy: String,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The numbers at the decision.
    pub figures: Figures,
    /// Event time of the decision.
    pub opened: Timestamp,
    /// Event time of the first refusal that counted.
    pub first_sign: Option<Timestamp>,
    /// Recipients whose remote side accepted mail of this sender after the decision (already on its way then).
    pub accepted_after: u64,
    /// Messages that intake put off while the sender was only slowed, as often as they were tried.
    #[serde(default)]
    pub put_off: u64,
    /// The clients that an envelope sender is a habit of (see [`crate::ledger::network::machine`]): only mail of these is
    /// the incident's. Empty: every client's, or not an envelope sender.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<u64>,
    /// The log lines that counted most, newest last, at most 20.
    pub lines: Vec<String>,
    /// When a person closed it.
    pub closed: Option<Timestamp>,
    /// Who closed it, and the reason given.
    pub closed_by: Option<String>,
}
