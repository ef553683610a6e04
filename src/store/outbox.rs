//! Mail to people: written down before it is sent, kept until it went out or was given up.
//!
//! A mail may go out twice when the process dies between the other side's `250` and our commit; its Message-ID is the
//! same then.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Error, Store, row};
use crate::time::Timestamp;

/// Mail to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMail {
    /// Names it: incident and sequence (`PW-7.1`). The same key again is the same mail.
    pub key: String,
    /// The incident, if it is about one.
    pub incident: Option<u64>,
    /// Envelope sender.
    pub envelope_from: String,
    /// Envelope recipients.
    pub envelope_to: Vec<String>,
    /// The whole message with its header, CRLF line ends.
    pub message: Vec<u8>,
    /// When it was written.
    pub created: Timestamp,
}

/// Mail as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub key: String,
    /// The incident, if it is about one.
    pub incident: Option<u64>,
    /// Envelope sender.
    pub envelope_from: String,
    /// Envelope recipients.
    pub envelope_to: Vec<String>,
    /// The whole message.
    pub message: Vec<u8>,
    /// `due`, `running`, `sent` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u64,
    /// When it was written.
    pub created: Timestamp,
    /// Not before.
    pub next_try: Timestamp,
    /// When it was sent or given up.
    pub ended: Option<Timestamp>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailEnd {
    /// The other side took it.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// Again at that time.
    Retry {
        /// When.
        at: Timestamp,
        /// Why.
        error: String,
    },
    /// Given up.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        error: String,
    },
}

const COLUMNS: &str = "number, key, incident, envelope_from, envelope_to, message, state, attempts, \
                       created, next_try, ended, last_error";

impl Store {
    /// Takes the mail that has waited longest of those due at `now`, and marks it as running.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn claim_mail(&mut self, now: Timestamp) -> Result<Option<Mail>, Error> {
        self.read("claim a mail", |db| {
            // Asked first, so that looking in vain takes no write lock.
            let due = db
                .prepare_cached(
                    "SELECT 1 FROM outbox WHERE state = 'due' AND next_try <= ?1 LIMIT 1",
                )?
                .exists(params![now.micros()])?;
            if !due {
                return Ok(None);
            }
            db.prepare_cached(&format!(
                "UPDATE outbox SET state = 'running', attempts = attempts + 1
                 WHERE number = (SELECT number FROM outbox WHERE state = 'due' AND next_try <= ?1
                                 ORDER BY next_try, number LIMIT 1)
                 RETURNING {COLUMNS}"
            ))?
            .query_row(params![now.micros()], read_mail)
            .optional()
        })
    }

    /// When the next mail is due, if there is any.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn next_mail(&self) -> Result<Option<Timestamp>, Error> {
        self.read("look for mail", |db| {
            db.prepare_cached("SELECT min(next_try) FROM outbox WHERE state = 'due'")?
                .query_row([], |row| row::maybe_time(row, 0))
        })
    }

    /// How many mails have not gone out yet.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn mails_waiting(&self) -> Result<u64, Error> {
        self.read("count mail", |db| {
            db.prepare_cached("SELECT count(*) FROM outbox WHERE state IN ('due', 'running')")?
                .query_row([], |row| row::number(row, 0))
        })
    }

    /// All mail about an incident, in the order of writing.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn mails(&self, incident: u64) -> Result<Vec<Mail>, Error> {
        self.read("list mail", |db| {
            db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM outbox WHERE incident = ?1 ORDER BY number"
            ))?
            .query_map(params![row::int(incident)], read_mail)?
            .collect()
        })
    }
}

fn read_mail(row: &Row<'_>) -> rusqlite::Result<Mail> {
    Ok(Mail {
        number: row.get(0)?,
        key: row.get(1)?,
        incident: row.get::<_, Option<i64>>(2)?.map(row::count),
        envelope_from: row.get(3)?,
        envelope_to: row::from_json(row, 4)?,
        message: row.get(5)?,
        state: row.get(6)?,
        attempts: row::number(row, 7)?,
        created: row::time(row, 8)?,
        next_try: row::time(row, 9)?,
        ended: row::maybe_time(row, 10)?,
        last_error: row.get(11)?,
    })
}

pub(super) fn put(db: &Transaction<'_>, mail: &NewMail) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO outbox (key, incident, envelope_from, envelope_to, message, state, created, next_try)
         VALUES (?1, ?2, ?3, ?4, ?5, 'due', ?6, ?6)
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute(params![
        mail.key,
        mail.incident.map(row::int),
        mail.envelope_from,
        row::to_json(&mail.envelope_to)?,
        mail.message,
        mail.created.micros(),
    ])?;
    Ok(())
}

pub(super) fn end(db: &Transaction<'_>, (number, end): &(i64, MailEnd)) -> rusqlite::Result<()> {
    let (state, next, ended, error) = match end {
        MailEnd::Sent { at } => ("sent", None, Some(at.micros()), None),
        MailEnd::Retry { at, error } => ("due", Some(at.micros()), None, Some(error)),
        MailEnd::Failed { at, error } => ("failed", None, Some(at.micros()), Some(error)),
    };
    db.prepare_cached(
        "UPDATE outbox SET state = ?2, next_try = coalesce(?3, next_try), ended = ?4, last_error = ?5
         WHERE number = ?1 AND state <> 'sent'",
    )?
    .execute(params![number, state, next, ended, error])?;
    Ok(())
}
