//! What rotation made of a log: the files beside it that carry its name and a number or a date.

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
};

use super::{
    cursor::{Fingerprint, HEAD, Mark},
    piece::{mark, read_at, read_full},
};
use crate::source::archive;

/// A former generation.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) file: File,
    pub(super) packed: bool,
    pub(super) mark: Mark,
    /// Its first bytes, for comparison.
    pub(super) head: Vec<u8>,
    name: String,
    rank: Rank,
}

/// How its name orders it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// `.1` is the youngest.
    Number(u64),
    /// `-20261123`, `.20261123-084000`: digits.
    Date(String),
}

impl Generation {
    /// True when a file that was read so far is this one.
    pub(super) fn is(&self, mark: &Mark) -> bool {
        mark.head.fits(&self.head)
    }

    /// True when it begins as a file does whose first bytes are given: a copy of it, whole or not yet.
    pub(super) fn begins_like(&self, start: &[u8]) -> bool {
        let length = start.len().min(self.head.len());
        length > 0 && start.get(..length) == self.head.get(..length)
    }
}

/// How often a directory is read that changes under our hands.
const TRIES: usize = 20;

/// A name, what it says, whether it is compressed, and its file's number.
type Name = (Rank, bool, String, u64);

/// The generations of the log at `path`, oldest first. A name with a compressed and a plain file is one generation, still
/// being compressed; what cannot be opened is left out.
///
/// Rotation renames one file after the other: between reading the names and opening the last file one may have moved past
/// us. So the names are read again, and only where nothing has changed meanwhile is it the truth.
pub(super) fn list(path: &Path) -> io::Result<Vec<Generation>> {
    let mut names = names(path)?;
    for _ in 0..TRIES {
        let found = open_all(path, &names);
        let again = self::names(path)?;
        if again == names {
            return Ok(found);
        }
        names = again;
    }
    let text = format!(
        "{}: its old files are being renamed all the time",
        path.display()
    );
    Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
}

fn names(path: &Path) -> io::Result<Vec<Name>> {
    let base = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let mut names = Vec::new();
    for entry in fs_err::read_dir(directory(path))? {
        let entry = entry?;
        let number = entry.ino();
        if let Ok(name) = entry.file_name().into_string()
            && let Some((rank, packed)) = rank(base, &name)
        {
            names.push((rank, packed, name, number));
        }
    }
    names.sort();
    Ok(names)
}

fn open_all(path: &Path, names: &[Name]) -> Vec<Generation> {
    let directory = directory(path);
    let mut found: Vec<Generation> = Vec::new();
    let mut last = None;
    for (rank, packed, name, _) in names {
        if last.replace(rank) == Some(rank) {
            continue;
        }
        if let Ok(Some(generation)) =
            open(directory.join(name), name.clone(), rank.clone(), *packed)
            && !found.iter().any(|other| {
                (other.mark.device, other.mark.inode)
                    == (generation.mark.device, generation.mark.inode)
            })
        {
            found.push(generation);
        }
    }
    sort(&mut found);
    found
}

/// The directory that a log lies in.
pub(super) fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

/// By number or by date; where both kinds lie side by side, by the time of the last change.
fn sort(found: &mut [Generation]) {
    if found.iter().all(|g| matches!(g.rank, Rank::Number(_))) {
        found.sort_by(|a, b| b.rank.cmp(&a.rank));
    } else if found.iter().all(|g| matches!(g.rank, Rank::Date(_))) {
        found.sort_by(|a, b| a.rank.cmp(&b.rank));
    } else {
        found.sort_by(|a, b| (a.mark.modified, &a.name).cmp(&(b.mark.modified, &b.name)));
    }
}

