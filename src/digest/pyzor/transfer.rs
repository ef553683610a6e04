//! Content transfer encodings as Python's `email` package undoes them: RFC 2045 6.7 and 6.8 with its leniency, and uuencode.
//!
//! Never fails: what cannot be decoded is given as it is, as the reference does.

use std::borrow::Cow;

use super::reader::split_line;

/// How the body of a text part is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    /// RFC 2045 6.7.
    QuotedPrintable,
    /// RFC 2045 6.8.
    Base64,
    /// uuencode(1).
    Uuencode,
}

impl Encoding {
    /// The encoding that a header value names; anything but the bare name is no encoding.
    pub(super) fn from_value(value: &[u8]) -> Self {
        match value.to_ascii_lowercase().as_slice() {
            b"quoted-printable" => Self::QuotedPrintable,
            b"base64" => Self::Base64,
            b"x-uuencode" | b"uuencode" | b"uue" | b"x-uue" => Self::Uuencode,
            _ => Self::Identity,
        }
    }

    /// Undoes the encoding.
    pub(super) fn decode(self, data: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Identity => Cow::Borrowed(data),
            Self::QuotedPrintable => quoted_printable(data),
            Self::Base64 => Cow::Owned(base64(data)),
            Self::Uuencode => uuencode(data).map_or(Cow::Borrowed(data), Cow::Owned),
        }
    }
}

/// Undoes the encoding as Python 2.7 does where that is another result.
pub(super) fn decode_python2(encoding: Encoding, data: &[u8]) -> Option<Cow<'_, [u8]>> {
    match encoding {
        Encoding::Identity | Encoding::QuotedPrintable => None,
        Encoding::Base64 => Some(base64_python2(data).map_or(Cow::Borrowed(data), Cow::Owned)),
        Encoding::Uuencode => Some(uuencode_python2(data).map_or(Cow::Borrowed(data), Cow::Owned)),
    }
}

/// Foreign bytes are skipped; the data ends at the pad that completes a quad.
fn base64_python2(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len() / 4 * 3 + 3);
    let mut left = 0;
    let mut quad = 0;
    let mut rest = data;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match value(*byte) {
            FOREIGN => {}
            PAD if quad < 2 => {}
            PAD if quad == 2 && after.iter().find(|b| value(**b) != FOREIGN) != Some(&b'=') => {}
            PAD => return Some(out),
            digit => quad = push_digit(&mut out, &mut left, quad, digit),
        }
    }
    (quad == 0).then_some(out)
}

/// The `begin` line needs a name, the `end` line must be there, lines end at LF only.
fn uuencode_python2(data: &[u8]) -> Option<Vec<u8>> {
    let mut lines = data.split_inclusive(|byte| *byte == b'\n');
    lines.find(|line| {
        let mut fields = line.splitn(3, |byte| *byte == b' ');
        fields.next() == Some(b"begin")
            && fields.next().is_some_and(is_mode)
            && fields.next().is_some()
    })?;
    let mut out = Vec::with_capacity(data.len() / 4 * 3);
    for line in lines {
        let first = *line.first()?;
        if line.trim_ascii() == b"end" {
            return Some(out);
        }
        let needed = (usize::from(first.wrapping_sub(32) & 63) * 4 + 5) / 3;
        let whole = out.len();
        if !uu_line(line, &mut out) {
            out.truncate(whole);
            if !uu_line(line.get(..needed).unwrap_or(line), &mut out) {
                return None;
            }
        }
    }
    None
}

fn quoted_printable(data: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'=', data) else {
        return Cow::Borrowed(data);
    };
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    let mut next = Some(first);
    while let Some((plain, from)) = next.and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(plain);
        rest = match from {
            [b'=', b'\n', rest @ ..] => rest,
            [b'=', b'\r', rest @ ..] => memchr::memchr(b'\n', rest)
                .and_then(|at| rest.get(at + 1..))
                .unwrap_or_default(),
            [b'=', b'=', rest @ ..] => {
                out.push(b'=');
                rest
            }
            [b'=', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest
            }
            [b'=', rest @ ..] => {
                // At the very end of the data the sign vanishes.
                if !rest.is_empty() {
                    out.push(b'=');
                }
                rest
            }
            _ => &[],
        };
        next = memchr::memchr(b'=', rest);
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// The value of a hexadecimal digit; 0 for anything else.
pub(super) const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Not in the alphabet of base64.
const FOREIGN: u8 = 0xFF;
/// The pad character.
const PAD: u8 = 0xFE;

