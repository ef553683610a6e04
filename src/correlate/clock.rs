//! Event time that only goes forward, and is not led astray by one wrong stamp.
//!
//! Records of different daemons and hosts step back and forth by seconds; a line that somebody wrote into the log may bear
//! any year. So a step of more than a day, either way, is believed after [`BELIEVED_AFTER`] records in a row.
//! A believed step back (archives read out of order) does not turn the clock back, it goes on from where it is.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

const DAY: i64 = 86_400 * 1_000_000;
const BELIEVED_AFTER: u32 = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Clock {
    now: Option<i64>,
    /// What the clock is ahead of event time.
    shift: i64,
    strange: u32,
}

impl Clock {
    /// Microseconds; meaningful only against each other.
    pub(super) fn now(&self) -> i64 {
        self.now.unwrap_or(0)
    }

    /// The latest believed event time.
    pub(super) fn event_time(&self) -> Timestamp {
        Timestamp::from_micros(self.now().saturating_sub(self.shift))
    }

    /// Sets a clock that has not been set.
    pub(super) fn start(&mut self, at: Timestamp) {
        self.now.get_or_insert_with(|| at.micros());
    }

    pub(super) fn advance(&mut self, at: Timestamp) {
        let at = at.micros().saturating_add(self.shift);
        let now = *self.now.get_or_insert(at);
        let step = at.saturating_sub(now);
        if step.unsigned_abs() <= DAY.unsigned_abs() {
            self.strange = 0;
            self.now = Some(now.max(at));
            return;
        }
        self.strange += 1;
        if self.strange >= BELIEVED_AFTER {
            self.strange = 0;
            if step > 0 {
                self.now = Some(at);
            } else {
                self.shift = self.shift.saturating_sub(step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_stamp_moves_nothing_and_many_are_believed() {
        let mut clock = Clock::default();
        clock.advance(Timestamp::from_seconds(1_000_000));
        clock.advance(Timestamp::from_seconds(999_990));
        clock.advance(Timestamp::from_seconds(4_000_000_000));
        assert_eq!(clock.event_time(), Timestamp::from_seconds(1_000_000));
        for _ in 0..BELIEVED_AFTER {
            clock.advance(Timestamp::from_seconds(2_000_000));
        }
        assert_eq!(clock.event_time(), Timestamp::from_seconds(2_000_000));
        let before = clock.now();
        for _ in 0..BELIEVED_AFTER {
            clock.advance(Timestamp::from_seconds(1_000_000));
        }
        clock.advance(Timestamp::from_seconds(1_000_001));
        assert_eq!(clock.event_time(), Timestamp::from_seconds(1_000_001));
        assert_eq!(clock.now() - before, 1_000_000);
    }
}
