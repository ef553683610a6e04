//! One file of a log, open: the live one, or a former generation, compressed or not.

use std::{
    fs::{File, Metadata},
    io::{self, Read},
    os::unix::fs::{FileExt, MetadataExt},
};

use super::cursor::{Fingerprint, HEAD, Mark};
use crate::source::archive::{self, Text};

/// What to read from.
enum Source {
    Plain(File),
    /// Bytes already unpacked lie in `held`.
    Packed {
        text: Text,
        held: Vec<u8>,
    },
}

/// A file and how far it was read.
pub(super) struct Piece {
    source: Source,
    pub(super) offset: u64,
    /// Its first bytes, no further than `offset`.
    head: Vec<u8>,
    /// As of the last look.
    pub(super) mark: Mark,
    pub(super) size: u64,
    /// So long the file was seen to be of which this is a copy.
    pub(super) expected: u64,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Piece")
            .field("offset", &self.offset)
            .field("mark", &self.mark)
            .finish_non_exhaustive()
    }
}

impl Piece {
    /// A file at some offset; `None` when it is shorter than that.
    pub(super) fn open(file: File, packed: bool, offset: u64) -> io::Result<Option<Self>> {
        let metadata = file.metadata()?;
        let wanted = usize::try_from(offset).map_or(HEAD, |offset| offset.min(HEAD));
        let mut head = vec![0; wanted];
        let source = if packed {
            let mut text = archive::unpacked(file)?;
            let rest = offset - u64::try_from(wanted).unwrap_or(0);
            if read_full(&mut text, &mut head)? < wanted
                || io::copy(&mut text.by_ref().take(rest), &mut io::sink())? < rest
            {
                return Ok(None);
            }
            Source::Packed {
                text,
                held: Vec::new(),
            }
        } else {
            if metadata.len() < offset || read_at(&file, &mut head, 0)? < wanted {
                return Ok(None);
            }
            Source::Plain(file)
        };
        let mut piece = Self {
            source,
            offset,
            head,
            mark: Mark::default(),
            size: 0,
            expected: 0,
        };
        piece.note(&metadata);
        Ok(Some(piece))
    }

    /// Puts what stands from the offset on into the buffer, as much as the buffer is long; answers how much.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.source {
            Source::Plain(file) => read_at(file, buffer, self.offset),
            Source::Packed { text, held } => {
                let missing = buffer.len().saturating_sub(held.len());
                text.by_ref()
                    .take(u64::try_from(missing).unwrap_or(0))
                    .read_to_end(held)?;
                let length = held.len().min(buffer.len());
                if let (Some(into), Some(from)) = (buffer.get_mut(..length), held.get(..length)) {
                    into.copy_from_slice(from);
                }
                Ok(length)
            }
        }
    }

    /// Looks at the file again. False when it is not what it was, up to `filled` bytes behind the offset: truncated,
    /// and perhaps written to anew.
    pub(super) fn is_whole(&mut self, filled: usize) -> io::Result<bool> {
        let Source::Plain(file) = &self.source else {
            return Ok(true);
        };
        let metadata = file.metadata()?;
        let mut now = vec![0; self.head.len()];
        let whole = metadata.len() >= self.offset + u64::try_from(filled).unwrap_or(0)
            && read_at(file, &mut now, 0)? == now.len()
            && now == self.head;
        if whole {
            self.note(&metadata);
        }
        Ok(whole)
    }

    /// Takes the next bytes as done with.
    pub(super) fn consume(&mut self, bytes: &[u8]) {
        if let Source::Packed { held, .. } = &mut self.source {
            held.drain(..bytes.len().min(held.len()));
        }
        let room = HEAD - self.head.len();
        if room > 0 {
            self.head
                .extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
            self.mark.head = Fingerprint::of(&self.head);
        }
        self.offset += u64::try_from(bytes.len()).unwrap_or(0);
    }

    /// Bytes that are there and not read yet; unknown, and counted as none, for a compressed file.
    pub(super) fn lag(&self) -> u64 {
        match self.source {
            Source::Plain(_) => self.size.saturating_sub(self.offset),
            Source::Packed { .. } => 0,
        }
    }

    pub(super) fn is(&self, metadata: &Metadata) -> bool {
        (self.mark.device, self.mark.inode) == (metadata.dev(), metadata.ino())
    }

    pub(super) const fn is_same(&self, mark: &Mark) -> bool {
        self.mark.device == mark.device && self.mark.inode == mark.inode
    }

    fn note(&mut self, metadata: &Metadata) {
        self.size = metadata.len();
        self.mark = mark(metadata, Fingerprint::of(&self.head));
    }
}

pub(super) fn mark(metadata: &Metadata, head: Fingerprint) -> Mark {
    Mark {
        device: metadata.dev(),
        inode: metadata.ino(),
        modified: metadata
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.mtime_nsec()),
        head,
    }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + u64::try_from(filled).unwrap_or(0)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

pub(super) fn read_full(text: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match text.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
