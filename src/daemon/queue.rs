//! The queue watcher: every `[queue] poll` it looks over the queue, counts, and hands the engine the envelopes of files
//! that are new to it. So mail is attributed to its login also when the log did not tell, as after a restart without one.
//!
//! Walks by names where this process may (60 ms for 100,000 files), else lists with postqueue and a deadline. Backs off
//! by itself: it rests at least twenty times as long as a look took.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::Duration,
};

use crate::{
    action::hands::Hands,
    config::Config,
    daemon::{
        clock,
        finder::{Finder, Queued},
        hands::hands,
    },
    postfix::queue_list::Queue,
    telemetry::{Counter, Gauge, Latency, Metrics},
};

/// A file this old that the log did not tell of will not be told of any more.
const OVERDUE: Duration = Duration::from_secs(30);
/// Rest for each unit of work.
const REST: u32 = 20;
/// How often the thread looks whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// What one look brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Messages by queue.
    pub counts: BTreeMap<&'static str, u64>,
    /// Messages that are overdue in the log and were not handed over before.
    pub overdue: Vec<Queued>,
}

/// See the module's head.
#[derive(Debug)]
pub struct QueueWatcher {
    finder: Finder,
    hands: Box<dyn Hands + Send>,
    poll: Duration,
    told: HashSet<String>,
    looks: SyncSender<Look>,
    metrics: Arc<Metrics>,
}

impl QueueWatcher {
    /// A watcher that sends what it sees to `looks`.
    #[must_use]
    pub fn new(config: &Config, looks: SyncSender<Look>, metrics: Arc<Metrics>) -> Self {
        Self {
            finder: Finder::new(&config.config_directory),
            hands: hands(config),
            poll: config.poll,
            told: HashSet::new(),
            looks,
            metrics,
        }
    }

    /// Looks until told to stop.
    pub fn run(mut self, stop: &AtomicBool) {
        let mut due = clock::instant();
        while !stop.load(Ordering::Relaxed) {
            if clock::instant() >= due {
                let start = clock::instant();
                let look = self.look();
                self.metrics.record(Latency::QueueWalk, start.elapsed());
                // The engine is slow or stopping: it gets the next look.
                drop(self.looks.try_send(look));
                due = clock::instant() + self.poll.max(start.elapsed() * REST);
            }
            std::thread::sleep(TICK);
        }
    }

    fn look(&mut self) -> Look {
        let queued = self.finder.queued(&mut *self.hands, &Queue::ALL);
        self.metrics.count(Counter::WalksOk);
        let mut counts: BTreeMap<&'static str, u64> =
            Queue::ALL.map(|queue| (queue.name(), 0)).into();
        for message in &queued {
            *counts.entry(message.queue.name()).or_insert(0) += 1;
        }
        for (queue, gauge) in Queue::ALL.iter().zip(GAUGES) {
            let count = counts.get(queue.name()).copied().unwrap_or(0);
            self.metrics
                .set(gauge, f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        let present: HashSet<&str> = queued
            .iter()
            .map(|message| message.queue_id.as_str())
            .collect();
        self.told
            .retain(|queue_id| present.contains(queue_id.as_str()));
        let late = clock::now() - OVERDUE;
        let overdue: Vec<Queued> = queued
            .iter()
            // Nothing in a file of maildrop is an identity: any local user wrote it.
            .filter(|message| message.queue != Queue::Maildrop && message.envelope.arrival < late)
            .filter(|message| !self.told.contains(&message.queue_id))
            .cloned()
            .collect();
        self.told
            .extend(overdue.iter().map(|message| message.queue_id.clone()));
        Look { counts, overdue }
    }
}

/// In the order of [`Queue::ALL`].
const GAUGES: [Gauge; 5] = [
    Gauge::QueueMaildrop,
    Gauge::QueueIncoming,
    Gauge::QueueActive,
    Gauge::QueueDeferred,
    Gauge::QueueHold,
];
