//! Rules in files → verdict with reasons.
//!
//! A policy is data: what it measures, its limits, the verdict it gives, whether it may act, and specimens that it must
//! and must not fire on. The highest verdict of all policies counts. Judging is cheap and allocates nothing; the words
//! are made only when somebody asks.

mod bayes;
mod cases;
mod file;
mod refusals;
mod score;
mod verdict;
mod words;

use std::ops::Range;

pub use cases::{Answers, Case, Failure};
pub use refusals::Refusals;
pub use score::{Assessment, Shape};
pub use verdict::{Explanation, Figures, Judgement, Mode, Reason, Ruling, Verdict};

use crate::{
    ledger::{Ledger, SenderIndex, sender::Sender},
    settings::Problem,
    time::Timestamp,
};

/// What a policy measures.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Refused recipients and their share.
    Refusals(Refusals),
    /// The score.
    Score {
        /// Nats, at least.
        at_least: f64,
    },
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name, as verdicts carry it.
    pub name: String,
    /// What it gives when it fires.
    pub verdict: Verdict,
    /// Whether it may act.
    pub mode: Mode,
    /// What it measures.
    pub measure: Measure,
    /// Its specimens.
    pub cases: Vec<Case>,
    /// Its file.
    pub file: String,
    /// Its place in the file.
    pub span: Range<usize>,
}

impl Policy {
    /// True when it fires on a sender. A slowed sender stays slowed until the score has been low for half an hour.
    fn fires(&self, entry: &Sender, found: Option<&Assessment>, at: Timestamp) -> bool {
        match &self.measure {
            Measure::Refusals(refusals) => refusals.fires(entry, at),
            Measure::Score { at_least } => {
                let over = |found: &Assessment| found.score >= *at_least;
                match self.verdict {
                    Verdict::Slow => entry.suspicion.slowed,
                    Verdict::Clear | Verdict::Watch => found.is_some_and(over),
                    Verdict::Hold | Verdict::Suspend => {
                        found.is_some_and(|found| over(found) && found.convicts())
                    }
                }
            }
        }
    }
}

/// All policies in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    policies: Vec<Policy>,
    /// True when one of them asks for the score.
    scores: bool,
}

/// The files that are shipped: name and text.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "refusals.toml",
        include_str!("../../policies/refusals.toml"),
    ),
    ("score.toml", include_str!("../../policies/score.toml")),
];

impl Policies {
    /// Reads files (name and text), in this order.
    ///
    /// # Errors
    /// All mistakes of all files, each with the name of its file.
    pub fn parse(files: &[(String, String)]) -> Result<Self, Vec<(String, Problem)>> {
        let mut policies: Vec<Policy> = Vec::new();
        let mut problems = Vec::new();
        for (name, text) in files {
            match file::parse(name, text) {
                Ok(found) => policies.extend(found),
                Err(found) => problems.extend(found.into_iter().map(|p| (name.clone(), p))),
            }
        }
        for (position, policy) in policies.iter().enumerate() {
            if policies
                .iter()
                .take(position)
                .any(|p| p.name == policy.name)
            {
                let problem = Problem {
                    span: policy.span.clone(),
                    message: format!("there is another policy `{}`", policy.name),
                    hint: Some("give each policy its own name".to_owned()),
                };
                problems.push((policy.file.clone(), problem));
            }
        }
        if problems.is_empty() {
            Ok(Self::new(policies))
        } else {
            Err(problems)
        }
    }

    /// The shipped policies.
    #[must_use]
    pub fn shipped() -> Self {
        let files: Vec<(String, String)> = SHIPPED
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        // A test keeps the shipped files free of mistakes.
        Self::parse(&files).unwrap_or_else(|_| Self::new(Vec::new()))
    }

    fn new(policies: Vec<Policy>) -> Self {
        let scores = policies
            .iter()
            .any(|policy| matches!(policy.measure, Measure::Score { .. }));
        Self { policies, scores }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter()
    }

    /// The name of a policy; empty for a number that there is none of.
    #[must_use]
    pub fn name(&self, policy: u16) -> &str {
        self.policies
            .get(usize::from(policy))
            .map_or("", |policy| &policy.name)
    }

    /// The verdict on a sender at an event time. Call it after every fact about that sender.
    pub fn judge(&self, ledger: &mut Ledger, sender: SenderIndex, at: Timestamp) -> Ruling {
        let found = self
            .scores
            .then(|| score::assess(ledger, sender, at))
            .flatten();
        let mut ruling = Ruling::default();
        let Some(entry) = ledger.sender(sender) else {
            return ruling;
        };
        for (policy, number) in self.policies.iter().zip(0u16..) {
            if policy.fires(entry, found.as_ref(), at) {
                ruling.raise(policy.verdict, number, policy.mode);
            }
        }
        if ruling.highest().0 >= Verdict::Hold
            && ledger
                .sender(sender)
                .is_some_and(|entry| !entry.suspicion.held)
        {
            ledger.convict(at, sender);
        }
        ruling
    }

    /// The score of a sender and what it is made of; `None` for a sender that the ledger does not know.
    #[must_use]
    pub fn assess(
        &self,
        ledger: &Ledger,
        sender: SenderIndex,
        at: Timestamp,
    ) -> Option<Assessment> {
        score::examine(ledger, sender, at)
    }

    /// The verdict in words and numbers.
    #[must_use]
    pub fn explain(&self, ledger: &Ledger, sender: SenderIndex, at: Timestamp) -> Explanation {
        explain::explain(self, ledger, sender, at)
    }

    /// Runs the specimens of every policy; what is returned went wrong.
    #[must_use]
    pub fn run_cases(&self) -> Vec<Failure> {
        let mut failures = Vec::new();
        for policy in &self.policies {
            for case in policy
                .cases
                .iter()
                .filter(|case| !cases::holds(policy, case))
            {
                failures.push(Failure {
                    file: policy.file.clone(),
                    policy: policy.name.clone(),
                    case: case.name.clone(),
                    fires: case.fires,
                });
            }
        }
        failures
    }
}

mod explain;

#[cfg(test)]
mod tests;
