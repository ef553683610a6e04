//! The worker that tells people: alerts into the outbox and out of it, evidence, digests to publish. One thread of its
//! own, so that a mail server that hangs delays no hold.

mod samples;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    action::{
        alert::{self, Alert, Desk, Done, Letter, News, Route, SendError},
        hands::Hands,
        incident_name, publish,
    },
    config::Config,
    daemon::{clock, hands::hands},
    engine::incident::{Incident, State},
    policy::Mode,
    store::{
        Commit, Event, EventKind, HeldState, Job, JobEnd, JobKind, Mail, MailEnd, NewMail, Store,
    },
    telemetry::{Counter, Metrics},
    time::Timestamp,
};

const KINDS: [JobKind; 3] = [JobKind::Alert, JobKind::Evidence, JobKind::Publish];
const TICK: Duration = Duration::from_millis(100);
/// An alert waits so long for the first sweep, so that it can say what was done.
const PATIENCE: Duration = Duration::from_secs(15);
/// ... and so long for samples of what is on hold.
const SAMPLE_PATIENCE: Duration = Duration::from_secs(6);
/// How long one step of an SMTP conversation may take.
const SMTP_STEP: Duration = Duration::from_secs(30);

pub use samples::keep;

/// Digests that were published, for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The incident.
    pub incident: u64,
    /// The digests.
    pub digests: Vec<String>,
}

/// See the module's head.
#[derive(Debug)]
pub struct DeskWorker {
    config: Config,
    host: String,
    store: Store,
    hands: Box<dyn Hands + Send>,
    published: SyncSender<Published>,
    metrics: Arc<Metrics>,
}

type Trouble = Box<dyn std::error::Error + Send + Sync>;

