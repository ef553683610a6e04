//! Who writes to a state directory: one process at a time, by an advisory lock that ends with the process.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

/// The right to write to a state directory; given back when dropped, also by `kill -9`.
#[derive(Debug)]
pub struct StateLock {
    _lock: Flock<File>,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another postwarden has it.
    #[error("another postwarden is running on {0}")]
    Taken(PathBuf),
    /// The file cannot be opened.
    #[error("the lock cannot be taken: {0}")]
    Io(#[from] std::io::Error),
}

impl StateLock {
    /// Whether a process has the lock of `state`; only looks, and changes nothing.
    #[must_use]
    pub fn is_taken(state: &Path) -> bool {
        let Ok(file) = fs_err::File::open(state.join("lock")) else {
            return false;
        };
        let tried = Flock::lock(file.into_file(), FlockArg::LockSharedNonblock);
        matches!(tried, Err((_, nix::errno::Errno::EWOULDBLOCK)))
    }

    /// Takes the lock of `state`, which must exist.
    ///
    /// # Errors
    /// [`LockError::Taken`] when another process has it.
    pub fn take(state: &Path) -> Result<Self, LockError> {
        let path = state.join("lock");
        let file = fs_err::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        match Flock::lock(file.into_file(), FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(LockError::Taken(state.to_owned())),
            Err((_, errno)) => Err(LockError::Io(errno.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_process_at_a_time_writes_to_a_state_directory() {
        let state = tempfile::tempdir().unwrap();
        let held = StateLock::take(state.path()).unwrap();
        assert!(matches!(
            StateLock::take(state.path()),
            Err(LockError::Taken(_))
        ));
        drop(held);
        assert!(StateLock::take(state.path()).is_ok());
    }
}
