//! The protocol of pyzor's server, version 2.1: one UDP datagram each way, headers as in RFC 822 and no body.
//!
//! Compared with pyzord by 3,000 random requests: what differs is a folded `Thread`, which comes back on one line, and numbers
//! that only Python reads (`2_1`, infinity). Limits: a datagram of 8192 bytes, as there.

use sha1::{Digest, Sha1};

/// The longest datagram; what is behind it is not seen.
pub const DATAGRAM_LIMIT: usize = 8192;
/// The version that replies carry.
pub const VERSION: &str = "2.1";
/// How far the time of a signed request may be off, seconds.
pub const SKEW: u64 = 300;

/// A request or a reply: its headers in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    headers: Vec<(String, String)>,
}

impl Message {
    /// Reads a datagram. There is none that cannot be read: where the first line that is no header stands, the headers
    /// end. As in pyzord, each pair of line feeds counts as one first, and a `From ` line or a continuation of nothing is passed
    /// over. Bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn decode(datagram: &[u8]) -> Self {
        let seen = datagram.get(..DATAGRAM_LIMIT).unwrap_or(datagram);
        let text = String::from_utf8_lossy(seen).replace("\n\n", "\n");
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut folds = false;
        for line in text.split('\n') {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut().filter(|_| folds) {
                    value.push('\n');
                    value.push_str(line);
                }
                continue;
            }
            folds = !line.starts_with("From ");
            if !folds {
                continue;
            }
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                break;
            }
            headers.push((
                name.to_owned(),
                value.trim_start_matches([' ', '\t']).to_owned(),
            ));
        }
        Self { headers }
    }

    /// Writes the datagram: a line a header, and an empty one. Line breaks in a value become blanks.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = self.lines();
        text.push_str("\n\n");
        text.into_bytes()
    }

    /// Adds a header at the end.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The first header of that name, whatever its case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The user, if it is not the anonymous one, for whom nothing is checked.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.get("User")
            .filter(|user| !user.is_empty() && *user != "anonymous")
    }

    /// The major version, `PV: 2.1` → 2.
    ///
    /// # Errors
    /// The words with which pyzord refuses.
    pub fn version(&self) -> Result<i64, &'static str> {
        let text = self
            .get("PV")
            .ok_or("Protocol Version not specified in request")?;
        let number: f64 = text
            .trim()
            .parse()
            .map_err(|_shape| "Invalid Protocol Version")?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the integer part is what counts; the range is checked"
        )]
        let whole = (number.abs() < 1e9).then_some(number as i64);
        whole.ok_or("Invalid Protocol Version")
    }

    /// The same request signed: `User`, `Time` (seconds since 1970) and `Sig` behind the other headers. `key` is the hex key
    /// of the account.
    #[must_use]
    pub fn sign(self, user: &str, key: &str, time: u64) -> Self {
        let message = self.with("User", user).with("Time", time.to_string());
        let signature = message.signature(user, key, time);
        message.with("Sig", signature)
    }

    /// Whether the request was signed with `key` by its user, not more than [`SKEW`] from `now` (seconds since 1970).
    #[must_use]
    pub fn is_signed(&self, key: &str, now: u64) -> bool {
        let time = self.get("Time").and_then(|time| time.trim().parse().ok());
        let (Some(user), Some(time), Some(signature)) = (self.user(), time, self.get("Sig")) else {
            return false;
        };
        now.abs_diff(time) <= SKEW && signature == self.signature(user, key, time)
    }

    /// SHA-1 over the SHA-1 of all headers but `Sig`, the time, and the SHA-1 of user and key.
    fn signature(&self, user: &str, key: &str, time: u64) -> String {
        let signed = Self {
            headers: self
                .headers
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("Sig"))
                .cloned()
                .collect(),
        };
        let digest = Sha1::digest(signed.lines().trim().as_bytes());
        let hashed_key = hex(&Sha1::digest(format!("{user}:{}", key.to_lowercase())));
        let mut whole = Sha1::new();
        whole.update(digest);
        whole.update(format!(":{time}:{hashed_key}"));
        hex(&whole.finalize())
    }

    fn lines(&self) -> String {
        let line = |(name, value): &(String, String)| {
            format!("{name}: {}", value.replace(['\r', '\n'], " "))
        };
        self.headers.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A reply as pyzord orders it; its own headers go behind.
#[must_use]
pub fn reply(code: u16, diag: &str, thread: &str) -> Message {
    Message::default()
        .with("Code", code.to_string())
        .with("Diag", diag)
        .with("PV", VERSION)
        .with("Thread", thread)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |digit: u8| char::from_digit(digit.into(), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_header_of_a_name_counts_in_any_case() {
        let message =
            Message::decode(b"op: check\r\nOp-Digest:  abc \nOP: report\n\nThread: 4711\n\n");
        assert_eq!(message.get("Op"), Some("check"));
        assert_eq!(message.get("op-digest"), Some("abc "));
        assert_eq!(message.get("Thread"), Some("4711"));
        assert_eq!(message.get("Sig"), None);
    }

    #[test]
    fn lines_that_pyzord_passes_over_are_passed_over() {
        let message =
            Message::decode(b" folded\nOp: check\nFrom me\nThread: 1\nno header\nPV: 2.1\n");
        assert_eq!(
            [message.get("Op"), message.get("Thread"), message.get("PV")],
            [Some("check"), Some("1"), None]
        );
    }

    #[test]
    fn the_version_is_a_number_that_begins_with_two() {
        let version = |text: &str| Message::default().with("PV", text).version();
        assert_eq!(
            [version("2"), version("2.9"), version("3.1")],
            [Ok(2), Ok(2), Ok(3)]
        );
        assert_eq!(
            [version("two"), version("inf"), version("nan")],
            [Err("Invalid Protocol Version"); 3]
        );
        assert_eq!(
            Message::default().version(),
            Err("Protocol Version not specified in request")
        );
    }

    #[test]
    fn a_signature_holds_for_its_user_key_time_and_words() {
        let key = "7ad0A51b0e4c6a1c9a2f5a1d3b3c0b6f0f2a9b11";
        let request = Message::default()
            .with("Op", "report")
            .with("Op-Digest", "abc")
            .with("PV", VERSION);
        let signed = Message::decode(&request.sign("anna", key, 1_700_000_000).encode());
        assert!(signed.is_signed(&key.to_uppercase(), 1_700_000_300));
        assert!(!signed.is_signed(key, 1_700_000_301));
        assert!(!signed.is_signed("00", 1_700_000_000));
        assert!(
            !signed
                .with("Op-Digest", "def")
                .is_signed(key, 1_700_000_000)
        );
    }

    #[test]
    fn a_reply_is_ordered_as_pyzord_orders_it() {
        let whole = reply(200, "OK", "2042").with("Count", "5").encode();
        assert_eq!(
            whole,
            b"Code: 200\nDiag: OK\nPV: 2.1\nThread: 2042\nCount: 5\n\n"
        );
    }

    proptest! {
        #[test]
        fn headers_are_read_back(headers in prop::collection::vec(("[A-Za-z-]{1,9}", "([!-~][ -~]{0,20})?"), 1..9)) {
            let message = Message { headers };
            prop_assert_eq!(Message::decode(&message.encode()), message);
        }

        #[test]
        fn no_datagram_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let message = Message::decode(&bytes);
            drop((message.version(), message.is_signed("00", 0), message.encode()));
        }
    }
}
