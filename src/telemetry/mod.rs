//! Log set-up, counters by enum, latencies (hdrhistogram), Prometheus text.
//!
//! One [`Metrics`] belongs to the daemon and is handed down as an `Arc`; there is no global one. Counting is an atomic
//! addition, recording a latency takes a mutex for well under a microsecond. No label carries anything that came from
//! outside: every series is a variant of an enum, so their number is fixed at compile time.

mod fault;
mod latency;
pub mod log;
mod series;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::Serialize;

use self::latency::Histogram;
pub use self::{
    fault::Fault,
    latency::{Latency, LatencySummary},
    series::{Counter, Gauge},
};

/// Every counter, gauge and latency of one process.
#[derive(Debug)]
pub struct Metrics {
    counters: [AtomicU64; Counter::COUNT],
    gauges: [AtomicU64; Gauge::COUNT],
    latencies: [Histogram; Latency::COUNT],
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            counters: [const { AtomicU64::new(0) }; Counter::COUNT],
            gauges: [const { AtomicU64::new(0) }; Gauge::COUNT],
            latencies: std::array::from_fn(|_| Histogram::default()),
        }
    }
}

impl Metrics {
    /// One more.
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// `n` more.
    pub fn add(&self, counter: Counter, n: u64) {
        if let Some(cell) = self.counters.get(counter.index()) {
            cell.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// How many so far.
    #[must_use]
    pub fn counted(&self, counter: Counter) -> u64 {
        self.counters
            .get(counter.index())
            .map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// The value is now `value` (in the base unit of the gauge's name).
    pub fn set(&self, gauge: Gauge, value: f64) {
        if let Some(cell) = self.gauges.get(gauge.index()) {
            cell.store(value.to_bits(), Ordering::Relaxed);
        }
    }

    /// What was set last; zero before that.
    #[must_use]
    pub fn gauge(&self, gauge: Gauge) -> f64 {
        self.gauges
            .get(gauge.index())
            .map_or(0.0, |cell| f64::from_bits(cell.load(Ordering::Relaxed)))
    }

    /// One took `elapsed`; kept to the microsecond, and to an hour at most.
    pub fn record(&self, latency: Latency, elapsed: Duration) {
        if let Some(histogram) = self.latencies.get(latency.index()) {
            histogram.record(elapsed);
        }
    }

    /// What was recorded for one latency.
    #[must_use]
    pub fn summary(&self, latency: Latency) -> LatencySummary {
        self.latencies
            .get(latency.index())
            .map(Histogram::summary)
            .unwrap_or_default()
    }

    /// One fault, counted by who must act.
    pub fn fault(&self, fault: Fault) {
        self.count(match fault {
            Fault::Peer => Counter::FaultsPeer,
            Fault::Operator => Counter::FaultsOperator,
            Fault::Environment => Counter::FaultsEnvironment,
            Fault::Bug => Counter::FaultsBug,
        });
    }

    /// Everything, for the `status` row.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let counters = Counter::ALL
            .iter()
            .map(|counter| (counter.series(), self.counted(*counter)))
            .collect();
        let gauges = Gauge::ALL
            .iter()
            .map(|gauge| (gauge.series(), self.gauge(*gauge)))
            .collect();
        let latencies = Latency::ALL
            .iter()
            .map(|latency| (latency.name().to_owned(), self.summary(*latency)))
            .collect();
        Snapshot {
            counters,
            gauges,
            latencies,
        }
    }

    /// Prometheus text exposition, format 0.0.4 (`text/plain; version=0.0.4`). `version` is the program's.
    #[must_use]
    pub fn exposition(&self, version: &str) -> String {
        let mut text = String::with_capacity(16 * 1024);
        let version: String = version
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || ".-+".contains(*c))
            .collect();
        head(&mut text, "postwarden_build_info", "The program.", "gauge");
        line(
            &mut text,
            format_args!("postwarden_build_info{{version=\"{version}\"}} 1"),
        );
        for counter in Counter::ALL {
            if counter.is_first_of_family() {
                head(&mut text, counter.name(), counter.help(), "counter");
            }
            let value = self.counted(*counter);
            line(&mut text, format_args!("{} {value}", counter.series()));
        }
        for gauge in Gauge::ALL {
            if gauge.is_first_of_family() {
                head(&mut text, gauge.name(), gauge.help(), "gauge");
            }
            let value = self.gauge(*gauge);
            line(&mut text, format_args!("{} {value}", gauge.series()));
        }
        for latency in Latency::ALL {
            head(&mut text, latency.name(), latency.help(), "histogram");
            if let Some(histogram) = self.latencies.get(latency.index()) {
                histogram.expose(&mut text, latency.name());
            }
        }
        text
    }
}

/// A picture of all figures at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Snapshot {
    /// Series (name and labels) and its count.
    pub counters: BTreeMap<String, u64>,
    /// Series and its value.
    pub gauges: BTreeMap<String, f64>,
    /// Name and summary.
    pub latencies: BTreeMap<String, LatencySummary>,
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    line(text, format_args!("# HELP {name} {help}"));
    line(text, format_args!("# TYPE {name} {kind}"));
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    writeln!(text, "{content}").unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_series_is_exposed_once_with_one_head_for_its_family() {
        let metrics = Metrics::default();
        metrics.add(Counter::LinesUsed, 41);
        metrics.count(Counter::LinesUsed);
        metrics.set(Gauge::LogLagSeconds, 0.25);
        let text = metrics.exposition("0.1.0\"} 1\nevil 1");
        assert!(text.contains("\npostwarden_log_lines_total{result=\"used\"} 42\n"));
        assert!(text.contains("\npostwarden_log_lag_seconds 0.25\n"));
        assert!(!text.contains("\nevil"));
        let names: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit_once(' ').unwrap().0)
            .collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len());
        let heads: Vec<&str> = text.lines().filter(|l| l.starts_with("# TYPE")).collect();
        let distinct: BTreeSet<&str> = heads.iter().copied().collect();
        assert_eq!(distinct.len(), heads.len());
        assert!(names.len() < 400);
    }

    #[test]
    fn names_follow_the_convention() {
        for counter in Counter::ALL {
            assert!(counter.name().starts_with("postwarden_"));
            assert!(counter.name().ends_with("_total"), "{}", counter.name());
        }
        for latency in Latency::ALL {
            assert!(latency.name().ends_with("_seconds"), "{}", latency.name());
        }
    }

    #[test]
    fn a_latency_is_found_in_summary_snapshot_and_buckets() {
        let metrics = Metrics::default();
        for ms in [1, 2, 3, 400] {
            metrics.record(Latency::LineToDecision, Duration::from_millis(ms));
        }
        metrics.record(Latency::LineToDecision, Duration::from_secs(86_400));
        let summary = metrics.summary(Latency::LineToDecision);
        assert_eq!(summary.count, 5);
        assert!((2_900..=3_100).contains(&summary.p50_us), "{summary:?}");
        assert!(
            summary.max_us >= 3_500_000_000,
            "an hour and more is an hour"
        );
        let text = metrics.exposition("0");
        let name = Latency::LineToDecision.name();
        assert!(text.contains(&format!("{name}_bucket{{le=\"0.005\"}} 3\n")));
        assert!(text.contains(&format!("{name}_bucket{{le=\"+Inf\"}} 5\n")));
        assert!(text.contains(&format!("{name}_count 5\n")));
        let json = serde_json::to_value(metrics.snapshot()).unwrap();
        assert_eq!(json["latencies"][name]["count"], 5);
    }
}
