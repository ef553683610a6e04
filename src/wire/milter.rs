//! The milter protocol, version 6, as Postfix speaks it (MILTER_README; `milter8.c`; Sendmail's `mfdef.h`): packets of a length in
//! four bytes, big end first, one command letter, and its data. Only what a filter needs that looks and answers; nothing
//! that changes a message.
//!
//! Limits: a packet of 1 MiB. Postfix sends the body in chunks of 65,535 bytes and a header in one packet, up to
//! `header_size_limit` (102,400 as shipped).

use crate::wire::{Decoded, Error};

/// The longest packet, letter included, length not.
pub const PACKET_LIMIT: usize = 1024 * 1024;
/// The version spoken here.
pub const VERSION: u32 = 6;

/// What is agreed on at the beginning: the numbers of `SMFIC_OPTNEG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The protocol's version.
    pub version: u32,
    /// What the filter may do to a message (`SMFIF_*`).
    pub actions: u32,
    /// What is left out of the conversation (`SMFIP_*`, [`skip`]).
    pub protocol: u32,
}

/// Steps that the filter does without, and steps that it does not answer (`SMFIP_*`).
pub mod skip {
    /// No connect packets.
    pub const CONNECT: u32 = 0x01;
    /// No HELO packets.
    pub const HELO: u32 = 0x02;
    /// No RCPT packets.
    pub const RCPT: u32 = 0x08;
    /// No end-of-headers packets.
    pub const END_OF_HEADERS: u32 = 0x40;
    /// No answers to header packets.
    pub const HEADER_ANSWER: u32 = 0x80;
    /// No packets of unknown SMTP commands.
    pub const UNKNOWN: u32 = 0x100;
    /// No DATA packets.
    pub const DATA: u32 = 0x200;
    /// No answers to body packets.
    pub const BODY_ANSWER: u32 = 0x8_0000;
    /// Header values come with the blank after the colon, if there was one.
    pub const LEADING_SPACE: u32 = 0x10_0000;
}

