//! Expected values: CPython 3.11, `bytes.decode(label, errors)`.

use super::*;

fn decoded(label: &str, data: &[u8]) -> String {
    String::from_utf8(
        decode(label.as_bytes(), data, OnError::Ignore)
            .unwrap()
            .into_owned(),
    )
    .unwrap()
}

#[test]
fn labels_are_found_whatever_their_punctuation() {
    for label in ["utf 8", "'utf-8'", "=UTF-8;", "utf8"] {
        assert_eq!(codec(label.as_bytes()), Some("utf-8"), "{label}");
    }
    assert_eq!(codec(b"iso/8859/1"), Some("iso8859-1"));
    assert_eq!(codec(b"us.ascii"), Some("ascii"));
    for label in [
        "unicode",
        "x-mac-roman",
        "iso-8859-8-i",
        "",
        "rot13",
        "utf.8",
    ] {
        assert_eq!(codec(label.as_bytes()), None, "{label}");
    }
}

#[test]
fn broken_bytes_vanish_as_python_lets_them() {
    assert_eq!(decoded("utf-8", b"a\xC3b\xED\xA0\x80c\xC0\xAFd"), "abcd");
    assert_eq!(decoded("gb2312", b"\xB0\xA1\x81\x40x\xB0"), "\u{554a}@x");
    assert_eq!(decoded("windows-1252", b"\x80\x81\x85"), "\u{20ac}\u{2026}");
    assert_eq!(decoded("latin1", b"\x80\x85"), "\u{80}\u{85}");
    assert_eq!(decoded("ascii", b"a\xFFb"), "ab");
    assert_eq!(decoded("utf-16", b"\xFF\xFEa\0\x00\xD8b\0c"), "ab");
    assert_eq!(decoded("utf-7", b"a+AGE-b+-"), "aab+");
}

#[test]
fn the_larger_charsets_decode() {
    assert_eq!(
        decoded("gb18030", b"\xB0\xA1\x81\x30\x81\x30\x94\x39\xDA\x33"),
        "\u{554a}\u{80}\u{1f4a9}"
    );
    assert_eq!(
        decoded("euc-jp", b"\xC6\xFC\x8F\xB0\xA1\x8E\xB1"),
        "\u{65e5}\u{4e02}\u{ff71}"
    );
    assert_eq!(decoded("shift_jis", b"\x93\xFA\xB1"), "\u{65e5}\u{ff71}");
    assert_eq!(decoded("big5-hkscs", b"\x88\x62"), "\u{ca}\u{304}");
    assert_eq!(
        decoded("euc-kr", b"\xA4\xD4\xA4\xA1\xA4\xBF\xA4\xD4"),
        "\u{ac00}"
    );
    assert_eq!(decoded("iso-2022-jp", b"\x1B$BF|\x1B(Bx"), "\u{65e5}x");
    assert_eq!(decoded("hz", b"~{0!~}x"), "\u{554a}x");
    assert_eq!(decoded("punycode", b"bcher-kva"), "bücher");
    assert_eq!(decoded("cp037", b"\xC1"), "A");
}

#[test]
fn errors_are_replaced_or_refuse_the_text() {
    assert_eq!(
        decode(b"utf-8", b"a\xE2\x82b", OnError::Replace).as_deref(),
        Ok("a\u{fffd}b".as_bytes())
    );
    assert_eq!(
        decode(b"utf-8", b"\xFF", OnError::Strict),
        Err(Refused::Undecodable)
    );
    assert_eq!(
        decode(b"idna", b"x", OnError::Ignore),
        Err(Refused::Undecodable)
    );
    assert_eq!(
        decode(b"no-such", b"x", OnError::Ignore),
        Err(Refused::Unknown)
    );
}

#[test]
fn every_label_has_a_codec_that_stands_any_bytes() {
    let bytes: Vec<u8> = (0..=255).cycle().step_by(7).take(2048).collect();
    for (label, (codec, _)) in LABELS.iter() {
        let text = decode(label.as_bytes(), &bytes, OnError::Ignore);
        let refuses = ["idna", "undefined", "punycode", "-"].contains(codec);
        assert_eq!(text.is_err(), refuses, "{label}");
    }
}
