//! Content digests: the same content gives the same digest, and a digest is what it says.

use postwarden::{
    digest::{
        published,
        pyzor::{Digest, Profile, digests, mbox_messages},
    },
    wire::base64,
};
use sha1::{Digest as _, Sha1};

use super::pieces;

pub(super) fn any_message(data: &[u8]) {
    let found = digests(data);
    assert_eq!(digests(data), found);
    assert!(!found.publishable().contains(&Digest::EMPTY));
    assert!(found.publishable().len() <= Profile::ALL.len());
    for profile in Profile::ALL {
        let reading = found.reading(profile);
        assert!(reading.hashed_lines.len() <= 6);
        assert!(reading.hashed_lines.len() <= reading.usable_lines);
        let mut hash = Sha1::new();
        for line in &reading.hashed_lines {
            hash.update(line.as_bytes());
        }
        let sum: [u8; 20] = hash.finalize().into();
        assert_eq!(reading.digest.bytes(), &sum, "of the lines that it shows");
    }
    let names = published(data);
    assert_eq!(names.len(), found.publishable().len());
    assert!(
        names
            .iter()
            .all(|name| name.len() == 46 && name.starts_with("pyzor:"))
    );
    // A field that says nothing of the content changes nothing.
    if !data.starts_with(b"From ") {
        let more = [b"X-Trace: 1\n", data].concat();
        assert_eq!(digests(&more), found);
    }
    let total: usize = mbox_messages(data)
        .iter()
        .map(|message| message.len())
        .sum();
    assert!(total <= data.len());
}

fn primary(head: &str, body: &[u8]) -> String {
    digests(&[head.as_bytes(), b"\n\n", body].concat())
        .primary()
        .to_string()
}

/// One body in several wrappings. The first piece is a charset, the second the text.
pub(super) fn same_content(data: &[u8]) {
    let [charset, body] = pieces(data);
    let charset: String = String::from_utf8_lossy(charset)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(32)
        .collect();
    // A lone CR ends a line of a message, and is itself when it was encoded.
    let body: Vec<u8> = body.iter().copied().filter(|c| *c != b'\r').collect();
    let plain = format!("Subject: x\nContent-Type: text/plain; charset={charset}");
    let digest = primary(&plain, &body);
    let crlf = body
        .split(|c| *c == b'\n')
        .collect::<Vec<_>>()
        .join(&b"\r\n"[..]);
    let encoded = base64::encode(&body);
    let folded: Vec<&[u8]> = encoded.as_bytes().chunks(76).collect();
    let in_base64 = format!("{plain}\nContent-Transfer-Encoding: base64");
    assert_eq!(primary(&in_base64, &folded.join(&b'\n')), digest, "base64");
    // Other charsets give a CR a meaning (UTF-16), or take it for one (punycode).
    let ascii = ["utf-8", "us-ascii", "iso-8859-", "windows-125"];
    if ascii.iter().any(|name| charset.starts_with(name)) {
        assert_eq!(primary(&plain, &crlf), digest, "line ends");
    }
    let quoted: String = body.iter().map(|byte| format!("={byte:02X}")).collect();
    let lines: Vec<&[u8]> = quoted.as_bytes().chunks(72).collect();
    let in_quoted = format!("{plain}\nContent-Transfer-Encoding: quoted-printable");
    assert_eq!(
        primary(&in_quoted, &lines.join(&b"=\n"[..])),
        digest,
        "quoted-printable"
    );
    let ascii: Vec<u8> = body.iter().map(|byte| byte & 0x7f).collect();
    let digest = primary("Subject: x", &ascii);
    let spaced: Vec<u8> = ascii
        .iter()
        .flat_map(|c| std::iter::repeat_n(*c, if *c == b' ' { 3 } else { 1 }))
        .collect();
    assert_eq!(primary("Subject: other", &spaced), digest, "blanks");
}
