//! The plain rule in plain words: what counted, and how far from the line.

use crate::{
    ledger::{counters::Picture, sender::Sender},
    policy::{
        refusals::{Refusals, name, words},
        verdict::Reason,
    },
    time::Timestamp,
};

/// What the rule rests on.
pub(super) fn reasons(rule: &Refusals, sender: &Sender, at: Timestamp) -> Vec<Reason> {
    let (refused, answered) = rule.sums(sender, at);
    let refused = refused.max(rule.one_by_one(sender, at));
    let mut reasons = vec![Reason {
        signal: "refused_share".to_owned(),
        text: format!(
            "{refused:.0} of {:.0} answered recipients were refused within the {}{}: {}, where {} and {:.0} recipients are the limit",
            answered.max(refused),
            span(rule),
            rule.place(),
            percent(refused / answered.max(refused).max(1.0)),
            percent(rule.share),
            rule.at_least
        ),
    }];
    if rule.put_off > 0.0 {
        reasons.push(Reason {
            signal: "put_off".to_owned(),
            text: format!(
                "{:.0} more messages were put off at intake and it goes on (limit {:.0})",
                rule.put_off(sender, at),
                rule.put_off
            ),
        });
    }
    for picture in rule.count.iter() {
        let sum = rule.sum(sender, at, picture);
        if sum >= 0.5 {
            let long = sender.usual.refused.get(picture);
            reasons.push(Reason {
                signal: format!("refused_{}", name(picture)),
                text: format!(
                    "{sum:.0} {}; {}",
                    words(picture),
                    usually(long, sender.usual.answered)
                ),
            });
        }
    }
    reasons
}

/// `on earlier days 6 of 800`.
fn usually(refused: f64, answered: f64) -> String {
    if answered < 5.0 {
        "nothing is known of earlier days".to_owned()
    } else if refused < 0.5 {
        format!("on earlier days none of about {answered:.0}")
    } else {
        format!("on earlier days {refused:.0} of about {answered:.0}")
    }
}

/// One condition of the rule, and whether it is met.
struct Condition {
    met: bool,
    /// What is missing.
    missing: String,
}

/// How far from the line: `6 more refused recipients (4 of 10)`; empty when every condition is met.
pub(super) fn distance(rule: &Refusals, sender: &Sender, at: Timestamp) -> String {
    let missing: Vec<String> = conditions(rule, sender, at)
        .into_iter()
        .filter(|condition| !condition.met)
        .map(|condition| condition.missing)
        .collect();
    missing.join(", ")
}

fn conditions(rule: &Refusals, sender: &Sender, at: Timestamp) -> Vec<Condition> {
    let (faded, answered) = rule.sums(sender, at);
    let refused = faded.max(rule.one_by_one(sender, at));
    let share = faded / answered.max(1.0);
    let mut conditions = vec![
        Condition {
            met: refused >= rule.at_least,
            missing: format!(
                "{:.0} more refused within the {}{} ({refused:.0} of {:.0})",
                (rule.at_least - refused).ceil().max(1.0),
                span(rule),
                rule.place(),
                rule.at_least
            ),
        },
        Condition {
            met: refused >= 0.5 && faded >= rule.share * answered.max(1.0),
            missing: format!(
                "a refused share of {} ({} of {answered:.0} answered)",
                percent(rule.share),
                percent(share)
            ),
        },
    ];
    conditions.extend(further(rule, sender, at));
    conditions
}

/// The conditions that only some rules have.
fn further(rule: &Refusals, sender: &Sender, at: Timestamp) -> Vec<Condition> {
    let mut conditions = Vec::new();
    // A limit in messages or recipients: what, so many, of so many.
    let mut count = |limit: f64, what: &'static str, have: f64| {
        if limit > 0.0 {
            conditions.push(Condition {
                met: have >= 0.9 * limit,
                missing: format!("{what} ({have:.0} of {limit:.0})"),
            });
        }
    };
    let content = rule.sum(sender, at, Picture::Content);
    count(rule.content, "refusals for the content", content);
    let abuse = rule.abuse(sender, at);
    count(rule.abuse, "refusals that call it abusive", abuse);
    let put_off = rule.put_off(sender, at);
    count(rule.put_off, "messages put off at intake", put_off);
    if rule.strangers > 0.0 {
        let strangers = rule.strangers(sender, at);
        conditions.push(Condition {
            met: strangers >= rule.strangers,
            missing: format!(
                "more recipients that were never written to before ({} of them, {} needed)",
                percent(strangers),
                percent(rule.strangers)
            ),
        });
    }
    if let Some(past) = rule.past {
        let answered = sender.usual.answered;
        conditions.push(Condition {
            met: answered <= past,
            missing: format!(
                "a sender without a past ({answered:.0} answers on earlier days, at most {past:.0})"
            ),
        });
    }
    if rule.operators > 1 {
        let operators = rule.operators_of(sender);
        conditions.push(Condition {
            met: operators >= rule.operators,
            missing: format!(
                "refusals of more mail operators ({operators} of {})",
                rule.operators
            ),
        });
    }
    conditions
}

const fn span(rule: &Refusals) -> &'static str {
    if rule.day { "day" } else { "hour" }
}

fn percent(share: f64) -> String {
    format!("{:.0}%", 100.0 * share)
}
