//! The shape of a line: what stays when digits, IDs, addresses and hosts are masked.

use crate::postfix::queue_id;

/// Longer shapes are cut.
const LIMIT: usize = 160;

/// The shape of a program's text.
pub(super) fn of(daemon: &str, text: &str) -> String {
    let mut shape = String::with_capacity(LIMIT);
    if !daemon.is_empty() {
        shape.push_str(daemon);
        shape.push_str(": ");
    }
    let mut rest = text;
    while !rest.is_empty() && shape.len() < LIMIT {
        rest = step(rest, &mut shape);
    }
    while shape.len() > LIMIT {
        shape.pop();
    }
    shape
}

/// Masks one word, or copies one delimiter.
fn step<'a>(rest: &'a str, shape: &mut String) -> &'a str {
    if let Some((_, after)) = rest
        .strip_prefix('<')
        .and_then(|inside| inside.split_once('>'))
    {
        shape.push_str("<>");
        return after;
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+');
    let end = rest.find(|c| !plain(c)).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if word.is_empty() {
        let mut characters = rest.chars();
        shape.extend(characters.next());
        return characters.as_str();
    }
    shape.push_str(mask(word));
    after
}

fn mask(word: &str) -> &str {
    let digits = word.bytes().any(|c| c.is_ascii_digit());
    if word.bytes().all(|c| c.is_ascii_digit() || c == b'.') && digits {
        "N"
    } else if digits && queue_id::is_valid(word) {
        "ID"
    } else if word.contains('@') {
        "ADDRESS"
    } else if word.trim_matches('.').contains('.') {
        "HOST"
    } else if digits {
        "WORD"
    } else {
        word
    }
}
