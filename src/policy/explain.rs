//! A verdict in words: what counted, what did not, what is usual, what would have changed it.

use crate::{
    ledger::{Ledger, SenderIndex, sender::Sender},
    policy::{
        Assessment, Measure, Policies, Rule,
        layers::{Exemption, Special},
        score,
        verdict::{Explanation, Figures, Judgement, Limit, Mode, Reason, Verdict},
        words,
    },
    time::Timestamp,
};

pub(super) fn explain(
    policies: &Policies,
    ledger: &Ledger,
    sender: SenderIndex,
    at: Timestamp,
) -> Explanation {
    let Some(entry) = ledger.sender(sender) else {
        return nothing_known();
    };
    let found = score::examine(ledger, sender, at);
    let special = policies.layers.special(entry.id.as_ref());
    let ruling = policies.rule(ledger, entry, found.as_ref(), at);
    let (verdict, number, mode) = ruling.highest();
    let mut would_change = Vec::new();
    let mut reasons = Vec::new();
    for (this, rule) in policies.rules(entry, special) {
        if verdict > Verdict::Clear && this == number {
            reasons = why(&rule, ledger, entry, found.as_ref(), at);
        } else if rule.enabled && !rule.fires(ledger, entry, found.as_ref(), at) {
            let missing = missing(&rule, ledger, entry, found.as_ref(), at);
            would_change.push(format!(
                "{} ({}): {missing}",
                rule.verdict,
                policies.name(this)
            ));
        }
    }
    if ruling.exempt && mode == Mode::Observe {
        reasons.extend(policies.layers.exemption(special, number, at).map(exempt));
    }
    let clear = verdict == Verdict::Clear;
    Explanation {
        judgement: Judgement {
            verdict,
            policy: if clear {
                String::new()
            } else {
                policies.name(number).to_owned()
            },
            mode: if clear { Mode::Observe } else { mode },
            reasons,
            figures: figures(entry, at),
        },
        class: class(policies, entry, special),
        limits: limits(policies, entry, special),
        not_counted: not_counted(entry),
        usual: usual(entry),
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
        Measure::Refusals(refusals) => refusals.reasons(entry, at),
        Measure::Score { at_least } => found.map_or_else(Vec::new, |found| {
            words::reasons(entry, found, *at_least, at)
        }),
    }
}

fn missing(
    rule: &Rule,
    ledger: &Ledger,
    entry: &Sender,
    found: Option<&Assessment>,
    at: Timestamp,
) -> String {
    match &rule.measure {
        Measure::Queue(growth) => {
            let score = found.map_or(0.0, |found| found.score);
            growth.missing(ledger, entry, score, at)
        }
        Measure::Refusals(refusals) => refusals.missing(entry, at),
        Measure::Score { at_least } => found.map_or_else(
            || "nothing is unusual".to_owned(),
            |found| words::without(found, *at_least),
        ),
    }
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

fn nothing_known() -> Explanation {
    Explanation {
        judgement: Judgement {
            verdict: Verdict::Clear,
            policy: String::new(),
            mode: Mode::Observe,
            reasons: Vec::new(),
            figures: Figures::default(),
        },
        class: String::new(),
        limits: Vec::new(),
        not_counted: Vec::new(),
        usual: vec!["nothing is known of this sender".to_owned()],
        would_change: Vec::new(),
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
        (uncounted.about_us, "refusals about our own address"),
        (uncounted.weather, "answers that other senders met at the same place just then"),
        (uncounted.harmless, "temporary answers that say nothing about the sender (greylisting, full mailboxes, the road)"),
    ]
    .into_iter()
    .filter(|(number, _)| *number >= 0.5)
    .map(|(number, words)| format!("{number:.0} {words}"))
    .collect()
}

fn usual(entry: &Sender) -> Vec<String> {
    let answered = entry.usual.answered;
    let mut lines = vec![format!(
        "{} messages since {}; of about {answered:.0} recipients on clean days {:.1} did not exist and {:.1} were refused for the content",
        entry.messages, entry.first, entry.usual.refused.list, entry.usual.refused.content
    )];
    let [ten_minutes, hour, day, _] = entry.volume.record;
    lines.push(format!(
        "at most {ten_minutes:.0} recipients in ten minutes, {hour:.0} in an hour, {day:.0} in a day"
    ));
    lines
}
