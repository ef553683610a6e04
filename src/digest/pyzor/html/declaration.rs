//! Comments, declarations and marked sections.

use memchr::memmem;

use super::{Html, Next, Tokenizer};

impl Html<'_> {
    pub(super) fn declaration(&mut self, at: usize) -> Next {
        let rest = self.slice(at, self.source.len());
        let marked = match self.tokenizer {
            Tokenizer::A | Tokenizer::Python2 => rest.starts_with(b"<!["),
            Tokenizer::B => rest.starts_with(b"<![CDATA["),
        };
        if marked {
            return self.marked_section(at);
        }
        let from = match rest.get(..9) {
            Some(start) if start.eq_ignore_ascii_case(b"<!doctype") => at + 9,
            _ => at + 2,
        };
        self.find(b'>', from).map(|end| end + 1)
    }

    fn marked_section(&mut self, at: usize) -> Next {
        let start = at + 3;
        if !self.at(start)?.is_ascii_alphabetic() {
            self.out.marked_section = true;
            return None;
        }
        let mut end = start;
        while self
            .at(end)
            .is_some_and(|byte| matches!(byte, b'-' | b'.' | b'_') || byte.is_ascii_alphanumeric())
        {
            end += 1;
        }
        let name = self.slice(start, end).to_ascii_lowercase();
        self.at(self.wide_blanks(end))?;
        match name.as_slice() {
            b"if" | b"else" | b"endif" => self.closed_by(start, b"]"),
            b"temp" | b"cdata" | b"ignore" | b"include" | b"rcdata" => self.closed_twice(start),
            _ => {
                self.out.marked_section = true;
                None
            }
        }
    }

    /// Behind the next `mark`, blanks, `>`.
    pub(super) fn closed_by(&self, from: usize, mark: &[u8]) -> Next {
        let mut at = from;
        loop {
            at += memmem::find(self.source.get(at..)?, mark)?;
            let end = self.wide_blanks(at + mark.len());
            if self.at(end) == Some(b'>') {
                return Some(end + 1);
            }
            at += 1;
        }
    }

    /// Behind the next `]`, blanks, `]`, blanks, `>`.
    fn closed_twice(&self, from: usize) -> Next {
        let mut at = from;
        loop {
            at = self.find(b']', at)?;
            let second = self.wide_blanks(at + 1);
            if self.at(second) == Some(b']') {
                let end = self.wide_blanks(second + 1);
                if self.at(end) == Some(b'>') {
                    return Some(end + 1);
                }
            }
            at += 1;
        }
    }
}
