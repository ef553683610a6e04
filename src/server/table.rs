//! The lookup tables, by name.

use std::{fmt, str::FromStr};

use crate::engine::view::View;

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A SASL login or an envelope sender → access(5) action.
    Abused,
    /// A published digest → `REJECT`.
    Digest,
    /// A header or body line, as header_checks(5) looks it up.
    Line,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Abused, Self::Digest, Self::Line];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Abused => "abused",
            Self::Digest => "digest",
            Self::Line => "line",
        }
    }

    /// What the table says of a key. Nothing is published of a key that is not UTF-8.
    #[must_use]
    pub fn lookup(self, view: &View, key: &[u8]) -> Option<String> {
        let key = str::from_utf8(key).ok()?;
        match self {
            Self::Abused => view.abused(key),
            Self::Digest => view.digest(key),
            Self::Line => view.line(key),
        }
    }
}

impl FromStr for Table {
    type Err = UnknownTable;

    fn from_str(name: &str) -> Result<Self, UnknownTable> {
        Self::ALL
            .into_iter()
            .find(|table| table.name() == name)
            .ok_or(UnknownTable)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No table has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tables are abused, digest and line")]
pub struct UnknownTable;
