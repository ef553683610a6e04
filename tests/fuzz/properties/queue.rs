//! Queue files, the queue listing, queue IDs.

use postwarden::{
    postfix::{
        queue_file::{HEAD_BYTES, Head, QueueFile},
        queue_id,
        queue_list::{Entry, Reader},
    },
    time::Timestamp,
};

use super::{cuts, pieces, printable};

pub(super) fn file(data: &[u8]) {
    let whole = Head::parse(data);
    for cut in cuts(data.len()) {
        let Some(part) = Head::parse(&data[..cut]) else {
            continue;
        };
        // What the beginning of a file says, no later byte takes back.
        let whole = whole.as_ref().expect("a part was a head");
        assert_eq!(part.arrival, whole.arrival);
        assert_eq!(part.sender, whole.sender);
        for (part, whole) in [
            (&part.sasl_username, &whole.sasl_username),
            (&part.sasl_method, &whole.sasl_method),
            (&part.log_ident, &whole.log_ident),
            (&part.client.name, &whole.client.name),
            (&part.log_client.name, &whole.log_client.name),
        ] {
            assert!(part.is_none() || part == whole, "{part:?} became {whole:?}");
        }
        assert!(whole.recipients.starts_with(&part.recipients));
        assert!(part.done <= whole.done);
    }
    let Some(file) = QueueFile::parse(data) else {
        assert!(!whole.is_some_and(|head| head.envelope_complete));
        return;
    };
    assert!(file.content.len() <= data.len());
    assert!(2 * file.head.recipients.len() <= data.len());
    assert!(!file.is_husk() || file.complete);
    let text = |text: &Option<Box<str>>| {
        text.as_ref()
            .is_none_or(|text| !text.chars().any(|c| c.is_ascii_control()))
    };
    assert!(text(&file.head.sasl_username) && text(&file.head.sender));
    if let Some(head) = whole {
        assert_eq!(head.sender, file.head.sender);
        assert_eq!(head.sasl_username, file.head.sasl_username);
        assert!(file.head.recipients.starts_with(&head.recipients));
    }
}

/// One record: type, length in base 128, bytes.
fn record(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
    out.push(kind);
    let mut length = data.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
    out.extend_from_slice(data);
}

/// A file as cleanup(8) writes it with these texts, read back.
pub(super) fn written_file(data: &[u8]) {
    let [login, sender, recipient, content] = pieces(data);
    let mut out = Vec::new();
    record(
        &mut out,
        b'C',
        b"             100             400               1",
    );
    record(&mut out, b'T', b"1790000000 123456");
    record(&mut out, b'A', &[b"sasl_username=", login].concat());
    record(&mut out, b'A', b"client_address=203.0.113.9");
    record(&mut out, b'S', sender);
    record(&mut out, b'A', b"sasl_username=victim");
    record(&mut out, b'R', recipient);
    record(&mut out, b'D', b"done@example.net");
    record(&mut out, b'M', b"");
    let mut expected = Vec::new();
    for line in content.split(|c| *c == b'\n') {
        record(&mut out, b'N', line);
        expected.extend_from_slice(line);
        expected.push(b'\n');
    }
    record(&mut out, b'X', b"");
    record(&mut out, b'E', b"");
    let file = QueueFile::parse(&out).expect("a sound file");
    assert!(file.complete);
    assert_eq!(file.content, expected);
    let head = &file.head;
    assert_eq!(head.sasl_username.as_deref(), Some(&*printable(login)));
    assert_eq!(
        head.arrival,
        Some(Timestamp::from_micros(1_790_000_000_123_456))
    );
    assert_eq!((head.recipients.len(), head.done), (1, 1));
    assert_eq!((head.size, head.recipient_count), (Some(100), Some(1)));
    for (external, internal) in [
        (head.sender.as_deref(), sender),
        (head.recipients.first().map(|r| &**r), recipient),
    ] {
        assert_eq!(
            external.map(unquoted),
            Some(printable(internal)),
            "{external:?}"
        );
    }
    if out.len() <= HEAD_BYTES {
        let head = Head::parse(&out).expect("a sound file");
        assert!(head.envelope_complete);
        assert_eq!(head.sasl_username, file.head.sasl_username);
    }
}

