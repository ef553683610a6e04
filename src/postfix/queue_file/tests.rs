//! Records written by hand here; files of a real Postfix beside what postcat(1) says of them in `tests/data/queue`.

use proptest::prelude::*;

use super::*;

/// Writes records as Postfix does.
fn file(records: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, data) in records {
        bytes.push(*kind);
        let mut length = data.len();
        loop {
            let low = u8::try_from(length & 0x7f).unwrap();
            length >>= 7;
            bytes.push(if length > 0 { low | 0x80 } else { low });
            if length == 0 {
                break;
            }
        }
        bytes.extend_from_slice(data);
    }
    bytes
}

const SIZES: &[u8] =
    b"            345             700               2               0             345";

fn message() -> Vec<u8> {
    file(&[
        (b'C', SIZES),
        (b'T', b"1700000000 123456"),
        (b'A', b"log_ident=4F2A1C0D3B"),
        (b'A', b"sasl_method=PLAIN"),
        (b'A', b"sasl_username=anna=x@example.org"),
        (b'S', b"anna b@example.org"),
        (b'A', b"log_client_name=dsl-1.isp.example"),
        (b'A', b"log_client_address=203.0.113.9"),
        (b'A', b"log_client_port=4711"),
        (b'A', b"log_message_origin=network"),
        (b'A', b"client_address=127.0.0.1"),
        (b'A', b"dsn_orig_rcpt=rfc822;old@example.com"),
        (b'O', b"old@example.com"),
        (b'D', b"one@example.com"),
        (b'R', b"two@example.com"),
        (b'M', b""),
        (b'N', b"Subject: x"),
        (b'N', b""),
        (b'L', b"a long "),
        (b'N', b"line"),
        (b'X', b""),
        (b'E', b""),
    ])
}

#[test]
fn the_head_tells_who_sent_it_from_where_and_to_whom() {
    let head = Head::parse(&message()).unwrap();
    assert_eq!(
        head.arrival,
        Some(Timestamp::from_micros(1_700_000_000_123_456))
    );
    assert_eq!(head.sasl_username.as_deref(), Some("anna=x@example.org"));
    assert_eq!(head.sender.as_deref(), Some("\"anna b\"@example.org"));
    assert_eq!(
        head.log_client.address,
        Some("203.0.113.9".parse().unwrap())
    );
    assert_eq!(head.log_client.port, Some(4711));
    assert_eq!(head.client.address, Some("127.0.0.1".parse().unwrap()));
    assert_eq!(head.recipient_count, Some(2));
    assert_eq!(head.size, Some(345));
    assert_eq!((head.recipients.len(), head.done), (1, 1));
    assert!(head.envelope_complete);
}

#[test]
fn a_head_cut_after_the_sender_still_names_the_sender() {
    let bytes = message();
    let cut = bytes.windows(8).position(|w| w == b"dsn_orig").unwrap();
    let head = Head::parse(&bytes[..cut]).unwrap();
    assert!(!head.envelope_complete);
    assert_eq!(head.sasl_username.as_deref(), Some("anna=x@example.org"));
}

#[test]
fn content_is_put_together_from_its_pieces() {
    let file = QueueFile::parse(&message()).unwrap();
    assert!(file.complete && !file.is_husk());
    assert_eq!(file.content, b"Subject: x\n\na long line\n");
}

#[test]
fn a_message_without_open_recipients_is_a_husk() {
    let bytes: Vec<u8> = file(&[
        (b'C', SIZES),
        (b'T', b"1700000000"),
        (b'S', b""),
        (b'D', b"one@example.com"),
        (b'M', b""),
        (b'X', b""),
        (b'D', b"two@example.com"),
        (b'E', b""),
    ]);
    let file = QueueFile::parse(&bytes).unwrap();
    assert!(file.is_husk());
    assert_eq!(file.head.done, 2);
    assert_eq!(file.head.sender.as_deref(), Some(""));
    let cut = QueueFile::parse(&bytes[..bytes.len() - 2]).unwrap();
    assert!(!cut.is_husk(), "what is cut may have had recipients");
}

#[test]
fn a_milters_pointers_are_followed_and_a_loop_of_them_ends() {
    let mut bytes = file(&[(b'T', b"1700000000"), (b'S', b"a@example.org"), (b'M', b"")]);
    let patched = bytes.len();
    bytes.extend(file(&[
        (b'p', b"000000000000000"),
        (b'N', b"Subject: old"),
        (b'N', b""),
    ]));
    let back = patched + 17 + 14;
    bytes.extend(file(&[(b'X', b""), (b'E', b"")]));
    let end = bytes.len();
    bytes.extend(file(&[
        (b'N', b"Subject: new"),
        (b'p', format!("{back:15}").as_bytes()),
    ]));
    bytes[patched..patched + 17].copy_from_slice(&file(&[(b'p', format!("{end:15}").as_bytes())]));
    assert_eq!(
        QueueFile::parse(&bytes).unwrap().content,
        b"Subject: new\n\n"
    );
    let long = vec![b'x'; 5000];
    let start = file(&[(b'T', b"1700000000"), (b'S', b"a@example.org"), (b'M', b"")]);
    let mut looping = start.clone();
    looping.extend(file(&[
        (b'N', &long),
        (b'p', format!("{:15}", start.len()).as_bytes()),
    ]));
    let bomb = QueueFile::parse(&looping).unwrap();
    assert!(!bomb.complete && bomb.content.len() < looping.len());
}

