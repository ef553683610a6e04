//! Every rule's own texts, run through the whole set of rules.

use super::{BounceClass, Classifier, Question, RuleId};

/// A text beside a rule that is not decided as the rule's file says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule} ({class}): {text:?} {} {answer} ({decided_by})", if *.must { "must be decided by it, is" } else { "must not be decided by it, is" })]
pub struct Mismatch {
    /// The rule that carries the text.
    pub rule: String,
    /// Its class.
    pub class: BounceClass,
    /// The text.
    pub text: String,
    /// Whether it stands under `examples` (must be decided by the rule) or `not`.
    pub must: bool,
    /// The class that came out.
    pub answer: BounceClass,
    /// The rule that decided; `-` for none.
    pub decided_by: String,
}

/// Runs all specimens. A shipped example that an operator's rule takes is as the operator wants it.
pub(super) fn run(classifier: &Classifier) -> Vec<Mismatch> {
    let mut wrong = Vec::new();
    for (n, rule) in (0_u16..).zip(&classifier.rules) {
        for specimen in &rule.specimens {
            let answer = classifier.classify(&question(&specimen.text));
            let decided_here = answer.rule == Some(RuleId(n));
            let overruled = usize::from(n) >= classifier.own
                && answer
                    .rule
                    .is_some_and(|id| usize::from(id.0) < classifier.own);
            if decided_here != specimen.must && !overruled {
                wrong.push(Mismatch {
                    rule: rule.name.to_string(),
                    class: rule.class,
                    text: specimen.text.to_string(),
                    must: specimen.must,
                    answer: answer.class,
                    decided_by: answer
                        .rule
                        .map_or("-", |id| classifier.rule_name(id))
                        .to_owned(),
                });
            }
        }
    }
    wrong
}

/// A specimen is written as a line of `postwarden classify`: the text, or status code, tab, text.
fn question(specimen: &str) -> Question<'_> {
    let (dsn, text) = specimen.split_once('\t').unwrap_or(("", specimen));
    Question::of_text(dsn, text)
}
