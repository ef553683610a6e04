//! Where a sender's messages are just now: by walking the spool where this process may, else by listing the queue and
//! reading heads through the holder.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    action::hands::Hands,
    correlate::{Entry, Origin},
    engine::incident::Incident,
    ledger::{SenderId, network},
    postfix::{
        queue_file::{HEAD_BYTES, Head},
        queue_list::Queue,
    },
    source::{
        postqueue,
        program::postconf,
        spool::{Found, Heads, Spool},
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
    /// When.
    pub arrival: Timestamp,
    /// Recipients that are left.
    pub recipients: u32,
    /// Bytes.
    pub size: u64,
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

impl Finder {
    /// A finder for the instance at `config_directory`; walks the spool if it may.
    #[must_use]
    pub fn new(config_directory: &Path) -> Self {
        let directory = postconf(config_directory, &["queue_directory"])
            .ok()
            .and_then(|settings| settings.into_iter().next());
        let spool = directory
            .map(|(_, path)| Spool::new(Path::new(&path)))
            .filter(Spool::is_readable);
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

    /// Every message in `queues` with its envelope, as far as it can be read.
    pub fn queued(&mut self, hands: &mut dyn Hands, queues: &[Queue]) -> Vec<Queued> {
        let envelopes = match &self.spool {
            Some(spool) => {
                let files = spool.walk(&Queue::ALL);
                self.heads
                    .of(&files, |file| spool.head(file).map(|head| envelope(&head)))
            }
            None => self.listed(hands),
        };
        envelopes
            .into_iter()
            .filter(|(file, _)| queues.contains(&file.queue))
            .map(|(file, envelope)| Queued {
                queue_id: file.queue_id,
                queue: file.queue,
                envelope,
            })
            .collect()
    }

    fn listed(&mut self, hands: &mut dyn Hands) -> Vec<(Found, Envelope)> {
        let listing = match postqueue::list(&self.config_directory, DEADLINE) {
            Ok(listing) => listing,
            Err(error) => {
                tracing::warn!(%error, "the queue cannot be listed");
                return Vec::new();
            }
        };
        let files: Vec<Found> = listing
            .entries
            .into_iter()
            .map(|entry| Found {
                queue_id: entry.queue_id.into(),
                queue: entry.queue,
                path: PathBuf::new(),
            })
            .collect();
        let mut unknown: Vec<String> = Vec::new();
        self.heads.of(&files, |file| {
            unknown.push(file.queue_id.clone());
            None
        });
        let mut read = read_heads(hands, &unknown);
        self.heads.of(&files, |file| read.remove(&file.queue_id))
    }
}

fn read_heads(
    hands: &mut dyn Hands,
    queue_ids: &[String],
) -> std::collections::HashMap<String, Envelope> {
    let mut heads = std::collections::HashMap::new();
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
                        heads.insert(outcome.queue_id, envelope(&head));
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

/// What a queue file's head says, in the words of the log.
fn envelope(head: &Head) -> Envelope {
    // A file without login and client came in by sendmail(1), or is a notification of bounce(8).
    let from_outside = head.sasl_username.is_some() || head.client.address.is_some();
    let entry = match &head.sender {
        _ if from_outside && !head.local_origin => Entry::Smtp,
        Some(sender) if sender.is_empty() => Entry::Notification,
        _ => Entry::Pickup,
    };
    let peer = if head.log_client.address.is_some() {
        &head.log_client
    } else {
        &head.client
    };
    Envelope {
        origin: Origin {
            entry,
            login: head.sasl_username.clone(),
            sender: head.sender.clone(),
            client_name: peer.name.clone(),
            client_address: peer.address,
            client_port: peer.port,
            ..Origin::default()
        },
        arrival: head.arrival.unwrap_or_default(),
        recipients: u32::try_from(head.recipients.len()).unwrap_or(u32::MAX),
        size: head.size.unwrap_or(0),
    }
}
