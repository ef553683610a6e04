//! Character references in text, expanded by the rules of HTML5 (`html.unescape`).

use std::{collections::HashMap, sync::LazyLock};

use memchr::memchr;

use super::super::character::{self, is_continuation};

/// Names and code points, one entity a line: made of Python's table `html.entities.html5` (the W3C's list of named
/// character references), sorted by name.
static TABLE: &str = include_str!("entities.tsv");

/// One or two characters.
type Expansion = (u32, Option<u32>);

/// What each name stands for.
static ENTITIES: LazyLock<HashMap<&'static [u8], Expansion>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter_map(|line| {
            let (name, codes) = line.split_once('\t')?;
            let mut codes = codes
                .split(' ')
                .filter_map(|code| u32::from_str_radix(code, 16).ok());
            Some((name.as_bytes(), (codes.next()?, codes.next())))
        })
        .collect()
});

/// Characters of a name that are looked at.
const LONGEST_NAME: usize = 32;
/// No name that counts without its semicolon is longer.
const LONGEST_BARE_NAME: usize = 6;
/// Python refuses to convert a number of more decimal digits.
const MOST_DIGITS: usize = 4300;

/// Appends the text with its entities expanded; false if the reference dies of one (it is expanded all the same).
pub(super) fn expand(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut fine = true;
    let mut rest = text;
    while let Some((plain, from)) = memchr(b'&', rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(plain);
        let body = from.get(1..).unwrap_or_default();
        rest = if let Some(number) = body.strip_prefix(b"#") {
            if let Some((value, digits, after)) = numeric(number) {
                fine &= digits <= MOST_DIGITS;
                push_numeric(out, value);
                after
            } else {
                out.push(b'&');
                body
            }
        } else {
            named(body, out)
        };
    }
    out.extend_from_slice(rest);
    fine
}

/// A number, how many decimal digits it has, and what follows it.
fn numeric(text: &[u8]) -> Option<(u32, usize, &[u8])> {
    let (radix, digits) = match text {
        [b'x' | b'X', digits @ ..] => (16, digits),
        _ => (10, text),
    };
    let mut value = 0_u32;
    let mut length = 0;
    for digit in digits {
        let Some(digit) = char::from(*digit).to_digit(radix) else {
            break;
        };
        value = value.saturating_mul(radix).saturating_add(digit);
        length += 1;
    }
    if length == 0 {
        return None;
    }
    let rest = digits.get(length..).unwrap_or_default();
    let decimal = if radix == 10 { length } else { 0 };
    Some((value, decimal, rest.strip_prefix(b";").unwrap_or(rest)))
}

/// How many bytes of digits, the `x` included, Python 2 sees at the start of a number.
pub(super) fn number_length(text: &[u8]) -> usize {
    let run = |digits: &[u8], is_digit: fn(&u8) -> bool| {
        digits.iter().take_while(|b| is_digit(b)).count()
    };
    match text {
        [b'x' | b'X', digits @ ..] => match run(digits, u8::is_ascii_hexdigit) {
            0 => 0,
            length => length + 1,
        },
        _ => run(text, u8::is_ascii_digit),
    }
}

/// How long the name at the start is for Python 2; nothing if the text may end within it.
pub(super) fn name_length_python2(text: &[u8]) -> Option<usize> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    text.iter()
        .position(|byte| !is_name(byte))
        .or_else(|| text.iter().rposition(|byte| matches!(byte, b'-' | b'.')))
}

fn push_numeric(out: &mut Vec<u8>, value: u32) {
    match value {
        0 | 0xD800..=0xDFFF | 0x0011_0000.. => character::push(out, 0xFFFD),
        0x80..=0x9F => character::push(out, windows_1252(value)),
        0x01..=0x08 | 0x0B | 0x0E..=0x1F | 0x7F | 0xFDD0..=0xFDEF => {}
        _ if value & 0xFFFE == 0xFFFE => {}
        _ => character::push(out, value),
    }
}

/// The characters that Windows-1252 has in place of the C1 controls; those it has not stay.
const fn windows_1252(value: u32) -> u32 {
    match value {
        0x80 => 0x20AC,
        0x82 => 0x201A,
        0x83 => 0x0192,
        0x84 => 0x201E,
        0x85 => 0x2026,
        0x86 => 0x2020,
        0x87 => 0x2021,
        0x88 => 0x02C6,
        0x89 => 0x2030,
        0x8A => 0x0160,
        0x8B => 0x2039,
        0x8C => 0x0152,
        0x8E => 0x017D,
        0x91 => 0x2018,
        0x92 => 0x2019,
        0x93 => 0x201C,
        0x94 => 0x201D,
        0x95 => 0x2022,
        0x96 => 0x2013,
        0x97 => 0x2014,
        0x98 => 0x02DC,
        0x99 => 0x2122,
        0x9A => 0x0161,
        0x9B => 0x203A,
        0x9C => 0x0153,
        0x9E => 0x017E,
        0x9F => 0x0178,
        _ => value,
    }
}

/// Expands the name at the start of the text behind an `&`; what follows it.
fn named<'a>(text: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut end = 0;
    let mut characters = 0;
    while let Some(byte) = text.get(end) {
        if matches!(
            byte,
            b'\t' | b'\n' | 0x0C | b' ' | b'<' | b'&' | b'#' | b';'
        ) {
            break;
        }
        if !is_continuation(*byte) {
            if characters == LONGEST_NAME {
                break;
            }
            characters += 1;
        }
        end += 1;
    }
    if end == 0 {
        out.push(b'&');
        return text;
    }
    if text.get(end) == Some(&b';') {
        end += 1;
    }
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    if push_entity(out, name) {
        return rest;
    }
    for length in (2..=LONGEST_BARE_NAME.min(name.len() - 1)).rev() {
        let (prefix, tail) = name.split_at_checked(length).unwrap_or_default();
        if push_entity(out, prefix) {
            out.extend_from_slice(tail);
            return rest;
        }
    }
    out.push(b'&');
    out.extend_from_slice(name);
    rest
}

fn push_entity(out: &mut Vec<u8>, name: &[u8]) -> bool {
    let Some((first, second)) = ENTITIES.get(name) else {
        return false;
    };
    character::push(out, *first);
    if let Some(second) = second {
        character::push(out, *second);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> String {
        let mut out = Vec::new();
        expand(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_count_with_and_without_semicolon_and_as_prefix() {
        assert_eq!(ENTITIES.len(), 2231);
        assert_eq!(
            expanded("&notit; &ampfoo &amp;lt; &nosuch; & &;"),
            "¬it; &foo &lt; &nosuch; & &;"
        );
        assert_eq!(expanded("&bne;"), "=\u{20e5}");
        assert!(
            ENTITIES
                .keys()
                .all(|name| name.ends_with(b";") || name.len() <= LONGEST_BARE_NAME)
        );
    }

    #[test]
    fn numbers_follow_the_html5_table() {
        assert_eq!(
            expanded("&#65;&#x41&#128;&#0;&#xD800;&#1;&#13;&#x;"),
            "AA\u{20ac}\u{fffd}\u{fffd}\r&#x;"
        );
        let long = format!("&#{};", "9".repeat(4301));
        assert!(!expand(long.as_bytes(), &mut Vec::new()));
    }
}
