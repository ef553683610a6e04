//! Running one of Postfix's commands: no shell, a clean environment, and a deadline.

use std::{
    io::{self, Read, Write, pipe},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::holder::Settings;

/// Why root's work was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A command could not be started or waited for.
    #[error("{}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It ran longer than the deadline and was killed.
    #[error("{} did not end within {deadline:?}", program.display())]
    Late {
        /// The program.
        program: PathBuf,
        /// The deadline.
        deadline: Duration,
    },
    /// The queue may not be looked at.
    #[error("cannot look at {}: {source}", path.display())]
    Look {
        /// The queue file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A command said this and did nothing.
    #[error("{0}")]
    Said(String),
}

/// A Postfix command with its `-c`. The environment is cleared: `MAIL_CONFIG` and its like cannot point it elsewhere.
#[expect(
    clippy::disallowed_methods,
    reason = "the root end is there to run postsuper"
)]
pub(super) fn command(program: &Path, settings: &Settings) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .arg("-c")
        .arg(&settings.config_directory);
    command
}

/// Runs `command` with `input` (shorter than a pipe, 64 KiB) on its standard input; returns its exit status and the first
/// MiB of what it said on both outputs.
pub(super) fn run(
    mut command: Command,
    input: &[u8],
    deadline: Duration,
) -> Result<(ExitStatus, Vec<u8>), Failure> {
    let program = PathBuf::from(command.get_program());
    let start = |source| Failure::Start {
        program: program.clone(),
        source,
    };
    let (reader, writer) = pipe().map_err(start)?;
    command
        .stdin(Stdio::piped())
        .stdout(writer.try_clone().map_err(start)?)
        .stderr(writer);
    let mut child = command.spawn().map_err(start)?;
    drop(command);
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early closes the pipe; what it did is looked at afterwards.
        drop(stdin.write_all(input));
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    let listener = thread::Builder::new().spawn(move || drop(sender.send(read_all(reader))));
    let said = match listener.map(|_thread| receiver.recv_timeout(deadline)) {
        Ok(Ok(said)) => said,
        Ok(Err(_late)) => {
            child.kill().and_then(|()| child.wait()).map_err(start)?;
            return Err(Failure::Late { program, deadline });
        }
        Err(source) => {
            child.kill().and_then(|()| child.wait()).map_err(start)?;
            return Err(start(source));
        }
    };
    let status = child.wait().map_err(start)?;
    Ok((status, said))
}

/// The last line of what a program said, for a message.
pub(super) fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.trim_end().lines().next_back().unwrap_or("");
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// All that comes until the other end is closed; kept is what fits. Reading goes on so that the program never waits.
fn read_all(mut reader: impl Read) -> Vec<u8> {
    let mut said = Vec::new();
    let kept = reader.by_ref().take(KEPT).read_to_end(&mut said);
    drop(kept.and_then(|_bytes| io::copy(&mut reader, &mut io::sink())));
    said
}

const KEPT: u64 = 1024 * 1024;
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any program that hangs will do")]
    fn a_program_that_hangs_is_killed_at_the_deadline() {
        let mut command = Command::new("sleep");
        command.arg("600");
        let ended = run(command, b"", Duration::from_millis(50));
        assert!(matches!(ended, Err(Failure::Late { .. })), "{ended:?}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let command = command(Path::new("/nonexistent/postsuper"), &Settings::default());
        let failure = run(command, b"", Duration::from_secs(9)).unwrap_err();
        assert!(failure.to_string().starts_with("/nonexistent/postsuper: "));
    }
}
