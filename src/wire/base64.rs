//! Base 64 (RFC 4648 4) with padding, for queue files inside JSON.

/// The text of `bytes`; a third longer.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at| chunk.get(at).copied().unwrap_or(0);
        let (a, b, c) = (byte(0), byte(1), byte(2));
        let digits = [
            a >> 2,
            (a & 3) << 4 | b >> 4,
            (b & 15) << 2 | c >> 6,
            c & 63,
        ];
        text.extend(digits.into_iter().take(chunk.len() + 1).map(letter));
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}

/// The bytes of `text`; none unless every character is as [`encode`] writes it.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let groups = text.as_bytes().chunks(4);
    let last = groups.len().checked_sub(1);
    for (at, chunk) in groups.enumerate() {
        let padding = chunk.iter().rev().take_while(|byte| **byte == b'=').count();
        if chunk.len() != 4 || padding > 2 || (padding > 0 && Some(at) != last) {
            return None;
        }
        let mut group = 0_u32;
        for byte in chunk.iter().take(4 - padding) {
            group = group << 6 | value(*byte)?;
        }
        let [_, whole @ ..] = (group << (6 * padding)).to_be_bytes();
        let (kept, dropped) = whole.split_at_checked(3 - padding)?;
        if dropped.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn letter(digit: u8) -> char {
    char::from(match digit {
        0..26 => b'A' + digit,
        26..52 => b'a' + digit - 26,
        52..62 => b'0' + digit - 52,
        62 => b'+',
        _ => b'/',
    })
}

fn value(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_specimens_of_rfc_4648_come_out() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn what_encode_would_not_write_is_not_read() {
        for text in ["Zg", "Zg=", "Zg==Zg==", "Z===", "Zh==", "Zm9v\n", "Zm9-"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
