//! A mail world in a temporary directory: real Postfix, remote sides with tempers, users, one thief, and what each
//! remote side saw. `postwarden demo` and the end-to-end tests both live in it.
//!
//! ```text
//!  traffic ── client ──▶ relay (Postfix) ──▶ remote sides ── each writes down what it saw ──▶ witness
//!                          │  ▲                                                                  ▲
//!                     log, queue  policy service                                                 │
//!                          ▼  │                                                                  │
//!                        postwarden run ──▶ alert ──▶ the desk's mailbox ────────────────────────┤
//!                             │ milter                                                           │
//!  strangers ── client ──▶ inbound MX (Postfix) ──▶ the users' mailboxes ────────────────────────┘
//! ```
//!
//! Promises: nothing of the host's own Postfix is read or touched beyond its programs; all sockets are on loopback; no
//! message leaves the machine; what was started is stopped and what was written is removed when a [`ground::Ground`] goes
//! out of scope, also after a panic, and by its caretaker after a `kill -9`. The witness's figures never come from
//! postwarden.
//!
//! Limits: the relay hosts are address literals (`relay=127.0.0.2[127.0.0.2]:20417`), since no name can be resolved
//! without touching the host's resolver; client addresses are played with XCLIENT.

use std::{io, path::PathBuf, time::Duration};

pub mod cast;
pub mod client;
pub mod content;
pub mod ground;
pub mod inbound;
pub mod instance;
pub mod measure;
pub mod past;
pub mod play;
pub mod random;
pub mod remote;
pub mod report;
pub mod sasl;
pub mod scenario;
pub mod scenarios;
mod smtp;
pub mod traffic;
pub mod wait;
pub mod warden;
pub mod witness;
pub mod world;

/// What can go wrong in the world (not in postwarden).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no Postfix on this machine.
    #[error("no Postfix found (looked for {})", .looked.display())]
    NoPostfix {
        /// The program that was looked for.
        looked: PathBuf,
    },
    /// Starting a private Postfix needs root.
    #[error("a private Postfix can only be started by root")]
    NotRoot,
    /// A private Postfix did not come up.
    #[error("the private Postfix `{name}` did not start: {said}")]
    Start {
        /// Which instance.
        name: String,
        /// What it, or its log, said.
        said: String,
    },
    /// Something that was waited for did not happen.
    #[error("waited {:.1} s in vain for {what}", .waited.as_secs_f64())]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A program failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Its command line.
        program: String,
        /// Its words.
        said: String,
    },
    /// An SMTP server said something that the script of the play does not know.
    #[error("{what}: {reply}")]
    Smtp {
        /// What was being done.
        what: &'static str,
        /// The answer.
        reply: String,
    },
    /// A file or socket failed.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: what was being done when the system failed.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// A program of the host: Postfix's commands, a shell, the postwarden binary.
#[expect(
    clippy::disallowed_methods,
    reason = "the world is made of real programs: this is where all of them are started"
)]
pub(crate) fn program(path: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    std::process::Command::new(path)
}
