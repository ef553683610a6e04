//! The content type as Python's `email.message` reads it: not validated, not trimmed, RFC 2231 segments joined.
//!
//! Values are generalised UTF-8 in which every byte of the header above 127 already is U+FFFD.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{
    super::{
        character::{self, strip, strip_end},
        charset::{self, OnError},
    },
    mime::Kind,
    transfer::hex,
};

/// A content type with its parameters.
#[derive(Debug)]
pub(super) struct ContentType {
    /// `main/sub`, lower-cased, with exactly one slash.
    name: Vec<u8>,
    parameters: Vec<(Vec<u8>, Parameter)>,
    mixes_numbers: bool,
}

/// The value of a parameter, quotes undone once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    /// An ordinary one.
    Plain(Vec<u8>),
    /// One in the form of RFC 2231, with the charset it names.
    Extended {
        /// As it stands before the first `'`; absent if there are fewer than two.
        charset: Option<Vec<u8>>,
        /// The value, percent signs undone to Latin-1.
        text: Vec<u8>,
    },
}

impl ContentType {
    /// The type of a part without that header.
    pub(super) fn absent(default: &[u8]) -> Self {
        Self {
            name: default.to_vec(),
            parameters: Vec::new(),
            mixes_numbers: false,
        }
    }

    /// Reads a header value.
    pub(super) fn parse(value: &[u8]) -> Self {
        let first = value.split(|byte| *byte == b';').next().unwrap_or(value);
        let mut name = strip(first).to_ascii_lowercase();
        if name.iter().filter(|byte| **byte == b'/').count() != 1 {
            name = b"text/plain".to_vec();
        }
        let (parameters, mixes_numbers) = parameters(value);
        Self {
            name,
            parameters,
            mixes_numbers,
        }
    }

    /// What such a part gives to the digest when it is a leaf.
    pub(super) fn kind(&self) -> Kind {
        match self.name.as_slice() {
            b"text/html" => Kind::Html,
            [b't', b'e', b'x', b't', b'/', ..] => Kind::Text,
            _ => Kind::Raw,
        }
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.name.starts_with(b"multipart/")
    }

    pub(super) fn is_message(&self) -> bool {
        self.name.starts_with(b"message/")
    }

    pub(super) fn is_delivery_status(&self) -> bool {
        self.name == b"message/delivery-status"
    }

    pub(super) fn is_digest(&self) -> bool {
        self.name == b"multipart/digest"
    }

    /// Whether a parameter has RFC 2231 segments with and without number: the reference fails on reading any parameter.
    pub(super) const fn mixes_numbers(&self) -> bool {
        self.mixes_numbers
    }

    /// The first parameter of a (lower-case) name.
    pub(super) fn parameter(&self, name: &[u8]) -> Option<Parameter> {
        let (_, value) = self
            .parameters
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(match value {
            Parameter::Plain(text) => Parameter::Plain(unquote(text)),
            Parameter::Extended { charset, text } => Parameter::Extended {
                charset: charset.clone(),
                text: unquote(text),
            },
        })
    }
}

impl Parameter {
    /// The value as the boundary of a multipart: what its separators begin with. Nothing if no line can match.
    pub(super) fn separator(&self) -> Option<Vec<u8>> {
        let boundary = match self {
            Self::Plain(text) => unquote(text),
            Self::Extended { charset, text } => {
                let name = charset.as_deref().unwrap_or(b"us-ascii");
                charset::decode(name, &octets(text), OnError::Replace)
                    .map_or_else(|_| unquote(text), |text| text.into_owned())
            }
        };
        let boundary = strip_end(&boundary);
        boundary.is_ascii().then(|| [b"--", boundary].concat())
    }
}

/// Characters to bytes: below U+0100 one each, the others as an escape (Python's `raw-unicode-escape`).
pub(super) fn octets(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for character in String::from_utf8_lossy(text).chars() {
        match u8::try_from(u32::from(character)) {
            Ok(byte) => out.push(byte),
            Err(_wide) => {
                let code = u32::from(character);
                let escape = if code > 0xFFFF {
                    format!("\\U{code:08x}")
                } else {
                    format!("\\u{code:04x}")
                };
                out.extend_from_slice(escape.as_bytes());
            }
        }
    }
    out
}

/// The parameters in the order in which they are looked up, and whether numbers are mixed.
fn parameters(value: &[u8]) -> (Vec<(Vec<u8>, Parameter)>, bool) {
    let mut out = Vec::new();
    let mut segmented = Segmented::default();
    for (index, piece) in pieces(value).into_iter().enumerate() {
        let (name, value) = name_and_value(piece);
        if index == 0 {
            out.push((name, Parameter::Plain(value.to_vec())));
            continue;
        }
        let value = unquote(value);
        match segment_name(&name) {
            Some((base, number)) => {
                let encoded = name.ends_with(b"*");
                segmented.push(
                    base,
                    Segment {
                        number,
                        value,
                        encoded,
                    },
                );
            }
            None => out.push((name, Parameter::Plain(quoted(&value)))),
        }
    }
    let mixed = segmented.finish(&mut out);
    (out, mixed)
}

