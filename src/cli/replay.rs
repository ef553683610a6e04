//! `replay LOG...`: whom these policies would have held on old logs, when, why, and how much had left.
//!
//! The same engine as the daemon's, fed with the same lines at the same event times: on the same log it decides what the
//! daemon decided.

mod compare;
mod lane;
mod scores;
mod sweep;
mod worst;

use std::{
    collections::HashSet,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use crate::{
    cli::{
        Context, Exit, Failure,
        facts::{Read, each_batch},
        records::zone,
        table::plain,
        wording::{moment, verdict_json},
    },
    config::{self, Config, Need},
    daemon::{self, clock, rehearsal::Rehearsal},
    engine::effect::VerdictChange,
    ledger::SenderId,
    policy::Mode,
    settings::parse_duration,
    time::Zone,
};

use self::{lane::Lane, scores::Scores, sweep::Sweep, worst::Worst};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Log files, compressed or not, in any order; `-` is standard input
    #[arg(required = true)]
    logs: Vec<PathBuf>,
    /// Policies to try in place of the shipped and the configured ones; a directory of overrides only is laid over the shipped ones
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Policies to compare with: who is held only by one of both, who earlier
    #[arg(long, value_name = "DIR", conflicts_with = "sweep")]
    against: Option<PathBuf>,
    /// Holds and leaks for nine values of one limit, as in score-hold.score_at_least=6..10
    #[arg(long, value_name = "POLICY.KEY=FROM..TO")]
    sweep: Option<Sweep>,
    /// A hold ends after this time as if the account had been cleaned, so that repeats count (4h)
    #[arg(long, value_name = "TIME", value_parser = review)]
    review: Option<Duration>,
    /// The daily maximum score of every sender, and the threshold for the wanted number of false alarms
    #[arg(long)]
    scores: bool,
    /// False alarms in 30 days that are acceptable
    #[arg(long, value_name = "N", default_value_t = 1.0, requires = "scores")]
    false_alarms: f64,
    /// A file of senders that are known to be guilty, one a line, left out when a threshold is recommended
    #[arg(long, value_name = "FILE", requires = "scores")]
    guilty: Option<PathBuf>,
    /// Explain this sender as it was when it was held, or else nearest to it
    #[arg(long, value_name = "SENDER_ID", conflicts_with = "json", value_parser = sender)]
    explain: Option<SenderId>,
    /// Zone of stamps without one (a name, or UTC); default: the system's
    #[arg(long)]
    tz: Option<String>,
    /// One JSON object a verdict, and a summary
    #[arg(long)]
    json: bool,
}

fn sender(text: &str) -> Result<SenderId, String> {
    text.parse()
        .map_err(|()| "a sender is sasl:LOGIN, from:ADDRESS, ip:ADDRESS or uid:NUMBER".to_owned())
}

fn review(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("`{text}` is not a span of time, as 4h or 30m is"))
}

/// Replays.
///
/// # Errors
/// Wrong configuration or policies (78), or a log that cannot be read (65).
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut config = config::load(&context.config, Need::Words).map_err(|found| wrong(&found))?;
    // Replaying decides as if it might act; what a policy only observes stays observed.
    config.mode = Mode::Enforce;
    if let Some(directory) = &args.policies {
        instead(&mut config, directory);
    }
    let zone = zone(args.tz.as_deref())?;
    let start = clock::instant();
    let mut first = lane(args, &config, &zone)?;
    if args.scores {
        first.keep_scores(Scores::new(
            guilty(args.guilty.as_deref())?,
            args.false_alarms,
        ));
    }
    first.worst = args.explain.clone().map(Worst::new);
    let mut others = others(args, &config, &zone)?;
    let mut replay = Replay {
        out,
        json: args.json,
    };
    let read = each_batch(&args.logs, &zone, first.clerk(), |batch| {
        for other in &mut others {
            other.hear(batch, &mut |_| Ok(()))?;
        }
        first.hear(batch, &mut |change| replay.verdict(change))
    })?;
    if let Some(end) = read.end() {
        for other in &mut others {
            other.finish(end, &mut |_| Ok(()))?;
        }
        first.finish(end, &mut |change| replay.verdict(change))?;
    }
    if let Some(against) = others.first().filter(|_| args.against.is_some()) {
        compare::print(&first, against, args.json, replay.out)?;
    }
    if let Some(sweep) = &args.sweep {
        sweep::print(sweep, &others, args.json, replay.out)?;
    }
    if let Some(scores) = &mut first.scores {
        scores.print(args.json, replay.out)?;
    }
    replay.summary(&first, &read, start.elapsed().as_micros())?;
    if let Some(worst) = &first.worst {
        worst.print(replay.out)?;
    }
    Ok(Exit::Ok)
}

fn wrong(found: &config::Diagnostics) -> Failure {
    Failure::new(Exit::Config, found.to_string())
}

/// The policies of a directory in place of the configured ones.
fn instead(config: &mut Config, directory: &Path) {
    directory.clone_into(&mut config.policies);
    config.policies_alone = true;
}

fn lane(args: &Args, config: &Config, zone: &Zone) -> Result<Lane, Failure> {
    let mut setup = daemon::setup(config, [0; 32], zone.clone()).map_err(|found| wrong(&found))?;
    setup.ledger.persistent = false;
    Ok(Lane::new(setup, Rehearsal::new(args.review)))
}

/// The other sets of policies that the same log is shown to.
fn others(args: &Args, config: &Config, zone: &Zone) -> Result<Vec<Lane>, Failure> {
    let mut lanes = Vec::new();
    if let Some(directory) = &args.against {
        let mut config = config.clone();
        instead(&mut config, directory);
        lanes.push(lane(args, &config, zone)?);
    }
    for (_, text) in args.sweep.iter().flat_map(Sweep::files) {
        let mut config = config.clone();
        config.policies_over = vec![("--sweep".to_owned(), text)];
        lanes.push(lane(args, &config, zone)?);
    }
    Ok(lanes)
}

/// Senders named in a file, one a line; `#` begins a remark.
fn guilty(path: Option<&Path>) -> Result<HashSet<String>, Failure> {
    let Some(path) = path else {
        return Ok(HashSet::new());
    };
    let text = fs_err::read_to_string(path)
        .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    let names = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

struct Replay<'o> {
    out: &'o mut dyn Write,
    json: bool,
}

impl Replay<'_> {
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

    fn summary(&mut self, lane: &Lane, read: &Read, elapsed_us: u128) -> std::io::Result<()> {
        let attempts = lane.engine().attempts();
        let senders = lane.engine().ledger().senders().count();
        let incidents = lane.incidents();
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
