//! `postwarden run`: the daemon.

use std::io::Write;

use crate::{
    cli::{Context, Exit, Failure},
    daemon,
    telemetry::log::{self, Format},
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Log lines as JSON
    #[arg(long)]
    log_json: bool,
    /// More in the log; may be repeated
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Runs until SIGTERM.
///
/// # Errors
/// See [`daemon::run`].
pub fn run(args: &Args, context: &Context, _out: &mut dyn Write) -> Result<Exit, Failure> {
    let format = if args.log_json {
        Format::Json
    } else {
        Format::Text
    };
    let verbosity = i8::try_from(args.verbose).unwrap_or(i8::MAX);
    log::init(format, verbosity)
        .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    daemon::run(&context.config)?;
    Ok(Exit::Ok)
}
