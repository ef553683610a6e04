//! What became of each message of an incident.
//!
//! | state | holds |
//! |---|---|
//! | `held` | lies in `hold`, with recipients left |
//! | `husk` | lies in `hold`, but every recipient was served: it was in a delivery agent's hands when the hold came |
//! | `gone` | left the queue before it could be held |
//! | `released` | let go again |
//! | `purged` | deleted from `hold` by a person |
//!
//! `gone`, `released` and `purged` are final, but for a message that is found in `hold` once more. A short queue ID that
//! is used again within one incident is one row.

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Error, Store, row};
use crate::time::Timestamp;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeldState {
    /// On hold.
    Held,
    /// On hold without recipients.
    Husk,
    /// Left before the hold.
    Gone,
    /// Let go.
    Released,
    /// Deleted.
    Purged,
}

impl HeldState {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Held,
        Self::Husk,
        Self::Gone,
        Self::Released,
        Self::Purged,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Husk => "husk",
            Self::Gone => "gone",
            Self::Released => "released",
            Self::Purged => "purged",
        }
    }
}

/// One message of an incident. Incident, host and queue ID name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The incident.
    pub incident: u64,
    /// The relay whose queue it lies in.
    pub host: String,
    /// Its queue ID.
    pub queue_id: String,
    /// When it arrived; the epoch where unknown (a later report with a time fills it in).
    pub arrival: Timestamp,
    /// Recipients left when it was held; 0 where unknown (a later report fills it in).
    pub recipients: u64,
    /// Size of its content; 0 where unknown (a later report fills it in).
    pub bytes: u64,
    /// Where it stands.
    pub state: HeldState,
    /// Since when.
    pub changed: Timestamp,
}

/// Messages of an incident in one state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Messages.
    pub messages: u64,
    /// Their recipients.
    pub recipients: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Store {
    /// Messages of an incident, by host and queue ID; all states, or one.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn held(&self, incident: u64, state: Option<HeldState>) -> Result<Vec<Held>, Error> {
        self.read("list held messages", |db| {
            db.prepare_cached(
                "SELECT incident, host, queue_id, arrival, recipients, bytes, state, changed FROM held
                 WHERE incident = ?1 AND (?2 IS NULL OR state = ?2) ORDER BY host, queue_id",
            )?
            .query_map(
                params![row::int(incident), state.map(HeldState::as_str)],
                |row| {
                    Ok(Held {
                        incident: row::number(row, 0)?,
                        host: row.get(1)?,
                        queue_id: row.get(2)?,
                        arrival: row::time(row, 3)?,
                        recipients: row::number(row, 4)?,
                        bytes: row::number(row, 5)?,
                        state: row::word(row, 6, HeldState::ALL, HeldState::as_str)?,
                        changed: row::time(row, 7)?,
                    })
                },
            )?
            .collect()
        })
    }

    /// How many messages of an incident are in a state.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn totals(&self, incident: u64, state: HeldState) -> Result<Totals, Error> {
        self.read("count held messages", |db| {
            db.prepare_cached(
                "SELECT count(*), coalesce(sum(recipients), 0), coalesce(sum(bytes), 0) FROM held
                 WHERE incident = ?1 AND state = ?2",
            )?
            .query_row(params![row::int(incident), state.as_str()], |row| {
                Ok(Totals {
                    messages: row::number(row, 0)?,
                    recipients: row::number(row, 1)?,
                    bytes: row::number(row, 2)?,
                })
            })
        })
    }
}

pub(super) fn put(db: &Transaction<'_>, held: &Held) -> rusqlite::Result<()> {
    // The time of a state is the time of its beginning: the same state again does not move it.
    db.prepare_cached(
        "INSERT INTO held (incident, host, queue_id, arrival, recipients, bytes, state, changed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (incident, host, queue_id) DO UPDATE SET
            arrival = CASE WHEN excluded.arrival <> 0 THEN excluded.arrival ELSE arrival END,
            recipients = CASE WHEN excluded.recipients <> 0 THEN excluded.recipients ELSE recipients END,
            bytes = CASE WHEN excluded.bytes <> 0 THEN excluded.bytes ELSE bytes END,
            state = excluded.state,
            changed = CASE WHEN state = excluded.state THEN changed ELSE excluded.changed END
         WHERE held.state IN ('held', 'husk') OR excluded.state IN ('held', 'husk')",
    )?
    .execute(params![
        row::int(held.incident),
        held.host,
        held.queue_id,
        held.arrival.micros(),
        row::int(held.recipients),
        row::int(held.bytes),
        held.state.as_str(),
        held.changed.micros(),
    ])?;
    Ok(())
}
