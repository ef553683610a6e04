//! Evidence: what was held, as it lay in the queue and as it reads, with the log lines and a manifest.
//!
//! ```text
//! evidence/PW-7/            0700, files 0600
//!   incident.txt            for people: what, when, why
//!   incident.json           the same for programs
//!   log.txt                 the log lines
//!   messages.tsv            every message of the incident, samples or not
//!   queue/4F2A1C0D3B        queue files, byte for byte (postcat(1) reads them)
//!   Maildir/new/4F2A1C0D3B.eml  the same as messages; any mail reader opens the Maildir
//!   MANIFEST.sha256         sha256sum -c MANIFEST.sha256
//!   custody.log             who did what with it; each line carries the hash of the one before
//! ```
//!
//! Written under another name, flushed to disk, then renamed: a directory `PW-7` is whole, always. What is there is
//! never written again: a second call finds it sound and leaves it, or finds it damaged and says so. More samples are a
//! new generation (`PW-7.1`).
//!
//! Limits: samples and bytes are capped ([`Caps`]) and spread over the messages; nothing is signed: who can write here can
//! forge, so keep the hash of the manifest elsewhere (the alert and the database have it).

mod choose;
mod custody;
mod pages;
mod verify;
mod writer;

use std::path::{Path, PathBuf};

use serde::Serialize;

use self::writer::{Writer, make_directory, sync_directory};

pub use self::{
    choose::choose,
    custody::note,
    verify::{Kept, Report, verify},
};
use crate::{
    action::{
        hands::{Hands, HandsError},
        incident_name,
    },
    engine::incident::Incident,
    telemetry::Fault,
    time::Timestamp,
};

const MANIFEST: &str = "MANIFEST.sha256";
const CUSTODY: &str = "custody.log";
const MESSAGES: &str = "messages.tsv";

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Samples at most.
    pub samples: usize,
    /// Bytes of all queue files together, at most.
    pub bytes: u64,
    /// Bytes of one queue file; what is longer is cut there, and not decoded.
    pub message_bytes: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            samples: 50,
            bytes: 100 * 1024 * 1024,
            message_bytes: 16 * 1024 * 1024,
        }
    }
}

/// A message of the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Its queue ID.
    pub queue_id: String,
    /// When it arrived.
    pub arrival: Timestamp,
    /// Recipients left.
    pub recipients: u64,
    /// Its size.
    pub bytes: u64,
    /// `held`, `husk`, ...
    pub state: String,
}

/// What goes into the directory beside the samples.
#[derive(Clone, Copy, Debug)]
pub struct Bundle<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// 0 for the first bundle of the incident.
    pub generation: u64,
    /// The relay.
    pub host: &'a str,
    /// postwarden's version.
    pub version: &'a str,
    /// When it is collected.
    pub at: Timestamp,
    /// Every message of the incident.
    pub messages: &'a [Message],
    /// The log lines, oldest first.
    pub log_lines: &'a [String],
}

impl Bundle<'_> {
    /// Name of its directory below `evidence/`.
    #[must_use]
    pub fn name(&self) -> String {
        let name = incident_name(self.incident.number);
        match self.generation {
            0 => name,
            n => format!("{name}.{n}"),
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The directory.
    pub directory: PathBuf,
    /// Its files, the manifest among them, by path.
    pub files: Vec<FileRecord>,
    /// How many messages are in it as samples.
    pub samples: usize,
    /// True when it was there already.
    pub already: bool,
}

/// One file of evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileRecord {
    /// Path below the directory.
    pub path: String,
    /// The message it is of.
    pub queue_id: Option<String>,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Disk full, no rights, no such file; the message names the path.
    #[error("evidence cannot be read or written")]
    Io(#[from] std::io::Error),
    /// The queue files cannot be read.
    #[error("queue files cannot be read")]
    Hands(#[from] HandsError),
    /// What is there is not what was written.
    #[error("{} is damaged: {what}", directory.display())]
    Damaged {
        /// The directory.
        directory: PathBuf,
        /// The first thing that is wrong.
        what: String,
    },
    /// It has no JSON form.
    #[error("incident has no JSON form")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// Who must act.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Io(_) => Fault::Environment,
            Self::Hands(error) => error.fault(),
            Self::Damaged { .. } => Fault::Operator,
            Self::Json(_) => Fault::Bug,
        }
    }
}

/// Keeps the evidence of an incident below `root`: reads the samples from the queue one by one, writes everything, and
/// answers only when it is on disk. A message that has left the queue meanwhile is left out.
///
/// # Errors
/// When the disk or the holder fails (nothing is left behind under the directory's name), or when a directory of that
/// name is there and damaged.
pub fn keep(
    hands: &mut dyn Hands,
    root: &Path,
    bundle: &Bundle<'_>,
    caps: &Caps,
) -> Result<Written, Error> {
    let directory = root.join(bundle.name());
    if directory.symlink_metadata().is_ok() {
        return found(&directory);
    }
    make_directory(root)?;
    let partial = root.join(format!(".{}.partial", bundle.name()));
    // What a crash left behind; nobody was told of it.
    if partial.symlink_metadata().is_ok() {
        fs_err::remove_dir_all(&partial)?;
    }
    let mut writer = Writer::new(&partial)?;
    let chosen = choose(bundle.messages, caps);
    let mut samples = Vec::new();
    for message in chosen.iter().filter_map(|at| bundle.messages.get(*at)) {
        if let Some(sample) = writer.sample(hands, message, caps)? {
            samples.push(sample);
        }
    }
    writer.put(MESSAGES, None, pages::table(bundle.messages).as_bytes())?;
    writer.put("log.txt", None, pages::log(bundle.log_lines).as_bytes())?;
    writer.put(
        "incident.txt",
        None,
        pages::text(bundle, &samples).as_bytes(),
    )?;
    writer.put("incident.json", None, &pages::record(bundle, &samples)?)?;
    let mut files = writer.finish(bundle, samples.len())?;
    fs_err::rename(&partial, &directory)?;
    sync_directory(root)?;
    files.sort_unstable();
    Ok(Written {
        directory,
        files,
        samples: samples.len(),
        already: false,
    })
}

/// A directory that is there already, if it is sound.
fn found(directory: &Path) -> Result<Written, Error> {
    let report = verify(directory)?;
    if let Some(what) = report.first_fault() {
        return Err(Error::Damaged {
            directory: directory.to_owned(),
            what,
        });
    }
    let samples = report
        .files
        .iter()
        .filter(|file| file.path.starts_with("queue/"))
        .count();
    Ok(Written {
        directory: directory.to_owned(),
        files: report.files,
        samples,
        already: true,
    })
}

#[cfg(test)]
mod tests;
