//! Codecs bytes ↔ request and reply, without I/O: each says how many bytes it used or needs, and its limits.
//!
//! A decoder looks at the front of a buffer and answers one of three things: a [`Decoded::Whole`] unit with the number of
//! bytes it took, [`Decoded::Needs`] more bytes, or an [`Error`]: what is there can never become a unit, whatever follows.
//! After an error the stream has no next unit to look for; whoever reads it closes it. No decoder panics, copies more
//! than its limit, or asks for more than its limit.

pub mod base64;
pub mod holder;
pub mod milter;
pub mod netstring;
pub mod policy;
pub mod pyzor;
pub mod socketmap;
pub mod tcp_table;

/// What a decoder made of the front of a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<T> {
    /// A whole unit.
    Whole {
        /// What it says.
        value: T,
        /// The bytes it took from the front of the buffer; at least one.
        used: usize,
    },
    /// The unit is not all there: at least so many bytes more, at least one.
    Needs(usize),
}

impl<T> Decoded<T> {
    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Decoded<U> {
        match self {
            Self::Whole { value, used } => Decoded::Whole {
                value: change(value),
                used,
            },
            Self::Needs(more) => Decoded::Needs(more),
        }
    }
}

/// What can never become a request or a reply. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than is read here.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Against the rules of the protocol, with the rule.
    #[error("not as the protocol has it: {0}")]
    Syntax(&'static str),
}
