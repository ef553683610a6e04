//! A verdict in words: what counted, what did not, what is usual, what would have changed it.

use crate::{
    ledger::{Ledger, SenderIndex, sender::Sender},
    policy::{
        Assessment, Measure, Policies, Rule,
        layers::{Exemption, Special},
        plain, score,
        verdict::{Explanation, Figures, Judgement, Limit, Mode, Reason, Verdict},
        what_if::Question,
        words,
    },
    time::Timestamp,
};

/// Signal of a reason that tells what did not count.
pub const NOT_COUNTED: &str = "not_counted";
/// Signal of a reason that tells what would have changed the verdict.
pub const WOULD_CHANGE: &str = "would_change";

/// What was decided and why, in words; of a convicted sender also what did not count and what would have changed it.
pub(super) fn judgement(
    policies: &Policies,
    ledger: &Ledger,
    sender: SenderIndex,
    at: Timestamp,
) -> Judgement {
    let Some(entry) = ledger.sender(sender) else {
        return nothing_known();
    };
    let found = score::examine(ledger, sender, at);
    let special = policies.layers.special(entry.id.as_ref());
    let ruling = policies.rule(ledger, entry, found.as_ref(), at);
    let (verdict, number, mode) = ruling.highest();
    if verdict == Verdict::Clear {
        return Judgement {
            figures: figures(entry, at),
            ..nothing_known()
        };
    }
    let rule = policies.rules(entry, special).find(|(n, _)| *n == number);
    let mut reasons = rule.map_or_else(Vec::new, |(_, rule)| {
        why(&rule, ledger, entry, found.as_ref(), at)
    });
    if verdict >= Verdict::Hold {
        let question = Question {
            policies,
            ledger,
            sender,
            at,
        };
        reasons.extend(not_counted(entry).into_iter().map(|text| Reason {
            signal: NOT_COUNTED.to_owned(),
            text: format!("not counted: {text}"),
        }));
        let (needed, _) = question.without(entry);
        reasons.extend(needed.map(|text| Reason {
            signal: WOULD_CHANGE.to_owned(),
            text,
        }));
    }
    if ruling.exempt && mode == Mode::Observe {
        reasons.extend(policies.layers.exemption(special, number, at).map(exempt));
    }
    Judgement {
        verdict,
        policy: policies.name(number).to_owned(),
        mode,
        reasons,
        figures: figures(entry, at),
    }
}

pub(super) fn explain(
    policies: &Policies,
    ledger: &Ledger,
    sender: SenderIndex,
    at: Timestamp,
) -> Explanation {
    let mut judgement = judgement(policies, ledger, sender, at);
    let Some(entry) = ledger.sender(sender) else {
        return Explanation {
            judgement,
            class: String::new(),
            limits: Vec::new(),
            not_counted: Vec::new(),
            usual: vec!["nothing is known of this sender".to_owned()],
            distance: Vec::new(),
            would_change: Vec::new(),
        };
    };
    let question = Question {
        policies,
        ledger,
        sender,
        at,
    };
    let would_change = if judgement.verdict >= Verdict::Hold {
        let (needed, idle) = question.without(entry);
        needed.into_iter().chain(idle).collect()
    } else {
        question.further(entry)
    };
    // They have their own places here.
    judgement
        .reasons
        .retain(|reason| reason.signal != NOT_COUNTED && reason.signal != WOULD_CHANGE);
    let special = policies.layers.special(entry.id.as_ref());
    Explanation {
        judgement,
        class: class(policies, entry, special),
        limits: limits(policies, entry, special),
        not_counted: not_counted(entry),
        usual: usual(entry),
        distance: distances(
            policies,
            ledger,
            entry,
            score::examine(ledger, sender, at),
            at,
        ),
        would_change,
    }
}

fn why(
    rule: &Rule,
    ledger: &Ledger,
    entry: &Sender,
    found: Option<&Assessment>,
    at: Timestamp,
) -> Vec<Reason> {
    match &rule.measure {
        Measure::Queue(growth) => growth.reasons(ledger, entry, at),
        Measure::Refusals(refusals) => plain::reasons(refusals, entry, at),
        Measure::Score { at_least } => found.map_or_else(Vec::new, |found| {
            words::reasons(entry, found, *at_least, at)
        }),
    }
}

/// How far each policy is from its line.
fn distances(
    policies: &Policies,
    ledger: &Ledger,
    entry: &Sender,
    found: Option<Assessment>,
    at: Timestamp,
) -> Vec<String> {
    let special = policies.layers.special(entry.id.as_ref());
    policies
        .rules(entry, special)
        .map(|(number, rule)| {
            let name = policies.name(number);
            let verdict = rule.verdict;
            if !rule.enabled {
                return format!("{name} ({verdict}): switched off");
            }
            if rule.fires(ledger, entry, found.as_ref(), at) {
                return format!("{name} ({verdict}): reached");
            }
            let missing = match &rule.measure {
                Measure::Queue(growth) => {
                    let score = found.as_ref().map_or(0.0, |found| found.score);
                    growth.missing(ledger, entry, score, at)
                }
                Measure::Refusals(refusals) => plain::distance(refusals, entry, at),
                Measure::Score { .. } if rule.verdict == Verdict::Slow => {
                    "points, or mail that is on its way from a new place".to_owned()
                }
                Measure::Score { at_least } => words::distance(found.as_ref(), *at_least),
            };
            format!("{name} ({verdict}) lacks {missing}")
        })
        .collect()
}

