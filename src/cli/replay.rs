//! `replay LOG...`: whom these policies would have held on old logs, when, why, and how much had left.
//!
//! The same engine as the daemon's, fed with the same lines at the same event times: on the same log it decides what the
//! daemon decided.

use std::{io::Write, path::PathBuf};

use serde_json::json;

use crate::{
    cli::{
        Context, Exit, Failure,
        facts::{Read, each_batch},
        records::zone,
        table::plain,
        wording::{moment, verdict_json},
    },
    config::{self, Need},
    daemon::{self, clock},
    engine::{
        Batch, Engine, Input,
        effect::{Effect, VerdictChange},
    },
    policy::{Mode, Verdict},
    time::Timestamp,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Log files, compressed or not, in any order; `-` is standard input
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    /// Policies to try in place of the shipped and the configured ones; a directory of overrides only is laid over the shipped ones
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Zone of stamps without one (a name, or UTC); default: the system's
    #[arg(long)]
    tz: Option<String>,
    /// One JSON object a verdict, and a summary
    #[arg(long)]
    json: bool,
}

/// Replays.
///
/// # Errors
/// Wrong configuration or policies (78), or a log that cannot be read (65).
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let wrong = |found: config::Diagnostics| Failure::new(Exit::Config, found.to_string());
    let mut config = config::load(&context.config, Need::Words).map_err(wrong)?;
    // Replaying decides as if it might act; what a policy only observes stays observed.
    config.mode = Mode::Enforce;
    if let Some(directory) = &args.policies {
        config.policies.clone_from(directory);
        config.policies_alone = true;
    }
    let zone = zone(args.tz.as_deref())?;
    let mut setup = daemon::setup(&config, [0; 32], zone.clone()).map_err(wrong)?;
    setup.ledger.persistent = false;
    let start = clock::instant();
    let mut replay = Replay {
        engine: Engine::new(setup),
        out,
        json: args.json,
        incidents: 0,
    };
    let clerk = replay.engine.clerk();
    let read = each_batch(&args.logs, &zone, clerk, |batch| replay.hear(batch))?;
    if let Some(end) = read.end() {
        replay.feed(end, Input::Tick)?;
    }
    replay.summary(&read, start.elapsed().as_micros())?;
    Ok(Exit::Ok)
}

struct Replay<'o> {
    engine: Engine,
    out: &'o mut dyn Write,
    json: bool,
    incidents: u64,
}

impl Replay<'_> {
    fn hear(&mut self, batch: &Batch) -> std::io::Result<()> {
        for (at, told) in batch.iter() {
            self.feed(at, Input::Told(&told))?;
        }
        Ok(())
    }

    fn feed(&mut self, at: Timestamp, input: Input<'_>) -> std::io::Result<()> {
        self.engine.feed(at, input);
        while let Some(effect) = self.engine.next_effect() {
            if let Effect::Verdict(change) = effect {
                self.incidents +=
                    u64::from(change.incident.is_some() && change.verdict == Verdict::Hold);
                self.verdict(&change)?;
            }
        }
        Ok(())
    }

    fn verdict(&mut self, change: &VerdictChange) -> std::io::Result<()> {
        if self.json {
            return writeln!(self.out, "{}", verdict_json(change));
        }
        let observed = if change.mode == Mode::Observe {
            " (observed)"
        } else {
            ""
        };
        writeln!(
            self.out,
            "{}  {:<7}{observed} {}  by {}: {} accepted, {} rejected of {}",
            moment(change.at),
            change.verdict.to_string(),
            plain(&change.sender_id.to_string()),
            change.policy,
            change.figures.accepted,
            change.figures.rejected,
            change.figures.attempts,
        )?;
        for reason in &change.reasons {
            writeln!(
                self.out,
                "                             {}",
                plain(&reason.text)
            )?;
        }
        Ok(())
    }

    fn summary(&mut self, read: &Read, elapsed_us: u128) -> std::io::Result<()> {
        let attempts = self.engine.attempts();
        let senders = self.engine.ledger().senders().count();
        let incidents = self.incidents;
        let Read {
            lines,
            unparsed,
            records,
            first,
            last,
        } = read;
        if self.json {
            let summary = json!({
                "type": "summary",
                "lines": lines,
                "unparsed": unparsed,
                "records": records,
                "attempts": attempts,
                "senders": senders,
                "incidents": incidents,
                "first": first.map(|at| at.to_string()),
                "last": last.map(|at| at.to_string()),
                "elapsed_us": u64::try_from(elapsed_us).unwrap_or(u64::MAX),
            });
            return writeln!(self.out, "{summary}");
        }
        writeln!(
            self.out,
            "\n{lines} lines ({unparsed} not understood), {attempts} delivery attempts of {senders} senders, {incidents} incidents"
        )
    }
}
