//! Lines about no message: sessions, connections, failed logins, master.

use crate::postfix::{
    log_line::LogLine,
    log_record::{action, peer},
    record::{Event, Relay, Sasl},
};

/// Reads a line of plain information. `text` is what follows the queue ID or NOQUEUE, if there is one.
pub(super) fn line<'a>(line: &LogLine<'a>, text: &'a str) -> Option<Event<'a>> {
    match text.as_bytes().first()? {
        b'c' => connect(text),
        b'd' => disconnect(text).or_else(|| master(text)),
        b'l' | b't' => lost(text),
        b'S' => tls_failure(text),
        b'r' if text.starts_with("reload") => master(text),
        // A proxy's verdict has no queue ID; Postfix before 2.0 had no NOQUEUE.
        b'r' | b'w' | b'h' | b'p' => action::line(text, line.cut, line.tag.daemon),
        _ => None,
    }
}

fn connect(text: &str) -> Option<Event<'_>> {
    if let Some(rest) = text.strip_prefix("connect from ") {
        let (client, rest) = peer::client(rest)?;
        return rest.is_empty().then_some(Event::Connect(client));
    }
    let rest = text.strip_prefix("connect to ")?;
    let relay = peer::host(rest).map(|(_, relay, rest)| (relay, rest));
    // Until Postfix 2.4 the port stood at the end: `(port 25)`.
    let relay = relay.map(|(relay, rest)| {
        let port = rest
            .strip_suffix(')')
            .and_then(|rest| rest.rsplit_once(" (port "))
            .and_then(|(_, port)| port.parse().ok());
        Relay {
            port: relay.port.or(port),
            ..relay
        }
    });
    Some(Event::ConnectFailure { relay, text })
}

fn disconnect(text: &str) -> Option<Event<'_>> {
    let (client, rest) = peer::client(text.strip_prefix("disconnect from ")?)?;
    let text = if rest.is_empty() {
        ""
    } else {
        rest.strip_prefix(' ')?
    };
    Some(Event::Disconnect { client, text })
}

/// `lost connection after DATA (14 bytes) from NAMADDR`, `timeout after ...`, `too many errors after ...`.
fn lost(text: &str) -> Option<Event<'_>> {
    let rest = [
        "lost connection after ",
        "timeout after ",
        "too many errors after ",
    ]
    .iter()
    .find_map(|start| text.strip_prefix(start))?;
    let (stage, peer) = rest.split_once(" from ")?;
    let stage = stage.split_once(" (").map_or(stage, |(stage, _)| stage);
    let (client, _) = peer::client(peer)?;
    Some(Event::Lost {
        client: Some(client),
        stage: Some(stage),
        text,
    })
}

fn tls_failure(text: &str) -> Option<Event<'_>> {
    let rest = text.strip_prefix("SSL_connect error to ")?;
    let relay = peer::host(rest).map(|(_, relay, _)| relay);
    Some(Event::ConnectFailure { relay, text })
}

fn master(text: &str) -> Option<Event<'_>> {
    let rest = text
        .strip_prefix("daemon started")
        .or_else(|| text.strip_prefix("reload"))?;
    let version = rest.strip_prefix(" -- version ").map(|rest| {
        let end = rest.find([',', ' ']).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(rest)
    });
    (version.is_some() || rest.is_empty() || rest.starts_with(" configuration"))
        .then_some(Event::Reload { version, text })
}

/// Reads a line with a severity: a login that failed.
pub(super) fn warning<'a>(line: &LogLine<'a>) -> Option<Event<'a>> {
    let text = line.text;
    // smtp and lmtp say nearly the same about our own logins elsewhere.
    if line.severity != "warning" || matches!(line.tag.daemon, "smtp" | "lmtp") {
        return None;
    }
    if line.tag.daemon == "smtpd" && text.starts_with("SASL authentication failure") {
        return Some(Event::SaslFailure {
            client: None,
            sasl: Sasl::default(),
            text,
        });
    }
    let (client, rest) = peer::client(text)?;
    let (method, rest) = rest.strip_prefix(": SASL ")?.split_once(' ')?;
    let reason = rest
        .strip_prefix("authentication failed")
        .or_else(|| rest.strip_prefix("authentication aborted").map(|_| rest))?;
    let reason = reason.strip_prefix(": ").unwrap_or(reason);
    // The name that was tried is free text, the reason before it may come from anywhere.
    const NAME: &str = ", sasl_username=";
    let (reason, username) = match reason.split_once(NAME) {
        Some((reason, name)) if !name.contains(NAME) && !line.cut => (reason, Some(name)),
        Some((reason, _)) => (reason, None),
        None => (reason, None),
    };
    Some(Event::SaslFailure {
        client: Some(client),
        sasl: Sasl {
            method: Some(method),
            username: username.filter(|name| *name != "(unavailable)"),
            sender: None,
        },
        text: reason,
    })
}
