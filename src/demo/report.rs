//! What the demo prints: a timeline while it plays, and figures with what was wanted of each.

use std::{io::Write, time::Duration};

use serde_json::{Value, json};

use crate::demo::measure::{Account, Evidence};

/// What was measured; what was not reached stays empty and counts as missed.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Letters of ordinary people that the relay took.
    pub ordinary: usize,
    /// Ordinary people whose mail was refused at intake or held.
    pub touched: Option<Vec<String>>,
    /// Incidents on record at the end.
    pub incidents: Option<usize>,
    /// First rejection by a remote side → decision on record. The one time that is postwarden's own word;
    /// [`Self::first_hold`] bounds it.
    pub decision: Option<Duration>,
    /// First rejection → first act that the thief notices or that his mail shows: a letter put off at intake, or on hold.
    pub acted: Option<Duration>,
    /// The thief's messages accepted by remote sides before that.
    pub accepted_before_act: Option<usize>,
    /// The same after the queue was verified to be clear of him.
    pub accepted_after_verified: Option<usize>,
    /// First rejection → first message of the thief in `hold/`, by the time of its rename.
    pub first_hold: Option<Duration>,
    /// First rejection → last message of the thief accepted by a remote side before the release.
    pub last_leak: Option<Duration>,
    /// The thief's messages accepted by remote sides before the decision.
    pub accepted_before: Option<usize>,
    /// The same after it.
    pub accepted_after: Option<usize>,
    /// The thief's messages in `hold/` when the attack was over.
    pub held: Option<usize>,
    /// Alerts in the desk's mailbox, and how long after the first hold the first one came.
    pub alert: Option<(usize, Duration)>,
    /// The evidence, verified.
    pub evidence: Option<Evidence>,
    /// Identical copies refused by the inbound MX with `550 5.7.1`, of how many.
    pub refused: Option<(usize, usize)>,
    /// Ordinary mail delivered through the inbound MX, of how many.
    pub delivered: Option<(usize, usize)>,
    /// From the release to an empty queue.
    pub drained: Option<Duration>,
    /// Where every recipient of every message taken by the relay has ended.
    pub account: Option<Account>,
    /// How long the demo took, after the build.
    pub took: Duration,
    /// What stopped it early.
    pub stopped: Option<String>,
    /// The end of postwarden's own log then.
    pub last_words: String,
}

/// One line of the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What.
    pub name: &'static str,
    /// Measured.
    pub value: String,
    /// Wanted; empty: only reported.
    pub wanted: &'static str,
    /// Whether it is as wanted.
    pub good: bool,
}

/// The longest that the demo's own part may take.
const LIMIT: Duration = Duration::from_secs(90);

impl Figures {
    /// Whether all is as wanted.
    #[must_use]
    pub fn good(&self) -> bool {
        self.stopped.is_none() && self.rows().iter().all(|row| row.good)
    }

