//! Opening: directory and file rights, whose database it is, and bringing its schema up to date.

use std::{
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{BUSY, Error, Store};

/// Schema files in order; the first makes version 1 out of an empty file.
const SCHEMA: &[&str] = &[include_str!("schema/1.sql")];

/// `PRAGMA application_id`: "PWdn", so that another program's database is not taken for ours.
const APPLICATION: i64 = 0x5057_646e;

/// Prepared statements that are kept; there are fewer than this.
const STATEMENTS: usize = 96;

impl Store {
    /// Opens the database, makes it (file 0600, directory 0700) where there is none, and brings an older schema up to
    /// date.
    ///
    /// # Errors
    /// Every variant but `Missing` and `Older`; the file is left as it was.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Open {
            path: path.to_owned(),
            source,
        };
        prepare_file(path).map_err(failed)?;
        let mut store = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let found = store.schema()?;
        tighten(path).map_err(failed)?;
        store.settle()?;
        if found < known() {
            store.migrate()?;
        }
        Ok(store)
    }

    /// Opens the database to look at it; whatever is tried, nothing is written.
    ///
    /// # Errors
    /// Every variant; `Missing` where there is none.
    pub fn open_read_only(path: &Path) -> Result<Self, Error> {
        if !path.exists() {
            return Err(Error::Missing {
                path: path.to_owned(),
            });
        }
        let store = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let found = store.schema()?;
        if found < known() {
            return Err(Error::Older {
                path: path.to_owned(),
                found,
                known: known(),
            });
        }
        Ok(store)
    }

    /// The schema's version, 0 for an empty file.
    fn schema(&self) -> Result<i64, Error> {
        let (application, version, tables) = self.read("read the schema", |db| {
            let application: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
            let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            let tables: i64 =
                db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            Ok((application, version, tables))
        })?;
        let empty = application == 0 && version == 0 && tables == 0;
        if !empty && application != APPLICATION {
            return Err(Error::Foreign {
                path: self.path.clone(),
            });
        }
        if version > known() {
            return Err(Error::Newer {
                path: self.path.clone(),
                found: version,
                known: known(),
            });
        }
        Ok(version)
    }

    /// How this connection writes; only after it is known whose file this is.
    fn settle(&self) -> Result<(), Error> {
        self.read("set up", |db| {
            db.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            db.execute_batch(
                "PRAGMA synchronous = NORMAL;
                 PRAGMA foreign_keys = ON;
                 PRAGMA temp_store = MEMORY;
                 PRAGMA cache_size = -16384;",
            )?;
            // What was forgotten shall be gone where that costs no extra I/O; a large commit shall not leave a large log.
            db.query_row("PRAGMA secure_delete = FAST", [], |_| Ok(()))?;
            db.query_row("PRAGMA journal_size_limit = 67108864", [], |_| Ok(()))
        })
    }

    /// Runs the missing schema files, all in one transaction; two processes that start together do it once.
    fn migrate(&mut self) -> Result<(), Error> {
        let path = &self.path;
        let failed = |source| Error::from_sqlite(path, "bring the schema up to date", source);
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Exclusive)
            .map_err(failed)?;
        let found: i64 = transaction
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .map_err(failed)?;
        let done = usize::try_from(found).unwrap_or(0);
        for schema in SCHEMA.iter().skip(done) {
            transaction.execute_batch(schema).map_err(failed)?;
        }
        transaction
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {};",
                known()
            ))
            .map_err(failed)?;
        transaction.commit().map_err(failed)
    }
}

/// The newest schema we know.
fn known() -> i64 {
    i64::try_from(SCHEMA.len()).unwrap_or(i64::MAX)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Store, Error> {
    let failed = |source| Error::from_sqlite(path, "open", source);
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(BUSY).map_err(failed)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(Store {
        db,
        path: path.to_owned(),
    })
}

/// Makes directory and file so that nobody else can read them; SQLite gives its side files the rights of the main one.
fn prepare_file(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

/// Takes from others what rights they have on a file of ours.
fn tighten(path: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}
