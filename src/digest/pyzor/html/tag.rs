//! Start and end tags.

use memchr::memmem;

use super::{Html, Next, Tokenizer};
use crate::digest::character::{next, previous, strip};

impl Html<'_> {
    pub(super) fn start_tag(&mut self, at: usize) -> Next {
        let name_end = self.name_end(at + 1);
        let name = self.slice(at + 1, name_end);
        let end = self.tag_end(self.attributes_end(name_end))?;
        // The second scan decides between a start tag, an empty element and plain text.
        let mut position = self.slashes(name_end);
        while position < end {
            let Some(attribute) = self.attribute(position) else {
                break;
            };
            position = self.slashes(attribute);
        }
        match strip(self.slice(position, end)) {
            b">" => {
                if let Some(name) = raw_name(name) {
                    self.collect = false;
                    self.raw = Some(name);
                }
            }
            b"/>" => self.collect |= raw_name(name).is_some(),
            _ => self.chunk(self.slice(at, end)),
        }
        Some(end)
    }

    /// Where the tag ends whose attributes end at `at`.
    fn tag_end(&self, at: usize) -> Next {
        match (self.tokenizer, self.slice(at, self.source.len())) {
            (_, [b'>', ..]) => Some(at + 1),
            (Tokenizer::B, _) | (_, []) => None,
            (_, [b'/', b'>', ..]) => Some(at + 2),
            (_, [b'/' | b'=' | b'a'..=b'z' | b'A'..=b'Z', ..]) => None,
            _ => Some(at),
        }
    }

    fn name_end(&self, from: usize) -> usize {
        let nul_ends = self.tokenizer != Tokenizer::B;
        self.slice(from, self.source.len())
            .iter()
            .position(|byte| {
                matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | b' ' | b'/' | b'>')
                    || nul_ends && *byte == 0
            })
            .map_or(self.source.len(), |length| from + length)
    }

    /// Where the greedy scan of attributes behind a tag name ends.
    fn attributes_end(&self, name_end: usize) -> usize {
        let mut at = self.blanks_and_slashes(name_end);
        while let Some(end) = self.attribute(at) {
            at = match self.tokenizer {
                Tokenizer::A | Tokenizer::Python2 => self.slashes(self.blanks(end)),
                Tokenizer::B => self.blanks_and_slashes(end),
            };
        }
        match self.tokenizer {
            Tokenizer::A | Tokenizer::Python2 => self.blanks(at),
            Tokenizer::B => at,
        }
    }

    /// Where the attribute at `at` ends, its value included.
    fn attribute(&self, at: usize) -> Option<usize> {
        let first = self.at(at)?;
        if matches!(first, b'/' | b'>') || self.blank(at) > 0 {
            return None;
        }
        let before = previous(self.source, at);
        let separated =
            matches!(self.at(before), Some(b'\'' | b'"' | b'/')) || self.blank(before) > 0;
        if !separated {
            return None;
        }
        let mut end = next(self.source, at);
        while let Some(byte) = self.at(end) {
            if matches!(byte, b'/' | b'=' | b'>') || self.blank(end) > 0 {
                break;
            }
            end += 1;
        }
        Some(self.value(end).unwrap_or(end))
    }

    /// Where `= value` behind an attribute name ends.
    fn value(&self, at: usize) -> Option<usize> {
        let equals = self.blanks(at);
        let mut after = equals;
        while self.at(after) == Some(b'=') {
            after += 1;
            if self.tokenizer == Tokenizer::B {
                break;
            }
        }
        if after == equals {
            return None;
        }
        let mut start = self.blanks(after);
        if let Some(quote @ (b'\'' | b'"')) = self.at(start) {
            if let Some(close) = self.find(quote, start + 1) {
                return Some(close + 1);
            }
            if start > after {
                // An empty value; the last blank is left over.
                return Some(previous(self.source, start));
            }
            if after - equals < 2 {
                return None;
            }
            // The last equals sign begins the value.
            start = after - 1;
        }
        let mut end = start;
        while let Some(byte) = self.at(end) {
            if byte == b'>' || self.blank(end) > 0 {
                break;
            }
            end += 1;
        }
        Some(end)
    }

    /// The next closing tag of a raw text element.
    pub(super) fn find_close(&self, from: usize, name: &[u8]) -> Next {
        let rest = self.slice(from, self.source.len());
        memmem::find_iter(rest, b"</")
            .map(|at| from + at)
            .find(|at| self.closes(at + 2, name))
    }

    fn closes(&self, at: usize, name: &[u8]) -> bool {
        match self.tokenizer {
            Tokenizer::A | Tokenizer::Python2 => self
                .after_name_folded(self.blanks(at), name)
                .is_some_and(|end| self.at(self.blanks(end)) == Some(b'>')),
            Tokenizer::B => {
                let end = at + name.len();
                self.slice(at, end).eq_ignore_ascii_case(name)
                    && matches!(
                        self.at(end),
                        Some(b'\t' | b'\n' | b'\r' | 0x0C | b' ' | b'/' | b'>')
                    )
            }
        }
    }

    /// Behind a name in any case, U+017F taken for an s.
    fn after_name_folded(&self, at: usize, name: &[u8]) -> Option<usize> {
        let mut at = at;
        for letter in name {
            let byte = self.at(at)?;
            if byte.eq_ignore_ascii_case(letter) {
                at += 1;
            } else if self.tokenizer == Tokenizer::A
                && *letter == b's'
                && self.slice(at, at + 2) == [0xC5, 0xBF]
            {
                at += 2;
            } else {
                return None;
            }
        }
        Some(at)
    }

    pub(super) fn end_tag(&mut self, at: usize) -> Next {
        match self.tokenizer {
            Tokenizer::A | Tokenizer::Python2 => self.end_tag_a(at),
            Tokenizer::B => self.end_tag_b(at),
        }
    }

    fn end_tag_a(&mut self, at: usize) -> Next {
        let end = self.find(b'>', at + 1)? + 1;
        let start = self.blanks(at + 2);
        let mut name_end = start;
        if self
            .at(start)
            .is_some_and(|byte| byte.is_ascii_alphabetic())
        {
            while self.at(name_end).is_some_and(|byte| {
                matches!(byte, b'-' | b'.' | b':' | b'_') || byte.is_ascii_alphanumeric()
            }) {
                name_end += 1;
            }
        }
        let name = self.slice(start, name_end);
        if !name.is_empty() && self.at(self.blanks(name_end)) == Some(b'>') {
            if self.raw.is_some_and(|raw| !name.eq_ignore_ascii_case(raw)) {
                self.chunk(self.slice(at, end));
            } else {
                self.close(name);
                self.raw = None;
            }
        } else if self.raw.is_some() {
            self.chunk(self.slice(at, end));
        } else if self
            .at(at + 2)
            .is_some_and(|byte| byte.is_ascii_alphabetic())
        {
            self.close(self.slice(at + 2, self.name_end(at + 2)));
        }
        Some(end)
    }

    fn end_tag_b(&mut self, at: usize) -> Next {
        let end = self.find(b'>', at + 2)? + 1;
        if !self
            .at(at + 2)
            .is_some_and(|byte| byte.is_ascii_alphabetic())
        {
            return Some(end);
        }
        let name_end = self.name_end(at + 2);
        let end = self.attributes_end(name_end);
        if self.at(end) != Some(b'>') {
            return None;
        }
        self.close(self.slice(at + 2, name_end));
        self.raw = None;
        Some(end + 1)
    }

    fn close(&mut self, name: &[u8]) {
        self.collect |= raw_name(name).is_some();
    }
}

/// The name if it is that of an element whose content is no markup.
fn raw_name(name: &[u8]) -> Option<&'static [u8]> {
    [b"script".as_slice(), b"style"]
        .into_iter()
        .find(|raw| name.eq_ignore_ascii_case(raw))
}
