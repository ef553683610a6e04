//! Queue file records: who sent it, from where, to whom, and the message itself.
//!
//! A queue file is a row of records: a type byte, a length (base 128, low end first, bit 7 = more), that many bytes
//! (Postfix `src/global/record.c`, `rec_type.h`; not a public interface, measured with 3.7.11, read in 3.12). Envelope up to `M`, content
//! up to `X`, extracted envelope up to `E`. Milters patch a file with pointer records, which are followed. Recipients
//! are marked done in place (`R` becomes `D`), and so a message that was delivered while it was put on hold is a husk:
//! a file without any `R`.
//!
//! Promises: any bytes are borne, cut or hostile; the work is linear in the size of the input. Names and addresses come
//! in the form in which Postfix logs them (quoted as RFC 5322 wants, unprintable bytes as `?`), so that one sender
//! is one sender whichever was read.
//! Limits: what Postfix takes on trust is taken on trust. A file in `maildrop` was written by postdrop on behalf of any
//! local user: nothing in it is an identity.

use std::net::IpAddr;

use crate::time::Timestamp;

/// How much of a file [`Head::parse`] needs: everything before the first recipient was within the first 800 bytes of
/// real files, logins and senders at their longest (320 bytes each) included.
pub const HEAD_BYTES: usize = 4096;

/// A client as Postfix noted it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Host name; `None` when Postfix knew none.
    pub name: Option<Box<str>>,
    /// Address.
    pub address: Option<IpAddr>,
    /// Port.
    pub port: Option<u16>,
}

/// What the envelope of a queue file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// When the message came in.
    pub arrival: Option<Timestamp>,
    /// The first queue ID of this mail: a content filter that speaks XFORWARD passes it on.
    pub log_ident: Option<Box<str>>,
    /// SASL mechanism.
    pub sasl_method: Option<Box<str>>,
    /// SASL login, as the log prints it.
    pub sasl_username: Option<Box<str>>,
    /// `AUTH=` parameter of MAIL FROM.
    pub sasl_sender: Option<Box<str>>,
    /// Envelope sender; empty for the null sender.
    pub sender: Option<Box<str>>,
    /// The peer of this hop (or what XCLIENT made of it).
    pub client: Peer,
    /// The peer that XFORWARD named, else the same.
    pub log_client: Peer,
    /// `log_message_origin=local`: it came in by sendmail(1).
    pub local_origin: bool,
    /// Recipients still to be delivered to, as far as the bytes given go.
    pub recipients: Vec<Box<str>>,
    /// Recipients that are done with, as far as the bytes given go.
    pub done: u32,
    /// Recipients in all, as counted by cleanup.
    pub recipient_count: Option<u32>,
    /// Bytes of the message.
    pub size: Option<u64>,
    /// The whole first envelope was in the bytes given.
    pub envelope_complete: bool,
}

impl Head {
    /// Reads the beginning of a queue file ([`HEAD_BYTES`] are enough). `None` when the bytes are no queue file, or it
    /// has no arrival time and no sender yet.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut head = Self::default();
        let mut walk = Walk::new(bytes);
        while let Some((kind, data)) = walk.next_record() {
            match kind {
                b'M' => {
                    head.envelope_complete = true;
                    break;
                }
                b'E' => break,
                _ => head.take(kind, data),
            }
        }
        (head.arrival.is_some() && head.sender.is_some()).then_some(head)
    }

    /// Recipients still to be delivered to: of all that cleanup counted, where the bytes given do not name them all.
    #[must_use]
    pub fn left(&self) -> u32 {
        let named = u32::try_from(self.recipients.len()).unwrap_or(u32::MAX);
        self.recipient_count
            .map_or(named, |all| all.saturating_sub(self.done).max(named))
    }

    /// True for a message that has nobody left to go to: it was delivered while it was put on hold. Told from the head
    /// only where all recipients are in it.
    #[must_use]
    pub fn is_husk(&self) -> bool {
        self.recipients.is_empty() && self.done > 0 && self.recipient_count == Some(self.done)
    }

    /// What one envelope record adds. Of two that say the same the first counts, as for qmgr(8).
    fn take(&mut self, kind: u8, data: &[u8]) {
        match kind {
            b'C' => self.take_sizes(data),
            b'T' if self.arrival.is_none() => self.arrival = arrival(data),
            b'S' => first(&mut self.sender, || external(data)),
            b'R' => self.recipients.push(external(data)),
            b'D' => self.done += 1,
            b'A' => self.take_attribute(data),
            _ => {}
        }
    }

    /// `size data_offset recipients ...`, blank or zero until cleanup is through.
    fn take_sizes(&mut self, data: &[u8]) {
        let mut numbers = data
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .map(number);
        let size = numbers.next().flatten();
        let offset = numbers.next().flatten().unwrap_or(0);
        if offset > 0 {
            self.size = size;
            self.recipient_count = numbers.next().flatten().and_then(|n| n.try_into().ok());
        }
    }

    fn take_attribute(&mut self, data: &[u8]) {
        let Some(at) = memchr::memchr(b'=', data) else {
            return;
        };
        let (name, value) = (
            data.get(..at).unwrap_or_default(),
            data.get(at + 1..).unwrap_or_default(),
        );
        match name {
            b"log_ident" => first(&mut self.log_ident, || printable(value)),
            b"sasl_method" => first(&mut self.sasl_method, || printable(value)),
            b"sasl_username" => first(&mut self.sasl_username, || printable(value)),
            b"sasl_sender" => first(&mut self.sasl_sender, || printable(value)),
            b"log_message_origin" => self.local_origin |= value == b"local",
            b"client_name" => first(&mut self.client.name, || printable(value)),
            b"client_address" => address(&mut self.client.address, value),
            b"client_port" => port(&mut self.client.port, value),
            b"log_client_name" => first(&mut self.log_client.name, || printable(value)),
            b"log_client_address" => address(&mut self.log_client.address, value),
            b"log_client_port" => port(&mut self.log_client.port, value),
            _ => {}
        }
    }
}

