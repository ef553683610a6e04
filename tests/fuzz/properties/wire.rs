//! Codecs: a unit is the same however the bytes came in, and what is written is read back.

use std::fmt::Debug;

use postwarden::wire::{
    Decoded, Error, base64 as base_64, holder as root, milter as filter, netstring as frame,
    policy as delegation, pyzor as book, socketmap as map, tcp_table as table,
};

use super::{cuts, printable};

/// Looks at a decoder from every prefix of its input; answers the unit at the front and what it took.
fn unit<'a, T: Debug + PartialEq>(
    input: &'a [u8],
    decode: impl Fn(&'a [u8]) -> Result<Decoded<T>, Error>,
) -> Option<(T, usize)> {
    let whole = decode(input);
    if let Ok(Decoded::Whole { used, .. }) = &whole {
        assert!((1..=input.len()).contains(used), "took {used} bytes");
    }
    for cut in cuts(input.len()) {
        let part = decode(&input[..cut]);
        match (&whole, &part) {
            (Ok(Decoded::Whole { used, .. }), Ok(Decoded::Whole { .. })) => {
                assert!(cut >= *used, "whole before its end");
                assert_eq!(whole, part, "at {cut}");
            }
            (Ok(Decoded::Whole { used, .. }), Ok(Decoded::Needs(more))) => {
                assert!(cut < *used && *more > 0, "at {cut}");
                assert!(cut + more <= *used, "asks for more than there will be");
            }
            (_, Ok(Decoded::Needs(more))) => assert!(*more > 0, "asks for nothing"),
            (Err(_), Err(_)) => {}
            _ => panic!("at {cut} {part:?}, in the end {whole:?}"),
        }
    }
    match whole {
        Ok(Decoded::Whole { value, used }) => Some((value, used)),
        _ => None,
    }
}

/// What was written is read back, whole.
fn back<'a, T: Debug + PartialEq>(
    written: &'a [u8],
    value: &T,
    decode: impl Fn(&'a [u8]) -> Result<Decoded<T>, Error>,
) {
    match decode(written) {
        Ok(Decoded::Whole { value: read, used }) => {
            assert_eq!(used, written.len());
            assert_eq!(&read, value);
        }
        other => panic!("{value:?} was written, {other:?} is read"),
    }
}

pub(super) fn base64(data: &[u8]) {
    let text = base_64::encode(data);
    assert!(text.len() <= data.len().div_ceil(3) * 4);
    assert_eq!(base_64::decode(&text).as_deref(), Some(data));
    if let Ok(text) = str::from_utf8(data)
        && let Some(bytes) = base_64::decode(text)
    {
        assert_eq!(base_64::encode(&bytes), text, "one text for the same bytes");
    }
}

pub(super) fn netstring(data: &[u8]) {
    for limit in [16, 1 << 20] {
        if let Some((bytes, used)) = unit(data, |input| frame::decode(input, limit)) {
            assert!(bytes.len() <= limit);
            assert_eq!(frame::encode(bytes), &data[..used]);
        }
    }
    let written = frame::encode(data);
    let (bytes, used) = unit(&written, |input| frame::decode(input, data.len())).expect("whole");
    assert_eq!((bytes, used), (data, written.len()));
}

pub(super) fn socketmap(data: &[u8]) {
    if let Some((Some(request), used)) = unit(data, map::Request::decode) {
        assert_eq!(request.encode(), &data[..used]);
        assert!(!request.map.contains(&b' '));
    }
    if let Some((reply, _)) = unit(data, map::Reply::decode) {
        back(&reply.encode(), &reply, map::Reply::decode);
    }
    let text = String::from_utf8_lossy(data).into_owned();
    for reply in [
        map::Reply::Ok(text.clone()),
        map::Reply::Temp(text.clone()),
        map::Reply::Timeout(text.clone()),
        map::Reply::Perm(text),
    ] {
        back(&reply.encode(), &reply, map::Reply::decode);
    }
    let request = map::Request {
        map: b"abused",
        key: data,
    };
    back(&request.encode(), &Some(request), map::Request::decode);
}

