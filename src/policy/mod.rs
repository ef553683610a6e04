//! Rules in files → verdict with reasons.
//!
//! A policy is data: what it measures, its limits, the verdict it gives, whether it may act, and specimens that it must
//! and must not fire on. Limits may be otherwise for the site, a class of senders or one sender ([`layers`]); whoever is
//! exempt is judged like everybody, and only observed. The highest verdict of all policies counts. Judging is cheap and
//! allocates nothing; the words are made only when somebody asks.

mod bayes;
mod cases;
mod explain;
mod file;
mod growth;
pub mod layers;
mod plain;
mod refusals;
pub mod rule;
mod score;
mod verdict;
mod what_if;
mod words;

use std::ops::Range;

pub use cases::{Answers, Case, Failure};
pub use explain::{NOT_COUNTED, WOULD_CHANGE};
pub use growth::Growth;
pub use refusals::Refusals;
pub use rule::{Measure, Rule};
pub use score::{Assessment, Shape};
pub use verdict::{Explanation, Figures, Judgement, Limit, Mode, Reason, Ruling, Verdict};

use self::layers::{Exemption, Label, Layers, Place, Setting};
use crate::{
    ledger::{Ledger, SenderIndex, class::Class, sender::Sender},
    settings::Problem,
    time::Timestamp,
};

/// One policy, as its file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name, as verdicts carry it.
    pub name: String,
    /// Verdict, mode and limits.
    pub rule: Rule,
    /// What its file says of it, and where.
    pub settings: Vec<Setting>,
    /// Its specimens.
    pub cases: Vec<Case>,
    /// Where it stands.
    pub place: Place,
    /// Its place in the file, in bytes.
    pub span: Range<usize>,
}

impl Rule {
    /// True when it asks for the score.
    fn scores(&self) -> bool {
        match &self.measure {
            Measure::Score { .. } => true,
            Measure::Queue(growth) => growth.scores(),
            Measure::Refusals(_) => false,
        }
    }

