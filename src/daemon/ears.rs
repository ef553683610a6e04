//! What the daemon listens to: the log files and the journal, each with its reader, and what is wrong with each.
//!
//! A source that fails is tried again and hinders no other; it is said once that it fails, and once that it is well again.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{
    config::{Config, Source},
    daemon::clock,
    postfix::log_record::{Reader, Reading},
    source::{
        journal::{self, Heard, Journal, Position},
        logs::{Logs, Report},
        tail,
        wake::Wake,
    },
    store::Cursor,
    time::Timestamp,
};

/// Name of the journal's cursor, and of the source.
const JOURNAL: &str = "journal";
/// A journalctl that ended is started again after this, and after twice as long each time that it ends at once ...
const PAUSE: Duration = Duration::from_secs(1);
/// ... up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A journalctl that runs for so long is well, even if it has nothing to say.
const WELL: Duration = Duration::from_secs(5);

/// Why a source cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Since when.
    pub(super) since: Timestamp,
    /// What the system said.
    pub(super) text: String,
}

/// See the module's head.
#[derive(Debug)]
pub(super) struct Ears {
    logs: Logs,
    journal: Option<Journal>,
    /// When journalctl was, or is to be, started.
    start: Timestamp,
    pause: Duration,
    /// One for each log file, and the journal's last.
    readers: Vec<Reader>,
    wake: Wake,
    names: Vec<String>,
    troubles: BTreeMap<String, Trouble>,
}

impl Ears {
    pub(super) fn new(config: &Config, cursors: &[Cursor], now: Timestamp) -> Self {
        let files = files(config, cursors);
        let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let readers = (0..=files.len())
            .map(|_| Reader::new(clock::zone(), now))
            .collect();
        Self {
            logs: Logs::new(&files, !cursors.is_empty(), now),
            journal: journal(config, cursors, now),
            start: now,
            pause: PAUSE,
            readers,
            wake: Wake::new(&paths),
            names: paths
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            troubles: BTreeMap::new(),
        }
    }

    /// Gives each line that is there now with its reading; true when there was any.
    pub(super) fn hear(
        &mut self,
        now: Timestamp,
        each: &mut dyn FnMut(&Reading<'_>, &[u8]),
    ) -> bool {
        let Self {
            logs,
            readers,
            troubles,
            names,
            ..
        } = self;
        let heard = logs.turn(now, &mut |number, batch| {
            let (Some(reader), Some(name)) = (readers.get_mut(number), names.get(number)) else {
                return;
            };
            match batch {
                Ok(batch) => batch
                    .lines()
                    .for_each(|line| each(&reader.read(line), line)),
                Err(error) => fails(troubles, name, now, error.to_string()),
            }
        });
        for (name, failing) in names.iter().zip(logs.failing()) {
            if !failing {
                mends(troubles, name);
            }
        }
        self.hear_journal(now, each) || heard
    }

    fn hear_journal(&mut self, now: Timestamp, each: &mut dyn FnMut(&Reading<'_>, &[u8])) -> bool {
        let (Some(journal), Some(reader)) = (&mut self.journal, self.readers.last_mut()) else {
            return false;
        };
        // A clock that was set back makes nobody wait.
        if now < self.start && self.start.since(now) <= LONGEST_PAUSE {
            return false;
        }
        let said = journal.read(Duration::ZERO, &mut |line| each(&reader.read(line), line));
        let ended = match said {
            Ok(Heard::Lines(count)) => {
                self.pause = PAUSE;
                mends(&mut self.troubles, JOURNAL);
                return count > 0;
            }
            Ok(Heard::Nothing) => {
                if now.since(self.start) >= WELL {
                    self.pause = PAUSE;
                    mends(&mut self.troubles, JOURNAL);
                }
                return false;
            }
            Ok(Heard::Ended { status, complaint }) => {
                let status =
                    status.map_or_else(|| "a signal".to_owned(), |n| format!("status {n}"));
                format!("journalctl ended with {status}: {complaint}")
            }
            Err(error) => format!("journalctl cannot be started: {error}"),
        };
        fails(&mut self.troubles, JOURNAL, now, ended);
        self.start = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        false
    }

    /// Starts journalctl anew behind the last line that it gave: it has been seen to go deaf.
    pub(super) fn restart_journal(&mut self, now: Timestamp) {
        if let Some(journal) = &mut self.journal {
            tracing::warn!(
                "the queue moves and the journal is silent: journalctl is started again"
            );
            journal.restart();
            self.start = now;
        }
    }

    /// Waits until a log changes, at most `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        self.wake.wait(longest);
    }

    /// True when changes of the log files wake; else they are looked at again and again.
    pub(super) const fn is_awake(&self) -> bool {
        self.wake.is_awake()
    }

    /// Where each source stands.
    pub(super) fn cursors(&self) -> Vec<Cursor> {
        let files = self.logs.cursors().filter_map(|(path, cursor)| {
            let position = postcard::to_allocvec(&cursor).ok()?;
            Some(Cursor {
                source: path.display().to_string(),
                position,
            })
        });
        let journal = self.journal.as_ref().and_then(Journal::position);
        files
            .chain(journal.map(|position| Cursor {
                source: JOURNAL.to_owned(),
                position: position.to_text().into_bytes(),
            }))
            .collect()
    }

    /// How each log file does.
    pub(super) fn reports(&self, now: Timestamp) -> Vec<Report> {
        self.logs.reports(now)
    }

    /// How often journalctl was started; `None` where the journal is no source.
    pub(super) fn journal_starts(&self) -> Option<u64> {
        self.journal.as_ref().map(Journal::starts)
    }

    /// The sources that cannot be read.
    pub(super) const fn troubles(&self) -> &BTreeMap<String, Trouble> {
        &self.troubles
    }
}

fn fails(troubles: &mut BTreeMap<String, Trouble>, name: &str, now: Timestamp, text: String) {
    match troubles.get_mut(name) {
        Some(trouble) => trouble.text = text,
        None => {
            tracing::error!(
                source = name,
                error = text,
                "the log cannot be read; it is tried again"
            );
            troubles.insert(name.to_owned(), Trouble { since: now, text });
        }
    }
}

fn mends(troubles: &mut BTreeMap<String, Trouble>, name: &str) {
    if troubles.remove(name).is_some() {
        tracing::info!(source = name, "the log can be read again");
    }
}

/// The log files of the configuration, each from where it was left. A first start begins with what is written from now
/// on: what an old log says of last week's thief must not hold anybody today.
fn files(config: &Config, cursors: &[Cursor]) -> Vec<(PathBuf, Option<tail::Cursor>)> {
    let paths = config.sources.iter().filter_map(|source| match source {
        Source::File(path) => Some(path),
        Source::Journal => None,
    });
    paths
        .map(|path| {
            let name = path.display().to_string();
            let saved = cursors.iter().find(|cursor| cursor.source == name);
            (
                path.clone(),
                saved.and_then(|cursor| postcard::from_bytes(&cursor.position).ok()),
            )
        })
        .collect()
}

fn journal(config: &Config, cursors: &[Cursor], now: Timestamp) -> Option<Journal> {
    config.sources.contains(&Source::Journal).then(|| {
        let saved = cursors.iter().find(|cursor| cursor.source == JOURNAL);
        let position = saved.map_or(Position::Since(now), |cursor| {
            Position::parse(&String::from_utf8_lossy(&cursor.position))
        });
        Journal::new(journal::Options::default(), Some(position))
    })
}
