//! Addresses, replies and what they mean.

use std::sync::OnceLock;

use postwarden::{
    classify::{Classifier, Question},
    mail::{
        address as addresses,
        reply::{Logged, Reply},
        status_code::StatusCode,
    },
};

use super::{pieces, printable};

pub(super) fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let folded = addresses::fold(&text);
    assert_eq!(addresses::fold(&folded), folded, "folding is done once");
    let trimmed = text.trim();
    if let Some((local, domain)) = addresses::split(trimmed) {
        assert_eq!(format!("{local}@{domain}"), trimmed);
        let kept = addresses::split(&folded).map(|(_, domain)| domain.to_owned());
        assert_eq!(
            kept,
            Some(domain.to_lowercase()),
            "somebody else's domain: {folded}"
        );
    }
}

/// True for a word that could be taken for the marker of a joined line.
fn is_marker(word: &str) -> bool {
    word.len() >= 3 && word.as_bytes()[..3].iter().all(u8::is_ascii_digit)
        || StatusCode::at_start(word).is_some()
}

pub(super) fn reply(data: &[u8]) {
    let text = printable(data);
    let logged = Logged::read(&text);
    for piece in [logged.reply, logged.said_by].into_iter().flatten() {
        assert!(text.contains(piece));
    }
    for text in [&*text, logged.reply.unwrap_or_default()] {
        let reply = Reply::parse(text);
        assert!(reply.words().len() <= text.len());
        assert!(reply.words().ends_with(reply.last_line()));
        assert_eq!(
            reply.words().get(reply.last_line_at()..),
            Some(reply.last_line())
        );
        if let Some(code) = reply.code {
            assert!((200..600).contains(&code));
            assert!(text.trim_ascii().starts_with(&code.to_string()));
        }
    }
    if let Ok(code) = text.parse::<StatusCode>() {
        assert_eq!(code.to_string().parse(), Ok(code));
    }
    joined(&text);
}

/// A reply of several lines as Postfix joins it gives back its words.
fn joined(text: &str) {
    let words: Vec<&str> = text
        .split_ascii_whitespace()
        .filter(|word| !is_marker(word) && word.starts_with(|c: char| c.is_alphabetic()))
        .collect();
    let lines: Vec<String> = words.chunks(3).map(|words| words.join(" ")).collect();
    let [first @ .., last] = lines.as_slice() else {
        return;
    };
    let mut whole: String = first
        .iter()
        .map(|line| format!("550-5.7.1 {line} "))
        .collect();
    whole.push_str(&format!("550 5.7.1 {last}"));
    let reply = Reply::parse(&whole);
    assert_eq!(reply.words(), words.join(" "), "{whole}");
    assert_eq!(reply.last_line(), last, "{whole}");
    assert_eq!(reply.code, Some(550));
    assert_eq!(reply.is_multiline, lines.len() > 1);
    assert_eq!(
        reply.status_code.map(|code| code.to_string()).as_deref(),
        Some("5.7.1")
    );
}

fn classifier() -> &'static Classifier {
    static SHIPPED: OnceLock<Classifier> = OnceLock::new();
    SHIPPED.get_or_init(|| Classifier::shipped().expect("the shipped rules"))
}

pub(super) fn classify(data: &[u8]) {
    let [dsn, text] = pieces(data);
    let (dsn, text) = (printable(dsn), printable(text));
    let question = Question::of_text(&dsn, &text);
    let classifier = classifier();
    let answer = classifier.classify(&question);
    let why = classifier.why(&question);
    assert_eq!(why.answer, answer, "the reason is that of the answer");
    assert_eq!(answer.rule.is_none(), why.rule == "-");
    // In a remote side's own words the case of letters says nothing.
    let plain = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '-' | ':');
    let words = format!("550 {}", text.chars().filter(plain).collect::<String>());
    let quiet = classifier.classify(&Question::of_text(&dsn, &words));
    let upper = words.to_ascii_uppercase();
    let loud = classifier.classify(&Question::of_text(&dsn, &upper));
    assert_eq!(loud, quiet, "{words}");
}
