//! Stamps without a year or a zone become times: year inferred, daylight saving and backward steps borne.
//!
//! A log is read in the order in which it was written. Parsing a line needs no calendar and may happen on any thread;
//! stamps are resolved afterwards in the order of the lines, by one [`Calendar`] a log.
//!
//! What it promises: the first stamp without a year lands at or before the reference (the file's last change, or now);
//! a later one lands near the one before: forwards in its year, or back by less than half a year (a late line, a clock
//! that was wrong), else in the next year. Stamps that have a year do not sway those that have none. In the hour that
//! comes twice when daylight saving ends, a step back of most of an hour is taken for the second pass.
//! Limits: a log that is silent for half a year over new year, or that starts more than a year before the reference.

use std::time::Duration;

use crate::time::{Civil, Timestamp, Zone};

/// A step back that is no new year.
const BACKWARDS: Duration = Duration::from_secs(183 * 86_400);
/// A step forwards that is rather a late line of the year before.
const FORWARDS: Duration = Duration::from_secs(300 * 86_400);
/// How far a clock may be ahead of the reference.
const AHEAD: Duration = Duration::from_secs(2 * 86_400);
/// Records of different daemons are not in order; by more than this in the repeated hour they are.
const DISORDER: Duration = Duration::from_secs(300);

/// A time as a log line gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The line has none.
    Missing,
    /// With zone or offset, or an epoch.
    Absolute(Timestamp),
    /// A date with its year, in the zone of the log.
    Local(Civil),
    /// A date whose year is not given (the member is meaningless), in the zone of the log.
    Yearless(Civil),
}

/// Resolves the stamps of one log, in order.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: Zone,
    reference: Timestamp,
    last: Option<Timestamp>,
    /// The last stamp that had no year.
    yearless: Option<Timestamp>,
    /// The stamp resolved last: most lines have the one of the line before.
    resolved: Stamp,
    /// The minute resolved last, as it was written, and its beginning.
    minute: Option<(Stamp, Timestamp)>,
}

impl Calendar {
    /// For a log whose stamps without zone are of `zone`, and whose last line is not newer than `reference`.
    #[must_use]
    pub const fn new(zone: Zone, reference: Timestamp) -> Self {
        Self {
            zone,
            reference,
            last: None,
            yearless: None,
            resolved: Stamp::Missing,
            minute: None,
        }
    }

    /// The time of a stamp; of a missing one the time of the line before.
    #[inline]
    pub fn resolve(&mut self, stamp: Stamp) -> Timestamp {
        // Nothing changes by the same once more. A line without a stamp has the time of the one before.
        if stamp == self.resolved || stamp == Stamp::Missing {
            return self.last.unwrap_or(self.reference);
        }
        self.resolved = stamp;
        self.new_stamp(stamp)
    }

    fn new_stamp(&mut self, stamp: Stamp) -> Timestamp {
        let at = match stamp {
            Stamp::Missing => return self.last.unwrap_or(self.reference),
            Stamp::Absolute(at) => at,
            Stamp::Local(civil) | Stamp::Yearless(civil) => self.in_zone(stamp, civil),
        };
        if matches!(stamp, Stamp::Yearless(_)) {
            self.yearless = Some(at);
        }
        self.last = Some(at);
        at
    }

    fn in_zone(&mut self, stamp: Stamp, civil: Civil) -> Timestamp {
        let start = Civil {
            second: 0,
            micros: 0,
            ..civil
        };
        let minute = match stamp {
            Stamp::Yearless(_) => Stamp::Yearless(start),
            _ => Stamp::Local(start),
        };
        let base = match self.minute {
            Some((known, base)) if known == minute => base,
            _ => {
                let base = match minute {
                    Stamp::Yearless(_) => self.with_year(start),
                    _ => self.in_order(start),
                };
                self.minute = Some((minute, base));
                base
            }
        };
        let micros = i64::from(civil.second) * 1_000_000 + i64::from(civil.micros);
        Timestamp::from_micros(base.micros().saturating_add(micros))
    }

    /// The year that fits what came before, else the reference.
    fn with_year(&self, civil: Civil) -> Timestamp {
        let year = Civil::from_utc(self.yearless.unwrap_or(self.reference)).year;
        let of = |year| self.in_order(Civil { year, ..civil });
        let Some(last) = self.yearless else {
            return [year + 1, year, year - 1]
                .into_iter()
                .filter(|year| civil.month != 2 || civil.day != 29 || leap(*year))
                .map(of)
                .find(|at| *at <= self.reference + AHEAD)
                .unwrap_or_else(|| of(year - 1));
        };
        let same = of(year);
        if same + BACKWARDS < last {
            of(year + 1)
        } else if same > last + FORWARDS && same > self.reference + AHEAD {
            of(year - 1)
        } else {
            same
        }
    }

