//! `learn LOG...`: fills the profiles from old logs, before the first day.

use std::{io::Write, path::PathBuf};

use crate::{
    cli::{
        Context, Exit, Failure,
        archives::{bar, failed},
        desk,
        records::zone,
        wording::moment,
    },
    daemon::{
        clock,
        learn::{self, Lesson},
    },
    source::history::History,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Log files, compressed or not, in any order; `-` is standard input
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    /// Zone of stamps without one (a name, or UTC); default: the system's
    #[arg(long)]
    tz: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Learns, and says how much.
///
/// # Errors
/// A daemon runs (75), there are profiles already or a log cannot be read (65).
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let zone = zone(args.tz.as_deref())?;
    let mut history =
        History::open(&args.logs, &zone, clock::now()).map_err(|error| failed(&error))?;
    let mut lesson = Lesson::open(&config)?;
    let bar = bar(history.total_bytes());
    learn::each_line(
        &mut history,
        &zone,
        &mut |place| bar.set_position(place.done_bytes),
        &mut Err,
        &mut |reader, line| lesson.line(reader, line),
    )
    .map_err(|error| failed(&error).hint("nothing was learned; leave that log out"))?;
    bar.finish_and_clear();
    let learned = lesson.finish()?;
    if args.json {
        writeln!(out, "{}", learned.to_json())?;
        return Ok(Exit::Ok);
    }
    let day = |at: Option<crate::time::Timestamp>| at.map(moment).unwrap_or_default();
    writeln!(
        out,
        "{} senders learned from {} delivery attempts, {} to {} ({} lines, {} not understood)",
        learned.senders,
        learned.attempts,
        day(learned.first),
        day(learned.last),
        learned.lines,
        learned.unparsed,
    )?;
    if learned.incidents > 0 {
        writeln!(
            out,
            "{} times an account looked compromised; that mail was not learned. `replay` says which.",
            learned.incidents
        )?;
    }
    Ok(Exit::Ok)
}
