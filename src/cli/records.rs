//! `postwarden records`.

use std::io::Write;

use crate::cli::{Context, Exit, Failure};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
/// As its documentation in the README says.
pub fn run(_args: &Args, _context: &Context, _out: &mut dyn Write) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, "not built yet"))
}
