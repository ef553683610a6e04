//! Bytes to text as Python's codecs do it, for every label that Python knows.
//!
//! A digest needs the reference's reading of broken text, so this follows CPython 3.11: which bytes are an error, how many
//! of them one error covers, and what "ignore" and "replace" leave. Two limits: `\N{NAME}` of `unicode_escape` counts as an
//! error, and in `punycode` a number beyond 128 bits ends the text.
//!
//! The tables (`tables/`) were made from the codecs of CPython 3.11: every single byte, every pair with a lead byte from
//! 0x80 and every triple after 0x8F was decoded. Labels: each name and alias of the `encodings` package, normalised, with
//! its codec (`-`: no text codec) and whether it is an alias.

mod double_byte;
mod escape;
mod iso2022;
mod punycode;
mod single_byte;
mod unicode;

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use super::character;
use double_byte::Family;

/// What is done with bytes that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnError {
    /// The whole text is refused.
    Strict,
    /// They vanish.
    Ignore,
    /// They vanish as in Python 2.7: of a charset of several bytes all bytes of an unknown character at once.
    IgnoreWhole,
    /// Each error becomes U+FFFD.
    Replace,
}

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No text codec of that name.
    Unknown,
    /// The codec fails on this text, or on this treatment of errors.
    Undecodable,
}

static LABELS: LazyLock<HashMap<&'static str, (&'static str, bool)>> = LazyLock::new(|| {
    include_str!("tables/labels.tsv")
        .lines()
        .filter_map(|line| {
            let (label, rest) = line.split_once('\t')?;
            let (codec, kind) = rest.split_once('\t')?;
            Some((label, (codec, kind == "alias")))
        })
        .collect()
});

/// Decodes text that was declared with a charset label; the result is generalised UTF-8.
///
/// # Errors
/// [`Refused`] where Python raises `LookupError` or `UnicodeError`.
pub(super) fn decode<'a>(
    label: &[u8],
    data: &'a [u8],
    on_error: OnError,
) -> Result<Cow<'a, [u8]>, Refused> {
    let codec = codec(label).ok_or(Refused::Unknown)?;
    if data.is_ascii() && keeps_ascii(codec) {
        return Ok(Cow::Borrowed(data));
    }
    let mut sink = Sink::new(on_error, data.len());
    if !run(codec, data, &mut sink) || sink.failed {
        return Err(Refused::Undecodable);
    }
    Ok(Cow::Owned(sink.text))
}

/// Decodes ASCII; nothing is refused but by [`OnError::Strict`], where the errors vanish too.
pub(super) fn ascii(data: &[u8], on_error: OnError) -> Cow<'_, [u8]> {
    if data.is_ascii() {
        return Cow::Borrowed(data);
    }
    let mut sink = Sink::new(on_error, data.len());
    unicode::ascii(data, &mut sink);
    Cow::Owned(sink.text)
}

/// Whether [`OnError::IgnoreWhole`] may be another treatment than [`OnError::Ignore`].
pub(super) fn has_long_characters(label: &[u8]) -> bool {
    codec(label).is_some_and(|codec| Family::of(codec).is_some())
}

/// The codec of a label, by Python's name for it.
fn codec(label: &[u8]) -> Option<&'static str> {
    let name = normalised(label);
    if let Some((codec, _)) = LABELS.get(name.as_str()) {
        return Some(*codec).filter(|codec| *codec != "-");
    }
    // A dot stands for an underscore in aliases, not in the names of codecs.
    match LABELS.get(name.replace('.', "_").as_str()) {
        Some((codec, true)) => Some(*codec).filter(|codec| *codec != "-"),
        _ => None,
    }
}

/// Each run of other characters than letters, digits and dots as one underscore, none at the ends; lower case.
fn normalised(label: &[u8]) -> String {
    let mut name = String::with_capacity(label.len());
    let mut gap = false;
    for byte in label {
        if byte.is_ascii_alphanumeric() || *byte == b'.' {
            if gap && !name.is_empty() {
                name.push('_');
            }
            gap = false;
            name.push(char::from(byte.to_ascii_lowercase()));
        } else {
            gap = true;
        }
    }
    name
}

/// Whether ASCII bytes are ASCII characters whatever stands around them.
fn keeps_ascii(codec: &str) -> bool {
    match codec {
        "ascii" | "utf-8" | "utf-8-sig" | "iso8859-1" => true,
        _ => single_byte::keeps_ascii(codec) || Family::of(codec).is_some_and(Family::keeps_ascii),
    }
}

/// Runs a codec; false if it refuses whatever the text is.
fn run(codec: &str, data: &[u8], sink: &mut Sink) -> bool {
    match codec {
        "ascii" => unicode::ascii(data, sink),
        "utf-8" => unicode::utf8(data, sink),
        "utf-8-sig" => unicode::utf8(data.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(data), sink),
        "utf-16" => unicode::utf16(data, None, sink),
        "utf-16-le" => unicode::utf16(data, Some(unicode::Order::Little), sink),
        "utf-16-be" => unicode::utf16(data, Some(unicode::Order::Big), sink),
        "utf-32" => unicode::utf32(data, None, sink),
        "utf-32-le" => unicode::utf32(data, Some(unicode::Order::Little), sink),
        "utf-32-be" => unicode::utf32(data, Some(unicode::Order::Big), sink),
        "utf-7" => unicode::utf7(data, sink),
        "unicode-escape" => escape::unicode_escape(data, sink),
        "raw-unicode-escape" => escape::raw_unicode_escape(data, sink),
        "punycode" => return punycode::decode(data, sink),
        "hz" => iso2022::hz(data, sink),
        _ => {
            if let Some(variant) = iso2022::Variant::of(codec) {
                iso2022::decode(variant, data, sink);
            } else if let Some(family) = Family::of(codec) {
                double_byte::decode(family, data, sink);
            } else {
                return single_byte::decode(codec, data, sink);
            }
        }
    }
    true
}

/// Where decoded characters and errors go.
#[derive(Debug)]
struct Sink {
    text: Vec<u8>,
    on_error: OnError,
    failed: bool,
}

impl Sink {
    fn new(on_error: OnError, capacity: usize) -> Self {
        Self {
            text: Vec::with_capacity(capacity + capacity / 2),
            on_error,
            failed: false,
        }
    }

    #[inline]
    fn push(&mut self, code: u32) {
        match u8::try_from(code) {
            Ok(byte) if byte.is_ascii() => self.text.push(byte),
            _ => character::push(&mut self.text, code),
        }
    }

    /// One error, however many bytes it covers.
    fn error(&mut self) {
        match self.on_error {
            OnError::Strict => self.failed = true,
            OnError::Ignore | OnError::IgnoreWhole => {}
            OnError::Replace => self.push(0xFFFD),
        }
    }
}

#[cfg(test)]
mod tests;
