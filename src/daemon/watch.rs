//! The engine's own thread: log lines in, decisions out, everything on record before it is carried out.
//!
//! One turn: read what the logs have, feed it line by line, and as soon as a decision falls write it down, publish the
//! new picture to lookups, and hand the work on. Without news the state is written down every [`COMMIT`].

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use serde_json::json;

use crate::{
    config::{self, Config, Need, Source},
    correlate,
    daemon::{
        clock,
        core::{Core, Errand},
        desk::Published,
        finder::Queued,
        queue::Look,
        requests, rules,
    },
    engine::{Input, view::View},
    postfix::log_record::{Reader, Reading},
    source::{
        journal::{self, Heard, Journal},
        logs::Logs,
        tail,
        wake::Wake,
    },
    store::{self, Cursor},
    telemetry::{Counter, Fault, Latency, Metrics},
    time::Timestamp,
};

/// How often the state is written down when nothing was decided.
const COMMIT: Duration = Duration::from_secs(2);
/// How often requests of people are looked for.
const REQUESTS: Duration = Duration::from_millis(100);
/// How long to wait for new lines when there were none.
const IDLE: Duration = Duration::from_millis(20);
/// Name of the journal's cursor.
const JOURNAL: &str = "journal";
/// So long after the clock says so the log has surely reached a time.
const LOG_REACHED: Duration = Duration::from_secs(10);

/// Flags that signals set.
#[derive(Debug, Default)]
pub struct Flags {
    /// End cleanly.
    pub stop: AtomicBool,
    /// Read the configuration again.
    pub reload: AtomicBool,
}

/// What ties the thread to the others.
#[derive(Debug)]
pub struct Lines {
    /// Work for the hold worker.
    pub errands: SyncSender<Errand>,
    /// What the desk worker published.
    pub published: Receiver<Published>,
    /// What the queue watcher saw.
    pub looks: Receiver<Look>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What signals asked for.
    pub flags: Arc<Flags>,
}

/// What the thread works with.
#[derive(Debug)]
pub struct Watch {
    pub(super) config: Config,
    pub(super) core: Core,
    pub(super) view: Arc<ArcSwap<View>>,
    pub(super) errands: SyncSender<Errand>,
    pub(super) published: Receiver<Published>,
    looks: Receiver<Look>,
    queue: BTreeMap<&'static str, u64>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) flags: Arc<Flags>,
    pub(super) path: PathBuf,
    logs: Logs,
    journal: Option<Journal>,
    /// One for each log file, and the journal's last.
    readers: Vec<Reader>,
    wake: Wake,
    seen: Seen,
}

/// What was read, for the status row.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    lines: u64,
    records: u64,
    unparsed: u64,
    last_record: Timestamp,
}

impl Watch {
    pub(super) fn new(
        path: &Path,
        config: &Config,
        core: Core,
        cursors: &[Cursor],
        lines: Lines,
    ) -> Self {
        let view = Arc::new(ArcSwap::new(core.engine.view()));
        let Lines {
            errands,
            published,
            looks,
            metrics,
            flags,
        } = lines;
        let now = clock::now();
        let files = files(config, cursors);
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let readers = (0..=files.len())
            .map(|_| Reader::new(clock::zone(), now))
            .collect();
        Self {
            config: config.clone(),
            core,
            view,
            errands,
            published,
            looks,
            queue: BTreeMap::new(),
            metrics,
            flags,
            path: path.to_owned(),
            logs: Logs::new(&files, !cursors.is_empty(), now),
            journal: journal(config, cursors),
            readers,
            wake: Wake::new(&paths),
            seen: Seen::default(),
        }
    }

