//! The bytes of a mail: header fields that cannot be broken out of, a text, an attachment.
//!
//! Written here and not with a library so that the same facts give the same bytes: no clock, no random boundary.

use super::Desk;
use crate::{
    action::sheet::printable,
    time::{Civil, Timestamp},
    wire::base64,
};

/// What goes into a mail.
pub(super) struct Content {
    pub(super) subject: String,
    /// LF line ends.
    pub(super) text: String,
    /// File name and JSON.
    pub(super) attachment: Option<(String, Vec<u8>)>,
    /// Further header fields.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Key of the mail that this one follows.
    pub(super) reply_to: Option<String>,
}

/// `PW-7.1@relay1.example.org`
pub(super) fn message_id(key: &str, host: &str) -> String {
    let plain = |text: &str, otherwise: &str| {
        let kept: String = text
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
            .take(200)
            .collect();
        let kept = kept.trim_matches('.').to_owned();
        if kept.is_empty() {
            otherwise.to_owned()
        } else {
            kept
        }
    };
    format!("{}@{}", plain(key, "mail"), plain(host, "localhost"))
}

pub(super) fn assemble(
    desk: &Desk<'_>,
    message_id: &str,
    at: Timestamp,
    content: &Content,
) -> Vec<u8> {
    let mut mail = String::new();
    let mut field = |name: &str, value: &str| {
        mail.push_str(&format!("{name}: {value}\r\n"));
    };
    field("Date", &date(at));
    field("From", &address(desk.from));
    let to: Vec<String> = desk.to.iter().map(|to| address(to)).collect();
    field("To", &to.join(",\r\n "));
    field("Subject", &unstructured("Subject", &content.subject));
    field("Message-ID", &format!("<{message_id}>"));
    if let Some(key) = &content.reply_to {
        let first = self::message_id(key, desk.host);
        field("In-Reply-To", &format!("<{first}>"));
        field("References", &format!("<{first}>"));
    }
    // RFC 3834 5, and what older programs look for: nobody shall answer this by machine.
    field("Auto-Submitted", "auto-generated");
    field("X-Auto-Response-Suppress", "All");
    field("Precedence", "bulk");
    for (name, value) in &content.headers {
        field(name, &unstructured(name, value));
    }
    field("MIME-Version", "1.0");
    match &content.attachment {
        None => part(&mut mail, "text/plain; charset=utf-8", "", &content.text),
        Some((name, json)) => {
            // Lines of the parts begin with a label, blanks or base 64; none can look like this.
            let boundary = format!("=_{}", message_id.replace('@', "_"));
            mail.push_str(&format!(
                "Content-Type: multipart/mixed;\r\n boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n"
            ));
            part(&mut mail, "text/plain; charset=utf-8", "", &content.text);
            mail.push_str(&format!(
                "\r\n--{boundary}\r\nContent-Type: application/json\r\nContent-Disposition: attachment;\r\n \
                 filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--{boundary}--\r\n",
                folded(&base64::encode(json))
            ));
        }
    }
    mail.into_bytes()
}

fn part(mail: &mut String, kind: &str, more: &str, text: &str) {
    let (encoding, body) = if text.is_ascii() {
        ("7bit", text.replace('\n', "\r\n"))
    } else {
        ("quoted-printable", quoted_printable(text))
    };
    mail.push_str(&format!(
        "Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n{more}\r\n{body}"
    ));
}

/// RFC 2045 6.8: lines of 76.
fn folded(base64: &str) -> String {
    let mut out = String::new();
    for (n, c) in base64.chars().enumerate() {
        if n > 0 && n.is_multiple_of(76) {
            out.push_str("\r\n");
        }
        out.push(c);
    }
    out
}

/// RFC 2045 6.7, for text with LF line ends.
fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut column = 0;
        for (n, byte) in line.bytes().enumerate() {
            let last = n + 1 == line.len();
            let plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || (byte == b' ' && !last);
            let width = if plain { 1 } else { 3 };
            if column + width > 75 {
                out.push_str("=\r\n");
                column = 0;
            }
            if plain {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("={byte:02X}"));
            }
            column += width;
        }
        out.push_str("\r\n");
    }
    out
}

/// A field body of free text: printable, and as encoded words (RFC 2047) where it is not ASCII or could be taken for one.
fn unstructured(name: &str, text: &str) -> String {
    let text = printable(text, 300);
    if text.is_ascii() && !text.contains("=?") {
        return fold_at_blanks(&text, name.len() + 1);
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", base64::encode(word.as_bytes())))
        .collect::<Vec<_>>()
        .join("\r\n ")
}

/// RFC 5322 2.2.3: lines of at most 78 where there are blanks to fold at; the first has `begun` characters.
fn fold_at_blanks(text: &str, begun: usize) -> String {
    let mut out = String::new();
    let mut column = begun;
    for (n, word) in text.split(' ').enumerate() {
        if n > 0 {
            if column + 1 + word.len() > 78 {
                out.push_str("\r\n");
                column = 0;
            }
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
    out
}

/// An address of the configuration, as it may stand in a header.
fn address(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| {
            c.is_ascii_graphic()
                && !matches!(c, ',' | ';' | ':' | '<' | '>' | '(' | ')' | '"' | '\\')
        })
        .take(254)
        .collect();
    format!("<{kept}>")
}

/// RFC 5322 3.3, in UTC.
fn date(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let c = Civil::from_utc(at);
    let weekday = usize::try_from(at.day().rem_euclid(7)).unwrap_or(0);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000",
        DAYS.get(weekday).unwrap_or(&"Thu"),
        c.day,
        MONTHS
            .get(usize::from(c.month).saturating_sub(1))
            .unwrap_or(&"Jan"),
        c.year,
        c.hour,
        c.minute,
        c.second
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rfc_5322() {
        let at = Timestamp::parse_rfc3339(b"2026-11-23T08:25:50Z").unwrap();
        assert_eq!(date(at), "Mon, 23 Nov 2026 08:25:50 +0000");
    }

    #[test]
    fn quoted_printable_is_short_lines_of_ascii() {
        let text = format!("ä = b \n{}\n", "ü".repeat(60));
        let out = quoted_printable(&text);
        assert!(out.starts_with("=C3=A4 =3D b=20\r\n"), "{out}");
        assert!(out.is_ascii());
        assert!(out.split("\r\n").all(|line| line.len() <= 76));
    }

    #[test]
    fn a_message_id_is_one_whatever_the_host_is_called() {
        assert_eq!(
            message_id("PW-7.1", "relay1.example.org"),
            "PW-7.1@relay1.example.org"
        );
        assert_eq!(message_id("PW-7.1", "x>\r\nBcc: y"), "PW-7.1@xBccy");
        assert_eq!(message_id("PW-7.1", "äö"), "PW-7.1@localhost");
    }

    #[test]
    fn long_and_foreign_text_is_folded() {
        let folded = unstructured("Subject", &"word ".repeat(40));
        assert!(
            folded
                .split("\r\n")
                .skip(1)
                .all(|line| line.starts_with(' ') && line.len() <= 78)
        );
        let foreign = unstructured("Subject", &"ä".repeat(100));
        assert!(foreign.is_ascii());
        assert!(
            foreign.split("\r\n").all(|line| line.len() <= 76),
            "{foreign}"
        );
        assert!(unstructured("Subject", "=?utf-8?Q?=0D=0ABcc?=").starts_with("=?utf-8?B?"));
    }
}
