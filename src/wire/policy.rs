//! The policy delegation protocol of Postfix (SMTPD_POLICY_README): `name=value` lines, ended by an empty line, both ways.
//!
//! A server that cannot read a request says nothing and closes (SMTPD_POLICY_README, "protocol description"); Postfix then
//! does what its `default_action` says. Limits: a request of 64 KiB and 200 attributes; Postfix 3.11 sends some 40 of them,
//! and the longest envelope sender that smtpd lets in is near 2,000 bytes.

use crate::wire::{Decoded, Error};

/// The longest request.
pub const REQUEST_LIMIT: usize = 65_536;
/// The most attributes of a request.
pub const ATTRIBUTE_LIMIT: usize = 200;

/// One question of smtpd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    attributes: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Request<'a> {
    /// Reads one request from the front of `input`.
    ///
    /// # Errors
    /// A line without `=` or without a name, no attribute at all, or more than the limits.
    pub fn decode(input: &'a [u8]) -> Result<Decoded<Self>, Error> {
        let mut attributes = Vec::new();
        let mut used = 0;
        let seen = input.get(..REQUEST_LIMIT).unwrap_or(input);
        loop {
            let rest = seen.get(used..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                break;
            };
            let line = rest.get(..end).unwrap_or_default();
            used += end + 1;
            if line.is_empty() && !attributes.is_empty() {
                return Ok(Decoded::Whole {
                    value: Self { attributes },
                    used,
                });
            }
            let equals = line
                .iter()
                .position(|byte| *byte == b'=')
                .filter(|at| *at > 0)
                .ok_or(Error::Syntax("a line is name=value"))?;
            let (name, value) = line.split_at_checked(equals).unwrap_or_default();
            attributes.push((name, value.get(1..).unwrap_or_default()));
            if attributes.len() > ATTRIBUTE_LIMIT {
                return Err(Error::Syntax("more attributes than a request has"));
            }
        }
        if input.len() < REQUEST_LIMIT {
            Ok(Decoded::Needs(1))
        } else {
            Err(Error::TooLong {
                limit: REQUEST_LIMIT,
            })
        }
    }

    /// A request of these attributes; names hold neither `=` nor a newline, values no newline.
    #[must_use]
    pub fn new(attributes: Vec<(&'a [u8], &'a [u8])>) -> Self {
        Self { attributes }
    }

    /// The value of an attribute; empty if it was not sent or is not UTF-8. The first of a name counts.
    #[must_use]
    pub fn get(&self, name: &str) -> &'a str {
        self.attributes
            .iter()
            .find(|(found, _)| *found == name.as_bytes())
            .and_then(|(_, value)| str::from_utf8(value).ok())
            .unwrap_or("")
    }

    /// Writes the request.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut whole = Vec::new();
        for (name, value) in &self.attributes {
            whole.extend_from_slice(name);
            whole.push(b'=');
            whole.extend_from_slice(value);
            whole.push(b'\n');
        }
        whole.push(b'\n');
        whole
    }
}

/// Writes a reply: an access(5) action, on one line whatever it holds.
#[must_use]
pub fn encode_action(action: &str) -> Vec<u8> {
    let action = action.replace(char::is_control, " ");
    format!("action={action}\n\n").into_bytes()
}

/// Reads one reply from the front of `input`: its action.
///
/// # Errors
/// As [`Request::decode`]; no attribute `action`.
pub fn decode_action(input: &[u8]) -> Result<Decoded<&str>, Error> {
    let decoded = Request::decode(input)?;
    if let Decoded::Whole { value, .. } = &decoded
        && value.get("action").is_empty()
    {
        return Err(Error::Syntax("a reply has an action"));
    }
    Ok(decoded.map(|reply| reply.get("action")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_ends_at_the_empty_line() {
        let input =
            b"request=smtpd_access_policy\nsender=a=b@example.com\nsasl_username=\n\nrequest=";
        let Ok(Decoded::Whole { value, used }) = Request::decode(input) else {
            panic!("not read")
        };
        assert_eq!(used, input.len() - 8);
        assert_eq!(value.get("sender"), "a=b@example.com");
        assert_eq!(value.get("sasl_username"), "");
        assert_eq!(value.get("client_address"), "");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(Request::decode(b"\n").is_err());
        assert!(Request::decode(b"GET / HTTP/1.0\r\n").is_err());
        assert!(Request::decode(b"=value\n").is_err());
        assert_eq!(
            Request::decode(&vec![b'a'; REQUEST_LIMIT]),
            Err(Error::TooLong {
                limit: REQUEST_LIMIT
            })
        );
        assert!(Request::decode(&b"a=b\n".repeat(ATTRIBUTE_LIMIT + 1)).is_err());
        let long = [&b"a="[..], &vec![b'a'; REQUEST_LIMIT], b"\n\n"].concat();
        assert!(
            Request::decode(&long).is_err(),
            "also when it comes in one piece"
        );
    }

    #[test]
    fn an_action_stays_on_its_line() {
        assert_eq!(encode_action("HOLD a\nb"), b"action=HOLD a b\n\n");
    }

    proptest! {
        #[test]
        fn requests_are_read_back_wherever_they_are_cut(
            attributes in prop::collection::vec(("[a-z_]{1,12}", "[^\n]{0,30}"), 1..12)
        ) {
            let attributes: Vec<(&[u8], &[u8])> =
                attributes.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            let request = Request::new(attributes);
            let whole = request.encode();
            prop_assert_eq!(Request::decode(&whole), Ok(Decoded::Whole { value: request.clone(), used: whole.len() }));
            for cut in 0..whole.len() {
                prop_assert!(matches!(Request::decode(&whole[..cut]), Ok(Decoded::Needs(_))));
            }
        }

        #[test]
        fn actions_are_read_back(action in "[ -~]{1,80}") {
            let whole = encode_action(&action);
            prop_assert_eq!(decode_action(&whole), Ok(Decoded::Whole { value: action.as_str(), used: whole.len() }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            drop(Request::decode(&bytes));
            drop(decode_action(&bytes));
        }
    }
}
