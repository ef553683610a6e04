//! The stamps of plain log lines, and what may stand before and after them.

use crate::{
    postfix::calendar::Stamp,
    time::{Civil, Timestamp},
};

/// The stamps read last, by their bytes: most lines share a second with the line before, nearly all a minute.
#[derive(Debug)]
pub(super) struct Memory {
    /// A traditional stamp and its blank.
    second: [u8; 16],
    civil: Civil,
    /// `2026-11-23T08:25:`.
    minute: [u8; 17],
    /// Its beginning, as if it were UTC.
    start: Timestamp,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            second: [0; 16],
            civil: Civil::from_utc(Timestamp::EPOCH),
            minute: [0; 17],
            start: Timestamp::EPOCH,
        }
    }
}

impl Memory {
    /// What [`take`] finds, for the two kinds of stamp that nearly all logs have.
    #[inline]
    pub(super) fn take<'a>(&mut self, text: &'a str) -> Option<(Stamp, &'a str)> {
        let bytes = text.as_bytes();
        let second = bytes.first_chunk::<16>()?;
        if *second != self.second {
            if second.first().is_some_and(u8::is_ascii_digit) {
                return self.rfc3339(text);
            }
            self.civil = traditional(bytes)?;
            self.second = *second;
        }
        Some((Stamp::Yearless(self.civil), text.get(15..)?))
    }

    /// `2026-11-23T08:25:50.213851+00:00 `.
    fn rfc3339<'a>(&mut self, text: &'a str) -> Option<(Stamp, &'a str)> {
        let bytes = text.as_bytes();
        let (minute, rest) = bytes.split_first_chunk::<17>()?;
        if *minute != self.minute {
            let (civil, _) = Civil::parse(bytes)?;
            self.start = Civil {
                second: 0,
                micros: 0,
                ..civil
            }
            .as_utc();
            self.minute = *minute;
        }
        let (clock, rest) = rest.split_first_chunk::<9>()?;
        let [s1, s2, b'.', fraction @ ..] = clock else {
            return None;
        };
        let two = |tens: &u8, ones: &u8| {
            let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
            (tens < 10 && ones < 10).then(|| i64::from(tens * 10 + ones))
        };
        let [f1, f2, f3, f4, f5, f6] = fraction;
        let seconds = two(s1, s2).filter(|seconds| *seconds < 60)?;
        let micros = two(f1, f2)? * 10_000 + two(f3, f4)? * 100 + two(f5, f6)?;
        let (east, end) = match rest {
            [b'Z', b' ', ..] => (0, 27),
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, b' ', ..] => {
                let east = (two(h1, h2)? * 60 + two(m1, m2)?) * 60;
                (if *sign == b'-' { -east } else { east }, 32)
            }
            _ => return None,
        };
        let at = self.start.micros() + (seconds - east) * 1_000_000 + micros;
        let stamp = Stamp::Absolute(Timestamp::from_micros(at));
        Some((stamp, text.get(end..)?))
    }
}

/// Reads the stamp at the start of a line; returns it and what follows.
pub(super) fn take(text: &str) -> Option<(Stamp, &str)> {
    let bytes = text.as_bytes();
    if let Some(civil) = traditional(bytes) {
        return Some((Stamp::Yearless(civil), text.get(15..)?));
    }
    let (stamp, rest) = match bytes.first()? {
        b'0'..=b'9' => numeric(bytes)?,
        b'A'..=b'Z' => named(bytes, None).or_else(|| weekday(bytes))?,
        _ => return None,
    };
    // All that was read is ASCII: the rest starts at a character.
    let rest = text.get(bytes.len() - rest.len()..)?;
    Some((stamp, rest.strip_prefix(':').unwrap_or(rest)))
}

