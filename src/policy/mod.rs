//! Rules in files → verdict with reasons.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The ladder; a higher verdict includes the lower ones.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing to see.
    #[default]
    Clear,
    /// On the screen.
    Watch,
    /// Limited at intake.
    Slow,
    /// Queued and new mail on hold.
    Hold,
    /// New mail refused.
    Suspend,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "clear",
            Self::Watch => "watch",
            Self::Slow => "slow",
            Self::Hold => "hold",
            Self::Suspend => "suspend",
        })
    }
}

/// Whether a rule, or the whole daemon, may act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Decide, record, alert; touch nothing.
    #[default]
    Observe,
    /// Act.
    Enforce,
}

/// One number of a decision, ready to be printed: what was seen, against which limit, what is usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Machine name of the signal (`refused_share`, `queue_growth`, `new_network` ...).
    pub signal: String,
    /// One clause in plain words, with its numbers.
    pub text: String,
}

/// What had happened when the decision fell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Final answers and first deferrals counted in the rule's window.
    pub attempts: u64,
    /// Accepted by remote sides.
    pub accepted: u64,
    /// Rejected by remote sides (5yz).
    pub rejected: u64,
    /// Recipients brought in.
    pub recipients: u64,
}

/// What one policy says of one sender, with its reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Name of the policy that gave it; empty for `clear`.
    pub policy: String,
    /// Whether that policy may act.
    pub mode: Mode,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
    /// The numbers.
    pub figures: Figures,
}
