//! Several followed logs, each with its turn, and how each of them does.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::tail::{Batch, Counters, Cursor, Tail};
use crate::time::Timestamp;

/// Bytes a log may give in one turn: a burst in one does not keep the others waiting.
const TURN: usize = 1 << 18;

/// How a log does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The file.
    pub path: PathBuf,
    /// Bytes that are there and not read yet.
    pub lag_bytes: u64,
    /// For how long it has given no line. Silence while the queue moves is an alarm.
    pub silent: Duration,
    /// Rotations, truncations, losses.
    pub counters: Counters,
    /// Reads that failed.
    pub errors: u64,
}

/// The logs.
#[derive(Debug)]
pub struct Logs {
    logs: Vec<Log>,
}

#[derive(Debug)]
struct Log {
    tail: Tail,
    heard: Timestamp,
    errors: u64,
    failing: bool,
}

impl Logs {
    /// Follows these files from their cursors ([`Tail::new`]). `now` is when silence begins to count.
    #[must_use]
    pub fn new(files: &[(PathBuf, Option<Cursor>)], from_start: bool, now: Timestamp) -> Self {
        let logs = files
            .iter()
            .map(|(path, cursor)| Log {
                tail: Tail::new(path, *cursor, from_start),
                heard: now,
                errors: 0,
                failing: false,
            })
            .collect();
        Self { logs }
    }

    /// Gives each log one turn; `take` gets the number of the log (as in `files`) and its lines, or why it cannot be read.
    /// True when any log had lines.
    pub fn turn(
        &mut self,
        now: Timestamp,
        take: &mut dyn FnMut(usize, io::Result<Batch<'_>>),
    ) -> bool {
        let mut any = false;
        for (number, log) in self.logs.iter_mut().enumerate() {
            let batch = log.tail.read_batch(TURN);
            log.failing = batch.is_err();
            match batch {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => {
                    any = true;
                    log.heard = now;
                    take(number, Ok(batch));
                }
                Err(error) => {
                    log.errors += 1;
                    take(number, Err(error));
                }
            }
        }
        any
    }

    /// Where each log stands, to be stored with what its lines made.
    pub fn cursors(&self) -> impl Iterator<Item = (&Path, Cursor)> {
        self.logs
            .iter()
            .map(|log| (log.tail.path(), log.tail.cursor()))
    }

    /// Which logs could not be read in the last turn.
    pub fn failing(&self) -> impl Iterator<Item = bool> {
        self.logs.iter().map(|log| log.failing)
    }

    /// How each log does.
    #[must_use]
    pub fn reports(&self, now: Timestamp) -> Vec<Report> {
        self.logs
            .iter()
            .map(|log| Report {
                path: log.tail.path().to_owned(),
                lag_bytes: log.tail.lag_bytes(),
                silent: now.since(log.heard),
                counters: log.tail.counters(),
                errors: log.errors,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_log_has_its_turn_and_its_silence() {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<_> = ["a.log", "b.log"]
            .map(|name| (directory.path().join(name), None))
            .into();
        let t = Timestamp::from_seconds;
        let mut logs = Logs::new(&files, true, t(0));
        std::fs::write(&files[0].0, "line\n".repeat(100_000)).unwrap();
        std::fs::write(&files[1].0, "one\n").unwrap();
        let mut turns = Vec::new();
        assert!(logs.turn(t(5), &mut |number, batch| {
            turns.push((number, batch.unwrap().lines().count()));
        }));
        assert_eq!(turns[1], (1, 1));
        assert!(turns[0].1 < 100_000);
        let reports = logs.reports(t(65));
        assert!(reports[0].lag_bytes > 0);
        assert_eq!(reports[1].lag_bytes, 0);
        assert_eq!(reports[1].silent, Duration::from_secs(60));
    }

    #[test]
    fn a_log_that_cannot_be_read_says_so_each_time_and_hinders_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let good = directory.path().join("mail.log");
        std::fs::write(&good, "one\n").unwrap();
        let mut logs = Logs::new(
            &[(file.join("no-directory"), None), (good, None)],
            true,
            Timestamp::EPOCH,
        );
        let mut said = Vec::new();
        logs.turn(Timestamp::EPOCH, &mut |number, batch| {
            said.push((number, batch.is_ok()));
        });
        assert_eq!(said, [(0, false), (1, true)]);
        assert_eq!(logs.reports(Timestamp::EPOCH)[0].errors, 1);
    }
}