/// `Nov  3 08:25:50 ` and nothing else: what most lines of most logs start with.
fn traditional(bytes: &[u8]) -> Option<Civil> {
    let [
        a,
        b,
        c,
        b' ',
        d1,
        d2,
        b' ',
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        b' ',
        ..,
    ] = bytes
    else {
        return None;
    };
    let two = |tens: &u8, ones: &u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| tens * 10 + ones)
    };
    let civil = Civil {
        year: 2000,
        month: month([*a, *b, *c])?,
        day: two(if *d1 == b' ' { &b'0' } else { d1 }, d2)?,
        hour: two(h1, h2)?,
        minute: two(m1, m2)?,
        second: two(s1, s2)?,
        micros: 0,
    };
    civil.is_plausible().then_some(civil)
}

/// `2026-11-23T08:25:50.213851+00:00`, `2026-11-23 08:25:50`, `2013 Jun 10 06:27:30.123`, seconds since the epoch.
fn numeric(bytes: &[u8]) -> Option<(Stamp, &[u8])> {
    if let Some((civil, rest)) = Civil::parse(bytes) {
        // `2024-04-09 20:22:42 +0200`, `... UTC`.
        let spaced = rest.strip_prefix(b" ").filter(|zone| {
            zone.starts_with(b"+") || zone.starts_with(b"UTC ") || zone.starts_with(b"Z ")
        });
        let zone = spaced.map_or(rest, |zone| zone.strip_prefix(b"UT").unwrap_or(zone));
        let (offset, rest) = match offset(zone) {
            Some((offset, rest)) => (Some(offset), rest),
            None => (None, rest),
        };
        let stamp = offset.map_or(Stamp::Local(civil), |seconds| {
            Stamp::Absolute(Timestamp::from_micros(
                civil.as_utc().micros() - seconds * 1_000_000,
            ))
        });
        return Some((stamp, rest));
    }
    let digits = bytes.iter().take_while(|c| c.is_ascii_digit()).count();
    let number = number(bytes.get(..digits)?)?;
    let rest = bytes.get(digits..)?;
    match digits {
        4 => named(rest.strip_prefix(b" ")?, i32::try_from(number).ok()),
        10 => {
            let (micros, rest) = fraction(rest);
            let at = number * 1_000_000 + i64::from(micros);
            rest.starts_with(b" ")
                .then_some((Stamp::Absolute(Timestamp::from_micros(at)), rest))
        }
        _ => None,
    }
}

