//! One file per verb. Exit codes are those of sysexits(3).

use std::{ffi::OsString, io::Write, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub mod classify;
pub mod digest;
pub mod holder;
pub mod records;

/// How a verb ended; the number is the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Something that was asked for is not so (`check` found a fault, `demo` missed a figure).
    Failed = 1,
    /// Wrong words on the command line.
    Usage = 64,
    /// Data that cannot be read.
    Data = 65,
    /// A service or file that is needed is not there.
    Unavailable = 69,
    /// Try again later.
    Retry = 75,
    /// Wrong configuration.
    Config = 78,
}

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
    /// One JSON object for each log line that is understood
    Records(records::Args),
    /// Bounce class and rule of replies: `DSN<TAB>reply` per line on standard input
    Classify(classify::Args),
    /// Content digests of messages
    Digest(digest::Args),
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
        Verb::Records(args) => records::run(args, &context, out),
        Verb::Classify(args) => classify::run(args, &context, out),
        Verb::Digest(args) => digest::run(args, &context, out),
        Verb::Holder(args) => holder::run(args, &context, out),
    };
    done.unwrap_or_else(|failure| report(&failure, err))
}

/// A failure of a verb: what failed, what to do, and the exit status.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What failed, with its causes.
    pub message: String,
    /// The command to run, or what to look at.
    pub hint: Option<String>,
    /// The exit status.
    pub exit: Exit,
}

impl Failure {
    /// A failure with its exit status.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            exit,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<std::io::Error> for Failure {
    /// A reader that went away (`| head`) is no failure; all else is "unavailable".
    fn from(error: std::io::Error) -> Self {
        let exit = if error.kind() == std::io::ErrorKind::BrokenPipe {
            Exit::Ok
        } else {
            Exit::Unavailable
        };
        Self::new(exit, error.to_string())
    }
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
