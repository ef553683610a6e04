//! The digest of pyzor's clients: SHA-1 over some of the normalised lines of a message.
//!
//! Which digest a client computes depends on its version and on that of Python ([`Profile`]). [`digests`] gives them all:
//! look all of them up, publish what [`Digests::publishable`] says.
//!
//! Never fails and never panics, whatever the bytes are. Where the reference dies the digest goes on as described at
//! [`Reading::reference_fails`]. Time and memory are linear in the size of the message; nesting and the number of parts are
//! capped ([`Digests::is_limited`]).
//!
//! Sources: the programs themselves (pyzor 1.0.0 and 1.1.2, Python 2.7 and 3.11), measured over the vectors in
//! `tests/data/pyzor`.

mod content_type;
mod draft;
mod entity;
mod header;
mod html;
mod lines;
mod mbox;
mod mime;
mod reader;
mod transfer;

use std::fmt;

use sha1::{Digest as _, Sha1};

use draft::Draft;
use html::Tokenizer;
use mime::Dialect;

pub use mbox::messages as mbox_messages;

/// A pyzor digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 20]);

impl Digest {
    /// That of a message without a usable line. It says nothing about content: never publish it, never look it up.
    pub const EMPTY: Self = Self([
        0xDA, 0x39, 0xA3, 0xEE, 0x5E, 0x6B, 0x4B, 0x0D, 0x32, 0x55, 0xBF, 0xEF, 0x95, 0x60, 0x18,
        0x90, 0xAF, 0xD8, 0x07, 0x09,
    ]);

    /// The 20 bytes of the SHA-1.
    pub const fn bytes(&self) -> &[u8; 20] {
        &self.0
    }

    fn of<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha1::new();
        for line in lines {
            hash.update(line);
        }
        Self(hash.finalize().into())
    }
}

/// 40 lower-case hexadecimal digits, as pyzor prints it.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whose digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// pyzor 1.0.0 with the HTML tokenizer of Python 3.5 to 3.13.0: most installed clients.
    Standard,
    /// The same with the HTML tokenizer of Debian 12's security update of 2026-10 (3.11.2-6+deb12u9).
    NewTokenizer,
    /// pyzor 1.1.x, which removes U+0000.
    NulFree,
    /// pyzor under Python 2: entities are dropped, white space is that of ASCII.
    Python2,
}

impl Profile {
    /// All of them, the one whose value counts first.
    pub const ALL: [Self; 4] = [
        Self::Standard,
        Self::NewTokenizer,
        Self::NulFree,
        Self::Python2,
    ];

    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::NewTokenizer => "new-tokenizer",
            Self::NulFree => "nul-free",
            Self::Python2 => "python2",
        }
    }
}

/// What one kind of client reads in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The digest.
    pub digest: Digest,
    /// The client dies on this message and prints nothing. The digest then is the one that [`Profile::NewTokenizer`] has,
    /// and where that one dies too, what it would be if it did not.
    pub reference_fails: bool,
    /// How many lines are usable; at most six of them are hashed.
    pub usable_lines: usize,
    /// The lines that are hashed, in hash order, in UTF-8 (`pyzor predigest`).
    pub hashed_lines: Vec<String>,
}

/// The digests of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    readings: [Reading; 4],
    limited: bool,
}

impl Digests {
    /// The digest that counts: what pyzor 1.0.0 prints.
    pub fn primary(&self) -> Digest {
        self.reading(Profile::Standard).digest
    }

    /// What one kind of client reads.
    pub fn reading(&self, profile: Profile) -> &Reading {
        let [standard, new, nul, python2] = &self.readings;
        match profile {
            Profile::Standard => standard,
            Profile::NewTokenizer => new,
            Profile::NulFree => nul,
            Profile::Python2 => python2,
        }
    }

    /// The distinct digests that may be published or looked up, the primary one first; never [`Digest::EMPTY`].
    pub fn publishable(&self) -> Vec<Digest> {
        let mut out = Vec::with_capacity(1);
        for reading in &self.readings {
            if reading.digest != Digest::EMPTY && !out.contains(&reading.digest) {
                out.push(reading.digest);
            }
        }
        out
    }

    /// Whether a cap was reached (nesting beyond 100 levels, where the reference dies sooner or later, or more than
    /// 100,000 parts): the digests need not be those of any client.
    pub const fn is_limited(&self) -> bool {
        self.limited
    }
}

/// Computes the digests of a message as it lies in a file: header, blank line, body.
pub fn digests(message: &[u8]) -> Digests {
    let tree = mime::parse(message, Dialect::Python3);
    let mut draft = Draft::new(&tree, Tokenizer::A);
    if tree.has_nameless_field {
        let old = Draft::new(&mime::parse(message, Dialect::Python2), Tokenizer::A);
        draft.python2 = Some(old.python2.unwrap_or(old.main));
    }
    if draft.deaths.marked_section {
        // The other profiles keep what they have; these two are computed as the newer tokenizer reads the message.
        let newer = Draft::new(&tree, Tokenizer::B);
        draft.python2 = Some(draft.python2.unwrap_or(draft.main));
        draft.new_tokenizer = None;
        draft.main = newer.main;
        draft.nul_free = newer.nul_free;
    }
    draft.finish(tree.limited)
}

#[cfg(test)]
mod tests;
