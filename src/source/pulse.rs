//! The queue's pulse: when files last moved in it, told without any right to look inside.
//!
//! Every message that comes in, is taken up or is put off adds or removes a name in `incoming`, `active` or `deferred`,
//! and that is the time of the directory's last change, which everybody may ask for. `maildrop` is left out: mail lies there
//! quietly while Postfix is stopped. So is `hold`, where our own work would be seen.
//! Limit: where `hash_queue_names` spreads `incoming` and `active` over subdirectories (it does not by default), only
//! those moves are seen that make a new one.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::time::Timestamp;

/// The directories that are asked.
#[derive(Clone, Debug)]
pub struct Pulse {
    directories: [PathBuf; 3],
}

impl Pulse {
    /// Of the queue at `queue_directory`.
    #[must_use]
    pub fn new(queue_directory: &Path) -> Self {
        Self {
            directories: ["incoming", "active", "deferred"].map(|name| queue_directory.join(name)),
        }
    }

    /// When a file last came, moved or went; `None` where nothing can be asked.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.directories
            .iter()
            .filter_map(|directory| {
                let metadata = fs_err::metadata(directory).ok()?;
                let nanoseconds = metadata.mtime_nsec() / 1000;
                let micros = metadata.mtime().saturating_mul(1_000_000);
                Some(Timestamp::from_micros(micros.saturating_add(nanoseconds)))
            })
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_comes_or_goes_is_felt_and_one_on_hold_is_not() {
        let queue = tempfile::tempdir().unwrap();
        let pulse = Pulse::new(queue.path());
        assert_eq!(pulse.last(), None);
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        for name in ["incoming", "active", "deferred", "hold", "maildrop"] {
            std::fs::create_dir(queue.path().join(name)).unwrap();
            let directory = std::fs::File::open(queue.path().join(name)).unwrap();
            directory.set_modified(long_ago).unwrap();
        }
        let quiet = Some(Timestamp::from_seconds(1_000_000));
        assert_eq!(pulse.last(), quiet);
        std::fs::write(queue.path().join("hold/4F2A1C0D3B"), "").unwrap();
        std::fs::write(queue.path().join("maildrop/4F2A1C0D3B"), "").unwrap();
        assert_eq!(pulse.last(), quiet);
        std::fs::write(queue.path().join("active/4F2A1C0D3B"), "").unwrap();
        assert!(pulse.last() > quiet);
    }
}
