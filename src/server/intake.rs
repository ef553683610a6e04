//! Where slowed senders are counted: the engine's [`Turnstile`] behind the one lock that lookups take, and only for mail of
//! a sender who is slowed.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    engine::{
        allowance::Lane,
        turnstile::{Asked, Pass, SLOWED, Turnstile},
        view::View,
    },
    time::Timestamp,
};

/// The time, for what asks no log line for it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// See the module's head.
pub struct Intake {
    turnstile: Mutex<Turnstile>,
    clock: Clock,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake")
            .field("turnstile", &self.turnstile)
            .finish_non_exhaustive()
    }
}

impl Intake {
    /// An intake with empty buckets.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            turnstile: Mutex::default(),
            clock,
        }
    }

    /// Questions that were answered with a refusal since the last call; forgets who is not slowed any more.
    #[must_use]
    pub fn tidy(&self, view: &View) -> u64 {
        self.turnstile().tidy(view)
    }

    /// The access(5) action for a question about a slowed sender's mail, if it is to be refused for now.
    pub(super) fn action(&self, pass: Pass, message: &str, asked: Asked) -> Option<String> {
        let now = (self.clock)();
        let lane = pass.lane;
        let wait = self.turnstile().admit(pass, now, message, asked).err()?;
        Some(refusal(lane, wait))
    }

    fn turnstile(&self) -> MutexGuard<'_, Turnstile> {
        // A thread that panicked while counting leaves usable buckets behind.
        self.turnstile
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the sender is told: RFC 3463 X.7.1, temporary.
fn refusal(lane: Lane, wait: Duration) -> String {
    let what = match lane {
        Lane::Usual => "more mail than usual from this sender",
        Lane::Novel => "much mail from a place that is new for this sender",
    };
    let minutes = wait.as_secs().div_ceil(60);
    format!("450 4.7.1 {SLOWED}{what}; try again in {minutes} min")
}
