//! The engine's own thread: log lines in, decisions out, everything on record before it is carried out.
//!
//! One turn: read what the logs have, feed it line by line, and as soon as a decision falls write it down, publish the
//! new picture to lookups, and hand the work on. Without news the state is written down every [`COMMIT`].

use std::{
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
    config::{self, Config, Need},
    daemon::{
        alarms::Change,
        clock,
        core::{Core, Errand},
        desk::Published,
        ears::Ears,
        intake,
        lookup::Lookup,
        queue::{Look, most},
        requests, rules,
        sight::{Facts, Sight},
    },
    engine::{Input, view::View},
    postfix::log_record::Reading,
    server::Intake,
    source::{program::postconf, pulse::Pulse},
    store::{self, Cursor, Gate, Store},
    telemetry::{Counter, Latency, Metrics},
    time::Timestamp,
};

/// How often the state is written down when nothing was decided.
const COMMIT: Duration = Duration::from_secs(2);
/// How often requests of people are looked for.
const REQUESTS: Duration = Duration::from_millis(100);
/// How long to wait for new lines when there were none.
const IDLE: Duration = Duration::from_millis(20);
/// Facts on record: what was read in all, which alarms are on, since when nothing is watched.
const READING: &str = "reading";
const ALARMS: &str = "alarms";
const UNPROTECTED: &str = "unprotected";
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
    /// Where slowed senders are counted.
    pub intake: Arc<Intake>,
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
    intake: Arc<Intake>,
    pub(super) errands: SyncSender<Errand>,
    pub(super) published: Receiver<Published>,
    looks: Receiver<Look>,
    /// The last look over the queue, and who had most in it.
    look: Look,
    most: Vec<serde_json::Value>,
    lookup: Lookup,
    pub(super) metrics: Arc<Metrics>,
    pub(super) flags: Arc<Flags>,
    pub(super) path: PathBuf,
    ears: Ears,
    sight: Sight,
    pulse: Pulse,
    /// When the journal's reader was started anew last because of its silence.
    restarted: Timestamp,
}

impl Watch {
    /// # Errors
    /// The record cannot be read.
    pub(super) fn new(
        path: &Path,
        config: &Config,
        core: Core,
        cursors: &[Cursor],
        lines: Lines,
    ) -> Result<Self, store::Error> {
        let view = Arc::new(ArcSwap::new(core.engine.view()));
        let Lines {
            intake,
            errands,
            published,
            looks,
            metrics,
            flags,
        } = lines;
        let now = clock::now();
        let sight = sight(config, &core.store, now)?;
        Ok(Self {
            config: config.clone(),
            core,
            view,
            intake,
            errands,
            published,
            looks,
            look: Look::default(),
            most: Vec::new(),
            lookup: Lookup::new(config, Arc::clone(&metrics)),
            metrics,
            flags,
            path: path.to_owned(),
            ears: Ears::new(config, cursors, now),
            sight,
            pulse: Pulse::new(&queue_directory(&config.config_directory)),
            restarted: now,
        })
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
        // What is read in a turn became readable after the read of the turn before, or woke us.
        let mut readable = clock::instant();
        while !self.flags.stop.load(Ordering::Relaxed) {
            let heard = self.read();
            let since = std::mem::replace(&mut readable, clock::instant());
            self.decided(since)?;
            if asked.elapsed() >= REQUESTS {
                intake::report(&self.intake, &self.view.load(), &self.metrics);
                self.published();
                let read = self.sight.totals().last_record;
                // What the log will tell is not looked up in files first.
                if !heard || clock::now() - LOG_REACHED < read {
                    self.looks();
                }
                self.requests()?;
                asked = clock::instant();
            }
            if committed.elapsed() >= COMMIT {
                self.core.feed(clock::now() - LOG_REACHED, Input::Tick);
                self.examine();
                self.settle(Vec::new())?;
                self.report()?;
                alive();
                committed = clock::instant();
            }
            if self.flags.reload.swap(false, Ordering::Relaxed) {
                self.reload();
            }
            if !heard {
                self.ears.wait(IDLE);
                readable = clock::instant();
            }
        }
        self.settle(Vec::new())
    }

    /// Feeds what the logs have now; true when there was anything.
    fn read(&mut self) -> bool {
        let Self {
            ears,
            sight,
            core,
            metrics,
            lookup,
            ..
        } = self;
        let now = clock::now();
        let heard = ears.hear(now, &mut |reading, line| {
            sight.line(now, reading, metrics);
            if let Reading::Record(record) = reading {
                core.feed(record.at, Input::Record { record, line });
                lookup.line(core, record.at);
            }
        });
        lookup.batch(core, sight.totals().last_record);
        sight.turned(now, metrics);
        heard
    }