    /// Runs until told to stop; the state is on record then.
    ///
    /// # Errors
    /// The record cannot be written: nothing may be decided that is not on record.
    pub fn run(&mut self, alive: &mut dyn FnMut()) -> Result<(), store::Error> {
        // From here on every line is on record: a first start, too, goes on from here after kill -9.
        self.settle(Vec::new())?;
        self.report()?;
        let mut committed = clock::instant();
        let mut asked = clock::instant();
        while !self.flags.stop.load(Ordering::Relaxed) {
            let start = clock::instant();
            let heard = self.read();
            self.decided(start)?;
            if asked.elapsed() >= REQUESTS {
                self.published();
                self.looks();
                self.requests()?;
                asked = clock::instant();
            }
            if committed.elapsed() >= COMMIT {
                self.core.feed(clock::now() - LOG_REACHED, Input::Tick);
                self.settle(Vec::new())?;
                self.report()?;
                alive();
                committed = clock::instant();
            }
            if self.flags.reload.swap(false, Ordering::Relaxed) {
                self.reload();
            }
            if !heard {
                self.wake.wait(IDLE);
            }
        }
        self.settle(Vec::new())
    }

    /// Feeds what the logs have now; true when there was anything.
    fn read(&mut self) -> bool {
        let Self {
            logs,
            readers,
            core,
            seen,
            metrics,
            journal,
            ..
        } = self;
        let mut heard = logs.turn(clock::now(), &mut |number, batch| {
            let Some(reader) = readers.get_mut(number) else {
                return;
            };
            match batch {
                Ok(batch) => batch
                    .lines()
                    .for_each(|line| feed(core, seen, metrics, reader, line)),
                Err(error) => {
                    metrics.fault(Fault::Environment);
                    tracing::warn!(%error, "the log cannot be read");
                }
            }
        });
        if let (Some(journal), Some(reader)) = (journal, readers.last_mut()) {
            match journal.read(Duration::ZERO, &mut |line| {
                feed(core, seen, metrics, reader, line);
            }) {
                Ok(Heard::Lines(count)) => heard |= count > 0,
                Ok(Heard::Nothing) => {}
                Ok(Heard::Ended { status, complaint }) => {
                    tracing::warn!(?status, complaint, "journalctl ended; it is started again");
                }
                Err(error) => tracing::error!(%error, "the journal cannot be read"),
            }
        }
        heard
    }

    /// SIGHUP: policies, bounce rules, mode and brake are swapped whole, or nothing is.
    fn reload(&mut self) {
        let config = match config::load(&self.path, Need::Host) {
            Ok(config) => config,
            Err(found) => {
                return tracing::error!("not reloaded, the configuration in force stays:\n{found}");
            }
        };
        let setup = match rules::setup(&config, [0; 32], clock::zone()) {
            Ok(setup) => setup,
            Err(found) => {
                return tracing::error!("not reloaded, the configuration in force stays:\n{found}");
            }
        };
        let same = Config {
            mode: self.config.mode,
            brake: self.config.brake,
            ..config.clone()
        } == self.config;
        self.core
            .engine
            .reconfigure(config.mode, setup.policies, setup.classifier, config.brake);
        self.config.mode = config.mode;
        self.config.brake = config.brake;
        self.view.store(self.core.engine.view());
        tracing::info!(mode = ?config.mode, "reloaded: mode, brake, policies, bounce rules");
        if !same {
            tracing::warn!("what else has changed in the configuration needs a restart");
        }
    }

    /// Whatever was decided is written down, shown to lookups and carried out.
    fn decided(&mut self, start: Instant) -> Result<(), store::Error> {
        if self.core.engine.has_effects() {
            self.settle(Vec::new())?;
            self.metrics
                .record(Latency::LineToDecision, start.elapsed());
        }
        Ok(())
    }

