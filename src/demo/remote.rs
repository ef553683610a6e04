//! Remote mail servers with tempers, each on its own loopback address, each writing down what it did.
//!
//! A temper is data ([`Temper`]), so that a scenario is a list of them. The replies are worded by us after the manner of
//! what large and small sites answer; they name no site.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    daemon::clock,
    demo::{
        Error,
        smtp::{Answer, Envelope, Listener, Step, session},
        witness::{IDENTITY, MESSAGE, Outcome, Seen, Witness, header},
    },
    time::Timestamp,
};

/// How a remote side treats mail. All but [`Temper::Accept`], [`Temper::Keep`] and [`Temper::Refuse`] know their users:
/// recipients whose local part begins with `no-such` are unknown there (`550 5.1.1`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Temper {
    /// Takes everything.
    Accept,
    /// Takes everything and keeps it whole.
    Keep,
    /// Takes everything for users whom it knows.
    UnknownUsers,
    /// Refuses content (`550 5.7.1`) once it has seen `after` copies of it. Mail is the same if it links to the same host.
    ContentFilter {
        /// Copies that pass.
        after: usize,
    },
    /// Takes `burst` messages at once and `per_second` in the long run from one envelope sender, else `421 4.7.0`.
    Throttle {
        /// Messages at once.
        burst: f64,
        /// Messages a second in the long run.
        per_second: f64,
    },
    /// Defers (`450 4.2.0`) what it does not know: sender and recipient must come back after `delay`.
    Greylist {
        /// How long they must wait.
        delay: Duration,
    },
    /// Closes the connection without a word at the first sight of each sender and recipient.
    Drop,
    /// Refuses everything with this reply: an outage, a blocklist, a directory that is down.
    Refuse {
        /// The reply; a 421 also closes the connection.
        reply: String,
    },
}

/// A running remote side.
#[derive(Debug)]
pub struct Remote {
    listener: Listener,
    temper: Arc<Mutex<Temper>>,
}

impl Remote {
    /// Starts a remote side on a free port of `address` (in 127.0.0.0/8).
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot listen there.
    pub fn start(
        place: &str,
        address: Ipv4Addr,
        temper: Temper,
        witness: Witness,
    ) -> Result<Self, Error> {
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(address), 0))
            .map_err(Error::io(format!("listening on {address}")))?;
        let temper = Arc::new(Mutex::new(temper));
        let side = Arc::new(Side {
            place: place.into(),
            host: format!("mx.{place}"),
            temper: Arc::clone(&temper),
            memory: Mutex::default(),
            witness,
        });
        let serve =
            move |stream| drop(session(&stream, &side.host, &mut |step| side.decide(&step)));
        let listener = Listener::spawn(listener, serve)?;
        Ok(Self { listener, temper })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Changes its temper from now on: an outage begins, or ends.
    pub fn set(&self, temper: Temper) {
        *self.temper.lock().unwrap_or_else(PoisonError::into_inner) = temper;
    }
}

struct Side {
    place: Arc<str>,
    host: String,
    temper: Arc<Mutex<Temper>>,
    memory: Mutex<Memory>,
    witness: Witness,
}

#[derive(Default)]
struct Memory {
    /// Copies seen, by the host that they link to.
    copies: HashMap<String, usize>,
    /// First sight of sender and recipient.
    pairs: HashMap<(String, String), Timestamp>,
    /// Tokens left and when that was, by sender.
    tokens: HashMap<String, (f64, Timestamp)>,
}

impl Side {
    fn decide(&self, step: &Step<'_>) -> Answer {
        let now = clock::now();
        let temper = self.temper().clone();
        match step {
            Step::Connect => Answer::Yes,
            Step::Recipient(envelope, recipient) => {
                let answer = self.judge_recipient(&temper, now, envelope, recipient);
                if answer != Answer::Yes {
                    self.note(now, &answer, envelope, recipient, None);
                }
                answer
            }
            Step::Content(envelope, content) => {
                let answer = self.judge_content(&temper, content);
                for recipient in &envelope.recipients {
                    self.note(now, &answer, envelope, recipient, Some(content));
                }
                answer
            }
        }
    }

    fn temper(&self) -> std::sync::MutexGuard<'_, Temper> {
        self.temper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge_recipient(
        &self,
        temper: &Temper,
        now: Timestamp,
        envelope: &Envelope,
        recipient: &str,
    ) -> Answer {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        match temper {
            temper if temper.knows_its_users() && recipient.starts_with("no-such") => {
                Answer::Reply(format!(
                    "550 5.1.1 <{recipient}>: Recipient address rejected: no such user here"
                ))
            }
            Temper::Throttle { burst, per_second } => {
                let bucket = memory.tokens.entry(envelope.sender.clone());
                let (tokens, at) = bucket.or_insert((*burst, now));
                *tokens = now
                    .seconds_since(*at)
                    .mul_add(*per_second, *tokens)
                    .min(*burst);
                *at = now;
                if *tokens >= 1.0 {
                    *tokens -= 1.0;
                    return Answer::Yes;
                }
                let reply = "421 4.7.0 Too many messages from this sender, try again later";
                Answer::Close(reply.to_owned())
            }
            Temper::Greylist { delay } => {
                let pair = (envelope.sender.clone(), recipient.to_owned());
                let first = *memory.pairs.entry(pair).or_insert(now);
                if now.since(first) >= *delay {
                    return Answer::Yes;
                }
                let seconds = delay.as_secs();
                Answer::Reply(format!(
                    "450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted, come back in {seconds} seconds"
                ))
            }
            Temper::Drop => {
                let pair = (envelope.sender.clone(), recipient.to_owned());
                let known = memory.pairs.insert(pair, now).is_some();
                if known { Answer::Yes } else { Answer::HangUp }
            }
            Temper::Refuse { reply } if reply.starts_with("421") => Answer::Close(reply.clone()),
            Temper::Refuse { reply } => Answer::Reply(reply.clone()),
            Temper::Accept | Temper::Keep | Temper::UnknownUsers | Temper::ContentFilter { .. } => {
                Answer::Yes
            }
        }
    }

