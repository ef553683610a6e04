//! The ladder, and what is said with a verdict.

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
    /// Whether that policy may act on that sender.
    pub mode: Mode,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
    /// The numbers.
    pub figures: Figures,
}

/// The verdict of all policies on one sender, without its words.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ruling {
    /// The highest verdict of the policies that may act.
    pub verdict: Verdict,
    /// Its policy (see [`super::Policies::name`]).
    pub policy: u16,
    /// The highest verdict of the policies that only observe.
    pub observed: Verdict,
    /// Its policy.
    pub observed_policy: u16,
    /// True when that policy only observes because the sender is exempt.
    pub exempt: bool,
    /// The score, as far as it may convict: 0 where the evidence is not of two kinds.
    pub score: f64,
}

impl Ruling {
    /// The higher of both sides, its policy and its mode.
    #[must_use]
    pub fn highest(self) -> (Verdict, u16, Mode) {
        if self.observed > self.verdict {
            (self.observed, self.observed_policy, Mode::Observe)
        } else {
            (self.verdict, self.policy, Mode::Enforce)
        }
    }

    /// True when it is a conviction. Of an exempt sender a person has said that it is the owner.
    #[must_use]
    pub fn convicts(self) -> bool {
        let observed = if self.exempt {
            Verdict::Clear
        } else {
            self.observed
        };
        self.verdict.max(observed) >= Verdict::Hold
    }

    pub(super) fn raise(&mut self, verdict: Verdict, policy: u16, mode: Mode, exempt: bool) {
        if mode == Mode::Enforce && !exempt {
            if verdict > self.verdict {
                self.verdict = verdict;
                self.policy = policy;
            }
        } else if verdict > self.observed {
            self.observed = verdict;
            self.observed_policy = policy;
            self.exempt = exempt;
        }
    }
}

/// One value that is in force for a sender, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The policy.
    pub policy: String,
    /// The key.
    pub key: &'static str,
    /// The value as a file writes it.
    pub value: String,
    /// `default`, `shipped`, `site`, `class` or `sender`.
    pub layer: &'static str,
    /// File and line.
    pub place: String,
}

/// A judgement, and everything a person asks next.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What was decided and why.
    pub judgement: Judgement,
    /// What kind of sender it is, and who says so.
    pub class: String,
    /// Every limit in force for it.
    pub limits: Vec<Limit>,
    /// What was seen and did not count, one clause each.
    pub not_counted: Vec<String>,
    /// What is usual for this sender, one clause each.
    pub usual: Vec<String>,
    /// How far each policy is from its line, one clause each.
    pub distance: Vec<String>,
    /// What would have changed the verdict, one clause each.
    pub would_change: Vec<String>,
}
