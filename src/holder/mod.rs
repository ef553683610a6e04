//! The root end: the only code that is run as root, and all that root does for postwarden.
//!
//! Five verbs on validated queue IDs ([`crate::wire::holder`]): `postsuper -h` of what is queued, `-H`, `-r` and `-d` of what is in
//! `hold`, and reading a queue file. postsuper(1) insists on root, and the queue directories belong to Postfix; the daemon
//! that reads hostile text is neither.
//!
//! Promises: no shell; no path, option or queue ID from the other side reaches a command line (IDs go to standard input,
//! and none can be `ALL` or `-`); nothing is deleted, released or requeued that was not seen in `hold`; the state in a reply
//! was looked at, not believed: the exit status of postsuper says nothing about single messages.
//!
//! On failure: [`Reply::error`] says why, and the places say how far it got. Every verb may be asked again.
//!
//! Limits: 10,000 queue IDs a request, 1,000 a postsuper; 64 MiB of queue files a reply, so a longer one is read in part.
//! Mail that smtpd is still receiving (`incoming`, mode 0600) and mail in `maildrop` cannot be held: ask again. A queue ID is
//! the only name there is: short ones are reused by Postfix, so a message may be held for another that has just left.

use std::{path::PathBuf, process::ExitStatus, time::Duration};

use crate::wire::holder::{Outcome, Place, Reply, Request, Verb};

mod program;
mod queue_file;
mod serve;
mod spool;

pub use serve::{Admission, Error, Socket, is_activated, serve};

use program::Failure;
use spool::Spool;

/// Whose Postfix, and how long its programs may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The directory of `main.cf`, as in `postsuper -c`.
    pub config_directory: PathBuf,
    /// After so long a program is killed and the request ends with what was done until then.
    pub deadline: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            config_directory: PathBuf::from("/etc/postfix"),
            deadline: Duration::from_secs(30),
        }
    }
}

/// Does what is asked and looks at the result. Blocks; for root, without a holder process in between.
#[must_use]
pub fn execute(settings: &Settings, request: &Request) -> Reply {
    if let Err(error) = request.validate() {
        return Reply::refusal(error.to_string());
    }
    carry_out(settings, request).unwrap_or_else(|failure| {
        tracing::warn!(error = %failure, verb = ?request.verb, "nothing done");
        Reply::refusal(failure.to_string())
    })
}

/// An error of a later step stands beside the places; nothing but the error is told where nothing could be looked at.
fn carry_out(settings: &Settings, request: &Request) -> Result<Reply, Failure> {
    let (verb, ids) = (request.verb, &request.queue_ids);
    let spool = Spool::ask(settings)?;
    if verb == Verb::Read {
        return Ok(Reply {
            outcomes: queue_file::read(&spool, ids, request.limit)?,
            error: None,
        });
    }
    let failed = ids
        .chunks(CHUNK)
        .find_map(|ids| act(settings, &spool, verb, ids).err());
    if matches!(verb, Verb::Release | Verb::Requeue) {
        wake(settings, &spool, verb);
    }
    let look = |id: &String| {
        Ok(Outcome {
            queue_id: id.clone(),
            place: spool.locate(id)?,
            bytes: None,
        })
    };
    let outcomes: Vec<Outcome> = ids.iter().map(look).collect::<Result<_, Failure>>()?;
    tracing::info!(?verb, count = outcomes.len(), "done");
    Ok(Reply {
        outcomes,
        error: failed.map(|failure| failure.to_string()),
    })
}

/// Runs postsuper until it has nothing left to do or gets no further. One run is enough as a rule; with `maillog_file` and a
/// stopped Postfix it dies of its log file after each message (measured, 3.7).
fn act(settings: &Settings, spool: &Spool, verb: Verb, ids: &[String]) -> Result<(), Failure> {
    let mut left = undone(spool, verb, ids)?;
    if verb == Verb::Release {
        queue_file::make_due(spool, &left);
    }
    while !left.is_empty() {
        let (status, said) = postsuper(settings, spool, verb, &left)?;
        let still = undone(spool, verb, ids)?;
        if still.len() < left.len() {
            left = still;
            continue;
        }
        tracing::debug!(
            count = still.len(),
            "postsuper left messages where they were"
        );
        return if status.success() {
            Ok(())
        } else {
            Err(Failure::Said(program::last_line(&said)))
        };
    }
    Ok(())
}

/// Those of `ids` that `verb` has still to move.
fn undone<'a>(spool: &Spool, verb: Verb, ids: &'a [String]) -> Result<Vec<&'a str>, Failure> {
    let movable = |place| match verb {
        Verb::Hold => matches!(place, Place::Incoming | Place::Active | Place::Deferred),
        Verb::Release | Verb::Requeue | Verb::Delete => place == Place::Hold,
        Verb::Read => false,
    };
    let mut left = Vec::new();
    for id in ids {
        if movable(spool.locate(id)?) {
            left.push(id.as_str());
        }
    }
    Ok(left)
}

fn postsuper(
    settings: &Settings,
    spool: &Spool,
    verb: Verb,
    ids: &[&str],
) -> Result<(ExitStatus, Vec<u8>), Failure> {
    let (option, queues): (&str, &[&str]) = match verb {
        Verb::Hold => ("-h", &["incoming", "active", "deferred"]),
        Verb::Release => ("-H", &["hold"]),
        Verb::Requeue => ("-r", &["hold"]),
        Verb::Delete => ("-d", &["hold"]),
        Verb::Read => return Err(Failure::Said("postsuper does not read".to_owned())),
    };
    let mut command = program::command(&spool.commands.join("postsuper"), settings);
    command.arg(option).arg("-").args(queues);
    let mut lines = ids.join("\n");
    lines.push('\n');
    program::run(command, lines.as_bytes(), settings.deadline)
}

/// Tells the queue manager (or pickup) to look now rather than at its next round, up to `queue_run_delay` (300 s) later. What
/// goes wrong here costs that delay and nothing else.
fn wake(settings: &Settings, spool: &Spool, verb: Verb) {
    let (service, request) = match verb {
        Verb::Requeue => ("pickup", "W"),
        _ => ("qmgr", "D"),
    };
    let mut command = program::command(&spool.commands.join("postkick"), settings);
    command.args(["public", service, request]);
    if let Err(failure) = program::run(command, b"", WAKE_DEADLINE.min(settings.deadline)) {
        tracing::debug!(error = %failure, "postkick");
    }
}

/// Queue IDs of one postsuper. With 65 bytes an ID at most they fit into a pipe of 64 KiB, so that writing them never waits.
const CHUNK: usize = 1_000;
const WAKE_DEADLINE: Duration = Duration::from_secs(5);
