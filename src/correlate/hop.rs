//! Where a delivery went: to a remote side, or on within the house.

use std::{collections::BTreeSet, net::IpAddr};

use crate::postfix::record::{Delivery, Status};

/// Agents that never speak for a remote side. lmtp(8) hands mail to a mailbox of ours.
const LOCAL_AGENTS: &[&str] = &[
    "local", "virtual", "pipe", "lmtp", "error", "retry", "discard", "bounce", "cleanup", "qmgr",
    "spawn",
];

/// How smtp(8) words a destination that it never came to speak with (`relay=none`); anything else without a relay is our
/// own trouble (transport missing, TLS tables, limits).
const UNREACHED: &[&str] = &[
    "connect to ",
    "Host or domain name not found",
    "Domain ",
    "lost connection with ",
    "conversation with ",
    "unable to look up ",
    "unable to find primary relay for ",
    "no MX host for ",
    "Host not found",
    "Name service error",
];

/// Where a delivery went: address and port.
pub(super) type Endpoint = (IpAddr, u16);

/// The endpoint of a delivery, if it has one.
pub(super) fn endpoint(delivery: &Delivery<'_>) -> Option<Endpoint> {
    let relay = delivery.relay.as_ref()?;
    let address: IpAddr = relay.address.parse().ok()?;
    Some((address.to_canonical(), relay.port.unwrap_or(25)))
}

/// True when a delivery record is an opinion of a remote side, or the failure to reach one, whatever the message. A hop
/// to one of our own addresses is none. Loopback is not enough for that: a test bed, a tunnel or a smarthost's proxy
/// answers there too. It is a content filter when it was seen to hand mail back (`filters`), or says so.
pub(super) fn is_remote(
    daemon: &str,
    delivery: &Delivery<'_>,
    own: &[IpAddr],
    filters: &BTreeSet<Endpoint>,
) -> bool {
    if delivery.suspended || LOCAL_AGENTS.contains(&daemon) {
        return false;
    }
    if !matches!(
        delivery.status,
        Status::Sent | Status::Deferred | Status::Bounced | Status::SoftBounce
    ) {
        return false;
    }
    match &delivery.relay {
        Some(_) => endpoint(delivery).is_some_and(|end| {
            let says_so = end.0.is_loopback() && delivery.text.contains("from MTA(");
            !own.contains(&end.0) && !filters.contains(&end) && !says_so
        }),
        None => {
            delivery.status != Status::Sent
                && UNREACHED
                    .iter()
                    .any(|start| delivery.text.starts_with(start))
        }
    }
}

/// True for loopback and for the addresses given.
pub(super) fn is_own(address: IpAddr, own: &[IpAddr]) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || own.contains(&address)
}

/// The queue ID that our own next hop gave a message: `queued as ID` in an answer from one of our own addresses.
pub(super) fn handed_on_as<'a>(delivery: &Delivery<'a>, own: &[IpAddr]) -> Option<&'a str> {
    let relay = delivery.relay.as_ref()?;
    if delivery.status != Status::Sent
        || !relay
            .address
            .parse()
            .is_ok_and(|address| is_own(address, own))
    {
        return None;
    }
    let at = memchr::memmem::rfind(delivery.text.as_bytes(), b"queued as ")?;
    leading_id(delivery.text.get(at + "queued as ".len()..)?)
}

/// The queue ID that local(8) gave a forwarded message: `forwarded as ID`.
pub(super) fn forwarded_as<'a>(daemon: &str, delivery: &Delivery<'a>) -> Option<&'a str> {
    let local = match (daemon, &delivery.relay) {
        ("local", _) => true,
        ("", Some(relay)) => relay.host == "local" && relay.address.is_empty(),
        _ => false,
    };
    if !local || delivery.status != Status::Sent {
        return None;
    }
    leading_id(delivery.text.strip_prefix("forwarded as ")?)
}

fn leading_id(text: &str) -> Option<&str> {
    let end = text
        .bytes()
        .position(|c| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    text.get(..end).filter(|id| id.len() >= 6)
}

/// True for the sender of probes and of notices to the postmaster (`double_bounce_sender`, default `double-bounce`).
pub(super) fn is_double_bounce(sender: &str) -> bool {
    sender.split('@').next() == Some("double-bounce")
}
