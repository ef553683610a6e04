//! The attacker's log: every text of a line that a stranger can choose, by name, stuffed with members it does not own.
//!
//! A line is written as Postfix writes it (quoted, neutered, printable), with the truth beside it. A member that is read
//! must be the true one: doubt may cost a member, never lie.

mod deliveries;
mod envelopes;
mod sessions;

use postwarden::postfix::log_record::Reading;

use super::{log, members, pieces, printable};

/// One line, and what it says in truth.
#[derive(Debug)]
pub struct Line {
    pub daemon: &'static str,
    pub text: String,
    /// Kind in `records`.
    pub kind: &'static str,
    /// Its members; of those that are read none may have another value.
    pub truth: Vec<(&'static str, String)>,
    /// What may not be left out whatever the text is, unless the line is cut.
    pub must: &'static [&'static str],
}

/// One text that strangers choose.
#[derive(Debug)]
pub struct Case {
    /// Which.
    pub field: &'static str,
    /// The lines that it stands in. Where a line has two such texts, both are given.
    pub lines: fn(&str, &str) -> Vec<Line>,
}

/// All of them.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [envelopes::CASES, deliveries::CASES, sessions::CASES]
        .into_iter()
        .flatten()
}

/// Any two texts in every field.
pub(super) fn any_text(data: &[u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let [one, two] = pieces(rest);
    let (one, two) = (printable(one), printable(two));
    for case in cases() {
        for line in (case.lines)(&one, &two) {
            check(case.field, &line, 0);
            check(case.field, &line, usize::from(*first));
        }
    }
}

/// How many bytes of a text Postfix writes (`msg_syslog.c`), a severity apart.
pub const LIMIT: usize = 2000;

/// Reads a line in one of the framings and compares it with the truth.
pub fn check(field: &str, line: &Line, framing: usize) {
    let (severity, text) = match line.text.strip_prefix("warning: ") {
        Some(text) => ("warning: ", text),
        None => ("", &*line.text),
    };
    // A text of exactly that length may have lost its end.
    let end = (0..=LIMIT.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    let (cut, lost) = (text.len() >= LIMIT, text.len() > LIMIT);
    let text = format!(
        "{severity}{}{}",
        &text[..end],
        "?".repeat(if lost { LIMIT - end } else { 0 })
    );
    let (name, frame) = log::FRAMINGS[framing % log::FRAMINGS.len()];
    let whole = frame(line.daemon, &text);
    let mut reader = log::reader();
    let reading = reader.read(whole.as_bytes());
    let said = || format!("{field}, {name}\n{whole}\n{reading:#?}");
    let record = match &reading {
        Reading::Record(record) => record,
        Reading::Unparsed(_) if cut => return,
        _ => panic!("not understood: {}", said()),
    };
    let (kind, list) = members::of(record);
    assert!(
        kind == line.kind || cut && kind == "other",
        "{kind}: {}",
        said()
    );
    for (member, value) in &list {
        if matches!(*member, "text" | "reply") {
            continue;
        }
        let real = line.truth.iter().find(|(name, _)| name == member);
        assert_eq!(
            real.map(|(_, real)| real.trim_end()),
            Some(value.trim_end()),
            "{member}: {}",
            said()
        );
    }
    for must in line.must.iter().filter(|_| !cut) {
        let found = list.iter().any(|(member, _)| member == must);
        assert!(found, "{must} is missing: {}", said());
    }
}

/// The queue ID of the attacker's message.
pub const ID: &str = "4F2A1C0D3B";

fn line(
    daemon: &'static str,
    kind: &'static str,
    text: String,
    truth: &[(&'static str, &str)],
    must: &'static [&'static str],
) -> Line {
    let truth = truth
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect();
    Line {
        daemon,
        text,
        kind,
        truth,
        must,
    }
}

/// An address as Postfix writes it since 3.5: the local part quoted (`quote_822_local`).
fn address(local: &str) -> String {
    let local = local.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"evil{local}\"@evil.example")
}

/// A HELO name or an XFORWARD attribute: `neuter()` of smtpd.
fn neutered(text: &str) -> String {
    let strange = |c| " <>()\\\";@".contains(c);
    text.replace(strange, "?")
}

/// A host name of the DNS: what is none is not written (`valid_hostname`).
fn host(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = text.chars().filter(plain).take(200).collect();
    format!("h{name}.evil.example")
}
