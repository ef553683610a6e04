//! Filling the profiles from old logs, before the first day: what is normal for each sender is known when it counts.
//!
//! Old logs are judged as they are read, with a hold ending after [`REVIEW`] as if the account had been cleaned, so that
//! a thief of last month is not taken for its owner. Nothing of that is acted upon, and nobody stands convicted at the
//! end: `learn` leaves records, no incidents.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use crate::{
    config::Config,
    daemon::{
        clock,
        core::Core,
        failure::{Exit, Failure},
        rehearsal::Rehearsal,
    },
    engine::Input,
    postfix::log_record::{Reader, Reading},
    source::{
        history::{History, Place},
        tail::{Cursor, Tail},
    },
    store::Gate,
    time::{Timestamp, Zone},
};

/// How long an account found compromised in an old log is taken to be a thief's.
const REVIEW: Duration = Duration::from_secs(4 * 3600);
/// Bytes read at once.
const PIECE: usize = 1 << 20;
/// A first start reads so much of the newest rotated logs at most: postwarden is blind while it learns.
const MOST: u64 = 1 << 30;
/// A packed log is about so many times longer when unpacked.
const PACKED: u64 = 10;
/// Rotated logs older than this say little of what is normal now.
const OLDEST: Duration = Duration::from_secs(62 * 86_400);

/// What was learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Lines read.
    pub lines: u64,
    /// Lines of Postfix that were not understood.
    pub unparsed: u64,
    /// Senders known now.
    pub senders: usize,
    /// Delivery attempts at remote sides.
    pub attempts: u64,
    /// Times an account would have been held.
    pub incidents: u64,
    /// Event time of the first record.
    pub first: Option<Timestamp>,
    /// Event time of the last one.
    pub last: Option<Timestamp>,
}

/// A state directory that is being filled.
#[derive(Debug)]
pub struct Lesson {
    core: Core,
    rehearsal: Rehearsal,
    learned: Learned,
}

impl Lesson {
    /// Takes the state directory, which must know nobody yet.
    ///
    /// # Errors
    /// A daemon runs (75), or there are profiles already (65).
    pub fn open(config: &Config) -> Result<Self, Failure> {
        super::make_state(&config.state)?;
        let host = super::host_name(&config.config_directory);
        let (core, _) = super::open(config, &host)?;
        let known = core.engine.ledger().senders().count();
        if known > 0 {
            let message = format!(
                "{} knows {known} senders already; learning the same mail again would count it twice",
                config.state.display()
            );
            return Err(Failure::new(Exit::Data, message)
                .hint("to start anew, move postwarden.db out of that directory first"));
        }
        Ok(Self::new(core))
    }

    fn new(core: Core) -> Self {
        Self {
            core,
            rehearsal: Rehearsal::new(Some(REVIEW)),
            learned: Learned::default(),
        }
    }

    /// Learns from one line.
    pub fn line(&mut self, reader: &mut Reader, line: &[u8]) {
        self.learned.lines += 1;
        match reader.read(line) {
            Reading::Record(record) => {
                self.learned.first.get_or_insert(record.at);
                self.learned.last = self.learned.last.max(Some(record.at));
                self.feed(
                    record.at,
                    Input::Record {
                        record: &record,
                        line,
                    },
                );
            }
            Reading::Unparsed(_) => self.learned.unparsed += 1,
            Reading::Foreign => {}
        }
    }

    fn feed(&mut self, at: Timestamp, input: Input<'_>) {
        let Ok(()) = self.rehearsal.feed::<std::convert::Infallible>(
            &mut self.core.engine,
            at,
            input,
            &mut |_, _| Ok(()),
        );
    }

    /// Writes down what was learned.
    ///
    /// # Errors
    /// As the store has them.
    pub fn finish(self) -> Result<Learned, Failure> {
        let (mut core, learned) = self.end();
        core.settle(Vec::new(), Vec::new(), clock::now())?;
        Ok(learned)
    }

