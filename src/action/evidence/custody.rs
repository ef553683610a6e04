//! The chain of custody: one line for each thing that was done with the evidence, each with the hash of the line before.
//!
//! `2026-11-23T08:26:25.000000Z<TAB>who<TAB>what<TAB>prev=<64 hex>`

use std::{io::Write, path::Path};

use super::{
    Bundle, CUSTODY, Error, MANIFEST,
    writer::{sha256, write_new},
};
use crate::{action::sheet::printable, time::Timestamp};

/// What the first line has before it.
const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The first line, with the hash of the manifest.
pub(super) fn begin(
    directory: &Path,
    bundle: &Bundle<'_>,
    samples: usize,
    manifest: &str,
) -> Result<(), Error> {
    let what = format!(
        "collected on {}, samples={samples}, manifest=sha256:{manifest}",
        printable(bundle.host, 255)
    );
    let who = format!("postwarden {}", bundle.version);
    let line = line(bundle.at, &who, &what, NONE);
    write_new(&directory.join(CUSTODY), line.as_bytes())
}

/// Adds a line: `who` did `what` with the evidence in `directory` (`exported to DIR`, `purged 512 messages`).
///
/// # Errors
/// When the file cannot be read or written.
pub fn note(directory: &Path, at: Timestamp, who: &str, what: &str) -> Result<(), Error> {
    let path = directory.join(CUSTODY);
    let before = fs_err::read_to_string(&path)?;
    let last = before.lines().last().unwrap_or_default();
    let line = line(at, who, what, &sha256(last.as_bytes()));
    let mut file = fs_err::OpenOptions::new().append(true).open(&path)?;
    if !before.is_empty() && !before.ends_with('\n') {
        // A line that a crash cut short stays as it is, and breaks the chain there for all to see.
        file.write_all(b"\n")?;
    }
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

fn line(at: Timestamp, who: &str, what: &str, previous: &str) -> String {
    let (who, what) = (printable(who, 100), printable(what, 1000));
    format!("{at}\t{who}\t{what}\tprev={previous}\n")
}

/// What is wrong with the chain, if anything is; `manifest` is the hash that the first line must carry.
pub(super) fn fault(log: &str, manifest: &str) -> Option<String> {
    let mut previous = NONE.to_owned();
    for (n, line) in log.lines().enumerate() {
        if !line.ends_with(&format!("\tprev={previous}")) {
            return Some(format!(
                "{CUSTODY}: line {} does not follow the one before",
                n + 1
            ));
        }
        if n == 0 && !line.contains(&format!("manifest=sha256:{manifest}\t")) {
            return Some(format!("{MANIFEST} is not the one that was collected"));
        }
        previous = sha256(line.as_bytes());
    }
    (previous == NONE).then(|| format!("{CUSTODY} is empty"))
}