#[test]
fn a_login_is_printed_as_the_log_prints_it() {
    assert_eq!(&*printable(b"a\tb\xff\xfe\xc3\xa9"), "a?b??\u{e9}");
    assert_eq!(
        &*external(b"a\"b\\c@d@example.org"),
        "\"a\\\"b\\\\c@d\"@example.org"
    );
    assert_eq!(&*external(b"www-data"), "www-data");
    assert_eq!(&*external(b""), "");
    assert_eq!(&*external(b".a@example.org"), "\".a\"@example.org");
}

#[test]
fn what_is_no_queue_file_is_nothing() {
    for bytes in [
        &b""[..],
        b"From: x\n\n",
        b"\0\0\0\0\0",
        b"C\xff\xff\xff\xff\xff\xff",
    ] {
        assert_eq!(Head::parse(bytes), None);
        assert_eq!(QueueFile::parse(bytes), None);
    }
}

proptest! {
    #[test]
    fn no_mutation_makes_it_panic_or_grow(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = message();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        drop(Head::parse(&bytes));
        if let Some(file) = QueueFile::parse(&bytes) {
            prop_assert!(file.content.len() <= bytes.len());
        }
    }
}

// Files of a private Postfix 3.7.11 with what `postcat -e` and `postcat -bh` said of them: several recipients with one done, the
// null sender, quoting and 8-bit and long lines, XFORWARD, sendmail -t with Bcc, and a milter that changed everything it may.
macro_rules! real {
    ($name:literal) => {
        (
            include_bytes!(concat!("../../../tests/data/queue/", $name, ".queue")),
            include_str!(concat!("../../../tests/data/queue/", $name, ".envelope")),
            include_bytes!(concat!("../../../tests/data/queue/", $name, ".content")),
        )
    };
}

const REAL: [(&[u8], &str, &[u8]); 6] = [
    real!("first"),
    real!("null"),
    real!("odd"),
    real!("forwarded"),
    real!("local"),
    real!("changed"),
];

/// The values that postcat printed under a name.
fn printed<'a>(envelope: &'a str, name: &str) -> Vec<&'a str> {
    envelope
        .lines()
        .filter_map(|line| line.strip_prefix(name))
        .collect()
}

#[test]
fn files_of_a_real_postfix_read_as_postcat_reads_them() {
    for (bytes, envelope, content) in REAL {
        let file = QueueFile::parse(bytes).unwrap();
        assert!(file.complete && !file.is_husk(), "{envelope}");
        assert_eq!(
            String::from_utf8_lossy(&file.content),
            String::from_utf8_lossy(content)
        );
        let external = |addresses: Vec<&str>| -> Vec<Box<str>> {
            addresses
                .iter()
                .map(|address| external(address.as_bytes()))
                .collect()
        };
        let head = &file.head;
        assert_eq!(
            head.recipients,
            external(printed(envelope, "recipient: ")),
            "{envelope}"
        );
        let done = printed(envelope, "done_recipient: ").len();
        assert_eq!(head.done as usize, done);
        let sender: Vec<Box<str>> = head.sender.clone().into_iter().collect();
        assert_eq!(sender, external(printed(envelope, "sender: ")));
        for (read, name) in [
            (&head.sasl_username, "sasl_username"),
            (&head.sasl_method, "sasl_method"),
            (&head.log_ident, "log_ident"),
            (&head.client.name, "client_name"),
            (&head.log_client.name, "log_client_name"),
        ] {
            let printed = printed(envelope, &format!("named_attribute: {name}="));
            assert_eq!(read.as_deref(), printed.first().copied(), "{name}");
        }
        let address = |peer: &Peer| peer.address.map(|address| address.to_string());
        assert_eq!(
            address(&head.log_client).as_deref(),
            printed(envelope, "named_attribute: log_client_address=")
                .first()
                .copied()
        );
    }
}

#[test]
fn the_first_bytes_of_real_files_name_the_sender() {
    for (bytes, envelope, _) in REAL {
        let whole = QueueFile::parse(bytes).unwrap().head;
        let head = Head::parse(&bytes[..bytes.len().min(HEAD_BYTES)]).unwrap();
        assert_eq!(
            (&head.sasl_username, &head.sender, &head.log_client),
            (&whole.sasl_username, &whole.sender, &whole.log_client),
            "{envelope}"
        );
        assert_eq!(head.recipient_count, whole.recipient_count);
        assert!(head.arrival.unwrap() > Timestamp::from_seconds(1_795_000_000));
    }
}

#[test]
fn no_cut_of_a_real_file_passes_for_whole() {
    for (bytes, _, _) in REAL {
        for cut in 0..bytes.len() {
            assert!(
                QueueFile::parse(&bytes[..cut]).is_none_or(|file| !file.complete),
                "{cut}"
            );
        }
    }
}
