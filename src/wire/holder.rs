//! The language between the unprivileged daemon and root's five verbs: one netstring of JSON each way over a unix
//! socket, a request with its queue IDs, a reply with the state of each ID as *looked at* afterwards.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    postfix::queue_id,
    wire::{Decoded, Error, netstring},
};

/// The most queue IDs of one request.
pub const ID_LIMIT: usize = 10_000;
/// The longest request, without its netstring.
pub const REQUEST_LIMIT: usize = 1024 * 1024;
/// The most bytes of queue files in one reply to `read`, before base64. A longer file is cut there.
pub const READ_LIMIT: u64 = 64 * 1024 * 1024;
/// The longest reply, without its netstring: [`READ_LIMIT`] in base64 and the words around it.
pub const REPLY_LIMIT: usize = 96 * 1024 * 1024;

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
    /// What went wrong. The outcomes, if there are any, say how far it got; without them nothing is known to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Request {
    /// Reads one request from the front of `input`.
    ///
    /// # Errors
    /// No netstring, no JSON of this shape, too many queue IDs, or one that no Postfix ever made (which also keeps
    /// `ALL` and `-` from postsuper).
    pub fn decode(input: &[u8]) -> Result<Decoded<Self>, Error> {
        let decoded = decode::<Self>(input, REQUEST_LIMIT)?;
        if let Decoded::Whole { value, .. } = &decoded {
            value.validate()?;
        }
        Ok(decoded)
    }

    /// What [`Request::decode`] demands of the queue IDs.
    ///
    /// # Errors
    /// Too many queue IDs, or one that no Postfix ever made.
    pub fn validate(&self) -> Result<(), Error> {
        if self.queue_ids.len() > ID_LIMIT {
            return Err(Error::Syntax("more queue IDs than one request may have"));
        }
        if !self.queue_ids.iter().all(|id| queue_id::is_valid(id)) {
            return Err(Error::Syntax("a queue ID is 6 to 64 letters and digits"));
        }
        Ok(())
    }

    /// Writes the request.
    ///
    /// # Errors
    /// As [`Request::validate`].
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        self.validate()?;
        encode(self)
    }
}

impl Reply {
    /// Nothing was done, and why.
    #[must_use]
    pub fn refusal(reason: impl Into<String>) -> Self {
        Self {
            outcomes: Vec::new(),
            error: Some(reason.into()),
        }
    }

    /// Reads one reply from the front of `input`.
    ///
    /// # Errors
    /// No netstring, or no JSON of this shape.
    pub fn decode(input: &[u8]) -> Result<Decoded<Self>, Error> {
        decode(input, REPLY_LIMIT)
    }

    /// Writes the reply.
    ///
    /// # Errors
    /// None in practice: these types always have a JSON form.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        encode(self)
    }
}

fn decode<T: DeserializeOwned>(input: &[u8], limit: usize) -> Result<Decoded<T>, Error> {
    let (bytes, used) = match netstring::decode(input, limit)? {
        Decoded::Whole { value, used } => (value, used),
        Decoded::Needs(more) => return Ok(Decoded::Needs(more)),
    };
    let value =
        serde_json::from_slice(bytes).map_err(|_shape| Error::Syntax("not JSON of this shape"))?;
    Ok(Decoded::Whole { value, used })
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    let json = serde_json::to_vec(value).map_err(|_shape| Error::Syntax("no JSON form"))?;
    Ok(netstring::encode(&json))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(ids: &[&str]) -> Request {
        Request {
            verb: Verb::Hold,
            queue_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            limit: 0,
        }
    }

    #[test]
    fn a_request_is_one_netstring_of_json() {
        let whole = request(&["4F2A1C0D3B"]).encode().unwrap();
        assert_eq!(
            whole,
            br#"52:{"verb":"hold","queue_ids":["4F2A1C0D3B"],"limit":0},"#
        );
        let read = Request::decode(&whole).unwrap();
        assert_eq!(
            read,
            Decoded::Whole {
                value: request(&["4F2A1C0D3B"]),
                used: whole.len()
            }
        );
    }

    #[test]
    fn words_that_postsuper_understands_are_no_queue_ids() {
        for id in [
            "ALL",
            "-",
            "",
            "-d",
            "../../etc/passwd",
            "4F2A1C0D3B\n",
            "4F2A1C0D3B deferred",
        ] {
            assert!(request(&[id]).encode().is_err(), "{id:?}");
            let json = format!(
                r#"{{"verb":"delete","queue_ids":[{}]}}"#,
                serde_json::to_string(id).unwrap()
            );
            assert!(
                Request::decode(&netstring::encode(json.as_bytes())).is_err(),
                "{id:?}"
            );
        }
    }

    #[test]
    fn an_unknown_verb_is_refused() {
        assert!(
            Request::decode(&netstring::encode(br#"{"verb":"shell","queue_ids":[]}"#)).is_err()
        );
    }

    #[test]
    fn a_reply_is_read_back() {
        let reply = Reply {
            outcomes: vec![Outcome {
                queue_id: "4F2A1C0D3B".to_owned(),
                place: Place::Hold,
                bytes: Some("Zg==".to_owned()),
            }],
            error: None,
        };
        let whole = reply.encode().unwrap();
        assert_eq!(
            Reply::decode(&whole),
            Ok(Decoded::Whole {
                value: reply,
                used: whole.len()
            })
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            drop(Request::decode(&bytes));
            drop(Request::decode(&netstring::encode(&bytes)));
            drop(Reply::decode(&netstring::encode(&bytes)));
        }
    }
}
