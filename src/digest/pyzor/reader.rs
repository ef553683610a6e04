//! A message line by line, with lines given back and stops that end a part.

use std::borrow::Cow;

use memchr::memchr2;

/// Where the line that starts at `start` ends, its terminator included.
pub(super) fn split_line(data: &[u8], start: usize) -> usize {
    let rest = data.get(start..).unwrap_or_default();
    let Some(at) = memchr2(b'\n', b'\r', rest) else {
        return data.len();
    };
    let crlf = rest.get(at..at + 2) == Some(b"\r\n");
    start + at + if crlf { 2 } else { 1 }
}

/// A line by its place in the message; `None` is the empty line that stands for "ends here".
pub(super) type Line = Option<(usize, usize)>;

pub(super) enum Stop {
    /// A blank line.
    Blank,
    /// A separator of a multipart; without value it never matches.
    Separator(Option<Vec<u8>>),
}

impl Stop {
    pub(super) fn matches(&self, line: &[u8]) -> bool {
        match self {
            Self::Blank => is_blank(line),
            Self::Separator(separator) => {
                separator_kind(separator.as_deref(), line) != Separator::No
            }
        }
    }
}

pub(super) struct Reader<'a> {
    pub(super) data: &'a [u8],
    pub(super) at: usize,
    /// Lines given back, last first.
    pub(super) pushed: Vec<Line>,
    /// What ends the parts that are being read, outermost first.
    pub(super) stops: Vec<Stop>,
}

impl<'a> Reader<'a> {
    /// The next line; none at the end of the message or at a stop, which stays.
    pub(super) fn get(&mut self) -> Line {
        let line = match self.pushed.pop() {
            Some(line) => line?,
            None if self.at >= self.data.len() => return None,
            None => {
                let start = self.at;
                self.at = split_line(self.data, start);
                (start, self.at)
            }
        };
        let bytes = self.bytes(line);
        if self.stops.iter().any(|stop| stop.matches(bytes)) {
            self.pushed.push(Some(line));
            return None;
        }
        Some(line)
    }

    pub(super) fn unget(&mut self, line: Line) {
        self.pushed.push(line);
    }

    pub(super) fn bytes(&self, (start, end): (usize, usize)) -> &'a [u8] {
        self.data.get(start..end).unwrap_or_default()
    }

    /// Everything up to the next stop.
    pub(super) fn rest(&mut self) -> Cow<'a, [u8]> {
        let mut body = Lines::default();
        if self.pushed.is_empty() && self.stops.is_empty() {
            let start = self.at;
            self.at = self.data.len();
            return Cow::Borrowed(self.bytes((start, self.at)));
        }
        while let Some(line) = self.get() {
            body.push(self.data, line);
        }
        body.finish(self.data)
    }
}

/// Consecutive lines, copied only where they do not lie side by side.
#[derive(Default)]
pub(super) struct Lines {
    copied: Vec<u8>,
    range: (usize, usize),
}

impl Lines {
    pub(super) fn push(&mut self, data: &[u8], (start, end): (usize, usize)) {
        if self.range.0 == self.range.1 {
            self.range = (start, end);
        } else if self.range.1 == start {
            self.range.1 = end;
        } else {
            let (from, to) = self.range;
            self.copied
                .extend_from_slice(data.get(from..to).unwrap_or_default());
            self.range = (start, end);
        }
    }

    pub(super) fn finish(mut self, data: &[u8]) -> Cow<'_, [u8]> {
        let (from, to) = self.range;
        let last = data.get(from..to).unwrap_or_default();
        if self.copied.is_empty() {
            return Cow::Borrowed(last);
        }
        self.copied.extend_from_slice(last);
        Cow::Owned(self.copied)
    }
}

pub(super) fn is_blank(line: &[u8]) -> bool {
    matches!(line, [b'\r' | b'\n', ..])
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    No,
    Part,
    End,
}

pub(super) fn separator_kind(separator: Option<&[u8]>, line: &[u8]) -> Separator {
    if !line.starts_with(b"--") {
        return Separator::No;
    }
    let Some(tail) = separator.and_then(|separator| line.strip_prefix(separator)) else {
        return Separator::No;
    };
    if tail.strip_prefix(b"--").is_some_and(only_blanks) {
        Separator::End
    } else if only_blanks(tail) {
        Separator::Part
    } else {
        Separator::No
    }
}

pub(super) fn only_blanks(tail: &[u8]) -> bool {
    let end = tail
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t'))
        .unwrap_or(tail.len());
    matches!(
        tail.get(end..).unwrap_or_default(),
        b"" | b"\n" | b"\r" | b"\r\n"
    )
}
