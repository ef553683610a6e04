//! One file per verb. Exit codes are those of sysexits(3).

use std::{ffi::OsString, io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub mod archives;
pub mod check;
pub mod classify;
pub mod demo;
pub mod desk;
pub mod digest;
pub mod exempt;
pub mod explain;
pub mod export;
pub mod facts;
pub mod holder;
pub mod incidents;
pub mod learn;
pub mod lookup;
pub mod orders;
mod queue;
pub mod records;
pub mod replay;
pub mod run;
pub mod senders;
pub mod status;
pub mod table;
pub mod wording;

pub use crate::daemon::failure::{Exit, Failure};

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    /// The configuration file (`-c`).
    pub config: PathBuf,
}

#[derive(Debug, Parser)]
#[command(
    name = "postwarden",
    version,
    about = "Queue-watcher and outbound reputation guard for Postfix"
)]
struct Arguments {
    /// Configuration file
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/postwarden/postwarden.toml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The daemon
    Run(run::Args),
    /// Configuration, policies with their specimens, and the host
    Check(check::Args),
    /// Is it alive, does it see, does it act
    Status(status::Args),
    /// Who sends, who is refused, who stands out
    Senders(senders::Args),
    /// The record of incidents
    Incidents(incidents::ListArgs),
    /// One incident: reasons, mail, steps, log lines
    Show(incidents::ShowArgs),
    /// Why: what counted, what did not, what would have changed it
    Explain(explain::Args),
    /// Hold a sender's mail, queued and new
    Hold(orders::HoldArgs),
    /// Let an incident's mail go and close it
    Release(orders::ReleaseArgs),
    /// The account is compromised: refuse its new mail
    Confirm(orders::IncidentArgs),
    /// Delete what an incident holds, once the evidence is on disk
    Purge(orders::IncidentArgs),
    /// Copy an incident's evidence, verified, for the desk or the police
    Export(export::Args),
    /// What a lookup table would answer
    Lookup(lookup::Args),
    /// Fill the profiles from old logs, before the first day
    Learn(learn::Args),
    /// Whom these policies would have held on old logs
    Replay(replay::Args),
    /// One JSON object for each log line that is understood
    Records(records::Args),
    /// Bounce class and rule of replies: `DSN<TAB>reply` per line on standard input
    Classify(classify::Args),
    /// Content digests of messages
    Digest(digest::Args),
    /// The whole job on a private real Postfix, in about a minute
    Demo(demo::Args),
    /// The root end: hold, release, requeue, read, delete
    Holder(holder::Args),
}

/// Runs one command line; writes to `out` what it prints and to `err` what went wrong.
pub fn main(
    arguments: impl Iterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    let exit = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(&arguments, out, err),
        Err(usage) => {
            let is_error = usage.use_stderr();
            let text = usage.render().to_string();
            drop(if is_error {
                err.write_all(text.as_bytes())
            } else {
                out.write_all(text.as_bytes())
            });
            if is_error { Exit::Usage } else { Exit::Ok }
        }
    };
    ExitCode::from(exit as u8)
}

fn dispatch(arguments: &Arguments, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    let context = Context {
        config: arguments.config.clone(),
    };
    let done = match &arguments.verb {
        Verb::Run(args) => run::run(args, &context, out),
        Verb::Check(args) => check::run(args, &context, out),
        Verb::Status(args) => status::run(args, &context, out),
        Verb::Senders(args) => senders::run(args, &context, out),
        Verb::Incidents(args) => incidents::list(args, &context, out),
        Verb::Show(args) => incidents::show(args, &context, out),
        Verb::Explain(args) => explain::run(args, &context, out),
        Verb::Hold(args) => orders::hold(args, &context, out),
        Verb::Release(args) => orders::release(args, &context, out),
        Verb::Confirm(args) => orders::confirm(args, &context, out),
        Verb::Purge(args) => orders::purge(args, &context, out),
        Verb::Export(args) => export::run(args, &context, out),
        Verb::Lookup(args) => lookup::run(args, &context, out),
        Verb::Learn(args) => learn::run(args, &context, out),
        Verb::Replay(args) => replay::run(args, &context, out),
        Verb::Records(args) => records::run(args, &context, out),
        Verb::Classify(args) => classify::run(args, &context, out),
        Verb::Digest(args) => digest::run(args, &context, out),
        Verb::Demo(args) => demo::run(args, &context, out),
        Verb::Holder(args) => holder::run(args, &context, out),
    };
    done.unwrap_or_else(|failure| report(&failure, err))
}

fn report(failure: &Failure, err: &mut dyn Write) -> Exit {
    if failure.exit != Exit::Ok {
        let hint = failure
            .hint
            .as_ref()
            .map(|hint| format!("\nhint: {hint}\n"))
            .unwrap_or_default();
        drop(writeln!(err, "postwarden: {failure}\n{hint}"));
    }
    failure.exit
}
