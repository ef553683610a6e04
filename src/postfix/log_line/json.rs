//! Log lines as JSON objects: rsyslog templates, `journalctl -o json`, Docker's json-log.
//!
//! Only flat members are looked at; their order does not matter. A text that is no valid UTF-8 comes from journald as an
//! array of byte values.

use memchr::memmem;

use crate::{
    postfix::{
        calendar::Stamp,
        log_line::{Framing, LogLine, Scratch, finish, nested, readable, stamp, tag},
    },
    time::Timestamp,
};

/// The members that matter, as they stand in the line.
#[derive(Default)]
struct Members<'a> {
    stamp: &'a [u8],
    micros: &'a [u8],
    host: &'a [u8],
    tag: &'a [u8],
    pid: &'a [u8],
    facility: &'a [u8],
    text: &'a [u8],
    container: &'a [u8],
}

impl<'a> Members<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        let mut members = Self::default();
        let mut rest = blank(line.strip_prefix(b"{")?);
        if rest.first() == Some(&b'}') {
            return Some(members);
        }
        loop {
            let (key, after) = value(rest)?;
            let after = blank(blank(after).strip_prefix(b":")?);
            let (content, after) = value(after)?;
            members.take(key, content);
            match blank(after) {
                [b',', more @ ..] => rest = blank(more),
                [b'}', ..] => return Some(members),
                _ => return None,
            }
        }
    }

    fn take(&mut self, key: &[u8], content: &'a [u8]) {
        match key {
            b"\"timestamp\"" | b"\"@timestamp\"" | b"\"time\"" => self.stamp = content,
            b"\"_SOURCE_REALTIME_TIMESTAMP\"" => self.micros = content,
            b"\"__REALTIME_TIMESTAMP\"" if self.micros.is_empty() => self.micros = content,
            b"\"host\"" | b"\"hostname\"" | b"\"_HOSTNAME\"" => self.host = content,
            b"\"tag\"" | b"\"syslogtag\"" | b"\"SYSLOG_IDENTIFIER\"" => self.tag = content,
            b"\"program\"" | b"\"programname\"" if self.tag.is_empty() => self.tag = content,
            b"\"SYSLOG_PID\"" | b"\"pid\"" | b"\"procid\"" => self.pid = content,
            b"\"_PID\"" if self.pid.is_empty() => self.pid = content,
            b"\"SYSLOG_FACILITY\"" => self.facility = content,
            b"\"msg\"" | b"\"message\"" | b"\"MESSAGE\"" => self.text = content,
            b"\"log\"" => self.container = content,
            _ => {}
        }
    }
}

/// Takes the framing off a line that starts with `{`.
pub(super) fn split<'a>(line: &'a [u8], scratch: &'a mut Scratch) -> Framing<'a> {
    let Some(members) = Members::read(line) else {
        return if memmem::find(line, b"postfix").is_some() {
            Framing::Broken(readable(line, &mut scratch.text))
        } else {
            Framing::Foreign
        };
    };
    if !matches!(members.facility, b"" | b"\"2\"" | b"2" | b"\"mail\"") {
        return Framing::Foreign;
    }
    build(&members, scratch).map_or(Framing::Foreign, Framing::Postfix)
}

fn build<'a>(members: &Members<'_>, scratch: &'a mut Scratch) -> Option<LogLine<'a>> {
    let bytes = &mut scratch.bytes;
    bytes.clear();
    let mut part = |content: &[u8]| {
        let start = bytes.len();
        decode(content, bytes);
        start..bytes.len()
    };
    let host = part(members.host);
    let tag = part(members.tag);
    let pid = part(members.pid);
    let when = part(members.stamp);
    let micros = part(members.micros);
    let inner = !members.container.is_empty();
    let text = part(if inner {
        members.container
    } else {
        members.text
    });
    let bytes: &'a [u8] = &scratch.bytes;
    let word = |range| std::str::from_utf8(bytes.get(range)?).ok();
    let stamp = stamp_of(word(micros)?, word(when)?);
    let raw = super::trim(bytes.get(text)?);
    let text = readable(raw, &mut scratch.text);
    if inner {
        return nested(text, stamp, text, raw.len());
    }
    let (tag, tag_pid) = tag::read(word(tag)?.trim())?;
    let pid = word(pid)?.parse().unwrap_or(tag_pid);
    Some(finish(
        stamp,
        word(host)?,
        (tag, pid),
        text,
        (text, raw.len()),
    ))
}

fn stamp_of(micros: &str, text: &str) -> Stamp {
    match micros.parse() {
        Ok(micros) => Stamp::Absolute(Timestamp::from_micros(micros)),
        Err(_) => stamp::take(text).map_or(Stamp::Missing, |(stamp, _)| stamp),
    }
}

fn blank(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// One value as it stands, and what follows it.
fn value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match text.first()? {
        b'"' => string_end(text)?,
        b'[' | b'{' => nested_end(text)?,
        _ => text
            .iter()
            .position(|c| matches!(c, b',' | b'}' | b' ' | b':'))?,
    };
    text.split_at_checked(end)
}

fn string_end(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(found) == Some(&b'"') {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

fn nested_end(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_u32);
    loop {
        match text.get(at)? {
            b'"' => at += string_end(text.get(at..)?)? - 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Appends what a string, a number or an array of byte values stands for.
fn decode(content: &[u8], out: &mut Vec<u8>) {
    match content {
        [b'"', inside @ .., b'"'] => unescape(inside, out),
        [b'[', inside @ .., b']'] => out.extend(
            inside
                .split(|c| *c == b',')
                .filter_map(|number| std::str::from_utf8(number).ok()?.trim().parse::<u8>().ok()),
        ),
        b"null" => {}
        plain => out.extend_from_slice(plain),
    }
}

fn unescape(mut inside: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', inside) {
        let (before, rest) = inside.split_at(at);
        out.extend_from_slice(before);
        let (code, rest) = match rest {
            [b'\\', b'u', rest @ ..] => unicode(rest),
            [b'\\', b'n', rest @ ..] => ('\n', rest),
            [b'\\', b't', rest @ ..] => ('\t', rest),
            [b'\\', b'r', rest @ ..] => ('\r', rest),
            [b'\\', b'b', rest @ ..] => ('\u{8}', rest),
            [b'\\', b'f', rest @ ..] => ('\u{c}', rest),
            [b'\\', c @ (b'"' | b'\\' | b'/'), rest @ ..] => (char::from(*c), rest),
            [_, rest @ ..] => ('\\', rest),
            [] => return,
        };
        out.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
        inside = rest;
    }
    out.extend_from_slice(inside);
}

/// The four hex digits behind `\u`, and the second half of a surrogate pair.
fn unicode(rest: &[u8]) -> (char, &[u8]) {
    let bad = (char::REPLACEMENT_CHARACTER, rest);
    let Some((first, rest)) = hex4(rest) else {
        return bad;
    };
    if (0xD800..0xDC00).contains(&first)
        && let [b'\\', b'u', more @ ..] = rest
        && let Some((second @ 0xDC00..0xE000, more)) = hex4(more)
    {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            more,
        );
    }
    (
        char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER),
        rest,
    )
}

fn hex4(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let code = digits.iter().try_fold(0, |sum, c| {
        char::from(*c).to_digit(16).map(|digit| sum * 16 + digit)
    })?;
    Some((code, rest))
}
