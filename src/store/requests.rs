//! What people ask the daemon to do. The command line writes a request and waits for its answer; the daemon carries it
//! out and writes the answer in one transaction with its effects.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::Value;

use super::{Error, Store, row};
use crate::time::Timestamp;

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// Not seen to yet.
    New,
    /// Done.
    Done,
    /// Refused, or it could not be done.
    Failed,
}

impl RequestState {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::New, Self::Done, Self::Failed];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// A request as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Request {
    /// Its number, never used twice.
    pub number: i64,
    /// The verb (`hold`, `release`, ...).
    pub verb: String,
    /// Its arguments.
    pub arguments: Value,
    /// Who asks.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// Where it stands.
    pub state: RequestState,
    /// The answer, once there is one.
    pub result: Option<Value>,
    /// When it was answered.
    pub ended: Option<Timestamp>,
}

/// The answer to a request; the first one counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The request's number.
    pub request: i64,
    /// `Done` or `Failed`.
    pub state: RequestState,
    /// What to tell the person.
    pub result: Value,
    /// When.
    pub at: Timestamp,
}

const COLUMNS: &str = "number, verb, arguments, who, at, state, result, ended";

impl Store {
    /// Asks the daemon for something; returns the request's number.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn submit(
        &mut self,
        verb: &str,
        arguments: &Value,
        who: &str,
        at: Timestamp,
    ) -> Result<i64, Error> {
        self.write("submit a request", |db| {
            db.prepare_cached(
                "INSERT INTO request (verb, arguments, who, at, state) VALUES (?1, ?2, ?3, ?4, 'new')",
            )?
            .insert(params![verb, row::to_json(arguments)?, who, at.micros()])
        })
    }

    /// Requests that were not seen to yet, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn new_requests(&self, limit: u64) -> Result<Vec<Request>, Error> {
        self.read("look for requests", |db| {
            db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM request WHERE state = 'new' ORDER BY number LIMIT ?1"
            ))?
            .query_map(params![row::int(limit)], read_request)?
            .collect()
        })
    }

    /// One request.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn request(&self, number: i64) -> Result<Option<Request>, Error> {
        self.read("read a request", |db| {
            db.prepare_cached(&format!("SELECT {COLUMNS} FROM request WHERE number = ?1"))?
                .query_row(params![number], read_request)
                .optional()
        })
    }

    /// Takes back a request that was not seen to; false when it was.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn withdraw(&mut self, number: i64) -> Result<bool, Error> {
        self.write("withdraw a request", |db| {
            let gone = db
                .prepare_cached("DELETE FROM request WHERE number = ?1 AND state = 'new'")?
                .execute(params![number])?;
            Ok(gone == 1)
        })
    }
}

fn read_request(row: &Row<'_>) -> rusqlite::Result<Request> {
    let answered = !matches!(row.get_ref(6)?, rusqlite::types::ValueRef::Null);
    Ok(Request {
        number: row.get(0)?,
        verb: row.get(1)?,
        arguments: row::from_json(row, 2)?,
        who: row.get(3)?,
        at: row::time(row, 4)?,
        state: row::word(row, 5, RequestState::ALL, RequestState::as_str)?,
        result: if answered {
            Some(row::from_json(row, 6)?)
        } else {
            None
        },
        ended: row::maybe_time(row, 7)?,
    })
}

pub(super) fn answer(db: &Transaction<'_>, answer: &Answer) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE request SET state = ?2, result = ?3, ended = ?4 WHERE number = ?1 AND state = 'new'",
    )?
    .execute(params![
        answer.request,
        answer.state.as_str(),
        row::to_json(&answer.result)?,
        answer.at.micros(),
    ])?;
    Ok(())
}
