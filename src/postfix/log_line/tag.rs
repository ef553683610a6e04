//! Who wrote a line: `syslog_name/daemon[pid]:`.
//!
//! `syslog_name` is free (per service, per instance), so the program's name decides: it stands behind the last `/`.

use crate::postfix::{log_line::stamp, run};

/// How sure it is that a line is Postfix's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The tag says so.
    Certain,
    /// The program's name is one of Postfix's and of others' (`cyrus/master`): the text must be one that only Postfix writes.
    Possible,
}

/// A tag of Postfix, or one that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// What stands before the program; may be empty.
    pub service: &'a str,
    /// The program; empty where the framing lost it (rsyslog's programname ends at a `/`).
    pub daemon: &'a str,
    /// Whose it is.
    pub origin: Origin,
}

/// Programs whose names no other software uses behind a `/`.
const OWN: &[&str] = &[
    "anvil",
    "cleanup",
    "dnsblog",
    "nqmgr",
    "oqmgr",
    "pickup",
    "postalias",
    "postcat",
    "postconf",
    "postdrop",
    "postfix",
    "postfix-script",
    "postfix-wrapper",
    "postkick",
    "postlock",
    "postlog",
    "postlogd",
    "postmap",
    "postmulti",
    "postqueue",
    "postscreen",
    "postsuper",
    "proxymap",
    "proxywrite",
    "qmgr",
    "qmqpd",
    "scache",
    "showq",
    "smtp",
    "smtpd",
    "tlsmgr",
    "tlsproxy",
    "trivial-rewrite",
];

/// Programs whose names others use too.
const SHARED: &[&str] = &[
    "bounce",
    "defer",
    "discard",
    "error",
    "flush",
    "lmtp",
    "local",
    "master",
    "newaliases",
    "pipe",
    "relay",
    "retry",
    "sendmail",
    "spawn",
    "trace",
    "verify",
    "virtual",
];

/// What stands behind a stamp and a host.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A tag of Postfix and its process ID.
    Tag(Tag<'a>, u32),
    /// Another stamp; the text starts with it.
    Stamp,
}

/// Reads `HOST TAG[PID]:`; the host may be missing, a facility may stand before the tag. `None`: not Postfix's.
pub(super) fn after_stamp(rest: &str) -> Option<(&str, Found<'_>, &str)> {
    if let Some((host, tag, pid, text)) = usual(rest) {
        return Some((host, Found::Tag(tag, pid), text));
    }
    let (first, after_first) = word(rest);
    if is_tag(first) {
        let (tag, pid) = read(first)?;
        return Some(("", Found::Tag(tag, pid), after_first));
    }
    if is_facility(first) {
        // FreeBSD and OpenWrt write it before the host.
        return after_host("", after_first).or_else(|| {
            let (host, rest) = word(after_first);
            after_host(host, rest)
        });
    }
    after_host(first, after_first)
}

/// `HOST SERVICE/DAEMON[PID]: ` of a service that is named after Postfix: nearly every line.
#[inline]
pub(super) fn usual(rest: &str) -> Option<(&str, Tag<'_>, u32, &str)> {
    let bytes = rest.as_bytes();
    let blank = bytes.iter().position(|c| *c == b' ')?;
    let name = bytes.get(blank + 1..)?;
    if !name.starts_with(b"postfix") || bytes.get(blank.wrapping_sub(1)) == Some(&b':') {
        return None;
    }
    // A blank or a colon before the bracket: not this simple.
    let open = blank + 1 + run::of_tag(name);
    if bytes.get(open) != Some(&b'[') {
        return None;
    }
    let slash = bytes.get(..open)?.iter().rposition(|c| *c == b'/')?;
    let mut pid = 0_u32;
    let mut close = open + 1;
    while let Some(digit @ b'0'..=b'9') = bytes.get(close) {
        pid = pid.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
        close += 1;
    }
    // Nine digits are a number that fits. A slash of the host is before the name: nothing is there.
    let text = rest.get(close..)?.strip_prefix("]: ")?;
    let tag = Tag {
        service: rest.get(blank + 1..slash)?,
        daemon: rest.get(slash + 1..open)?,
        origin: Origin::Certain,
    };
    (close - open <= 10).then_some((rest.get(..blank)?, tag, pid, text))
}

