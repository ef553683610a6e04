//! `name[address]:port`: smtpd's clients, smtp's relays.

use std::net::IpAddr;

use crate::postfix::record::{Client, Relay};

/// Reads a client at the start of a text; returns it and what follows.
pub(super) fn client(text: &str) -> Option<(Client<'_>, &str)> {
    let (name, address, rest) = brackets(text)?;
    let (port, rest) = port(rest);
    let address = address.strip_prefix("IPv6:").unwrap_or(address);
    let client = Client {
        name,
        address: address.parse::<IpAddr>().ok(),
        port,
    };
    Some((client, rest))
}

/// A client that is no more than a name (an archive without addresses), up to a comma.
pub(super) fn name(text: &str) -> Option<(Client<'_>, &str)> {
    let end = memchr::memchr(b',', text.as_bytes()).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    let client = Client {
        name,
        ..Client::default()
    };
    (!name.is_empty() && !name.contains(' ')).then_some((client, rest))
}

/// Reads the host of a remote answer (`H[ip]`, `H[ip]:port`); returns it as printed, taken apart, and what follows.
pub(super) fn host(text: &str) -> Option<(&str, Relay<'_>, &str)> {
    let (host, address, rest) = brackets(text)?;
    let (port, rest) = port(rest);
    let printed = text.get(..text.len() - rest.len())?;
    Some((
        printed,
        Relay {
            host,
            address,
            port,
        },
        rest,
    ))
}

/// Reads the whole of `relay=`: `name[address]:port`, `name[socket]`, or a service's name.
pub(super) fn relay(text: &str) -> Relay<'_> {
    match host(text) {
        Some((_, relay, "")) => relay,
        _ => Relay {
            host: text,
            ..Relay::default()
        },
    }
}

/// `name[address]` without blanks, commas or further brackets.
fn brackets(text: &str) -> Option<(&str, &str, &str)> {
    let open = memchr::memchr3(b'[', b' ', b',', text.as_bytes())?;
    let (name, rest) = text.split_at_checked(open)?;
    let rest = rest.strip_prefix('[')?;
    let close = memchr::memchr3(b']', b' ', b'[', rest.as_bytes())?;
    let (address, rest) = rest.split_at_checked(close)?;
    let rest = rest.strip_prefix(']')?;
    (!address.is_empty()).then_some((name, address, rest))
}

/// `:25`, if digits follow the colon and nothing else does before a delimiter.
fn port(rest: &str) -> (Option<u16>, &str) {
    let found = rest.strip_prefix(':').and_then(|digits| {
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = digits.split_at_checked(count)?;
        Some((digits.parse().ok()?, rest))
    });
    found.map_or((None, rest), |(port, rest)| (Some(port), rest))
}
