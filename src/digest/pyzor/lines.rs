//! Text into the lines that are hashed: split, normalise, keep what has at least eight characters.
//!
//! One pass over the text; the kept lines lie end to end in one buffer, so the memory is at most that of the text.

use super::super::character::{self, Class};

/// Fewest characters of a line that counts.
const SHORTEST: usize = 8;
/// Characters from which on a run of solid characters is dropped.
const LONG: usize = 10;

/// What a byte may be, for a first look: a mark that [`Lines::push_marked`] is for, and where a run may end.
static LOOK: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            table[byte] = match byte {
                0x40 | 0x3A | 0xED => MARK,
                0x09..=0x0D | 0x1C..=0x20 | 0xC2 | 0xE1..=0xE3 => SPACE,
                _ => 0,
            };
        }
        byte += 1;
    }
    table
};
const MARK: u8 = 1;
const SPACE: u8 = 2;

/// A run of solid characters, possibly empty.
struct Run {
    end: usize,
    characters: usize,
    marks: u8,
}

impl Run {
    #[inline]
    fn at(text: &[u8], start: usize, class: &impl Fn(&[u8], usize) -> Class) -> Self {
        let mut run = Self {
            end: start,
            characters: 0,
            marks: 0,
        };
        for byte in text.get(start..).unwrap_or_default() {
            let look = LOOK.get(usize::from(*byte)).copied().unwrap_or_default();
            if look == SPACE && class(text, run.end) != Class::Solid {
                break;
            }
            run.marks |= look & MARK;
            run.characters += usize::from(!character::is_continuation(*byte));
            run.end += 1;
        }
        run
    }
}

/// Which white space splits lines and runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spaces {
    /// Python 3: what Unicode calls white space.
    Unicode,
    /// Python 2 on decoded text: lines end as in Unicode, within them white space is that of ASCII; what else Unicode calls
    /// white space is dropped at the ends of the normalised line.
    Python2Text,
    /// Python 2 on bytes: lines end at LF, CR, CRLF; a line with a byte above 127 is dropped.
    Python2Bytes,
}

/// Whether a text may have other lines than by [`Spaces::Unicode`].
pub(super) fn differs(text: &[u8], spaces: Spaces) -> bool {
    match spaces {
        Spaces::Unicode => false,
        Spaces::Python2Bytes => text
            .iter()
            .any(|byte| matches!(byte, 0x0B | 0x0C | 0x1C..=0x1F | 0x80..)),
        Spaces::Python2Text => text.iter().enumerate().any(|(at, byte)| match byte {
            0x1F => true,
            0xC2 | 0xE1..=0xE3 => {
                matches!(character::class(text, at), Class::Blank(_))
                    || letter_before(text, at + 3, Spaces::Unicode) == 3
            }
            0xC4 | 0xC5 => letter_before(text, at + 2, Spaces::Unicode) == 2,
            _ => false,
        }),
    }
}

/// The usable lines of a message so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Characters of the line that is being put together.
    characters: usize,
}

impl Lines {
    /// Adds the lines of one part.
    pub(super) fn push_text(&mut self, text: &[u8], spaces: Spaces) {
        match spaces {
            Spaces::Unicode => self.split(text, character::class, spaces),
            Spaces::Python2Text => self.split(text, python2_class, spaces),
            Spaces::Python2Bytes => self.split(text, ascii_class, spaces),
        }
    }

    #[inline]
    fn split(&mut self, text: &[u8], class: impl Fn(&[u8], usize) -> Class, spaces: Spaces) {
        let mut at = 0;
        while at < text.len() {
            let run = Run::at(text, at, &class);
            if run.end > at {
                self.push_run(text.get(at..run.end).unwrap_or_default(), &run, spaces);
                at = run.end;
            }
            match class(text, at) {
                Class::Solid => {}
                Class::Blank(length) => at += length,
                Class::Break(length) => {
                    at += length;
                    self.end_line(spaces);
                }
            }
        }
        self.end_line(spaces);
    }

    #[inline]
    fn push_run(&mut self, bytes: &[u8], run: &Run, spaces: Spaces) {
        let length = match spaces {
            Spaces::Python2Bytes => bytes.len(),
            Spaces::Unicode | Spaces::Python2Text => run.characters,
        };
        if length >= LONG {
            return;
        }
        if run.marks == 0 {
            self.characters += length;
            self.bytes.extend_from_slice(bytes);
            return;
        }
        self.push_marked(bytes, length, spaces);
    }

    /// A run with a character that may change what is kept of it.
    fn push_marked(&mut self, bytes: &[u8], length: usize, spaces: Spaces) {
        let inner = bytes.get(1..bytes.len() - 1).unwrap_or_default();
        if inner.contains(&b'@') {
            return;
        }
        let kept = without_address(bytes, spaces);
        self.characters += if kept.len() == bytes.len() {
            length
        } else {
            character::count(kept)
        };
        character::push_utf8(&mut self.bytes, kept);
    }

