//! What one reply is worth against the sender: which picture of an attack it fits, and how much.
//!
//! Weights follow the table of reply classes: full weight where the remote side speaks about this mail, this sender or
//! this recipient list; a fraction where it may as well speak about our address; nothing where it speaks about itself.

use crate::{classify::BounceClass, ledger::counters::Picture};

/// The picture and the weight (0 to 1) of one reply; `None`: no evidence against the sender.
#[must_use]
pub const fn of(class: BounceClass, temporary: bool) -> Option<(Picture, f64)> {
    use BounceClass as C;
    let found = match class {
        C::UserUnknown | C::DomainBad | C::Dictionary => (Picture::List, 1.0),
        C::UserDisabled => (Picture::List, 0.3),
        C::SpamContent
        | C::UrlBlock
        | C::Virus
        | C::SenderBlocked
        | C::SmarthostAbuse
        | C::DomainBlock => (Picture::Content, 1.0),
        C::Policy => (Picture::Content, 1.0),
        C::Auth | C::RcptRefuses | C::Format => (Picture::Content, 0.3),
        C::RateSender | C::RateRcpt => (Picture::Rate, 1.0),
        C::RateUnsolicited | C::RateHost => (Picture::Rate, 0.3),
        C::RemoteTemp | C::Unclear | C::TooManyRcpt => (Picture::Rate, 0.2),
        C::IpBlock
        | C::SenderInvalid
        | C::HostIdentity
        | C::Greylist
        | C::MailboxFull
        | C::Network
        | C::Tls
        | C::Loop
        | C::RelayDenied
        | C::TooBig
        | C::Protocol
        | C::OurConfig => return None,
    };
    match (found, temporary) {
        // A list that is refused for the time being is a directory in trouble.
        ((Picture::List, _), true) => Some((Picture::Rate, 0.2)),
        ((Picture::Content, weight), true) => Some((Picture::Rate, 0.8 * weight)),
        // Rate limits are temporary; a final answer of that kind says little.
        ((Picture::Rate, _), false) => None,
        (found, _) => Some(found),
    }
}

/// True when the remote side says in so many words that this mail, or this sender, is abusive; not merely against a
/// policy of its own, which may be about anything.
#[must_use]
pub const fn names_abuse(class: BounceClass) -> bool {
    use BounceClass as C;
    matches!(
        class,
        C::SpamContent | C::UrlBlock | C::Virus | C::SenderBlocked | C::SmarthostAbuse
    )
}

/// True when the reply speaks about our address rather than about anybody's mail.
#[must_use]
pub const fn about_us(class: BounceClass) -> bool {
    matches!(
        class,
        BounceClass::IpBlock | BounceClass::HostIdentity | BounceClass::RateUnsolicited
    )
}