    /// Of the two times of a repeated hour the first, unless the log is already past it.
    fn in_order(&self, civil: Civil) -> Timestamp {
        let first = self.zone.resolve(civil);
        let Some(last) = self.last.filter(|last| first + DISORDER < *last) else {
            return first;
        };
        let offset = |at| i64::from(self.zone.offset_at(at));
        let later = offset(first + Duration::from_secs(2 * 3600));
        let second = Timestamp::from_micros(civil.as_utc().micros() - later * 1_000_000);
        if second > first && offset(second) == later && second <= last + Duration::from_secs(3600) {
            second
        } else {
            first
        }
    }
}

const fn leap(year: i32) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text.as_bytes()).unwrap()
    }

    fn yearless(text: &str) -> Stamp {
        Stamp::Yearless(Civil::parse(format!("2000-{text}").as_bytes()).unwrap().0)
    }

    fn read(zone: Zone, reference: &str, stamps: &[&str]) -> Vec<String> {
        let mut calendar = Calendar::new(zone, utc(reference));
        stamps
            .iter()
            .map(|s| {
                calendar
                    .resolve(yearless(s))
                    .to_string()
                    .replace(".000000Z", "")
            })
            .collect()
    }

    #[test]
    fn the_year_comes_from_the_reference_and_steps_at_new_year() {
        let got = read(
            Zone::utc(),
            "2027-01-03T10:00:00Z",
            &[
                "12-30T23:00:00",
                "12-31T23:59:59",
                "01-01T00:00:01",
                "12-31T23:59:58",
                "01-02T00:00:00",
            ],
        );
        assert_eq!(
            got,
            [
                "2026-12-30T23:00:00",
                "2026-12-31T23:59:59",
                "2027-01-01T00:00:01",
                "2026-12-31T23:59:58",
                "2027-01-02T00:00:00"
            ]
        );
    }

    #[test]
    fn a_silence_of_months_goes_forwards() {
        let got = read(
            Zone::utc(),
            "2026-11-01T00:00:00Z",
            &["01-05T00:00:00", "10-01T00:00:00", "10-31T00:00:00"],
        );
        assert_eq!(
            got,
            [
                "2026-01-05T00:00:00",
                "2026-10-01T00:00:00",
                "2026-10-31T00:00:00"
            ]
        );
    }

    #[test]
    fn a_clock_that_was_wrong_for_a_line_does_not_change_the_year() {
        let got = read(
            Zone::utc(),
            "2026-12-01T00:00:00Z",
            &[
                "03-20T00:00:00",
                "01-01T00:00:05",
                "03-20T00:00:10",
                "11-20T00:00:00",
                "01-01T00:00:05",
                "11-20T00:00:10",
            ],
        );
        assert_eq!(got[2], "2026-03-20T00:00:10");
        assert_eq!(got[5], "2026-11-20T00:00:10");
    }

    #[test]
    fn a_stamp_with_a_year_does_not_sway_those_without() {
        let mut calendar = Calendar::new(Zone::utc(), utc("2026-11-24T00:00:00Z"));
        calendar.resolve(yearless("11-20T00:00:00"));
        calendar.resolve(Stamp::Absolute(utc("2019-01-01T00:00:00Z")));
        let at = calendar.resolve(yearless("11-20T00:01:00"));
        assert_eq!(at, utc("2026-11-20T00:01:00Z"));
    }

    #[test]
    fn a_leap_day_belongs_to_a_leap_year() {
        assert_eq!(
            read(Zone::utc(), "2026-11-01T00:00:00Z", &["02-28T12:00:00"]),
            ["2026-02-28T12:00:00"]
        );
        assert_eq!(
            read(Zone::utc(), "2025-01-01T00:00:00Z", &["02-29T12:00:00"]),
            ["2024-02-29T12:00:00"]
        );
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_by_the_order_of_lines() {
        let zone = Zone::new(jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let got = read(
            zone,
            "2026-11-01T00:00:00Z",
            &[
                "10-25T02:10:00",
                "10-25T02:59:59",
                "10-25T02:59:58",
                "10-25T02:00:01",
                "10-25T02:30:00",
                "10-25T03:00:00",
            ],
        );
        assert_eq!(
            got,
            [
                "2026-10-25T00:10:00",
                "2026-10-25T00:59:59",
                "2026-10-25T00:59:58",
                "2026-10-25T01:00:01",
                "2026-10-25T01:30:00",
                "2026-10-25T02:00:00"
            ]
        );
    }

    #[test]
    fn a_line_without_a_stamp_has_the_time_of_the_one_before() {
        let mut calendar = Calendar::new(Zone::utc(), utc("2026-11-01T00:00:00Z"));
        assert_eq!(
            calendar.resolve(Stamp::Missing),
            utc("2026-11-01T00:00:00Z")
        );
        calendar.resolve(Stamp::Absolute(utc("2026-10-01T00:00:00Z")));
        assert_eq!(
            calendar.resolve(Stamp::Missing),
            utc("2026-10-01T00:00:00Z")
        );
    }
}