    fn end_line(&mut self, spaces: Spaces) {
        let start = self.ends.last().copied().unwrap_or_default();
        if spaces != Spaces::Unicode {
            self.finish_python2(start, spaces);
        }
        if self.characters >= SHORTEST {
            self.ends.push(self.bytes.len());
        } else {
            self.bytes.truncate(start);
        }
        self.characters = 0;
    }

    fn finish_python2(&mut self, start: usize, spaces: Spaces) {
        let line = self.bytes.get(start..).unwrap_or_default();
        if line.is_ascii() && spaces == Spaces::Python2Bytes {
            return;
        }
        if spaces == Spaces::Python2Bytes {
            self.characters = 0;
            return;
        }
        let stripped = character::strip(line);
        if stripped.len() < line.len() {
            let stripped = stripped.to_vec();
            self.characters = character::count(&stripped);
            self.bytes.truncate(start);
            self.bytes.extend_from_slice(&stripped);
        }
    }

    /// How many lines are usable.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The lines that are hashed, in hash order: all of up to four, else three from a fifth and three from three fifths on.
    pub(super) fn hashed(&self) -> impl Iterator<Item = &[u8]> {
        let count = self.ends.len();
        let (first, second) = if count > 4 {
            let (from, to) = (20 * count / 100, 60 * count / 100);
            (from..from + 3, to..to + 3)
        } else {
            (0..count, 0..0)
        };
        first.chain(second).filter_map(|index| self.line(index))
    }

    fn line(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or_default();
        self.bytes.get(start..end)
    }
}

/// The run cut where letters before a colon begin, as the reference drops what looks like a URL: the first colon counts
/// that is not the last character and has a letter before it.
fn without_address(run: &[u8], spaces: Spaces) -> &[u8] {
    for (colon, _) in run.iter().enumerate().filter(|(_, byte)| **byte == b':') {
        if colon + 1 >= run.len() {
            break;
        }
        let mut start = colon;
        loop {
            match letter_before(run, start, spaces) {
                0 => break,
                length => start -= length,
            }
        }
        if start < colon {
            return run.get(..start).unwrap_or_default();
        }
    }
    run
}

/// Bytes of the letter that ends at `at`; 0 if there is none. Case-insensitive matching of a-z takes in U+0130, U+0131,
/// U+017F and U+212A, but not in Python 2.
fn letter_before(run: &[u8], at: usize, spaces: Spaces) -> usize {
    match run.get(..at).unwrap_or_default() {
        [.., b'A'..=b'Z' | b'a'..=b'z'] => 1,
        _ if spaces != Spaces::Unicode => 0,
        [.., 0xC4, 0xB0 | 0xB1] | [.., 0xC5, 0xBF] => 2,
        [.., 0xE2, 0x84, 0xAA] => 3,
        _ => 0,
    }
}

/// Line breaks by Unicode, blanks by ASCII.
#[inline]
fn python2_class(text: &[u8], at: usize) -> Class {
    match character::class(text, at) {
        Class::Blank(_) if !matches!(text.get(at), Some(b' ' | b'\t')) => Class::Solid,
        class => class,
    }
}

#[inline]
fn ascii_class(text: &[u8], at: usize) -> Class {
    match text.get(at) {
        Some(b'\n' | b'\r') => Class::Break(1),
        Some(b' ' | b'\t' | 0x0B | 0x0C) => Class::Blank(1),
        _ => Class::Solid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut lines = Lines::default();
        lines.push_text(text.as_bytes(), Spaces::Unicode);
        (0..lines.len())
            .map(|index| String::from_utf8(lines.line(index).unwrap().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn long_runs_addresses_and_urls_are_dropped() {
        assert_eq!(
            lines("see http://x a@b.c 1234567890 12:30 word: ab1c:de sevenxx"),
            ["see12:30word:ab1sevenxx"]
        );
        assert_eq!(lines("@begin and end@ stay"), ["@beginandend@stay"]);
        assert_eq!(lines("\u{17f}\u{212a}:x seven1 more"), ["seven1more"]);
    }

    #[test]
    fn a_line_needs_eight_characters_not_bytes() {
        assert_eq!(
            lines("1234567\n\u{20ac}\u{20ac}\u{20ac}\n12345678"),
            ["12345678"]
        );
        assert_eq!(lines("äöüäöüä\näöüäöüäö"), ["äöüäöüäö"]);
    }

    #[test]
    fn unicode_line_breaks_end_a_line_and_1f_does_not() {
        assert_eq!(
            lines("aaaaaaaa\u{2028}bbbb\u{1f}bbbb\u{1c}cccccccc\r\ndddddddd"),
            ["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd"]
        );
    }

    #[test]
    fn five_and_six_lines_repeat_one() {
        let hashed = |count: usize| {
            let text: String = (0..count).map(|n| format!("line number {n}\n")).collect();
            let mut lines = Lines::default();
            lines.push_text(text.as_bytes(), Spaces::Unicode);
            lines
                .hashed()
                .map(|line| *line.last().unwrap() - b'0')
                .collect::<Vec<_>>()
        };
        assert_eq!(hashed(4), [0, 1, 2, 3]);
        assert_eq!(hashed(5), [1, 2, 3, 3, 4]);
        assert_eq!(hashed(6), [1, 2, 3, 3, 4, 5]);
    }
}
