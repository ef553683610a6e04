//! Why a remote side refused, and whom that is about.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Declares the classes once: variant, name, documentation.
macro_rules! classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why the remote side refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum BounceClass {
            $($(#[$doc])* $variant,)*
        }

        impl BounceClass {
            /// All classes, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in rule files, on the screen and in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

classes! {
    /// This message was judged spam, phishing or bulk.
    SpamContent = "spam_content",
    /// A link or domain in the body is listed.
    UrlBlock = "url_block",
    /// Malware or a forbidden attachment.
    Virus = "virus",
    /// This envelope sender itself is blocked.
    SenderBlocked = "sender_blocked",
    /// Our upstream relay refuses this sender.
    SmarthostAbuse = "smarthost_abuse",
    /// Too many unknown recipients from us or this domain.
    Dictionary = "dictionary",
    /// The remote side limits this sender or its domain.
    RateSender = "rate_sender",
    /// Throttled because of complaints or unsolicited mail.
    RateUnsolicited = "rate_unsolicited",
    /// The sender domain is listed.
    DomainBlock = "domain_block",
    /// One recipient gets mail too fast.
    RateRcpt = "rate_rcpt",
    /// No such mailbox.
    UserUnknown = "user_unknown",
    /// Mailbox suspended, locked, inactive.
    UserDisabled = "user_disabled",
    /// The recipient domain does not exist or takes no mail.
    DomainBad = "domain_bad",
    /// Too many recipients a message.
    TooManyRcpt = "too_many_rcpt",
    /// Our address is listed or banned.
    IpBlock = "ip_block",
    /// Too many connections or messages from our address.
    RateHost = "rate_host",
    /// Unexplained policy refusal.
    Policy = "policy",
    /// The recipient, or its administrator, blocks this sender.
    RcptRefuses = "rcpt_refuses",
    /// Envelope sender unresolvable, unverifiable, malformed.
    SenderInvalid = "sender_invalid",
    /// SPF, DKIM, DMARC or ARC failed.
    Auth = "auth",
    /// No PTR, wrong HELO, dynamic range.
    HostIdentity = "host_identity",
    /// Temporary first-contact refusal.
    Greylist = "greylist",
    /// Over quota.
    MailboxFull = "mailbox_full",
    /// Busy, local error, try later.
    RemoteTemp = "remote_temp",
    /// Time-outs, unreachable, DNS.
    Network = "network",
    /// Encryption required or failed.
    Tls = "tls",
    /// Too many hops.
    Loop = "loop",
    /// The remote side does not accept this domain.
    RelayDenied = "relay_denied",
    /// Size limit.
    TooBig = "too_big",
    /// Header, MIME or RFC defects.
    Format = "format",
    /// Syntax or sequence complaint.
    Protocol = "protocol",
    /// Our own credential or configuration was refused.
    OurConfig = "our_config",
    /// No information.
    Unclear = "unclear",
}

impl BounceClass {
    /// What was sent: the message, its links, or this very sender was judged. The counter CONTENT of a sender.
    #[must_use]
    pub fn is_about_content(self) -> bool {
        matches!(
            self,
            Self::SpamContent
                | Self::UrlBlock
                | Self::Virus
                | Self::SenderBlocked
                | Self::SmarthostAbuse
                | Self::DomainBlock
        )
    }

    /// To whom it was sent: addresses that do not exist or no longer work. The counter LIST of a sender.
    #[must_use]
    pub fn is_about_list(self) -> bool {
        matches!(
            self,
            Self::UserUnknown | Self::UserDisabled | Self::DomainBad | Self::Dictionary
        )
    }

    /// From where it was sent: our address, its name, its volume. The counter HOST, shared by everybody behind it.
    #[must_use]
    pub fn is_about_our_host(self) -> bool {
        matches!(
            self,
            Self::IpBlock | Self::RateUnsolicited | Self::RateHost | Self::HostIdentity
        )
    }

    /// How fast it was sent: by this sender, from this host, or to this recipient.
    #[must_use]
    pub fn is_rate(self) -> bool {
        matches!(
            self,
            Self::RateSender | Self::RateUnsolicited | Self::RateRcpt | Self::RateHost
        )
    }

    /// How strongly it points at the sender: spamming or taken over, 0 (not at all) to 3.
    #[must_use]
    pub fn sender_weight(self) -> u8 {
        match self {
            Self::SpamContent
            | Self::UrlBlock
            | Self::Virus
            | Self::SenderBlocked
            | Self::SmarthostAbuse
            | Self::Dictionary => 3,
            Self::RateSender | Self::RateUnsolicited | Self::DomainBlock => 2,
            Self::RateRcpt
            | Self::UserUnknown
            | Self::DomainBad
            | Self::TooManyRcpt
            | Self::Policy
            | Self::RcptRefuses
            | Self::SenderInvalid
            | Self::Auth
            | Self::Format => 1,
            Self::UserDisabled
            | Self::IpBlock
            | Self::RateHost
            | Self::HostIdentity
            | Self::Greylist
            | Self::MailboxFull
            | Self::RemoteTemp
            | Self::Network
            | Self::Tls
            | Self::Loop
            | Self::RelayDenied
            | Self::TooBig
            | Self::Protocol
            | Self::OurConfig
            | Self::Unclear => 0,
        }
    }
}

impl fmt::Display for BounceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word names no bounce class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a bounce class")]
pub struct NotABounceClass;

impl FromStr for BounceClass {
    type Err = NotABounceClass;

    fn from_str(name: &str) -> Result<Self, NotABounceClass> {
        Self::ALL
            .iter()
            .copied()
            .find(|class| class.as_str() == name)
            .ok_or(NotABounceClass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_read_back_from_its_name_and_has_the_same_name_in_json() {
        for class in BounceClass::ALL {
            assert_eq!(class.as_str().parse(), Ok(*class));
            assert_eq!(
                serde_json::to_string(class).unwrap(),
                format!("\"{class}\"")
            );
        }
        assert_eq!("spam".parse::<BounceClass>(), Err(NotABounceClass));
    }

    #[test]
    fn no_class_is_about_two_parties() {
        for class in BounceClass::ALL {
            let parties = [
                class.is_about_content(),
                class.is_about_list(),
                class.is_about_our_host(),
            ];
            assert!(
                parties.iter().filter(|about| **about).count() <= 1,
                "{class}"
            );
        }
    }
}
