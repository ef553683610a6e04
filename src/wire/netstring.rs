//! Netstrings: `<length>:<bytes>,` with the length in decimal and without leading zeros (D. J. Bernstein, 1997).

use crate::wire::{Decoded, Error};

/// Reads one netstring of at most `limit` bytes from the front of `input`.
///
/// # Errors
/// The length is no number or above the limit (told from the digits, before any of the bytes is there), or the closing
/// comma is missing.
pub fn decode(input: &[u8], limit: usize) -> Result<Decoded<&[u8]>, Error> {
    let digits = input
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = input.split_at_checked(digits).unwrap_or((input, &[]));
    let length = length(number, limit)?;
    let Some((colon, rest)) = rest.split_first() else {
        return Ok(Decoded::Needs(1));
    };
    if *colon != b':' || number.is_empty() {
        return Err(Error::Syntax(
            "a netstring begins with its length and a colon",
        ));
    }
    let Some((bytes, rest)) = rest.split_at_checked(length) else {
        return Ok(Decoded::Needs(length + 1 - rest.len()));
    };
    match rest.first() {
        Some(b',') => Ok(Decoded::Whole {
            value: bytes,
            used: digits + 1 + length + 1,
        }),
        Some(_) => Err(Error::Syntax("a netstring ends with a comma")),
        None => Ok(Decoded::Needs(1)),
    }
}

/// Writes `bytes` as one netstring.
#[must_use]
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut whole = bytes.len().to_string().into_bytes();
    whole.reserve(bytes.len() + 2);
    whole.push(b':');
    whole.extend_from_slice(bytes);
    whole.push(b',');
    whole
}

fn length(digits: &[u8], limit: usize) -> Result<usize, Error> {
    if digits.len() > 1 && digits.first() == Some(&b'0') {
        return Err(Error::Syntax(
            "the length of a netstring has no leading zeros",
        ));
    }
    digits
        .iter()
        .try_fold(0_usize, |length, digit| {
            length
                .checked_mul(10)?
                .checked_add(usize::from(digit - b'0'))
                .filter(|length| *length <= limit)
        })
        .ok_or(Error::TooLong { limit })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_netstring_is_taken_from_the_front() {
        let whole = Decoded::Whole {
            value: &b"hello"[..],
            used: 8,
        };
        assert_eq!(decode(b"5:hello,0:,", 5), Ok(whole));
        assert_eq!(
            decode(b"0:,", 5),
            Ok(Decoded::Whole {
                value: &b""[..],
                used: 3
            })
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        assert_eq!(decode(b"", 9), Ok(Decoded::Needs(1)));
        assert_eq!(decode(b"5", 9), Ok(Decoded::Needs(1)));
        assert_eq!(decode(b"5:he", 9), Ok(Decoded::Needs(4)));
        assert_eq!(decode(b"5:hello", 9), Ok(Decoded::Needs(1)));
    }

    #[test]
    fn a_length_above_the_limit_is_refused_before_its_bytes_come() {
        assert_eq!(decode(b"11", 10), Err(Error::TooLong { limit: 10 }));
        let many = [b'9'; 100];
        assert_eq!(
            decode(&many, usize::MAX),
            Err(Error::TooLong { limit: usize::MAX })
        );
    }

    #[test]
    fn broken_netstrings_are_refused() {
        for input in [
            &b":,"[..],
            b"x",
            b"05:hello,",
            b"5 hello,",
            b"5:hello;",
            b"-1:,",
            b"\n5:hello,",
        ] {
            assert!(decode(input, 10).is_err(), "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back_wherever_it_is_cut(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let whole = encode(&bytes);
            prop_assert_eq!(decode(&whole, 300), Ok(Decoded::Whole { value: &bytes[..], used: whole.len() }));
            for cut in 0..whole.len() {
                let Ok(Decoded::Needs(more)) = decode(&whole[..cut], 300) else { panic!("cut at {cut}") };
                prop_assert!(more >= 1 && cut + more <= whole.len());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), limit in 0_usize..70) {
            if let Ok(Decoded::Whole { used, .. }) = decode(&bytes, limit) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
