//! Time as an input: UTC microseconds, calendar arithmetic, zones. Nothing here reads a clock.
//!
//! A [`Timestamp`] comes from a log line, a queue file or, in the one place that may, `daemon::clock`.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z (leap seconds not counted).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Later than anything a log can say.
    pub const FAR_FUTURE: Self = Self(i64::MAX);

    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds since the epoch with their fraction.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of this millennium fit in 53 bits"
    )]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Days since the epoch in UTC, rounded down.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.seconds().div_euclid(86_400)
    }

    /// How much later this is than `earlier`; zero if it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Signed seconds from `earlier` to this.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "a span of log time fits in 53 bits of microseconds"
    )]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e6
    }

    /// Reads RFC 3339: `2026-11-23T08:25:50[.213851](Z|+01:00)`, `T` or blank between date and time.
    #[must_use]
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        let (civil, rest) = Civil::parse(text)?;
        let offset = match rest {
            [b'Z' | b'z'] => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
                let (h, m) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
                let seconds = (i64::from(h) * 60 + i64::from(m)) * 60;
                if *sign == b'-' { -seconds } else { seconds }
            }
            _ => return None,
        };
        Some(Self(civil.as_utc().0.saturating_sub(offset * 1_000_000)))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)),
        )
    }
}

/// RFC 3339 in UTC with microseconds: `2026-11-23T08:25:50.213851Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = Civil::from_utc(*self);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            c.year, c.month, c.day, c.hour, c.minute, c.second, c.micros
        )
    }
}

/// A date and a time of day without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// Gregorian year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60 (a leap second is counted as the next second).
    pub second: u8,
    /// 0 to 999,999.
    pub micros: u32,
}

impl Civil {
    /// This date and time read as UTC.
    #[must_use]
    pub fn as_utc(self) -> Timestamp {
        let days = days_from_civil(i64::from(self.year), self.month, self.day);
        let seconds = days * 86_400
            + i64::from(self.hour) * 3600
            + i64::from(self.minute) * 60
            + i64::from(self.second);
        Timestamp(seconds * 1_000_000 + i64::from(self.micros))
    }

    /// The date and time of day in UTC.
    #[must_use]
    pub fn from_utc(at: Timestamp) -> Self {
        let seconds = at.seconds();
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400);
        let small = |n: i64| u8::try_from(n).unwrap_or(0);
        Self {
            year: i32::try_from(year).unwrap_or(i32::MAX),
            month,
            day,
            hour: small(of_day / 3600),
            minute: small(of_day / 60 % 60),
            second: small(of_day % 60),
            micros: u32::try_from(at.0.rem_euclid(1_000_000)).unwrap_or(0),
        }
    }

    /// Reads `YYYY-MM-DD[T ]HH:MM:SS[.fraction]` at the start; returns it and what follows.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<(Self, &[u8])> {
        let [
            y1,
            y2,
            y3,
            y4,
            b'-',
            o1,
            o2,
            b'-',
            d1,
            d2,
            b'T' | b't' | b' ',
            h1,
            h2,
            b':',
            m1,
            m2,
            b':',
            s1,
            s2,
            rest @ ..,
        ] = text
        else {
            return None;
        };
        let year = i32::from(two_digits(*y1, *y2)?) * 100 + i32::from(two_digits(*y3, *y4)?);
        let (micros, rest) = fraction(rest);
        let civil = Self {
            year,
            month: two_digits(*o1, *o2)?,
            day: two_digits(*d1, *d2)?,
            hour: two_digits(*h1, *h2)?,
            minute: two_digits(*m1, *m2)?,
            second: two_digits(*s1, *s2)?,
            micros,
        };
        civil.is_plausible().then_some((civil, rest))
    }

    /// True when every field is within its range.
    #[must_use]
    pub const fn is_plausible(&self) -> bool {
        matches!(self.month, 1..=12)
            && matches!(self.day, 1..=31)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
            && self.micros < 1_000_000
    }
}

