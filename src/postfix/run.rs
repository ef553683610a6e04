//! How far a short text is made of such bytes, eight at a time: the members of a line are too short for a search to pay.

/// Each byte of a word the same.
const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The high bit of each byte that is not from `first` to `last` (both ASCII); above the first such byte, anything.
const fn outside(word: u64, first: u8, last: u8) -> u64 {
    // No byte below 0x80 carries into the next one; one that is not below is itself outside.
    let above = word.wrapping_add(each(0x7F - last));
    let reaches = word.wrapping_add(each(0x80 - first));
    (word | above | !reaches) & each(0x80)
}

/// The high bit of each byte that is this one; above the first such byte, anything.
const fn is(word: u64, byte: u8) -> u64 {
    let same = word ^ each(byte);
    same.wrapping_sub(each(1)) & !same & each(0x80)
}

/// The length of a text up to the first blank, colon or `[`; all of it if there is none.
#[inline]
pub(super) fn of_tag(bytes: &[u8]) -> usize {
    length(
        bytes,
        |word| is(word, b'[') | is(word, b' ') | is(word, b':'),
        |byte| !matches!(byte, b'[' | b' ' | b':'),
    )
}

/// The length of the run of letters and digits that a text starts with.
#[inline]
pub(super) fn alphanumeric(bytes: &[u8]) -> usize {
    length(
        bytes,
        |word| {
            let folded = word | each(0x20);
            outside(word, b'0', b'9') & outside(folded, b'a', b'z')
        },
        |byte| byte.is_ascii_alphanumeric(),
    )
}

/// The length of the run of `-./0123456789` that a text starts with.
#[inline]
pub(super) fn numeric(bytes: &[u8]) -> usize {
    length(
        bytes,
        |word| outside(word, b'-', b'9'),
        |byte| matches!(byte, b'-'..=b'9'),
    )
}

#[inline]
fn length(bytes: &[u8], outside: impl Fn(u64) -> u64, inside: impl Fn(u8) -> bool) -> usize {
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        let found = outside(u64::from_le_bytes(*chunk));
        if found != 0 {
            let place = usize::try_from(found.trailing_zeros() / 8).unwrap_or(0);
            return bytes.len() - rest.len() + place;
        }
        rest = after;
    }
    let tail = rest.iter().take_while(|byte| inside(**byte)).count();
    bytes.len() - rest.len() + tail
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plainly(bytes: &[u8], inside: impl Fn(u8) -> bool) -> usize {
        bytes.iter().take_while(|byte| inside(**byte)).count()
    }

    #[test]
    fn every_byte_ends_a_run_or_does_not_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                let mut text = [b'7'; 20];
                text[place] = byte;
                assert_eq!(
                    alphanumeric(&text),
                    plainly(&text, |byte| byte.is_ascii_alphanumeric())
                );
                assert_eq!(
                    numeric(&text),
                    plainly(&text, |byte| matches!(byte, b'-'..=b'9'))
                );
                assert_eq!(
                    of_tag(&text),
                    plainly(&text, |byte| !matches!(byte, b'[' | b' ' | b':'))
                );
            }
        }
    }

    proptest! {
        #[test]
        fn a_run_is_as_long_as_a_plain_count_says(text in "[0-9A-Za-z./:, äß{@`-]{0,40}") {
            let bytes = text.as_bytes();
            prop_assert_eq!(alphanumeric(bytes), plainly(bytes, |byte| byte.is_ascii_alphanumeric()));
            prop_assert_eq!(numeric(bytes), plainly(bytes, |byte| matches!(byte, b'-'..=b'9')));
            prop_assert_eq!(of_tag(bytes), plainly(bytes, |byte| !matches!(byte, b'[' | b' ' | b':')));
        }
    }
}
