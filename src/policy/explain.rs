//! A verdict in words: what counted, what did not, what is usual, what would have changed it.

use crate::{
    ledger::{Ledger, SenderIndex, sender::Sender},
    policy::{
        Measure, Policies, Policy, score,
        verdict::{Explanation, Figures, Judgement, Mode, Verdict},
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
    let mut fired: Option<&Policy> = None;
    let mut would_change = Vec::new();
    for policy in policies.iter() {
        let fires = policy.fires(entry, found.as_ref(), at);
        let missing = match &policy.measure {
            Measure::Refusals(refusals) => refusals.missing(entry, at),
            Measure::Score { at_least } => found.as_ref().map_or_else(
                || "nothing is unusual".to_owned(),
                |found| words::without(found, *at_least),
            ),
        };
        if fires && fired.is_none_or(|best| policy.verdict > best.verdict) {
            fired = Some(policy);
        } else if !fires {
            would_change.push(format!("{} ({}): {missing}", policy.verdict, policy.name));
        }
    }
    let reasons = fired.map_or_else(Vec::new, |policy| match &policy.measure {
        Measure::Refusals(refusals) => refusals.reasons(entry, at),
        Measure::Score { at_least } => found.as_ref().map_or_else(Vec::new, |found| {
            words::reasons(entry, found, *at_least, at)
        }),
    });
    Explanation {
        judgement: Judgement {
            verdict: fired.map_or(Verdict::Clear, |policy| policy.verdict),
            policy: fired.map_or_else(String::new, |policy| policy.name.clone()),
            mode: fired.map_or(Mode::Observe, |policy| policy.mode),
            reasons,
            figures: figures(entry, at),
        },
        not_counted: not_counted(entry),
        usual: usual(entry),
        would_change,
    }
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
