//! postwarden as a child process, as a postmaster would run it: its configuration, its start, its verbs, its end.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Output, Stdio},
    time::Duration,
};

use nix::{sys::signal::Signal, unistd::Pid};
use serde_json::Value;

use crate::{
    demo::{
        Error, program,
        wait::Stop,
        world::{DESK, World},
    },
    time::Timestamp,
};

/// How long a start may take.
const READY: Duration = Duration::from_secs(30);
/// How long a clean end may take.
const GRACE: Duration = Duration::from_secs(15);

/// Who the desk is in this world.
pub const DESK_ADDRESS: &str = "abuse@desk.example.org";

/// A configuration on disk and the binary that reads it.
#[derive(Clone, Debug)]
pub struct Setup {
    binary: PathBuf,
    config: PathBuf,
    directory: PathBuf,
    wrapper: Vec<String>,
}

/// What a world's postwarden is told.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// Acts, or only observes.
    pub enforce: bool,
    /// The holder's socket; none: postsuper is called directly, as root.
    pub holder: Option<PathBuf>,
    /// What stands before the command line: `["setpriv", "--reuid=nobody", ...]`.
    pub wrapper: Vec<String>,
    /// Further lines of the configuration.
    pub more: String,
}

impl Setup {
    /// Writes a configuration for `world` into its ground.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn write(world: &World, binary: &Path, orders: &Orders) -> Result<Self, Error> {
        let directory = world.ground.directory("warden")?;
        let config = directory.join("postwarden.toml");
        fs_err::write(&config, text(world, &directory, orders))
            .map_err(Error::io("writing postwarden's configuration"))?;
        Ok(Self {
            binary: binary.to_owned(),
            config,
            directory,
            wrapper: orders.wrapper.clone(),
        })
    }

    /// The configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// `[state] directory`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// What the daemon wrote on standard error.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.directory.join("postwarden.log")
    }

    /// Starts `postwarden run` and waits until it answers.
    ///
    /// # Errors
    /// [`Error::Program`] with the daemon's last words when it ends at once; [`Error::Late`].
    pub fn start(&self, stop: &Stop) -> Result<Warden, Error> {
        let mut warden = self.spawn()?;
        stop.wait_for("postwarden to be ready", READY, || {
            if let Some(status) = warden
                .child
                .try_wait()
                .map_err(Error::io("waiting for postwarden"))?
            {
                return Err(Error::Program {
                    program: format!("postwarden run ({status})"),
                    said: self.last_words(),
                });
            }
            let status = self.ask(&["status"]).unwrap_or(Value::Null);
            Ok((status.get("running") == Some(&Value::Bool(true))).then_some(()))
        })?;
        Ok(warden)
    }

    /// Starts `postwarden run` without waiting.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be started.
    pub fn spawn(&self) -> Result<Warden, Error> {
        let log = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .map_err(Error::io("opening postwarden's log"))?;
        let child = self
            .command(&["run"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.into_parts().0)
            .process_group(0)
            .spawn()
            .map_err(Error::io("starting postwarden"))?;
        let pid_file = self.directory.with_extension("pid");
        fs_err::write(&pid_file, child.id().to_string())
            .map_err(Error::io("registering postwarden"))?;
        Ok(Warden { child, pid_file })
    }

    /// Runs a verb with `--json`; its answer, as one value (JSON lines become a list).
    ///
    /// # Errors
    /// [`Error::Program`] when it fails or answers no JSON.
    pub fn ask(&self, words: &[&str]) -> Result<Value, Error> {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        let output = self.tell(&words)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let lines = || {
            text.lines()
                .map(serde_json::from_str)
                .collect::<Result<Vec<Value>, _>>()
        };
        serde_json::from_str(&text)
            .or_else(|_| lines().map(Value::Array))
            .map_err(|error| Error::Program {
                program: format!("postwarden {}", words.join(" ")),
                said: format!("{error} in {text}"),
            })
    }

    /// Runs a verb.
    ///
    /// # Errors
    /// [`Error::Program`] with its standard error when it fails.
    pub fn tell(&self, words: &[&str]) -> Result<Output, Error> {
        let output = self.run(words)?;
        if output.status.success() {
            return Ok(output);
        }
        Err(Error::Program {
            program: format!("postwarden {} ({})", words.join(" "), output.status),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Runs a verb, whatever its exit status will be.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be started.
    pub fn run(&self, words: &[&str]) -> Result<Output, Error> {
        self.command(words)
            .stdin(Stdio::null())
            .output()
            .map_err(Error::io("running postwarden"))
    }

    /// The incidents on record, oldest first.
    ///
    /// # Errors
    /// As [`Setup::ask`].
    pub fn incidents(&self) -> Result<Vec<Value>, Error> {
        let mut incidents = match self.ask(&["incidents"])? {
            Value::Array(incidents) => incidents,
            other => vec![other],
        };
        incidents.sort_by_key(number);
        Ok(incidents)
    }

    /// When an incident was decided, by the clock on the wall: the earliest step on its record.
    ///
    /// # Errors
    /// As [`Setup::ask`].
    pub fn decided(&self, incident: u64) -> Result<Option<Timestamp>, Error> {
        self.step(incident, |_| true)
    }

    /// When the queue was found clear of an incident's mail for the first time, by the clock on the wall.
    ///
    /// # Errors
    /// As [`Setup::ask`].
    pub fn verified(&self, incident: u64) -> Result<Option<Timestamp>, Error> {
        self.step(incident, |kind| kind == "verified")
    }

    fn step(&self, incident: u64, which: fn(&str) -> bool) -> Result<Option<Timestamp>, Error> {
        let record = self.ask(&["show", &incident.to_string()])?;
        let events = record.get("events").and_then(Value::as_array);
        let wall = |event: &Value| {
            let kind = event.get("kind")?.as_str()?;
            let wall = Timestamp::parse_rfc3339(event.get("wall")?.as_str()?.as_bytes());
            wall.filter(|_| which(kind))
        };
        Ok(events.into_iter().flatten().filter_map(wall).min())
    }

    /// The last lines of the daemon's log.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = fs_err::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(12)..)
            .unwrap_or_default()
            .join("\n")
    }

    fn command(&self, words: &[&str]) -> std::process::Command {
        let mut line = self.wrapper.iter().map(String::as_str);
        let mut command = match line.next() {
            Some(first) => {
                let mut command = program(first);
                command.args(line).arg(&self.binary);
                command
            }
            None => program(&self.binary),
        };
        // The word order that every verb takes: the verb, then the file.
        command.args(words).arg("-c").arg(&self.config);
        command
    }
}

/// The number of an incident in its JSON form; 0 if it has none.
#[must_use]
pub fn number(incident: &Value) -> u64 {
    incident.get("number").and_then(Value::as_u64).unwrap_or(0)
}

/// A running daemon; ended on drop.
#[derive(Debug)]
pub struct Warden {
    child: Child,
    pid_file: PathBuf,
}

impl Warden {
    /// SIGTERM, and its exit status.
    ///
    /// # Errors
    /// [`Error::Late`] when it does not end.
    pub fn end(mut self) -> Result<std::process::ExitStatus, Error> {
        self.signal(Signal::SIGTERM);
        Stop::new().wait_for("the end of postwarden", GRACE, || {
            self.child
                .try_wait()
                .map_err(Error::io("waiting for postwarden"))
        })
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            nix::sys::signal::kill(Pid::from_raw(pid), signal).ok();
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::SIGTERM);
            let ended = || self.child.try_wait().map_err(Error::io("waiting"));
            if Stop::new()
                .wait_for("the end of postwarden", GRACE, ended)
                .is_err()
            {
                drop(self.child.kill());
                drop(self.child.wait());
            }
        }
        drop(fs_err::remove_file(&self.pid_file));
    }
}

