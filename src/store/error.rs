//! What can be wrong with the store, and who must act.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

use crate::telemetry::Fault;

/// Why the store could not do it. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file or its directory could not be made or opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no database yet, and it was only to be read.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A database of another program, or no database at all.
    #[error("{} is not a postwarden database", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Written by a newer postwarden.
    #[error("{} has schema {found}, this program knows up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest we know.
        known: i64,
    },
    /// Written by an older postwarden, and only to be read: the daemon brings it up to date when it starts.
    #[error("{} has the old schema {found}, this program reads {known}", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The one we read.
        known: i64,
    },
    /// The file is damaged.
    #[error("{} is damaged: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Another process kept the database locked for longer than [`super::BUSY`].
    #[error("database is locked by another process ({doing})")]
    Busy {
        /// What was to be done.
        doing: &'static str,
    },
    /// Disk full, read-only, I/O error, or a statement that is wrong.
    #[error("cannot {doing} in the database")]
    Sqlite {
        /// What was to be done.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

impl Error {
    /// Who must act.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Missing { .. }
            | Self::Foreign { .. }
            | Self::Newer { .. }
            | Self::Older { .. } => Fault::Operator,
            Self::Open { .. } | Self::Corrupt { .. } | Self::Busy { .. } => Fault::Environment,
            Self::Sqlite { source, .. } => match source.sqlite_error_code() {
                Some(
                    ErrorCode::ConstraintViolation
                    | ErrorCode::ApiMisuse
                    | ErrorCode::TypeMismatch
                    | ErrorCode::ParameterOutOfRange
                    | ErrorCode::Unknown,
                )
                | None => Fault::Bug,
                Some(_) => Fault::Environment,
            },
        }
    }

    /// Exit status of a command that ends with this (sysexits(3)).
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Foreign { .. } | Self::Corrupt { .. } => 65,
            Self::Newer { .. } | Self::Older { .. } => 78,
            Self::Open { .. } | Self::Missing { .. } => 69,
            Self::Busy { .. } | Self::Sqlite { .. } => 75,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open { .. } => {
                Some("the directory must belong to the user that postwarden runs as")
            }
            Self::Missing { .. } => {
                Some("start the daemon once (postwarden run), or set [state] directory")
            }
            Self::Foreign { .. } => {
                Some("set [state] directory to a directory of postwarden's own")
            }
            Self::Newer { .. } => {
                Some("install the newer postwarden again, or restore the database of this one")
            }
            Self::Older { .. } => Some("restart the daemon; it brings the database up to date"),
            Self::Corrupt { .. } => {
                Some("move the file away and keep it; postwarden starts anew, held mail stays held")
            }
            Self::Busy { .. } => {
                Some("another process holds a long transaction; see who has the file open")
            }
            Self::Sqlite { .. } => None,
        }
    }

    pub(super) fn from_sqlite(path: &Path, doing: &'static str, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign {
                path: path.to_owned(),
            },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                path: path.to_owned(),
                detail: source.to_string(),
            },
            Some(ErrorCode::CannotOpen) => Self::Open {
                path: path.to_owned(),
                source: io::Error::other(source),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { doing },
            _ => match source {
                rusqlite::Error::FromSqlConversionFailure(column, _, cause) => Self::Corrupt {
                    path: path.to_owned(),
                    detail: format!("column {column} cannot be read ({doing}): {cause}"),
                },
                source => Self::Sqlite { doing, source },
            },
        }
    }
}
