//! The daemon's own report, and small facts that must survive it.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::Value;

use super::{Error, Store, row};
use crate::time::Timestamp;

/// What the daemon last said of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// When.
    pub heartbeat: Timestamp,
    /// The report.
    pub record: Value,
}

/// A fact of the whole daemon (`brake`, `unprotected-since`), replaced as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Since when.
    pub changed: Timestamp,
}

impl Store {
    /// Says how the daemon is at `at`.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn report(&mut self, at: Timestamp, record: &Value) -> Result<(), Error> {
        self.write("report", |db| {
            db.prepare_cached(
                "INSERT INTO status (number, heartbeat, record) VALUES (1, ?1, ?2)
                 ON CONFLICT (number) DO UPDATE SET heartbeat = excluded.heartbeat, record = excluded.record",
            )?
            .execute(params![at.micros(), row::to_json(record)?])?;
            Ok(())
        })
    }

    /// What the daemon last said of itself; `None` when it never ran.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn status(&self) -> Result<Option<Status>, Error> {
        self.read("read the status", |db| {
            db.prepare_cached("SELECT heartbeat, record FROM status")?
                .query_row([], |row| {
                    Ok(Status {
                        heartbeat: row::time(row, 0)?,
                        record: row::from_json(row, 1)?,
                    })
                })
                .optional()
        })
    }

    /// One fact.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn gate(&self, name: &str) -> Result<Option<Gate>, Error> {
        self.read("read a gate", |db| {
            db.prepare_cached("SELECT name, value, changed FROM gate WHERE name = ?1")?
                .query_row(params![name], |row| {
                    Ok(Gate {
                        name: row.get(0)?,
                        value: row::from_json(row, 1)?,
                        changed: row::time(row, 2)?,
                    })
                })
                .optional()
        })
    }

    /// The facts whose names begin with `prefix`, by name.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn gates(&self, prefix: &str) -> Result<Vec<Gate>, Error> {
        self.read("read gates", |db| {
            db.prepare_cached(
                "SELECT name, value, changed FROM gate
                 WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name",
            )?
            .query_map(params![prefix], |row| {
                Ok(Gate {
                    name: row.get(0)?,
                    value: row::from_json(row, 1)?,
                    changed: row::time(row, 2)?,
                })
            })?
            .collect()
        })
    }
}

pub(super) fn put_gate(db: &Transaction<'_>, gate: &Gate) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO gate (name, value, changed) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed = excluded.changed",
    )?
    .execute(params![
        gate.name,
        row::to_json(&gate.value)?,
        gate.changed.micros()
    ])?;
    Ok(())
}
