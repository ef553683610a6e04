//! Remote reply → bounce class, by rules that are data (`policies/bounce/*.toml`); first match wins, text before code.

use serde::{Deserialize, Serialize};

/// Why the remote side refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BounceClass {
    /// This message was judged spam, phishing or bulk.
    SpamContent,
    /// A link or domain in the body is listed.
    UrlBlock,
    /// Malware or a forbidden attachment.
    Virus,
    /// This envelope sender itself is blocked.
    SenderBlocked,
    /// Our upstream relay refuses this sender.
    SmarthostAbuse,
    /// Too many unknown recipients from us or this domain.
    Dictionary,
    /// The remote side limits this sender or its domain.
    RateSender,
    /// Throttled because of complaints or unsolicited mail.
    RateUnsolicited,
    /// The sender domain is listed.
    DomainBlock,
    /// One recipient gets mail too fast.
    RateRcpt,
    /// No such mailbox.
    UserUnknown,
    /// Mailbox suspended, locked, inactive.
    UserDisabled,
    /// The recipient domain does not exist or takes no mail.
    DomainBad,
    /// Too many recipients a message.
    TooManyRcpt,
    /// Our address is listed or banned.
    IpBlock,
    /// Too many connections or messages from our address.
    RateHost,
    /// Unexplained policy refusal.
    Policy,
    /// The recipient, or its administrator, blocks this sender.
    RcptRefuses,
    /// Envelope sender unresolvable, unverifiable, malformed.
    SenderInvalid,
    /// SPF, DKIM, DMARC or ARC failed.
    Auth,
    /// No PTR, wrong HELO, dynamic range.
    HostIdentity,
    /// Temporary first-contact refusal.
    Greylist,
    /// Over quota.
    MailboxFull,
    /// Busy, local error, try later.
    RemoteTemp,
    /// Time-outs, unreachable, DNS.
    Network,
    /// Encryption required or failed.
    Tls,
    /// Too many hops.
    Loop,
    /// The remote side does not accept this domain.
    RelayDenied,
    /// Size limit.
    TooBig,
    /// Header, MIME or RFC defects.
    Format,
    /// Syntax or sequence complaint.
    Protocol,
    /// Our own credential or configuration was refused.
    OurConfig,
    /// No information.
    Unclear,
}
