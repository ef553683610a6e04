//! The first half of the engine: records become facts about senders, classified, and stripped to what is judged.
//!
//! A clerk knows nothing of policies and verdicts, so that old logs may be read on one core and judged on another, or
//! by several engines: what a clerk tells goes, in its order, to [`Input::Told`](super::Input::Told) of an engine, at
//! once or by way of a [`Batch`](super::Batch). An engine that is fed records has a clerk of its own and does the same.

use std::sync::Arc;

use crate::{
    classify::{Classifier, Question},
    correlate::{self, Attempt, Correlator, Fact, MessageKey, Party},
    engine::turnstile::SLOWED,
    ledger::{AddressHash, Answer},
    postfix::record::{Record, Status},
    time::Timestamp,
};

/// One fact, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told<'a> {
    /// Mail came in.
    Submission {
        /// The message.
        message: MessageKey,
        /// Its queue ID now.
        queue_id: &'a str,
        /// Event time.
        at: Timestamp,
        /// Who brought it in.
        party: Party<'a>,
        /// Recipients.
        recipients: u32,
        /// Size in bytes.
        size: u64,
    },
    /// A mail that was told before goes on as another message of the house.
    Hop {
        /// The message.
        message: MessageKey,
        /// Its queue ID now.
        queue_id: &'a str,
        /// The message that it was before.
        from: MessageKey,
        /// Event time.
        at: Timestamp,
        /// Recipients.
        recipients: u32,
    },
    /// A remote side answered for one recipient.
    Answer {
        /// What it said.
        answer: Answer<'a>,
        /// The log line; empty where it accepted.
        line: &'a [u8],
    },
    /// A message left the queue.
    End {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// A recipient has its final answer from our own side.
    Settled {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// A message is on hold no longer.
    Released {
        /// The message.
        message: MessageKey,
        /// Event time.
        at: Timestamp,
    },
    /// Intake put off mail of a slowed sender, in our own words.
    PutOff {
        /// Event time.
        at: Timestamp,
        /// Who tried to bring it in.
        party: Party<'a>,
    },
    /// A message was put on hold.
    Held {
        /// The message.
        message: MessageKey,
        /// Its queue ID now.
        queue_id: &'a str,
        /// Event time.
        at: Timestamp,
    },
}

/// See the module's head.
#[derive(Debug)]
pub struct Clerk {
    pub(super) correlator: Correlator,
    pub(super) classifier: Arc<Classifier>,
    hash: AddressHash,
}

/// Where facts go.
pub(super) type Out<'o> = &'o mut dyn FnMut(Told<'_>);

impl Clerk {
    pub(super) fn new(correlator: Correlator, classifier: Classifier, key: &[u8; 32]) -> Self {
        Self {
            correlator,
            classifier: Arc::new(classifier),
            hash: AddressHash::new(key),
        }
    }

    /// A clerk of the same kind that has seen nothing.
    pub(super) fn another(&self) -> Self {
        Self {
            correlator: self.correlator.another(),
            classifier: Arc::clone(&self.classifier),
            hash: self.hash,
        }
    }

    /// Takes the next record and its line; tells what follows.
    pub fn record(&mut self, record: &Record<'_>, line: &[u8], out: &mut dyn FnMut(Told<'_>)) {
        let queue_id = record.queue_id.unwrap_or_default();
        let (correlator, teller) = self.teller(queue_id, line);
        correlator.feed(record, &mut |fact| teller.tell(&fact, out));
    }

    /// The log has reached `now`: what waited for its origin's line is told.
    pub fn tick(&mut self, now: Timestamp, out: &mut dyn FnMut(Told<'_>)) {
        let (correlator, teller) = self.teller("", b"");
        correlator.tick(now, &mut |fact| teller.tell(&fact, out));
    }

    pub(super) fn adopt(&mut self, found: correlate::Found<'_>, out: Out<'_>) {
        let (correlator, teller) = self.teller(found.queue_id, b"");
        correlator.adopt(found, &mut |fact| teller.tell(&fact, out));
    }

    fn teller<'c>(
        &'c mut self,
        queue_id: &'c str,
        line: &'c [u8],
    ) -> (&'c mut Correlator, Teller<'c>) {
        let teller = Teller {
            classifier: &self.classifier,
            hash: self.hash,
            queue_id,
            line,
        };
        (&mut self.correlator, teller)
    }
}

/// What a clerk needs to tell the facts of one record.
#[derive(Clone, Copy)]
struct Teller<'c> {
    classifier: &'c Classifier,
    hash: AddressHash,
    /// The queue ID of the record.
    queue_id: &'c str,
    line: &'c [u8],
}

