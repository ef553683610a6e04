//! `name[address]:port`: smtpd's clients, smtp's relays.

use std::net::{IpAddr, Ipv4Addr};

use crate::postfix::record::{Client, Relay};

/// Reads a client at the start of a text; returns it and what follows.
pub(super) fn client(text: &str) -> Option<(Client<'_>, &str)> {
    let (name, address, rest) = brackets(text)?;
    let (port, rest) = port(rest);
    let address = address.strip_prefix("IPv6:").unwrap_or(address);
    let client = Client {
        name,
        address: ip(address),
        port,
    };
    Some((client, rest))
}

/// An address as [`IpAddr`] reads it; the usual kind by hand, which is much faster.
fn ip(text: &str) -> Option<IpAddr> {
    let v4 = ipv4(text.as_bytes()).map(IpAddr::V4);
    v4.or_else(|| text.parse().ok())
}

/// Four numbers, none of which begins with a zero that it does not need.
fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut address, mut number, mut dots) = (0_u32, 0_u32, 0);
    let mut fresh = true;
    for byte in text {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit < 10 {
            if number == 0 && !fresh {
                return None;
            }
            number = number * 10 + digit;
            fresh = false;
        } else if *byte == b'.' && !fresh {
            dots += 1;
            address = address << 8 | number;
            number = 0;
            fresh = true;
        } else {
            return None;
        }
        if number > 255 {
            return None;
        }
    }
    (dots == 3 && !fresh).then(|| Ipv4Addr::from_bits(address << 8 | number))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_the_standard_library_takes_for_one() {
        for text in [
            "192.0.2.1",
            "0.0.0.0",
            "255.255.255.255",
            "256.0.2.1",
            "192.0.2.01",
            "192.0.2.00",
            "192.0.2",
            "192.0.2.",
            "192.0.2.1.5",
            "192..2.1",
            ".192.0.2",
            "1.2.3.4294967297",
            "2001:db8::1",
            "::ffff:192.0.2.1",
            "fe80::1%eth0",
            "unknown",
            "",
        ] {
            assert_eq!(ip(text), text.parse::<IpAddr>().ok(), "{text}");
        }
    }
}