/// The address without the quotes of its local part.
fn unquoted(external: &str) -> String {
    let Some(inside) = external.strip_prefix('"') else {
        return external.to_owned();
    };
    let mut out = String::new();
    let mut characters = inside.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => out.extend(characters.next()),
            '"' => break,
            c => out.push(c),
        }
    }
    out + characters.as_str()
}

pub(super) fn id(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if queue_id::is_canonical(&text) {
        assert!(queue_id::is_valid(&text));
    }
    if let Some(arrival) = queue_id::arrival(&text) {
        assert!(arrival >= Timestamp::EPOCH);
        if queue_id::is_valid(&text) {
            assert!(queue_id::is_canonical(&text));
        }
    }
    let number = data
        .iter()
        .take(8)
        .fold(0_i64, |sum, byte| sum << 8 | i64::from(*byte));
    let (seconds, micros, inode) = (
        number.rem_euclid(52_i64.pow(6)),
        number.rem_euclid(999_983),
        number.rem_euclid(1 << 40),
    );
    let long = format!(
        "{}{}z{}",
        digits(seconds, 52, 6),
        digits(micros, 52, 4),
        digits(inode, 51, 1)
    );
    assert!(queue_id::is_canonical(&long), "{long}");
    assert_eq!(
        queue_id::arrival(&long),
        Some(Timestamp::from_micros(seconds * 1_000_000 + micros)),
        "{long}"
    );
}

/// A number as `mail_queue.h` prints it.
fn digits(mut number: i64, base: i64, least: usize) -> String {
    const DIGITS: &[u8] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    let mut out = Vec::new();
    while number > 0 || out.len() < least {
        out.push(DIGITS[usize::try_from(number % base).unwrap_or(0)]);
        number /= base;
    }
    out.reverse();
    String::from_utf8(out).unwrap_or_default()
}

fn listed(parts: &[&[u8]]) -> (Vec<Entry>, u64) {
    let (mut entries, mut reader) = (Vec::new(), Reader::new());
    for part in parts {
        reader.push(part, &mut |entry| entries.push(entry));
    }
    let unread = reader.finish(&mut |entry| entries.push(entry));
    (entries, unread)
}

pub(super) fn list(data: &[u8]) {
    let whole = listed(&[data]);
    let lines = data.split(|c| *c == b'\n').count();
    assert!(whole.0.len() + usize::try_from(whole.1).unwrap_or(0) <= lines);
    for cut in cuts(data.len()) {
        let (start, end) = data.split_at(cut);
        assert_eq!(listed(&[start, end]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = data.chunks(1).collect();
    assert_eq!(listed(&bytes), whole, "byte by byte");
    for entry in &whole.0 {
        assert!(
            entry
                .queue_id
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || c == b'_')
        );
    }
    // What postqueue prints is read back, whatever the addresses and the remote side's words are.
    let [sender, recipient, reason] = pieces(data);
    let [sender, recipient, reason] = [sender, recipient, reason].map(printable);
    let json = serde_json::json!({
        "queue_name": "deferred", "queue_id": "4F2A1C0D3B", "arrival_time": 1_790_000_000,
        "message_size": 77, "forced_expire": false, "sender": sender,
        "recipients": [{"address": recipient, "delay_reason": reason}, {"address": "b@example.net"}],
    });
    let entry = Entry::parse(json.to_string().as_bytes()).expect("what postqueue prints");
    assert_eq!((&*entry.queue_id, &*entry.sender), ("4F2A1C0D3B", &*sender));
    assert_eq!(entry.recipients.len(), 2);
    assert_eq!(&*entry.recipients[0].address, recipient);
    assert_eq!(entry.recipients[0].delay_reason.as_deref(), Some(&*reason));
}
