//! Where a sender's messages are just now: by walking the spool where this process may, else by listing the queue and
//! reading heads through the holder.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    action::hands::Hands,
    correlate::{Found, Origin},
    engine::incident::Incident,
    ledger::{SenderId, network},
    postfix::{
        queue_file::{HEAD_BYTES, Head},
        queue_list::{self, Queue},
    },
    source::{
        postqueue,
        program::{ProgramError, postconf},
        spool::{self, Heads, Met, Spool},
    },
    time::Timestamp,
    wire::{
        base64,
        holder::{Request, Verb},
    },
};

/// How long a listing of the queue may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// Heads in one request to the holder.
const BATCH: usize = 500;
/// Queues outside `hold`.
pub const OUTSIDE: [Queue; 4] = [
    Queue::Maildrop,
    Queue::Incoming,
    Queue::Active,
    Queue::Deferred,
];

/// What the envelope of a queue file says of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who brought it in.
    pub origin: Origin,
    /// The first queue ID of this mail, behind a content filter that speaks XFORWARD.
    pub first: Option<Box<str>>,
    /// When.
    pub arrival: Timestamp,
    /// Recipients that were left when it was read.
    pub recipients: u32,
    /// Bytes.
    pub size: u64,
    /// Nobody was left: it was delivered while it was put on hold.
    pub husk: bool,
}

impl Envelope {
    /// What a queue file's head says, in the words of the log.
    #[must_use]
    pub fn of(head: &Head) -> Self {
        Self {
            origin: Origin::of_file(head),
            first: head
                .log_ident
                .clone()
                .filter(|_| head.sasl_username.is_none()),
            arrival: head.arrival.unwrap_or_default(),
            recipients: head.left(),
            size: head.size.unwrap_or(0),
            husk: head.is_husk(),
        }
    }

    /// The same for the correlator.
    #[must_use]
    pub fn found<'a>(&'a self, host: &'a str, queue_id: &'a str, queue: Queue) -> Found<'a> {
        Found {
            host,
            queue_id,
            arrival: self.arrival,
            origin: self.origin.clone(),
            first: self.first.as_deref(),
            recipients: self.recipients,
            size: self.size,
            held: queue == Queue::Hold,
        }
    }
}

/// Finds messages by sender.
#[derive(Debug)]
pub struct Finder {
    config_directory: PathBuf,
    spool: Option<Spool>,
    heads: Heads<Envelope>,
}

/// One message and its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its queue ID.
    pub queue_id: String,
    /// Where it is.
    pub queue: Queue,
    /// What its envelope says.
    pub envelope: Envelope,
}

impl Queued {
    /// Whether the message is the incident's: by its login, or without one by its sender (if it comes from a client that
    /// the sender uses) or its client.
    #[must_use]
    pub fn is_of(&self, incident: &Incident) -> bool {
        let origin = &self.envelope.origin;
        let sender_id = Some(&incident.sender_id);
        if origin.login.is_none() && SenderId::client(origin).as_ref() == sender_id {
            return true;
        }
        SenderId::of(origin).as_ref() == sender_id
            && (origin.login.is_some()
                || incident.machines.is_empty()
                || origin
                    .client_address
                    .is_none_or(|client| incident.machines.contains(&network::machine(client))))
    }
}

/// Takes a message that a look meets: its queue ID, where it is, and its envelope if that could be read.
pub type See<'s> = &'s mut dyn FnMut(&str, Queue, Option<&Envelope>);

impl Finder {
    /// A finder for the instance at `config_directory`; walks the spool if it may.
    #[must_use]
    pub fn new(config_directory: &Path) -> Self {
        let spool = readable_spool(config_directory);
        if spool.is_none() {
            tracing::info!(
                "the spool cannot be walked; the queue is listed with postqueue and heads come from the holder"
            );
        }
        Self {
            config_directory: config_directory.to_owned(),
            spool,
            heads: Heads::default(),
        }
    }

    /// Whether the spool is walked.
    #[must_use]
    pub const fn walks(&self) -> bool {
        self.spool.is_some()
    }

    /// Every message in `queues` with its envelope, as far as it can be read. A queue that cannot be listed is empty here.
    pub fn queued(&mut self, hands: &mut dyn Hands, queues: &[Queue]) -> Vec<Queued> {
        let mut found = Vec::new();
        let looked = self.look(hands, &mut |queue_id, queue, envelope| {
            if let Some(envelope) = envelope.filter(|_| queues.contains(&queue)) {
                found.push(Queued {
                    queue_id: queue_id.to_owned(),
                    queue,
                    envelope: envelope.clone(),
                });
            }
        });
        if let Err(error) = looked {
            tracing::warn!(%error, "the queue cannot be listed");
        }
        found
    }

