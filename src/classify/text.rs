//! The form in which rules see a text: lower case, blanks folded, mail addresses replaced by `@`, IP addresses by `ip#`
//! (so that phrases about an IP apply whether the text says "your IP" or gives the number).
//!
//! Addresses are what a stranger can choose freely, so that nothing within one may match a phrase
//! (`spam-rejected@example.com`). Of a text beyond [`LIMIT`] the rest is ignored: Postfix cuts log lines at 2000 bytes.

use std::net::IpAddr;

use memchr::{memchr, memchr2};

/// Bytes of a text that are looked at.
pub(super) const LIMIT: usize = 4096;

/// Lower case, blanks folded, mail and IP addresses masked.
pub(super) fn normal(text: &str) -> String {
    let mut lower = head(text).to_ascii_lowercase();
    if needs_folding(lower.as_bytes()) {
        lower = fold(&lower);
    }
    if memchr(b'@', lower.as_bytes()).is_some() {
        lower = mask(&lower);
    }
    mask_ip(lower)
}

/// Whether there is a control character or a run of blanks. Written without an early way out, so that it takes many
/// bytes at a time.
fn needs_folding(text: &[u8]) -> bool {
    let after = text.get(1..).unwrap_or_default();
    let control = text.iter().fold(false, |any, byte| any | (*byte < b' '));
    text.iter().zip(after).fold(control, |any, (byte, next)| {
        any | ((*byte == b' ') & (*next == b' '))
    })
}

fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        let c = if c.is_ascii_control() { ' ' } else { c };
        if c != ' ' || !folded.ends_with(' ') {
            folded.push(c);
        }
    }
    folded
}

/// Replaces each word with an `@` by `@` alone. A full stop behind it belongs to the sentence.
fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(at) = bytes.get(done..).and_then(|rest| memchr(b'@', rest)) {
        let at = done + at;
        let before = bytes.get(done..at).unwrap_or_default();
        let word = before.iter().rposition(|byte| bounds_address(*byte));
        let start = done + word.map_or(0, |place| place + 1);
        let after = bytes.get(at..).unwrap_or_default();
        let length = after.iter().position(|byte| bounds_address(*byte));
        let end = length.map_or(bytes.len(), |length| at + length);
        masked.push_str(text.get(done..start).unwrap_or_default());
        masked.push('@');
        if end > at + 1 && bytes.get(end - 1) == Some(&b'.') {
            masked.push('.');
        }
        done = end;
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    masked
}

/// Replaces IP addresses by `ip#`.
fn mask_ip(text: String) -> String {
    let bytes = text.as_bytes();
    let mut masked = String::new();
    let mut done = 0;
    while let Some((start, end)) = next_ip(bytes, done) {
        masked.reserve(bytes.len() - done);
        masked.push_str(text.get(done..start).unwrap_or_default());
        masked.push_str("ip#");
        done = end;
    }
    if done == 0 {
        return text;
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    masked
}

/// The next IP address at or behind `from`. A dot or colon between digits leads to it; each run of characters that can
/// stand in an address is looked at once.
fn next_ip(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let of_ip = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
    let mut at = from;
    loop {
        let dot = at + memchr2(b'.', b':', bytes.get(at..)?)?;
        let is_near = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_hexdigit() || *b == b':');
        if dot == at || !is_near(bytes.get(dot - 1)) || !is_near(bytes.get(dot + 1)) {
            at = dot + 1;
            continue;
        }
        let before = bytes.get(at..dot)?.iter().rposition(|byte| !of_ip(byte));
        let start = before.map_or(at, |place| at + place + 1);
        let rest = bytes.get(start..)?;
        let length = rest.iter().position(|byte| !of_ip(byte));
        let run = rest.get(..length.unwrap_or(rest.len()))?;
        if let Some(length) = ip_at_start(run) {
            let end = start + length;
            let before = start.checked_sub(1).and_then(|at| bytes.get(at));
            if !is_word(before) && !is_word(bytes.get(end)) {
                return Some((start, end));
            }
        }
        at = start + run.len();
    }
}

/// Length of the IP address that the run is, a full stop, a colon or a port behind it left out.
fn ip_at_start(run: &[u8]) -> Option<usize> {
    let stop = run.strip_suffix(b".").or_else(|| run.strip_suffix(b":"));
    let port = run.iter().position(|byte| *byte == b':');
    let host = port.and_then(|colon| run.get(..colon));
    [Some(run), stop, host]
        .into_iter()
        .flatten()
        .filter(|text| (3..=45).contains(&text.len()))
        .find(|text| str::from_utf8(text).is_ok_and(|text| text.parse::<IpAddr>().is_ok()))
        .map(<[u8]>::len)
}

fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_alphanumeric)
}

fn bounds_address(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'<'
            | b'>'
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'"'
            | b'\''
            | b','
            | b';'
            | b'|'
            | b':'
    )
}

/// The text without its last word: near a cut nothing is trusted.
pub(super) fn without_last_word(text: &str) -> &str {
    text.rsplit_once(' ').map_or("", |(head, _)| head)
}

fn head(text: &str) -> &str {
    let mut end = text.len().min(LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_and_blanks_do_not_matter() {
        assert_eq!(normal("No  Such\tUSER"), "no such user");
    }

    #[test]
    fn an_address_shows_nothing_of_itself() {
        assert_eq!(
            normal("<spam@example.com>: no; (a@b.example) x:c@d.example. End"),
            "<@>: no; (@) x:@. end"
        );
    }

    #[test]
    fn a_long_text_is_looked_at_up_to_the_limit() {
        assert_eq!(normal(&"ä".repeat(LIMIT)).len(), LIMIT);
    }

    #[test]
    fn an_ip_address_is_the_word_ip() {
        assert_eq!(
            normal("Host 192.0.2.7 is, [2001:DB8::1]; ip=192.0.2.8. See 5.7.1: a1.2.3.4.example"),
            "host ip# is, [ip#]; ip=ip#. see 5.7.1: a1.2.3.4.example"
        );
        assert_eq!(normal("192.0.2.7:25 192.0.2.999"), "ip#:25 192.0.2.999");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "[a-f0-3Zäß@.<> \t]{0,40}") {
            let once = normal(&text);
            prop_assert_eq!(normal(&once), once);
        }
    }
}
