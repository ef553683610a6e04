//! Whether the daemon sees: what was read, what was not understood, how late, what was lost; and the alarms from that.
//!
//! Time is an input, and so is everything that is judged here ([`Facts`]). What was read in all ([`Totals`]) is written
//! down together with the positions of the logs: restarts and `kill -9` count no line twice and none too little.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    daemon::{
        alarms::{Alarm, Alarms, Change, Finding, Kind},
        ears::Trouble,
    },
    postfix::log_record::{Reading, Unparsed},
    source::{logs::Report, tail::Counters},
    telemetry::{Counter, Gauge, Metrics},
    time::Timestamp,
};

/// Fewer lines that are not understood are no alarm, whatever their share.
const FEW: u64 = 20;
/// Such a share of them is one.
const SHARE: f64 = 0.01;
/// With such a share nobody is watched any more.
const BLIND: f64 = 0.5;
/// Half of the time over which the share is taken.
const HALF: Duration = Duration::from_secs(300);
/// How much of a line is shown.
const SHOWN: usize = 300;

/// What was read since the first start, exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Totals {
    /// Since when it is counted.
    pub(super) since: Timestamp,
    /// Lines.
    pub(super) lines: u64,
    /// Lines of Postfix that were understood.
    pub(super) records: u64,
    /// Lines of other programs.
    pub(super) foreign: u64,
    /// Lines of Postfix that were not understood.
    pub(super) unparsed: u64,
    /// Bytes that were gone before they were read, as far as they are known to have been there.
    pub(super) lost_bytes: u64,
    /// Times that an unknown number of them was.
    pub(super) gaps: u64,
    /// Stamp of the last record.
    pub(super) last_record: Timestamp,
    /// When the last line of Postfix was read, by the clock; at first the start.
    pub(super) heard: Timestamp,
}

/// What else there is to judge by, at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// When a file of the queue moved last.
    pub(super) pulse: Option<Timestamp>,
    /// The log files.
    pub(super) reports: &'a [Report],
    /// The sources that cannot be read.
    pub(super) troubles: &'a BTreeMap<String, Trouble>,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Sight {
    /// `[log] alarm_after`.
    limit: Duration,
    totals: Totals,
    /// Lines of others since one of Postfix was read.
    strangers: u64,
    /// In this turn a record was read.
    fresh: bool,
    /// Lines that came too late: when the first and the last of them in a row were read, and how late that was, in seconds.
    late: Option<(Timestamp, Timestamp, f64)>,
    behind: Option<Timestamp>,
    unheard: Option<Timestamp>,
    window: Window,
    latest: Option<(String, String)>,
    looked: Option<(Timestamp, BTreeMap<&'static str, u64>)>,
    moved: Option<Timestamp>,
    told: BTreeMap<std::path::PathBuf, Counters>,
    lost: Option<String>,
    alarms: Alarms,
}

impl Sight {
    /// With what was on record.
    pub(super) fn new(
        limit: Duration,
        totals: Option<Totals>,
        on: Vec<Alarm>,
        now: Timestamp,
    ) -> Self {
        let fresh = || Totals {
            since: now,
            heard: now,
            ..Totals::default()
        };
        Self {
            limit,
            totals: totals.unwrap_or_else(fresh),
            strangers: 0,
            fresh: false,
            late: None,
            behind: None,
            unheard: None,
            window: Window::new(now),
            latest: None,
            looked: None,
            moved: None,
            told: BTreeMap::new(),
            lost: None,
            alarms: Alarms::new(limit, on, now),
        }
    }

    /// A line was read.
    pub(super) fn line(&mut self, now: Timestamp, reading: &Reading<'_>, metrics: &Metrics) {
        self.totals.lines += 1;
        match reading {
            Reading::Foreign => {
                self.totals.foreign += 1;
                self.strangers += 1;
                return metrics.count(Counter::LinesForeign);
            }
            Reading::Record(record) => {
                self.totals.records += 1;
                self.totals.last_record = record.at;
                self.fresh = true;
                self.window.count(now, false);
                metrics.count(Counter::LinesUsed);
            }
            Reading::Unparsed(unparsed) => {
                self.totals.unparsed += 1;
                self.window.count(now, true);
                self.latest = Some((unparsed.daemon.to_owned(), shown(unparsed.text)));
                metrics.count(Counter::LinesUnparsed);
            }
        }
        self.totals.heard = now;
        self.strangers = 0;
    }

