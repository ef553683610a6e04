//! Waiting for the outside world: with a deadline, and in a way that Ctrl-C ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{daemon::clock, demo::Error};

/// How often a state of the outside world is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Says to everyone in the world that the play is over. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Nobody has said so yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says so.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was said.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// [`Error::Interrupted`] as soon as the play is over.
    pub fn pass(&self, span: Duration) -> Result<(), Error> {
        self.until(clock::instant() + span)
    }

    /// Lets time pass until `end`.
    ///
    /// # Errors
    /// [`Error::Interrupted`] as soon as the play is over.
    pub fn until(&self, end: Instant) -> Result<(), Error> {
        loop {
            if self.requested() {
                return Err(Error::Interrupted);
            }
            let left = end.saturating_duration_since(clock::instant());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// Looks until `look` finds something; `what` names it in the error.
    ///
    /// # Errors
    /// [`Error::Late`] after `patience` (times `POSTWARDEN_TEST_SLOW`), [`Error::Interrupted`], or what `look` fails with.
    pub fn wait_for<T>(
        &self,
        what: &str,
        patience: Duration,
        mut look: impl FnMut() -> Result<Option<T>, Error>,
    ) -> Result<T, Error> {
        let begun = clock::instant();
        let patience = patience.mul_f64(slowness());
        loop {
            if let Some(found) = look()? {
                return Ok(found);
            }
            let waited = clock::instant().saturating_duration_since(begun);
            if waited > patience {
                let what = what.to_owned();
                return Err(Error::Late { what, waited });
            }
            self.pass(LOOK)?;
        }
    }
}

/// How much slower than usual this machine is said to be (`POSTWARDEN_TEST_SLOW`, 1 to 100).
#[must_use]
pub fn slowness() -> f64 {
    std::env::var("POSTWARDEN_TEST_SLOW")
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .map_or(1.0, |factor| factor.clamp(1.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_comes_is_named_in_the_error() {
        let error = Stop::new()
            .wait_for::<()>("the moon", Duration::from_millis(1), || Ok(None))
            .unwrap_err();
        assert!(error.to_string().contains("the moon"), "{error}");
    }

    #[test]
    fn the_end_of_the_play_ends_every_wait() {
        let stop = Stop::new();
        let other = stop.clone();
        other.request();
        let error = stop.pass(Duration::from_secs(3600)).unwrap_err();
        assert!(matches!(error, Error::Interrupted));
    }
}
