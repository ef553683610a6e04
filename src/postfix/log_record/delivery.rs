//! `to=<R>[, orig_to=<O>], relay=RELAY[, conn_use=N], delay=D, delays=a/b/c/d[, tls=T], dsn=X.Y.Z, status=STATUS (TEXT)`.
//!
//! STATUS is the first one; TEXT runs to the end and may hold anything, whole fake records included.

use crate::postfix::{
    log_record::{
        peer,
        reading::{Agree, Readings, addresses, is_open, keep},
        reply,
    },
    record::{Delivery, Relay, Status},
    run,
};

/// What stands behind the addresses, as printed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Fields<'a> {
    recipient: Option<&'a str>,
    orig_to: Option<&'a str>,
    relay: Option<&'a str>,
    conn_use: Option<u32>,
    delay: Option<f64>,
    delays: Option<&'a str>,
    dsn: Option<&'a str>,
    status: Option<&'a str>,
    text: Option<&'a str>,
}

impl Fields<'_> {
    /// True if no free text in this reading holds a member that every line has.
    fn is_plain(&self) -> bool {
        let holds = |text: &str| text.contains(">, orig_to=<") || text.contains(", status=");
        let texts = [self.recipient, self.orig_to, self.text];
        !texts.into_iter().flatten().any(holds)
    }
}

impl Agree for Fields<'_> {
    fn agree(&mut self, other: &Self) {
        keep(&mut self.recipient, other.recipient);
        keep(&mut self.orig_to, other.orig_to);
        keep(&mut self.relay, other.relay);
        keep(&mut self.conn_use, other.conn_use);
        keep(&mut self.delay, other.delay);
        keep(&mut self.delays, other.delays);
        keep(&mut self.dsn, other.dsn);
        keep(&mut self.status, other.status);
        keep(&mut self.text, other.text);
    }

    fn doubt(&mut self) {
        *self = Self::default();
    }
}

/// Reads what follows `to=<`.
pub(super) fn to_line(text: &str, cut: bool, remote: bool) -> Option<Delivery<'_>> {
    if cut && is_open(text) {
        return Some(delivery(Fields::default(), cut, remote));
    }
    if let Some(fields) = only(text) {
        return Some(delivery(fields, cut, remote));
    }
    let mut readings = Readings::new();
    for (recipient, rest) in addresses(text) {
        let Some(rest) = rest.strip_prefix(", ") else {
            continue;
        };
        if !readings.go_on() {
            break;
        }
        let with = |orig_to| Fields {
            recipient: Some(recipient),
            orig_to,
            ..Fields::default()
        };
        if let Some(rest) = rest.strip_prefix("orig_to=<") {
            if cut && is_open(rest) {
                readings.add(Fields::default(), true);
            }
            orig_to(rest, &with, &mut readings);
        } else if let Some(fields) = doubtful_members(rest, with(None)) {
            readings.add(fields, fields.is_plain());
        }
    }
    readings
        .certain()
        .map(|fields| delivery(fields, cut, remote))
}

/// [`members`], apart from the usual way.
#[inline(never)]
fn doubtful_members<'a>(rest: &'a str, fields: Fields<'a>) -> Option<Fields<'a>> {
    members(rest, fields)
}

/// The reading of a line that has no other: behind its addresses no `>` could end one more.
#[inline(always)]
fn only(text: &str) -> Option<Fields<'_>> {
    let (recipient, rest) = address(text)?;
    let mut fields = Fields {
        recipient: Some(recipient),
        ..Fields::default()
    };
    let mut rest = rest.strip_prefix(", ")?;
    if let Some(text) = rest.strip_prefix("orig_to=<") {
        let (orig_to, after) = address(text)?;
        fields.orig_to = Some(orig_to);
        rest = after.strip_prefix(", ")?;
    }
    let other = memchr::memchr_iter(b'>', rest.as_bytes())
        .any(|end| rest.as_bytes().get(end + 1) == Some(&b','));
    if other {
        return None;
    }
    members(rest, fields)
}

/// An address that is not quoted, up to the first `>`.
fn address(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr2(b'>', b'"', text.as_bytes())?;
    let (address, rest) = text.split_at_checked(end)?;
    Some((address, rest.strip_prefix('>')?))
}

fn orig_to<'a>(
    text: &'a str,
    with: &dyn Fn(Option<&'a str>) -> Fields<'a>,
    readings: &mut Readings<Fields<'a>>,
) {
    for (orig_to, rest) in addresses(text) {
        if !readings.go_on() {
            return;
        }
        let fields = rest
            .strip_prefix(", ")
            .and_then(|rest| doubtful_members(rest, with(Some(orig_to))));
        if let Some(fields) = fields {
            readings.add(fields, fields.is_plain());
        }
    }
}

/// Reads the bare `status=deferred (bounce failed)`.
pub(super) fn status_line(text: &str, cut: bool) -> Option<Delivery<'_>> {
    doubtful_members(text, Fields::default()).map(|fields| delivery(fields, cut, false))
}

