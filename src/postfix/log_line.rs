//! One line of a mail log: its framing taken off.
//!
//! What it reads, told apart per line by how the line starts: the traditional file format of RFC 3164 and postlogd's
//! (`Nov  3 08:25:50`, with or without year, fraction, weekday), RFC 3339 and `YYYY-MM-DD HH:MM:SS`, RFC 5424, the JSON
//! objects of rsyslog templates and of `journalctl -o json`, and any of them inside Docker's json-log, a Kubernetes or
//! compose prefix, `<PRI>`, or after the NUL bytes that a crash leaves. `message repeated N times: [ ... ]` is unwrapped.
//!
//! A line that is valid UTF-8 is borrowed; another one, or the text of a JSON object, is built in the [`Scratch`] of the
//! caller. On failure a line is foreign; nothing here panics, and no line changes how another one is read.
//!
//! Limits: journald and old syslogds take blanks off the end of a text, so that a login that ends in a blank reads
//! without it; syslogds that cut a whole line at 1024 bytes leave no trace but a missing parenthesis.

mod json;
mod stamp;
mod tag;
#[cfg(test)]
mod tests;

use crate::postfix::calendar::Stamp;

pub use tag::{Origin, Tag};

/// The length at which Postfix cuts a text (`msg_syslog.c`, `msg_logger.c`; measured on 3.7.11), severity word apart.
pub const TEXT_LIMIT: usize = 2000;

/// A Postfix log line without its framing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogLine<'a> {
    /// When it was written, as the line says it.
    pub stamp: Stamp,
    /// Host name; empty where the framing has none.
    pub host: &'a str,
    /// Who wrote it.
    pub tag: Tag<'a>,
    /// `[pid]`; 0 where the framing has none.
    pub pid: u32,
    /// How often the line stands for itself.
    pub repeat: u32,
    /// `warning`, `error`, `fatal` or `panic`; empty for plain information.
    pub severity: &'a str,
    /// What the program wrote, without the severity.
    pub text: &'a str,
    /// The text is as long as Postfix lets one be: its end may be missing.
    pub cut: bool,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing<'a> {
    /// A line of Postfix.
    Postfix(LogLine<'a>),
    /// Another program's, or no log line at all.
    Foreign,
    /// A JSON object that is broken and names Postfix; the line.
    Broken(&'a str),
}

/// Room for the lines that cannot be borrowed, and the bytes of the last stamps, which are read once.
#[derive(Debug, Default)]
pub struct Scratch {
    text: String,
    bytes: Vec<u8>,
    stamps: stamp::Memory,
}

/// Takes the framing off one line (with or without its line end).
pub fn split<'a>(line: &'a [u8], scratch: &'a mut Scratch) -> Framing<'a> {
    let line = trim(line);
    if line.first() == Some(&b'{') {
        return json::split(line, scratch);
    }
    let text = readable(line, &mut scratch.text);
    if let Some(usual) = usual(text, line.len(), &mut scratch.stamps) {
        return Framing::Postfix(usual);
    }
    plain(text, line.len()).map_or(Framing::Foreign, Framing::Postfix)
}

/// `STAMP HOST SERVICE/DAEMON[PID]: text`: what [`plain`] finds as well, without looking for anything else.
#[inline(always)]
fn usual<'a>(line: &'a str, bytes: usize, stamps: &mut stamp::Memory) -> Option<LogLine<'a>> {
    let (when, rest) = stamps.take(line)?;
    let (host, tag, pid, text) = tag::usual(tag::skip_blanks(rest))?;
    Some(finish(when, host, (tag, pid), text, (line, bytes)))
}

/// Line ends, and what a crash leaves before a line.
fn trim(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n' | b'\r' | b'\0'] = line {
        line = rest;
    }
    while let [b'\0' | b' ' | b'\t', rest @ ..] = line {
        line = rest;
    }
    line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line)
}

/// The line itself, or a copy of it in which what is not UTF-8 is replaced.
fn readable<'a>(line: &'a [u8], scratch: &'a mut String) -> &'a str {
    match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(_) => {
            scratch.clear();
            for chunk in line.utf8_chunks() {
                scratch.push_str(chunk.valid());
                if !chunk.invalid().is_empty() {
                    scratch.push(char::REPLACEMENT_CHARACTER);
                }
            }
            scratch
        }
    }
}

/// A line that is not JSON. `bytes` is its length before what is not UTF-8 was replaced.
fn plain(line: &str, bytes: usize) -> Option<LogLine<'_>> {
    let after_priority = stamp::skip_priority(line);
    if let Some(rest) = after_priority.strip_prefix("1 ")
        && let Some(framed) = rfc5424(rest, line, bytes)
    {
        return framed;
    }
    let Some((when, rest)) = stamp::take(after_priority) else {
        return bare(after_priority, line, bytes);
    };
    let rest = tag::skip_blanks(rest);
    if let Some((host, tag, pid, text)) = tag::usual(rest) {
        return Some(finish(when, host, (tag, pid), text, (line, bytes)));
    }
    if let Some(inner) = container(rest) {
        return nested(inner, when, line, bytes);
    }
    if stamp::take(rest).is_some() {
        return nested(rest, when, line, bytes);
    }
    let (host, tag, text) = tag::after_stamp(rest)?;
    match tag {
        tag::Found::Tag(tag, pid) => Some(finish(when, host, (tag, pid), text, (line, bytes))),
        // A relay wrote its own stamp before the line it was sent.
        tag::Found::Stamp => nested(text, when, line, bytes),
    }
}

