//! One file per effect, idempotent, retried with a deadline: hold, release, purge, alert, evidence, publish.
//!
//! Nothing here decides and nothing here writes the record: a caller hands in what the record says, and writes down what
//! comes back. Every function may be called again after a crash with the same arguments. Time is an argument, and so is
//! waiting.

pub mod alert;
pub mod evidence;
pub mod hands;
pub mod hold;
pub mod publish;
pub mod release;
mod sheet;

/// What people call an incident: `PW-7`.
#[must_use]
pub fn incident_name(number: u64) -> String {
    format!("PW-{number}")
}