/// Value of each byte in base64.
static BASE64: [u8; 256] = {
    let mut table = [FOREIGN; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        #[expect(
            clippy::indexing_slicing,
            reason = "evaluated by the compiler, within both arrays"
        )]
        {
            table[alphabet[value as usize] as usize] = value;
        }
        value += 1;
    }
    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
    {
        table[b'=' as usize] = PAD;
    }
    table
};

fn base64(data: &[u8]) -> Vec<u8> {
    let joined: Vec<u8> = data
        .split(|byte| matches!(byte, b'\r' | b'\n'))
        .flatten()
        .copied()
        .collect();
    let missing = joined.len().wrapping_neg() % 4;
    base64_strict(&joined, missing)
        .or_else(|| base64_lenient(&joined, 0))
        .or_else(|| base64_lenient(&joined, 2))
        .unwrap_or(joined)
}

/// One decoder of the reference: `binascii.a2b_base64` without its leniency. `pads` are appended to the data.
fn base64_strict(data: &[u8], pads: usize) -> Option<Vec<u8>> {
    let end = data
        .iter()
        .position(|byte| *byte == b'=')
        .unwrap_or(data.len());
    if end == 0 && (pads > 0 || !data.is_empty()) {
        return None;
    }
    let (digits, tail) = data.split_at_checked(end)?;
    let (out, quad) = base64_digits(digits)?;
    // A pad before it is due is skipped, and the first one that completes the quad must be the last character.
    if tail.iter().any(|byte| *byte != b'=') {
        return None;
    }
    let given = tail.len() + pads;
    match quad {
        0 => Some(out),
        2 if given == 2 => Some(out),
        3 if given == 1 => Some(out),
        _ => None,
    }
}

/// The same with its leniency: foreign bytes are skipped, the data ends at the pad that completes a quad.
fn base64_lenient(data: &[u8], pads: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len() / 4 * 3 + 3);
    let mut left = 0;
    let mut quad = 0;
    let mut seen = 0;
    for byte in data.iter().copied().chain((0..pads).map(|_| b'=')) {
        match value(byte) {
            FOREIGN => {}
            PAD => {
                if quad >= 2 {
                    seen += 1;
                    if quad + seen >= 4 {
                        return Some(out);
                    }
                }
            }
            digit => {
                seen = 0;
                quad = push_digit(&mut out, &mut left, quad, digit);
            }
        }
    }
    (quad == 0).then_some(out)
}

/// Digits only: what they give and how many are left over; nothing if there is a foreign byte.
fn base64_digits(data: &[u8]) -> Option<(Vec<u8>, u8)> {
    let mut out = Vec::with_capacity(data.len() / 4 * 3 + 3);
    let (quads, rest) = data.as_chunks::<4>();
    for [a, b, c, d] in quads {
        let (a, b, c, d) = (value(*a), value(*b), value(*c), value(*d));
        if a | b | c | d >= 64 {
            return None;
        }
        out.extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
    }
    let mut left = 0;
    let mut quad = 0;
    for byte in rest {
        let digit = value(*byte);
        if digit >= 64 {
            return None;
        }
        quad = push_digit(&mut out, &mut left, quad, digit);
    }
    Some((out, quad))
}

#[inline]
fn value(byte: u8) -> u8 {
    BASE64.get(usize::from(byte)).copied().unwrap_or(FOREIGN)
}

#[inline]
fn push_digit(out: &mut Vec<u8>, left: &mut u8, quad: u8, digit: u8) -> u8 {
    match quad {
        0 => *left = digit,
        1 => {
            out.push(*left << 2 | digit >> 4);
            *left = digit & 0x0F;
        }
        2 => {
            out.push(*left << 4 | digit >> 2);
            *left = digit & 0x03;
        }
        _ => out.push(*left << 6 | digit),
    }
    (quad + 1) % 4
}

