//! Queue IDs: what may stand as one, and the time that a long one carries.
//!
//! Short IDs (default) are five hex digits of microseconds and the inode in upper-case hex; long ones
//! (`enable_long_queue_ids = yes`, Postfix 2.9) are base 52 seconds, base 52 microseconds, `z` and the inode in base 51
//! (`src/global/mail_queue.h`). Short IDs are reused within seconds: an ID alone never names a message.

use std::borrow::Cow;

use crate::time::Timestamp;

/// The digits of a long ID, without vowels; base 51 leaves the last one out.
const DIGITS: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/// True for text that may be handed to postsuper(1): 6 to 64 of `[0-9A-Za-z]`, and not `NOQUEUE`.
#[must_use]
pub fn is_valid(id: &str) -> bool {
    (6..=64).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric()) && id != "NOQUEUE"
}

/// True for an ID as Postfix makes them: short (upper-case hex) or long (its alphabet, with a time in it).
#[must_use]
pub fn is_canonical(id: &str) -> bool {
    let short = id
        .bytes()
        .all(|c| c.is_ascii_digit() || matches!(c, b'A'..=b'F'));
    is_valid(id) && (short || arrival(id).is_some())
}

/// When the message of a long ID arrived; `None` for short ones.
#[must_use]
pub fn arrival(id: &str) -> Option<Timestamp> {
    let bytes = id.as_bytes();
    // A short ID has no `z`; a long one has at least six digits of seconds and exactly four of microseconds before it.
    let z = bytes.iter().rposition(|c| *c == b'z')?;
    let inode = bytes.get(z + 1..)?;
    let micros = bytes.get(z.checked_sub(4)?..z)?;
    let seconds = bytes.get(..z - 4)?;
    if seconds.len() < 6 || seconds.len() > 8 || inode.is_empty() {
        return None;
    }
    let micros = number(micros, 52)?;
    number(inode, 51)?;
    (micros < 1_000_000).then_some(())?;
    let seconds = number(seconds, 52)?;
    Some(Timestamp::from_micros(
        seconds.checked_mul(1_000_000)?.checked_add(micros)?,
    ))
}

/// The characters by which Postfix hashes a queue, one directory level each: the microseconds of a long ID as five
/// hexadecimal digits, else the ID itself (`src/global/mail_queue.c`, `dir_forest.c`).
#[must_use]
pub fn hash_of(id: &str) -> Cow<'_, str> {
    arrival(id).map_or(Cow::Borrowed(id), |at| {
        let micros = at.micros().rem_euclid(1_000_000);
        Cow::Owned(format!("{micros:05X}"))
    })
}

fn number(digits: &[u8], base: i64) -> Option<i64> {
    digits.iter().try_fold(0_i64, |sum, digit| {
        let value = DIGITS.iter().position(|d| d == digit)?;
        let value = i64::try_from(value).ok().filter(|v| *v < base)?;
        sum.checked_mul(base)?.checked_add(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_hashed_by_microseconds_whichever_kind_the_id_is_of() {
        assert_eq!(hash_of("006FCFE715"), "006FCFE715");
        // Microseconds 3kyZ = ((3 * 52 + 38) * 52 + 50) * 52 + 30 = 527,206.
        assert_eq!(hash_of("4jXzSj3kyZz7fVH"), "80B66");
    }

    #[test]
    fn short_long_and_other_ids_are_told_apart() {
        for id in ["006FCFE715", "4jXzSj3kyZz7fVH", "A0040FE3C3"] {
            assert!(is_canonical(id), "{id}");
        }
        for id in [
            "NOQUEUE",
            "statistics",
            "12345",
            "warning",
            "A0040-E3C3",
            "",
        ] {
            assert!(!is_canonical(id), "{id}");
        }
        assert!(is_valid("a0040fe3c3"));
        assert!(!is_valid("../etc/passwd"));
        assert!(!is_valid("NOQUEUE"));
    }

    #[test]
    fn a_long_id_tells_when_the_message_arrived() {
        // Seen beside its own log line of 2026-11-23T08:25:50Z or so (measured on 3.7.11).
        let at = arrival("4jXzSj3kyZz7fVH").unwrap();
        assert_eq!(
            at.day(),
            Timestamp::parse_rfc3339(b"2026-11-23T00:00:00Z")
                .unwrap()
                .day()
        );
        assert_eq!(arrival("A0040FE3C3"), None);
        assert_eq!(arrival("zzzz"), None);
    }
}
