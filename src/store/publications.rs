//! Sets of digests and their life on the MXes. Of one name, one publication is active at a time.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::{Error, Store, row};
use crate::time::Timestamp;

/// A set to publish. Where one of that name is active, its digests are added to that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPublication {
    /// `PW-7` for an incident, else as the person named it.
    pub name: String,
    /// The incident, if it comes from one.
    pub incident: Option<u64>,
    /// When.
    pub created: Timestamp,
    /// `postwarden`, or the person.
    pub created_by: String,
    /// Digest (`pyzor:<hex>`) and how many samples have it.
    pub digests: Vec<(String, u64)>,
}

/// A withdrawal, by name; withdrawing what is not active changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retraction {
    /// Name of the publication.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

/// A publication as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Publication {
    /// Its number.
    pub number: u64,
    /// Its name.
    pub name: String,
    /// The incident, if it comes from one.
    pub incident: Option<u64>,
    /// When.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When it was withdrawn.
    pub retracted: Option<Timestamp>,
    /// By whom.
    pub retracted_by: Option<String>,
    /// How many digests it has.
    pub digests: u64,
}

/// A digest that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveDigest {
    /// The digest.
    pub digest: String,
    /// How many samples had it.
    pub samples: u64,
    /// The publication's number.
    pub publication: u64,
    /// The publication's name.
    pub name: String,
    /// The incident, if it comes from one.
    pub incident: Option<u64>,
}

impl Store {
    /// Every publication, the newest first.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn publications(&self) -> Result<Vec<Publication>, Error> {
        self.read("list publications", |db| {
            db.prepare_cached(&format!("{SELECT} ORDER BY number DESC"))?
                .query_map([], read_publication)?
                .collect()
        })
    }

    /// The publication of that name that is active.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn publication(&self, name: &str) -> Result<Option<Publication>, Error> {
        self.read("read a publication", |db| {
            db.prepare_cached(&format!("{SELECT} WHERE name = ?1 AND retracted IS NULL"))?
                .query_row(params![name], read_publication)
                .optional()
        })
    }

    /// Every digest of an active publication, the oldest publication first.
    ///
    /// # Errors
    /// As SQLite has them.
    pub fn active_digests(&self) -> Result<Vec<ActiveDigest>, Error> {
        self.read("list digests", |db| {
            db.prepare_cached(
                "SELECT d.digest, d.samples, p.number, p.name, p.incident
                 FROM publication p JOIN digest d ON d.publication = p.number
                 WHERE p.retracted IS NULL ORDER BY p.number, d.digest",
            )?
            .query_map([], |row| {
                Ok(ActiveDigest {
                    digest: row.get(0)?,
                    samples: row::number(row, 1)?,
                    publication: row::number(row, 2)?,
                    name: row.get(3)?,
                    incident: row.get::<_, Option<i64>>(4)?.map(row::count),
                })
            })?
            .collect()
        })
    }
}

const SELECT: &str = "SELECT number, name, incident, created, created_by, retracted, retracted_by,
    (SELECT count(*) FROM digest WHERE publication = number) FROM publication";

fn read_publication(row: &Row<'_>) -> rusqlite::Result<Publication> {
    Ok(Publication {
        number: row::number(row, 0)?,
        name: row.get(1)?,
        incident: row.get::<_, Option<i64>>(2)?.map(row::count),
        created: row::time(row, 3)?,
        created_by: row.get(4)?,
        retracted: row::maybe_time(row, 5)?,
        retracted_by: row.get(6)?,
        digests: row::number(row, 7)?,
    })
}

pub(super) fn put(db: &Transaction<'_>, new: &NewPublication) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO publication (name, incident, created, created_by) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) WHERE retracted IS NULL DO NOTHING",
    )?
    .execute(params![
        new.name,
        new.incident.map(row::int),
        new.created.micros(),
        new.created_by,
    ])?;
    let mut put = db.prepare_cached(
        "INSERT INTO digest (publication, digest, samples)
         SELECT number, ?2, ?3 FROM publication WHERE name = ?1 AND retracted IS NULL
         ON CONFLICT (publication, digest) DO UPDATE SET samples = max(samples, excluded.samples)",
    )?;
    for (digest, samples) in &new.digests {
        put.execute(params![new.name, digest, row::int(*samples)])?;
    }
    Ok(())
}

pub(super) fn retract(db: &Transaction<'_>, retraction: &Retraction) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE publication SET retracted = ?2, retracted_by = ?3 WHERE name = ?1 AND retracted IS NULL",
    )?
    .execute(params![
        retraction.name,
        retraction.at.micros(),
        retraction.by
    ])?;
    Ok(())
}
