//! The one way to write: everything that belongs together, in one transaction.

use rusqlite::{Transaction, params};

use super::{
    Answer, Error, Event, EvidenceFile, Gate, Held, JobEnd, MailEnd, NewJob, NewMail,
    NewPublication, Retraction, Store, evidence, held, incidents, jobs, outbox, publications,
    requests, status,
};
use crate::engine::{Checkpoint, incident::Incident};

/// How far one source was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Name of the source (a path, `journal`).
    pub source: String,
    /// Whatever the source needs to go on from there.
    pub position: Vec<u8>,
}

/// Everything that is written at once. Parts are written in the order of the fields, so a job may name an incident of
/// the same commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// How far the logs were read.
    pub cursors: Vec<Cursor>,
    /// What of the engine's state changed.
    pub checkpoint: Checkpoint,
    /// Incidents opened or changed; each replaces the record of its number.
    pub incidents: Vec<Incident>,
    /// Steps of incidents; one that is there already stays as it was.
    pub events: Vec<Event>,
    /// Work to do; work that is there already stays as it is.
    pub jobs: Vec<NewJob>,
    /// Work that came to an end, or is to be tried again.
    pub ended_jobs: Vec<(i64, JobEnd)>,
    /// What became of messages.
    pub held: Vec<Held>,
    /// Mail to people; a key that is there already stays as it was.
    pub mails: Vec<NewMail>,
    /// Mail that went out, failed, or is to be tried again.
    pub ended_mails: Vec<(i64, MailEnd)>,
    /// Files of evidence.
    pub evidence: Vec<EvidenceFile>,
    /// Digests to publish.
    pub publications: Vec<NewPublication>,
    /// Publications to withdraw.
    pub retractions: Vec<Retraction>,
    /// Answers to requests of people.
    pub answers: Vec<Answer>,
    /// Facts of the whole daemon.
    pub gates: Vec<Gate>,
}

impl Store {
    /// Writes all of it, or, on an error, nothing. Streams: memory does not grow with the size of the commit.
    ///
    /// # Errors
    /// As SQLite has them; [`Error::Busy`] may be tried again.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), Error> {
        self.write("commit", |db| {
            for cursor in &commit.cursors {
                put_cursor(db, cursor)?;
            }
            put_checkpoint(db, &commit.checkpoint)?;
            each(db, &commit.incidents, incidents::put)?;
            each(db, &commit.events, incidents::put_event)?;
            each(db, &commit.jobs, jobs::put)?;
            each(db, &commit.ended_jobs, jobs::end)?;
            each(db, &commit.held, held::put)?;
            each(db, &commit.mails, outbox::put)?;
            each(db, &commit.ended_mails, outbox::end)?;
            each(db, &commit.evidence, evidence::put)?;
            each(db, &commit.publications, publications::put)?;
            each(db, &commit.retractions, publications::retract)?;
            each(db, &commit.answers, requests::answer)?;
            each(db, &commit.gates, status::put_gate)
        })
    }
}

fn each<T>(
    db: &Transaction<'_>,
    items: &[T],
    put: fn(&Transaction<'_>, &T) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    items.iter().try_for_each(|item| put(db, item))
}

fn put_cursor(db: &Transaction<'_>, cursor: &Cursor) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO cursor (source, position) VALUES (?1, ?2)
         ON CONFLICT (source) DO UPDATE SET position = excluded.position",
    )?
    .execute(params![cursor.source, cursor.position])?;
    Ok(())
}

fn put_checkpoint(db: &Transaction<'_>, checkpoint: &Checkpoint) -> rusqlite::Result<()> {
    let mut put = db.prepare_cached(
        "INSERT INTO sender (key, state) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET state = excluded.state",
    )?;
    for (key, state) in &checkpoint.senders {
        put.execute(params![key, state])?;
    }
    let mut put = db.prepare_cached(
        "INSERT INTO message (number, state) VALUES (?1, ?2)
         ON CONFLICT (number) DO UPDATE SET state = excluded.state",
    )?;
    let mut drop = db.prepare_cached("DELETE FROM message WHERE number = ?1")?;
    for (number, state) in &checkpoint.messages {
        // Not a count but a name: all 64 bits are kept.
        let number = number.cast_signed();
        match state {
            Some(state) => put.execute(params![number, state])?,
            None => drop.execute(params![number])?,
        };
    }
    let mut put = db.prepare_cached(
        "INSERT INTO part (name, state) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET state = excluded.state",
    )?;
    for (name, state) in &checkpoint.parts {
        put.execute(params![name, state])?;
    }
    let mut put = db.prepare_cached(
        "INSERT INTO name (key, sender_id, seen) VALUES (?1, ?2, ?3)
         ON CONFLICT (key) DO UPDATE SET sender_id = excluded.sender_id, seen = excluded.seen",
    )?;
    for (key, sender_id, seen) in &checkpoint.names {
        put.execute(params![key, sender_id, seen])?;
    }
    Ok(())
}