    /// What was learned is in the core, to be written down with its next step.
    fn end(mut self) -> (Core, Learned) {
        self.learned.incidents = self.rehearsal.incidents();
        self.learned.senders = self.core.engine.ledger().senders().count();
        self.learned.attempts = self.core.engine.attempts();
        self.core.engine.acquit_all();
        let gate = Gate {
            name: "learned".to_owned(),
            value: self.learned.to_json(),
            changed: clock::now(),
        };
        self.core.note(gate);
        (self.core, self.learned)
    }
}

impl Learned {
    /// The same for programs.
    #[must_use]
    pub fn to_json(self) -> serde_json::Value {
        json!({
            "lines": self.lines,
            "unparsed": self.unparsed,
            "senders": self.senders,
            "attempts": self.attempts,
            "incidents": self.incidents,
            "first": self.first.map(|at| at.to_string()),
            "last": self.last.map(|at| at.to_string()),
        })
    }
}

/// Hands on each line of all archives, the oldest first, with the reader that knows the archive's years; `progress` hears
/// where the reading is.
///
/// # Errors
/// An archive cannot be read or is damaged: `damaged` says whether to go on behind it.
pub fn each_line(
    history: &mut History,
    zone: &Zone,
    progress: &mut dyn FnMut(Place),
    damaged: &mut dyn FnMut(io::Error) -> io::Result<()>,
    each: &mut dyn FnMut(&mut Reader, &[u8]),
) -> io::Result<()> {
    let now = clock::now();
    let mut piece = Vec::new();
    let mut archive = None;
    let mut reader = Reader::new(zone.clone(), now);
    loop {
        let place = match history.next_lines(&mut piece, PIECE) {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(()),
            Err(error) => {
                damaged(error)?;
                continue;
            }
        };
        if archive != Some(place.archive) {
            archive = Some(place.archive);
            let modified = history
                .archives()
                .get(place.archive)
                .and_then(|archive| archive.modified);
            reader = Reader::new(zone.clone(), modified.unwrap_or(now));
        }
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            each(&mut reader, line);
        }
        progress(place);
    }
}

/// The first start: learns from the rotated logs beside each source and from what the live ones hold so far. Answers the
/// core, whose next step writes it all down, and where each live log is to be read on from. A log that cannot be read is
/// left out, and said.
pub(super) fn first_lesson(
    core: Core,
    sources: &[PathBuf],
    alive: &mut dyn FnMut(),
) -> (Core, Vec<(PathBuf, Cursor)>) {
    let zone = clock::zone();
    let archives: Vec<PathBuf> = sources
        .iter()
        .flat_map(|source| rotated(source, clock::now()))
        .collect();
    let mut lesson = Lesson::new(core);
    if !archives.is_empty() {
        tracing::info!(
            logs = archives.len(),
            "first start: learning what is normal from rotated logs; nothing is watched until that is done"
        );
    }
    let read = History::open(&archives, &zone, clock::now()).and_then(|mut history| {
        each_line(
            &mut history,
            &zone,
            &mut |_| alive(),
            &mut |error| {
                tracing::warn!(%error, "a rotated log is left out");
                Ok(())
            },
            &mut |reader, line| lesson.line(reader, line),
        )
    });
    if let Err(error) = read {
        tracing::warn!(%error, "the rotated logs cannot be read");
    }
    let cursors = sources
        .iter()
        .map(|source| (source.clone(), live(&mut lesson, source, &zone, alive)))
        .collect();
    let (core, learned) = lesson.end();
    tracing::info!(
        lines = learned.lines,
        senders = learned.senders,
        attempts = learned.attempts,
        incidents = learned.incidents,
        first = learned.first.map(tracing::field::display),
        last = learned.last.map(tracing::field::display),
        "learned from the logs that were there"
    );
    (core, cursors)
}