    /// The lines, in the order of the story.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = self.outbound();
        rows.extend(self.touched());
        rows.extend(self.aftermath());
        rows.push(Row {
            name: "the demo itself",
            value: seconds(self.took),
            wanted: "at most 90 s",
            good: self.took <= LIMIT,
        });
        rows
    }

    fn outbound(&self) -> Vec<Row> {
        vec![
            row("incidents", self.incidents, "1", |n| {
                (n.to_string(), *n == 1)
            }),
            row(
                "first rejection → decision",
                self.decision,
                "measured",
                |span| (seconds(*span), true),
            ),
            row(
                "first rejection → acted (put off at intake, or on hold)",
                self.acted,
                "measured",
                |span| (seconds(*span), true),
            ),
            row(
                "accepted by remote sides before that",
                self.accepted_before_act,
                "measured",
                |n| (n.to_string(), true),
            ),
            row(
                "first rejection → first message on hold",
                self.first_hold,
                "measured",
                |span| (seconds(*span), true),
            ),
            row(
                "first rejection → last message leaving",
                self.last_leak,
                "measured",
                |span| (seconds(*span), true),
            ),
            row(
                "accepted by remote sides before the decision",
                self.accepted_before,
                "measured",
                |n| (n.to_string(), true),
            ),
            row(
                "accepted by remote sides after the decision",
                self.accepted_after,
                "measured",
                |n| (n.to_string(), true),
            ),
            row(
                "accepted by remote sides after the hold was verified",
                self.accepted_after_verified,
                "at most 2",
                |n| (n.to_string(), *n <= 2),
            ),
        ]
    }

    fn touched(&self) -> Vec<Row> {
        vec![
            row("messages on hold", self.held, "more than 0", |n| {
                (n.to_string(), *n > 0)
            }),
            row(
                "ordinary users touched",
                self.touched.as_ref(),
                "0",
                |names| {
                    let named = if names.is_empty() {
                        String::new()
                    } else {
                        format!(": {}", names.join(", "))
                    };
                    (
                        format!("{} (of {} letters){named}", names.len(), self.ordinary),
                        names.is_empty(),
                    )
                },
            ),
        ]
    }

    fn aftermath(&self) -> Vec<Row> {
        vec![
            row(
                "alert received over SMTP",
                self.alert,
                "1",
                |(count, span)| {
                    (
                        format!("{count}, {} after the hold", seconds(*span)),
                        *count == 1,
                    )
                },
            ),
            row(
                "evidence verified",
                self.evidence,
                "samples, all digests right",
                |evidence| {
                    let value = format!(
                        "{} files, {} with the thief's mail",
                        evidence.files, evidence.samples
                    );
                    (value, evidence.samples > 0)
                },
            ),
            row(
                "identical copies refused by the inbound MX",
                self.refused,
                "all",
                |(refused, of)| (format!("{refused} of {of}"), refused == of && *of > 0),
            ),
            row(
                "ordinary mail delivered through it",
                self.delivered,
                "all",
                |(delivered, of)| (format!("{delivered} of {of}"), delivered == of && *of > 0),
            ),
            row("release → empty queue", self.drained, "drains", |span| {
                (seconds(*span), true)
            }),
            row(
                "recipients accounted for",
                self.account.as_ref(),
                "all, once",
                |account| {
                    let value = format!(
                        "{} of {}, {} doubled",
                        account.ended,
                        account.taken,
                        account.doubled.len()
                    );
                    (
                        value,
                        account.missing.is_empty()
                            && account.doubled.is_empty()
                            && account.taken > 0,
                    )
                },
            ),
        ]
    }

    /// Prints the figures as a table.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(out)?;
        for row in self.rows() {
            let verdict = if row.good { "ok  " } else { "FAIL" };
            writeln!(
                out,
                "{verdict}  {:<46} {:<38} wanted: {}",
                row.name, row.value, row.wanted
            )?;
        }
        if let Some(account) = &self.account {
            for name in account.missing.iter().take(5) {
                writeln!(out, "      missing: {name}")?;
            }
            for name in account.doubled.iter().take(5) {
                writeln!(out, "      doubled: {name}")?;
            }
        }
        if let Some(stopped) = &self.stopped {
            writeln!(out, "\nThe play stopped early: {stopped}")?;
            writeln!(out, "\npostwarden's last words:\n{}", self.last_words)?;
        }
        writeln!(
            out,
            "\n{}",
            if self.good() {
                "All figures hold."
            } else {
                "Not all figures hold."
            }
        )
    }

    /// The figures as one JSON object; spans in seconds, what was not reached is null.
    #[must_use]
    pub fn json(&self) -> Value {
        let span = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
        json!({
            "good": self.good(),
            "incidents": self.incidents,
            "first_rejection_to_decision": span(self.decision),
            "first_rejection_to_act": span(self.acted),
            "accepted_before_act": self.accepted_before_act,
            "accepted_after_verified": self.accepted_after_verified,
            "first_rejection_to_first_hold": span(self.first_hold),
            "first_rejection_to_last_leaving": span(self.last_leak),
            "accepted_before": self.accepted_before,
            "accepted_after": self.accepted_after,
            "held": self.held,
            "ordinary_letters": self.ordinary,
            "ordinary_touched": self.touched,
            "alerts": self.alert.map(|(count, _)| count),
            "hold_to_alert": span(self.alert.map(|(_, span)| span)),
            "evidence_files": self.evidence.map(|evidence| evidence.files),
            "evidence_samples": self.evidence.map(|evidence| evidence.samples),
            "copies_sent": self.refused.map(|(_, of)| of),
            "copies_refused": self.refused.map(|(refused, _)| refused),
            "ham_sent": self.delivered.map(|(_, of)| of),
            "ham_delivered": self.delivered.map(|(delivered, _)| delivered),
            "release_to_empty_queue": span(self.drained),
            "recipients_taken": self.account.as_ref().map(|account| account.taken),
            "recipients_ended": self.account.as_ref().map(|account| account.ended),
            "missing": self.account.as_ref().map(|account| &account.missing),
            "doubled": self.account.as_ref().map(|account| &account.doubled),
            "took": self.took.as_secs_f64(),
            "stopped": self.stopped,
            "failed": self.rows().iter().filter(|row| !row.good).map(|row| row.name).collect::<Vec<_>>(),
        })
    }
}

