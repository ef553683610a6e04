//! The durable list of work.
//!
//! | state | holds |
//! |---|---|
//! | `due` | waits for its time |
//! | `running` | claimed by a worker; due again after a restart ([`Store::resume_work`]) |
//! | `done` | done |
//! | `failed` | given up |

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::Value;

use super::{Error, Store, row};
use crate::time::Timestamp;

/// What is to be done for an incident, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// Sweep the queue.
    Hold,
    /// Look whether anything of the sender is outside `hold`.
    Verify,
    /// Let the mail go.
    Release,
    /// Tell people.
    Alert,
    /// Keep evidence.
    Evidence,
    /// Publish digests.
    Publish,
    /// Delete what is held.
    Purge,
}

impl JobKind {
    /// All of them, the most urgent first.
    pub const ALL: &'static [Self] = &[
        Self::Hold,
        Self::Verify,
        Self::Release,
        Self::Alert,
        Self::Evidence,
        Self::Publish,
        Self::Purge,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Verify => "verify",
            Self::Release => "release",
            Self::Alert => "alert",
            Self::Evidence => "evidence",
            Self::Publish => "publish",
            Self::Purge => "purge",
        }
    }
}

/// Work to be written down. Incident, kind and generation name it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The incident.
    pub incident: u64,
    /// What to do.
    pub kind: JobKind,
    /// 0 for the first of its kind; a person who asks once more, or a higher verdict, is the next generation.
    pub generation: u64,
    /// What the worker needs to know beyond the incident.
    pub detail: Value,
    /// Not before.
    pub due: Timestamp,
}

/// Work as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// Its number.
    pub number: i64,
    /// The incident.
    pub incident: u64,
    /// What to do.
    pub kind: JobKind,
    /// Which of its kind.
    pub generation: u64,
    /// What the worker needs to know.
    pub detail: Value,
    /// `due`, `running`, `done` or `failed`.
    pub state: String,
    /// How often it was begun.
    pub attempts: u64,
    /// Not before.
    pub due: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// Done.
    Done,
    /// Not done; again at that time.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        error: String,
    },
    /// Given up.
    Failed {
        /// Why.
        error: String,
    },
}

const COLUMNS: &str =
    "number, incident, kind, generation, detail, state, attempts, next_due, last_error";

impl Store {
    /// Takes the most urgent work that is due at `now`, only of `kinds` (empty: of any), and marks it as running.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn claim_job(&mut self, now: Timestamp, kinds: &[JobKind]) -> Result<Option<Job>, Error> {
        let wanted = row::to_json(&kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>())
            .map_err(|source| Error::from_sqlite(&self.path, "claim work", source))?;
        self.read("claim work", |db| {
            // Asked first, so that looking in vain takes no write lock.
            let due = db
                .prepare_cached("SELECT 1 FROM job WHERE state = 'due' AND next_due <= ?1 LIMIT 1")?
                .exists(params![now.micros()])?;
            if !due {
                return Ok(None);
            }
            db.prepare_cached(&format!(
                "UPDATE job SET state = 'running', attempts = attempts + 1
                 WHERE number = (
                    SELECT number FROM job
                    WHERE state = 'due' AND next_due <= ?1
                      AND (json_array_length(?2) = 0 OR kind IN (SELECT value FROM json_each(?2)))
                    ORDER BY rank, next_due, number LIMIT 1)
                 RETURNING {COLUMNS}"
            ))?
            .query_row(params![now.micros(), wanted], read_job)
            .optional()
        })
    }

    /// When the next work is due, if there is any.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn next_job(&self) -> Result<Option<Timestamp>, Error> {
        self.read("look for work", |db| {
            db.prepare_cached("SELECT min(next_due) FROM job WHERE state = 'due'")?
                .query_row([], |row| row::maybe_time(row, 0))
        })
    }

    /// All work of an incident, in the order of writing.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn jobs(&self, incident: u64) -> Result<Vec<Job>, Error> {
        self.read("list work", |db| {
            db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM job WHERE incident = ?1 ORDER BY number"
            ))?
            .query_map(params![row::int(incident)], read_job)?
            .collect()
        })
    }
}

fn read_job(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        number: row.get(0)?,
        incident: row::number(row, 1)?,
        kind: row::word(row, 2, JobKind::ALL, JobKind::as_str)?,
        generation: row::number(row, 3)?,
        detail: row::from_json(row, 4)?,
        state: row.get(5)?,
        attempts: row::number(row, 6)?,
        due: row::time(row, 7)?,
        last_error: row.get(8)?,
    })
}

pub(super) fn put(db: &Transaction<'_>, job: &NewJob) -> rusqlite::Result<()> {
    let rank = JobKind::ALL.iter().position(|kind| *kind == job.kind);
    db.prepare_cached(
        "INSERT INTO job (incident, kind, generation, rank, detail, state, next_due)
         VALUES (?1, ?2, ?3, ?4, ?5, 'due', ?6)
         ON CONFLICT (incident, kind, generation) DO NOTHING",
    )?
    .execute(params![
        row::int(job.incident),
        job.kind.as_str(),
        row::int(job.generation),
        rank.and_then(|rank| i64::try_from(rank).ok()),
        row::to_json(&job.detail)?,
        job.due.micros(),
    ])?;
    Ok(())
}

pub(super) fn end(db: &Transaction<'_>, (number, end): &(i64, JobEnd)) -> rusqlite::Result<()> {
    let (state, due, error) = match end {
        JobEnd::Done => ("done", None, None),
        JobEnd::Retry { at, error } => ("due", Some(at.micros()), Some(error)),
        JobEnd::Failed { error } => ("failed", None, Some(error)),
    };
    db.prepare_cached(
        "UPDATE job SET state = ?2, next_due = coalesce(?3, next_due), last_error = ?4
         WHERE number = ?1 AND state <> 'done'",
    )?
    .execute(params![number, state, due, error])?;
    Ok(())
}
