//! Follows one log file through everything that happens to log files.
//!
//! | what happens | what is done |
//! |---|---|
//! | renamed, new file created | the old one is read to its end first; it is left when the new one has bytes, for then its writer has moved |
//! | copied and truncated | the copy is found by its first bytes and read from where the file was left |
//! | both, several times, with nobody looking | generations are read in order, compressed ones too |
//! | restart | the file is found again by its first bytes under whatever name |
//! | deleted, or truncated without a copy | what nobody can read any more is counted as lost |
//! | written to between copy and truncation | lost to everybody: counted as far as it had been seen to be there |
//! | the place is gone after a restart | one gap: nobody knows what was written meanwhile |
//!
//! Promises: every whole line exactly once, if [`Cursor`] is stored together with what its lines made; a line is given when its
//! newline is there, or when its file is finished. Polls: nothing but open, stat and read, so that it works on NFS; a wake-up
//! only makes it faster.
//! Limits: one writer per log (a writer that goes on in a renamed file after another began the new one is read too
//! late or not at all); a line over [`LONGEST_LINE`] bytes is left out and counted.

mod cursor;
mod generations;
mod piece;
mod search;

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
};

pub use cursor::Cursor;
use piece::Piece;

/// The longest line that is given, in bytes. Postfix cuts at 2,000, rsyslog at 8,192, a JSON framing may double that.
pub const LONGEST_LINE: usize = 1 << 20;
/// Bytes of a batch unless a line is longer.
const BATCH: usize = 1 << 18;

/// What happened to a log so far in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Generations finished because a newer one had bytes.
    pub rotations: u64,
    /// Times the file was found truncated.
    pub truncations: u64,
    /// Files that vanished, or were cut, before what was known of them was read.
    pub lost_files: u64,
    /// Bytes that nobody can read any more, as far as they are known to have been there.
    pub lost_bytes: u64,
    /// Times the place was gone at a start: what was written since the last look is not known.
    pub gaps: u64,
    /// Lines that were too long.
    pub overlong: u64,
}

/// Lines that were there.
#[derive(Debug)]
pub struct Batch<'t> {
    bytes: &'t [u8],
    /// Where to go on once these lines are dealt with.
    pub cursor: Cursor,
    /// Bytes that are there beyond these lines, those of compressed generations not counted.
    pub lag_bytes: u64,
    /// When the file that they come from was changed last, in seconds since the epoch: the year of stamps without one.
    pub modified: i64,
}

impl<'t> Batch<'t> {
    /// True when there was nothing new.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whole lines with their newlines; only the last one of a finished file may lack it.
    #[must_use]
    pub const fn bytes(&self) -> &'t [u8] {
        self.bytes
    }

    /// Line by line, without newlines.
    pub fn lines(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        self.bytes
            .strip_suffix(b"\n")
            .unwrap_or(self.bytes)
            .split(|c| *c == b'\n')
            .filter(|line| !line.is_empty())
    }
}

/// One followed log.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    /// What is being read, and what comes after it as far as is known; the live file is always the last.
    pieces: VecDeque<Piece>,
    cursor: Cursor,
    from_start: bool,
    buffer: Vec<u8>,
    counters: Counters,
    /// The current file, if it is not the live one, is one of the generations.
    current_is_kept: bool,
    /// Something was read in this process: what goes on from here on is seen.
    looked: bool,
    /// When the directory had changed last as nothing of interest was found in it.
    nothing_new: Option<(i64, i64)>,
}

impl Tail {
    /// Goes on from `cursor`; without one, begins with what is written from now on (`from_start`: with the file's first
    /// line). Former generations are not read then: that is what archives are for.
    #[must_use]
    pub fn new(path: &Path, cursor: Option<Cursor>, from_start: bool) -> Self {
        let mut tail = Self {
            path: path.to_owned(),
            pieces: VecDeque::new(),
            cursor: cursor.unwrap_or_default(),
            from_start,
            buffer: Vec::new(),
            counters: Counters::default(),
            current_is_kept: true,
            looked: false,
            nothing_new: None,
        };
        // If it fails now, it is tried again by the first read, which can say so.
        drop(tail.begin());
        tail
    }

    /// The file that is followed.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the lines that were given out end.
    #[must_use]
    pub const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes that are there and not read yet, as of the last read.
    #[must_use]
    pub fn lag_bytes(&self) -> u64 {
        self.pieces.iter().map(Piece::lag).sum()
    }

