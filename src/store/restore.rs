//! Reading everything back at a start.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{Cursor, Error, Filter, Store, row};
use crate::{
    engine::{Checkpoint, incident::Incident},
    time::Timestamp,
};

/// What the store knew when the process ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// How far each log had been read.
    pub cursors: Vec<Cursor>,
    /// The whole of the engine's state; no names.
    pub checkpoint: Checkpoint,
    /// Every incident, by number.
    pub incidents: Vec<Incident>,
}

/// The clear name of a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// Key of its ledger entry.
    pub key: Vec<u8>,
    /// `SenderId` as text.
    pub sender_id: String,
    /// When it was last seen, microseconds since the epoch as the engine gave them.
    pub seen: Timestamp,
}

/// Clear names are kept this long after the sender was last seen.
const NAMES: Duration = Duration::from_secs(48 * 3600);
/// Answered requests and mail that ended are kept this long.
const ENDED: Duration = Duration::from_secs(14 * 24 * 3600);

impl Store {
    /// Work that was under way when the last daemon died is due again.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn resume_work(&mut self) -> Result<(), Error> {
        self.write("resume work", |db| {
            db.execute("UPDATE job SET state = 'due' WHERE state = 'running'", [])?;
            db.execute(
                "UPDATE outbox SET state = 'due' WHERE state = 'running'",
                [],
            )
        })
        .map(drop)
    }

    /// Everything that a daemon needs to go on where the last one was stopped.
    ///
    /// # Errors
    /// As SQLite has them; [`Error::Corrupt`] when a record cannot be read.
    pub fn restore(&self) -> Result<Restored, Error> {
        let cursors = self.cursors()?;
        let checkpoint = self.read("restore", |db| {
            Ok(Checkpoint {
                senders: db
                    .prepare("SELECT key, state FROM sender ORDER BY key")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<Result<_, _>>()?,
                messages: db
                    .prepare("SELECT number, state FROM message ORDER BY number")?
                    .query_map([], |row| {
                        Ok((row.get::<_, i64>(0)?.cast_unsigned(), Some(row.get(1)?)))
                    })?
                    .collect::<Result<_, _>>()?,
                parts: db
                    .prepare("SELECT name, state FROM part ORDER BY name")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<Result<_, _>>()?,
                names: Vec::new(),
            })
        })?;
        let mut incidents = self.incidents(&Filter::default())?;
        incidents.reverse();
        Ok(Restored {
            cursors,
            checkpoint,
            incidents,
        })
    }

    /// How far each log was read.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn cursors(&self) -> Result<Vec<Cursor>, Error> {
        self.read("read the cursors", |db| {
            db.prepare_cached("SELECT source, position FROM cursor ORDER BY source")?
                .query_map([], |row| {
                    Ok(Cursor {
                        source: row.get(0)?,
                        position: row.get(1)?,
                    })
                })?
                .collect()
        })
    }

    /// The state of one sender's ledger entry.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn sender(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.read("read a sender", |db| {
            db.prepare_cached("SELECT state FROM sender WHERE key = ?1")?
                .query_row(params![key], |row| row.get(0))
                .optional()
        })
    }

    /// Clear names, the most recently seen first.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn names(&self, limit: u64) -> Result<Vec<Name>, Error> {
        self.read("read the names", |db| {
            db.prepare_cached("SELECT key, sender_id, seen FROM name ORDER BY seen DESC LIMIT ?1")?
                .query_map(params![row::int(limit)], |row| {
                    Ok(Name {
                        key: row.get(0)?,
                        sender_id: row.get(1)?,
                        seen: row::time(row, 2)?,
                    })
                })?
                .collect()
        })
    }

    /// Forgets what has had its time at `now`: clear names after 48 hours, answered requests and ended mail after 14
    /// days. Returns how many rows went. To be called now and then.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn forget(&mut self, now: Timestamp) -> Result<u64, Error> {
        self.write("forget", |db| {
            let names = db.execute(
                "DELETE FROM name WHERE seen < ?1",
                params![(now - NAMES).micros()],
            )?;
            let ended = (now - ENDED).micros();
            let requests = db.execute(
                "DELETE FROM request WHERE state <> 'new' AND ended < ?1",
                params![ended],
            )?;
            let mails = db.execute(
                "DELETE FROM outbox WHERE state IN ('sent', 'failed') AND ended < ?1",
                params![ended],
            )?;
            Ok(u64::try_from(names + requests + mails).unwrap_or(u64::MAX))
        })
    }
}
