//! What one Postfix log line says, borrowed from the line.
//!
//! Members carry Postfix's own names. A member is present only where the line's grammar owns it: where two readings of a
//! line fit, the doubtful member is left out, and of a line cut at 2000 bytes nothing near the cut is trusted.

use std::net::IpAddr;

use crate::time::Timestamp;

/// One understood log line.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// When it was written, resolved to UTC.
    pub at: Timestamp,
    /// Host name of the framing; empty where it has none.
    pub host: &'a str,
    /// What stands before the daemon in the tag (`postfix`, `postfix/submission`, `postfix-out`); may be empty.
    pub service: &'a str,
    /// The program (`smtpd`, `qmgr`, `smtp`); where the framing lost it, what the text shows, else empty.
    pub daemon: &'a str,
    /// Process ID; 0 where the framing has none.
    pub pid: u32,
    /// Queue ID; `None` for NOQUEUE and for lines about no message.
    pub queue_id: Option<&'a str>,
    /// How often the line stands for itself ("message repeated N times"); normally 1.
    pub repeat: u32,
    /// What happened.
    pub event: Event<'a>,
}

/// `name[address]:port` as smtpd logs its peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client<'a> {
    /// Verified host name, or `unknown`.
    pub name: &'a str,
    /// Address; `None` where Postfix wrote `unknown`.
    pub address: Option<IpAddr>,
    /// Source port (`smtpd_client_port_logging = yes`).
    pub port: Option<u16>,
}

/// Who logged in, as smtpd logs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sasl<'a> {
    /// `sasl_method=`.
    pub method: Option<&'a str>,
    /// `sasl_username=`: the login. Never a name that was only tried.
    pub username: Option<&'a str>,
    /// `sasl_sender=` (RFC 4954 AUTH parameter of MAIL FROM).
    pub sender: Option<&'a str>,
}

/// `relay=` of a delivery record; `relay=none` is no relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relay<'a> {
    /// Host or service name (`mx.example.com`, `local`, `myhost` of `myhost[private/lmtp]`).
    pub host: &'a str,
    /// What stands in the brackets: an address or a socket path; empty if there are none.
    pub address: &'a str,
    /// Port, if any.
    pub port: Option<u16>,
}

/// `status=` of a delivery record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Delivered or handed on.
    Sent,
    /// To be tried again.
    Deferred,
    /// Refused for good.
    Bounced,
    /// A bounce that `soft_bounce=yes` turned into a deferral.
    SoftBounce,
    /// Address verification probe or `sendmail -bv`: would be delivered.
    Deliverable,
    /// Address verification probe: would not be delivered (`undeliverable-but-not-cached` too).
    Undeliverable,
    /// Another word; or, with an empty `status_text`, a line that can be read in two ways.
    Other,
}

/// One line of a delivery agent for one recipient.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery<'a> {
    /// `to=<...>`, exactly what stands between the brackets; `None` on bare `status=` lines.
    pub recipient: Option<&'a str>,
    /// `orig_to=<...>`.
    pub orig_to: Option<&'a str>,
    /// `relay=`; `None` for `relay=none`.
    pub relay: Option<Relay<'a>>,
    /// `conn_use=`.
    pub conn_use: Option<u32>,
    /// `delay=` in seconds.
    pub delay: Option<f64>,
    /// `delays=a/b/c/d` as printed.
    pub delays: Option<&'a str>,
    /// `dsn=` as printed.
    pub dsn: Option<&'a str>,
    /// `status=`.
    pub status: Status,
    /// `status=` as printed.
    pub status_text: &'a str,
    /// The whole text in the parentheses, wrapper included.
    pub text: &'a str,
    /// The remote side's own words, without the wrapper; `None` for local and network reasons.
    pub reply: Option<&'a str>,
    /// The host that said it (`host H[ip] said:`), as printed: `H[ip]`.
    pub said_by: Option<&'a str>,
    /// The SMTP stage without the word command (`RCPT TO`, `end of DATA`); `None` when cut off or absent.
    pub stage: Option<&'a str>,
    /// "delivery temporarily suspended": no new attempt was made.
    pub suspended: bool,
    /// The line ends at Postfix's limit of 2000 bytes: its end is missing.
    pub cut: bool,
}

/// What a restriction, a header check, a milter or a proxy did: `ACTION: STAGE from CLIENT: TEXT; from=<> to=<> ...`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Action<'a> {
    /// The word before the colon (`reject`, `hold`, `warning`, `milter-reject` ...), as printed.
    pub action: &'a str,
    /// `CONNECT`, `RCPT`, `END-OF-MESSAGE` ... or `header`, `body`, `content`.
    pub stage: Option<&'a str>,
    /// Who was on the line.
    pub client: Option<Client<'a>>,
    /// `from=<...>`.
    pub sender: Option<&'a str>,
    /// `to=<...>`.
    pub recipient: Option<&'a str>,
    /// `proto=`.
    pub proto: Option<&'a str>,
    /// `helo=<...>`.
    pub helo: Option<&'a str>,
    /// `sasl_*` members that the line owns.
    pub sasl: Sasl<'a>,
    /// The reason or the header.
    pub text: &'a str,
}