/// One row; what was not measured is missed.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an `Option` of small copies reads better at the call"
)]
fn row<T>(
    name: &'static str,
    measured: Option<T>,
    wanted: &'static str,
    judge: impl FnOnce(&T) -> (String, bool),
) -> Row {
    let (value, good) = measured
        .as_ref()
        .map_or_else(|| ("not measured".to_owned(), false), judge);
    Row {
        name,
        value,
        wanted,
        good,
    }
}

/// Seconds with two digits after the point.
pub(super) fn seconds(span: Duration) -> String {
    format!("{:.2} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn perfect() -> Figures {
        Figures {
            ordinary: 100,
            touched: Some(Vec::new()),
            incidents: Some(1),
            decision: Some(Duration::from_millis(900)),
            first_hold: Some(Duration::from_millis(950)),
            acted: Some(Duration::from_millis(200)),
            accepted_before_act: Some(5),
            accepted_after_verified: Some(0),
            last_leak: Some(Duration::from_secs(1)),
            accepted_before: Some(20),
            accepted_after: Some(1),
            held: Some(100),
            alert: Some((1, Duration::from_secs(1))),
            evidence: Some(Evidence {
                files: 9,
                samples: 3,
            }),
            refused: Some((20, 20)),
            delivered: Some((20, 20)),
            drained: Some(Duration::from_secs(9)),
            account: Some(Account {
                taken: 300,
                ended: 300,
                ..Account::default()
            }),
            took: Duration::from_secs(40),
            stopped: None,
            last_words: String::new(),
        }
    }

    #[test]
    fn one_wrong_figure_spoils_the_demo() {
        assert!(perfect().good(), "{:?}", perfect().rows());
        let spoil: [fn(&mut Figures); 6] = [
            |figures| figures.touched = Some(vec!["anna".to_owned()]),
            |figures| figures.refused = Some((19, 20)),
            |figures| figures.delivered = None,
            |figures| figures.took = Duration::from_secs(91),
            |figures| figures.stopped = Some("x".to_owned()),
            |figures| {
                figures.account = Some(Account {
                    taken: 1,
                    missing: vec!["m".to_owned()],
                    ..Account::default()
                });
            },
        ];
        for spoil in spoil {
            let mut figures = perfect();
            spoil(&mut figures);
            assert!(!figures.good(), "{figures:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let figures = Figures::default();
        assert!(!figures.good());
        assert_eq!(figures.json()["ham_sent"], Value::Null);
    }
}
