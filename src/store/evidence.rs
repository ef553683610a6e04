//! Which files of evidence there are; the files themselves lie beside the database.

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};

use super::{Error, Store, row};
use crate::time::Timestamp;

/// One file. Incident and path name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFile {
    /// The incident.
    pub incident: u64,
    /// Path below the incident's directory.
    pub path: String,
    /// The message it is of, if it is of one.
    pub queue_id: Option<String>,
    /// SHA-256 of its content, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// When it was written.
    pub created: Timestamp,
}

impl Store {
    /// The evidence of an incident, by path.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn evidence(&self, incident: u64) -> Result<Vec<EvidenceFile>, Error> {
        self.read("list evidence", |db| {
            db.prepare_cached(
                "SELECT incident, path, queue_id, sha256, bytes, created FROM evidence
                 WHERE incident = ?1 ORDER BY path",
            )?
            .query_map(params![row::int(incident)], |row| {
                Ok(EvidenceFile {
                    incident: row::number(row, 0)?,
                    path: row.get(1)?,
                    queue_id: row.get(2)?,
                    sha256: row.get(3)?,
                    bytes: row::number(row, 4)?,
                    created: row::time(row, 5)?,
                })
            })?
            .collect()
        })
    }
}

pub(super) fn put(db: &Transaction<'_>, file: &EvidenceFile) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO evidence (incident, path, queue_id, sha256, bytes, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (incident, path) DO UPDATE SET queue_id = excluded.queue_id,
            sha256 = excluded.sha256, bytes = excluded.bytes, created = excluded.created",
    )?
    .execute(params![
        row::int(file.incident),
        file.path,
        file.queue_id,
        file.sha256,
        row::int(file.bytes),
        file.created.micros(),
    ])?;
    Ok(())
}