fn open(path: PathBuf, name: String, rank: Rank, packed: bool) -> io::Result<Option<Generation>> {
    let file = fs_err::File::open(path)?.into_parts().0;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let mut head = vec![0; HEAD];
    let length = if packed {
        read_full(&mut archive::unpacked(file.try_clone()?)?, &mut head)?
    } else {
        read_at(&file, &mut head, 0)?
    };
    head.truncate(length);
    if head.is_empty() {
        return Ok(None);
    }
    if packed {
        // The copy of the descriptor shares its position.
        io::Seek::rewind(&mut &file)?;
    }
    Ok(Some(Generation {
        mark: mark(&metadata, Fingerprint::of(&head)),
        file,
        packed,
        head,
        name,
        rank,
    }))
}

/// What a name says, if it is that of a generation: `base.1`, `base.2.gz`, `base-20261123.zst`, `base.20261123-084000`, and
/// with the extension kept at the end (`mail-20261123.log` of `mail.log`).
fn rank(base: &str, name: &str) -> Option<(Rank, bool)> {
    let packed = archive::is_packed_name(name);
    let plain = archive::PACKED
        .iter()
        .find_map(|extension| name.strip_suffix(extension))
        .unwrap_or(name);
    let kept = base.rsplit_once('.').and_then(|(stem, extension)| {
        plain
            .strip_prefix(stem)?
            .strip_suffix(extension)?
            .strip_suffix('.')
    });
    let suffix = plain.strip_prefix(base).or(kept)?;
    let suffix = suffix.strip_prefix(['.', '-', '_'])?;
    let digits: String = suffix.chars().filter(char::is_ascii_digit).collect();
    let sound = suffix
        .chars()
        .all(|c| c.is_ascii_digit() || "-._T:+Z".contains(c));
    if digits.is_empty() || !sound {
        return None;
    }
    let rank = if digits.len() < 6 && digits == suffix {
        Rank::Number(digits.parse().ok()?)
    } else {
        Rank::Date(digits)
    };
    Some((rank, packed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_generations_are_known_and_others_are_not() {
        let number = |n| Some((Rank::Number(n), false));
        let date = |d: &str, packed| Some((Rank::Date(d.to_owned()), packed));
        assert_eq!(rank("mail.log", "mail.log.1"), number(1));
        assert_eq!(
            rank("mail.log", "mail.log.12.gz"),
            Some((Rank::Number(12), true))
        );
        assert_eq!(
            rank("maillog", "maillog-20261123.zst"),
            date("20261123", true)
        );
        assert_eq!(
            rank("maillog", "maillog.20261123-084000"),
            date("20261123084000", false)
        );
        assert_eq!(
            rank("mail.log", "mail-20261123.log.xz"),
            date("20261123", true)
        );
        for other in [
            "mail.log",
            "mail.log.bak",
            "mail.log.1~",
            "mail.err.1",
            "mail.log.gz",
        ] {
            assert_eq!(rank("mail.log", other), None, "{other}");
        }
    }
    #[test]
    fn no_generation_is_missed_while_they_are_renamed() {
        let directory = tempfile::tempdir().unwrap();
        let name = |n: usize| directory.path().join(format!("mail.log.{n}"));
        let log = directory.path().join("mail.log");
        for n in 1..=8 {
            std::fs::write(name(n), format!("generation {n}\n")).unwrap();
        }
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut first = 1;
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    for n in (first..first + 8).rev() {
                        std::fs::rename(name(n), name(n + 1)).unwrap();
                    }
                    first += 1;
                    // The race is between the names, not for the processor; what is asserted waits for nothing.
                    std::thread::sleep(std::time::Duration::from_micros(500));
                }
            });
            for _ in 0..300 {
                if let Ok(found) = list(&log) {
                    let heads: Vec<_> = found.iter().map(|g| &*g.head).collect();
                    let expected: Vec<_> =
                        (1..=8).rev().map(|n| format!("generation {n}\n")).collect();
                    assert!(
                        heads.iter().zip(&expected).all(|(a, b)| *a == b.as_bytes()),
                        "{heads:?}"
                    );
                    assert_eq!(heads.len(), 8);
                }
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