    /// Looks over the whole queue; each message is shown once. Heads of new files only are read.
    ///
    /// # Errors
    /// The queue can be neither walked nor listed.
    pub fn look(&mut self, hands: &mut dyn Hands, see: See<'_>) -> Result<(), ProgramError> {
        let Self {
            config_directory,
            spool,
            heads,
        } = self;
        let Some(spool) = spool else {
            let listing = postqueue::list(config_directory, DEADLINE)?;
            listed(heads, &listing.entries, hands, see);
            return Ok(());
        };
        heads.begin();
        spool.walk(&Queue::ALL, &mut |file| {
            let read = || {
                let path = file.directory.join(file.queue_id);
                spool::head(&path).map(|head| Envelope::of(&head))
            };
            show(
                &heads.meet(file.queue_id, read),
                file.queue_id,
                file.queue,
                see,
            );
        });
        heads.end();
        Ok(())
    }
}

/// The spool of the instance at `config_directory`, if this process may walk it.
#[must_use]
pub fn readable_spool(config_directory: &Path) -> Option<Spool> {
    let directory = postconf(config_directory, &["queue_directory"])
        .ok()
        .and_then(|settings| settings.into_iter().next());
    directory
        .map(|(_, path)| Spool::new(Path::new(&path)))
        .filter(Spool::is_readable)
}

fn show(met: &Met<'_, Envelope>, queue_id: &str, queue: Queue, see: See<'_>) {
    match met {
        Met::Twice => {}
        Met::Unread => see(queue_id, queue, None),
        Met::Head(envelope) => see(queue_id, queue, Some(envelope)),
    }
}

fn listed(
    heads: &mut Heads<Envelope>,
    entries: &[queue_list::Entry],
    hands: &mut dyn Hands,
    see: See<'_>,
) {
    let unknown: Vec<String> = entries
        .iter()
        .filter(|entry| !heads.knows(&entry.queue_id))
        .map(|entry| entry.queue_id.clone().into())
        .collect();
    let mut read = read_heads(hands, &unknown);
    heads.begin();
    for entry in entries {
        let known = heads.knows(&entry.queue_id) || read.contains_key(&*entry.queue_id);
        if !known {
            // Not read, and so not met: the holder may answer next time.
            see(&entry.queue_id, entry.queue, None);
            continue;
        }
        let met = heads.meet(&entry.queue_id, || {
            let head = read.remove(&*entry.queue_id)?;
            Some(Envelope::of(&head))
        });
        show(&met, &entry.queue_id, entry.queue, see);
    }
    heads.end();
}

/// The heads of queue files, through the holder.
pub(super) fn read_heads(hands: &mut dyn Hands, queue_ids: &[String]) -> HashMap<String, Head> {
    let mut heads = HashMap::new();
    for batch in queue_ids.chunks(BATCH) {
        let limit = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
        let request = Request {
            verb: Verb::Read,
            queue_ids: batch.to_vec(),
            limit,
        };
        match hands.call(&request) {
            Ok(reply) => {
                for outcome in reply.outcomes {
                    let bytes = outcome.bytes.as_deref().and_then(base64::decode);
                    if let Some(head) = bytes.as_deref().and_then(Head::parse) {
                        heads.insert(outcome.queue_id, head);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "queue files cannot be read through the holder");
                break;
            }
        }
    }
    heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        action::hands::HandsError,
        wire::holder::{Outcome, Place, Reply},
    };

    /// A holder that may be away, and counts what it is asked for.
    #[derive(Debug, Default)]
    struct Holder {
        away: bool,
        asked: usize,
    }

    impl Hands for Holder {
        fn call(&mut self, request: &Request) -> Result<Reply, HandsError> {
            if self.away {
                return Err(HandsError::Refused("away".to_owned()));
            }
            self.asked += request.queue_ids.len();
            let file = b"T\x0a1700000000S\x12forged@example.orgA\x12sasl_username=annaR\x01xM\0";
            let outcome = |queue_id: &String| Outcome {
                queue_id: queue_id.clone(),
                place: Place::Deferred,
                bytes: Some(base64::encode(file)),
            };
            Ok(Reply {
                outcomes: request.queue_ids.iter().map(outcome).collect(),
                error: None,
            })
        }
    }

    fn look(heads: &mut Heads<Envelope>, holder: &mut Holder) -> Vec<Option<SenderId>> {
        let entry = |id: &str| {
            let line = format!(
                r#"{{"queue_name": "deferred", "queue_id": "{id}", "sender": "forged@example.org"}}"#
            );
            queue_list::Entry::parse(line.as_bytes()).unwrap()
        };
        let mut seen = Vec::new();
        let entries = [entry("AAAAAA"), entry("BBBBBB")];
        listed(heads, &entries, holder, &mut |_, _, envelope| {
            seen.push(envelope.and_then(|found| SenderId::of(&found.origin)));
        });
        seen
    }

    #[test]
    fn without_spool_and_holder_mail_is_nobodys_and_never_the_forged_senders() {
        let mut heads = Heads::default();
        let mut holder = Holder {
            away: true,
            asked: 0,
        };
        assert_eq!(look(&mut heads, &mut holder), [None, None]);
        holder.away = false;
        let anna = Some(SenderId::Sasl("anna".into()));
        assert_eq!(look(&mut heads, &mut holder), [anna.clone(), anna.clone()]);
        assert_eq!(look(&mut heads, &mut holder), [anna.clone(), anna]);
        assert_eq!(holder.asked, 2, "once a file");
    }
}
