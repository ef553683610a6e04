//! Wakes a reader when one of its logs changes.
//!
//! inotify(7) watches the directories, so that a new file under an old name is seen too. It tells nothing of what other hosts
//! write over NFS, and there may be no watch to have: so the wait is never longer than the caller's polling interval, and a
//! wake-up is only a hint to look. Without inotify every wait lasts as long as it may.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::inotify::{AddWatchFlags, InitFlags, Inotify},
};

/// A watch over several files.
#[derive(Debug)]
pub struct Wake {
    inotify: Option<Inotify>,
    names: Vec<OsString>,
}

impl Wake {
    /// Watches these files, whether they are there or not; their directories must be.
    #[must_use]
    pub fn new(files: &[PathBuf]) -> Self {
        let directories: BTreeSet<&Path> = files
            .iter()
            .filter_map(|file| file.parent())
            .map(|parent| {
                if parent.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    parent
                }
            })
            .collect();
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .ok()
            .filter(|inotify| {
                let flags = AddWatchFlags::IN_MODIFY
                    | AddWatchFlags::IN_CREATE
                    | AddWatchFlags::IN_MOVED_FROM
                    | AddWatchFlags::IN_MOVED_TO;
                directories
                    .iter()
                    .all(|directory| inotify.add_watch(*directory, flags).is_ok())
            });
        Self {
            inotify,
            names: files
                .iter()
                .filter_map(|file| file.file_name().map(Into::into))
                .collect(),
        }
    }

    /// False when every wait lasts its full time.
    #[must_use]
    pub const fn is_awake(&self) -> bool {
        self.inotify.is_some()
    }

    /// Waits until something changes in one of the directories, at most `longest`. True when one of the files was named.
    pub fn wait(&self, longest: Duration) -> bool {
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        let Some(inotify) = &self.inotify else {
            // Waiting for nothing but the time; cut short by a signal it is only a poll too early.
            let _nothing = poll(&mut [], timeout);
            return false;
        };
        let mut waiting = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        if !poll(&mut waiting, timeout).is_ok_and(|ready| ready > 0) {
            return false;
        }
        let mut named = false;
        // An overflow of the kernel's queue has no name: something happened, nobody knows to whom.
        while let Ok(events) = inotify.read_events() {
            named |= events.iter().any(|event| {
                event
                    .name
                    .as_ref()
                    .is_none_or(|name| self.names.contains(name))
            });
        }
        named
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_a_watched_file_wakes_and_one_beside_it_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("mail.log");
        let wake = Wake::new(std::slice::from_ref(&log));
        assert!(wake.is_awake());
        assert!(!wake.wait(Duration::ZERO));
        std::fs::write(directory.path().join("other.log"), "x").unwrap();
        assert!(!wake.wait(Duration::from_secs(5)));
        std::fs::write(&log, "x").unwrap();
        assert!(wake.wait(Duration::from_secs(5)));
        assert!(!wake.wait(Duration::ZERO), "told once");
    }

    #[test]
    fn without_a_directory_it_only_waits() {
        let wake = Wake::new(&[PathBuf::from("/nonexistent/mail.log")]);
        assert!(!wake.is_awake());
        assert!(!wake.wait(Duration::from_millis(1)));
    }
}
