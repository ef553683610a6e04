//! Where a line can be read in several ways: what all readings agree on.
//!
//! Before Postfix 3.5 (and with `info_log_address_format = internal`) an address stands in a line unquoted, so that
//! `to=<a> status=sent (x)@example.org>` is one address. Every `>` may then be its end; the one after which the rest of
//! the line parses is. Where more than one is, the line has two readings, and a member on which they differ is left out.
//!
//! Limits, both of unquoted addresses only: `to=<a@x>, orig_to=<b@y>, relay=...` is always read as two addresses, though
//! one recipient might be spelt so; and of a recipient so long that the real members are cut off, fakes in it are read.
//! Neither names another login: the queue ID stands before them.

/// How many readings are tried before a line counts as doubtful as a whole; honest lines need one or two.
const BUDGET: u32 = 256;

/// Members of a line of which two readings can be compared.
pub(super) trait Agree {
    /// Leaves out every member on which the other reading differs.
    fn agree(&mut self, other: &Self);
    /// Leaves out every member that is read in this way.
    fn doubt(&mut self);
}

/// Keeps a member only if the other reading has the same.
pub(super) fn keep<T: PartialEq + Copy>(member: &mut Option<T>, other: Option<T>) {
    if *member != other {
        *member = None;
    }
}

/// The readings of one line so far.
///
/// A reading is plain if none of its free texts holds what looks like a member. A line has all its members somewhere: a
/// reading that is not the true one has true members in one of its texts. So if any reading is plain, the true one is.
#[derive(Debug)]
pub(super) struct Readings<T> {
    /// What the plain readings agree on.
    plain: Option<T>,
    /// What the other readings agree on.
    other: Option<T>,
    tries: u32,
}

impl<T: Agree + Copy> Readings<T> {
    pub(super) const fn new() -> Self {
        Self {
            plain: None,
            other: None,
            tries: 0,
        }
    }

    /// One more reading that fits to the end.
    pub(super) fn add(&mut self, reading: T, plain: bool) {
        let readings = if plain {
            &mut self.plain
        } else {
            &mut self.other
        };
        match readings {
            Some(agreed) => agreed.agree(&reading),
            None => *readings = Some(reading),
        }
    }

    /// True while there is something left to try for.
    pub(super) const fn go_on(&mut self) -> bool {
        self.tries += 1;
        self.tries < BUDGET
    }

    /// What is certain; `None` if no reading fits.
    pub(super) fn certain(self) -> Option<T> {
        let mut certain = self.plain.or(self.other)?;
        if self.tries >= BUDGET {
            certain.doubt();
        }
        Some(certain)
    }
}

/// The ends that an address (what follows `<`) may have: each is the address and what follows its `>`.
///
/// A quoted local part is skipped as RFC 5321 4.1.2 has it; an unquoted address that holds a `>` must end in a domain.
pub(super) fn addresses(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = quoted_end(text);
    let from = quoted.unwrap_or(0);
    let ends = memchr::memchr_iter(b'>', text.as_bytes().get(from..).unwrap_or_default());
    // A well-formed quoted address ends at the first `>`.
    let limit = if quoted.is_some() { 1 } else { usize::MAX };
    ends.take(limit).enumerate().filter_map(move |(count, at)| {
        let (address, rest) = text.split_at_checked(from + at)?;
        (count == 0 || has_domain(address)).then_some((address, rest.get(1..)?))
    })
}

/// True for a quoted address whose quotes do not close: its end was cut off, and all that follows is its own.
pub(super) fn is_open(text: &str) -> bool {
    text.starts_with('"') && quoted_end(text).is_none()
}

/// The position behind `"..."` if an `@` follows.
fn quoted_end(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('"')?;
    let mut at = 1;
    let mut bytes = inside.bytes();
    loop {
        match bytes.next()? {
            b'\\' => {
                bytes.next()?;
                at += 2;
            }
            b'"' => {
                return text
                    .as_bytes()
                    .get(at + 1)
                    .filter(|c| **c == b'@')
                    .map(|_| at + 1);
            }
            _ => at += 1,
        }
    }
}

fn has_domain(address: &str) -> bool {
    address.rsplit_once('@').is_some_and(|(_, domain)| {
        let plain = |c: u8| {
            c.is_ascii_alphanumeric()
                || !c.is_ascii()
                || matches!(c, b'.' | b'-' | b'_' | b'[' | b']' | b':')
        };
        !domain.is_empty() && domain.bytes().all(plain)
    })
}
