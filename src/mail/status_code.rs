//! Enhanced mail system status codes (RFC 3463): `class.subject.detail`.
//!
//! Read strictly: a code is a token of its own, so that `5.1.2` is not found in the address `5.1.2.3`. What is no code
//! is `None`, never an error: remote sides write anything. Nothing here allocates.

use std::{fmt, str::FromStr};

/// `class.subject.detail` as in RFC 3463 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusCode {
    /// 2 success, 4 persistent transient failure, 5 permanent failure.
    pub class: u8,
    /// What it is about (RFC 3463 3): 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy; 0 other.
    pub subject: u16,
    /// The detail within the subject; 0 = none given.
    pub detail: u16,
}

impl StatusCode {
    /// The code at the very beginning of `text`, and what follows it. The code must end at the end of the text, at a
    /// blank, or at punctuation that cannot continue it.
    #[must_use]
    pub fn at_start(text: &str) -> Option<(Self, &str)> {
        let bytes = text.as_bytes();
        let class = match bytes.first()? {
            b'2' => 2,
            b'4' => 4,
            b'5' => 5,
            _ => return None,
        };
        let (subject, after_subject) = number(bytes, dot(bytes, 1)?)?;
        let (detail, end) = number(bytes, dot(bytes, after_subject)?)?;
        let ends = match bytes.get(end) {
            None => true,
            Some(b'.') => !bytes.get(end + 1).is_some_and(u8::is_ascii_digit),
            Some(byte) => !byte.is_ascii_alphanumeric(),
        };
        let code = Self {
            class,
            subject,
            detail,
        };
        ends.then(|| (code, text.get(end..).unwrap_or_default()))
    }

    /// Whether it says nothing beyond its class (`X.0.0`), as Postfix writes it where the remote side gave no code.
    #[must_use]
    pub fn is_bare(self) -> bool {
        self.subject == 0 && self.detail == 0
    }

    /// Whether the failure is permanent (class 5).
    #[must_use]
    pub fn is_permanent(self) -> bool {
        self.class == 5
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// The text is no status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code (RFC 3463), such as 5.1.1")]
pub struct NotAStatusCode;

impl FromStr for StatusCode {
    type Err = NotAStatusCode;

    fn from_str(text: &str) -> Result<Self, NotAStatusCode> {
        match Self::at_start(text) {
            Some((code, "")) => Ok(code),
            _ => Err(NotAStatusCode),
        }
    }
}

/// The place after a dot at `at`.
fn dot(bytes: &[u8], at: usize) -> Option<usize> {
    (bytes.get(at) == Some(&b'.')).then_some(at + 1)
}

/// A number of one to three digits (RFC 3463 2) at `at`, and the place after it.
fn number(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    let digits = bytes
        .iter()
        .skip(at)
        .take_while(|byte| byte.is_ascii_digit())
        .take(4);
    let (value, length) = digits.fold((0, 0), |(value, length), digit| {
        (value * 10 + u16::from(digit - b'0'), length + 1)
    });
    (1..=3).contains(&length).then_some((value, at + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_prints_as_it_was_read() {
        for text in ["5.1.1", "4.7.650", "2.0.0", "5.1.10"] {
            assert_eq!(text.parse::<StatusCode>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_address_is_no_status_code() {
        for text in [
            "5.1.2.3 is listed",
            "5.1.1x",
            "1.2.3",
            "5.1",
            "5..1",
            "5.1234.1",
            "",
            "5",
        ] {
            assert_eq!(StatusCode::at_start(text), None, "{text}");
        }
    }

    #[test]
    fn punctuation_after_a_code_is_not_part_of_it() {
        let (code, rest) = StatusCode::at_start("5.1.1: gone").unwrap();
        assert_eq!((code.to_string().as_str(), rest), ("5.1.1", ": gone"));
        assert!(StatusCode::at_start("5.1.1.").is_some());
    }
}
