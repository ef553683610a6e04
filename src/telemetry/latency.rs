//! Latencies: two significant digits from a microsecond to an hour, about 50 kB each.

use std::{
    fmt::Write,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Latency {
    /// A log line became readable → the engine had decided.
    LineToDecision,
    /// A log line became readable → lookups answered by what it made known.
    LineToIntake,
    /// A log line became readable → the sweep that it caused was verified.
    LineToHold,
    /// Decision → the sweep was verified: nothing of the sender outside `hold`.
    DecisionToHold,
    /// First refusal that counted → decision, in event time.
    FirstSignToDecision,
    /// One transaction of the store.
    StoreWrite,
    /// One answer of the policy service.
    PolicyRequest,
    /// One answer of socketmap or tcp_table.
    Lookup,
    /// One message through the milter, our part.
    MilterMessage,
    /// One call of root's verbs.
    HolderCall,
    /// One walk of the spool.
    QueueWalk,
}

impl Latency {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::LineToDecision,
        Self::LineToIntake,
        Self::LineToHold,
        Self::DecisionToHold,
        Self::FirstSignToDecision,
        Self::StoreWrite,
        Self::PolicyRequest,
        Self::Lookup,
        Self::MilterMessage,
        Self::HolderCall,
        Self::QueueWalk,
    ];
    /// How many there are.
    pub(super) const COUNT: usize = Self::ALL.len();

    /// Position in an array of all.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// Name in the exposition.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// What it measures.
    #[must_use]
    pub const fn help(self) -> &'static str {
        self.row().1
    }

    const fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::LineToDecision => (
                "postwarden_decision_seconds",
                "Log line readable to decision.",
            ),
            Self::LineToIntake => (
                "postwarden_intake_seconds",
                "Log line readable to its decision in force at intake.",
            ),
            Self::LineToHold => (
                "postwarden_reaction_seconds",
                "Log line readable to verified hold of everything queued.",
            ),
            Self::DecisionToHold => (
                "postwarden_hold_seconds",
                "Decision to verified hold of everything queued.",
            ),
            Self::FirstSignToDecision => (
                "postwarden_detection_delay_seconds",
                "First refusal that counted to decision, in event time.",
            ),
            Self::StoreWrite => ("postwarden_store_write_seconds", "One transaction."),
            Self::PolicyRequest => (
                "postwarden_policy_request_seconds",
                "One answer of the policy service.",
            ),
            Self::Lookup => ("postwarden_lookup_seconds", "One table lookup."),
            Self::MilterMessage => (
                "postwarden_milter_message_seconds",
                "One message through the milter, our part.",
            ),
            Self::HolderCall => ("postwarden_holder_seconds", "One call of root's verbs."),
            Self::QueueWalk => ("postwarden_queue_walk_seconds", "One walk of the spool."),
        }
    }
}

/// One latency in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// How many were recorded.
    pub count: u64,
    /// Half were at most this many microseconds.
    pub p50_us: u64,
    /// 90 % were.
    pub p90_us: u64,
    /// 99 % were.
    pub p99_us: u64,
    /// The longest, microseconds.
    pub max_us: u64,
}

/// The recorder behind one latency.
#[derive(Debug, Default)]
pub(super) struct Histogram(Mutex<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    /// None only where it could not be made, which its constant bounds rule out.
    values: Option<hdrhistogram::Histogram<u64>>,
    sum_us: u64,
}

impl Histogram {
    pub(super) fn record(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        // A thread that panicked while counting leaves a usable histogram behind.
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.sum_us = recorded.sum_us.saturating_add(micros);
        if recorded.values.is_none() {
            recorded.values = hdrhistogram::Histogram::new_with_bounds(1, HOUR_US, 2).ok();
        }
        if let Some(values) = &mut recorded.values {
            values.saturating_record(micros);
        }
    }

    pub(super) fn summary(&self) -> LatencySummary {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(values) = &recorded.values else {
            return LatencySummary::default();
        };
        LatencySummary {
            count: values.len(),
            p50_us: values.value_at_quantile(0.5),
            p90_us: values.value_at_quantile(0.9),
            p99_us: values.value_at_quantile(0.99),
            max_us: values.max(),
        }
    }

    /// Cumulative buckets, sum and count.
    pub(super) fn expose(&self, text: &mut String, name: &str) {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = recorded.values.as_ref();
        let total = values.map_or(0, hdrhistogram::Histogram::len);
        for (bound, le) in BUCKETS {
            // From zero each time: neighbouring ranges would share a bin, and count it twice.
            let count = values.map_or(0, |values| values.count_between(0, *bound));
            writeln!(text, "{name}_bucket{{le=\"{le}\"}} {count}").unwrap_or_default();
        }
        let seconds = recorded.sum_us / 1_000_000;
        let micros = recorded.sum_us % 1_000_000;
        writeln!(
            text,
            "{name}_bucket{{le=\"+Inf\"}} {total}\n{name}_sum {seconds}.{micros:06}\n{name}_count {total}"
        )
        .unwrap_or_default();
    }
}

const HOUR_US: u64 = 3_600_000_000;

/// Upper bounds in microseconds, and as printed in seconds.
const BUCKETS: &[(u64, &str)] = &[
    (100, "0.0001"),
    (500, "0.0005"),
    (1_000, "0.001"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (300_000, "0.3"),
    (1_000_000, "1"),
    (3_000_000, "3"),
    (10_000_000, "10"),
    (60_000_000, "60"),
    (600_000_000, "600"),
];
