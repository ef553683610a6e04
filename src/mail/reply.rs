//! SMTP replies as Postfix logs them (RFC 5321 4.2): code, enhanced code, the words without the markers of joined lines.
//!
//! Postfix joins the lines of a reply with one blank and leaves each line its `550-5.7.1 ` in place, so that a phrase is
//! regularly split by such a marker. [`Reply::parse`] takes them out; it borrows where there are none. [`Logged::read`]
//! takes the wrapper off first (`host H[A] said: ... (in reply to RCPT TO command)`).
//!
//! Nothing here fails: a text without a code is words only. The words are the remote side's and may say anything, a
//! nested reply or a wrapper of their own included: only the outermost wrapper is read.

use std::borrow::Cow;

use memchr::{memchr_iter, memmem};

use crate::mail::status_code::StatusCode;

/// At which command of the conversation the remote side said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Greeting, EHLO, HELO, STARTTLS: before any sender was named.
    Greeting,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before the content.
    Data,
    /// The dot: the content has been seen.
    EndOfData,
}

impl Stage {
    /// All stages, in the order of a conversation.
    pub const ALL: [Self; 6] = [
        Self::Greeting,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::EndOfData,
    ];

    /// As Postfix prints it, without the word command; [`Stage::Greeting`] as `greeting`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL FROM",
            Self::Rcpt => "RCPT TO",
            Self::Data => "DATA",
            Self::EndOfData => "end of DATA",
        }
    }

    /// Reads what Postfix prints after "in reply to", with or without the word command.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let words = text.strip_suffix(" command").unwrap_or(text);
        if words.eq_ignore_ascii_case("end of DATA") {
            return Some(Self::EndOfData);
        }
        let verb = words.split(' ').next()?;
        let known: [(&str, Self); 8] = [
            ("RCPT", Self::Rcpt),
            ("DATA", Self::Data),
            ("MAIL", Self::Mail),
            ("EHLO", Self::Greeting),
            ("HELO", Self::Greeting),
            ("STARTTLS", Self::Greeting),
            ("AUTH", Self::Auth),
            ("greeting", Self::Greeting),
        ];
        known
            .into_iter()
            .find(|(name, _)| verb.eq_ignore_ascii_case(name))
            .map(|(_, stage)| stage)
    }
}

/// What a delivery record says in its parentheses, the wrapper taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logged<'a> {
    /// The remote side's own words; `None` for local and network reasons.
    pub reply: Option<&'a str>,
    /// Who said it, as printed: `H[A]`.
    pub said_by: Option<&'a str>,
    /// At which command.
    pub stage: Option<Stage>,
    /// "delivery temporarily suspended": the reason of an earlier attempt, said again.
    pub suspended: bool,
}

impl<'a> Logged<'a> {
    /// Takes the outermost wrapper off. A text that begins with a reply code is a bare reply.
    #[must_use]
    pub fn read(text: &'a str) -> Self {
        let trimmed = text.trim();
        let rest = trimmed.strip_prefix("delivery temporarily suspended: ");
        let suspended = rest.is_some();
        let rest = rest.unwrap_or(trimmed);
        let mut logged = unwrap(rest).unwrap_or_else(|| Self {
            reply: starts_with_code(rest).then_some(rest),
            ..Self::default()
        });
        if let Some((words, stage)) = logged.reply.and_then(split_stage) {
            logged.reply = Some(words);
            logged.stage = stage.or(logged.stage);
        }
        logged.suspended = suspended;
        logged
    }
}

fn unwrap(text: &str) -> Option<Logged<'_>> {
    let text = text.strip_prefix("Protocol error: ").unwrap_or(text);
    if let Some(rest) = text.strip_prefix("host ") {
        let said = rest
            .split_once(" said: ")
            .filter(|(host, _)| is_peer(host))
            .map(|(host, reply)| (host, reply, None));
        let refused = || {
            rest.split_once(" refused to talk to me: ")
                .filter(|(host, _)| is_peer(host))
                .map(|(host, reply)| (host, reply, Some(Stage::Greeting)))
        };
        let (host, reply, stage) = said.or_else(refused)?;
        return Some(Logged {
            reply: Some(reply),
            said_by: Some(host),
            stage,
            suspended: false,
        });
    }
    let rest = text.strip_prefix("TLS is required, but host ")?;
    let (host, reply) = rest.split_once(" refused to start TLS: ")?;
    Some(Logged {
        reply: Some(reply),
        said_by: Some(host),
        stage: Some(Stage::Greeting),
        suspended: false,
    })
}