/// Reads `.213851` (1 to 9 digits, cut to microseconds); no point or no digit: zero.
fn fraction(text: &[u8]) -> (u32, &[u8]) {
    let Some((b'.' | b',', digits)) = text.split_first() else {
        return (0, text);
    };
    let count = digits.iter().take_while(|c| c.is_ascii_digit()).count();
    if count == 0 {
        return (0, text);
    }
    let mut micros = 0;
    for place in 0..6 {
        let digit = digits
            .get(place)
            .filter(|_| place < count)
            .map_or(0, |c| u32::from(c - b'0'));
        micros = micros * 10 + digit;
    }
    (micros, digits.get(count..).unwrap_or_default())
}

const fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Some((tens - b'0') * 10 + (ones - b'0'))
    } else {
        None
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (
        year,
        u8::try_from(month).unwrap_or(1),
        u8::try_from(day).unwrap_or(1),
    )
}

/// The zone in which stamps without one, and hours of the week, are read.
#[derive(Clone, Debug)]
pub struct Zone(jiff::tz::TimeZone);

impl Zone {
    /// UTC.
    #[must_use]
    pub const fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// A zone that the caller found (the system's, or one by name).
    #[must_use]
    pub const fn new(zone: jiff::tz::TimeZone) -> Self {
        Self(zone)
    }

    /// Seconds east of UTC at that time.
    #[must_use]
    pub fn offset_at(&self, at: Timestamp) -> i32 {
        jiff::Timestamp::from_second(at.seconds()).map_or(0, |t| self.0.to_offset(t).seconds())
    }

    /// The time at which clocks of the zone show `civil`; of two such times the first, in a gap the time after it.
    #[must_use]
    pub fn resolve(&self, civil: Civil) -> Timestamp {
        let naive = civil.as_utc();
        let by = |offset: i32| Timestamp(naive.0.saturating_sub(i64::from(offset) * 1_000_000));
        let early = by(self.offset_at(by(self.offset_at(naive - Duration::from_secs(86_400)))));
        if self.offset_at(early) == self.offset_at(naive - Duration::from_secs(86_400)) {
            return by(self.offset_at(naive - Duration::from_secs(86_400)));
        }
        by(self.offset_at(early))
    }

    /// Hour of the day (0 to 23) and whether it is Saturday or Sunday, in this zone.
    #[must_use]
    pub fn hour_and_weekend(&self, at: Timestamp) -> (u8, bool) {
        let local = at.seconds() + i64::from(self.offset_at(at));
        let hour = u8::try_from(local.div_euclid(3600).rem_euclid(24)).unwrap_or(0);
        // 1970-01-01 was a Thursday.
        (hour, (local.div_euclid(86_400) + 3).rem_euclid(7) >= 5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_stamp_prints_as_it_was_read() {
        for text in [
            "1970-01-01T00:00:00.000000Z",
            "2026-11-23T08:25:50.213851Z",
            "2024-02-29T23:59:59.999999Z",
            "1969-12-31T23:59:59.000001Z",
        ] {
            assert_eq!(utc(text).to_string(), text);
        }
    }

    #[test]
    fn an_offset_is_taken_off() {
        assert_eq!(
            utc("2026-11-23T09:25:50.5+01:00"),
            utc("2026-11-23T08:25:50.5Z")
        );
        assert_eq!(utc("2026-11-23 02:25:50-0600"), utc("2026-11-23T08:25:50Z"));
    }

    #[test]
    fn nonsense_is_no_stamp() {
        for text in [
            "",
            "2026-13-01T00:00:00Z",
            "2026-11-23T08:25:50",
            "2026-11-23T08:25:50+1:00",
            "2026-11-23T24:00:00Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_repeated_hour_is_the_first_and_the_missing_hour_the_one_after() {
        let zone = Zone::new(jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let at = |text: &str| zone.resolve(Civil::parse(text.as_bytes()).unwrap().0);
        assert_eq!(at("2026-07-01T12:00:00"), utc("2026-07-01T10:00:00Z"));
        assert_eq!(at("2026-01-01T12:00:00"), utc("2026-01-01T11:00:00Z"));
        assert_eq!(at("2026-10-25T02:30:00"), utc("2026-10-25T00:30:00Z"));
        assert_eq!(at("2026-03-29T03:30:00"), utc("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn a_week_has_a_weekend() {
        assert_eq!(
            Zone::utc().hour_and_weekend(utc("2026-11-22T23:59:59Z")),
            (23, true)
        );
        assert_eq!(
            Zone::utc().hour_and_weekend(utc("2026-11-23T00:00:00Z")),
            (0, false)
        );
    }
}
