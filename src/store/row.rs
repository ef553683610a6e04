//! Between our types and SQLite's columns.

use rusqlite::{Row, types::Type};
use serde::de::DeserializeOwned;

use crate::time::Timestamp;

/// A count as SQLite keeps it.
pub(super) fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as it was kept.
pub(super) fn count(kept: i64) -> u64 {
    u64::try_from(kept).unwrap_or(0)
}

/// A count in a column.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(count)
}

/// A time in a column.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_micros)
}

/// A time in a column that may be NULL.
pub(super) fn maybe_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(Timestamp::from_micros))
}

/// A value kept as JSON.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|source| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(source))
    })
}

/// A value to be kept as JSON.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|source| rusqlite::Error::ToSqlConversionFailure(Box::new(source)))
}

/// A word out of a fixed set, as the column has it.
pub(super) fn word<T: Copy>(
    row: &Row<'_>,
    column: usize,
    all: &[T],
    spell: fn(T) -> &'static str,
) -> rusqlite::Result<T> {
    let found = row.get_ref(column)?.as_str()?;
    all.iter()
        .copied()
        .find(|value| spell(*value) == found)
        .ok_or_else(|| {
            rusqlite::Error::FromSqlConversionFailure(
                column,
                Type::Text,
                format!("unknown word `{found}`").into(),
            )
        })
}
