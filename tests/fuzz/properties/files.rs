//! Files that an operator writes, and archives.

use std::io::{Cursor, Read};

use postwarden::{
    classify::Classifier,
    config::{self, Diagnostics},
    policy::Policies,
    settings::Problem,
    source::archive as archives,
};

/// Mistakes lie within the file, and can be shown.
fn mistakes(text: &str, problems: Vec<(String, Problem)>) {
    assert!(!problems.is_empty());
    let mut shown = Diagnostics::default();
    for (_, problem) in problems {
        assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len());
        assert!(!problem.message.is_empty());
        shown.add("any.toml", text, vec![problem]);
    }
    assert!(shown.to_string().contains("error"));
}

pub(super) fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let read = || config::parse("postwarden.toml", &text);
    assert_eq!(read(), read());
    if let Err(mistakes) = read() {
        assert!(!mistakes.is_empty());
        assert!(mistakes.to_string().contains("error"));
    }
}

pub(super) fn policies(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let files = [("any.toml".to_owned(), text.clone())];
    match Policies::parse(&files) {
        Ok(policies) => {
            assert!(policies.iter().all(|policy| !policy.name.is_empty()));
            if text.len() < 4096 {
                drop(policies.run_cases());
            }
        }
        Err(problems) => mistakes(&text, problems),
    }
}

pub(super) fn bounce_rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match Classifier::compile(&[("any.toml", &text)]) {
        Ok(classifier) => {
            assert!(classifier.rules() <= text.len());
            drop(classifier.specimens());
        }
        Err(problems) => mistakes(&text, problems),
    }
}

/// The most text that one archive is read for here.
const MOST: u64 = 1 << 22;

fn text_of(data: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let done = archives::unpacked(Cursor::new(data.to_vec()))
        .and_then(|text| text.take(MOST).read_to_end(&mut out))
        .is_ok();
    (out, done)
}

pub(super) fn archive(data: &[u8]) {
    let (text, done) = text_of(data);
    assert_eq!(text_of(data), (text.clone(), done));
    // A cut archive gives the beginning of the text.
    let (part, _) = text_of(&data[..data.len() / 2]);
    if done && data.len() > 8 {
        assert!(text.starts_with(&part));
    }
}