/// A line without a stamp: only a tag or a host and a tag, or behind the name that `docker compose logs` puts before it.
fn bare<'a>(rest: &'a str, line: &'a str, bytes: usize) -> Option<LogLine<'a>> {
    if let Some((name, inner)) = rest.split_once("| ")
        && name.len() < 64
        && !name.trim_end().contains(' ')
    {
        return nested(inner, Stamp::Missing, line, bytes);
    }
    // The file name that grep(1) puts before a line.
    if let Some((name, inner)) = rest.split_once(':')
        && name.len() < 128
        && !name.contains([' ', '['])
        && stamp::take(inner).is_some()
    {
        return nested(inner, Stamp::Missing, line, bytes);
    }
    // A container's log without stamps: `mail postfix/smtpd[123]: `. What is left of a broken stamp is no host.
    if let Some((host, tag, pid, text)) = tag::usual(rest)
        && tag::is_plain(host)
    {
        return Some(finish(
            Stamp::Missing,
            host,
            (tag, pid),
            text,
            (line, bytes),
        ));
    }
    let (word, text) = tag::word(rest);
    let (tag, pid) = tag::read(word)?;
    (tag.origin == Origin::Certain)
        .then(|| finish(Stamp::Missing, "", (tag, pid), text, (line, bytes)))
}

/// `<22>1 STAMP HOST APP PROCID MSGID DATA  TEXT`; the outer `None`: it is none.
fn rfc5424<'a>(rest: &'a str, line: &'a str, bytes: usize) -> Option<Option<LogLine<'a>>> {
    let (when, rest) = stamp::take(rest)?;
    let (host, rest) = tag::word(tag::skip_blanks(rest));
    let (app, rest) = tag::word(rest);
    let (pid, rest) = tag::word(rest);
    let (_, rest) = tag::word(rest);
    let text = stamp::skip_structured_data(rest)?;
    let text = text.trim_start_matches([' ', '\u{feff}']);
    let host = if host == "-" { "" } else { host };
    Some(tag::name(app).map(|tag| {
        let pid = pid.parse().unwrap_or(0);
        finish(when, host, (tag, pid), text, (line, bytes))
    }))
}

/// What follows `stdout F ` of a container runtime.
fn container(rest: &str) -> Option<&str> {
    let rest = rest
        .strip_prefix("stdout ")
        .or_else(|| rest.strip_prefix("stderr "))?;
    rest.strip_prefix("F ").or_else(|| rest.strip_prefix("P "))
}

/// A line within a line: its own stamp counts, if it has one.
fn nested<'a>(inner: &'a str, outer: Stamp, line: &'a str, bytes: usize) -> Option<LogLine<'a>> {
    let inner = tag::skip_blanks(inner);
    let bytes = bytes.saturating_sub(line.len().saturating_sub(inner.len()));
    // One level only: what is within that is text.
    let after_priority = stamp::skip_priority(inner);
    let (when, rest) = stamp::take(after_priority).unwrap_or((Stamp::Missing, after_priority));
    let rest = tag::skip_blanks(rest);
    let (host, found, text) = tag::after_stamp(rest)?;
    let tag::Found::Tag(tag, pid) = found else {
        return None;
    };
    let when = if when == Stamp::Missing { outer } else { when };
    Some(finish(when, host, (tag, pid), text, (inner, bytes)))
}

/// The text's own wrappers: Solaris' message ID, repetition, severity. `whole` is the line and its length in bytes.
#[inline]
fn finish<'a>(
    stamp: Stamp,
    host: &'a str,
    (tag, pid): (Tag<'a>, u32),
    text: &'a str,
    whole: (&'a str, usize),
) -> LogLine<'a> {
    let (line, bytes) = whole;
    let text = tag::skip_blanks(text);
    let (mut repeat, mut plain, mut severity) = (1, text, "");
    // A queue ID, an address or `c` of `connect`: most texts have no wrapper.
    if matches!(
        text.as_bytes().first(),
        Some(b'[' | b'e' | b'f' | b'm' | b'p' | b'w')
    ) {
        plain = text
            .strip_prefix("[ID ")
            .and_then(|rest| rest.split_once("] "))
            .map_or(text, |(_, text)| text);
        (repeat, plain) = repeated(plain).unwrap_or((1, plain));
        (severity, plain) = split_severity(plain);
    }
    // All that was taken off stands before the text (or, when repeated, one bracket behind it) and is ASCII.
    let length = bytes.saturating_sub(line.len().saturating_sub(plain.len()));
    LogLine {
        stamp,
        host,
        tag,
        pid,
        repeat,
        severity,
        text: plain,
        cut: length >= TEXT_LIMIT,
    }
}

/// `message repeated 3 times: [ lost connection ...]` (rsyslog's `$RepeatedMsgReduction`).
fn repeated(text: &str) -> Option<(u32, &str)> {
    let (count, rest) = text
        .strip_prefix("message repeated ")?
        .split_once(" times: [")?;
    let inner = tag::skip_blanks(rest);
    Some((
        count.parse().ok()?,
        inner.strip_suffix(']').unwrap_or(inner),
    ))
}

fn split_severity(text: &str) -> (&str, &str) {
    ["warning", "error", "fatal", "panic"]
        .into_iter()
        .find_map(|word| Some((word, text.strip_prefix(word)?.strip_prefix(": ")?)))
        .unwrap_or(("", text))
}
