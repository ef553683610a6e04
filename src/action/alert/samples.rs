//! What the samples look like, for the SAMPLE row: subjects, how many have each, and the links in them.
//!
//! Limits: the first 64 KiB of a message; charsets UTF-8 and Latin-1 (others are shown as they stand); bodies as they stand
//! or in quoted-printable, and base 64 where the whole message is. What is missed is missing in a mail to people, nowhere
//! else.

use std::collections::BTreeMap;

use super::SampleNote;
use crate::{action::sheet::printable, wire::base64};

/// How much of a message is looked at.
const LOOK: usize = 64 * 1024;
/// Links of one subject at most.
const LINKS: usize = 5;

/// One note for each subject, the most frequent first.
#[must_use]
pub fn sample_notes(messages: &[Vec<u8>]) -> Vec<SampleNote> {
    let mut notes: BTreeMap<String, SampleNote> = BTreeMap::new();
    for message in messages {
        let text =
            String::from_utf8_lossy(message.get(..LOOK).unwrap_or(message)).replace('\r', "");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let head = head.replace("\n ", " ").replace("\n\t", " ");
        let field = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found
                    .trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().to_owned())
            })
        };
        let subject = printable(&words(&field("Subject").unwrap_or_default()), 200);
        let note = notes.entry(subject.clone()).or_default();
        note.subject = subject;
        note.messages += 1;
        let encoding = field("Content-Transfer-Encoding").unwrap_or_default();
        for link in links(&readable(body, &encoding)) {
            if note.links.len() < LINKS && !note.links.contains(&link) {
                note.links.push(link);
            }
        }
    }
    let mut notes: Vec<SampleNote> = notes.into_values().collect();
    notes.sort_by(|a, b| {
        b.messages
            .cmp(&a.messages)
            .then_with(|| a.subject.cmp(&b.subject))
    });
    notes
}

fn readable(body: &str, encoding: &str) -> String {
    if encoding.eq_ignore_ascii_case("base64") {
        let mut packed: String = body.chars().filter(char::is_ascii_graphic).collect();
        // Cut by our own limit: whole groups only.
        packed.truncate(packed.len() - packed.len() % 4);
        return base64::decode(&packed).map_or_else(String::new, |bytes| {
            String::from_utf8_lossy(&bytes).into_owned()
        });
    }
    body.replace("=\n", "")
        .replace("=3D", "=")
        .replace("=3d", "=")
}

/// `http://...` and `https://...`, each once, in order.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_end = |c: char| c.is_whitespace() || c.is_control() || "\"'<>()[]{}|\\^`".contains(c);
    let lower = text.to_ascii_lowercase();
    for (at, _) in lower.match_indices("http") {
        let rest = text.get(at..).unwrap_or_default();
        let link: String = rest.chars().take_while(|c| !is_end(*c)).take(200).collect();
        let scheme = link.split("://").next().unwrap_or_default();
        let whole = scheme.len() < link.len() && matches!(scheme.len(), 4 | 5);
        if whole && !found.contains(&link) && found.len() < LINKS {
            found.push(link);
        }
    }
    found
}

/// Encoded words (RFC 2047) read; what is none, or in another charset, stays as it is.
fn words(text: &str) -> String {
    let mut out = String::new();
    let mut after_word = false;
    for part in text.split(' ').filter(|part| !part.is_empty()) {
        let decoded = word(part);
        // Blanks between two encoded words belong to neither.
        let joins = after_word && decoded.is_some();
        if !out.is_empty() && !joins {
            out.push(' ');
        }
        after_word = decoded.is_some();
        out.push_str(decoded.as_deref().unwrap_or(part));
    }
    out
}

fn word(part: &str) -> Option<String> {
    let inner = part.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut pieces = inner.splitn(3, '?');
    let (charset, encoding, data) = (pieces.next()?, pieces.next()?, pieces.next()?);
    let bytes = match encoding {
        "B" | "b" => base64::decode(data)?,
        "Q" | "q" => unquoted(data)?,
        _ => return None,
    };
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "us-ascii" => Some(String::from_utf8_lossy(&bytes).into_owned()),
        "iso-8859-1" | "windows-1252" => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        _ => None,
    }
}

fn unquoted(data: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = data.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
                u8::try_from(value).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_shown_by_subject_with_their_links() {
        let first = b"Subject: =?utf-8?B?SWhyZSBSZWNobnVuZyDigqw=?=\r\n =?iso-8859-1?Q?_f=FCr?= you\r\n\r\n\
            see http://login.example.net/a?x=3D1=\r\n23 <a href=\"https://b.example/\">\r\n".to_vec();
        let second =
            b"subject: other\ncontent-transfer-encoding: base64\n\naHR0cDov\nL2MuZXhhbXBsZS9k\n"
                .to_vec();
        let notes = sample_notes(&[second, first.clone(), first]);
        assert_eq!(notes.len(), 2);
        assert_eq!(
            (notes[0].subject.as_str(), notes[0].messages),
            ("Ihre Rechnung € für you", 2)
        );
        assert_eq!(
            notes[0].links,
            ["http://login.example.net/a?x=123", "https://b.example/"]
        );
        assert_eq!(notes[1].links, ["http://c.example/d"]);
    }

    #[test]
    fn hostile_samples_are_borne() {
        for bytes in [
            &b""[..],
            b"\n\n",
            b"Subject: =?utf-8?B?!!?= =?x?Q?=?= =?utf-8?Q?=F?= =??=\n\nhttp http:// https:/",
            b"Subject:\xff\xfe\n\n\xff",
            "Content-Transfer-Encoding: base64\n\n€€ääA".as_bytes(),
        ] {
            let notes = sample_notes(&[bytes.to_vec()]);
            assert_eq!(notes.len(), 1);
            assert!(!notes[0].subject.contains('\n'));
        }
    }
}