impl Teller<'_> {
    fn tell(&self, fact: &Fact<'_>, out: Out<'_>) {
        match *fact {
            Fact::Submission {
                message,
                queue_id,
                at,
                origin,
                recipients,
                size,
            } => out(Told::Submission {
                message,
                queue_id,
                at,
                party: origin.into(),
                recipients,
                size,
            }),
            Fact::Hop {
                message,
                queue_id,
                from,
                at,
                recipients,
            } => out(Told::Hop {
                message,
                queue_id,
                from,
                at,
                recipients,
            }),
            Fact::Attempt(ref attempt) if attempt.remote => self.answer(attempt, out),
            Fact::End { message, at } => out(Told::End { message, at }),
            Fact::Held { message, at } => out(Told::Held {
                message,
                queue_id: self.queue_id,
                at,
            }),
            Fact::Refused { at, origin, text } if is_ours(text) => out(Told::PutOff {
                at,
                party: origin.into(),
            }),
            Fact::Attempt(ref attempt)
                if matches!(attempt.status, Status::Sent | Status::Bounced) =>
            {
                out(Told::Settled {
                    message: attempt.message,
                    at: attempt.at,
                });
            }
            Fact::Released { message, at } => out(Told::Released { message, at }),
            Fact::Attempt(_) | Fact::Refused { .. } => {}
        }
    }

    fn answer(&self, attempt: &Attempt<'_>, out: Out<'_>) {
        let accepted = matches!(attempt.status, Status::Sent | Status::Deliverable);
        let question = Question {
            dsn: attempt.dsn,
            reply: attempt.reply,
            text: attempt.text,
            stage: attempt.stage,
            relay: attempt.relay.map(|relay| relay.host),
            cut: false,
        };
        out(Told::Answer {
            answer: Answer {
                message: attempt.message,
                at: attempt.at,
                recipient: self.hash.of(attempt.recipient),
                host: &Answer::host_of(attempt),
                status: attempt.status,
                class: (!accepted).then(|| self.classifier.classify(&question).class),
            },
            line: if accepted { b"" } else { self.line },
        });
    }
}

