//! Writes a bundle: every file is new, 0600, flushed, and its hash remembered.

use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Bundle, Caps, Error, FileRecord, MANIFEST, Message, custody};
use crate::{
    action::{hands::Hands, hold},
    postfix::{queue_file::QueueFile, queue_id},
    wire::base64,
};

/// What is known of one sample.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Sample {
    pub(super) queue_id: String,
    /// False when the queue file was longer than the cap.
    whole: bool,
    /// False when it could not be taken apart; the queue file is there all the same.
    decoded: bool,
    recipients: Vec<Box<str>>,
    served: u32,
}

/// Writes files, flushes them, and remembers their hashes.
pub(super) struct Writer {
    directory: PathBuf,
    files: Vec<FileRecord>,
}

impl Writer {
    pub(super) fn new(directory: &Path) -> Result<Self, Error> {
        for part in ["queue", "Maildir/cur", "Maildir/new", "Maildir/tmp"] {
            make_directory(&directory.join(part))?;
        }
        Ok(Self {
            directory: directory.to_owned(),
            files: Vec::new(),
        })
    }

    pub(super) fn put(
        &mut self,
        path: &str,
        queue_id: Option<&str>,
        bytes: &[u8],
    ) -> Result<(), Error> {
        write_new(&self.directory.join(path), bytes)?;
        self.files.push(FileRecord {
            path: path.to_owned(),
            queue_id: queue_id.map(str::to_owned),
            sha256: sha256(bytes),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        });
        Ok(())
    }

    /// One message at a time, so that memory holds one.
    pub(super) fn sample(
        &mut self,
        hands: &mut dyn Hands,
        message: &Message,
        caps: &Caps,
    ) -> Result<Option<Sample>, Error> {
        let id = &message.queue_id;
        if !queue_id::is_valid(id) {
            return Ok(None);
        }
        let outcomes = hold::read(hands, std::slice::from_ref(id), caps.message_bytes)?;
        let Some(raw) = outcomes
            .iter()
            .find(|outcome| outcome.queue_id == *id)
            .and_then(|outcome| outcome.bytes.as_deref())
            .and_then(base64::decode)
        else {
            return Ok(None);
        };
        self.put(&format!("queue/{id}"), Some(id), &raw)?;
        let file = QueueFile::parse(&raw);
        let whole = file.as_ref().is_some_and(|file| file.complete);
        if let Some(file) = file.as_ref().filter(|file| file.complete) {
            self.put(&format!("Maildir/new/{id}.eml"), Some(id), &file.content)?;
        }
        let head = file.map(|file| file.head).unwrap_or_default();
        Ok(Some(Sample {
            queue_id: id.clone(),
            whole,
            decoded: whole,
            recipients: head.recipients,
            served: head.done,
        }))
    }

    /// Manifest, custody, and everything flushed.
    pub(super) fn finish(
        mut self,
        bundle: &Bundle<'_>,
        samples: usize,
    ) -> Result<Vec<FileRecord>, Error> {
        self.files.sort_unstable();
        let manifest: String = self
            .files
            .iter()
            .map(|file| format!("{}  {}\n", file.sha256, file.path))
            .collect();
        self.put(MANIFEST, None, manifest.as_bytes())?;
        custody::begin(
            &self.directory,
            bundle,
            samples,
            &sha256(manifest.as_bytes()),
        )?;
        for part in [
            "queue",
            "Maildir/cur",
            "Maildir/new",
            "Maildir/tmp",
            "Maildir",
            "",
        ] {
            sync_directory(&self.directory.join(part))?;
        }
        Ok(self.files)
    }
}

pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)?;
    Ok(())
}

/// Writes a file that does not exist yet, 0600, and flushes it.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = fs_err::OpenOptions::from_options(options).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}

pub(super) fn sync_directory(path: &Path) -> Result<(), Error> {
    fs_err::File::open(path)?.sync_all()?;
    Ok(())
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