    fn settle(&mut self, answers: Vec<store::Answer>) -> Result<(), store::Error> {
        let cursors = self.cursors();
        let errands = self.core.settle(cursors, answers, clock::now())?;
        self.view.store(self.core.engine.view());
        for errand in errands {
            // The worker is gone only when we are stopping; the work is on record.
            if self.errands.send(errand).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn cursors(&self) -> Vec<Cursor> {
        let files = self.logs.cursors().filter_map(|(path, cursor)| {
            let position = postcard::to_allocvec(&cursor).ok()?;
            Some(Cursor {
                source: path.display().to_string(),
                position,
            })
        });
        let journal = self.journal.as_ref().and_then(|journal| journal.cursor());
        files
            .chain(journal.map(|cursor| Cursor {
                source: JOURNAL.to_owned(),
                position: cursor.as_bytes().to_vec(),
            }))
            .collect()
    }

    fn published(&mut self) {
        while let Ok(Published { incident, digests }) = self.published.try_recv() {
            self.core
                .feed(clock::now(), Input::Published { incident, digests });
            self.view.store(self.core.engine.view());
        }
    }

    /// Mail that the log did not tell of is attributed by its queue file.
    fn looks(&mut self) {
        while let Ok(Look { counts, overdue }) = self.looks.try_recv() {
            self.queue = counts;
            for Queued {
                queue_id, envelope, ..
            } in overdue
            {
                let found = correlate::Found {
                    host: "",
                    queue_id: &queue_id,
                    arrival: envelope.arrival,
                    origin: envelope.origin,
                    recipients: envelope.recipients,
                    size: envelope.size,
                };
                self.core.feed(clock::now(), Input::QueueFile(found));
            }
        }
    }

    fn requests(&mut self) -> Result<(), store::Error> {
        let requests = self.core.store.new_requests(100)?;
        if requests.is_empty() {
            return Ok(());
        }
        let answers = requests
            .iter()
            .map(|request| {
                self.metrics.count(Counter::RequestsDone);
                requests::answer(&mut self.core, clock::now(), request)
            })
            .collect();
        self.settle(answers)
    }

    /// The status row: what a person or a monitor wants to know of the running daemon.
    fn report(&mut self) -> Result<(), store::Error> {
        let record = json!({
            "mode": self.config.mode,
            "pid": std::process::id(),
            "lines": self.seen.lines,
            "records": self.seen.records,
            "unparsed": self.seen.unparsed,
            "last_record": self.seen.last_record.to_string(),
            "senders": self.core.engine.ledger().senders().count(),
            "open_messages": self.core.engine.correlator().open_messages().count(),
            "queue": self.queue,
            "metrics": self.metrics.snapshot(),
        });
        self.core.store.report(clock::now(), &record)
    }
}

fn feed(core: &mut Core, seen: &mut Seen, metrics: &Metrics, reader: &mut Reader, line: &[u8]) {
    seen.lines += 1;
    match reader.read(line) {
        Reading::Record(record) => {
            seen.records += 1;
            seen.last_record = record.at;
            metrics.count(Counter::LinesUsed);
            core.feed(
                record.at,
                Input::Record {
                    record: &record,
                    line,
                },
            );
        }
        Reading::Foreign => metrics.count(Counter::LinesForeign),
        Reading::Unparsed(_) => {
            seen.unparsed += 1;
            metrics.count(Counter::LinesUnparsed);
        }
    }
}

/// The log files of the configuration, each from where it was left. A first start begins with what is written from now
/// on: what an old log says of last week's thief must not hold anybody today.
fn files(config: &Config, cursors: &[Cursor]) -> Vec<(PathBuf, Option<tail::Cursor>)> {
    let paths = config.sources.iter().filter_map(|source| match source {
        Source::File(path) => Some(path),
        Source::Journal => None,
    });
    paths
        .map(|path| {
            let name = path.display().to_string();
            let saved = cursors.iter().find(|cursor| cursor.source == name);
            (
                path.clone(),
                saved.and_then(|cursor| postcard::from_bytes(&cursor.position).ok()),
            )
        })
        .collect()
}

fn journal(config: &Config, cursors: &[Cursor]) -> Option<Journal> {
    config.sources.contains(&Source::Journal).then(|| {
        let saved = cursors.iter().find(|cursor| cursor.source == JOURNAL);
        let after = saved.map(|cursor| String::from_utf8_lossy(&cursor.position).into_owned());
        Journal::new(journal::Options::default(), after)
    })
}