pub(super) fn tcp_table(data: &[u8]) {
    if let Some((Some(request), _)) = unit(data, table::Request::decode) {
        let written = request.encode();
        back(&written, &Some(request), table::Request::decode);
    }
    if let Some((reply, _)) = unit(data, table::Reply::decode) {
        let written = reply.encode();
        assert!(written.len() <= table::REPLY_LIMIT);
        if !written.ends_with(b"too%20long\n") {
            back(&written, &reply, table::Reply::decode);
        }
    }
    if !data.is_empty() {
        let request = table::Request { key: data.to_vec() };
        let written = request.encode();
        assert!(written[..written.len() - 1].iter().all(|c| *c >= b' '));
        back(&written, &Some(request), table::Request::decode);
    }
}

pub(super) fn policy(data: &[u8]) {
    if let Some((request, used)) = unit(data, delegation::Request::decode) {
        assert_eq!(request.encode(), &data[..used]);
    }
    unit(data, delegation::decode_action);
    let action = String::from_utf8_lossy(data);
    if !action.is_empty() && action.len() < 60_000 {
        let written = delegation::encode_action(&action);
        assert_eq!(written.iter().filter(|c| **c == b'\n').count(), 2);
        let read = delegation::decode_action(&written);
        let Ok(Decoded::Whole { value, used }) = read else {
            panic!("{read:?}")
        };
        assert_eq!(used, written.len());
        assert_eq!(value.chars().count(), action.chars().count());
    }
}

pub(super) fn pyzor(data: &[u8]) {
    let said = book::Message::decode(data);
    let _refusal = said.version();
    // Folded values come back on one line; from then on nothing changes.
    let written = said.encode();
    if written.len() > book::DATAGRAM_LIMIT - 200 {
        return;
    }
    let plain = book::Message::decode(&written);
    assert_eq!(book::Message::decode(&plain.encode()), plain);
    if ["User", "Time", "Sig"]
        .iter()
        .all(|name| plain.get(name).is_none())
    {
        let signed = plain.sign("alice", "0123abcd", 1_790_000_000);
        let heard = book::Message::decode(&signed.encode());
        assert!(heard.is_signed("0123abcd", 1_790_000_100));
        assert!(!heard.is_signed("0123abcd", 1_790_000_000 + book::SKEW + 1));
        assert!(!heard.is_signed("0123abce", 1_790_000_100));
        let other = heard.with("Op-Digest", "x");
        assert!(!other.is_signed("0123abcd", 1_790_000_100));
    }
}

pub(super) fn holder(data: &[u8]) {
    if let Some((request, _)) = unit(data, root::Request::decode) {
        assert!(request.queue_ids.len() <= root::ID_LIMIT);
        assert!(request.queue_ids.iter().all(|id| {
            id.len() >= 6 && id.bytes().all(|c| c.is_ascii_alphanumeric()) && id != "NOQUEUE"
        }));
        let written = request.encode().expect("what was read can be written");
        back(&written, &request, root::Request::decode);
    }
    if let Some((reply, _)) = unit(data, root::Reply::decode) {
        let written = reply.encode().expect("what was read can be written");
        back(&written, &reply, root::Reply::decode);
    }
    let reply = root::Reply {
        outcomes: vec![root::Outcome {
            queue_id: printable(data),
            place: root::Place::Hold,
            bytes: Some(base_64::encode(data)),
        }],
        error: Some(String::from_utf8_lossy(data).into_owned()),
    };
    let written = reply.encode().expect("any text can be written");
    back(&written, &reply, root::Reply::decode);
}

pub(super) fn milter(data: &[u8]) {
    if let Some((command, used)) = unit(data, filter::Command::decode) {
        let written = command.encode();
        assert!(written.len() <= used, "no longer than it came");
        back(&written, &command, filter::Command::decode);
    }
    if let Some((reply, _)) = unit(data, filter::Reply::decode) {
        // A text ends at its first line break; from then on nothing changes.
        let written = reply.encode();
        let (plain, used) = unit(&written, filter::Reply::decode).expect("whole");
        assert_eq!(used, written.len());
        back(&plain.encode(), &plain, filter::Reply::decode);
    }
    back(
        &filter::Command::Body(data).encode(),
        &filter::Command::Body(data),
        filter::Command::decode,
    );
    let text = String::from_utf8_lossy(data).into_owned();
    for reply in [
        filter::Reply::Refuse(text.clone()),
        filter::Reply::Quarantine(text),
    ] {
        let written = reply.encode();
        assert!(!written[5..].contains(&b'\n') && !written[5..].contains(&b'\r'));
        unit(&written, filter::Reply::decode).expect("one line, whole");
    }
}
