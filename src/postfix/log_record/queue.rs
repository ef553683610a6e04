//! Lines that begin with a queue ID: births, queue manager, deliveries, notifications, postsuper.

use crate::postfix::{
    log_line::LogLine,
    log_record::{action, delivery, is_id, peer, reply},
    record::{Action, Event, Sasl},
};

/// What a text behind a queue ID is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Understood.
    Event,
    /// Begins like a line that matters, and does not fit.
    Misfit,
    /// None of those that are known.
    Nothing,
}

/// Reads what follows `QID: ` into an event.
pub(super) fn line<'a>(line: &LogLine<'a>, text: &'a str, out: &mut Event<'a>) -> Found {
    let cut = line.cut;
    let daemon = line.tag.daemon;
    let mut put = |event: Option<Event<'a>>, otherwise| {
        let Some(event) = event else {
            return otherwise;
        };
        *out = event;
        Found::Event
    };
    if let Some(rest) = text.strip_prefix("to=<") {
        let Some(delivery) = delivery::to_line(rest, cut, is_client(daemon)) else {
            return Found::Misfit;
        };
        *out = Event::Delivery(delivery);
        return Found::Event;
    }
    // Of a cut line the end, which says where an address ends, may be the address's own.
    if let Some(rest) = text.strip_prefix("from=<") {
        return put(from_line(rest).filter(|_| !cut), Found::Misfit);
    }
    if let Some(rest) = text.strip_prefix("client=") {
        return put(client_line(rest, cut), Found::Misfit);
    }
    if let Some(rest) = text.strip_prefix("uid=") {
        return put(pickup_line(rest).filter(|_| !cut), Found::Misfit);
    }
    if text.starts_with("status=") {
        let delivery = delivery::status_line(text, cut);
        return put(delivery.map(Event::Delivery), Found::Misfit);
    }
    let event = message_id(text, cut)
        .or_else(|| fixed(text, daemon))
        .or_else(|| action::line(text, cut, daemon))
        .or_else(|| notification(text))
        .or_else(|| soft_failure(text, cut));
    put(event, Found::Nothing)
}

/// True for agents that talk to a server, under whatever name they run.
fn is_client(daemon: &str) -> bool {
    !matches!(
        daemon,
        "local"
            | "virtual"
            | "pipe"
            | "error"
            | "retry"
            | "discard"
            | "qmgr"
            | "bounce"
            | "cleanup"
    )
}

/// `from=<S>, size=N, nrcpt=N (queue active)` and `from=<S>, status=expired, returned to sender`.
///
/// Nothing that a stranger chooses stands behind S, so that the end of the line says where S ends.
fn from_line(text: &str) -> Option<Event<'_>> {
    let text = text.trim_end();
    let rest = text.strip_suffix(" (queue active)").unwrap_or(text);
    if let Some((rest, nrcpt)) = number_behind(rest, ", nrcpt=") {
        let (sender, size) = number_behind(rest, ">, size=")?;
        return Some(Event::Queued {
            sender,
            size,
            nrcpt: u32::try_from(nrcpt).ok()?,
        });
    }
    let rest = text.strip_suffix(", returned to sender")?;
    let (sender, status) = rest.rsplit_once(">, status=")?;
    let word = status.bytes().all(|c| c.is_ascii_alphabetic() || c == b'-');
    word.then_some(Event::Expired { sender, status })
}

/// The number at the end of a text, and what stands before its key.
fn number_behind<'a>(text: &'a str, key: &str) -> Option<(&'a str, u64)> {
    let digits = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (rest, number) = text.split_at_checked(text.len() - digits)?;
    Some((rest.strip_suffix(key)?, number.parse().ok()?))
}

/// `uid=N from=<S>[ orig_id=OLD]`: here too the end of the line decides.
fn pickup_line(text: &str) -> Option<Event<'_>> {
    let (uid, rest) = text.split_once(" from=<")?;
    let (uid, rest) = (uid.parse().ok()?, rest.trim_end());
    if let Some(sender) = rest.strip_suffix('>') {
        return Some(Event::Pickup {
            uid,
            sender,
            orig_id: None,
        });
    }
    let (sender, orig_id) = rest.rsplit_once("> orig_id=")?;
    is_id(orig_id).then_some(Event::Pickup {
        uid,
        sender,
        orig_id: Some(orig_id),
    })
}

