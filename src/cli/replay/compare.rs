//! `replay --against DIR`: who is held only by one of two sets of policies, and who earlier.

use std::{collections::BTreeMap, io::Write};

use serde_json::{Value, json};

use crate::{
    cli::{
        Failure,
        table::plain,
        wording::{moment, reasons_json, span},
    },
    ledger::SenderId,
    policy::Mode,
};

use super::lane::{Hold, Lane};

/// Holds of the same sender so close together are about the same compromise (seconds).
const SAME: f64 = 86_400.0;

/// One compromise, as both sides saw it.
struct Pair<'h> {
    policies: Option<&'h Hold>,
    against: Option<&'h Hold>,
}

/// Prints the difference.
pub(super) fn print(
    policies: &Lane,
    against: &Lane,
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let pairs = pair(&policies.holds, &against.holds);
    if json {
        for pair in &pairs {
            writeln!(out, "{}", pair_json(pair))?;
        }
        return Ok(());
    }
    let only = |one: fn(&Pair<'_>) -> bool| pairs.iter().filter(move |pair| one(pair));
    writeln!(out, "\nHeld only by --policies:")?;
    list(
        only(|pair| pair.against.is_none()).filter_map(|pair| pair.policies),
        out,
    )?;
    writeln!(out, "Held only by --against:")?;
    list(
        only(|pair| pair.policies.is_none()).filter_map(|pair| pair.against),
        out,
    )?;
    both(&pairs, out)
}

fn list<'h>(holds: impl Iterator<Item = &'h Hold>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut none = true;
    for hold in holds {
        none = false;
        let observed = if hold.mode == Mode::Observe {
            " (observed)"
        } else {
            ""
        };
        writeln!(
            out,
            "  {}  {}{observed}  by {}: {} accepted before, {} rejected",
            moment(hold.at),
            plain(&hold.sender_id.to_string()),
            hold.policy,
            hold.figures.accepted,
            hold.figures.rejected
        )?;
        for reason in &hold.reasons {
            writeln!(out, "      {}", plain(&reason.text))?;
        }
    }
    if none {
        writeln!(out, "  nobody")?;
    }
    Ok(())
}

fn both(pairs: &[Pair<'_>], out: &mut dyn Write) -> Result<(), Failure> {
    let both: Vec<(&Hold, &Hold)> = pairs
        .iter()
        .filter_map(|pair| pair.policies.zip(pair.against))
        .collect();
    writeln!(out, "Held by both: {}", both.len())?;
    let mut earlier: Vec<f64> = Vec::new();
    let mut later: Vec<f64> = Vec::new();
    for (ours, theirs) in &both {
        let seconds = theirs.at.seconds_since(ours.at);
        if seconds > 0.0 {
            earlier.push(seconds);
        } else if seconds < 0.0 {
            later.push(-seconds);
        }
    }
    for (name, spans) in [("--policies", &mut earlier), ("--against", &mut later)] {
        if let Some(median) = median(spans) {
            writeln!(
                out,
                "  {name} was earlier in {}, by {} in the median",
                spans.len(),
                span(median)
            )?;
        }
    }
    let sum = |side: fn(&(&Hold, &Hold)) -> u64| both.iter().map(side).sum::<u64>();
    writeln!(
        out,
        "  accepted before the hold: {} and {}",
        sum(|(ours, _)| ours.figures.accepted),
        sum(|(_, theirs)| theirs.figures.accepted)
    )?;
    Ok(())
}

/// The middle one (of two the upper); `None` when there is none.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn pair_json(pair: &Pair<'_>) -> Value {
    let held_by = match (pair.policies, pair.against) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "policies",
        (None, _) => "against",
    };
    let side = |hold: Option<&Hold>| {
        hold.map(|hold| {
            json!({
                "at": hold.at.to_string(),
                "policy": hold.policy,
                "mode": hold.mode,
                "accepted": hold.figures.accepted,
                "rejected": hold.figures.rejected,
                "reasons": reasons_json(&hold.reasons),
            })
        })
    };
    let sender_id = pair
        .policies
        .or(pair.against)
        .map(|hold| hold.sender_id.to_string());
    json!({
        "type": "comparison",
        "sender_id": sender_id,
        "held_by": held_by,
        "policies": side(pair.policies),
        "against": side(pair.against),
    })
}

/// Holds of both sides by compromise, in the order in which the first of each fell.
fn pair<'h>(policies: &'h [Hold], against: &'h [Hold]) -> Vec<Pair<'h>> {
    let mut theirs: BTreeMap<&SenderId, Vec<Option<&Hold>>> = BTreeMap::new();
    for hold in against {
        theirs.entry(&hold.sender_id).or_default().push(Some(hold));
    }
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    for hold in policies {
        let candidates = theirs.get_mut(&hold.sender_id).into_iter().flatten();
        let mut near = candidates.filter(|other| {
            other.is_some_and(|other| other.at.seconds_since(hold.at).abs() <= SAME)
        });
        pairs.push(Pair {
            policies: Some(hold),
            against: near.next().and_then(Option::take),
        });
    }
    let left = theirs.into_values().flatten().flatten();
    pairs.extend(left.map(|hold| Pair {
        policies: None,
        against: Some(hold),
    }));
    pairs.sort_by_key(|pair| {
        [pair.policies, pair.against]
            .into_iter()
            .flatten()
            .map(|hold| hold.at)
            .min()
    });
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        policy::{Figures, Verdict},
        time::Timestamp,
    };

    fn hold(login: &str, hours: i64) -> Hold {
        Hold {
            at: Timestamp::from_seconds(hours * 3600),
            sender_id: SenderId::Sasl(login.into()),
            verdict: Verdict::Hold,
            incident: Some(1),
            policy: "plain".to_owned(),
            mode: Mode::Enforce,
            reasons: Vec::new(),
            figures: Figures::default(),
        }
    }

    fn told(pairs: &[Pair<'_>]) -> Vec<(Option<i64>, Option<i64>)> {
        let hours = |hold: &Hold| hold.at.micros() / 3_600_000_000;
        pairs
            .iter()
            .map(|pair| (pair.policies.map(hours), pair.against.map(hours)))
            .collect()
    }

    #[test]
    fn holds_of_one_sender_within_a_day_are_the_same_compromise_and_others_are_not() {
        let ours = [hold("a", 10), hold("b", 20), hold("a", 100)];
        let theirs = [hold("a", 12), hold("c", 15), hold("a", 200)];
        let pairs = pair(&ours, &theirs);
        assert_eq!(
            told(&pairs),
            [
                (Some(10), Some(12)),
                (None, Some(15)),
                (Some(20), None),
                (Some(100), None),
                (None, Some(200)),
            ]
        );
    }

    #[test]
    fn one_hold_is_paired_only_once() {
        let ours = [hold("a", 10), hold("a", 14)];
        let theirs = [hold("a", 12)];
        assert_eq!(
            told(&pair(&ours, &theirs)),
            [(Some(10), Some(12)), (Some(14), None)]
        );
    }
}