    /// All that was there at `now` was read; how old the newest record was then.
    pub(super) fn turned(&mut self, now: Timestamp, metrics: &Metrics) {
        if !std::mem::take(&mut self.fresh) {
            return;
        }
        let age = now.seconds_since(self.totals.last_record);
        metrics.set(Gauge::LogLagSeconds, age);
        self.late = (age.abs() >= self.limit.as_secs_f64()).then(|| {
            let first = self.late.map_or(now, |(first, ..)| first);
            (first, now, age)
        });
    }

    /// The queue was looked over. Counts that changed while the log said nothing mean that it moved.
    pub(super) fn looked(&mut self, now: Timestamp, counts: &BTreeMap<&'static str, u64>) {
        if let Some((before, counted)) = &self.looked
            && counted != counts
            && self.totals.heard + self.slack() < *before
        {
            self.moved = Some(now);
        }
        self.looked = Some((now, counts.clone()));
    }

    /// A queue that moves is heard of within that time.
    fn slack(&self) -> Duration {
        self.limit / 6
    }

    /// True when the queue moves and nothing was heard of it for a while, but not yet so long that people are told.
    pub(super) fn is_uneasy(&self, now: Timestamp) -> bool {
        self.unheard
            .is_some_and(|since| now.since(since) >= self.limit / 3)
    }

    /// Adds up what the logs lost; belongs before every commit of positions.
    pub(super) fn tally(&mut self, reports: &[Report], metrics: &Metrics) {
        for report in reports {
            let (now, told) = (
                report.counters,
                self.told.entry(report.path.clone()).or_default(),
            );
            let (bytes, gaps) = (now.lost_bytes - told.lost_bytes, now.gaps - told.gaps);
            metrics.add(Counter::LogLostBytes, bytes);
            metrics.add(Counter::LogGaps, gaps);
            metrics.add(Counter::LogRotations, now.rotations - told.rotations);
            metrics.add(Counter::LogTruncations, now.truncations - told.truncations);
            metrics.add(Counter::LogLostFiles, now.lost_files - told.lost_files);
            metrics.add(Counter::LogOverlong, now.overlong - told.overlong);
            *told = now;
            self.totals.lost_bytes += bytes;
            self.totals.gaps += gaps;
            if bytes > 0 || gaps > 0 {
                self.lost = Some(lost(report, bytes));
            }
        }
    }

    /// What is wrong, and what changed in that.
    pub(super) fn examine(
        &mut self,
        now: Timestamp,
        facts: &Facts<'_>,
        metrics: &Metrics,
    ) -> Vec<Change> {
        let lag: u64 = facts.reports.iter().map(|report| report.lag_bytes).sum();
        metrics.set(Gauge::LogLagBytes, real(lag));
        metrics.set(
            Gauge::LogSilentSeconds,
            now.seconds_since(self.totals.heard),
        );
        metrics.set(Gauge::LogUnparsedRatio, self.window.share(now).0);
        let found = [
            (Kind::Silent, self.silent(now, facts)),
            (Kind::Unreadable, self.unreadable(now, facts)),
            (Kind::Unparsed, self.unparsed(now)),
            (Kind::Behind, self.behind(now, lag)),
            (Kind::Lost, self.lost(now)),
        ];
        let changes = found
            .into_iter()
            .filter_map(|(kind, found)| self.alarms.judge(kind, now, found))
            .collect();
        let on = self.alarms.on();
        for kind in Kind::ALL {
            let is_on = on.iter().any(|alarm| alarm.kind == kind);
            metrics.set(kind.gauge(), f64::from(u8::from(is_on)));
        }
        let blind = self.alarms.blind().map_or(0, |alarm| alarm.since.seconds());
        metrics.set(Gauge::UnprotectedSinceSeconds, real(blind.unsigned_abs()));
        changes
    }