/// A whole queue file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueFile {
    /// Its envelope; recipients and `done` of both envelope parts, so that they are complete.
    pub head: Head,
    /// The message (header, empty line, body) as `postcat -bh` prints it: lines end in a bare newline.
    pub content: Vec<u8>,
    /// The file ends as a queue file must; else it was cut, or is still being written.
    pub complete: bool,
}

impl QueueFile {
    /// Takes a queue file apart. Content is at most as long as the input. `None` as for [`Head::parse`].
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut file = Self::default();
        let mut walk = Walk::new(bytes);
        let (mut in_content, mut extracted) = (false, false);
        while let Some((kind, data)) = walk.next_record() {
            match (kind, in_content) {
                (b'M', false) => {
                    in_content = true;
                    file.head.envelope_complete = true;
                }
                (b'N', true) => {
                    file.content.extend_from_slice(data);
                    file.content.push(b'\n');
                }
                (b'L', true) => file.content.extend_from_slice(data),
                (b'X', true) => (in_content, extracted) = (false, true),
                (b'E', _) => {
                    file.complete = true;
                    break;
                }
                // Who sent it stands before the content; what cleanup found in the content is recipients.
                (_, true) => {}
                (_, false) if extracted && !matches!(kind, b'R' | b'D') => {}
                (_, false) => file.head.take(kind, data),
            }
        }
        (file.head.arrival.is_some() && file.head.sender.is_some()).then_some(file)
    }

    /// True for a complete message that has nobody left to go to: it was delivered while it was put on hold.
    #[must_use]
    pub const fn is_husk(&self) -> bool {
        self.complete && self.head.recipients.is_empty()
    }
}

/// The records of a file in the order in which Postfix reads them, pointers followed.
#[derive(Debug)]
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes that may still be read: no sound file has a record read twice, so a loop of pointers ends here.
    left: usize,
}

impl<'a> Walk<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            left: bytes.len(),
        }
    }

    /// The next record; `None` at the end, at a cut, at a length that cannot be.
    fn next_record(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let (kind, rest) = self.bytes.get(self.at..)?.split_first()?;
            let (length, used) = length(rest)?;
            let start = self.at + 1 + used;
            let data = self.bytes.get(start..start.checked_add(length)?)?;
            self.left = self.left.checked_sub(1 + used + length)?;
            self.at = start + length;
            if *kind != b'p' {
                return Some((*kind, data));
            }
            let target = number(data.trim_ascii())?;
            if target > 0 {
                self.at = usize::try_from(target).ok()?;
            }
        }
    }
}

/// Base 128, low end first; at most 31 bits, as an `int` of Postfix holds. Gives the length and the bytes it took.
fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (i, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return i32::try_from(value).is_ok().then_some((value, i + 1));
        }
    }
    None
}

fn arrival(data: &[u8]) -> Option<Timestamp> {
    let mut words = data.split(|c| *c == b' ').filter(|word| !word.is_empty());
    let seconds = i64::try_from(number(words.next()?)?).ok()?;
    let micros = words
        .next()
        .and_then(number)
        .filter(|micros| *micros < 1_000_000)
        .unwrap_or(0);
    Some(Timestamp::from_micros(
        seconds
            .checked_mul(1_000_000)?
            .checked_add(i64::try_from(micros).ok()?)?,
    ))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn first(slot: &mut Option<Box<str>>, value: impl FnOnce() -> Box<str>) {
    slot.get_or_insert_with(value);
}

fn address(slot: &mut Option<IpAddr>, value: &[u8]) {
    if slot.is_none() {
        *slot = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.strip_prefix("IPv6:").unwrap_or(text).parse().ok());
    }
}

fn port(slot: &mut Option<u16>, value: &[u8]) {
    if slot.is_none() {
        *slot = number(value).and_then(|port| port.try_into().ok());
    }
}

/// As Postfix's `printable()` leaves it in the log: UTF-8 stays, a control byte or an invalid byte becomes `?`.
fn printable(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend(
            chunk
                .valid()
                .chars()
                .map(|c| if c.is_ascii_control() { '?' } else { c }),
        );
        text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    text.into_boxed_str()
}

/// An address in its external form, as the log has it since Postfix 3.5: `a b@x` becomes `"a b"@x` (`quote_822_local()`).
fn external(internal: &[u8]) -> Box<str> {
    let text = printable(internal);
    let (local, domain) = text
        .rsplit_once('@')
        .map_or((&*text, None), |(local, domain)| (local, Some(domain)));
    if text.is_empty() || is_dot_string(local) {
        return text;
    }
    let mut quoted = String::with_capacity(text.len() + 8);
    quoted.push('"');
    for c in local.chars() {
        if matches!(c, '"' | '\\' | '\r') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    if let Some(domain) = domain {
        quoted.push('@');
        quoted.push_str(domain);
    }
    quoted.into_boxed_str()
}

/// RFC 5322 3.2.3: atoms with single dots between them; beyond ASCII anything goes (RFC 6532 3.2).
fn is_dot_string(local: &str) -> bool {
    !local.is_empty()
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && !local
            .chars()
            .any(|c| c.is_ascii_control() || " ()<>@,;:\\\"[]".contains(c))
}

#[cfg(test)]
mod tests;
