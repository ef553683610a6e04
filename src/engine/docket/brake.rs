//! Too many automatic holds in too short a time stop further automatic action.

use std::time::Duration;

use crate::{
    engine::{docket::Docket, effect::Effect},
    policy::{Mode, Reason},
    time::Timestamp,
};

/// Too many automatic holds in too short a time stop further automatic action: then a person must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// So many automatic holds ...
    pub holds: usize,
    /// ... within this span are let through; what comes after them only observes.
    pub within: Duration,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            holds: 30,
            within: Duration::from_secs(3600),
        }
    }
}

impl Docket {
    pub(super) fn effective(&self, mode: Mode) -> Mode {
        if self.mode == Mode::Enforce {
            mode
        } else {
            Mode::Observe
        }
    }

    /// Whether the brake stops an automatic hold now; pulls it where the limit is reached.
    pub(super) fn brakes(&mut self, at: Timestamp) -> bool {
        while self
            .kept
            .holds
            .front()
            .is_some_and(|first| at.since(*first) > self.brake.within)
        {
            self.kept.holds.pop_front();
        }
        if !self.kept.braked && self.kept.holds.len() >= self.brake.holds {
            self.kept.braked = true;
            self.effects.push_back(Effect::Brake {
                at,
                holds: self.kept.holds.len(),
            });
        }
        self.kept.braked
    }

    pub(super) fn brake_reason(&self) -> Reason {
        let text = format!(
            "not enforced: the brake is on after {} automatic holds within {} minutes; a person must look",
            self.brake.holds,
            self.brake.within.as_secs() / 60
        );
        Reason {
            signal: "brake".to_owned(),
            text,
        }
    }
}