/// `H[A]` or a bare name: one word.
fn is_peer(text: &str) -> bool {
    !text.is_empty() && !text.contains(' ')
}

/// Splits ` (in reply to X command)` off the end; the closing parenthesis may be missing.
fn split_stage(reply: &str) -> Option<(&str, Option<Stage>)> {
    let at = memmem::rfind(reply.as_bytes(), b"(in reply to ")?;
    let (words, rest) = reply.split_at_checked(at)?;
    let stage = rest.strip_prefix("(in reply to ")?;
    let stage = stage.strip_suffix(')').unwrap_or(stage);
    let is_last = stage.ends_with(" command") || stage.ends_with("probe");
    is_last.then(|| (words.trim_end(), Stage::read(stage)))
}

fn starts_with_code(text: &str) -> bool {
    code_at(text.as_bytes(), 0)
        .is_some_and(|_| matches!(text.as_bytes().get(3), None | Some(b' ' | b'-')))
}

/// A reply, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The three digits of the first line.
    pub code: Option<u16>,
    /// The enhanced code directly after the three digits: of the last line that has one (Postfix takes the last too).
    pub status_code: Option<StatusCode>,
    /// More than one line.
    pub is_multiline: bool,
    words: Cow<'a, str>,
    last_line: usize,
}

impl<'a> Reply<'a> {
    /// Takes a reply apart.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let text = text.trim_ascii();
        let Some(code) = code_at(text.as_bytes(), 0).filter(|_| starts_with_code(text)) else {
            return Self {
                code: None,
                status_code: None,
                is_multiline: false,
                words: Cow::Borrowed(text),
                last_line: 0,
            };
        };
        let (digits, rest) = text.split_at_checked(3).unwrap_or((text, ""));
        let continued = rest.starts_with('-');
        let (status_code, body) = after_code(rest);
        let nested = || {
            let (bytes, digits) = (body.as_bytes(), digits.as_bytes());
            digits.first().is_some_and(|first| {
                memchr_iter(*first, bytes).any(|at| {
                    (at == 0 || bytes.get(at - 1) == Some(&b' '))
                        && bytes.get(at..at + 3) == Some(digits)
                })
            })
        };
        let joined = if continued || nested() {
            join(body, digits.as_bytes(), continued)
        } else {
            Joined::plain(body)
        };
        Self {
            code: Some(code),
            status_code: joined.status_code.or(status_code),
            is_multiline: continued,
            words: joined.words,
            last_line: joined.last_line,
        }
    }

    /// The words of all lines, joined by one blank, without codes and markers.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// The words of the last line; of a single line, all.
    #[must_use]
    pub fn last_line(&self) -> &str {
        self.words.get(self.last_line..).unwrap_or_default()
    }

    /// Where the last line begins in [`Reply::words`], in bytes.
    #[must_use]
    pub fn last_line_at(&self) -> usize {
        self.last_line
    }
}

/// The words after a code and its separator, and the enhanced code between them.
fn after_code(rest: &str) -> (Option<StatusCode>, &str) {
    let rest = rest.strip_prefix('-').unwrap_or(rest).trim_ascii_start();
    match StatusCode::at_start(rest) {
        Some((code, words)) => (
            Some(code),
            words.strip_prefix(':').unwrap_or(words).trim_ascii_start(),
        ),
        None => (None, rest),
    }
}

struct Joined<'a> {
    words: Cow<'a, str>,
    last_line: usize,
    status_code: Option<StatusCode>,
}

impl<'a> Joined<'a> {
    fn plain(words: &'a str) -> Self {
        Self {
            words: Cow::Borrowed(words),
            last_line: 0,
            status_code: None,
        }
    }
}

