//! The Unicode transformation formats, and ASCII.

use super::Sink;

pub(super) fn ascii(data: &[u8], sink: &mut Sink) {
    for byte in data {
        if byte.is_ascii() {
            sink.text.push(*byte);
        } else {
            sink.error();
        }
    }
}

/// One error covers the longest part of a character that might have been continued (Unicode 3.9, as Python has it).
pub(super) fn utf8(data: &[u8], sink: &mut Sink) {
    for chunk in data.utf8_chunks() {
        sink.text.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            sink.error();
        }
    }
}

/// Byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// UTF-16; without order a byte order mark decides and is dropped, else little endian.
pub(super) fn utf16(data: &[u8], order: Option<Order>, sink: &mut Sink) {
    let (order, data) = match (order, data) {
        (Some(order), _) => (order, data),
        (None, [0xFF, 0xFE, rest @ ..]) => (Order::Little, rest),
        (None, [0xFE, 0xFF, rest @ ..]) => (Order::Big, rest),
        (None, _) => (Order::Little, data),
    };
    let (pairs, tail) = data.as_chunks::<2>();
    let mut units = pairs
        .iter()
        .map(|pair| match order {
            Order::Little => u16::from_le_bytes(*pair),
            Order::Big => u16::from_be_bytes(*pair),
        })
        .peekable();
    while let Some(unit) = units.next() {
        match unit {
            0xD800..=0xDBFF => match units.peek() {
                // With what is left of a unit it is one error.
                None => return sink.error(),
                Some(low @ 0xDC00..=0xDFFF) => {
                    let (high, low) = (u32::from(unit) & 0x3FF, u32::from(*low) & 0x3FF);
                    sink.push(0x1_0000 + (high << 10 | low));
                    units.next();
                }
                Some(_) => sink.error(),
            },
            0xDC00..=0xDFFF => sink.error(),
            _ => sink.push(u32::from(unit)),
        }
    }
    if !tail.is_empty() {
        sink.error();
    }
}

/// UTF-32; byte order as for UTF-16.
pub(super) fn utf32(data: &[u8], order: Option<Order>, sink: &mut Sink) {
    let (order, data) = match (order, data) {
        (Some(order), _) => (order, data),
        (None, [0xFF, 0xFE, 0, 0, rest @ ..]) => (Order::Little, rest),
        (None, [0, 0, 0xFE, 0xFF, rest @ ..]) => (Order::Big, rest),
        (None, _) => (Order::Little, data),
    };
    let (quads, tail) = data.as_chunks::<4>();
    for quad in quads {
        let code = match order {
            Order::Little => u32::from_le_bytes(*quad),
            Order::Big => u32::from_be_bytes(*quad),
        };
        match char::from_u32(code) {
            Some(_) => sink.push(code),
            None => sink.error(),
        }
    }
    if !tail.is_empty() {
        sink.error();
    }
}

/// A section of UTF-7 in base64.
#[derive(Default)]
struct Shifted {
    bits: u32,
    buffer: u32,
    /// A high surrogate that waits for its low one; 0 if there is none.
    surrogate: u32,
}

impl Shifted {
    fn digit(&mut self, digit: u32, sink: &mut Sink) {
        self.buffer = self.buffer << 6 | digit;
        self.bits += 6;
        if self.bits < 16 {
            return;
        }
        self.bits -= 16;
        let unit = self.buffer >> self.bits;
        self.buffer &= (1 << self.bits) - 1;
        if self.surrogate != 0 {
            let high = std::mem::take(&mut self.surrogate);
            if (0xDC00..=0xDFFF).contains(&unit) {
                sink.push(0x1_0000 + ((high & 0x3FF) << 10 | unit & 0x3FF));
                return;
            }
            sink.push(high);
        }
        if (0xD800..=0xDBFF).contains(&unit) {
            self.surrogate = unit;
        } else {
            sink.push(unit);
        }
    }

    /// Whether bits are left over that no character can have left.
    const fn is_torn(&self) -> bool {
        self.bits >= 6 || self.bits > 0 && self.buffer != 0
    }
}

/// UTF-7 (RFC 2152) as CPython reads it: lone surrogates pass.
pub(super) fn utf7(data: &[u8], sink: &mut Sink) {
    let mut shifted: Option<Shifted> = None;
    let mut rest = data;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(section) = &mut shifted {
            if let Some(digit) = base64_digit(*byte) {
                section.digit(digit, sink);
                rest = after;
                continue;
            }
            if section.is_torn() {
                sink.error();
                rest = after;
            } else {
                if section.surrogate != 0 && byte.is_ascii() && *byte != b'+' {
                    sink.push(section.surrogate);
                }
                if *byte == b'-' {
                    rest = after;
                }
            }
            shifted = None;
            continue;
        }
        rest = after;
        match (*byte, after) {
            (b'+', [b'-', tail @ ..]) => {
                sink.push(u32::from(b'+'));
                rest = tail;
            }
            (b'+', [next, tail @ ..]) if base64_digit(*next).is_none() => {
                sink.error();
                rest = tail;
            }
            (b'+', _) => shifted = Some(Shifted::default()),
            (byte, _) if byte.is_ascii() => sink.push(u32::from(byte)),
            _ => sink.error(),
        }
    }
    if shifted.is_some_and(|section| section.surrogate != 0 || section.is_torn()) {
        sink.error();
    }
}

fn base64_digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}
