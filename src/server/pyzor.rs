//! pyzor's server: published digests, for those who run SpamAssassin or rspamd with pyzor already.
//!
//! Anybody may ask (`ping`, `pong`, `check`, `info`); nobody may report or whitelist, since what is published here is decided
//! elsewhere. A published digest counts [`COUNT`] reports, an unknown one none. There are no accounts, so a request in the
//! name of a user is refused. Every datagram gets an answer, as from pyzord, and the answer to garbage is not longer than 200
//! bytes; still, who listens beyond loopback answers forged senders too.

use std::sync::Arc;

use tokio::net::UdpSocket;

use crate::{
    server::{
        Counters, Event, Protocol, SharedView,
        stream::{Session, Step},
    },
    wire::pyzor::{DATAGRAM_LIMIT, Message, reply},
};

/// Requests, one a datagram.
pub(super) struct Datagrams {
    view: SharedView,
}

impl Datagrams {
    pub(super) fn new(view: SharedView) -> Self {
        Self { view }
    }

    /// In pyzord's order: user, version, permission, operation.
    fn answer(&self, request: &Message) -> (Message, Event) {
        let thread = request.get("Thread").unwrap_or("");
        let refuse = |code, diag: &str| (reply(code, diag, thread), Event::Malformed);
        if request.user().is_some() {
            return refuse(401, "Unauthorized: Signature Error: Unknown user.");
        }
        match request.version() {
            Ok(2) => {}
            Ok(_other) => return refuse(505, "Version Not Supported: "),
            Err(diag) => return refuse(400, &format!("Bad request: {diag}")),
        }
        let ok = reply(200, "OK", thread);
        let digest = request.get("Op-Digest");
        let is_published = digest.is_some_and(|digest| {
            let view = self.view.load();
            view.digests.contains_key(&format!("pyzor:{digest}"))
        });
        let count = if is_published { COUNT } else { 0 };
        let event = if is_published {
            Event::Hit
        } else {
            Event::Clear
        };
        match (request.get("Op").unwrap_or(""), digest) {
            ("ping", _) | ("pong" | "check" | "info", None) => (ok, Event::Passed),
            ("pong", Some(_)) => (counts(ok, i64::MAX), Event::Passed),
            ("check", Some(_)) => (counts(ok, count), event),
            ("info", Some(_)) => {
                // When is not published: 0 is pyzor's "never".
                let times = ["Entered", "Updated", "WL-Entered", "WL-Updated"];
                let dated = times
                    .into_iter()
                    .fold(ok, |message, name| message.with(name, "0"));
                (counts(dated, count), event)
            }
            _ => (
                reply(
                    403,
                    "Forbidden: User is not authorized to request the operation.",
                    thread,
                ),
                Event::Passed,
            ),
        }
    }
}

impl Session for Datagrams {
    fn step(&mut self, input: &[u8]) -> Step {
        let (reply, event) = self.answer(&Message::decode(input));
        Step::Took {
            used: input.len(),
            reply: reply.encode(),
            event,
        }
    }
}

/// Answers datagrams for ever.
pub(super) async fn serve(
    socket: UdpSocket,
    mut session: Box<dyn Session>,
    counters: Arc<Counters>,
) {
    let mut buffer = vec![0; DATAGRAM_LIMIT];
    loop {
        // On Linux an error here is an ICMP answer to a former reply: that peer is gone.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            counters.count(Protocol::Pyzor, Event::Lost);
            continue;
        };
        if let Step::Took { reply, event, .. } =
            session.step(buffer.get(..length).unwrap_or_default())
        {
            counters.count(Protocol::Pyzor, event);
            if socket.send_to(&reply, peer).await.is_err() {
                counters.count(Protocol::Pyzor, Event::Lost);
            }
        }
    }
}

fn counts(message: Message, count: i64) -> Message {
    message
        .with("Count", count.to_string())
        .with("WL-Count", "0")
}

/// Reports that a published digest counts: above SpamAssassin's `pyzor_count_min` (5), far below the million from which on it
/// takes a digest for that of an empty message.
const COUNT: i64 = 100;
