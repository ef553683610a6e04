//! How fast messages are digested, as megabytes a second and as a ratio to the SHA-1 of the same bytes.
//!
//! `cargo bench --bench digest`. The messages are made here, the same ones each time; the second row of each kind is twice
//! as long: the speed must not fall with the length.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement reads the time it had on the processor, and prints"
)]

use std::{fs, hint::black_box};

use postwarden::digest::pyzor;
use sha1::{Digest as _, Sha1};

/// Seconds that each figure takes at least.
const SECONDS: f64 = 0.3;

fn main() {
    println!(
        "{:<22} {:>9} {:>9} {:>9} {:>7}",
        "messages", "bytes", "MB/s", "SHA-1", "ratio"
    );
    for (name, make) in KINDS {
        for size in [500_000, 1_000_000] {
            let message = make(size);
            let digest = rate(&message, |message| {
                black_box(pyzor::digests(message));
            });
            let sha1 = rate(&message, |message| {
                black_box(Sha1::digest(message));
            });
            let (bytes, ratio) = (message.len(), sha1 / digest);
            println!("{name:<22} {bytes:>9} {digest:>9.1} {sha1:>9.1} {ratio:>7.2}");
        }
    }
}

/// A kind of message and what makes one of about so many bytes.
type Kind = (&'static str, fn(usize) -> Vec<u8>);

const KINDS: &[Kind] = &[
    ("plain text", |size| with("text/plain", "", &prose(size))),
    ("plain, UTF-8", |size| {
        with(
            "text/plain; charset=utf-8",
            "",
            &prose(size).replace('e', "é"),
        )
    }),
    ("HTML", |size| {
        with(
            "text/html; charset=utf-8",
            "",
            &prose(size).replace("order", "<p class=\"a\">b&amp;c</p>"),
        )
    }),
    ("quoted-printable", |size| {
        with(
            "text/plain; charset=iso-8859-1",
            "quoted-printable",
            &prose(size).replace('e', "=E9"),
        )
    }),
    ("base64", |size| with("text/plain", "base64", &base64(size))),
    ("attachment", |size| {
        with("application/pdf", "base64", &base64(size))
    }),
    ("hostile: <", |size| {
        with("text/html", "", &"<".repeat(size))
    }),
    ("hostile: &aaa", |size| {
        with("text/html", "", &"&aaa".repeat(size / 4))
    }),
    ("hostile: <a '=", |size| {
        with("text/html", "", &"<a '= ".repeat(size / 6))
    }),
    ("hostile: </script", |size| {
        with(
            "text/html",
            "",
            &format!("<script>{}", "</script ".repeat(size / 9)),
        )
    }),
    ("hostile: <!-- --", |size| {
        with("text/html", "", &format!("<!{}", "-- ".repeat(size / 3)))
    }),
    ("hostile: parameters", |size| {
        with(&"a\";b*1=\"c;".repeat(size / 10), "", "x")
    }),
    ("hostile: separators", |size| {
        with("multipart/mixed; boundary=b", "", &"--b\n".repeat(size / 4))
    }),
    ("hostile: parts", |size| {
        with(
            "multipart/mixed; boundary=b",
            "",
            &"--b\n\nx\n".repeat(size / 7),
        )
    }),
    ("hostile: nested", |size| nested(size)),
    ("hostile: blank lines", |size| {
        with("message/delivery-status", "", &"\n".repeat(size))
    }),
    ("hostile: punycode", |size| {
        with(
            "text/plain; charset=punycode",
            "",
            &format!("a-{}", "ba9".repeat(size / 3)),
        )
    }),
];

fn with(content_type: &str, encoding: &str, body: &str) -> Vec<u8> {
    format!(
        "Subject: x\nContent-Type: {content_type}\nContent-Transfer-Encoding: {encoding}\n\n{body}"
    )
    .into_bytes()
}

fn prose(size: usize) -> String {
    let words = [
        "the",
        "order",
        "of",
        "your",
        "account",
        "has",
        "been",
        "renewed",
        "12:30",
        "http://example.org/x",
    ];
    let mut text = String::with_capacity(size + 20);
    let mut state = 1_u32;
    while text.len() < size {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let place = (state >> 24) % 10;
        text.extend(
            words
                .iter()
                .skip(place.try_into().unwrap_or_default())
                .take(1)
                .copied(),
        );
        text.push(if (state >> 16).is_multiple_of(11) {
            '\n'
        } else {
            ' '
        });
    }
    text
}

fn base64(size: usize) -> String {
    let line = "VGhlIG9yZGVyIG9mIHlvdXIgYWNjb3VudCBoYXMgYmVlbiByZW5ld2VkLCBkZWFyIHJl\n";
    line.repeat(size / line.len())
}

fn nested(size: usize) -> Vec<u8> {
    (0..size / 60)
        .flat_map(|level| {
            format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n").into_bytes()
        })
        .collect()
}

/// Megabytes a second of processor time.
fn rate(message: &[u8], work: impl Fn(&[u8])) -> f64 {
    work(message);
    let start = on_processor();
    let mut rounds = 0_u32;
    while on_processor() - start < SECONDS {
        work(message);
        rounds += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let megabytes = message.len() as f64 / 1e6;
    megabytes * f64::from(rounds) / (on_processor() - start)
}

/// Seconds this thread has run (proc(5), `schedstat`); others on the machine do not count.
fn on_processor() -> f64 {
    fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or(0.0, |nanoseconds| nanoseconds / 1e9)
}
