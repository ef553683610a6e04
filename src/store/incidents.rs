//! Incidents and their timelines.

use rusqlite::{OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Error, Store, row};
use crate::{
    engine::incident::{Incident, State},
    time::Timestamp,
};

/// Which incidents are asked for; the default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this state.
    pub state: Option<State>,
    /// Only of this sender (`sasl:anna`).
    pub sender_id: Option<String>,
    /// Only opened at that time or later.
    pub since: Option<Timestamp>,
    /// The newest so many.
    pub limit: Option<u64>,
}

/// A step in the life of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The decision fell.
    Proposed,
    /// It was carried out: intake convicted, queue swept.
    Applied,
    /// It was looked at: nothing of the sender is outside `hold`.
    Verified,
    /// A person was told.
    Alerted,
    /// Evidence is on disk.
    Evidence,
    /// Digests were published.
    Published,
    /// Digests were withdrawn.
    Retracted,
    /// A person let the mail go.
    Released,
    /// A person confirmed the compromise.
    Confirmed,
    /// A person said it was none.
    FalsePositive,
    /// A person had the mail deleted.
    Purged,
    /// Everything was undone.
    Reverted,
    /// Something could not be done.
    Failed,
    /// A remark.
    Note,
}

impl EventKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Proposed,
        Self::Applied,
        Self::Verified,
        Self::Alerted,
        Self::Evidence,
        Self::Published,
        Self::Retracted,
        Self::Released,
        Self::Confirmed,
        Self::FalsePositive,
        Self::Purged,
        Self::Reverted,
        Self::Failed,
        Self::Note,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Applied => "applied",
            Self::Verified => "verified",
            Self::Alerted => "alerted",
            Self::Evidence => "evidence",
            Self::Published => "published",
            Self::Retracted => "retracted",
            Self::Released => "released",
            Self::Confirmed => "confirmed",
            Self::FalsePositive => "false-positive",
            Self::Purged => "purged",
            Self::Reverted => "reverted",
            Self::Failed => "failed",
            Self::Note => "note",
        }
    }
}

/// One step. Incident, kind and `at` name it: writing it again changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The incident.
    pub incident: u64,
    /// What happened.
    pub kind: EventKind,
    /// Event time: of the log line that decided, or of the act.
    pub at: Timestamp,
    /// What the clock said when it was written down.
    pub wall: Timestamp,
    /// `postwarden`, or the person.
    pub who: String,
    /// The particulars.
    pub detail: Value,
}

impl Store {
    /// Incidents, the newest first.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn incidents(&self, filter: &Filter) -> Result<Vec<Incident>, Error> {
        self.read("list incidents", |db| {
            db.prepare_cached(
                "SELECT record FROM incident
                 WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR sender_id = ?2)
                   AND (?3 IS NULL OR opened >= ?3)
                 ORDER BY number DESC LIMIT ?4",
            )?
            .query_map(
                params![
                    filter.state.map(|state| state.to_string()),
                    filter.sender_id,
                    filter.since.map(Timestamp::micros),
                    filter.limit.map_or(-1, row::int),
                ],
                |row| row::from_json(row, 0),
            )?
            .collect()
        })
    }

    /// One incident.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn incident(&self, number: u64) -> Result<Option<Incident>, Error> {
        self.read("read an incident", |db| {
            db.prepare_cached("SELECT record FROM incident WHERE number = ?1")?
                .query_row(params![row::int(number)], |row| row::from_json(row, 0))
                .optional()
        })
    }

    /// The timeline of an incident, in the order of writing.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn events(&self, incident: u64) -> Result<Vec<Event>, Error> {
        self.read("read a timeline", |db| {
            db.prepare_cached(
                "SELECT incident, kind, at, wall, who, detail FROM event
                 WHERE incident = ?1 ORDER BY number",
            )?
            .query_map(params![row::int(incident)], |row| {
                Ok(Event {
                    incident: row::number(row, 0)?,
                    kind: row::word(row, 1, EventKind::ALL, EventKind::as_str)?,
                    at: row::time(row, 2)?,
                    wall: row::time(row, 3)?,
                    who: row.get(4)?,
                    detail: row::from_json(row, 5)?,
                })
            })?
            .collect()
        })
    }
}

pub(super) fn put(db: &Transaction<'_>, incident: &Incident) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO incident (number, sender_id, state, verdict, mode, opened, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (number) DO UPDATE SET sender_id = excluded.sender_id, state = excluded.state,
            verdict = excluded.verdict, mode = excluded.mode, opened = excluded.opened,
            record = excluded.record",
    )?
    .execute(params![
        row::int(incident.number),
        incident.sender_id.to_string(),
        incident.state.to_string(),
        incident.verdict.to_string(),
        match incident.mode {
            crate::policy::Mode::Observe => "observe",
            crate::policy::Mode::Enforce => "enforce",
        },
        incident.opened.micros(),
        row::to_json(incident)?,
    ])?;
    Ok(())
}

pub(super) fn put_event(db: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO event (incident, kind, at, wall, who, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (incident, kind, at) DO NOTHING",
    )?
    .execute(params![
        row::int(event.incident),
        event.kind.as_str(),
        event.at.micros(),
        event.wall.micros(),
        event.who,
        row::to_json(&event.detail)?,
    ])?;
    Ok(())
}