/// Nothing where the reference gives the data as it is.
fn uuencode(data: &[u8]) -> Option<Vec<u8>> {
    let mut rest = data;
    loop {
        let line;
        (line, rest) = next_line(rest)?;
        if line
            .strip_prefix(b"begin ")
            .is_some_and(|tail| is_mode(tail.split(|byte| *byte == b' ').next().unwrap_or(tail)))
        {
            break;
        }
    }
    let mut out = Vec::with_capacity(rest.len() / 4 * 3);
    while let Some((line, after)) = next_line(rest) {
        rest = after;
        let first = *line.first()?;
        if line.trim_ascii() == b"end" {
            break;
        }
        let needed = (usize::from(first.wrapping_sub(32) & 63) * 4 + 5) / 3;
        let whole = out.len();
        if !uu_line(line, &mut out) {
            out.truncate(whole);
            if !uu_line(line.get(..needed).unwrap_or(line), &mut out) {
                return None;
            }
        }
    }
    Some(out)
}

/// The first line without its end, and what follows it.
fn next_line(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = split_line(data, 0);
    if end == 0 {
        return None;
    }
    let (line, rest) = data.split_at_checked(end)?;
    let bare = line
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    Some((line.get(..bare)?, rest))
}

/// What Python's `int(text, 8)` accepts: white space around, a sign, a prefix `0o`, single underscores between digits.
fn is_mode(text: &[u8]) -> bool {
    let text = text
        .iter()
        .position(|byte| !is_int_space(*byte))
        .and_then(|start| text.get(start..))
        .unwrap_or_default();
    let end = text
        .iter()
        .rposition(|byte| !is_int_space(*byte))
        .map_or(0, |last| last + 1);
    let text = text.get(..end).unwrap_or_default();
    let text = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let text = match text {
        [b'0', b'o' | b'O', b'_', rest @ ..] | [b'0', b'o' | b'O', rest @ ..] => rest,
        _ => text,
    };
    !text.is_empty()
        && text
            .split(|byte| *byte == b'_')
            .all(|digits| !digits.is_empty() && digits.iter().all(|d| matches!(d, b'0'..=b'7')))
}

const fn is_int_space(byte: u8) -> bool {
    matches!(byte, 9..=13 | b' ')
}

/// Decodes one line; false if it is none.
fn uu_line(line: &[u8], out: &mut Vec<u8>) -> bool {
    let Some((first, mut rest)) = line.split_first() else {
        return false;
    };
    let mut want = first.wrapping_sub(32) & 63;
    let mut bits = 0_u32;
    let mut held = 0_u32;
    while want > 0 {
        let value = match rest.split_first() {
            None => 0,
            Some((b'\r' | b'\n', after)) => {
                rest = after;
                0
            }
            Some((byte @ 32..=96, after)) => {
                rest = after;
                u32::from((byte - 32) & 63)
            }
            Some(_) => return false,
        };
        held = held << 6 | value;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            let [.., byte] = (held >> bits).to_be_bytes();
            out.push(byte);
            held &= (1 << bits) - 1;
            want -= 1;
        }
    }
    rest.iter()
        .all(|byte| matches!(byte, b' ' | b'`' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(encoding: Encoding, data: &str) -> String {
        String::from_utf8(encoding.decode(data.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn a_soft_break_needs_the_bare_sign_at_the_end_of_the_line() {
        let qp = |data| text(Encoding::QuotedPrintable, data);
        assert_eq!(qp("a=\nb=\r\nc= \nd"), "abc= \nd");
        assert_eq!(qp("=4a=4A==x=zz="), "JJ=x=zz");
        assert_eq!(qp("a=\rlost"), "a");
    }

    #[test]
    fn base64_takes_what_the_reference_takes() {
        let b64 = |data| text(Encoding::Base64, data);
        assert_eq!(b64("aGVs\r\nbG8="), "hello");
        assert_eq!(b64("aGVsbG8"), "hello");
        assert_eq!(b64("aGVsbG8= footer text"), "hello");
        assert_eq!(b64("aGVsb"), "aGVsb", "one digit too many: as it is");
        assert_eq!(b64("!aGVsbG8=\n"), "hello");
    }

    #[test]
    fn uuencode_without_begin_is_plain_text() {
        let uu = |data| text(Encoding::Uuencode, data);
        assert_eq!(uu("begin 644 x\n%:&5L;&\\\n`\nend\n"), "hello");
        assert_eq!(uu("no begin here\n"), "no begin here\n");
        assert_eq!(uu("begin 648 x\n%:&5L;&\\\n"), "begin 648 x\n%:&5L;&\\\n");
    }
}
