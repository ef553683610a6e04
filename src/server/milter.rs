//! The milter of the inbound side: refuses, at the end of a message, content that an incident has published.
//!
//! Judged is mail of strangers only: who has logged in (`{auth_authen}`) is the engine's business, by sender. A message is
//! let through unseen when nothing is published, unjudged when it is larger than [`MESSAGE_LIMIT`] or there is no memory
//! for it (the digest of a part is not the digest of a message), and whenever something goes wrong: never a "try again later"
//! of our own. With `default_action=accept` Postfix does the same when this server is down.
//!
//! | state | `message` | `judging` |
//! |---|---|---|
//! | between messages | empty | false |
//! | within a message that will be judged | headers, then body | true |
//! | within a message that will not | empty | false |

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    server::{
        Digester, Event, SharedView,
        stream::{Session, Step},
    },
    wire::{
        Decoded,
        milter::{Command, Options, Reply, VERSION, skip},
    },
};

/// One connection: as many SMTP clients and messages as the mail server likes.
pub(super) struct Conversation {
    view: SharedView,
    digester: Digester,
    message: Message,
    judging: bool,
    has_login: bool,
    queue_id: String,
    /// What was left out at the negotiation.
    skipped: u32,
}

impl Conversation {
    pub(super) fn new(view: SharedView, digester: Digester, budget: Budget) -> Self {
        Self {
            view,
            digester,
            message: Message::new(budget),
            judging: false,
            has_login: false,
            queue_id: String::new(),
            skipped: 0,
        }
    }

    /// The answer to one packet, and what to count.
    fn answer(&mut self, command: &Command<'_>) -> (Option<Reply>, Event) {
        let reply = match command {
            Command::Negotiate(offer) => Some(Reply::Negotiate(self.negotiate(*offer))),
            Command::Macros { step, pairs } => {
                self.note(*step, pairs);
                None
            }
            Command::Mail(_) => Some(self.begin()),
            Command::Header { name, value } => {
                if self.judging {
                    self.add_header(name, value);
                }
                self.unless(skip::HEADER_ANSWER)
            }
            Command::Body(piece) => {
                if self.judging {
                    self.message.add(piece);
                }
                self.unless(skip::BODY_ANSWER)
            }
            Command::EndOfMessage(piece) => return self.judge(piece),
            Command::Abort | Command::NextClient => {
                self.forget();
                None
            }
            Command::Quit => None,
            Command::Connect(_)
            | Command::Helo(_)
            | Command::Rcpt(_)
            | Command::Data
            | Command::EndOfHeaders
            | Command::Unknown(_) => Some(Reply::Continue),
        };
        (reply, Event::Passed)
    }

    /// Takes of the offer what is not needed here.
    fn negotiate(&mut self, offer: Options) -> Options {
        self.skipped = offer.protocol & UNNEEDED;
        Options {
            version: offer.version.min(VERSION),
            actions: 0,
            protocol: self.skipped,
        }
    }

    fn note(&mut self, step: u8, pairs: &[(&[u8], &[u8])]) {
        let value = |name: &[u8]| {
            pairs
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, value)| *value)
        };
        if step == b'M' {
            self.has_login = value(b"{auth_authen}").is_some_and(|login| !login.is_empty());
        }
        if let Some(id) = value(b"i") {
            self.queue_id = String::from_utf8_lossy(id).chars().take(64).collect();
        }
    }

    /// A message begins. If it will not be judged the mail server is spared the rest of it.
    fn begin(&mut self) -> Reply {
        let has_login = self.has_login;
        self.forget();
        self.judging = !has_login && !self.view.load().digests.is_empty();
        if self.judging {
            Reply::Continue
        } else {
            Reply::Accept
        }
    }

    /// Puts a header back into the form in which it came.
    fn add_header(&mut self, name: &[u8], value: &[u8]) {
        let blank: &[u8] = if self.skipped & skip::LEADING_SPACE == 0 {
            b" "
        } else {
            b""
        };
        self.message.add_line(&[name, b":", blank, value, b"\n"]);
    }

    fn judge(&mut self, last_piece: &[u8]) -> (Option<Reply>, Event) {
        if !self.judging {
            self.forget();
            return (Some(Reply::Continue), Event::Passed);
        }
        self.message.add(last_piece);
        let Some(message) = self.message.finish() else {
            tracing::info!(queue_id = self.queue_id, "message too large to be judged");
            self.forget();
            return (Some(Reply::Continue), Event::Oversized);
        };
        let digests = (self.digester)(&message);
        let incident = self
            .view
            .load()
            .content(&digests)
            .map(|publication| publication.incident);
        let queue_id = std::mem::take(&mut self.queue_id);
        self.forget();
        match incident {
            Some(incident) => {
                tracing::info!(queue_id, incident, "published content refused");
                let reply = format!("550 5.7.1 content refused, incident {incident}");
                (Some(Reply::Refuse(reply)), Event::Hit)
            }
            None => (Some(Reply::Continue), Event::Clear),
        }
    }

    fn forget(&mut self) {
        self.message.clear();
        self.judging = false;
        self.has_login = false;
        self.queue_id.clear();
    }

    /// An answer, unless it was agreed that there is none.
    fn unless(&self, agreed: u32) -> Option<Reply> {
        (self.skipped & agreed == 0).then_some(Reply::Continue)
    }
}

