//! `postwarden demo`: the whole job on a private real Postfix under a temporary directory.

use std::{io::Write, path::PathBuf, time::Duration};

use crate::{
    cli::{Context, Exit, Failure},
    demo::{
        Error,
        play::{Options, play},
        report::Figures,
        scenario::{self, Scenario},
        scenarios,
        wait::Stop,
    },
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Shorter scenes
    #[arg(long)]
    fast: bool,
    /// Stay up after the play, until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Print the figures as JSON, the timeline on standard error
    #[arg(long)]
    json: bool,
    /// Another story: its name, `all`, or `list`
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Another game of the same kind
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Plays the demo; ends with [`Exit::Failed`] when a figure is not as it should be.
///
/// # Errors
/// [`Exit::Unavailable`] without Postfix or without root, [`Exit::Retry`] when interrupted.
pub fn run(args: &Args, _context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let options = Options {
        binary: binary()?,
        fast: args.fast,
        keep: args.keep,
        seed: args.seed,
    };
    let stop = Stop::new();
    let _signals = watch_signals(&stop)?;
    if let Some(name) = &args.scenario {
        return stories(name, args, &options, &stop, out);
    }
    let figures = {
        let mut stderr = std::io::stderr();
        let to: &mut dyn Write = if args.json { &mut stderr } else { &mut *out };
        let mut say = |at: Duration, text: &str| {
            // A reader that went away does not stop the play: its exit status is what counts then.
            drop(writeln!(to, "{:>6.2} s  {text}", at.as_secs_f64()).and_then(|()| to.flush()));
        };
        play(&options, &stop, &mut say).map_err(|error| failure(&error))?
    };
    print(&figures, args.json, out)?;
    Ok(if figures.good() {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

/// Plays one story or all, one line each.
fn stories(
    name: &str,
    args: &Args,
    options: &Options,
    stop: &Stop,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let all = scenarios::all();
    if name == "list" {
        for story in &all {
            writeln!(out, "{:<16} {}", story.name, story.about)?;
        }
        return Ok(Exit::Ok);
    }
    let chosen: Vec<&Scenario> = all
        .iter()
        .filter(|story| name == "all" || story.name == name)
        .collect();
    if chosen.is_empty() {
        let failure = Failure::new(Exit::Usage, format!("there is no scenario `{name}`"));
        return Err(failure.hint("postwarden demo --scenario list"));
    }
    let mut good = true;
    for story in chosen {
        let ending = scenario::play(story, &options.binary, options.seed, stop)
            .map_err(|error| failure(&error))?;
        good &= ending.good;
        if args.json {
            writeln!(out, "{}", ending.json())?;
        } else {
            writeln!(out, "{}", ending.line())?;
        }
        out.flush()?;
    }
    Ok(if good { Exit::Ok } else { Exit::Failed })
}

fn print(figures: &Figures, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    if json {
        writeln!(out, "{}", figures.json())?;
    } else {
        figures.print(out)?;
    }
    Ok(())
}

fn binary() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(Failure::from)
}

/// Ctrl-C and SIGTERM end the play as its end would: everything is stopped and removed.
fn watch_signals(stop: &Stop) -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let stop = stop.clone();
    let entered = runtime.enter();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let watch = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.request();
    };
    drop(runtime.spawn(watch));
    drop(entered);
    Ok(runtime)
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::NoPostfix { .. } => Failure::new(Exit::Unavailable, error.to_string()).hint(
            "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postfix",
        ),
        Error::NotRoot => {
            Failure::new(Exit::Unavailable, error.to_string()).hint("sudo postwarden demo")
        }
        Error::Interrupted => Failure::new(Exit::Retry, error.to_string()),
        other => Failure::new(Exit::Unavailable, other.to_string()),
    }
}
