//! HTML to text as pyzor does it: the chunks between pieces of markup, joined with one space.
//!
//! Three tokenizers of Python's `html.parser`, quirks included. All stop for good at the first construct that is not
//! complete by the end of the text, since pyzor never says that the input ended. Each character is looked at a bounded
//! number of times.

mod declaration;
mod scan;
mod tag;

use memchr::memchr;

use super::entity;
use crate::digest::character::{previous, strip};

/// Which tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokenizer {
    /// Python 3.5 to 3.13.0.
    A,
    /// Debian 12's 3.11.2-6+deb12u9.
    B,
    /// Python 2.7: like A, but white space is that of ASCII and entities are dropped, each a border between two chunks.
    Python2,
}

/// The text of a document.
#[derive(Debug, Default)]
pub(super) struct Stripped {
    /// The chunks, joined.
    pub(super) text: Vec<u8>,
    /// The older tokenizer dies of a marked section with an unknown name; the text ends there.
    pub(super) marked_section: bool,
    /// The reference dies of a number with more than 4300 digits; the text goes on.
    pub(super) long_number: bool,
}

/// Characters behind a last `&` within which the end of the text may be an incomplete entity.
const ENTITY_TAIL: usize = 34;

/// Strips a document.
pub(super) fn text(source: &[u8], tokenizer: Tokenizer) -> Stripped {
    let mut html = Html {
        source,
        tokenizer,
        out: Stripped::default(),
        collect: true,
        raw: None,
        scratch: Vec::new(),
    };
    // Each step goes forward or is the last one.
    let mut at = Some(0);
    while let Some(position) = at.filter(|position| *position < source.len()) {
        at = html.step(position);
    }
    html.out
}

struct Html<'a> {
    source: &'a [u8],
    tokenizer: Tokenizer,
    out: Stripped,
    collect: bool,
    /// Within `script` or `style`: that name.
    raw: Option<&'static [u8]>,
    scratch: Vec<u8>,
}

/// `None` in place of a position: the rest of the text is lost.
type Next = Option<usize>;

impl<'a> Html<'a> {
    fn step(&mut self, at: usize) -> Next {
        if self.tokenizer == Tokenizer::Python2 && self.raw.is_none() {
            return self.step_python2(at);
        }
        let markup = match self.raw {
            Some(name) => self.find_close(at, name)?,
            None => match self.find(b'<', at) {
                Some(markup) => markup,
                None if self.ends_in_entity(at) => return None,
                None => self.source.len(),
            },
        };
        if at < markup {
            let chunk = self.slice(at, markup);
            if self.raw.is_none() && memchr(b'&', chunk).is_some() {
                self.expanded(chunk);
            } else {
                self.chunk(chunk);
            }
        }
        self.markup(markup)
    }

    /// Python 2 looks for markup and entities at once.
    fn step_python2(&mut self, at: usize) -> Next {
        let rest = self.slice(at, self.source.len());
        let found = memchr::memchr2(b'<', b'&', rest).map_or(self.source.len(), |found| at + found);
        self.chunk(self.slice(at, found));
        if self.at(found) == Some(b'&') {
            self.entity_python2(found)
        } else {
            self.markup(found)
        }
    }

    fn entity_python2(&mut self, at: usize) -> Next {
        let rest = self.slice(at + 1, self.source.len());
        let (end, known) = match rest {
            [b'#', number @ ..] => {
                let length = entity::number_length(number);
                let next = number.get(length);
                (
                    at + 2 + length,
                    length > 0 && next.is_some_and(|byte| !byte.is_ascii_hexdigit()),
                )
            }
            [first, ..] if first.is_ascii_alphabetic() => {
                let length = entity::name_length_python2(rest);
                (at + 1 + length.unwrap_or_default(), length.is_some())
            }
            [] => return None,
            _ => {
                self.chunk(b"&");
                return Some(at + 1);
            }
        };
        if known {
            let semicolon = usize::from(self.at(end) == Some(b';'));
            return Some(end + semicolon);
        }
        if rest.first() == Some(&b'#') && memchr(b';', rest).is_some() {
            self.chunk(b"&#");
        }
        None
    }

    fn markup(&mut self, markup: usize) -> Next {
        match self.slice(markup, self.source.len()) {
            [] | [_] => None,
            [_, letter, ..] if letter.is_ascii_alphabetic() => self.start_tag(markup),
            [_, b'/', ..] => self.end_tag(markup),
            [_, b'!', b'-', b'-', ..] => self.closed_by(markup + 4, b"--"),
            [_, b'?', ..] => self.find(b'>', markup + 2).map(|end| end + 1),
            [_, b'!', ..] => self.declaration(markup),
            _ => {
                self.chunk(b"<");
                Some(markup + 1)
            }
        }
    }

    /// Whether the text after `at` ends in what may be the beginning of an entity.
    fn ends_in_entity(&self, at: usize) -> bool {
        let mut from = self.source.len();
        for _ in 0..ENTITY_TAIL {
            from = previous(self.source, from);
        }
        let from = from.max(at);
        let tail = self.slice(from, self.source.len());
        let Some(amp) = memchr::memrchr(b'&', tail) else {
            return false;
        };
        let mut position = from + amp;
        while let Some(byte) = self.at(position) {
            if byte == b';' || self.blank(position) > 0 {
                return false;
            }
            position += 1;
        }
        true
    }

    fn expanded(&mut self, chunk: &[u8]) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.out.long_number |= !entity::expand(chunk, &mut scratch);
        self.chunk(&scratch);
        self.scratch = scratch;
    }

    fn chunk(&mut self, text: &[u8]) {
        let text = strip(text);
        if !self.collect || text.is_empty() {
            return;
        }
        if !self.out.text.is_empty() {
            self.out.text.push(b' ');
        }
        self.out.text.extend_from_slice(text);
    }
}