    /// A condition that lasts is told; one that is told already stays so while it holds, restarts included.
    fn lasts(&self, kind: Kind, now: Timestamp, since: Timestamp) -> bool {
        now.since(since) >= self.limit || self.alarms.on().iter().any(|alarm| alarm.kind == kind)
    }

    fn silent(&mut self, now: Timestamp, facts: &Facts<'_>) -> Option<Finding> {
        // What a clock that was set back left in the future says nothing.
        let moved = facts
            .pulse
            .max(self.moved)
            .filter(|moved| *moved <= now + self.slack());
        let unheard = moved.is_some_and(|moved| moved > self.totals.heard + self.slack());
        let since = *lasting(&mut self.unheard, now, unheard)?;
        let others = if self.strangers > 0 {
            format!(
                "{} lines came, and none of them is Postfix's",
                self.strangers
            )
        } else {
            "not one line came".to_owned()
        };
        self.lasts(Kind::Silent, now, since).then(|| Finding {
            since: self.totals.heard,
            what: format!(
                "the queue moves (last at {}), and since {} {others}",
                second(moved.unwrap_or(now)),
                second(self.totals.heard)
            ),
            blind: true,
        })
    }

    fn unreadable(&self, now: Timestamp, facts: &Facts<'_>) -> Option<Finding> {
        let old = |trouble: &&Trouble| self.lasts(Kind::Unreadable, now, trouble.since);
        let troubles = facts.troubles.iter().filter(|(_, trouble)| old(trouble));
        let what: Vec<String> = troubles
            .clone()
            .map(|(name, trouble)| {
                if trouble.text.contains(name) {
                    shown(&trouble.text)
                } else {
                    format!("{name}: {}", shown(&trouble.text))
                }
            })
            .collect();
        Some(Finding {
            since: troubles.map(|(_, trouble)| trouble.since).min()?,
            what: what.join("; "),
            blind: true,
        })
    }

    fn unparsed(&mut self, now: Timestamp) -> Option<Finding> {
        let (share, count) = self.window.share(now);
        (count >= FEW && share >= SHARE).then(|| {
            let (daemon, text) = self.latest.clone().unwrap_or_default();
            let (daemon, text) = (&*daemon, &*text);
            Finding {
                since: self.window.first.unwrap_or(now),
                what: format!(
                    "{:.1} % of Postfix's lines of the last minutes were not understood ({count}); the latest is\n\
                     {daemon}: {text}\nof the shape {}",
                    share * 100.0,
                    Unparsed { daemon, text }.shape()
                ),
                blind: share >= BLIND,
            }
        })
    }

    fn behind(&mut self, now: Timestamp, lag: u64) -> Option<Finding> {
        let age = now.seconds_since(self.totals.last_record);
        let waits = lag > 0 && self.totals.records > 0 && age >= self.limit.as_secs_f64();
        let since = lasting(&mut self.behind, now, waits).copied();
        if let Some(since) = since.filter(|since| self.lasts(Kind::Behind, now, *since)) {
            return Some(Finding {
                since,
                what: format!(
                    "postwarden is {age:.0} s behind: it has come to {}, and {lag} bytes wait to be read",
                    second(self.totals.last_record)
                ),
                blind: true,
            });
        }
        let (first, last, age) = self.late?;
        (last.since(first) >= self.limit).then(|| Finding {
            since: first,
            what: if age > 0.0 {
                format!("lines are {age:.0} s old when they can be read; no more of them wait")
            } else {
                format!("lines are stamped {:.0} s in the future", -age)
            },
            blind: age > 0.0,
        })
    }

    fn lost(&mut self, now: Timestamp) -> Option<Finding> {
        Some(Finding {
            since: now,
            what: self.lost.take()?,
            blind: false,
        })
    }

    /// What belongs into the record with the positions of the logs.
    pub(super) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The alarms that are on.
    pub(super) fn alarms(&self) -> Vec<&Alarm> {
        self.alarms.on()
    }

