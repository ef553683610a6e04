//! Addresses as the configuration writes them: `unix:/path`, `inet:host:port`, `udp:host:port`.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::server::Table;

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket, made with mode 0666: who may connect is decided by the directory.
    Unix(PathBuf),
    /// TCP: `host:port`, an IPv6 address in brackets.
    Inet(String),
    /// UDP, likewise.
    Udp(String),
}

/// What is wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// No known kind in front.
    #[error("an address begins with unix:, inet: or udp:")]
    Kind,
    /// No known table in front of the `=`.
    #[error("the tables are abused, digest and line, as in digest=inet:127.0.0.1:2501")]
    Table,
    /// A path that is not absolute.
    #[error("the path of a socket begins with /")]
    Path,
    /// No host or port.
    #[error("a host and a port are needed, as in inet:127.0.0.1:2500 or inet:[::1]:2500")]
    HostPort,
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let (kind, rest) = text.split_once(':').ok_or(BadAddress::Kind)?;
        match kind {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" => Err(BadAddress::Path),
            "inet" => host_port(rest).map(Self::Inet),
            "udp" => host_port(rest).map(Self::Udp),
            _ => Err(BadAddress::Kind),
        }
    }
}

/// An address for tcp_table(5), whose protocol has no names: `digest=inet:127.0.0.1:2501`. Without a name it is `abused`.
///
/// # Errors
/// No such table, or what is wrong with the address.
pub fn parse_table(text: &str) -> Result<(Table, Address), BadAddress> {
    let (table, address) = text
        .split_once('=')
        .unwrap_or_else(|| (Table::Abused.name(), text));
    let table = table.parse().map_err(|_unknown| BadAddress::Table)?;
    Ok((table, address.parse()?))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inet(host_port) => write!(f, "inet:{host_port}"),
            Self::Udp(host_port) => write!(f, "udp:{host_port}"),
        }
    }
}

fn host_port(text: &str) -> Result<String, BadAddress> {
    let (host, port) = text.rsplit_once(':').ok_or(BadAddress::HostPort)?;
    let bracketed = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || (host.contains(':') && !bracketed) || port.parse::<u16>().is_err() {
        return Err(BadAddress::HostPort);
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_they_were_read() {
        for text in [
            "unix:/run/postwarden/socketmap",
            "inet:127.0.0.1:2500",
            "inet:[::1]:0",
            "udp:localhost:24441",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn wrong_addresses_say_what_is_wrong() {
        for (text, wrong) in [
            ("/run/socket", BadAddress::Kind),
            ("tcp:127.0.0.1:2500", BadAddress::Kind),
            ("unix:run/socket", BadAddress::Path),
            ("inet:2500", BadAddress::HostPort),
            ("inet:127.0.0.1:smtp", BadAddress::HostPort),
            ("inet:::1:2500", BadAddress::HostPort),
            ("udp::24441", BadAddress::HostPort),
        ] {
            assert_eq!(text.parse::<Address>(), Err(wrong), "{text}");
        }
    }

    #[test]
    fn a_tcp_table_names_its_table_before_the_address() {
        let address = Address::Inet("127.0.0.1:2501".to_owned());
        let parsed = |text| parse_table(text);
        assert_eq!(
            parsed("digest=inet:127.0.0.1:2501"),
            Ok((Table::Digest, address.clone()))
        );
        assert_eq!(parsed("inet:127.0.0.1:2501"), Ok((Table::Abused, address)));
        assert_eq!(
            parsed("nonsense=inet:127.0.0.1:2501"),
            Err(BadAddress::Table)
        );
        assert_eq!(parsed("line=2501"), Err(BadAddress::Kind));
    }
}