/// `Z`, `+01:00`, `+0100`, `+01` as seconds east of UTC.
fn offset(rest: &[u8]) -> Option<(i64, &[u8])> {
    let (first, rest) = rest.split_first()?;
    let sign = match first {
        // The C is what is left of UTC.
        b'Z' | b'z' | b'C' => return Some((0, rest)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = rest.split_at_checked(2)?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let (minutes, rest) = match rest.split_at_checked(2) {
        Some((minutes, rest)) if minutes.iter().all(u8::is_ascii_digit) => (number(minutes)?, rest),
        _ => (0, rest),
    };
    Some((sign * (number(hours)? * 60 + minutes) * 60, rest))
}

/// `Nov  3 08:25:50`, `Nov 03 08:25:50.123`, `Nov 3 2026 08:25:50`.
fn named(bytes: &[u8], year: Option<i32>) -> Option<(Stamp, &[u8])> {
    let (name, rest) = bytes.split_first_chunk::<3>()?;
    let month = month(*name)?;
    let (day, rest) = small(blanks(rest)?)?;
    let rest = blanks(rest)?;
    let (year, rest) = match (year, rest) {
        (None, [a, b, c, d, b' ', rest @ ..])
            if [a, b, c, d].iter().all(|c| c.is_ascii_digit()) =>
        {
            (i32::try_from(number(&[*a, *b, *c, *d])?).ok(), rest)
        }
        _ => (year, rest),
    };
    let (hour, rest) = small(rest)?;
    let (minute, rest) = small(rest.strip_prefix(b":")?)?;
    let (second, rest) = small(rest.strip_prefix(b":")?)?;
    let (micros, rest) = fraction(rest);
    let civil = Civil {
        year: year.unwrap_or(2000),
        month,
        day,
        hour,
        minute,
        second,
        micros,
    };
    if !civil.is_plausible() {
        return None;
    }
    let stamp = if year.is_some() {
        Stamp::Local(civil)
    } else {
        Stamp::Yearless(civil)
    };
    Some((stamp, rest))
}

const fn month(name: [u8; 3]) -> Option<u8> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// `Mon Nov  3 08:25:50 2026`, `Mon 2026-11-23 08:25:50 UTC`: what follows the weekday.
fn weekday(bytes: &[u8]) -> Option<(Stamp, &[u8])> {
    let (name, rest) = bytes.split_at_checked(3)?;
    [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"]
        .iter()
        .find(|day| ***day == name)?;
    let rest = blanks(rest.strip_prefix(b",").unwrap_or(rest))?;
    if let Some((stamp, rest)) = named(rest, None) {
        if let (Stamp::Yearless(civil), [b' ', a, b, c, d, b' ', ..]) = (stamp, rest)
            && let Some(year) = number(&[*a, *b, *c, *d])
        {
            let year = i32::try_from(year).ok()?;
            return Some((Stamp::Local(Civil { year, ..civil }), rest.get(5..)?));
        }
        return Some((stamp, rest));
    }
    let (civil, rest) = Civil::parse(rest)?;
    let rest = blanks(rest)?;
    let word = rest.iter().take_while(|c| **c != b' ').count();
    let stamp = match rest.get(..word)? {
        b"UTC" | b"GMT" | b"Z" => Stamp::Absolute(civil.as_utc()),
        _ => Stamp::Local(civil),
    };
    Some((stamp, rest.get(word..)?))
}

/// One or two digits.
fn small(bytes: &[u8]) -> Option<(u8, &[u8])> {
    match bytes {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => Some(((a - b'0') * 10 + b - b'0', rest)),
        [a @ b'0'..=b'9', rest @ ..] => Some((a - b'0', rest)),
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    (digits.len() <= 10 && !digits.is_empty()).then_some(())?;
    digits.iter().try_fold(0_i64, |sum, c| {
        c.is_ascii_digit().then(|| sum * 10 + i64::from(c - b'0'))
    })
}

/// At least one blank.
fn blanks(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b" ")?;
    while let Some(more) = rest.strip_prefix(b" ") {
        rest = more;
    }
    Some(rest)
}

/// `.213851`, cut to microseconds.
fn fraction(bytes: &[u8]) -> (u32, &[u8]) {
    let Some((b'.' | b',', digits)) = bytes.split_first() else {
        return (0, bytes);
    };
    let count = digits.iter().take_while(|c| c.is_ascii_digit()).count();
    if count == 0 {
        return (0, bytes);
    }
    let micros = (0..6).fold(0, |sum, place| {
        let digit = digits.get(place).filter(|_| place < count);
        sum * 10 + digit.map_or(0, |c| u32::from(c - b'0'))
    });
    (micros, digits.get(count..).unwrap_or_default())
}

/// What follows `<22>`.
pub(super) fn skip_priority(line: &str) -> &str {
    let number = line
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .filter(|(number, _)| {
            (1..=3).contains(&number.len()) && number.bytes().all(|c| c.is_ascii_digit())
        });
    number.map_or(line, |(_, rest)| rest)
}

/// What follows the structured data of RFC 5424 6.3: `-`, or elements in brackets whose values are quoted.
pub(super) fn skip_structured_data(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('-') {
        return Some(rest);
    }
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
    for (at, c) in text.bytes().enumerate() {
        match c {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' if !quoted => depth += 1,
            b']' if !quoted => depth = depth.checked_sub(1)?,
            _ if depth == 0 => return (at > 0).then(|| text.get(at..)).flatten(),
            _ => {}
        }
    }
    None
}
