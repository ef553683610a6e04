//! Archived logs, oldest first: gzip, bzip2, xz, zstd, plain, and `-` for standard input.
//!
//! The order is that of the first stamp in each file (with the year that its last change suggests), not of the arguments: a
//! shell's `mail.log*` lists the newest first. Lines come in big pieces into the caller's buffer, so that parsing may happen on
//! other threads while the next piece is read.
//! A damaged archive gives the whole lines that are readable, then one error that names it, and the next call goes on with
//! the next one. A line that the damage cuts is not given: nobody knows what its end would have said.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    archive::{self, Text},
    tail::LONGEST_LINE,
};
use crate::{
    postfix::{
        calendar::Calendar,
        log_line::{self, Framing, Scratch},
    },
    time::{Timestamp, Zone},
};

/// How much of a file is looked at to find its first stamp.
const START: u64 = 1 << 16;

/// One archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// Bytes on disk; 0 for standard input.
    pub size: u64,
    /// Its last change: no line is newer. `None` for standard input: take the time of reading.
    pub modified: Option<Timestamp>,
    /// Its first stamp, for the order.
    first: Option<Timestamp>,
}

/// Where a piece comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the archive, as in [`History::archives`].
    pub archive: usize,
    /// Bytes read from disk so far, of all archives: progress against [`History::total_bytes`].
    pub done_bytes: u64,
}

/// Archives being read.
pub struct History {
    archives: Vec<Archive>,
    next: usize,
    current: Option<Text>,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    skipping: bool,
    /// The current archive is damaged behind what was given last.
    damage: Option<io::Error>,
    done: Arc<AtomicU64>,
    overlong: u64,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History")
            .field("archives", &self.archives)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl History {
    /// Finds the archives and their order. Stamps without a zone are of `zone`; `now` is the year's measure where a file has
    /// no time of its own.
    ///
    /// # Errors
    /// One of the files is not there or cannot be read.
    pub fn open(paths: &[PathBuf], zone: &Zone, now: Timestamp) -> io::Result<Self> {
        let mut archives = paths
            .iter()
            .map(|path| look_at(path, zone, now))
            .collect::<io::Result<Vec<Archive>>>()?;
        if archives.iter().all(|archive| archive.modified.is_some()) {
            archives.sort_by_key(|archive| archive.first.or(archive.modified));
        }
        Ok(Self {
            archives,
            next: 0,
            current: None,
            rest: Vec::new(),
            skipping: false,
            damage: None,
            done: Arc::default(),
            overlong: 0,
        })
    }

    /// The archives, oldest first; as given when standard input is one of them.
    #[must_use]
    pub fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// Bytes on disk of all of them.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.archives.iter().map(|archive| archive.size).sum()
    }

    /// Lines left out because they were too long.
    #[must_use]
    pub const fn overlong(&self) -> u64 {
        self.overlong
    }

    /// Fills `lines` with about `most` bytes of whole lines (only the last line of an archive may lack its newline).
    /// `None` at the end of all archives. A piece never spans two archives.
    ///
    /// # Errors
    /// An archive cannot be read, or is damaged; the next call goes on behind it.
    pub fn next_lines(&mut self, lines: &mut Vec<u8>, most: usize) -> io::Result<Option<Place>> {
        loop {
            lines.clear();
            let Some(archive) = self.archives.get(self.next) else {
                return Ok(None);
            };
            let path = archive.path.clone();
            if let Some(error) = self.damage.take() {
                self.leave();
                return Err(named(&path, &error));
            }
            let more = self.fill(lines, most.max(1));
            let place = Place {
                archive: self.next,
                done_bytes: self.done.load(Ordering::Relaxed),
            };
            match more {
                Ok(true) => {}
                Ok(false) => self.leave(),
                Err(error) => {
                    // Whole lines first. Not every decoder says so again when it is asked again.
                    let whole = memchr::memrchr(b'\n', lines).map_or(0, |at| at + 1);
                    lines.truncate(whole);
                    self.damage = Some(error);
                    if lines.is_empty() {
                        continue;
                    }
                }
            }
            if !lines.is_empty() {
                return Ok(Some(place));
            }
        }
    }

    /// Goes on to the next archive.
    fn leave(&mut self) {
        self.current = None;
        self.next += 1;
        self.skipping = false;
        self.rest.clear();
    }