    /// Since when nothing is watched, and why.
    pub(super) fn blind(&self) -> Option<&Alarm> {
        self.alarms.blind()
    }

    /// For the status row.
    pub(super) fn report(&mut self, now: Timestamp, facts: &Facts<'_>) -> Value {
        let sources: Vec<Value> = facts
            .reports
            .iter()
            .map(|report| {
                json!({
                    "path": report.path,
                    "bytes_not_read": report.lag_bytes,
                    "silent_seconds": report.silent.as_secs(),
                    "read_errors": report.errors,
                    "rotations": report.counters.rotations,
                    "truncations": report.counters.truncations,
                    "lost_files": report.counters.lost_files,
                    "lost_bytes": report.counters.lost_bytes,
                    "gaps": report.counters.gaps,
                    "overlong_lines": report.counters.overlong,
                })
            })
            .collect();
        let (share, _) = self.window.share(now);
        json!({
            "totals": self.totals,
            "heard": self.totals.heard.to_string(),
            "queue_moved": facts.pulse.max(self.moved).map(|at| at.to_string()),
            "unparsed_share": share,
            "unparsed_latest": self.latest.as_ref().map(|(daemon, text)| json!({
                "text": format!("{daemon}: {text}"),
                "shape": Unparsed { daemon, text }.shape(),
            })),
            "sources": sources,
        })
    }
}

/// Remembers since when a condition holds.
fn lasting(since: &mut Option<Timestamp>, now: Timestamp, holds: bool) -> Option<&Timestamp> {
    *since = holds.then(|| since.map_or(now, |since| since.min(now)));
    since.as_ref()
}

fn lost(report: &Report, bytes: u64) -> String {
    let path = report.path.display();
    if bytes > 0 {
        format!("{bytes} bytes of {path} were gone before they were read")
    } else {
        format!(
            "the place in {path} where postwarden had stopped is gone: what was written until its start is not known"
        )
    }
}

/// One printable line, not too long.
fn shown(text: &str) -> String {
    text.chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn second(at: Timestamp) -> String {
    let text = Timestamp::from_seconds(at.seconds()).to_string();
    text.replace(".000000", "")
}

fn real(count: u64) -> f64 {
    // Bytes and seconds beyond 2^53 are not met.
    f64::from(u32::try_from(count >> 21).unwrap_or(u32::MAX)) * f64::from(1 << 21)
        + f64::from(u32::try_from(count & ((1 << 21) - 1)).unwrap_or(0))
}

/// Lines of Postfix over the last five to ten minutes, by the clock.
#[derive(Debug)]
struct Window {
    begun: Timestamp,
    /// All, and not understood: now and in the half before.
    halves: [(u64, u64); 2],
    /// When the first line in a row of bad windows was not understood.
    first: Option<Timestamp>,
}

impl Window {
    const fn new(now: Timestamp) -> Self {
        Self {
            begun: now,
            halves: [(0, 0); 2],
            first: None,
        }
    }

    fn turn(&mut self, now: Timestamp) {
        let [current, _] = self.halves;
        let age = now.since(self.begun);
        if age < HALF && now >= self.begun {
            return;
        }
        self.halves = [(0, 0), if age < 2 * HALF { current } else { (0, 0) }];
        self.begun = now;
        if self.halves.iter().all(|(_, unparsed)| *unparsed == 0) {
            self.first = None;
        }
    }

    fn count(&mut self, now: Timestamp, unparsed: bool) {
        self.turn(now);
        let [current, _] = &mut self.halves;
        current.0 += 1;
        current.1 += u64::from(unparsed);
        if unparsed {
            self.first.get_or_insert(now);
        }
    }

    /// The share of lines that were not understood, and how many.
    fn share(&mut self, now: Timestamp) -> (f64, u64) {
        self.turn(now);
        let [(a, bad_a), (b, bad_b)] = self.halves;
        (real(bad_a + bad_b) / real((a + b).max(1)), bad_a + bad_b)
    }
}

#[cfg(test)]
mod tests;
