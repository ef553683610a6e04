//! Is the evidence what was written?

use std::{
    collections::BTreeSet,
    io::Read,
    path::{Component, Path},
};

use sha2::{Digest, Sha256};

use super::{
    CUSTODY, Error, FileRecord, MANIFEST, MESSAGES, custody,
    writer::{hex, sha256},
};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Files that are as the manifest says, the manifest among them.
    pub files: Vec<FileRecord>,
    /// Listed, but not there.
    pub missing: Vec<String>,
    /// There, but different, or no plain file.
    pub changed: Vec<String>,
    /// There, but not listed.
    pub unlisted: Vec<String>,
    /// What is wrong with the manifest itself or the chain of custody.
    pub broken: Option<String>,
    /// Queue IDs of the messages that the evidence speaks of.
    messages: BTreeSet<String>,
}

impl Report {
    /// True when everything is as it was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.first_fault().is_none()
    }

    /// The first thing that is wrong.
    #[must_use]
    pub fn first_fault(&self) -> Option<String> {
        let named = |what: &str, names: &[String]| {
            let name = names.first()?;
            Some(format!("{name} {what}"))
        };
        self.broken
            .clone()
            .or_else(|| named("was changed", &self.changed))
            .or_else(|| named("is missing", &self.missing))
            .or_else(|| named("was added", &self.unlisted))
    }

    /// The right to delete what the evidence speaks of; `None` unless it is sound.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        self.is_sound().then(|| Kept {
            messages: self.messages.clone(),
        })
    }
}

/// Messages of which there is sound evidence on disk. Only [`verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    messages: BTreeSet<String>,
}

impl Kept {
    /// Whether the evidence speaks of that message.
    #[must_use]
    pub fn has(&self, queue_id: &str) -> bool {
        self.messages.contains(queue_id)
    }

    /// This and another generation's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.messages.extend(other.messages);
        self
    }

    #[cfg(test)]
    pub(in crate::action) fn for_tests(messages: impl IntoIterator<Item = String>) -> Self {
        Self {
            messages: messages.into_iter().collect(),
        }
    }
}

/// Compares a directory with its manifest and its chain of custody.
///
/// # Errors
/// When it cannot be read; that something is missing or changed is no error but in the report.
pub fn verify(directory: &Path) -> Result<Report, Error> {
    let mut report = Report::default();
    let Some((manifest, hash)) = text(directory, MANIFEST, &mut report)? else {
        return Ok(report);
    };
    let mut listed = BTreeSet::new();
    for line in manifest.lines() {
        let Some((sha256, path)) = line.split_once("  ").filter(|(_, path)| is_below(path)) else {
            report.broken = Some(format!("{MANIFEST} has a line that is none"));
            return Ok(report);
        };
        listed.insert(path.to_owned());
        check(directory, path, sha256, &mut report)?;
    }
    report.files.push(FileRecord {
        path: MANIFEST.to_owned(),
        queue_id: None,
        bytes: u64::try_from(manifest.len()).unwrap_or(u64::MAX),
        sha256: hash.clone(),
    });
    report.files.sort_unstable();
    listed.extend([MANIFEST.to_owned(), CUSTODY.to_owned()]);
    if let Some((log, _)) = text(directory, CUSTODY, &mut report)? {
        report.broken = custody::fault(&log, &hash);
    }
    unlisted(directory, directory, &listed, &mut report)?;
    if report.is_sound()
        && let Some((table, _)) = text(directory, MESSAGES, &mut report)?
    {
        report.messages = table
            .lines()
            .skip(1)
            .filter_map(|line| line.split('\t').next())
            .map(str::to_owned)
            .collect();
    }
    Ok(report)
}

/// One listed file.
fn check(directory: &Path, path: &str, sha256: &str, report: &mut Report) -> Result<(), Error> {
    let full = directory.join(path);
    let Ok(metadata) = full.symlink_metadata() else {
        report.missing.push(path.to_owned());
        return Ok(());
    };
    if !metadata.is_file() || hash_file(&full)? != sha256 {
        report.changed.push(path.to_owned());
        return Ok(());
    }
    let queue_id = path
        .strip_prefix("queue/")
        .or_else(|| path.strip_prefix("Maildir/new/")?.strip_suffix(".eml"));
    report.files.push(FileRecord {
        path: path.to_owned(),
        queue_id: queue_id.map(str::to_owned),
        sha256: sha256.to_owned(),
        bytes: metadata.len(),
    });
    Ok(())
}

/// A text of ours and its hash; when it is not there or is none, that is in the report.
fn text(
    directory: &Path,
    name: &str,
    report: &mut Report,
) -> Result<Option<(String, String)>, Error> {
    let path = directory.join(name);
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => {}
        _ => {
            report.missing.push(name.to_owned());
            return Ok(None);
        }
    }
    let bytes = fs_err::read(&path)?;
    let hash = sha256(&bytes);
    let Ok(text) = String::from_utf8(bytes) else {
        report.changed.push(name.to_owned());
        return Ok(None);
    };
    Ok(Some((text, hash)))
}

fn hash_file(path: &Path) -> Result<String, Error> {
    let mut file = fs_err::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

/// Files that nobody wrote down. Mail readers move messages from `new` to `cur` and change their names: that is a
/// change, so they shall look at a copy.
fn unlisted(
    top: &Path,
    directory: &Path,
    listed: &BTreeSet<String>,
    report: &mut Report,
) -> Result<(), Error> {
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            unlisted(top, &path, listed, report)?;
            continue;
        }
        let name = path.strip_prefix(top).unwrap_or(&path).to_string_lossy();
        if !listed.contains(name.as_ref()) {
            report.unlisted.push(name.into_owned());
        }
    }
    Ok(())
}

/// No way out of the directory.
fn is_below(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}