    /// Gives each whole line of the next batch; answers how many there were. With 0 there is nothing new.
    ///
    /// # Errors
    /// As [`Tail::read_batch`].
    pub fn read(&mut self, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        let mut count = 0;
        for line in self.read_batch(BATCH)?.lines() {
            each(line);
            count += 1;
        }
        Ok(count)
    }

    /// The next whole lines, about `most` bytes of them; empty when there is nothing new.
    ///
    /// # Errors
    /// The file or its directory cannot be read. Nothing is lost: the next call tries again.
    pub fn read_batch(&mut self, most: usize) -> io::Result<Batch<'_>> {
        let length = self.advance(most.clamp(1, LONGEST_LINE))?;
        self.note();
        Ok(Batch {
            bytes: self.buffer.get(..length).unwrap_or_default(),
            cursor: self.cursor,
            lag_bytes: self.lag_bytes(),
            modified: self.cursor.file.modified.div_euclid(1_000_000_000),
        })
    }

    /// Brings the next lines to the front of the buffer; answers how many bytes they are.
    fn advance(&mut self, most: usize) -> io::Result<usize> {
        self.begin()?;
        if self.pieces.is_empty() {
            self.locate()?;
        }
        let mut size = most;
        loop {
            let Some(filled) = self.fill(size)? else {
                return Ok(0);
            };
            if let Some(lines) = self.take_lines(filled) {
                return Ok(lines);
            }
            if filled == size {
                if size < LONGEST_LINE && !self.cursor.skipping {
                    size = (size * 4).min(LONGEST_LINE);
                } else {
                    self.skip(filled);
                }
                continue;
            }
            // No whole line any more. Whoever wrote this file may have gone on in another one.
            if !self.has_successor()? {
                return Ok(0);
            }
            let Some(again) = self.fill(size)? else {
                return Ok(0);
            };
            if again != filled {
                continue;
            }
            if self.cursor.skipping {
                self.drop_bytes(filled);
            } else if filled > 0 {
                return Ok(self.take(filled));
            }
            self.leave();
        }
    }

    /// Reads on in the current file. `None`: there is no file.
    fn fill(&mut self, size: usize) -> io::Result<Option<usize>> {
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        loop {
            let Some(piece) = self.pieces.front_mut() else {
                return Ok(None);
            };
            let buffer = self.buffer.get_mut(..size).unwrap_or_default();
            let filled = piece.fill(buffer)?;
            if !piece.is_whole(filled)? {
                self.counters.truncations += 1;
                self.note();
                self.pieces.clear();
                self.locate()?;
                continue;
            }
            if piece.offset == 0 && self.was_preceded(filled)? {
                continue;
            }
            self.looked = true;
            return Ok(Some(filled));
        }
    }

    /// The whole lines among the bytes filled; of a line that is being left out, the rest is dropped first.
    fn take_lines(&mut self, filled: usize) -> Option<usize> {
        let bytes = self.buffer.get(..filled)?;
        if self.cursor.skipping {
            let end = memchr::memchr(b'\n', bytes)? + 1;
            self.drop_bytes(end);
            self.cursor.skipping = false;
            self.counters.overlong += 1;
            self.buffer.copy_within(end..filled, 0);
            return self.take_lines(filled - end);
        }
        let end = memchr::memrchr(b'\n', bytes)? + 1;
        Some(self.take(end))
    }

    fn take(&mut self, length: usize) -> usize {
        if let (Some(piece), Some(bytes)) = (self.pieces.front_mut(), self.buffer.get(..length)) {
            piece.consume(bytes);
        }
        length
    }

    /// Leaves out what belongs to a line that is too long.
    fn skip(&mut self, filled: usize) {
        self.drop_bytes(filled);
        self.cursor.skipping = true;
    }

    fn drop_bytes(&mut self, length: usize) {
        self.take(length);
        self.counters.lost_bytes += u64::try_from(length).unwrap_or(0);
    }

    /// Goes on to the next file.
    fn leave(&mut self) {
        if let Some(piece) = self.pieces.pop_front() {
            self.counters.rotations += 1;
            self.counters.lost_bytes += piece.expected.saturating_sub(piece.offset);
            // A deleted file marks no place among the generations.
            if piece.offset > 0 && std::mem::replace(&mut self.current_is_kept, true) {
                self.cursor.previous = Some(piece.mark);
            }
            self.cursor.skipping = false;
        }
    }

    /// Brings the cursor up to where the current file stands.
    fn note(&mut self) {
        if let Some(piece) = self.pieces.front() {
            self.cursor.file = piece.mark;
            self.cursor.offset = piece.offset;
            self.cursor.size = piece.size.max(piece.expected);
        }
    }
}

#[cfg(test)]
mod tests;
