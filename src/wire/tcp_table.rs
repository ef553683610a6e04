//! The lookup protocol of tcp_table(5): `get <key>` and `<code> <text>`, one line each, with `%XX` for `%`, blanks and
//! every byte that does not print.
//!
//! Limits: a request of 768 KiB (Postfix asks for whole header lines, and quoting may triple them), a reply of 4096 bytes
//! with its newline (tcp_table(5)).

use crate::wire::{Decoded, Error};

/// The longest request line, newline included.
pub const REQUEST_LIMIT: usize = 786_432;
/// The longest reply line, newline included.
pub const REPLY_LIMIT: usize = 4096;

/// One lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The key, unquoted.
    pub key: Vec<u8>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// 200: the data.
    Found(String),
    /// 500: the key is not in the table; why.
    NotFound(String),
    /// 400: trouble, with its reason; Postfix asks again later.
    Trouble(String),
}

impl Request {
    /// Reads one request from the front of `input`. A line that is no lookup is whole and `None`: the next one can still
    /// be read. A carriage return before the newline is let pass.
    ///
    /// # Errors
    /// The line is too long.
    pub fn decode(input: &[u8]) -> Result<Decoded<Option<Self>>, Error> {
        let line = line(input, REQUEST_LIMIT)?;
        Ok(line.map(|line| {
            let quoted = line.strip_prefix(b"get ")?;
            let is_quoted = !quoted.iter().any(|byte| *byte <= b' ' || *byte == 0x7f);
            let key = unquote(quoted).filter(|key| is_quoted && !key.is_empty())?;
            Some(Self { key })
        }))
    }

    /// Writes the request.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        format!("get {}\n", quote(&self.key)).into_bytes()
    }
}

impl Reply {
    /// Writes the reply. One that is longer than Postfix reads becomes a 400.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (code, text) = match self {
            Self::Found(data) => (200, data),
            Self::NotFound(text) => (500, text),
            Self::Trouble(reason) => (400, reason),
        };
        let line = format!("{code} {}\n", quote(text.as_bytes()));
        if line.len() > REPLY_LIMIT {
            return b"400 reply%20too%20long\n".to_vec();
        }
        line.into_bytes()
    }

    /// Reads one reply from the front of `input`.
    ///
    /// # Errors
    /// The line is too long, has no known code, wrong quoting, or text that is not UTF-8.
    pub fn decode(input: &[u8]) -> Result<Decoded<Self>, Error> {
        let (line, used) = match line(input, REPLY_LIMIT)? {
            Decoded::Whole { value, used } => (value, used),
            Decoded::Needs(more) => return Ok(Decoded::Needs(more)),
        };
        let (code, text) = line
            .split_at_checked(4)
            .ok_or(Error::Syntax("a reply begins with a code and a space"))?;
        let text = unquote(text)
            .and_then(|text| String::from_utf8(text).ok())
            .ok_or(Error::Syntax("% is followed by two hexadecimal digits"))?;
        let value = match code {
            b"200 " => Self::Found(text),
            b"500 " => Self::NotFound(text),
            b"400 " => Self::Trouble(text),
            _ => return Err(Error::Syntax("the code is 200, 400 or 500")),
        };
        Ok(Decoded::Whole { value, used })
    }
}

fn line(input: &[u8], limit: usize) -> Result<Decoded<&[u8]>, Error> {
    let Some(end) = input.iter().take(limit).position(|byte| *byte == b'\n') else {
        return if input.len() < limit {
            Ok(Decoded::Needs(1))
        } else {
            Err(Error::TooLong { limit })
        };
    };
    let line = input.get(..end).unwrap_or_default();
    Ok(Decoded::Whole {
        value: line.strip_suffix(b"\r").unwrap_or(line),
        used: end + 1,
    })
}

fn quote(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() && *byte != b'%' {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')),
            );
        }
    }
    text
}

fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(if *byte == b'%' {
            let mut digit = || char::from(*rest.next()?).to_digit(16);
            u8::try_from(digit()? << 4 | digit()?).ok()?
        } else {
            *byte
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(input: &[u8]) -> Option<Vec<u8>> {
        match Request::decode(input).unwrap() {
            Decoded::Whole { value, used } => {
                assert_eq!(used, input.len());
                value.map(|request| request.key)
            }
            Decoded::Needs(_) => panic!("not whole"),
        }
    }

    #[test]
    fn quoting_in_any_case_is_taken_back() {
        assert_eq!(key(b"get a%20b%25%c3%A4\n").unwrap(), "a b%ä".as_bytes());
        assert_eq!(key(b"get anna\r\n").unwrap(), b"anna");
    }

    #[test]
    fn a_line_that_is_no_lookup_leaves_the_next_one_readable() {
        for input in [
            &b"\n"[..],
            b"put a b\n",
            b"get\n",
            b"get \n",
            b"get a%2\n",
            b"get a%zz\n",
            b"get / HTTP/1.0\n",
        ] {
            assert_eq!(key(input), None, "{input:?}");
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let endless = vec![b'a'; REQUEST_LIMIT];
        assert_eq!(Request::decode(&endless[1..]), Ok(Decoded::Needs(1)));
        assert_eq!(
            Request::decode(&endless),
            Err(Error::TooLong {
                limit: REQUEST_LIMIT
            })
        );
    }

    #[test]
    fn a_reply_that_postfix_would_not_read_is_never_sent() {
        assert_eq!(
            Reply::Found("x".repeat(4092)).encode(),
            b"400 reply%20too%20long\n"
        );
        assert_eq!(Reply::Found("x".repeat(4091)).encode().len(), 4096);
    }

    proptest! {
        #[test]
        fn requests_are_read_back(key in prop::collection::vec(any::<u8>(), 1..200)) {
            let request = Request { key };
            let whole = request.encode();
            prop_assert_eq!(Request::decode(&whole), Ok(Decoded::Whole { value: Some(request), used: whole.len() }));
        }

        #[test]
        fn replies_are_read_back(text in ".{0,80}", code in 0..3) {
            let reply = match code {
                0 => Reply::Found(text),
                1 => Reply::NotFound(text),
                _ => Reply::Trouble(text),
            };
            let whole = reply.encode();
            prop_assert_eq!(Reply::decode(&whole), Ok(Decoded::Whole { value: reply, used: whole.len() }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            drop(Request::decode(&bytes));
            drop(Reply::decode(&bytes));
        }
    }
}
