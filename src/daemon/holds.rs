//! The worker that moves mail: holds, looks again, releases, deletes. One thread, most urgent work first.
//!
//! Work is on record before it begins; what became of each message is written down batch by batch, so that after a
//! crash the work goes on where it was. While an enforced incident is open, the queue is patrolled for what slipped by.

mod patrol;
mod way_out;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    action::{
        hands::Hands,
        hold::{self, Fate, Looked, SweepReport},
    },
    config::Config,
    daemon::{
        clock,
        core::Errand,
        finder::{Finder, OUTSIDE},
        hands::hands,
    },
    engine::incident::Incident,
    policy::Mode,
    store::{Commit, Event, EventKind, Held, HeldState, Job, JobEnd, JobKind, NewJob, Store},
    telemetry::{Counter, Latency, Metrics},
    time::Timestamp,
};

/// The work of this thread.
const KINDS: [JobKind; 4] = [
    JobKind::Hold,
    JobKind::Verify,
    JobKind::Release,
    JobKind::Purge,
];
/// How long one sweep goes on.
const SWEEP: Duration = Duration::from_secs(20);
/// Between two rounds of a sweep: as long as Postfix takes to move a new file on.
const ROUND: Duration = Duration::from_millis(50);
/// How long to gather new messages before they are held together.
const GATHER: Duration = Duration::from_millis(20);
/// How often the queue is looked over for convicted senders' mail.
const PATROL: Duration = Duration::from_secs(5);
/// A delivery agent marks recipients when it is through with them: husks are told apart this long after the sweep.
const SECOND_LOOK: Duration = Duration::from_secs(30);
/// When failed work is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// See the module's head.
#[derive(Debug)]
pub struct HoldWorker {
    config: Config,
    host: String,
    store: Store,
    hands: Box<dyn Hands + Send>,
    finder: Finder,
    metrics: Arc<Metrics>,
}

/// What stops a worker's turn; it is tried again.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

impl HoldWorker {
    /// A worker with its own connection to the record.
    #[must_use]
    pub fn new(config: &Config, host: &str, store: Store, metrics: Arc<Metrics>) -> Self {
        Self {
            config: config.clone(),
            host: host.to_owned(),
            store,
            hands: hands(config),
            finder: Finder::new(&config.config_directory),
            metrics,
        }
    }