fn after_host<'a>(host: &'a str, rest: &'a str) -> Option<(&'a str, Found<'a>, &'a str)> {
    let (second, text) = word(rest);
    if is_tag(second) {
        let (tag, pid) = read(second)?;
        return Some((host, Found::Tag(tag, pid), text));
    }
    if is_facility(second) {
        let (third, text) = word(text);
        let (tag, pid) = is_tag(third).then(|| read(third)).flatten()?;
        return Some((host, Found::Tag(tag, pid), text));
    }
    if stamp::take(rest).is_some() {
        return Some((host, Found::Stamp, rest));
    }
    // A year or a zone between stamp and host: the word before the tag is the host.
    let (third, after) = word(text);
    let (tag, pid) = is_tag(third).then(|| read(third)).flatten()?;
    (is_plain(host) && is_plain(second)).then_some((second, Found::Tag(tag, pid), after))
}

/// True for a word that may be a host, a year or a zone.
pub(super) fn is_plain(word: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_' | b'+');
    !word.is_empty() && word.bytes().all(plain)
}

/// Up to the first blank, and what follows the blanks.
pub(super) fn word(text: &str) -> (&str, &str) {
    // Words are short: a loop beats a search.
    let end = text.bytes().position(|c| c == b' ').unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (word, skip_blanks(rest))
}

/// What follows the blanks.
pub(super) fn skip_blanks(mut text: &str) -> &str {
    while let Some(rest) = text.strip_prefix(' ') {
        text = rest;
    }
    text
}

fn is_tag(word: &str) -> bool {
    word.len() > 1 && (word.ends_with(':') || word.ends_with(']') && word.contains('/'))
}

/// `mail.info`, `mail:info`, `<mail.info>`, `[mail.info]`.
fn is_facility(word: &str) -> bool {
    if !matches!(word.as_bytes().first(), Some(b'm' | b'<' | b'[')) {
        return false;
    }
    let word = word
        .trim_start_matches(['<', '['])
        .trim_end_matches(['>', ']']);
    word.strip_prefix("mail")
        .and_then(|rest| rest.strip_prefix(['.', ':']))
        .is_some_and(|level| !level.is_empty() && level.bytes().all(|c| c.is_ascii_lowercase()))
}

/// `postfix/smtp[29722]:` as tag and process ID.
pub(super) fn read(word: &str) -> Option<(Tag<'_>, u32)> {
    let word = word.strip_suffix(':').unwrap_or(word);
    let (program, pid) = numbered(word).unwrap_or((word, 0));
    Some((name(program)?, pid))
}

/// `program[123]` taken apart.
fn numbered(word: &str) -> Option<(&str, u32)> {
    let word = word.strip_suffix(']')?;
    let digits = word.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (program, pid) = word.split_at_checked(word.len() - digits)?;
    Some((program.strip_suffix('[')?, pid.parse().unwrap_or(0)))
}

/// The tag of a program's name; `None` if it is not Postfix's.
pub(super) fn name(program: &str) -> Option<Tag<'_>> {
    use Origin::{Certain, Possible};
    let tag = |service, daemon, origin| {
        Some(Tag {
            service,
            daemon,
            origin,
        })
    };
    let slash = program.bytes().rposition(|c| c == b'/');
    let parts = slash.and_then(|at| Some((program.get(..at)?, program.get(at + 1..)?)));
    match parts {
        Some((service, daemon)) if service.starts_with("postfix") => tag(service, daemon, Certain),
        Some((service, daemon)) if OWN.contains(&daemon) => tag(service, daemon, Certain),
        Some((service, daemon)) if service.contains("postfix") => tag(service, daemon, Certain),
        Some((service, daemon)) if SHARED.contains(&daemon) => tag(service, daemon, Possible),
        Some(_) => None,
        None if program == "postfix" => tag(program, "", Certain),
        None if program.starts_with("post") && OWN.contains(&program) => tag("", program, Certain),
        None => {
            let rest = program.strip_prefix("postfix")?;
            // `postfix-out` of an instance, not `postfixadmin`.
            let named =
                rest.starts_with(['-', '_', '.']) || rest.starts_with(|c: char| c.is_ascii_digit());
            named.then(|| tag(program, "", Possible)).flatten()
        }
    }
}
