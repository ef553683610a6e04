//! The engine and its record, together: what is decided is written down before it is carried out.
//!
//! Used by the daemon, and by the verbs of a person while no daemon runs: one code path. Everything that belongs to a
//! batch of log lines goes into one transaction: log positions, engine state, incidents, and the work that follows.
//! After `kill -9` the engine is restored and the log read again from the committed position; deciding again gives the
//! same records under the same names, so nothing is doubled.

use std::path::Path;

use serde_json::json;

use crate::{
    daemon::{
        lock::{LockError, StateLock},
        operator::Operator,
    },
    engine::{
        Checkpoint, Engine, Input, RestoreError, Setup,
        effect::Effect,
        incident::{Incident, State},
    },
    policy::{Mode, Verdict},
    store::{
        self, Answer, Commit, Cursor, Event, EventKind, Gate, Held, HeldState, JobKind, NewJob,
        NewMail, Store,
    },
    time::Timestamp,
};

/// What the facts on record about trouble that everybody meets begin with.
pub const WEATHER: &str = "weather.";

/// Trouble of one name that comes and goes is mailed once in so many seconds.
const AGAIN: i64 = 6 * 3600;

/// Trouble that everybody meets, or its end.
struct Weather {
    at: Timestamp,
    name: String,
    text: String,
    began: bool,
}

/// The engine and its record.
#[derive(Debug)]
pub struct Core {
    /// The brain.
    pub engine: Engine,
    /// The record.
    pub store: Store,
    /// What else belongs into the next transaction.
    pub aside: Aside,
    /// Who is told of what belongs to no incident.
    pub operator: Operator,
    /// When the log line that is being decided on became readable, by the clock on the wall; for the latencies.
    pub readable: Option<Timestamp>,
    /// Whether anything that was last written down acts on mail: a new `slow` or `hold` in force.
    pub acted: bool,
    host: String,
    _lock: StateLock,
}

/// Facts of the daemon itself, written together with the positions of the logs.
#[derive(Clone, Debug, Default)]
pub struct Aside {
    /// Facts.
    pub gates: Vec<Gate>,
    /// Mail to the operator.
    pub mails: Vec<NewMail>,
}

/// Why a state directory cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The saved state.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// What is to be carried out at once, besides the work that is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// There is new work on record.
    Work,
    /// A convicted sender's new message: hold it.
    Stop {
        /// The incident.
        incident: u64,
        /// The message.
        queue_id: String,
    },
}

impl Core {
    /// Takes the state directory and restores what was there.
    ///
    /// # Errors
    /// Another process has it, or it cannot be read.
    pub fn open(state: &Path, setup: Setup, host: &str) -> Result<(Self, Vec<Cursor>), OpenError> {
        let lock = StateLock::take(state)?;
        let mut store = Store::open(&state.join("postwarden.db"))?;
        store.resume_work()?;
        let restored = store.restore()?;
        let engine = Engine::restore(
            setup,
            checkpoint(&store, restored.checkpoint)?,
            restored.incidents,
        )?;
        let core = Self {
            engine,
            store,
            aside: Aside::default(),
            operator: Operator::default(),
            readable: None,
            acted: false,
            host: host.to_owned(),
            _lock: lock,
        };
        Ok((core, restored.cursors))
    }

    /// Feeds one input.
    pub fn feed(&mut self, now: Timestamp, input: Input<'_>) {
        self.engine.feed(now, input);
    }

    /// A fact of the whole daemon, to be written down with the next step.
    pub(super) fn note(&mut self, gate: Gate) {
        self.aside.gates.push(gate);
    }