/// `exempt until 2026-12-31 by anna (moves to a new server), site.toml:3: only observed`.
fn exempt(exemption: &Exemption) -> Reason {
    let Exemption {
        until,
        by,
        reason,
        place,
        ..
    } = exemption;
    Reason {
        signal: "exempt".to_owned(),
        text: format!("exempt until {until} by {by} ({reason}; {place}): observed, not touched"),
    }
}

fn class(policies: &Policies, entry: &Sender, special: Option<&Special>) -> String {
    match policies.class_of(entry, special) {
        (class, Some(label)) => format!("{class}, set in {}", label.place),
        (class, None) => format!("{class}, by its habits"),
    }
}

/// Every value in force for the sender, with its layer and place.
fn limits(policies: &Policies, entry: &Sender, special: Option<&Special>) -> Vec<Limit> {
    let (class, _) = policies.class_of(entry, special);
    let mut limits = Vec::new();
    for (number, rule) in policies.rules(entry, special) {
        let Some(policy) = policies.policies.get(usize::from(number)) else {
            continue;
        };
        for key in rule.keys() {
            let Some(value) = rule.get(key.name) else {
                continue;
            };
            let own = policy.settings.iter().find(|own| own.key == key.name);
            let own_layer = match own {
                None => "default",
                Some(setting) if setting.place.shipped => "shipped",
                Some(_) => "site",
            };
            let over = policies.layers.setting(class, special, number, key.name);
            let (layer, place) = match (over, own) {
                (Some((layer, setting)), _) => (layer, &setting.place),
                (None, Some(setting)) => (own_layer, &setting.place),
                (None, None) => (own_layer, &policy.place),
            };
            limits.push(Limit {
                policy: policy.name.clone(),
                key: key.name,
                value: value.to_string(),
                layer,
                place: place.to_string(),
            });
        }
    }
    limits
}

fn nothing_known() -> Judgement {
    Judgement {
        verdict: Verdict::Clear,
        policy: String::new(),
        mode: Mode::Observe,
        reasons: Vec::new(),
        figures: Figures::default(),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "faded sums are small and not negative"
)]
fn figures(entry: &Sender, at: Timestamp) -> Figures {
    let mut sums = [0.0; 4];
    for context in [&entry.familiar, &entry.novel] {
        let mut context = *context;
        context.fade(at);
        let day = context.day;
        let refused = day.refused.list + day.refused.content;
        let more = [
            day.tried,
            (day.answered - refused).max(0.0),
            refused,
            day.taken,
        ];
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum += more;
        }
    }
    let [attempts, accepted, rejected, recipients] = sums.map(|sum| sum.round() as u64);
    Figures {
        attempts,
        accepted,
        rejected,
        recipients,
    }
}

fn not_counted(entry: &Sender) -> Vec<String> {
    let uncounted = &entry.uncounted;
    [
        (
            uncounted.about_us,
            "refusals about our own address: they say nothing about the sender",
        ),
        (
            uncounted.weather,
            "answers that other senders met at the same place just then: it is the place's trouble",
        ),
        (
            uncounted.harmless,
            "temporary answers (greylisting, full mailboxes, the road): everybody meets them",
        ),
    ]
    .into_iter()
    .filter(|(number, _)| *number >= 0.5)
    .map(|(number, words)| format!("{number:.0} {words}"))
    .collect()
}

fn usual(entry: &Sender) -> Vec<String> {
    let answered = entry.usual.answered;
    let first = entry.first.to_string();
    let mut lines = vec![format!(
        "{} messages since {}",
        entry.messages,
        first.get(..10).unwrap_or(&first)
    )];
    lines.push(if answered < 5.0 {
        "too few answers on earlier days to know what is usual".to_owned()
    } else {
        format!(
            "of about {answered:.0} recipients on earlier days: unknown {}, refused for the content {}",
            few(entry.usual.refused.list),
            few(entry.usual.refused.content)
        )
    });
    let [ten_minutes, hour, day, _] = entry.volume.record;
    lines.push(format!(
        "most recipients so far: {ten_minutes:.0} in ten minutes, {hour:.0} in an hour, {day:.0} in a day"
    ));
    let homes = entry.homes.iter().filter(|home| home.adopted).count();
    let share = 100.0 * entry.recipients.usual();
    lines.push(format!(
        "networks of its own: {homes}; of its recipients {share:.0}% were new to it when it wrote to them"
    ));
    lines
}

/// A number of recipients, or `none`.
fn few(number: f64) -> String {
    if number < 0.5 {
        "none".to_owned()
    } else {
        format!("{number:.0}")
    }
}