/// One packet of the mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `O`: what the server offers.
    Negotiate(Options),
    /// `D`: macros for the step whose letter is given.
    Macros {
        /// The letter of the step.
        step: u8,
        /// Names (with their braces) and values.
        pairs: Vec<(&'a [u8], &'a [u8])>,
    },
    /// `C`: a client; name and address as sent.
    Connect(&'a [u8]),
    /// `H`: its HELO name.
    Helo(&'a [u8]),
    /// `M`: the sender, in angle brackets, and the ESMTP arguments.
    Mail(Vec<&'a [u8]>),
    /// `R`: a recipient, likewise.
    Rcpt(Vec<&'a [u8]>),
    /// `T`: DATA.
    Data,
    /// `L`: one header.
    Header {
        /// Its name.
        name: &'a [u8],
        /// Its value; continuation lines begin after a newline.
        value: &'a [u8],
    },
    /// `N`: the headers are over.
    EndOfHeaders,
    /// `B`: a piece of the body, with CR LF.
    Body(&'a [u8]),
    /// `E`: the message is over; perhaps a last piece of the body.
    EndOfMessage(&'a [u8]),
    /// `A`: the message is given up.
    Abort,
    /// `Q`: the connection is over.
    Quit,
    /// `K`: the client is gone, another one follows on this connection.
    NextClient,
    /// `U`: an SMTP command that the server does not know.
    Unknown(&'a [u8]),
}

/// One packet of the filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `O`: what the filter wants of the offer.
    Negotiate(Options),
    /// `c`: go on.
    Continue,
    /// `a`: nothing more to ask about this message.
    Accept,
    /// `t`: try again later.
    TempFail,
    /// `y`: refuse with this SMTP reply, code and status code included.
    Refuse(String),
    /// `q`: put on hold, with the reason.
    Quarantine(String),
}

impl<'a> Command<'a> {
    /// Reads one packet from the front of `input`.
    ///
    /// # Errors
    /// An empty or too long packet, an unknown letter, or data that ends too early.
    pub fn decode(input: &'a [u8]) -> Result<Decoded<Self>, Error> {
        let (letter, data, used) = match packet(input)? {
            Decoded::Whole { value, used } => (value.0, value.1, used),
            Decoded::Needs(more) => return Ok(Decoded::Needs(more)),
        };
        let value = match letter {
            b'O' => Self::Negotiate(options(data)?),
            b'D' => {
                let (step, rest) = data
                    .split_first()
                    .ok_or(Error::Syntax("macros are for a step"))?;
                let words = words(rest)?;
                let pair = |pair: &[&'a [u8]]| match pair {
                    [name, value] => Some((*name, *value)),
                    _ => None,
                };
                let pairs: Option<Vec<_>> = words.chunks(2).map(pair).collect();
                Self::Macros {
                    step: *step,
                    pairs: pairs.ok_or(Error::Syntax("a macro has a name and a value"))?,
                }
            }
            b'C' => Self::Connect(data),
            b'H' => Self::Helo(word(data)?),
            b'M' => Self::Mail(words(data)?),
            b'R' => Self::Rcpt(words(data)?),
            b'T' => Self::Data,
            b'L' => match words(data)?.as_slice() {
                [name, value] => Self::Header { name, value },
                _ => return Err(Error::Syntax("a header has a name and a value")),
            },
            b'N' => Self::EndOfHeaders,
            b'B' => Self::Body(data),
            b'E' => Self::EndOfMessage(data),
            b'A' => Self::Abort,
            b'Q' => Self::Quit,
            b'K' => Self::NextClient,
            b'U' => Self::Unknown(word(data)?),
            _ => return Err(Error::Syntax("an unknown command letter")),
        };
        Ok(Decoded::Whole { value, used })
    }

    /// Writes the packet; names and values hold no NUL.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let joined = |words: &[&[u8]]| {
            words
                .iter()
                .flat_map(|word| [*word, b"\0"])
                .collect::<Vec<_>>()
                .concat()
        };
        let (letter, data) = match self {
            Self::Negotiate(options) => (b'O', options.bytes()),
            Self::Macros { step, pairs } => {
                let mut data = vec![*step];
                for (name, value) in pairs {
                    data.extend(joined(&[name, value]));
                }
                (b'D', data)
            }
            Self::Connect(data) => (b'C', data.to_vec()),
            Self::Helo(name) => (b'H', joined(&[name])),
            Self::Mail(words) => (b'M', joined(words)),
            Self::Rcpt(words) => (b'R', joined(words)),
            Self::Data => (b'T', Vec::new()),
            Self::Header { name, value } => (b'L', joined(&[name, value])),
            Self::EndOfHeaders => (b'N', Vec::new()),
            Self::Body(data) => (b'B', data.to_vec()),
            Self::EndOfMessage(data) => (b'E', data.to_vec()),
            Self::Abort => (b'A', Vec::new()),
            Self::Quit => (b'Q', Vec::new()),
            Self::NextClient => (b'K', Vec::new()),
            Self::Unknown(command) => (b'U', joined(&[command])),
        };
        framed(letter, &data)
    }
}

impl Reply {
    /// Reads one packet from the front of `input`.
    ///
    /// # Errors
    /// An empty or too long packet, a letter that is not among these, or text that is not UTF-8.
    pub fn decode(input: &[u8]) -> Result<Decoded<Self>, Error> {
        let (letter, data, used) = match packet(input)? {
            Decoded::Whole { value, used } => (value.0, value.1, used),
            Decoded::Needs(more) => return Ok(Decoded::Needs(more)),
        };
        let text = || {
            let text = str::from_utf8(word(data)?)
                .map_err(|_invalid| Error::Syntax("a reply is UTF-8 here"))?;
            Ok(text.to_owned())
        };
        let value = match letter {
            b'O' => Self::Negotiate(options(data)?),
            b'c' => Self::Continue,
            b'a' => Self::Accept,
            b't' => Self::TempFail,
            b'y' => Self::Refuse(text()?),
            b'q' => Self::Quarantine(text()?),
            _ => return Err(Error::Syntax("an unknown reply letter")),
        };
        Ok(Decoded::Whole { value, used })
    }

    /// Writes the packet. Text ends at its first NUL or line break.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let text = |text: &str| {
            let line = text.split(['\0', '\r', '\n']).next().unwrap_or("");
            [line.as_bytes(), b"\0"].concat()
        };
        let (letter, data) = match self {
            Self::Negotiate(options) => (b'O', options.bytes()),
            Self::Continue => (b'c', Vec::new()),
            Self::Accept => (b'a', Vec::new()),
            Self::TempFail => (b't', Vec::new()),
            Self::Refuse(reply) => (b'y', text(reply)),
            Self::Quarantine(reason) => (b'q', text(reason)),
        };
        framed(letter, &data)
    }
}

impl Options {
    fn bytes(self) -> Vec<u8> {
        [self.version, self.actions, self.protocol]
            .map(u32::to_be_bytes)
            .concat()
    }
}

/// Letter and data of the packet at the front.
fn packet(input: &[u8]) -> Result<Decoded<(u8, &[u8])>, Error> {
    let Some((length, rest)) = input.split_first_chunk() else {
        return Ok(Decoded::Needs(4 - input.len()));
    };
    let length = usize::try_from(u32::from_be_bytes(*length))
        .ok()
        .filter(|length| *length <= PACKET_LIMIT)
        .ok_or(Error::TooLong {
            limit: PACKET_LIMIT,
        })?;
    if length == 0 {
        return Err(Error::Syntax("a packet has a letter"));
    }
    let Some((letter, data)) = rest.get(..length).and_then(<[u8]>::split_first) else {
        return Ok(Decoded::Needs(length - rest.len()));
    };
    Ok(Decoded::Whole {
        value: (*letter, data),
        used: 4 + length,
    })
}

fn framed(letter: u8, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len() + 1).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), &[letter][..], data].concat()
}

