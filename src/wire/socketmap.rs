//! The lookup protocol of socketmap_table(5): one netstring each way, `<map> <key>` and `<status> <text>`.
//!
//! Limits: a request of 256 KiB (`header_size_limit` is 102,400 as shipped; Postfix newer than 3.11 does not ask for keys
//! above 10,000 bytes), a reply of 100,000 bytes (socketmap_table(5)).

use crate::wire::{Decoded, Error, netstring};

/// The longest request, without its netstring.
pub const REQUEST_LIMIT: usize = 262_144;
/// The longest reply, without its netstring.
pub const REPLY_LIMIT: usize = 100_000;

/// One lookup. The key is what Postfix has, byte for byte: it may hold spaces, line breaks and any other byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The name of the map: what stands before the first space.
    pub map: &'a [u8],
    /// The key: all that follows.
    pub key: &'a [u8],
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The data.
    Ok(String),
    /// The key is not in the map.
    NotFound,
    /// Trouble, with its reason; Postfix answers 451.
    Temp(String),
    /// The map itself took too long.
    Timeout(String),
    /// A request that will never be answered, with the reason.
    Perm(String),
}

impl<'a> Request<'a> {
    /// Reads one request from the front of `input`. A netstring without a space is whole and `None`: the next request
    /// can still be read.
    ///
    /// # Errors
    /// As [`netstring::decode`].
    pub fn decode(input: &'a [u8]) -> Result<Decoded<Option<Self>>, Error> {
        let frame = netstring::decode(input, REQUEST_LIMIT)?;
        Ok(frame.map(|bytes| {
            let space = bytes.iter().position(|byte| *byte == b' ')?;
            let (map, rest) = bytes.split_at_checked(space)?;
            let (_, key) = rest.split_first()?;
            Some(Self { map, key })
        }))
    }

    /// Writes the request; the map's name has no space.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        netstring::encode(&[self.map, b" ", self.key].concat())
    }
}

impl Reply {
    /// Writes the reply. One that is longer than Postfix reads becomes `PERM`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (status, text) = match self {
            Self::Ok(data) => ("OK", data.as_str()),
            Self::NotFound => ("NOTFOUND", ""),
            Self::Temp(reason) => ("TEMP", reason.as_str()),
            Self::Timeout(reason) => ("TIMEOUT", reason.as_str()),
            Self::Perm(reason) => ("PERM", reason.as_str()),
        };
        let whole = format!("{status} {text}");
        if whole.len() > REPLY_LIMIT {
            return netstring::encode(b"PERM reply too long");
        }
        netstring::encode(whole.as_bytes())
    }

    /// Reads one reply from the front of `input`.
    ///
    /// # Errors
    /// As [`netstring::decode`]; no known status, or text that is not UTF-8.
    pub fn decode(input: &[u8]) -> Result<Decoded<Self>, Error> {
        let (bytes, used) = match netstring::decode(input, REPLY_LIMIT)? {
            Decoded::Whole { value, used } => (value, used),
            Decoded::Needs(more) => return Ok(Decoded::Needs(more)),
        };
        let whole =
            str::from_utf8(bytes).map_err(|_invalid| Error::Syntax("a reply is UTF-8 here"))?;
        let (status, text) = whole.split_once(' ').unwrap_or((whole, ""));
        let text = text.to_owned();
        let value = match status {
            "OK" => Self::Ok(text),
            "NOTFOUND" => Self::NotFound,
            "TEMP" => Self::Temp(text),
            "TIMEOUT" => Self::Timeout(text),
            "PERM" => Self::Perm(text),
            _ => {
                return Err(Error::Syntax(
                    "a reply begins with OK, NOTFOUND, TEMP, TIMEOUT or PERM",
                ));
            }
        };
        Ok(Decoded::Whole { value, used })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_key_is_all_that_follows_the_first_space() {
        let Ok(Decoded::Whole {
            value: Some(request),
            used: 19,
        }) = Request::decode(b"15:line Subject: a,4:next,")
        else {
            panic!("not read")
        };
        assert_eq!(
            (request.map, request.key),
            (&b"line"[..], &b"Subject: a"[..])
        );
    }

    #[test]
    fn a_request_without_a_space_leaves_the_next_one_readable() {
        assert_eq!(
            Request::decode(b"6:abused,"),
            Ok(Decoded::Whole {
                value: None,
                used: 9
            })
        );
    }

    #[test]
    fn a_reply_that_postfix_would_not_read_is_never_sent() {
        assert_eq!(
            Reply::Ok("x".repeat(100_000)).encode(),
            b"19:PERM reply too long,"
        );
    }

    fn replies() -> impl Strategy<Value = Reply> {
        let text = || ".{0,80}";
        prop_oneof![
            text().prop_map(Reply::Ok),
            Just(Reply::NotFound),
            text().prop_map(Reply::Temp),
            text().prop_map(Reply::Timeout),
            text().prop_map(Reply::Perm),
        ]
    }

    proptest! {
        #[test]
        fn requests_are_read_back(map in "[a-z]{0,9}", key in prop::collection::vec(any::<u8>(), 0..300)) {
            let request = Request { map: map.as_bytes(), key: &key };
            let whole = request.encode();
            prop_assert_eq!(Request::decode(&whole), Ok(Decoded::Whole { value: Some(request), used: whole.len() }));
        }

        #[test]
        fn replies_are_read_back(reply in replies()) {
            let whole = reply.encode();
            prop_assert_eq!(Reply::decode(&whole), Ok(Decoded::Whole { value: reply, used: whole.len() }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            drop(Request::decode(&bytes));
            drop(Reply::decode(&bytes));
            drop(Request::decode(&netstring::encode(&bytes)));
            drop(Reply::decode(&netstring::encode(&bytes)));
        }
    }
}