/// Reads a live log up to its present end; one that is too long is only followed from there.
fn live(lesson: &mut Lesson, path: &Path, zone: &Zone, alive: &mut dyn FnMut()) -> Cursor {
    let short = path
        .metadata()
        .map_or(true, |metadata| metadata.len() <= MOST);
    let mut tail = Tail::new(path, None, short);
    let mut reader = Reader::new(zone.clone(), clock::now());
    loop {
        match tail.read_batch(PIECE) {
            Ok(batch) if batch.is_empty() => return tail.cursor(),
            Ok(batch) => batch
                .lines()
                .for_each(|line| lesson.line(&mut reader, line)),
            Err(error) => {
                tracing::warn!(%error, "the log cannot be read yet");
                return tail.cursor();
            }
        }
        alive();
    }
}

/// The rotated generations of a log, the newest first, as far back as they are worth reading: `mail.log.1`,
/// `mail.log.2.gz`, `mail.log-20261101.xz` (logrotate, `postfix logrotate`).
fn rotated(path: &Path, now: Timestamp) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<(Timestamp, u64, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter(|entry| is_generation(&name, &entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            Some((
                Timestamp::from_seconds(metadata.mtime()),
                metadata.len(),
                entry.path(),
            ))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    let mut room = MOST;
    found
        .into_iter()
        .take_while(|(modified, size, path)| {
            let packed = path
                .extension()
                .is_some_and(|end| PACKERS.iter().any(|packer| end == *packer));
            let text = if packed {
                size.saturating_mul(PACKED)
            } else {
                *size
            };
            let fits = text <= room;
            room = room.saturating_sub(text);
            fits && now.since(*modified) <= OLDEST
        })
        .map(|(_, _, path)| path)
        .collect()
}

const PACKERS: &[&str] = &["gz", "xz", "bz2", "zst"];

/// True for `NAME.` or `NAME-`, a number or a date, and a packer's ending or none.
fn is_generation(name: &str, candidate: &str) -> bool {
    let Some(rest) = candidate.strip_prefix(name) else {
        return false;
    };
    let rest = PACKERS
        .iter()
        .find_map(|packer| rest.strip_suffix(packer)?.strip_suffix('.'))
        .unwrap_or(rest);
    let Some(number) = rest.strip_prefix(['.', '-']) else {
        return false;
    };
    number.starts_with(|c: char| c.is_ascii_digit())
        && number
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | 'T' | 'Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_are_told_from_other_files() {
        for name in [
            "mail.log.1",
            "mail.log.12.gz",
            "mail.log-20261101",
            "mail.log-20261101.xz",
            "mail.log.20261101-030000.bz2",
            "mail.log.2026-11-01.zst",
        ] {
            assert!(is_generation("mail.log", name), "{name}");
        }
        for name in [
            "mail.log",
            "mail.log.gz",
            "mail.log.offset",
            "mail.logger.1",
            "mail.err.1",
            "mail.log.1.swp",
            "mail.log.1.tar",
        ] {
            assert!(!is_generation("mail.log", name), "{name}");
        }
    }

    #[test]
    fn the_newest_generations_are_read_until_there_is_enough() {
        let directory = tempfile::tempdir().unwrap();
        let now = clock::now();
        let at = |days: i64| {
            let seconds = u64::try_from(now.micros() / 1_000_000 - days * 86_400).unwrap();
            std::time::UNIX_EPOCH + Duration::from_secs(seconds)
        };
        for (name, days) in [
            ("mail.log", 0),
            ("mail.log.1", 1),
            ("mail.log.2.gz", 8),
            ("mail.log.3.gz", 90),
        ] {
            let file = std::fs::File::create(directory.path().join(name)).unwrap();
            file.set_modified(at(days)).unwrap();
        }
        let names: Vec<String> = rotated(&directory.path().join("mail.log"), now)
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["mail.log.1", "mail.log.2.gz"]);
        let huge = std::fs::File::create(directory.path().join("mail.log.1")).unwrap();
        huge.set_len(MOST + 1).unwrap();
        assert_eq!(rotated(&directory.path().join("mail.log"), now).len(), 0);
    }
}