    fn judge_content(&self, temper: &Temper, content: &[u8]) -> Answer {
        let Temper::ContentFilter { after } = temper else {
            return Answer::Yes;
        };
        let Some(host) = linked_host(content) else {
            return Answer::Yes;
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let copies = memory.copies.entry(host).or_insert(0);
        *copies += 1;
        if *copies <= *after {
            return Answer::Yes;
        }
        let reply =
            "550 5.7.1 This message was refused because its content looks like spam or phishing";
        Answer::Reply(reply.to_owned())
    }

    fn note(
        &self,
        at: Timestamp,
        answer: &Answer,
        envelope: &Envelope,
        recipient: &str,
        content: Option<&[u8]>,
    ) {
        let (outcome, reply) = match answer {
            Answer::Yes => (Outcome::Accepted, ""),
            Answer::HangUp => (Outcome::Dropped, ""),
            Answer::Reply(reply) | Answer::Close(reply) if reply.starts_with('5') => {
                (Outcome::Rejected, reply.as_str())
            }
            Answer::Reply(reply) | Answer::Close(reply) => (Outcome::Deferred, reply.as_str()),
        };
        let keep = matches!(*self.temper(), Temper::Keep);
        self.witness.note(Seen {
            at,
            place: Arc::clone(&self.place),
            outcome,
            reply: reply.to_owned(),
            sender: envelope.sender.clone(),
            recipient: recipient.to_owned(),
            identity: content.and_then(|content| header(content, IDENTITY)),
            message: content.and_then(|content| header(content, MESSAGE)),
            content: content.filter(|_| keep).map(Arc::from),
        });
    }
}

/// The host of the first link in a message: what this filter tells campaigns apart by.
fn linked_host(content: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    let (_, link) = text.split_once("https://")?;
    let host: String = link
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
        .collect();
    Some(host.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(temper: Temper) -> Side {
        Side {
            place: "isp-a.example".into(),
            host: "mx.isp-a.example".to_owned(),
            temper: Arc::new(Mutex::new(temper)),
            memory: Mutex::default(),
            witness: Witness::new(),
        }
    }

    fn envelope() -> Envelope {
        Envelope {
            sender: "anna@example.org".to_owned(),
            recipients: vec!["r@isp-a.example".to_owned()],
        }
    }

    #[test]
    fn a_filter_refuses_further_copies_and_nothing_else() {
        let side = side(Temper::ContentFilter { after: 2 });
        let mut answers = Vec::new();
        for text in [
            "https://bad.example/1",
            "https://bad.example/2",
            "https://BAD.example/3",
            "hello",
        ] {
            let content = format!("Subject: x\r\n\r\n{text}\r\n");
            answers
                .push(side.decide(&Step::Content(&envelope(), content.as_bytes())) == Answer::Yes);
        }
        assert_eq!(answers, [true, true, false, true]);
        assert_eq!(
            side.witness.count(|seen| seen.outcome == Outcome::Rejected),
            1
        );
    }

    #[test]
    fn a_throttle_counts_each_sender_for_himself() {
        let temper = Temper::Throttle {
            burst: 2.0,
            per_second: 1.0,
        };
        let side = side(Temper::Accept);
        let t = |seconds: i64| Timestamp::from_seconds(1000 + seconds);
        let ask = |now, sender: &str| {
            let envelope = Envelope {
                sender: sender.to_owned(),
                recipients: Vec::new(),
            };
            side.judge_recipient(&temper, now, &envelope, "r@isp-a.example") == Answer::Yes
        };
        assert_eq!(
            [ask(t(0), "a"), ask(t(0), "a"), ask(t(0), "a")],
            [true, true, false]
        );
        assert!(ask(t(0), "b") && ask(t(1), "a") && !ask(t(1), "a"));
    }

    #[test]
    fn a_greylist_takes_a_pair_that_comes_back() {
        let temper = Temper::Greylist {
            delay: Duration::from_secs(3),
        };
        let side = side(Temper::Accept);
        let ask = |seconds: i64| {
            let now = Timestamp::from_seconds(1000 + seconds);
            side.judge_recipient(&temper, now, &envelope(), "r@isp-a.example") == Answer::Yes
        };
        assert_eq!([ask(0), ask(1), ask(3)], [false, false, true]);
    }
}
