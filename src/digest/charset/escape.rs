//! Python's escape codecs. Other bytes are Latin-1. Lone surrogates pass.

use super::Sink;

/// `unicode_escape`; `\N{NAME}` is an error here, whatever the name.
pub(super) fn unicode_escape(data: &[u8], sink: &mut Sink) {
    let mut rest = data;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            sink.push(u32::from(*byte));
            continue;
        }
        let Some((kind, after)) = after.split_first() else {
            sink.error();
            return;
        };
        rest = after;
        match kind {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => sink.push(u32::from(*kind)),
            b'b' => sink.push(0x08),
            b't' => sink.push(0x09),
            b'n' => sink.push(0x0A),
            b'v' => sink.push(0x0B),
            b'f' => sink.push(0x0C),
            b'r' => sink.push(0x0D),
            b'a' => sink.push(0x07),
            b'0'..=b'7' => rest = octal(*kind, after, sink),
            b'x' => rest = number(after, 2, sink),
            b'u' => rest = number(after, 4, sink),
            b'U' => rest = number(after, 8, sink),
            b'N' => rest = named(after, sink),
            other => {
                sink.push(u32::from(b'\\'));
                sink.push(u32::from(*other));
            }
        }
    }
}

/// `raw_unicode_escape`: only `\u` and `\U`.
pub(super) fn raw_unicode_escape(data: &[u8], sink: &mut Sink) {
    let mut rest = data;
    while let Some((byte, after)) = rest.split_first() {
        match (*byte, after) {
            (b'\\', [b'u', after @ ..]) => rest = number(after, 4, sink),
            (b'\\', [b'U', after @ ..]) => rest = number(after, 8, sink),
            (b'\\', [other, after @ ..]) => {
                sink.push(u32::from(b'\\'));
                sink.push(u32::from(*other));
                rest = after;
            }
            _ => {
                sink.push(u32::from(*byte));
                rest = after;
            }
        }
    }
}

fn octal<'a>(first: u8, text: &'a [u8], sink: &mut Sink) -> &'a [u8] {
    let mut value = u32::from(first - b'0');
    let mut rest = text;
    for _ in 0..2 {
        let Some((digit @ b'0'..=b'7', after)) = rest.split_first() else {
            break;
        };
        value = value << 3 | u32::from(digit - b'0');
        rest = after;
    }
    sink.push(value);
    rest
}

/// Exactly so many hexadecimal digits; fewer are an error that takes them along.
fn number<'a>(text: &'a [u8], digits: usize, sink: &mut Sink) -> &'a [u8] {
    let mut value = 0_u32;
    let mut rest = text;
    for _ in 0..digits {
        let digit = rest
            .split_first()
            .and_then(|(byte, after)| Some((char::from(*byte).to_digit(16)?, after)));
        let Some((digit, after)) = digit else {
            sink.error();
            return rest;
        };
        value = value << 4 | digit;
        rest = after;
    }
    if value > 0x0010_FFFF {
        sink.error();
    } else {
        sink.push(value);
    }
    rest
}

fn named<'a>(text: &'a [u8], sink: &mut Sink) -> &'a [u8] {
    sink.error();
    let Some(name) = text.strip_prefix(b"{") else {
        return text;
    };
    match memchr::memchr(b'}', name) {
        // With an empty name the brace stays.
        Some(0) => name,
        Some(end) => name.get(end + 1..).unwrap_or_default(),
        None => b"",
    }
}