/// Splits at semicolons that are not within quotes.
fn pieces(value: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut rest = value;
    loop {
        let mut odd = false;
        let mut from = 0;
        let mut end = rest.len();
        for at in memchr::memchr_iter(b';', rest) {
            odd ^= quotes(rest.get(from..at).unwrap_or_default()) % 2 == 1;
            from = at;
            if !odd || at == 0 {
                end = at;
                break;
            }
        }
        out.push(rest.get(..end).unwrap_or_default());
        match rest.get(end + 1..) {
            Some(after) => rest = after,
            None => return out,
        }
    }
}

/// Quotes that no backslash precedes.
fn quotes(text: &[u8]) -> usize {
    let all = memchr::memchr_iter(b'"', text).count();
    let escaped = text.windows(2).filter(|pair| pair == b"\\\"").count();
    all - escaped
}

fn name_and_value(piece: &[u8]) -> (Vec<u8>, &[u8]) {
    match memchr::memchr(b'=', piece).and_then(|at| piece.split_at_checked(at)) {
        Some((name, value)) => (
            lower(strip(name)),
            strip(value.get(1..).unwrap_or_default()),
        ),
        None => (strip(piece).to_vec(), b""),
    }
}

fn lower(text: &[u8]) -> Vec<u8> {
    text.to_ascii_lowercase()
}

/// The base and the number of `word*`, `word*N`, `word*N*`.
fn segment_name(name: &[u8]) -> Option<(&[u8], Option<Number>)> {
    let star = memchr::memchr(b'*', name)?;
    let (base, rest) = name.split_at_checked(star)?;
    let rest = rest.get(1..)?;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    if base.is_empty() || !base.iter().all(is_word) {
        return None;
    }
    if rest.is_empty() {
        return Some((base, None));
    }
    let digits = rest.strip_suffix(b"*").unwrap_or(rest);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some((base, Some(Number::new(digits))))
}

/// A number of any length, by its digits without leading zeros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Number(Vec<u8>);

impl Number {
    fn new(digits: &[u8]) -> Self {
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        Self(digits.get(zeros..).unwrap_or_default().to_vec())
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Debug)]
struct Segment {
    number: Option<Number>,
    value: Vec<u8>,
    encoded: bool,
}

/// RFC 2231 segments by the name of their parameter, names in order of appearance.
#[derive(Default)]
struct Segmented {
    places: BTreeMap<Vec<u8>, usize>,
    names: Vec<(Vec<u8>, Vec<Segment>)>,
}

impl Segmented {
    fn push(&mut self, base: &[u8], segment: Segment) {
        let place = *self.places.entry(base.to_vec()).or_insert_with(|| {
            self.names.push((base.to_vec(), Vec::new()));
            self.names.len() - 1
        });
        if let Some((_, segments)) = self.names.get_mut(place) {
            segments.push(segment);
        }
    }

    /// Appends the joined parameters; whether one of them mixes segments with and without number.
    fn finish(self, out: &mut Vec<(Vec<u8>, Parameter)>) -> bool {
        let mut mixed = false;
        for (name, mut segments) in self.names {
            let numbered = segments
                .iter()
                .filter(|segment| segment.number.is_some())
                .count();
            mixed |= numbered > 0 && numbered < segments.len();
            segments.sort_by(|a, b| {
                (&a.number, &a.value, a.encoded).cmp(&(&b.number, &b.value, b.encoded))
            });
            out.push((name, join(&segments)));
        }
        mixed
    }
}

fn join(segments: &[Segment]) -> Parameter {
    let mut text = Vec::new();
    for segment in segments {
        if segment.encoded {
            percent_decode(&segment.value, &mut text);
        } else {
            text.extend_from_slice(&segment.value);
        }
    }
    let text = escaped(&text);
    if !segments.iter().any(|segment| segment.encoded) {
        return Parameter::Plain(in_quotes(&text));
    }
    let mut bits = text.splitn(3, |byte| *byte == b'\'');
    match (bits.next(), bits.next(), bits.next()) {
        (Some(charset), Some(_language), Some(value)) => Parameter::Extended {
            charset: Some(charset.to_vec()),
            text: in_quotes(value),
        },
        _ => Parameter::Extended {
            charset: None,
            text: in_quotes(&text),
        },
    }
}

/// Undoes `%XX` to the Latin-1 character.
fn percent_decode(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        match rest {
            [b'%', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                character::push(out, u32::from(hex(*high) << 4 | hex(*low)));
                rest = after;
            }
            _ => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

/// Drops quotes or angle brackets around a value, once.
fn unquote(text: &[u8]) -> Vec<u8> {
    match text {
        [b'"', inner @ .., b'"'] => replace(&replace(inner, b"\\\\", b"\\"), b"\\\"", b"\""),
        [b'<', inner @ .., b'>'] => inner.to_vec(),
        _ => text.to_vec(),
    }
}

fn quoted(text: &[u8]) -> Vec<u8> {
    in_quotes(&escaped(text))
}

fn escaped(text: &[u8]) -> Vec<u8> {
    replace(&replace(text, b"\\", b"\\\\"), b"\"", b"\\\"")
}

fn in_quotes(text: &[u8]) -> Vec<u8> {
    [b"\"", text, b"\""].concat()
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    out
}