/// Takes the markers out of a body. A marker stands at the beginning of a word.
fn join<'a>(body: &'a str, digits: &[u8], continued: bool) -> Joined<'a> {
    let bytes = body.as_bytes();
    let mut out: Option<String> = None;
    let mut joined = Joined::plain(body);
    let (mut copied, mut at) = (0, 0);
    while at < bytes.len() {
        let begins = at == copied || bytes.get(at.wrapping_sub(1)) == Some(&b' ');
        let marker = begins
            .then(|| marker(body, at, digits, continued))
            .flatten();
        let Some((end, status_code)) = marker else {
            at += 1;
            continue;
        };
        let words = out.get_or_insert_with(String::new);
        words.push_str(body.get(copied..at).unwrap_or_default());
        joined.status_code = status_code.or(joined.status_code);
        at = end;
        while let Some(end) = drop_split_marker(words, body, at, digits, continued) {
            at = end;
        }
        joined.last_line = words.len();
        copied = at;
    }
    if let Some(mut words) = out {
        words.push_str(body.get(copied..).unwrap_or_default());
        words.truncate(words.trim_end().len());
        joined.last_line = joined.last_line.min(words.len());
        joined.words = Cow::Owned(words);
    }
    joined
}

/// Where taking out a marker brings another one together (`550 ` before it, `5.7.1 ` behind), that goes as well.
fn drop_split_marker(
    words: &mut String,
    body: &str,
    at: usize,
    digits: &[u8],
    continued: bool,
) -> Option<usize> {
    let start = words.strip_suffix(' ')?.len().checked_sub(3)?;
    let bytes = words.as_bytes();
    code_at(bytes, start)?;
    let begins = start == 0 || bytes.get(start - 1) == Some(&b' ');
    let same = bytes.get(start..start + 3) == Some(digits);
    let rest = body.get(at..)?;
    let (_, after) = StatusCode::at_start(rest)?;
    let is_marker = begins && (same || continued) && (after.is_empty() || after.starts_with(' '));
    is_marker.then(|| {
        words.truncate(start);
        body.len() - after.trim_start().len()
    })
}

/// A marker that begins at `at`: `550-`, `550-5.7.1 `, `550 5.7.1 `, and in a reply of several lines `550 `.
/// Its end is where the next word begins.
fn marker(
    body: &str,
    at: usize,
    digits: &[u8],
    continued: bool,
) -> Option<(usize, Option<StatusCode>)> {
    let bytes = body.as_bytes();
    code_at(bytes, at)?;
    let same = bytes.get(at..at + 3) == Some(digits);
    let separator = bytes.get(at + 3).copied();
    if !matches!(separator, None | Some(b'-' | b' ')) {
        return None;
    }
    let rest = body.get(at + 3..)?;
    let tail = rest.strip_prefix(['-', ' ']).unwrap_or(rest);
    let coded =
        StatusCode::at_start(tail).filter(|(_, after)| after.is_empty() || after.starts_with(' '));
    if let Some((code, after)) = coded {
        return (same || continued).then(|| (body.len() - after.trim_start().len(), Some(code)));
    }
    let is_marker = same && (continued || separator == Some(b'-'));
    is_marker.then(|| (body.len() - tail.trim_start().len(), None))
}