    /// Whole lines of the current archive; false at its end.
    fn fill(&mut self, lines: &mut Vec<u8>, most: usize) -> io::Result<bool> {
        if self.current.is_none() {
            let path = self.archives.get(self.next).map(|archive| &*archive.path);
            self.current = Some(self.text(path.unwrap_or_else(|| Path::new("-")))?);
        }
        std::mem::swap(lines, &mut self.rest);
        let mut wanted = most;
        loop {
            let text = self.current.as_mut().ok_or(io::ErrorKind::NotFound)?;
            let had = lines.len();
            let missing = u64::try_from(wanted.saturating_sub(had)).unwrap_or(0);
            let result = text.by_ref().take(missing).read_to_end(lines);
            let ended = matches!(result, Ok(0)) && missing > 0;
            if self.skipping {
                self.skip(lines, ended);
            }
            if ended {
                return Ok(false);
            }
            if let Some(at) = memchr::memrchr(b'\n', lines) {
                self.rest
                    .extend_from_slice(lines.get(at + 1..).unwrap_or_default());
                lines.truncate(at + 1);
                return result.map(|_| true);
            }
            result?;
            if lines.len() >= wanted {
                if wanted >= LONGEST_LINE {
                    lines.clear();
                    self.skipping = true;
                } else {
                    wanted = (wanted * 4).min(LONGEST_LINE);
                }
            }
        }
    }

    /// Drops what belongs to a line that is too long.
    fn skip(&mut self, lines: &mut Vec<u8>, ended: bool) {
        match memchr::memchr(b'\n', lines) {
            Some(end) => {
                lines.drain(..=end);
                self.skipping = false;
                self.overlong += 1;
            }
            None => {
                lines.clear();
                self.overlong += u64::from(ended);
            }
        }
    }

    fn text(&self, path: &Path) -> io::Result<Text> {
        if path == Path::new("-") {
            return archive::unpacked(Counted {
                source: io::stdin(),
                done: Arc::clone(&self.done),
            });
        }
        archive::unpacked(Counted {
            source: open(path)?,
            done: Arc::clone(&self.done),
        })
    }
}

fn open(path: &Path) -> io::Result<File> {
    Ok(fs_err::File::open(path)?.into_parts().0)
}

fn look_at(path: &Path, zone: &Zone, now: Timestamp) -> io::Result<Archive> {
    let mut archive = Archive {
        path: path.to_owned(),
        size: 0,
        modified: None,
        first: None,
    };
    if path == Path::new("-") {
        return Ok(archive);
    }
    let file = open(path)?;
    let metadata: Metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(named(path, &io::ErrorKind::IsADirectory.into()));
    }
    archive.size = metadata.len();
    archive.modified = Some(Timestamp::from_seconds(metadata.mtime()).min(now));
    let mut start = Vec::new();
    // What is damaged from its first bytes on has no first stamp; reading it will say why.
    if let Ok(text) = archive::unpacked(file) {
        drop(text.take(START).read_to_end(&mut start));
    }
    let reference = archive.modified.unwrap_or(now);
    archive.first = first_stamp(&start, &mut Calendar::new(zone.clone(), reference));
    Ok(archive)
}