    /// True when it fires on a sender. A slowed sender stays slowed until the score has been low for half an hour.
    fn fires(
        &self,
        ledger: &Ledger,
        entry: &Sender,
        found: Option<&Assessment>,
        at: Timestamp,
    ) -> bool {
        match &self.measure {
            Measure::Refusals(refusals) => refusals.fires(entry, at),
            Measure::Queue(growth) => {
                let score = found.map_or(0.0, |found| found.score);
                growth.fires(ledger, entry, score, at)
            }
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

/// All policies in force, and what is laid over them.
#[derive(Clone, Debug, PartialEq)]
pub struct Policies {
    policies: Vec<Policy>,
    layers: Layers,
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
    ("queue.toml", include_str!("../../policies/queue.toml")),
];

impl Policies {
    /// Reads files (name and text), in this order; nothing else is in force.
    ///
    /// # Errors
    /// All mistakes of all files, each with the name of its file.
    pub fn parse(files: &[(String, String)]) -> Result<Self, Vec<(String, Problem)>> {
        Self::read(&sources(files))
    }

    /// Reads a site's files (name and text), in this order, over the shipped ones: a policy of the same name takes the
    /// place of the shipped one.
    ///
    /// # Errors
    /// All mistakes of all files, each with the name of its file.
    pub fn over_shipped(files: &[(String, String)]) -> Result<Self, Vec<(String, Problem)>> {
        let shipped = SHIPPED.iter().map(|(name, text)| file::Source {
            name,
            text,
            shipped: true,
        });
        let all: Vec<file::Source<'_>> = shipped.chain(sources(files)).collect();
        Self::read(&all)
    }

    /// Reads a directory that is tried in place of all others: its policies are all there are. One that defines none, but
    /// says what is to be otherwise, is laid over the shipped ones.
    ///
    /// # Errors
    /// All mistakes of all files, each with the name of its file.
    pub fn parse_alone(files: &[(String, String)]) -> Result<Self, Vec<(String, Problem)>> {
        if file::defines_policies(&sources(files)) {
            Self::parse(files)
        } else {
            Self::over_shipped(files)
        }
    }

    /// The shipped policies.
    #[must_use]
    pub fn shipped() -> Self {
        // A test keeps the shipped files free of mistakes.
        Self::over_shipped(&[]).unwrap_or_else(|_| Self::new(Vec::new(), Layers::default()))
    }

    fn read(sources: &[file::Source<'_>]) -> Result<Self, Vec<(String, Problem)>> {
        let (policies, layers) = file::read(sources)?;
        Ok(Self::new(policies, layers))
    }

    fn new(policies: Vec<Policy>, mut layers: Layers) -> Self {
        let rules: Vec<Rule> = policies.iter().map(|policy| policy.rule).collect();
        layers.resolve(&rules);
        let scores = rules.iter().any(Rule::scores);
        Self {
            policies,
            layers,
            scores,
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter()
    }

    /// What is laid over them.
    #[must_use]
    pub const fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The name of a policy; empty for a number that there is none of.
    #[must_use]
    pub fn name(&self, policy: u16) -> &str {
        self.policies
            .get(usize::from(policy))
            .map_or("", |policy| &policy.name)
    }

    /// A sender's class: what a person said, else what its habits show.
    #[must_use]
    pub fn class(&self, entry: &Sender) -> Class {
        let special = self.layers.special(entry.id.as_ref());
        self.class_of(entry, special).0
    }

    fn class_of<'p>(
        &'p self,
        entry: &Sender,
        special: Option<&layers::Special>,
    ) -> (Class, Option<&'p Label>) {
        let label = self.layers.label(special);
        (
            label.map_or_else(|| entry.class(), |label| label.class),
            label,
        )
    }

    /// The rules that hold for a sender, numbered.
    fn rules<'p>(
        &'p self,
        entry: &Sender,
        special: Option<&'p layers::Special>,
    ) -> impl Iterator<Item = (u16, Rule)> + use<'p> {
        let rules = self.layers.rules(self.class_of(entry, special).0);
        (0u16..).zip(rules).map(move |(number, rule)| {
            let rule = special.map_or(*rule, |special| self.layers.adapt(special, *rule, number));
            (number, rule)
        })
    }

    /// What all rules together say of an entry.
    fn rule(
        &self,
        ledger: &Ledger,
        entry: &Sender,
        found: Option<&Assessment>,
        at: Timestamp,
    ) -> Ruling {
        let mut ruling = Ruling::default();
        let special = self.layers.special(entry.id.as_ref());
        for (number, rule) in self.rules(entry, special) {
            if rule.enabled && rule.fires(ledger, entry, found, at) {
                let exempt = self.layers.exemption(special, number, at).is_some();
                ruling.raise(rule.verdict, number, rule.mode, exempt);
            }
        }
        ruling
    }

    /// The verdict on a sender at an event time. Call it after every fact about that sender.
    pub fn judge(&self, ledger: &mut Ledger, sender: SenderIndex, at: Timestamp) -> Ruling {
        let found = self
            .scores
            .then(|| score::assess(ledger, sender, at))
            .flatten();
        let Some(entry) = ledger.sender(sender) else {
            return Ruling::default();
        };
        let mut ruling = self.rule(ledger, entry, found.as_ref(), at);
        ruling.score = found
            .filter(Assessment::convicts)
            .map_or(0.0, |found| found.score);
        if ruling.convicts() && !entry.suspicion.held {
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

    /// The verdict with its reasons.
    #[must_use]
    pub fn judgement(&self, ledger: &Ledger, sender: SenderIndex, at: Timestamp) -> Judgement {
        explain::judgement(self, ledger, sender, at)
    }

    /// Everything a person asks: the verdict with its reasons, what is usual, how far each line is, what would change it.
    #[must_use]
    pub fn explain(&self, ledger: &Ledger, sender: SenderIndex, at: Timestamp) -> Explanation {
        explain::explain(self, ledger, sender, at)
    }

    /// Exemptions that are over by `at`: they do nothing any more.
    pub fn expired(&self, at: Timestamp) -> impl Iterator<Item = &Exemption> {
        let all = self.layers.exemptions.iter();
        all.filter(move |exemption| !exemption.holds(at))
    }

    /// Runs the specimens of every policy and every override; what is returned went wrong.
    #[must_use]
    pub fn run_cases(&self) -> Vec<Failure> {
        cases::run(self)
    }
}

fn sources(files: &[(String, String)]) -> Vec<file::Source<'_>> {
    files
        .iter()
        .map(|(name, text)| file::Source {
            name,
            text,
            shipped: false,
        })
        .collect()
}

#[cfg(test)]
mod tests;