/// Three digits of a failure or success code at `at`.
fn code_at(bytes: &[u8], at: usize) -> Option<u16> {
    match bytes.get(at..at + 3)? {
        [a @ b'2'..=b'5', b, c] if b.is_ascii_digit() && c.is_ascii_digit() => {
            let digit = |byte: &u8| u16::from(byte - b'0');
            Some(digit(a) * 100 + digit(b) * 10 + digit(c))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> String {
        Reply::parse(text).words().to_owned()
    }

    #[test]
    fn the_markers_of_joined_lines_are_taken_out() {
        assert_eq!(
            words("550-5.7.1 mail from this 550-5.7.1 address is 550 5.7.1 unwanted"),
            "mail from this address is unwanted"
        );
        assert_eq!(
            words("421-too much 421-of it 421 go away"),
            "too much of it go away"
        );
        assert_eq!(
            words("554-mx.example.com 554 not you"),
            "mx.example.com not you"
        );
        assert_eq!(words("554 5.7.1 said: 554 5.7.1 no"), "said: no");
    }

    #[test]
    fn numbers_within_a_single_line_stay() {
        assert_eq!(
            words("550 more than 550 mails today"),
            "more than 550 mails today"
        );
        assert_eq!(words("450 wait 451 s"), "wait 451 s");
    }

    #[test]
    fn a_line_without_markers_is_borrowed() {
        let reply = Reply::parse("550 5.1.1 no such mailbox");
        assert!(matches!(reply.words, Cow::Borrowed("no such mailbox")));
        assert_eq!(reply.status_code.unwrap().to_string(), "5.1.1");
    }

    #[test]
    fn the_last_line_is_at_hand() {
        let reply = Reply::parse("554-mx.example.com ESMTP 554-No. 554 IP is on a list");
        assert_eq!(reply.last_line(), "IP is on a list");
        assert_eq!(Reply::parse("550 all of it").last_line(), "all of it");
    }

    #[test]
    fn the_enhanced_code_of_the_last_line_counts_and_no_other_number() {
        let code = |text| Reply::parse(text).status_code.map(|code| code.to_string());
        assert_eq!(code("550-5.1.1 a 550 5.1.3 b").as_deref(), Some("5.1.3"));
        assert_eq!(code("550 [4.2.1.1] 5.1.1 listed"), None);
        assert_eq!(code("550 gone (#5.1.1)"), None);
    }

    #[test]
    fn the_wrapper_gives_reply_host_and_stage() {
        let logged = Logged::read(
            "host mx.example.com[192.0.2.1] said: 550 5.1.1 gone (in reply to RCPT TO command)",
        );
        assert_eq!(logged.reply, Some("550 5.1.1 gone"));
        assert_eq!(logged.said_by, Some("mx.example.com[192.0.2.1]"));
        assert_eq!(logged.stage, Some(Stage::Rcpt));
        let greeting = Logged::read(
            "delivery temporarily suspended: host mx.example.com[192.0.2.1] refused to talk to me: 554 no",
        );
        assert_eq!(greeting.reply, Some("554 no"));
        assert_eq!(greeting.stage, Some(Stage::Greeting));
        assert!(greeting.suspended);
    }

    #[test]
    fn a_cut_wrapper_has_a_reply_and_no_stage() {
        let logged =
            Logged::read("host mx.example.com[192.0.2.1] said: 550 5.1.1 gone (in reply to RC");
        assert_eq!(logged.stage, None);
        assert!(logged.reply.unwrap().starts_with("550 5.1.1 gone"));
    }

    #[test]
    fn a_bare_reply_and_a_local_reason_are_told_apart() {
        assert_eq!(Logged::read("550 no").reply, Some("550 no"));
        assert_eq!(
            Logged::read("connect to mx.example.com[192.0.2.1]:25: Connection refused").reply,
            None
        );
    }

    #[test]
    fn only_the_outermost_wrapper_is_taken_off() {
        let logged = Logged::read("host a[192.0.2.1] said: 450 host b[192.0.2.2] said: 550 gone");
        assert_eq!(logged.reply, Some("450 host b[192.0.2.2] said: 550 gone"));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_taking_out_markers_twice_changes_nothing(
            parts in prop::collection::vec(
                prop_oneof![
                    Just("550-".to_owned()), Just("550 ".to_owned()), Just("5.7.1 ".to_owned()),
                    Just(" ".to_owned()), Just("421-4.7.0".to_owned()), "\\PC{0,6}",
                ],
                0..12,
            )
        ) {
            let text = parts.concat();
            let reply = Reply::parse(&text);
            let _last = reply.last_line();
            let _logged = Logged::read(&text);
            for continued in [false, true] {
                let once = join(&text, b"550", continued).words.into_owned();
                let twice = join(&once, b"550", continued).words.into_owned();
                prop_assert_eq!(once, twice);
            }
        }
    }
}
