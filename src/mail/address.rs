//! Envelope addresses: parts, and folding of the ones that change with every message (VERP, SRS, BATV).
//!
//! Folding answers "whose habit is this": a list with one return path per recipient is one sender, a forwarder that
//! rewrites is one sender. It never invents an address that somebody else could own: the domain is always kept.

/// Local part and domain, split at the last `@`; `None` without one.
#[must_use]
pub fn split(address: &str) -> Option<(&str, &str)> {
    address
        .rsplit_once('@')
        .filter(|(_, domain)| !domain.is_empty())
}

/// The domain, lower-cased; `None` without one.
#[must_use]
pub fn domain(address: &str) -> Option<String> {
    split(address).map(|(_, domain)| domain.to_ascii_lowercase())
}

/// The address as a key: lower-cased, and without what changes from message to message.
///
/// * SRS (`SRS0=hash=tt=domain=local@forwarder`, `SRS1=...`): `srs@forwarder`
/// * BATV (`prvs=tag=local@domain`, `btv1==tag==local@domain`): `local@domain`
/// * VERP (`list-bounces+anna=example.org@lists.example.com`, also `-` for `+`): `list-bounces@lists.example.com`
#[must_use]
pub fn fold(address: &str) -> String {
    let lower = address.trim().to_lowercase();
    let Some((local, domain)) = split(&lower) else {
        return lower;
    };
    if ["srs0", "srs1"].iter().any(|tag| {
        local
            .strip_prefix(tag)
            .is_some_and(|rest| rest.starts_with(['=', '-', '+']))
    }) {
        return format!("srs@{domain}");
    }
    for tag in ["prvs=", "btv1=="] {
        if let Some((_, owner)) = local
            .strip_prefix(tag)
            .and_then(|rest| rest.rsplit_once('='))
        {
            return format!("{}@{domain}", owner.trim());
        }
    }
    format!("{}@{domain}", without_verp(local))
}

/// The list's own part of a VERP local part: what stands before the tag that holds `user=domain`.
fn without_verp(local: &str) -> &str {
    let Some((before, _)) = local.split_once('=') else {
        return local;
    };
    before
        .split_once('+')
        .or_else(|| before.rsplit_once('-'))
        .map(|(list, _)| list)
        .filter(|list| !list.is_empty())
        .unwrap_or(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarder_is_one_sender_whatever_it_rewrites() {
        assert_eq!(
            fold("SRS0=4f2a=AB=example.org=anna@fwd.example.com"),
            "srs@fwd.example.com"
        );
        assert_eq!(
            fold("SRS1=x=other.example==4f2a=AB=example.org=a@fwd.example.com"),
            "srs@fwd.example.com"
        );
        assert_eq!(fold("srs0x@example.com"), "srs0x@example.com");
    }

    #[test]
    fn a_list_is_one_sender_whoever_gets_it() {
        for address in [
            "list-bounces+anna=example.org@lists.example.com",
            "list-bounces-anna=example.org@Lists.Example.COM",
            "list-bounces@lists.example.com",
        ] {
            assert_eq!(fold(address), "list-bounces@lists.example.com");
        }
    }

    #[test]
    fn a_signed_return_path_is_its_owner() {
        assert_eq!(fold("prvs=0123abcdef=Anna@example.org"), "anna@example.org");
        assert_eq!(fold("btv1==012abc==anna@example.org"), "anna@example.org");
    }

    #[test]
    fn odd_addresses_stay_what_they_are() {
        for address in [
            "",
            "postmaster",
            "a=b@example.org",
            "=@example.org",
            "@example.org",
        ] {
            assert_eq!(fold(address), address);
        }
        assert_eq!(
            split("\"a@b\"@example.org"),
            Some(("\"a@b\"", "example.org"))
        );
        assert_eq!(domain("a@"), None);
    }
}