fn text(world: &World, directory: &Path, orders: &Orders) -> String {
    let desk = world
        .place(DESK)
        .map_or_else(String::new, |address| format!("smtp://{address}"));
    let holder = orders
        .holder
        .as_ref()
        .map_or_else(String::new, |path| path.display().to_string());
    let ports = world.ports;
    let mut text = String::new();
    let mut line = |line: String| text.extend([line.as_str(), "\n"]);
    line(format!(
        "mode = \"{}\"",
        if orders.enforce { "enforce" } else { "observe" }
    ));
    line(format!(
        "[postfix]\nconfig_directory = {:?}",
        world.relay.config_directory()
    ));
    line(format!("[log]\nsources = [{:?}]", world.relay.log()));
    line("[queue]\npoll = \"5s\"".to_owned());
    line(format!(
        "[state]\ndirectory = {:?}",
        directory.join("state")
    ));
    line(format!("[holder]\nsocket = {holder:?}"));
    line(format!(
        "[alert]\nto = [{DESK_ADDRESS:?}]\nfrom = \"postwarden@relay1.example.org\"\nsmtp = {desk:?}"
    ));
    line(format!(
        "[listen]\nsocketmap = [\"inet:127.0.0.1:{}\"]",
        ports.socketmap
    ));
    line(format!(
        "tcp_table = [\"inet:127.0.0.1:{}\"]",
        ports.tcp_table
    ));
    line(format!("policy = [\"inet:127.0.0.1:{}\"]", ports.policy));
    line(format!("milter = [\"inet:127.0.0.1:{}\"]", ports.milter));
    // As shipped, whatever this host has under /etc.
    line(format!(
        "[policies]\ndirectory = {:?}",
        directory.join("policies")
    ));
    text.push_str(&orders.more);
    text
}
