//! The digest as its callers see it. The vectors are in `tests/pyzor_vectors.rs`.

use super::*;

#[test]
fn a_message_without_a_usable_line_has_nothing_to_publish() {
    let digests = digests(b"Subject: x\n\nshort\n");
    assert_eq!(digests.primary(), Digest::EMPTY);
    assert!(digests.publishable().is_empty());
    assert_eq!(Digest::of(std::iter::empty()), Digest::EMPTY);
}

#[test]
fn headers_do_not_enter_the_digest() {
    let one = digests(b"Subject: one\nFrom: a@example.org\n\nthis line is long enough\n");
    let two = digests(b"Received: x\n\nthis line is long enough\n");
    assert_eq!(one, two);
}

#[test]
fn a_flood_of_parts_is_capped_and_says_so() {
    let flood = [
        b"Content-Type: message/delivery-status\n\n".to_vec(),
        vec![b'\n'; 300_000],
    ]
    .concat();
    assert!(digests(&flood).is_limited());
    let nested: String = (0..500)
        .map(|level| format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"))
        .collect();
    assert!(digests(nested.as_bytes()).is_limited());
    assert!(!digests(b"Subject: x\n\ny\n").is_limited());
}

#[test]
fn what_publishing_takes_is_distinct() {
    let message = b"Content-Type: text/html\n\n<p>one &amp; two three four</p><![endif]-->and more text</x y=\">\">z";
    let digests = digests(message);
    let values = digests.publishable();
    assert_eq!(values.first(), Some(&digests.primary()));
    let distinct: std::collections::BTreeSet<Digest> = values.iter().copied().collect();
    assert_eq!(distinct.len(), values.len());
    assert_eq!(values.len(), 3, "older, newer tokenizer, Python 2");
}
