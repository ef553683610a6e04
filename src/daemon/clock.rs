//! The one place that reads the clock.

use crate::time::Timestamp;

/// The time now, for inputs that carry none of their own.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the one place that may"
)]
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_micros(
        since
            .ok()
            .and_then(|span| i64::try_from(span.as_micros()).ok())
            .unwrap_or(0),
    )
}

/// A monotonic instant, for latencies and deadlines.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn instant() -> std::time::Instant {
    std::time::Instant::now()
}

/// The zone of this host, for stamps that carry none.
#[must_use]
pub fn zone() -> crate::time::Zone {
    crate::time::Zone::new(jiff::tz::TimeZone::system())
}
