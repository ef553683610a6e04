//! What each sender did: counts in time, what is normal for it, and what its destinations answer everybody else.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

/// Our key for whoever is answerable for mail: SASL login, else envelope sender (trusted networks only), else address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SenderId {
    /// `sasl:` login.
    Sasl(Box<str>),
    /// `from:` envelope sender, folded (VERP, SRS, BATV).
    From(Box<str>),
    /// `ip:` client address.
    Ip(IpAddr),
}

impl fmt::Display for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sasl(login) => write!(f, "sasl:{login}"),
            Self::From(sender) => write!(f, "from:{sender}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
        }
    }
}
