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

use serde_json::{Value, json};

use crate::{
    action::hands::Hands,
    config::Config,
    daemon::{
        clock,
        finder::{Finder, Queued},
        hands::hands,
    },
    ledger::{Ledger, sender::Sender},
    postfix::queue_list::Queue,
    source::program::ProgramError,
    telemetry::{Counter, Gauge, Latency, Metrics},
    time::Timestamp,
};

/// A file this old that the log did not tell of will not be told of any more.
const OVERDUE: Duration = Duration::from_secs(30);
/// Rest for each unit of work.
const REST: u32 = 20;
/// Senders named in the status row.
const MOST: usize = 5;
/// How often the thread looks whether it shall end.
const TICK: Duration = Duration::from_millis(200);

/// What one look brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Messages by queue.
    pub counts: BTreeMap<&'static str, u64>,
    /// Files on hold whose recipients all have their mail.
    pub husks: u64,
    /// Messages whose envelope could not be read: who sent them is known only if the log tells.
    pub unread: u64,
    /// The spool was walked; else postqueue listed it.
    pub walked: bool,
    /// Messages that the log should have told of by now and that were not handed over before, oldest first.
    pub overdue: Vec<Queued>,
}

impl Look {
    /// What `status` tells of it besides the counts; `most` as [`most`] gives it.
    #[must_use]
    pub fn view(&self, most: &[Value]) -> Value {
        json!({
            // Before the first look nothing is known to be amiss.
            "walked": self.walked || self.counts.is_empty(),
            "husks": self.husks,
            "unread": self.unread,
            "most": most,
        })
    }
}

/// The senders with most recipients in the queue.
#[must_use]
pub fn most(ledger: &Ledger, now: Timestamp) -> Vec<Value> {
    let waits = |sender: &Sender| sender.backlog.level.now();
    let mut most: Vec<&Sender> = ledger
        .senders()
        .map(|(_, sender)| sender)
        .filter(|sender| sender.id.is_some() && waits(sender) > 0)
        .collect();
    most.sort_by_key(|sender| std::cmp::Reverse(waits(sender)));
    most.iter()
        .take(MOST)
        .map(|sender| {
            let level = &sender.backlog.level;
            json!({
                "sender_id": sender.id.as_ref().map(ToString::to_string),
                "recipients": level.now(),
                "growth_1h": i64::from(level.now()) - i64::from(level.hour_ago(now)),
            })
        })
        .collect()
}

/// See the module's head.
#[derive(Debug)]
pub struct QueueWatcher {
    finder: Finder,
    hands: Box<dyn Hands + Send>,
    poll: Duration,
    /// What is older than the start is not waited for: its lines have been read, or are gone.
    started: Timestamp,
    told: HashSet<Box<str>>,
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
            started: clock::now(),
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
                self.turn();
                self.metrics.record(Latency::QueueWalk, start.elapsed());
                due = clock::instant() + self.poll.max(start.elapsed() * REST);
            }
            // A thread of its own: nothing waits for it but its own end.
            std::thread::sleep(TICK);
        }
    }

    fn turn(&mut self) {
        let look = match self.look() {
            Ok(look) => look,
            Err(error) => {
                self.metrics.count(Counter::WalksFailed);
                tracing::warn!(%error, "the queue cannot be looked over");
                return;
            }
        };
        self.metrics.count(Counter::WalksOk);
        for (queue, gauge) in Queue::ALL.iter().zip(GAUGES) {
            let count = look.counts.get(queue.name()).copied().unwrap_or(0);
            self.metrics
                .set(gauge, f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        let told: Vec<Box<str>> = look
            .overdue
            .iter()
            .map(|message| message.queue_id.as_str().into())
            .collect();
        // When the engine is slow or stopping it gets them with the next look.
        if self.looks.try_send(look).is_ok() {
            self.told.extend(told);
        }
    }

    fn look(&mut self) -> Result<Look, ProgramError> {
        let late = self.started.max(clock::now() - OVERDUE);
        let mut look = Look {
            counts: Queue::ALL.map(|queue| (queue.name(), 0)).into(),
            walked: self.finder.walks(),
            ..Look::default()
        };
        let mut present = HashSet::with_capacity(self.told.len());
        let told = &mut self.told;
        self.finder
            .look(&mut *self.hands, &mut |queue_id, queue, envelope| {
                *look.counts.entry(queue.name()).or_insert(0) += 1;
                if let Some(queue_id) = told.take(queue_id) {
                    present.insert(queue_id);
                    return;
                }
                let Some(envelope) = envelope else {
                    look.unread += 1;
                    return;
                };
                look.husks += u64::from(queue == Queue::Hold && envelope.husk);
                // Nothing in a file of maildrop is an identity: any local user wrote it.
                if queue != Queue::Maildrop && envelope.arrival < late {
                    look.overdue.push(Queued {
                        queue_id: queue_id.to_owned(),
                        queue,
                        envelope: envelope.clone(),
                    });
                }
            })?;
        self.told = present;
        look.overdue.sort_by(|a, b| {
            (a.envelope.arrival, &a.queue_id).cmp(&(b.envelope.arrival, &b.queue_id))
        });
        Ok(look)
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
