//! What of an incident's samples can be published: digests that enough samples agree on, and never the digest of nothing.
//!
//! What comes out are rows for the record; servers answer from there. To withdraw is a row as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
};

/// SHA-1 of no text: what pyzor makes of a message that is only a picture or a link. It would match all of those.
const NOTHING: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// Digests and how many of the samples have each, the most frequent first; only those of at least `agree` samples
/// (at least one). `digests_of` gives all digests of one message; the digest of nothing is left out whoever gives it.
pub fn agreed<'s>(
    samples: impl IntoIterator<Item = &'s [u8]>,
    digests_of: &dyn Fn(&[u8]) -> Vec<String>,
    agree: u64,
) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for sample in samples {
        let distinct: BTreeSet<String> = digests_of(sample)
            .into_iter()
            .map(|digest| digest.to_ascii_lowercase())
            .filter(|digest| is_publishable(digest))
            .collect();
        for digest in distinct {
            *counts.entry(digest).or_default() += 1;
        }
    }
    let mut agreed: Vec<(String, u64)> = counts
        .into_iter()
        .filter(|(_, samples)| *samples >= agree.max(1))
        .collect();
    agreed.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    agreed
}

/// The decoded samples of an evidence directory, as [`agreed`] takes them.
///
/// # Errors
/// When the directory cannot be read; the message names the path.
pub fn samples(evidence: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(evidence.join("Maildir/new"))? {
        paths.push(entry?.path());
    }
    paths.sort_unstable();
    paths.iter().map(fs_err::read).collect()
}

/// False for a digest without a value, and for that of nothing.
#[must_use]
pub fn is_publishable(digest: &str) -> bool {
    let value = digest.rsplit(':').next().unwrap_or_default();
    !value.is_empty() && !value.eq_ignore_ascii_case(NOTHING)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two digests for a message: of its text, and of its length; the empty text has the digest of nothing.
    fn digests(message: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(message);
        let first = if text.is_empty() {
            "pyzor:DA39A3EE5E6B4B0D3255BFEF95601890AFD80709".to_owned()
        } else {
            format!("pyzor:{text}")
        };
        vec![first, format!("length:{}", text.len()), "fuzzy:".to_owned()]
    }

    #[test]
    fn what_enough_samples_agree_on_is_published() {
        let samples: [&[u8]; 4] = [b"aa", b"aa", b"bb", b""];
        assert_eq!(
            agreed(samples, &digests, 2),
            [("length:2".to_owned(), 3), ("pyzor:aa".to_owned(), 2)]
        );
    }

    #[test]
    fn the_digest_of_nothing_is_never_published() {
        let samples: [&[u8]; 3] = [b"", b"", b""];
        assert_eq!(agreed(samples, &digests, 0), [("length:0".to_owned(), 3)]);
        assert!(!is_publishable(NOTHING));
        assert!(!is_publishable("pyzor:"));
    }
}
