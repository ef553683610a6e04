//! `replay --sweep POLICY.KEY=FROM..TO`: holds and leaks for each value of one limit.

use std::{io::Write, str::FromStr};

use serde_json::{Value, json};

use crate::cli::Failure;

use super::{compare::median, lane::Lane};

/// Values that are tried at most.
const VALUES: u32 = 9;

/// One limit, from one value to another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sweep {
    policy: String,
    key: String,
    values: Vec<String>,
}

impl FromStr for Sweep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not POLICY.KEY=FROM..TO, as in score-hold.score_at_least=6..10 or refusals-hour.refused_share=15%..40%"
            )
        };
        let (name, range) = text.split_once('=').ok_or_else(wrong)?;
        let (policy, key) = name.rsplit_once('.').ok_or_else(wrong)?;
        let (from, to) = range.split_once("..").ok_or_else(wrong)?;
        let bare = |value: &str| {
            value
                .trim_end_matches('%')
                .parse::<f64>()
                .ok()
                .filter(|value| value.is_finite())
        };
        let share = from.ends_with('%');
        let (from, to) = bare(from).zip(bare(to)).ok_or_else(wrong)?;
        if share != range.ends_with('%') || from >= to || policy.is_empty() || key.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            policy: policy.to_owned(),
            key: key.to_owned(),
            values: values(from, to)
                .into_iter()
                .map(|value| {
                    if share {
                        format!("\"{value}%\"")
                    } else {
                        value
                    }
                })
                .collect(),
        })
    }
}

/// Evenly spaced, whole numbers where they are far enough apart.
fn values(from: f64, to: f64) -> Vec<String> {
    let steps = VALUES - 1;
    let whole = from.fract() == 0.0 && to.fract() == 0.0;
    let width = (to - from) / f64::from(steps);
    let mut values: Vec<String> = (0..=steps)
        .map(|step| from + width * f64::from(step))
        .map(|value| {
            if whole && width >= 1.0 {
                format!("{value:.0}")
            } else {
                let text = format!("{value:.3}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        })
        .collect();
    values.dedup();
    values
}

impl Sweep {
    /// The name of the limit.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.policy, self.key)
    }

    /// Each value, and the policy file that sets it.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, String)> {
        self.values.iter().map(|value| {
            let text = format!(
                "[[override]]\npolicy = \"{}\"\n{} = {value}\n",
                self.policy, self.key
            );
            (value.as_str(), text)
        })
    }
}

/// Prints one row a value.
pub(super) fn print(
    sweep: &Sweep,
    lanes: &[Lane],
    json: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if !json {
        writeln!(
            out,
            "\n{}\n{:>12} {:>8} {:>8} {:>8} {:>18} {:>12}",
            sweep.name(),
            "value",
            "holds",
            "held",
            "slowed",
            "median accepted",
            "accepted"
        )?;
    }
    for ((value, _), lane) in sweep.files().zip(lanes) {
        let row = Row::of(lane);
        if json {
            writeln!(out, "{}", row.to_json(sweep, value))?;
        } else {
            writeln!(
                out,
                "{:>12} {:>8} {:>8} {:>8} {:>18} {:>12}",
                value.trim_matches('"'),
                row.holds,
                row.held,
                row.slowed,
                row.median
                    .map_or_else(|| "-".to_owned(), |median| format!("{median:.0}")),
                row.accepted
            )?;
        }
    }
    if !json {
        writeln!(
            out,
            "holds: times somebody was held; held, slowed: senders; accepted: by remote sides before the hold, within the policy's window"
        )?;
    }
    Ok(())
}

struct Row {
    holds: usize,
    held: usize,
    slowed: usize,
    median: Option<f64>,
    accepted: u64,
}

impl Row {
    fn of(lane: &Lane) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a count of messages, for a median"
        )]
        let mut leaks: Vec<f64> = lane
            .holds
            .iter()
            .map(|hold| hold.figures.accepted as f64)
            .collect();
        Self {
            holds: lane.holds.len(),
            held: lane.held(),
            slowed: lane.slowed(),
            median: median(&mut leaks),
            accepted: lane.holds.iter().map(|hold| hold.figures.accepted).sum(),
        }
    }

    fn to_json(&self, sweep: &Sweep, value: &str) -> Value {
        json!({
            "type": "sweep",
            "key": sweep.name(),
            "value": value.trim_matches('"'),
            "holds": self.holds,
            "held": self.held,
            "slowed": self.slowed,
            "median_accepted": self.median,
            "accepted": self.accepted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_a_policy_a_key_and_a_range() {
        let texts = |text: &str| -> Vec<String> { text.parse::<Sweep>().unwrap().values };
        assert_eq!(texts("score-hold.score_at_least=6..10").len(), 9);
        assert_eq!(texts("score-hold.score_at_least=6..10")[1], "6.5");
        assert_eq!(
            texts("refusals-hour.refused_at_least=4..12"),
            ["4", "5", "6", "7", "8", "9", "10", "11", "12"]
        );
        let shares = texts("refusals-hour.refused_share=20%..40%");
        assert_eq!(
            (shares[0].as_str(), shares[8].as_str()),
            ("\"20%\"", "\"40%\"")
        );
        let sweep: Sweep = "a.b.key=1..2".parse().unwrap();
        assert_eq!((sweep.policy.as_str(), sweep.key.as_str()), ("a.b", "key"));
    }

    #[test]
    fn what_is_not_a_range_is_said_to_be_none() {
        for wrong in [
            "",
            "a=1..2",
            "a.b",
            "a.b=1",
            "a.b=2..1",
            "a.b=1%..2",
            "a.b=x..y",
            "a.b=nan..1",
            ".b=1..2",
        ] {
            let error = wrong.parse::<Sweep>().unwrap_err();
            assert!(error.contains("POLICY.KEY=FROM..TO"), "{error}");
        }
    }
}