    /// Does the daemon see? What has changed in that is on record, and in the outbox, with the next commit.
    fn examine(&mut self) {
        let now = clock::now();
        let reports = self.ears.reports(now);
        self.sight.tally(&reports, &self.metrics);
        let facts = Facts {
            pulse: self.pulse.last(),
            reports: &reports,
            troubles: self.ears.troubles(),
        };
        let changes = self.sight.examine(now, &facts, &self.metrics);
        if self.sight.is_uneasy(now)
            && now.since(self.restarted) >= self.config.alarm_after
            && self.ears.journal_starts().is_some()
        {
            self.restarted = now;
            self.metrics.count(Counter::LogJournalStarts);
            self.ears.restart_journal(now);
        }
        if changes.is_empty() {
            return;
        }
        for change in &changes {
            match change {
                Change::Began(alarm) => {
                    tracing::error!(alarm = alarm.kind.as_str(), since = %alarm.since, what = alarm.what, "{}", alarm.kind.title());
                }
                Change::Ended(alarm) => {
                    tracing::info!(alarm = alarm.kind.as_str(), since = %alarm.since, "an alarm is over");
                }
            }
            let mails = self.core.operator.alarm(now, change);
            self.core.aside.mails.extend(mails);
        }
        let blind = self.sight.blind();
        let unprotected =
            blind.map(|alarm| json!({"since": alarm.since.to_string(), "why": alarm.kind.title()}));
        self.core.aside.gates.extend([
            gate(ALARMS, json!(self.sight.alarms()), now),
            gate(UNPROTECTED, json!(unprotected), now),
        ]);
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
    fn decided(&mut self, readable: Instant) -> Result<(), store::Error> {
        if self.core.engine.has_effects() {
            let waited = readable.elapsed();
            self.core.readable = Some(clock::now() - waited);
            self.settle(Vec::new())?;
            if self.core.acted {
                self.metrics.record(Latency::LineToDecision, waited);
                self.metrics
                    .record(Latency::LineToIntake, readable.elapsed());
            }
            self.core.readable = None;
        }
        Ok(())
    }

    fn settle(&mut self, answers: Vec<store::Answer>) -> Result<(), store::Error> {
        let now = clock::now();
        // What was counted and how far was read are one fact.
        self.sight.tally(&self.ears.reports(now), &self.metrics);
        let reading = gate(READING, json!(self.sight.totals()), now);
        self.core.aside.gates.push(reading);
        let start = clock::instant();
        let errands = self.core.settle(self.ears.cursors(), answers, now)?;
        self.view.store(self.core.engine.view());
        self.metrics.record(Latency::StoreWrite, start.elapsed());
        for errand in errands {
            // The worker is gone only when we are stopping; the work is on record.
            if self.errands.send(errand).is_err() {
                break;
            }
        }
        Ok(())
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
        while let Ok(look) = self.looks.try_recv() {
            let now = clock::now();
            self.sight.looked(now, &look.counts);
            for message in &look.overdue {
                let found = message.envelope.found("", &message.queue_id, message.queue);
                self.core.feed(now, Input::QueueFile(found));
            }
            self.most = most(self.core.engine.ledger(), now);
            self.look = Look {
                overdue: Vec::new(),
                ..look
            };
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
        let now = clock::now();
        let reports = self.ears.reports(now);
        let facts = Facts {
            pulse: self.pulse.last(),
            reports: &reports,
            troubles: self.ears.troubles(),
        };
        let sight = self.sight.report(now, &facts);
        let totals = self.sight.totals();
        let record = json!({
            "mode": self.config.mode,
            "pid": std::process::id(),
            "lines": totals.lines,
            "records": totals.records,
            "foreign": totals.foreign,
            "unparsed": totals.unparsed,
            "last_record": totals.last_record.to_string(),
            "log": sight,
            "wakes": if self.ears.is_awake() { "inotify" } else { "polling" },
            "journal_starts": self.ears.journal_starts(),
            "senders": self.core.engine.ledger().senders().count(),
            "open_messages": self.core.engine.correlator().open_messages().count(),
            "queue": self.look.counts,
            "queue_view": self.look.view(&self.most),
            "metrics": self.metrics.snapshot(),
        });
        self.core.store.report(now, &record)
    }
}

fn gate(name: &str, value: serde_json::Value, changed: Timestamp) -> Gate {
    Gate {
        name: name.to_owned(),
        value,
        changed,
    }
}

/// What was on record of the daemon's own sight.
fn sight(config: &Config, store: &Store, now: Timestamp) -> Result<Sight, store::Error> {
    let saved = |name| Ok(store.gate(name)?.map(|gate| gate.value));
    // Of another version: counting begins anew.
    let totals = saved(READING)?.and_then(|value| serde_json::from_value(value).ok());
    let on = saved(ALARMS)?.and_then(|value| serde_json::from_value(value).ok());
    Ok(Sight::new(
        config.alarm_after,
        totals,
        on.unwrap_or_default(),
        now,
    ))
}

/// `queue_directory` of the instance.
fn queue_directory(config_directory: &Path) -> PathBuf {
    let named = postconf(config_directory, &["queue_directory"])
        .ok()
        .and_then(|settings| settings.into_iter().next());
    named.map_or_else(
        || PathBuf::from("/var/spool/postfix"),
        |(_, path)| path.into(),
    )
}