/// `key=value, ` in Postfix's order, up to the text of `status=`.
#[inline(always)]
fn members<'a>(mut rest: &'a str, mut fields: Fields<'a>) -> Option<Fields<'a>> {
    if let Some(value) = rest.strip_prefix("relay=") {
        // The longest value: a search pays.
        let end = memchr::memchr2(b',', b' ', value.as_bytes())?;
        let (relay, after) = value.split_at_checked(end)?;
        fields.relay = Some(relay).filter(|relay| *relay != "none");
        rest = after.strip_prefix(", ")?;
    }
    if let Some((uses, after)) = member(rest, "conn_use=", digits) {
        fields.conn_use = Some(uses.parse().ok()?);
        rest = after;
    }
    if let Some((delay, after)) = member(rest, "delay=", digits) {
        fields.delay = Some(seconds(delay)?);
        rest = after;
    }
    if let Some((delays, after)) = member(rest, "delays=", digits) {
        fields.delays = Some(delays);
        rest = after;
    }
    if let Some((_, after)) = member(rest, "tls=", word) {
        rest = after;
    }
    if let Some((dsn, after)) = member(rest, "dsn=", digits) {
        fields.dsn = Some(dsn);
        rest = after;
    }
    let rest = rest.strip_prefix("status=")?;
    let end = rest
        .bytes()
        .position(|c| !c.is_ascii_alphabetic() && c != b'-')
        .unwrap_or(rest.len());
    let (status, rest) = rest.split_at_checked(end)?;
    fields.status = Some(status).filter(|status| !status.is_empty());
    fields.text = match rest.trim_end_matches(' ') {
        "" => None,
        rest => Some(rest.strip_prefix(" (")?),
    };
    fields.status.map(|_| fields)
}

/// `key=value, `: the value is as long as `length` says, and there is no comma in it.
#[inline(always)]
fn member<'a>(
    text: &'a str,
    key: &str,
    length: impl Fn(&[u8]) -> usize,
) -> Option<(&'a str, &'a str)> {
    let value = text.strip_prefix(key)?;
    let (value, rest) = value.split_at_checked(length(value.as_bytes()))?;
    Some((value, rest.strip_prefix(", ")?))
}

/// The length of a number, several of them with slashes between, or a status code.
#[inline]
fn digits(bytes: &[u8]) -> usize {
    let mut end = run::numeric(bytes);
    while let Some(b'-'..=b'9' | b'+' | b'e') = bytes.get(end) {
        end += 1;
    }
    end
}

fn word(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|c| matches!(c, b' ' | b','));
    end.unwrap_or(bytes.len())
}

/// `0.02`, `92780`, `1.2e+02`. Few digits are exact as a quotient, which is much faster than the general case.
fn seconds(text: &str) -> Option<f64> {
    const SCALE: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
    let (whole, places) = match text.bytes().position(|c| c == b'.') {
        Some(point) => (text.get(..point)?, text.get(point + 1..)?),
        None => (text, ""),
    };
    let digits = |sum: u32, c: u8| {
        let digit = c.wrapping_sub(b'0');
        (digit < 10).then(|| sum * 10 + u32::from(digit))
    };
    if (1..=9).contains(&(whole.len() + places.len()))
        && let Some(scale) = SCALE.get(places.len())
        && let Some(number) = whole.bytes().chain(places.bytes()).try_fold(0, digits)
    {
        return Some(f64::from(number) / scale);
    }
    text.parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite())
}

#[inline(always)]
fn delivery<'a>(mut fields: Fields<'a>, cut: bool, remote: bool) -> Delivery<'a> {
    if cut && fields.text.is_none() {
        // What is left of a word that was cut.
        fields.status = None;
    }
    let closed = fields.text.map(|text| text.strip_suffix(')'));
    let cut = cut || closed == Some(None);
    let text = closed
        .flatten()
        .filter(|_| !cut)
        .or(fields.text)
        .unwrap_or_default();
    let relay = fields.relay.map(peer::relay);
    let mut words = reply::unwrap(text, cut);
    if words.reply.is_none() && !text.is_empty() && remote_words(&fields, relay, remote) {
        words.reply = Some(text);
    }
    Delivery {
        recipient: fields.recipient,
        orig_to: fields.orig_to,
        relay,
        conn_use: fields.conn_use,
        delay: fields.delay,
        delays: fields.delays,
        dsn: fields.dsn,
        status: status(fields.status.unwrap_or_default()),
        status_text: fields.status.unwrap_or_default(),
        text,
        reply: words.reply,
        said_by: words.said_by,
        stage: words.stage,
        suspended: reply::is_suspended(text),
        cut,
    }
}

/// True where the whole text is what a remote server answered: a success of smtp or lmtp.
fn remote_words(fields: &Fields<'_>, relay: Option<Relay<'_>>, remote: bool) -> bool {
    let success = matches!(fields.status, Some("sent" | "deliverable"));
    let spoken = relay.is_some_and(|relay| !relay.address.is_empty());
    success && remote && spoken
}

fn status(word: &str) -> Status {
    match word {
        "sent" => Status::Sent,
        "deferred" => Status::Deferred,
        "bounced" => Status::Bounced,
        "SOFTBOUNCE" => Status::SoftBounce,
        "deliverable" => Status::Deliverable,
        "undeliverable" | "undeliverable-but-not-cached" => Status::Undeliverable,
        _ => Status::Other,
    }
}