impl Session for Conversation {
    fn step(&mut self, input: &[u8]) -> Step {
        match Command::decode(input) {
            Ok(Decoded::Needs(_)) => Step::Needs,
            Ok(Decoded::Whole {
                value: Command::Quit,
                ..
            }) => Step::Close {
                reply: Vec::new(),
                event: Event::Passed,
            },
            Ok(Decoded::Whole { value, used }) => {
                let (reply, event) = self.answer(&value);
                Step::Took {
                    used,
                    reply: reply.map(|reply| reply.encode()).unwrap_or_default(),
                    event,
                }
            }
            Err(_malformed) => Step::Close {
                reply: Vec::new(),
                event: Event::Malformed,
            },
        }
    }

    fn is_heavy(&self) -> bool {
        self.message.bytes.len() > HEAVY
    }
}

/// Memory that all conversations share.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    taken: Arc<AtomicUsize>,
    limit: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            taken: Arc::new(AtomicUsize::new(0)),
            limit,
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let before = self.taken.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.limit;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The message as far as it has come, within its limit and the budget.
#[derive(Debug)]
struct Message {
    bytes: Vec<u8>,
    /// Where the body begins in `bytes`; none yet within the headers.
    body: Option<usize>,
    is_over: bool,
    budget: Budget,
}

impl Message {
    fn new(budget: Budget) -> Self {
        Self {
            bytes: Vec::new(),
            body: None,
            is_over: false,
            budget,
        }
    }

    /// Adds to the headers.
    fn add_line(&mut self, parts: &[&[u8]]) {
        let length = parts.iter().map(|part| part.len()).sum();
        if self.fits(length) {
            self.bytes.extend(parts.iter().copied().flatten());
        }
    }

    /// Adds to the body.
    fn add(&mut self, piece: &[u8]) {
        if self.body.is_none() && self.fits(1) {
            self.bytes.push(b'\n');
            self.body = Some(self.bytes.len());
        }
        if self.fits(piece.len()) {
            self.bytes.extend_from_slice(piece);
        }
    }

    /// The whole message with LF at the ends of lines, unless it did not fit.
    fn finish(&mut self) -> Option<Vec<u8>> {
        if self.is_over {
            return None;
        }
        let mut message = std::mem::take(&mut self.bytes);
        self.budget.give_back(message.len());
        let body = message.split_off(self.body.unwrap_or(message.len()).min(message.len()));
        let mut pieces = body.iter().copied().peekable();
        while let Some(byte) = pieces.next() {
            if byte != b'\r' || pieces.peek() != Some(&b'\n') {
                message.push(byte);
            }
        }
        Some(message)
    }

    fn clear(&mut self) {
        self.budget.give_back(self.bytes.len());
        // The memory goes, not only the content: a connection may live for an hour.
        self.bytes = Vec::new();
        self.body = None;
        self.is_over = false;
    }

    /// Takes so many bytes from the limits, or gives the message up.
    fn fits(&mut self, length: usize) -> bool {
        if !self.is_over && (self.bytes.len() + length > MESSAGE_LIMIT || !self.budget.take(length))
        {
            self.clear();
            self.is_over = true;
        }
        !self.is_over
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The largest message that is judged, bytes.
const MESSAGE_LIMIT: usize = 10 * 1024 * 1024;
/// From this size on digests are computed off the event loop: about a millisecond.
const HEAVY: usize = 16 * 1024;
/// Steps and answers that are not needed.
const UNNEEDED: u32 = skip::CONNECT
    | skip::HELO
    | skip::RCPT
    | skip::DATA
    | skip::UNKNOWN
    | skip::END_OF_HEADERS
    | skip::HEADER_ANSWER
    | skip::BODY_ANSWER
    | skip::LEADING_SPACE;

#[cfg(test)]
mod tests;
