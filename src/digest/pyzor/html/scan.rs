//! The text under the tokenizer: bytes, blanks, searches.

use memchr::memchr;

use super::{Html, Tokenizer};
use crate::digest::character::white;

impl<'a> Html<'a> {
    pub(super) fn at(&self, position: usize) -> Option<u8> {
        self.source.get(position).copied()
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.source
            .get(from..to.min(self.source.len()))
            .unwrap_or_default()
    }

    pub(super) fn find(&self, byte: u8, from: usize) -> Option<usize> {
        memchr(byte, self.source.get(from..)?).map(|at| from + at)
    }

    /// Bytes of the blank at `at`, as the tokenizer has them within tags; 0 if there is none.
    #[inline]
    pub(super) fn blank(&self, at: usize) -> usize {
        match self.tokenizer {
            Tokenizer::A => white(self.source, at),
            Tokenizer::B => usize::from(matches!(
                self.source.get(at),
                Some(b'\t' | b'\n' | b'\r' | 0x0C | b' ')
            )),
            Tokenizer::Python2 => {
                usize::from(matches!(self.source.get(at), Some(0x09..=0x0D | b' ')))
            }
        }
    }

    pub(super) fn blanks(&self, at: usize) -> usize {
        let mut at = at;
        loop {
            match self.blank(at) {
                0 => return at,
                length => at += length,
            }
        }
    }

    /// The same by Unicode rules in both tokenizers of Python 3.
    pub(super) fn wide_blanks(&self, at: usize) -> usize {
        if self.tokenizer == Tokenizer::Python2 {
            return self.blanks(at);
        }
        let mut at = at;
        loop {
            match white(self.source, at) {
                0 => return at,
                length => at += length,
            }
        }
    }

    pub(super) fn blanks_and_slashes(&self, at: usize) -> usize {
        let mut at = at;
        loop {
            match self.blank(at) {
                0 if self.at(at) == Some(b'/') => at += 1,
                0 => return at,
                length => at += length,
            }
        }
    }

    /// Behind blanks, and slashes that no `>` follows.
    pub(super) fn slashes(&self, at: usize) -> usize {
        let mut at = at;
        loop {
            match self.blank(at) {
                0 if self.at(at) == Some(b'/') && self.at(at + 1) != Some(b'>') => at += 1,
                0 => return at,
                length => at += length,
            }
        }
    }
}
