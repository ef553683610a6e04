//! Postfix's own commands, run with a deadline: no shell, no inherited locale, nothing on standard input.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What a program printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub out: Vec<u8>,
    /// The last line of standard error.
    pub complaint: String,
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
}

/// Why there is no output.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// It cannot be started.
    #[error("cannot run {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It was killed after the deadline (a hung showq makes postqueue wait for an hour: measured, 3.7).
    #[error("{} was not done after {} s", program.display(), deadline.as_secs())]
    Deadline {
        /// The program.
        program: PathBuf,
        /// How long it had.
        deadline: Duration,
    },
    /// It ended with an error.
    #[error("{} failed with {status:?}: {complaint}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// Exit status (sysexits(3)).
        status: Option<i32>,
        /// The last line of standard error.
        complaint: String,
    },
}

/// Runs a Postfix command for the instance at `config_directory` and waits for its end.
///
/// # Errors
/// It cannot be started, is not done in time, or fails.
pub fn postfix_command(
    name: &str,
    config_directory: &Path,
    arguments: &[&str],
    deadline: Duration,
) -> Result<Output, ProgramError> {
    let program = find(name);
    let mut command = command(&program);
    command.arg("-c").arg(config_directory).args(arguments);
    run(command, &program, deadline)
}

/// The values of settings of an instance, in the order of `names`.
///
/// # Errors
/// As [`postfix_command`].
pub fn postconf(
    config_directory: &Path,
    names: &[&str],
) -> Result<Vec<(String, String)>, ProgramError> {
    let output = postfix_command("postconf", config_directory, names, Duration::from_secs(10))?;
    let text = String::from_utf8_lossy(&output.out);
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect())
}

/// A Postfix command, on PATH or where packages put it; else the bare name, whose start will fail and say so.
#[must_use]
pub fn find(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| PathBuf::from(name))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the room's one place that starts programs"
)]
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[expect(
    clippy::disallowed_methods,
    reason = "a deadline for a child process is no decision of the engine"
)]
fn run(mut command: Command, program: &Path, deadline: Duration) -> Result<Output, ProgramError> {
    let started = |source| ProgramError::Start {
        program: program.to_owned(),
        source,
    };
    let mut child = command.spawn().map_err(started)?;
    let out = collect(child.stdout.take());
    let complaints = collect(child.stderr.take());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(started)? {
            break status;
        }
        if start.elapsed() >= deadline {
            end(&mut child);
            return Err(ProgramError::Deadline {
                program: program.to_owned(),
                deadline,
            });
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let complaint = last_line(&joined(complaints));
    let output = Output {
        out: joined(out),
        complaint,
        status: status.code(),
    };
    if status.success() {
        return Ok(output);
    }
    Err(ProgramError::Failed {
        program: program.to_owned(),
        status: output.status,
        complaint: output.complaint,
    })
}

fn end(child: &mut Child) {
    // It may just have ended by itself: either way it is reaped.
    drop(child.kill());
    drop(child.wait());
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe never blocks the child.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    pipe.map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(pipe.read_to_end(&mut bytes));
            bytes
        })
    })
}

fn joined(reader: Option<JoinHandle<Vec<u8>>>) -> Vec<u8> {
    reader
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default()
}

fn last_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .lines()
        .last()
        .unwrap_or_default()
        .to_owned()
}
