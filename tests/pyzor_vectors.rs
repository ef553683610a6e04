//! The digests of `tests/data/pyzor`: messages written for this project with what the genuine programs print for them.
//!
//! `vectors.tsv`: file, case, style (`msg`, `mbox`), digest of pyzor 1.0.0 under Python 3.11, usable lines, hashed lines, the
//! digests with a newer HTML tokenizer, of pyzor 1.1.2, of pyzor under Python 2.7, and the hashed lines as JSON. `CRASH`: the
//! program dies there.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use std::{fs, path::Path, sync::LazyLock};

use postwarden::digest::pyzor::{self, Digests, Profile, Reading};
use proptest::prelude::*;

struct Vector {
    file: String,
    columns: Vec<String>,
    bytes: Vec<u8>,
}

impl Vector {
    fn column(&self, index: usize) -> &str {
        self.columns.get(index).unwrap()
    }
}

fn vectors(style: &str) -> Vec<Vector> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pyzor");
    fs::read_to_string(directory.join("vectors.tsv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>())
        .filter(|columns| columns.get(2).is_some_and(|column| column == style))
        .map(|columns| {
            let file = columns.first().unwrap().clone();
            let bytes = fs::read(directory.join(&file)).unwrap();
            Vector {
                file,
                columns,
                bytes,
            }
        })
        .collect()
}

fn shown(reading: &Reading) -> String {
    if reading.reference_fails {
        "CRASH".to_owned()
    } else {
        reading.digest.to_string()
    }
}

/// The bytes of the messages, read once.
static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    vectors("msg")
        .into_iter()
        .map(|vector| vector.bytes)
        .collect()
});

/// The vectors whose digest of a profile is not that of a column.
fn different(profile: Profile, column: usize) -> Vec<String> {
    vectors("msg")
        .iter()
        .filter(|vector| {
            shown(pyzor::digests(&vector.bytes).reading(profile)) != vector.column(column)
        })
        .map(|vector| vector.file.clone())
        .collect()
}

#[test]
fn every_vector_has_the_digest_that_pyzor_prints() {
    assert_eq!(vectors("msg").len(), 1284);
    assert_eq!(different(Profile::Standard, 3), [""; 0]);
}

#[test]
fn every_vector_has_the_digest_of_the_newer_tokenizer() {
    assert_eq!(different(Profile::NewTokenizer, 6), [""; 0]);
}

#[test]
fn every_vector_has_the_digest_of_pyzor_1_1() {
    assert_eq!(different(Profile::NulFree, 7), [""; 0]);
}

/// Where Python 2.7 has other codecs: `bytes.decode` with those that give bytes, lone surrogates in UTF-8, UTF-7, no cp65001.
const OTHER_CODECS: &[&str] = &[
    "csx_cp65001",
    "csx_quopri",
    "csx_rot13",
    "csx_uescape",
    "csx_utf7_bad",
    "csx_utf8_surrogate",
];

#[test]
fn every_vector_but_those_of_odd_codecs_has_the_digest_of_python_2() {
    let mut others = different(Profile::Python2, 8);
    others.retain(|file| !OTHER_CODECS.iter().any(|case| file.starts_with(case)));
    assert_eq!(others, [""; 0]);
}

#[test]
fn every_vector_has_the_lines_that_pyzor_hashes() {
    for vector in vectors("msg") {
        if vector.column(3) == "CRASH" {
            continue;
        }
        let digests = pyzor::digests(&vector.bytes);
        let reading = digests.reading(Profile::Standard);
        let lines: Vec<String> = serde_json::from_str(vector.column(9)).unwrap();
        assert_eq!(reading.hashed_lines, lines, "{}", vector.file);
        assert_eq!(
            (
                reading.usable_lines.to_string(),
                reading.hashed_lines.len().to_string()
            ),
            (vector.column(4).to_owned(), vector.column(5).to_owned()),
            "{}",
            vector.file
        );
    }
}

#[test]
fn where_pyzor_dies_there_is_a_digest_all_the_same() {
    for vector in vectors("msg") {
        let digests = pyzor::digests(&vector.bytes);
        let new = digests.reading(Profile::NewTokenizer);
        if vector.column(3) == "CRASH" && !new.reference_fails {
            assert_eq!(digests.primary(), new.digest, "{}", vector.file);
        }
    }
}

#[test]
fn a_mailbox_has_one_digest_a_message() {
    for vector in vectors("mbox") {
        let digests: Vec<String> = pyzor::mbox_messages(&vector.bytes)
            .into_iter()
            .map(|message| pyzor::digests(message).primary().to_string())
            .collect();
        let expected = vector.column(3);
        let expected: Vec<&str> = expected
            .split(',')
            .filter(|digest| *digest != "-")
            .collect();
        assert_eq!(digests, expected, "{}", vector.file);
    }
}

/// The body of a message, headers of another in front.
fn with_header(header: &str, body: &str) -> Digests {
    pyzor::digests(format!("Subject: {header}\n\n{body}").as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_have_a_digest(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        pyzor::digests(&bytes);
        pyzor::mbox_messages(&bytes);
    }

    #[test]
    fn a_mutated_vector_has_a_digest(
        which in 0_usize..1284,
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = MESSAGES.get(which).unwrap().clone();
        prop_assume!(!bytes.is_empty());
        for (place, byte) in places {
            let length = bytes.len();
            *bytes.get_mut(place.index(length)).unwrap() = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        pyzor::digests(&bytes);
    }

    #[test]
    fn headers_do_not_enter_the_digest(header in "[ -~]{0,60}", body in "([ -~]{0,40}\n){0,12}") {
        prop_assert_eq!(with_header("x", &body), with_header(&header, &body));
    }
}