/// `client=NAMADDR[, sasl_method=M][, sasl_username=U][, sasl_sender=X][, orig_queue_id=Q][, orig_client=NAMADDR]`.
///
/// U may hold anything. If what follows a comma in it reads like the members behind it, nobody can tell the two apart:
/// U and those members are left out, and the queue file must be asked.
fn client_line(text: &str, cut: bool) -> Option<Event<'_>> {
    let (client, mut rest) = peer::client(text).or_else(|| peer::name(text))?;
    let mut sasl = Sasl::default();
    if !rest.is_empty() && !rest.starts_with(", ") {
        return None;
    }
    if let Some(after) = rest.strip_prefix(", sasl_method=") {
        let end = memchr::memchr(b',', after.as_bytes()).unwrap_or(after.len());
        let (method, after) = after.split_at_checked(end)?;
        sasl.method = Some(method);
        rest = after;
    }
    let event = |sasl, (orig_queue_id, orig_client)| {
        Some(Event::Client {
            client,
            sasl,
            orig_queue_id,
            orig_client,
        })
    };
    if let Some(login) = rest.strip_prefix(", sasl_username=") {
        let doubtful = memchr::memchr_iter(b',', login.as_bytes())
            .filter_map(|at| login.get(at..))
            .any(|rest| tail(rest).is_some());
        sasl.username = Some(login).filter(|_| !doubtful && !cut);
        return event(sasl, (None, None));
    }
    let (sender, queue_id, client) = tail(rest).filter(|_| !cut).unwrap_or_default();
    sasl.sender = sender;
    event(sasl, (queue_id, client))
}

type Forwarded<'a> = (
    Option<&'a str>,
    Option<&'a str>,
    Option<crate::postfix::record::Client<'a>>,
);

/// The members behind the login, if the text is nothing else.
fn tail(mut rest: &str) -> Option<Forwarded<'_>> {
    let (mut sender, mut queue_id) = (None, None);
    if let Some(after) = rest.strip_prefix(", sasl_sender=") {
        let end = after
            .find(' ')
            .map_or(after.len(), |blank| blank.saturating_sub(1));
        let (value, after) = after.split_at_checked(end)?;
        sender = Some(value);
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(", orig_queue_id=") {
        let end = memchr::memchr(b',', after.as_bytes()).unwrap_or(after.len());
        let (value, after) = after.split_at_checked(end)?;
        queue_id = Some(value).filter(|id| !id.contains(' '));
        queue_id?;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(", orig_client=") {
        let (client, after) = peer::client(after)?;
        return after.is_empty().then_some((sender, queue_id, Some(client)));
    }
    (rest.is_empty() && (sender.is_some() || queue_id.is_some()))
        .then_some((sender, queue_id, None))
}

/// `message-id=TEXT`, `resent-message-id=TEXT`: TEXT is free.
fn message_id(text: &str, cut: bool) -> Option<Event<'_>> {
    let id = text
        .strip_prefix("message-id=")
        .or_else(|| text.strip_prefix("resent-message-id="))?;
    let inside = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
    Some(Event::MessageId {
        message_id: Some(inside.unwrap_or(id)).filter(|_| !cut),
    })
}

/// Lines that are one fixed text.
fn fixed<'a>(text: &'a str, daemon: &str) -> Option<Event<'a>> {
    Some(match text.trim_end() {
        "removed" if daemon == "postsuper" => Event::Delete,
        "removed" => Event::Removed { action: None },
        "removed (canceled)" => Event::Removed {
            action: Some("canceled"),
        },
        "removed (discarded)" => Event::Removed {
            action: Some("discarded"),
        },
        "placed on hold" => Event::Hold(Action::default()),
        "released from hold" => Event::Release,
        "requeued" => Event::Requeue,
        _ => return None,
    })
}

/// `sender non-delivery notification: NEWQID`.
fn notification(text: &str) -> Option<Event<'_>> {
    let (action, notification_id) = text.trim_end().rsplit_once(": ")?;
    let plain = |c: u8| c.is_ascii_lowercase() || matches!(c, b' ' | b'-');
    (action.ends_with("notification") && action.bytes().all(plain) && is_id(notification_id))
        .then_some(Event::Notification {
            action,
            notification_id,
        })
}

/// What smtp says about a host that is not the last to be tried: an answer, or a conversation that broke off.
fn soft_failure(text: &str, cut: bool) -> Option<Event<'_>> {
    let words = reply::unwrap(text, cut);
    if words.said_by.is_some() {
        return Some(Event::SoftFailure {
            said_by: words.said_by,
            reply: words.reply,
            stage: words.stage,
            text,
        });
    }
    let rest = ["lost connection with ", "conversation with "]
        .iter()
        .find_map(|start| text.strip_prefix(start));
    let Some(rest) = rest else {
        return text
            .starts_with("Cannot start TLS: ")
            .then_some(Event::ConnectFailure { relay: None, text });
    };
    let (said_by, relay, rest) = peer::host(rest)?;
    let (_, doing) = rest.split_once(" while ")?;
    if doing == "receiving the initial server greeting" {
        let relay = Some(relay);
        return Some(Event::ConnectFailure { relay, text });
    }
    Some(Event::SoftFailure {
        said_by: Some(said_by),
        reply: None,
        stage: None,
        text,
    })
}
