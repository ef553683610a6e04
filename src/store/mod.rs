//! SQLite: position and state change in one transaction; incidents, outbox, evidence, publications, requests.
//!
//! Promises:
//! - Everything that is written goes through [`Store::commit`] (one transaction: all of a [`Commit`] or nothing), but
//!   for a claim of work, a request of a person and the daemon's status row, which are one statement each.
//! - Writing the same thing again changes nothing: rows are named by what they are (incident number, incident + kind +
//!   event time, incident + host + queue ID, ...). After `kill -9` the daemon restores, reads the log from the committed
//!   cursor, decides again, and doubles nothing.
//! - A file that is not ours, newer than this program, or damaged is refused and left as it is.
//!
//! SQLite runs in WAL mode with `synchronous=NORMAL`: a commit survives the death of the process at any instant. After
//! a power cut the last commits may be missing as a whole; the log is then read again from the older cursor.
//!
//! Every thread and every process opens its own [`Store`]; writers wait for one another up to [`BUSY`].
//!
//! Limits: counts above `i64::MAX` are stored as that.

mod commit;
mod error;
mod evidence;
mod held;
mod incidents;
mod jobs;
mod open;
mod outbox;
mod publications;
mod requests;
mod restore;
mod row;
mod status;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::{
    commit::{Commit, Cursor},
    error::Error,
    evidence::EvidenceFile,
    held::{Held, HeldState, Totals},
    incidents::{Event, EventKind, Filter},
    jobs::{Job, JobEnd, JobKind, NewJob},
    outbox::{Mail, MailEnd, NewMail},
    publications::{ActiveDigest, NewPublication, Publication, Retraction},
    requests::{Answer, Request, RequestState},
    restore::{Name, Restored},
    status::{Gate, Status},
};

/// How long a writer waits for another one before it fails with [`Error::Busy`].
pub const BUSY: Duration = Duration::from_secs(5);

/// The database file, open.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    path: PathBuf,
}

impl Store {
    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes whenever another connection has committed: a cheap way to ask whether there may be a new request.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn data_version(&self) -> Result<i64, Error> {
        self.read("data_version", |db| {
            db.query_row("PRAGMA data_version", [], |row| row.get(0))
        })
    }

    /// Reads every page of the file and checks its structure; about a second for each gigabyte.
    ///
    /// # Errors
    /// [`Error::Corrupt`] with SQLite's first finding.
    pub fn check(&self) -> Result<(), Error> {
        let found: String = self.read("check", |db| {
            db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        })?;
        if found == "ok" {
            return Ok(());
        }
        Err(Error::Corrupt {
            path: self.path.clone(),
            detail: found,
        })
    }

    /// From now on this connection's commits leave the write-ahead log as it is: no commit waits for the disk. Somebody
    /// else must call [`Store::checkpoint`], or the log grows for ever.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn leave_checkpoints_to_others(&self) -> Result<(), Error> {
        self.read("set up", |db| {
            db.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))
        })
    }

    /// Moves what is in the write-ahead log into the database, as far as no reader is in the way, and waits for the disk.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn checkpoint(&self) -> Result<(), Error> {
        self.read("checkpoint", |db| {
            db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        })
    }

    /// Size of the database in bytes, without its write-ahead log.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn bytes(&self) -> Result<u64, Error> {
        self.read("bytes", |db| {
            let pages: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let size: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
            Ok(row::count(pages.saturating_mul(size)))
        })
    }

    fn read<T>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        ask(&self.db).map_err(|source| Error::from_sqlite(&self.path, doing, source))
    }

    /// One transaction: all of it, or nothing.
    fn write<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let path = &self.path;
        let failed = |source| Error::from_sqlite(path, doing, source);
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let done = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests;