impl DeskWorker {
    /// A worker with its own connection to the record.
    #[must_use]
    pub fn new(
        config: &Config,
        host: &str,
        store: Store,
        published: SyncSender<Published>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            config: config.clone(),
            host: host.to_owned(),
            store,
            hands: hands(config),
            published,
            metrics,
        }
    }

    /// Works until told to stop.
    pub fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.work();
            std::thread::sleep(TICK);
        }
    }

    /// Does what is due, until nothing is.
    pub fn work(&mut self) {
        loop {
            match self.store.claim_job(clock::now(), &KINDS) {
                Ok(Some(job)) => self.job(&job),
                Ok(None) => break,
                Err(error) => {
                    tracing::error!(%error, "work cannot be read");
                    return;
                }
            }
        }
        while let Ok(Some(mail)) = self.store.claim_mail(clock::now()) {
            let end = self.send(&mail);
            if let Err(error) = self.store.commit(&end) {
                tracing::error!(%error, "the outbox cannot be written");
                return;
            }
        }
    }

    fn job(&mut self, job: &Job) {
        let done = match self.store.incident(job.incident) {
            Ok(Some(incident)) => match job.kind {
                JobKind::Alert => self.alert(&incident, job),
                JobKind::Evidence => self.evidence(&incident),
                JobKind::Publish => self.publish(&incident),
                _ => Ok(None),
            },
            Ok(None) => Err("there is no such incident".into()),
            Err(error) => Err(error.into()),
        };
        let end = match done {
            Ok(None) => JobEnd::Done,
            Ok(Some(at)) => JobEnd::Retry {
                at,
                error: "waiting".to_owned(),
            },
            Err(error) => {
                tracing::error!(incident = job.incident, kind = job.kind.as_str(), %error, "work failed, it is tried again");
                JobEnd::Retry {
                    at: clock::now() + Duration::from_secs(10),
                    error: error.to_string(),
                }
            }
        };
        let commit = Commit {
            ended_jobs: vec![(job.number, end)],
            ..Commit::default()
        };
        if let Err(error) = self.store.commit(&commit) {
            tracing::error!(%error, "the end of work cannot be written");
        }
    }

    /// Writes the mails about an incident's news into the outbox, one for each recipient, so that a bad address stops no
    /// other. `Some`: not yet.
    fn alert(&mut self, incident: &Incident, job: &Job) -> Result<Option<Timestamp>, Trouble> {
        let now = clock::now();
        if self.can_say_more_soon(incident, job, now)? {
            return Ok(Some(now + TICK));
        }
        if self.config.alert.to.is_empty() {
            let incident = incident.number;
            tracing::warn!(incident, "nobody is told: [alert] to is empty");
            return Ok(None);
        }
        let stage = format!("{}-{}", incident_name(incident.number), job.generation);
        let letter = self.letter(incident, job.generation, now)?;
        let mails = letter.to.iter().map(|to| NewMail {
            // One mail a stage of the incident, whatever happens in between.
            key: format!("{stage}/{to}"),
            incident: Some(incident.number),
            envelope_from: letter.from.clone(),
            envelope_to: vec![to.clone()],
            message: letter.bytes.clone(),
            created: now,
        });
        let mails = mails.collect();
        self.store.commit(&Commit {
            mails,
            ..Commit::default()
        })?;
        Ok(None)
    }

    /// An alert waits a little for the sweep, and for samples: it can then say what was done, and show one.
    fn can_say_more_soon(
        &self,
        incident: &Incident,
        job: &Job,
        now: Timestamp,
    ) -> Result<bool, Trouble> {
        let waited = now.since(job.due);
        if incident.mode != Mode::Enforce || incident.closed.is_some() || waited > PATIENCE {
            return Ok(false);
        }
        let jobs = self.store.jobs(incident.number)?;
        let state = |kind| jobs.iter().find(|job| job.kind == kind);
        let swept =
            state(JobKind::Hold).is_none_or(|job| job.attempts > 0 && job.state != "running");
        let sampled = state(JobKind::Evidence).is_none_or(|job| job.state == "done");
        Ok(!swept || !sampled && waited < SAMPLE_PATIENCE)
    }

    fn letter(
        &self,
        incident: &Incident,
        generation: u64,
        at: Timestamp,
    ) -> Result<Letter, Trouble> {
        let done = self.done(incident)?;
        let before = self.store.mails(incident.number)?;
        let stages: BTreeSet<&str> = before
            .iter()
            .filter_map(|mail| Some(mail.key.split_once('/')?.0))
            .collect();
        let directory = self
            .config
            .state
            .join("evidence")
            .join(incident_name(incident.number));
        let files = self.store.evidence(incident.number)?;
        let manifest = files
            .iter()
            .find(|file| file.path.ends_with("MANIFEST.sha256"));
        let samples = alert::sample_notes(&publish::samples(&directory).unwrap_or_default());
        let place = directory.display().to_string();
        let desk = Desk {
            from: &self.config.alert.from,
            to: &self.config.alert.to,
            host: &self.host,
        };
        let alert = Alert {
            incident,
            sequence: u64::try_from(stages.len()).unwrap_or(0) + 1,
            news: news(incident, generation),
            at,
            done: (incident.mode == Mode::Enforce).then_some(&done),
            samples: &samples,
            evidence: manifest.map(|file| (place.as_str(), file.sha256.as_str())),
            identity_hash: None,
            remark: incident.closed_by.as_deref(),
        };
        Ok(alert::incident_letter(&desk, &alert))
    }

    fn done(&self, incident: &Incident) -> Result<Done, Trouble> {
        let totals = |state| self.store.totals(incident.number, state);
        let held = totals(HeldState::Held)?;
        Ok(Done {
            held: held.messages,
            recipients: held.recipients,
            husks: totals(HeldState::Husk)?.messages,
            leaked_after: incident.accepted_after,
            released: totals(HeldState::Released)?.messages,
            purged: totals(HeldState::Purged)?.messages,
        })
    }

    fn send(&self, mail: &Mail) -> Commit {
        let at = clock::now();
        let sent = route(&self.config)
            .map_err(|error| SendError::Temporary(error.into()))
            .and_then(|route| {
                let envelope = (mail.envelope_from.as_str(), mail.envelope_to.as_slice());
                alert::send(&route, &self.host, SMTP_STEP, envelope, &mail.message)
            });
        let mut events = Vec::new();
        let end = match sent {
            Ok(()) => {
                self.metrics.count(Counter::AlertsSent);
                if let Some(incident) = mail.incident {
                    events.push(event(
                        incident,
                        EventKind::Alerted,
                        at,
                        json!({"to": mail.envelope_to, "key": mail.key}),
                    ));
                }
                MailEnd::Sent { at }
            }
            Err(error) => {
                let text = error.line();
                tracing::warn!(key = mail.key, error = text, "alert not sent");
                let again = match &error {
                    SendError::Permanent(_) => None,
                    SendError::Temporary(_) => alert::next_try(mail.attempts, mail.created, at),
                };
                self.metrics.count(if again.is_some() {
                    Counter::AlertsRetried
                } else {
                    Counter::AlertsFailed
                });
                match again {
                    Some(next) => MailEnd::Retry {
                        at: next,
                        error: text,
                    },
                    None => MailEnd::Failed { at, error: text },
                }
            }
        };
        Commit {
            ended_mails: vec![(mail.number, end)],
            events,
            ..Commit::default()
        }
    }
}

fn news(incident: &Incident, generation: u64) -> News {
    match (incident.closed.is_some(), incident.state, generation) {
        (true, State::FalsePositive, _) => News::FalsePositive,
        (true, _, _) => News::Released,
        (false, State::Confirmed, _) => News::Confirmed,
        (false, _, 0 | 1) => News::Opened,
        _ => News::Update,
    }
}

fn route(config: &Config) -> Result<Route, alert::RouteError> {
    match (&config.alert.smtp, &config.alert.sendmail) {
        (Some(url), _) => Route::parse(url),
        (None, Some(program)) => Ok(Route::Sendmail(program.clone())),
        (None, None) => Route::parse("smtp://127.0.0.1:25"),
    }
}

fn event(incident: u64, kind: EventKind, at: Timestamp, detail: Value) -> Event {
    Event {
        incident,
        kind,
        at,
        wall: at,
        who: "postwarden".to_owned(),
        detail,
    }
}