/// What happened. The names are those of `postwarden records` (`kind`).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// smtpd opened a queue file.
    Client {
        /// The peer of this hop.
        client: Client<'a>,
        /// Who logged in.
        sasl: Sasl<'a>,
        /// `orig_queue_id=`: the first ID of the chain (XFORWARD IDENT).
        orig_queue_id: Option<&'a str>,
        /// `orig_client=` (XFORWARD).
        orig_client: Option<Client<'a>>,
    },
    /// pickup took a message from maildrop.
    Pickup {
        /// Local user.
        uid: u32,
        /// `from=<...>`.
        sender: &'a str,
        /// `orig_id=`: requeued by postsuper -r.
        orig_id: Option<&'a str>,
    },
    /// cleanup's `message-id=` or `resent-message-id=`.
    MessageId {
        /// Exactly what stands between `<` and `>`, or the whole text where there are none; `None` where it may be cut.
        message_id: Option<&'a str>,
    },
    /// qmgr: `(queue active)`.
    Queued {
        /// `from=<...>`; empty for the null sender.
        sender: &'a str,
        /// `size=` in bytes.
        size: u64,
        /// `nrcpt=` as far as known at that time.
        nrcpt: u32,
    },
    /// The message left the queue (`removed`, `removed (canceled)`).
    Removed {
        /// What stands in parentheses, if anything.
        action: Option<&'a str>,
    },
    /// qmgr gave up (`status=expired`, `status=force-expired`).
    Expired {
        /// `from=<...>`.
        sender: &'a str,
        /// As printed.
        status: &'a str,
    },
    /// A delivery record: has `status=`.
    Delivery(Delivery<'a>),
    /// A remote answer at a host that is not the last to be tried.
    SoftFailure {
        /// As printed: `H[ip]`.
        said_by: Option<&'a str>,
        /// The remote side's own words.
        reply: Option<&'a str>,
        /// The SMTP stage.
        stage: Option<&'a str>,
        /// The line's text.
        text: &'a str,
    },
    /// No conversation came about (refused, timed out, no route; TLS).
    ConnectFailure {
        /// The host, where the line names one.
        relay: Option<Relay<'a>>,
        /// The line's text.
        text: &'a str,
    },
    /// bounce or trace made a notification: its ID.
    Notification {
        /// `sender non-delivery notification`, `sender delay notification` ...
        action: &'a str,
        /// The new message's queue ID.
        notification_id: &'a str,
    },
    /// A hold at intake (smtpd, cleanup) or by postsuper (`placed on hold`).
    Hold(Action<'a>),
    /// postsuper: `released from hold`.
    Release,
    /// postsuper: `requeued`.
    Requeue,
    /// postsuper: `removed`.
    Delete,
    /// Mail refused by smtpd, cleanup or postscreen.
    Reject(Action<'a>),
    /// `warn` and `reject_warning`.
    Warn(Action<'a>),
    /// Accepted and thrown away.
    Discard(Action<'a>),
    /// Sent through a content filter.
    Filter(Action<'a>),
    /// Sent to another recipient.
    Redirect(Action<'a>),
    /// Refused by a milter.
    MilterReject(Action<'a>),
    /// Put on hold by a milter.
    MilterHold(Action<'a>),
    /// A before-queue proxy took the message.
    ProxyAccept {
        /// The line.
        action: Action<'a>,
        /// `queued as`: the ID behind the proxy.
        queued_as: Option<&'a str>,
    },
    /// smtpd: a session began.
    Connect(Client<'a>),
    /// smtpd: a session ended.
    Disconnect {
        /// The peer.
        client: Client<'a>,
        /// The counters.
        text: &'a str,
    },
    /// A login attempt failed; `sasl.username` is the name that was tried, never an identity.
    SaslFailure {
        /// The peer.
        client: Option<Client<'a>>,
        /// Method, and the name that was tried.
        sasl: Sasl<'a>,
        /// The reason.
        text: &'a str,
    },
    /// A session was lost or timed out.
    Lost {
        /// The peer.
        client: Option<Client<'a>>,
        /// The SMTP stage.
        stage: Option<&'a str>,
        /// The line's text.
        text: &'a str,
    },
    /// header_checks and body_checks with an action of their own.
    HeaderCheck(Action<'a>),
    /// master reloaded or started.
    Reload {
        /// Postfix's version, where the line has it.
        version: Option<&'a str>,
        /// The line's text.
        text: &'a str,
    },
    /// Understood as Postfix's, of no use here.
    Other {
        /// The line's text.
        text: &'a str,
    },
}