    /// Writes down everything since the last call, in one transaction; answers what is to be carried out.
    ///
    /// # Errors
    /// As the store has them; nothing is carried out then, and nothing is lost: the log is read again.
    pub fn settle(
        &mut self,
        cursors: Vec<Cursor>,
        answers: Vec<Answer>,
        wall: Timestamp,
    ) -> Result<Vec<Errand>, store::Error> {
        let Aside { gates, mails } = std::mem::take(&mut self.aside);
        let mut commit = Commit {
            cursors,
            answers,
            gates,
            mails,
            ..Commit::default()
        };
        let mut errands = Vec::new();
        self.acted = false;
        while let Some(effect) = self.engine.next_effect() {
            self.acted |= acts(&effect);
            self.effect(effect, wall, &mut commit, &mut errands);
        }
        commit.checkpoint = self.engine.checkpoint();
        commit.incidents = self.engine.take_changed_incidents();
        if !commit.jobs.is_empty() {
            errands.push(Errand::Work);
        }
        self.store.commit(&commit)?;
        Ok(errands)
    }

    fn effect(
        &self,
        effect: Effect,
        wall: Timestamp,
        commit: &mut Commit,
        errands: &mut Vec<Errand>,
    ) {
        match effect {
            Effect::Verdict(change) => tracing::info!(
                at = %change.at,
                sender_id = %change.sender_id,
                verdict = %change.verdict,
                policy = change.policy,
                enforced = change.mode == Mode::Enforce,
                incident = change.incident,
                reason = change.reasons.first().map(|reason| reason.text.as_str()),
                "verdict"
            ),
            Effect::Incident(incident) => self.incident(&incident, wall, commit),
            Effect::Stop { incident, queue_id } => {
                errands.push(Errand::Stop { incident, queue_id });
            }
            Effect::Held {
                incident,
                queue_id,
                at,
            } => commit.held.push(Held {
                incident,
                host: self.host.clone(),
                queue_id,
                arrival: Timestamp::EPOCH,
                recipients: 0,
                bytes: 0,
                state: HeldState::Held,
                changed: at,
            }),
            Effect::Release { incident } => {
                commit.jobs.push(job(incident, JobKind::Release, 0, wall));
            }
            Effect::Brake { at, holds } => self.brake(at, holds, wall, commit),
            Effect::Weather {
                at,
                name,
                text,
                began,
            } => self.weather(
                &Weather {
                    at,
                    name,
                    text,
                    began,
                },
                wall,
                commit,
            ),
        }
    }

    /// Automatic holds are stopped: on record, and somebody is told.
    fn brake(&self, at: Timestamp, holds: usize, wall: Timestamp, commit: &mut Commit) {
        tracing::error!(
            holds,
            "the brake is on: automatic holds only observe until a person looks"
        );
        commit.gates.push(Gate {
            name: "brake".to_owned(),
            value: json!({"holds": holds}),
            changed: at,
        });
        let what =
            format!("{holds} automatic holds in too short a time: what follows only observes");
        let rows = [
            ("WHAT", what),
            ("SINCE", at.to_string()),
            (
                "DO",
                "postwarden incidents\nrelease or confirm one: that takes the brake off".to_owned(),
            ),
        ];
        let key = format!("brake.{}", at.micros());
        let subject = "BRAKE automatic holds are stopped";
        commit
            .mails
            .extend(self.operator.mails(&key, wall, subject, &rows));
    }

    /// Trouble that everybody meets, or the end of it: on record, and mailed once. What comes and goes is news again
    /// after [`AGAIN`].
    fn weather(&self, news: &Weather, wall: Timestamp, commit: &mut Commit) {
        let Weather {
            at,
            name,
            text,
            began,
        } = news;
        tracing::warn!(%at, name, began, text, "weather");
        commit.gates.push(Gate {
            name: format!("{WEATHER}{name}"),
            value: json!({"text": text, "began": began}),
            changed: *at,
        });
        if !began {
            return;
        }
        let rows = [
            ("WHAT", text.clone()),
            ("SINCE", at.to_string()),
            (
                "DO",
                "nothing, unless it is our own address: nobody is held for it, and it ends by itself"
                    .to_owned(),
            ),
        ];
        let key = format!("{WEATHER}{name}.{}", at.seconds().div_euclid(AGAIN));
        let subject = format!("WEATHER {text}");
        commit
            .mails
            .extend(self.operator.mails(&key, wall, &subject, &rows));
    }

