//! Characters as Python's `str` sees them, in generalised UTF-8: white space, line breaks, lengths.
//!
//! Positions are byte offsets. A position in the middle of a character is never white space, so scans may go byte by byte.

/// What a character means for splitting text into lines and runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Part of a run.
    Solid,
    /// White space within a line; its length in bytes.
    Blank(usize),
    /// White space that ends a line; its length in bytes.
    Break(usize),
}

/// The class of the character at `at` by Unicode rules (`str.splitlines`, `str.isspace`); beyond the end it is solid.
#[inline]
pub(super) fn class(text: &[u8], at: usize) -> Class {
    match text.get(at) {
        Some(b' ' | b'\t' | 0x1F) => Class::Blank(1),
        Some(0x0A..=0x0D | 0x1C..=0x1E) => Class::Break(1),
        Some(0xC2 | 0xE1 | 0xE2 | 0xE3) => wide_class(text, at),
        _ => Class::Solid,
    }
}

fn wide_class(text: &[u8], at: usize) -> Class {
    match text.get(at..).unwrap_or_default() {
        [0xC2, 0x85, ..] => Class::Break(2),
        [0xC2, 0xA0, ..] => Class::Blank(2),
        [0xE2, 0x80, 0xA8 | 0xA9, ..] => Class::Break(3),
        [0xE1, 0x9A, 0x80, ..]
        | [0xE2, 0x80, 0x80..=0x8A | 0xAF, ..]
        | [0xE2, 0x81, 0x9F, ..]
        | [0xE3, 0x80, 0x80, ..] => Class::Blank(3),
        _ => Class::Solid,
    }
}

/// Bytes of the white space character at `at`; 0 if there is none.
#[inline]
pub(super) fn white(text: &[u8], at: usize) -> usize {
    match class(text, at) {
        Class::Solid => 0,
        Class::Blank(length) | Class::Break(length) => length,
    }
}

/// Where the character that ends just before `at` begins.
pub(super) fn previous(text: &[u8], at: usize) -> usize {
    let mut start = at.saturating_sub(1);
    while start > 0 && text.get(start).is_some_and(|byte| is_continuation(*byte)) {
        start -= 1;
    }
    start
}

/// Where the character after the one at `at` begins.
pub(super) fn next(text: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while text.get(end).is_some_and(|byte| is_continuation(*byte)) {
        end += 1;
    }
    end
}

/// The text without white space at both ends (`str.strip`).
pub(super) fn strip(text: &[u8]) -> &[u8] {
    let mut start = 0;
    loop {
        match white(text, start) {
            0 => break,
            length => start += length,
        }
    }
    strip_end(text.get(start..).unwrap_or_default())
}

/// The text without white space at its end (`str.rstrip`).
pub(super) fn strip_end(text: &[u8]) -> &[u8] {
    let mut end = text.len();
    while end > 0 {
        let start = previous(text, end);
        if white(text, start) == 0 {
            break;
        }
        end = start;
    }
    text.get(..end).unwrap_or_default()
}

/// How many characters (code points, lone surrogates included).
pub(super) fn count(text: &[u8]) -> usize {
    text.iter().filter(|byte| !is_continuation(**byte)).count()
}

/// Whether a byte is the second or a later one of a character.
#[inline]
pub(super) const fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Appends a code point in generalised UTF-8; what is beyond U+10FFFF is not appended.
pub(super) fn push(text: &mut Vec<u8>, code: u32) {
    if let Some(character) = char::from_u32(code) {
        let mut buffer = [0; 4];
        text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    } else if code <= 0xFFFF {
        // A surrogate, in the three bytes it would have if it were a character.
        let [_, _, high, low] = code.to_be_bytes();
        text.extend_from_slice(&[
            0xE0 | high >> 4,
            0x80 | (high & 0x0F) << 2 | low >> 6,
            0x80 | low & 0x3F,
        ]);
    }
}

/// Appends text without its lone surrogates, as encoding to UTF-8 with "ignore" does.
pub(super) fn push_utf8(out: &mut Vec<u8>, text: &[u8]) {
    if !text.contains(&0xED) {
        out.extend_from_slice(text);
        return;
    }
    for chunk in text.utf8_chunks() {
        out.extend_from_slice(chunk.valid().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_stripped_by_unicode_rules() {
        assert_eq!(strip("\u{3000}\u{a0} a b\u{85}\n".as_bytes()), b"a b");
        assert_eq!(
            strip("\u{200b}x".as_bytes()),
            "\u{200b}x".as_bytes(),
            "a zero width space is none"
        );
        assert_eq!(strip(" \t".as_bytes()), b"");
    }

    #[test]
    fn a_lone_surrogate_counts_and_is_dropped_when_encoded() {
        let mut text = b"a".to_vec();
        push(&mut text, 0xD83D);
        push(&mut text, 0xED00);
        assert_eq!(count(&text), 3);
        let mut out = Vec::new();
        push_utf8(&mut out, &text);
        assert_eq!(out, "a\u{ed00}".as_bytes());
    }
}