fn first_stamp(start: &[u8], calendar: &mut Calendar) -> Option<Timestamp> {
    let mut scratch = Scratch::default();
    start.split(|c| *c == b'\n').find_map(|line| {
        match log_line::split(line, &mut scratch) {
            Framing::Postfix(line) => Some(line.stamp),
            _ => None,
        }
        .map(|stamp| calendar.resolve(stamp))
    })
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Counts what is read from disk.
struct Counted<R> {
    source: R,
    done: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(into)?;
        self.done
            .fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn all(history: &mut History, most: usize) -> (Vec<String>, Vec<String>) {
        let (mut text, mut errors) = (Vec::new(), Vec::new());
        let mut piece = Vec::new();
        loop {
            match history.next_lines(&mut piece, most) {
                Ok(None) => break,
                Ok(Some(_)) => text.extend(
                    String::from_utf8_lossy(&piece)
                        .lines()
                        .map(ToOwned::to_owned),
                ),
                Err(error) => errors.push(error.to_string()),
            }
        }
        (text, errors)
    }

    fn line(day: u32, n: u32) -> String {
        format!("Nov {day:2} 08:25:{n:02} relay1 postfix/qmgr[1]: {n:06}ABCD: removed\n")
    }

    fn directory() -> (tempfile::TempDir, Vec<PathBuf>) {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("mail.log"), line(23, 5) + "no newline at the end").unwrap();
        std::fs::write(path("mail.log.1"), line(22, 3) + &line(22, 4)).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all((line(21, 1) + &line(21, 2)).as_bytes())
            .unwrap();
        std::fs::write(path("mail.log.2.gz"), gzip.finish().unwrap()).unwrap();
        let paths = ["mail.log", "mail.log.1", "mail.log.2.gz"].map(path).into();
        (directory, paths)
    }

    fn history(paths: &[PathBuf]) -> History {
        History::open(paths, &Zone::utc(), Timestamp::from_seconds(4_000_000_000)).unwrap()
    }

    #[test]
    fn generations_are_read_oldest_first_whatever_their_order_and_packing() {
        let (_directory, paths) = directory();
        let mut expected = Vec::new();
        for most in [1, 50, 1 << 20] {
            let mut history = history(&paths);
            let (text, errors) = all(&mut history, most);
            assert!(errors.is_empty());
            let stamps: Vec<&str> = text.iter().filter_map(|l| l.get(..6)).collect();
            assert_eq!(
                stamps,
                ["Nov 21", "Nov 21", "Nov 22", "Nov 22", "Nov 23", "no new"]
            );
            if expected.is_empty() {
                expected.clone_from(&text);
            }
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn progress_ends_at_the_total() {
        let (_directory, paths) = directory();
        let mut history = history(&paths);
        let mut piece = Vec::new();
        let mut last = 0;
        while let Some(place) = history.next_lines(&mut piece, 64).unwrap() {
            last = place.done_bytes;
        }
        assert_eq!(last, history.total_bytes());
    }

    #[test]
    fn a_damaged_archive_costs_itself_only() {
        let (_directory, paths) = directory();
        let bytes = std::fs::read(&paths[2]).unwrap();
        std::fs::write(&paths[2], &bytes[..bytes.len() - 4]).unwrap();
        let (text, errors) = all(&mut history(&paths), 1 << 20);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].contains("mail.log.2.gz"), "{errors:?}");
        assert!(text.len() >= 4);
    }

    /// The text packed in each of the ways that log rotation knows.
    fn packed(text: &str) -> Vec<(&'static str, Vec<u8>)> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        bzip2.write_all(text.as_bytes()).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(text.as_bytes()).unwrap();
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let zstd = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
        vec![
            (".gz", gzip.finish().unwrap()),
            (".bz2", bzip2.finish().unwrap()),
            (".xz", xz.finish().unwrap()),
            (".zst", zstd),
            ("", text.as_bytes().to_vec()),
        ]
    }

    /// A day of lines that no compressor can make very small.
    fn day(day: u32) -> String {
        let mut dice = u64::from(day);
        (0..20_000)
            .map(|n| {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
                format!("Nov {day:2} 08:25:50 relay1 postfix/qmgr[{n}]: {dice:016X}: removed\n")
            })
            .collect()
    }

    #[test]
    fn generations_of_every_packing_are_mixed_in_order_and_a_damaged_one_costs_its_end_only() {
        let directory = tempfile::tempdir().unwrap();
        let mut paths = Vec::new();
        let mut whole = Vec::new();
        for (number, day_of) in (1..=5).enumerate() {
            let text = day(day_of);
            let (end, bytes) = packed(&text).swap_remove(number);
            let path = directory
                .path()
                .join(format!("mail.log.{}{end}", 5 - number));
            std::fs::write(&path, bytes).unwrap();
            whole.extend(text.lines().map(ToOwned::to_owned));
            paths.insert(0, path);
        }
        let (text, errors) = all(&mut history(&paths), 1 << 16);
        assert_eq!(errors, [] as [&str; 0]);
        assert!(
            text == whole,
            "{} of {} lines, or not in order",
            text.len(),
            whole.len()
        );
        for path in paths.iter().filter(|path| !path.ends_with("mail.log.1")) {
            let bytes = std::fs::read(path).unwrap();
            std::fs::write(path, &bytes[..bytes.len() * 3 / 4]).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            for most in [1_000, 1 << 20] {
                let (text, errors) = all(&mut history(&paths), most);
                assert_eq!(errors.len(), 1, "{name}: {errors:?}");
                assert!(errors[0].contains(name), "{errors:?}");
                let missing = whole.len() - text.len();
                assert!(
                    (1..=20_000).contains(&missing),
                    "{name}: {missing} lines are missing"
                );
                assert!(
                    name.ends_with(".bz2") || missing < 15_000,
                    "{name}: {missing} lines are missing"
                );
                // What is there is whole, in order, and of the right archives.
                let mut rest = whole.iter();
                assert!(
                    text.iter().all(|line| rest.any(|other| other == line)),
                    "{name}"
                );
            }
            std::fs::write(path, bytes).unwrap();
        }
    }

    #[test]
    fn a_line_that_never_ends_is_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.log");
        let long = "x".repeat(3 * LONGEST_LINE);
        std::fs::write(&path, format!("{}{long}\n{}{long}", line(1, 1), line(1, 2))).unwrap();
        let mut history = history(&[path]);
        let (text, _) = all(&mut history, 1000);
        assert_eq!(text.len(), 2);
        assert_eq!(history.overlong(), 2);
    }
}
