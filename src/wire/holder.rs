//! The language between the unprivileged daemon and root's five verbs: one netstring of JSON each way over a unix
//! socket, a request with its queue IDs, a reply with the state of each ID as *looked at* afterwards.

use serde::{Deserialize, Serialize};

/// What root can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// `postsuper -h`.
    Hold,
    /// `postsuper -H`.
    Release,
    /// `postsuper -r`.
    Requeue,
    /// The queue file's bytes, at most `limit`.
    Read,
    /// `postsuper -d`, only of what is in `hold`.
    Delete,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The verb.
    pub verb: Verb,
    /// Queue IDs; each is validated on both sides.
    pub queue_ids: Vec<String>,
    /// For `read`: how many bytes of each file at most.
    #[serde(default)]
    pub limit: u64,
}

/// Where a queue file was found when the verb was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In `hold`.
    Hold,
    /// In `maildrop`.
    Maildrop,
    /// In `incoming`; mode 0600 files are still being received.
    Incoming,
    /// In `active`.
    Active,
    /// In `deferred`.
    Deferred,
    /// In none of them.
    Gone,
}

/// What became of one queue ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The queue ID.
    pub queue_id: String,
    /// Where it is now.
    pub place: Place,
    /// `read` only: the file's bytes, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

/// One reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// One for each queue ID of the request, in its order.
    pub outcomes: Vec<Outcome>,
    /// What went wrong as a whole (nothing was done then).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
