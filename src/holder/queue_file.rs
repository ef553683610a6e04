//! Touching queue files as root, without being led elsewhere.
//!
//! The queue directories belong to the mail owner. Whoever has become that user could put links there to have root read
//! other people's files; so every step down is taken without following a link, and the file must be a regular one of the
//! owner of its queue. `maildrop` holds files of any local user and is not touched.

use std::{
    fs::File,
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::Path,
};

use nix::{
    fcntl::{OFlag, open, openat},
    sys::{
        stat::{Mode, futimens},
        time::TimeSpec,
    },
};

use crate::{
    holder::{
        program::Failure,
        spool::{self, Spool},
    },
    wire::{
        base64,
        holder::{Outcome, Place, READ_LIMIT},
    },
};

/// The first `limit` bytes of each file, together no more than [`READ_LIMIT`].
pub(super) fn read(spool: &Spool, ids: &[String], limit: u64) -> Result<Vec<Outcome>, Failure> {
    let mut left = READ_LIMIT;
    let outcome = |id: &String| {
        let (place, bytes) = read_one(spool, id, limit.min(left))?;
        let read = bytes.as_ref().map_or(0, Vec::len);
        left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(Outcome {
            queue_id: id.clone(),
            place,
            bytes: bytes.map(|bytes| base64::encode(&bytes)),
        })
    };
    ids.iter().map(outcome).collect()
}

/// A file that was moved between looking and opening is looked for once more.
fn read_one(spool: &Spool, id: &str, limit: u64) -> Result<(Place, Option<Vec<u8>>), Failure> {
    let attempt = || {
        let place = spool.locate(id)?;
        let bytes = spool::queue(place)
            .filter(|_| place != Place::Maildrop && limit > 0)
            .and_then(|queue| read_file(spool, queue, id, limit).ok());
        Ok((place, bytes))
    };
    match attempt()? {
        (place, Some(bytes)) => Ok((place, Some(bytes))),
        _ => attempt(),
    }
}

/// Makes mail on hold due now. A deferred file's modification time is its next attempt, up to `maximal_backoff_time` ahead,
/// and postsuper leaves it as it is; without this, released mail would wait for it. What cannot be changed waits.
pub(super) fn make_due(spool: &Spool, ids: &[&str]) {
    for id in ids {
        let changed = open_file(spool, "hold", id)
            .and_then(|file| Ok(futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)?));
        if let Err(error) = changed {
            tracing::debug!(queue_id = id, %error, "released mail waits for its next attempt");
        }
    }
}

fn read_file(spool: &Spool, queue: &str, id: &str, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(spool, queue, id)?
        .take(limit)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn open_file(spool: &Spool, queue: &str, id: &str) -> io::Result<File> {
    let directory = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let mut at: OwnedFd = open(&spool.directory, directory, Mode::empty())?;
    let path = spool.path(queue, id);
    for step in path.parent().into_iter().flat_map(Path::iter) {
        at = openat(&at, step, directory | OFlag::O_NOFOLLOW, Mode::empty())?;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = File::from(openat(&at, id, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() || found.uid() != File::from(at).metadata()?.uid() {
        return Err(io::Error::from(io::ErrorKind::PermissionDenied));
    }
    Ok(file)
}
