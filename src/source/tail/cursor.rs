//! Where a follower stands: enough to find the same line again after a restart, whatever became of the file's name.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes from a file's beginning that make its fingerprint. Two log files never agree in their first lines for as long.
pub(super) const HEAD: usize = 1024;

/// The first bytes of a file, as far as they were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    pub(super) length: u16,
    hash: u64,
    /// The same of the first line alone, as far as it was read: a copy may have been made before the rest was there.
    first: (u16, u64),
}

impl Fingerprint {
    pub(super) fn of(head: &[u8]) -> Self {
        let head = head.get(..HEAD.min(head.len())).unwrap_or_default();
        let first = memchr::memchr(b'\n', head)
            .and_then(|end| head.get(..=end))
            .unwrap_or_default();
        Self {
            length: u16::try_from(head.len()).unwrap_or(0),
            hash: xxh3_64(head),
            first: (u16::try_from(first.len()).unwrap_or(0), xxh3_64(first)),
        }
    }

    /// True when a file that begins so is the file that was meant; an empty fingerprint means none.
    pub(super) fn fits(self, head: &[u8]) -> bool {
        self.length > 0
            && head
                .get(..usize::from(self.length))
                .is_some_and(|start| xxh3_64(start) == self.hash)
    }

    /// True when a file that begins so is a copy that was made before all of the fingerprint was there.
    pub(super) fn outgrew(self, head: &[u8]) -> bool {
        let (length, hash) = self.first;
        length > 0
            && head.len() < usize::from(self.length)
            && head
                .get(..usize::from(length))
                .is_some_and(|start| xxh3_64(start) == hash)
    }
}

/// A file that was read to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Nanoseconds since the epoch.
    pub(super) modified: i64,
    pub(super) head: Fingerprint,
}

/// How far a log was read: to be stored with the state that its lines made, in one transaction. Opaque to its keeper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// False until the log was looked at for the first time.
    pub(super) begun: bool,
    /// The file that is being read. With `offset` 0 it is only known to come after `previous`.
    pub(super) file: Mark,
    pub(super) offset: u64,
    /// Its size when it was looked at last, to say how much was lost should it vanish.
    pub(super) size: u64,
    /// The last generation that was read to its end, or was there before us.
    pub(super) previous: Option<Mark>,
    /// In the middle of a line that is too long to be kept.
    pub(super) skipping: bool,
}

impl Cursor {
    /// Bytes of the current file that are done with.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }
}