    /// The steps and the work that an incident in this state asks for. Named so that asking again changes nothing.
    fn incident(&self, incident: &Incident, wall: Timestamp, commit: &mut Commit) {
        let number = incident.number;
        let enforced = incident.mode == Mode::Enforce;
        let (kind, stage) = stage(incident);
        commit.events.push(Event {
            incident: number,
            kind,
            at: incident.closed.unwrap_or(incident.opened),
            wall,
            who: incident.closed_by.clone().unwrap_or_else(|| "postwarden".to_owned()),
            detail: json!({"verdict": incident.verdict, "enforced": enforced, "policy": incident.policy}),
        });
        if enforced && incident.closed.is_none() {
            let queue_ids = self.engine.queued(&incident.sender_id);
            let readable = self.readable.map(Timestamp::micros);
            commit.jobs.push(NewJob {
                detail: json!({"queue_ids": queue_ids, "readable": readable, "decided": wall.micros()}),
                ..job(number, JobKind::Hold, 0, wall)
            });
            commit.jobs.push(job(number, JobKind::Evidence, 0, wall));
        }
        commit.jobs.push(job(number, JobKind::Alert, stage, wall));
    }
}

fn acts(effect: &Effect) -> bool {
    matches!(effect, Effect::Verdict(change) if change.mode == Mode::Enforce && change.verdict >= Verdict::Slow)
}

/// The saved state with the clear names that are still known.
pub(super) fn checkpoint(store: &Store, saved: Checkpoint) -> Result<Checkpoint, store::Error> {
    let names = store
        .names(u64::MAX >> 1)?
        .into_iter()
        .map(|name| (name.key, name.sender_id, name.seen.micros()))
        .collect();
    Ok(Checkpoint { names, ..saved })
}

/// The step that an incident's state stands for, and its place in the order of alerts.
fn stage(incident: &Incident) -> (EventKind, u64) {
    match (incident.closed.is_some(), incident.state) {
        (true, State::FalsePositive) => (EventKind::FalsePositive, 4),
        (true, _) => (EventKind::Released, 4),
        (false, State::Confirmed) => (EventKind::Confirmed, 3),
        (false, _) if incident.verdict == Verdict::Suspend => (EventKind::Proposed, 2),
        (false, _) if incident.mode == Mode::Enforce => (EventKind::Proposed, 1),
        (false, _) => (EventKind::Proposed, 0),
    }
}

fn job(incident: u64, kind: JobKind, generation: u64, due: Timestamp) -> NewJob {
    NewJob {
        incident,
        kind,
        generation,
        detail: serde_json::Value::Null,
        due,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        classify::Classifier, config, correlate, engine::docket::Brake, ledger, policy::Policies,
    };

    #[test]
    fn weather_is_on_record_until_it_ends_and_mailed_once() {
        let directory = tempfile::tempdir().unwrap();
        let setup = Setup {
            mode: Mode::Observe,
            policies: Policies::shipped(),
            classifier: Classifier::shipped().unwrap(),
            ledger: ledger::Setup::default(),
            correlate: correlate::Limits::default(),
            brake: Brake::default(),
        };
        let (mut core, _) = Core::open(directory.path(), setup, "relay1").unwrap();
        core.operator = Operator {
            alert: config::Alert {
                to: vec!["noc@example.org".to_owned()],
                from: "postwarden@relay1.example.org".to_owned(),
                ..config::Alert::default()
            },
            host: "relay1".to_owned(),
        };
        let wall = Timestamp::from_seconds(1_790_000_000);
        let mut told = Vec::new();
        for began in [true, false, true] {
            let mut commit = Commit::default();
            let news = Effect::Weather {
                at: wall,
                name: "freemail.example.list".to_owned(),
                text: "freemail.example says unknown recipient to everybody".to_owned(),
                began,
            };
            core.effect(news, wall, &mut commit, &mut Vec::new());
            core.store.commit(&commit).unwrap();
            let gates = core.store.gates(WEATHER).unwrap();
            told.push((gates.len(), gates[0].value["began"].clone()));
        }
        assert_eq!(
            told,
            [(1, true.into()), (1, false.into()), (1, true.into())]
        );
        assert_eq!(core.store.mails_waiting().unwrap(), 1);
    }
}