    /// Works until the channel closes.
    pub fn run(mut self, errands: &Receiver<Errand>) {
        let mut patrol = clock::instant();
        loop {
            let stops = match errands.recv_timeout(Duration::from_millis(250)) {
                Ok(errand) => gather(errand, errands),
                Err(RecvTimeoutError::Timeout) => BTreeMap::new(),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            for (incident, queue_ids) in stops {
                self.try_or_log("stop", |worker| worker.stop(incident, queue_ids));
            }
            self.work();
            if patrol.elapsed() > PATROL {
                self.try_or_log("patrol", Self::patrol);
                patrol = clock::instant();
            }
        }
    }

    /// Does what is due, until nothing is.
    pub fn work(&mut self) {
        loop {
            match self.store.claim_job(clock::now(), &KINDS) {
                Ok(Some(job)) => self.job(&job),
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "work cannot be read");
                    return;
                }
            }
        }
    }

    fn try_or_log(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<(), Trouble>) {
        if let Err(error) = work(self) {
            tracing::error!(what, %error, "work failed");
        }
    }

    fn job(&mut self, job: &Job) {
        let done = match self.store.incident(job.incident) {
            Ok(Some(incident)) => match job.kind {
                JobKind::Hold | JobKind::Verify => self.hold(&incident, job),
                JobKind::Release => self.release(&incident),
                JobKind::Purge => self.purge(&incident, job),
                _ => Ok(true),
            },
            Ok(None) => Err("there is no such incident".into()),
            Err(error) => Err(error.into()),
        };
        let retry = |error: String| JobEnd::Retry {
            at: clock::now() + AGAIN,
            error,
        };
        let end = match done {
            Ok(true) => JobEnd::Done,
            Ok(false) => retry("not everything was reached; looking again".to_owned()),
            Err(error) => {
                tracing::error!(incident = job.incident, kind = job.kind.as_str(), %error, "work failed, it is tried again");
                retry(error.to_string())
            }
        };
        let commit = Commit {
            ended_jobs: vec![(job.number, end)],
            ..Commit::default()
        };
        self.try_or_log("end of work", |worker| Ok(worker.store.commit(&commit)?));
    }

    /// Sweeps the queue for a convicted sender until nothing of it is outside `hold`.
    fn hold(&mut self, incident: &Incident, job: &Job) -> Result<bool, Trouble> {
        if incident.closed.is_some() || incident.mode != Mode::Enforce {
            return Ok(true);
        }
        let queue_ids = if job.kind == JobKind::Verify {
            let held = self.store.held(incident.number, Some(HeldState::Held))?;
            held.into_iter().map(|held| held.queue_id).collect()
        } else {
            let named = job
                .detail
                .get("queue_ids")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            named.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let start = clock::instant();
        let report = self.sweep(incident, queue_ids);
        self.record(incident, &report)?;
        if report.complete && job.kind == JobKind::Hold {
            self.measure(job);
        }
        tracing::info!(
            incident = incident.number,
            sender_id = %incident.sender_id,
            held = report.count(Fate::Held),
            gone = report.count(Fate::Gone),
            complete = report.complete,
            rounds = report.rounds,
            elapsed_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
            error = report.last_error,
            "swept"
        );
        let detail = json!({"held": report.count(Fate::Held), "gone": report.count(Fate::Gone), "rounds": report.rounds});
        let kind = if report.complete {
            EventKind::Verified
        } else {
            EventKind::Applied
        };
        let mut events = vec![self.event(incident, EventKind::Applied, detail.clone())];
        if report.complete {
            events.push(self.event(incident, kind, detail));
        }
        let verify = NewJob {
            incident: incident.number,
            kind: JobKind::Verify,
            generation: 0,
            detail: Value::Null,
            due: clock::now() + SECOND_LOOK,
        };
        let first = job.kind == JobKind::Hold && report.complete;
        let jobs = first.then_some(verify).into_iter().collect();
        self.store.commit(&Commit {
            events,
            jobs,
            ..Commit::default()
        })?;
        Ok(report.complete)
    }

    /// How long it took to get here, from the moments that the engine's thread wrote down with the work.
    fn measure(&self, job: &Job) {
        let now = clock::now();
        let marks = [
            ("decided", Latency::DecisionToHold),
            ("readable", Latency::LineToHold),
        ];
        for (mark, latency) in marks {
            if let Some(micros) = job.detail.get(mark).and_then(Value::as_i64) {
                self.metrics
                    .record(latency, now.since(Timestamp::from_micros(micros)));
            }
        }
    }

    fn sweep(&mut self, incident: &Incident, queue_ids: Vec<String>) -> SweepReport {
        let start = clock::instant();
        let Self {
            hands,
            finder,
            config,
            ..
        } = self;
        let mut eyes = crate::daemon::hands::hands(config);
        let mut still_queued = || outside(finder, &mut *eyes, incident);
        let mut wait = || {
            std::thread::sleep(ROUND);
            start.elapsed() < SWEEP
        };
        hold::sweep(&mut **hands, queue_ids, &mut still_queued, &mut wait)
    }

    /// Holds new messages of a convicted sender that came in past the intake.
    fn stop(&mut self, number: u64, queue_ids: Vec<String>) -> Result<(), Trouble> {
        let Some(incident) = self
            .store
            .incident(number)?
            .filter(|incident| incident.closed.is_none())
        else {
            return Ok(());
        };
        let start = clock::instant();
        let mut wait = || {
            std::thread::sleep(ROUND);
            start.elapsed() < Duration::from_secs(2)
        };
        let report = hold::sweep(&mut *self.hands, queue_ids, &mut Vec::new, &mut wait);
        self.record(&incident, &report)
    }

    fn row(&self, incident: &Incident, look: &Looked, changed: Timestamp) -> Held {
        Held {
            incident: incident.number,
            host: self.host.clone(),
            queue_id: look.queue_id.clone(),
            arrival: look.arrival.unwrap_or_default(),
            recipients: look.recipients.unwrap_or(0),
            bytes: look.bytes.unwrap_or(0),
            state: if look.is_husk() {
                HeldState::Husk
            } else {
                HeldState::Held
            },
            changed,
        }
    }

    /// Writes down what became of each message, with recipients and size of those on hold.
    fn record(&mut self, incident: &Incident, report: &SweepReport) -> Result<(), Trouble> {
        let held: Vec<String> = report.of(Fate::Held).map(str::to_owned).collect();
        let looked = hold::look(&mut *self.hands, &held).unwrap_or_default();
        let changed = clock::now();
        let mut rows: Vec<Held> = looked
            .iter()
            .map(|look| self.row(incident, look, changed))
            .collect();
        let gone: Vec<String> = report.of(Fate::Gone).map(str::to_owned).collect();
        if looked.is_empty() {
            rows.extend(self::rows(
                incident.number,
                &self.host,
                &[(&held, HeldState::Held)],
            ));
        }
        rows.extend(self::rows(
            incident.number,
            &self.host,
            &[(&gone, HeldState::Gone)],
        ));
        self.metrics.add(
            Counter::MessagesHeld,
            u64::try_from(held.len()).unwrap_or(0),
        );
        Ok(self.store.commit(&Commit {
            held: rows,
            ..Commit::default()
        })?)
    }

    fn event(&self, incident: &Incident, kind: EventKind, detail: Value) -> Event {
        let wall = clock::now();
        Event {
            incident: incident.number,
            kind,
            at: wall,
            wall,
            who: "postwarden".to_owned(),
            detail,
        }
    }
}

/// New messages of one moment, by incident; work that comes in ends the wait, for it is more urgent.
fn gather(first: Errand, errands: &Receiver<Errand>) -> BTreeMap<u64, Vec<String>> {
    let mut stops: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let until = clock::instant() + GATHER;
    let mut next = Some(first);
    while let Some(Errand::Stop { incident, queue_id }) = next {
        stops.entry(incident).or_default().push(queue_id);
        let gathered: usize = stops.values().map(Vec::len).sum();
        let left = until.saturating_duration_since(clock::instant());
        next = if gathered < hold::BATCH {
            errands.recv_timeout(left).ok()
        } else {
            None
        };
    }
    stops
}

fn outside(finder: &mut Finder, hands: &mut dyn Hands, incident: &Incident) -> Vec<String> {
    finder
        .queued(hands, &OUTSIDE)
        .into_iter()
        .filter(|message| message.is_of(incident))
        .map(|message| message.queue_id)
        .collect()
}

fn rows(incident: u64, host: &str, groups: &[(&Vec<String>, HeldState)]) -> Vec<Held> {
    let changed = clock::now();
    groups
        .iter()
        .flat_map(|(queue_ids, state)| queue_ids.iter().map(move |queue_id| (queue_id, *state)))
        .map(|(queue_id, state)| Held {
            incident,
            host: host.to_owned(),
            queue_id: queue_id.clone(),
            arrival: Timestamp::EPOCH,
            recipients: 0,
            bytes: 0,
            state,
            changed,
        })
        .collect()
}