/// True for what smtpd said in the words that the policy service gave it (`450 4.7.1 <DATA>: Data command rejected: ...`).
fn is_ours(text: &str) -> bool {
    text.split_once(" rejected: ")
        .is_some_and(|(_, reason)| reason.starts_with(SLOWED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        classify::Classifier,
        engine::{Batch, Engine, Input, Setup, docket::Brake, effect::VerdictChange},
        ledger,
        policy::{Mode, Policies},
        postfix::log_record::{Reader, Reading},
        time::Zone,
    };

    fn engine() -> Engine {
        Engine::new(Setup {
            mode: Mode::Enforce,
            policies: Policies::shipped(),
            classifier: Classifier::shipped().unwrap(),
            ledger: ledger::Setup::default(),
            correlate: correlate::Limits::default(),
            brake: Brake::default(),
        })
    }

    /// Two days of twenty users; on the second day two of them are taken over, one after the other, and one writes to a
    /// server that is down.
    fn log() -> Vec<String> {
        let mut log = Vec::new();
        let mut serial = 0_u64;
        let mut mail = |log: &mut Vec<String>,
                        seconds: u64,
                        user: u64,
                        client: &str,
                        said: &str| {
            serial += 1;
            let at = Timestamp::from_seconds(1_790_000_000 + seconds.cast_signed());
            let id = format!(
                "{:05X}{:X}",
                serial * 7919 % 0xF_FFFF,
                0x20000 + serial % 50
            );
            let login = format!("User{user}@example.org");
            for (daemon, text) in [
                (
                    "submission/smtpd",
                    format!("client=c[{client}], sasl_method=PLAIN, sasl_username={login}"),
                ),
                (
                    "qmgr",
                    format!("from=<{login}>, size=900, nrcpt=1 (queue active)"),
                ),
                (
                    "smtp",
                    format!(
                        "to=<r{serial}@d{}.example>, relay=mx.d{}.example[198.51.100.7]:25, delay=1, delays=0/0/0/1, {said}",
                        serial % 9,
                        serial % 9
                    ),
                ),
                ("qmgr", "removed".to_owned()),
            ] {
                log.push(format!("{at} relay1 postfix/{daemon}[77]: {id}: {text}"));
            }
        };
        let sent = "dsn=2.0.0, status=sent (250 2.0.0 Ok)";
        let unknown = "dsn=5.1.1, status=bounced (host mx.example[198.51.100.7] said: 550 5.1.1 User unknown (in reply to RCPT TO command))";
        let spam = "dsn=5.7.1, status=bounced (host mx.example[198.51.100.7] said: 550 5.7.1 Message rejected as spam (in reply to end of DATA command))";
        let later = "dsn=4.7.0, status=deferred (host mx.example[198.51.100.7] said: 450 4.7.0 Try again later (in reply to RCPT TO command))";
        for n in 0..2000_u64 {
            let seconds = n * 86;
            mail(
                &mut log,
                seconds,
                n % 20,
                "192.0.2.8",
                if n % 90 == 7 { unknown } else { sent },
            );
            for (thief, from) in [(3, 1200), (4, 1500)] {
                if (from..from + 40).contains(&n) {
                    let said = [spam, unknown, sent, later][usize::try_from(n % 4).unwrap()];
                    mail(&mut log, seconds + 3, thief, "203.0.113.9", said);
                    mail(&mut log, seconds + 4, thief, "203.0.113.9", spam);
                }
            }
        }
        log
    }

    fn verdicts(engine: &mut Engine) -> Vec<VerdictChange> {
        std::iter::from_fn(|| engine.next_effect())
            .filter_map(|effect| match effect {
                crate::engine::effect::Effect::Verdict(change) => Some(*change),
                _ => None,
            })
            .collect()
    }

    fn read(log: &[String], mut each: impl FnMut(&Record<'_>, &[u8])) {
        let mut reader = Reader::new(Zone::utc(), Timestamp::from_seconds(1_800_000_000));
        for line in log {
            if let Reading::Record(record) = reader.read(line.as_bytes()) {
                each(&record, line.as_bytes());
            }
        }
    }

    #[test]
    fn two_cores_decide_what_one_decides() {
        let log = log();
        let mut one = engine();
        read(&log, |record, line| {
            one.feed(record.at, Input::Record { record, line });
        });
        let decided = verdicts(&mut one);
        assert!(decided.iter().any(|change| change.incident.is_some()));
        for most in [1, 7, 1000] {
            let mut judge = engine();
            let mut clerk = judge.clerk();
            let mut batch = Batch::default();
            let mut hear = |batch: &mut Batch| {
                for (now, told) in batch.iter() {
                    judge.feed(now, Input::Told(&told));
                }
                batch.clear();
            };
            read(&log, |record, line| {
                clerk.record(record, line, &mut |told| batch.push(record.at, &told));
                if batch.len() >= most {
                    hear(&mut batch);
                }
            });
            hear(&mut batch);
            assert_eq!(verdicts(&mut judge), decided);
            assert_eq!(judge.attempts(), one.attempts());
            for n in 0..20 {
                let id = format!("sasl:user{n}@example.org").parse().unwrap();
                let entry = |engine: &Engine| {
                    let ledger = engine.ledger();
                    ledger.sender(ledger.find(&id).unwrap()).cloned()
                };
                assert_eq!(entry(&judge), entry(&one), "{id}");
            }
        }
    }
}