/// The three numbers; later versions may put more behind them.
fn options(data: &[u8]) -> Result<Options, Error> {
    let mut numbers = data
        .chunks_exact(4)
        .filter_map(|bytes| bytes.try_into().ok())
        .map(u32::from_be_bytes);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(version), Some(actions), Some(protocol)) => Ok(Options {
            version,
            actions,
            protocol,
        }),
        _ => Err(Error::Syntax("an offer has three numbers")),
    }
}

/// Strings that each end with NUL.
fn words(data: &[u8]) -> Result<Vec<&[u8]>, Error> {
    if data.is_empty() {
        return Ok(Vec::new());
    }
    let whole = data
        .strip_suffix(b"\0")
        .ok_or(Error::Syntax("a string ends with NUL"))?;
    Ok(whole.split(|byte| *byte == 0).collect())
}

fn word(data: &[u8]) -> Result<&[u8], Error> {
    data.strip_suffix(b"\0")
        .ok_or(Error::Syntax("a string ends with NUL"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_offer_of_postfix_is_read() {
        let packet = b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";
        let options = Options {
            version: 6,
            actions: 0x1ff,
            protocol: 0x1f_ffff,
        };
        assert_eq!(
            Command::decode(packet),
            Ok(Decoded::Whole {
                value: Command::Negotiate(options),
                used: 17
            })
        );
    }

    #[test]
    fn macros_come_in_pairs() {
        let packet = b"\0\0\0\x15DM{auth_authen}\0anna\0";
        let Ok(Decoded::Whole {
            value: Command::Macros { step: b'M', pairs },
            ..
        }) = Command::decode(packet)
        else {
            panic!("not read")
        };
        assert_eq!(pairs, [(&b"{auth_authen}"[..], &b"anna"[..])]);
        assert!(Command::decode(b"\0\0\0\x04DMi\0").is_err());
    }

    #[test]
    fn broken_packets_are_refused() {
        for packet in [
            &b"\0\0\0\0"[..],
            b"\xff\xff\xff\xff",
            b"\0\0\0\x01X",
            b"\0\0\0\x01O",
            b"\0\0\0\x02Ha",
            b"\0\0\0\x03La\0",
            b"\0\0\0\x01D",
            b"GET / HTTP/1.0\r\n",
        ] {
            assert!(Command::decode(packet).is_err(), "{packet:?}");
        }
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(1_u8..=255, 0..40)
    }

    proptest! {
        #[test]
        fn commands_are_read_back_wherever_they_are_cut(
            kind in 0..15, a in text(), b in text(), data in prop::collection::vec(any::<u8>(), 0..80)
        ) {
            let command = match kind {
                0 => Command::Negotiate(Options { version: 6, actions: 1, protocol: 0x8000_0001 }),
                1 => Command::Macros { step: b'M', pairs: vec![(&a, &b), (&b, &a)] },
                2 => Command::Connect(&data),
                3 => Command::Helo(&a),
                4 => Command::Mail(vec![&a, &b]),
                5 => Command::Rcpt(vec![&a]),
                6 => Command::Data,
                7 => Command::Header { name: &a, value: &b },
                8 => Command::EndOfHeaders,
                9 => Command::Body(&data),
                10 => Command::EndOfMessage(&data),
                11 => Command::Abort,
                12 => Command::Quit,
                13 => Command::NextClient,
                _ => Command::Unknown(&a),
            };
            let whole = command.encode();
            prop_assert_eq!(Command::decode(&whole), Ok(Decoded::Whole { value: command, used: whole.len() }));
            for cut in 0..whole.len() {
                let Ok(Decoded::Needs(more)) = Command::decode(&whole[..cut]) else { panic!("cut at {cut}") };
                prop_assert!(more >= 1 && cut + more <= whole.len());
            }
        }

        #[test]
        fn replies_are_read_back(kind in 0..6, line in "[^\0\r\n]{0,60}") {
            let reply = match kind {
                0 => Reply::Negotiate(Options { version: 6, actions: 0, protocol: 0x10_0000 }),
                1 => Reply::Continue,
                2 => Reply::Accept,
                3 => Reply::TempFail,
                4 => Reply::Refuse(line),
                _ => Reply::Quarantine(line),
            };
            let whole = reply.encode();
            prop_assert_eq!(Reply::decode(&whole), Ok(Decoded::Whole { value: reply, used: whole.len() }));
        }

        #[test]
        fn no_bytes_make_it_panic(letter in any::<u8>(), data in prop::collection::vec(any::<u8>(), 0..60)) {
            drop(Command::decode(&data));
            drop(Command::decode(&framed(letter, &data)));
            drop(Reply::decode(&framed(letter, &data)));
        }
    }
}
