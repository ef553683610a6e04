//! A private Postfix: own configuration, queue, data directory and log, one SMTP port on loopback, no chroot.
//!
//! Works beside the host's own Postfix and beside any number of its like. It is stopped on drop by the process ID in its
//! own `master.pid`, and only if that process still works in this queue directory; the drop returns when the whole process
//! group is gone. Needs root (Postfix's master does) but no namespaces. Measured on 3.7: 1 to 2 s to start.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::{Pid, User},
};

use crate::demo::{
    Error,
    ground::{Ground, free_port},
    program,
    wait::Stop,
};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an end may take before it is forced.
const GRACE: Duration = Duration::from_secs(5);
/// Fresh ports that are tried when another program was quicker.
const ATTEMPTS: usize = 3;

/// Postfix's programs on this host.
#[derive(Clone, Debug)]
pub struct Postfix {
    commands: PathBuf,
    daemons: PathBuf,
    owner: User,
}

impl Postfix {
    /// Looks for an installed Postfix; asks it where its programs are.
    ///
    /// # Errors
    /// [`Error::NoPostfix`]; [`Error::NotRoot`].
    pub fn find() -> Result<Self, Error> {
        let postconf = ["/usr/sbin", "/usr/local/sbin", "/opt/postfix/sbin"]
            .map(|directory| Path::new(directory).join("postconf"))
            .into_iter()
            .find(|path| path.exists())
            .ok_or_else(|| Error::NoPostfix {
                looked: "/usr/sbin/postconf".into(),
            })?;
        if !nix::unistd::Uid::effective().is_root() {
            return Err(Error::NotRoot);
        }
        let default = |name: &str| {
            let said = program(&postconf)
                .args(["-dh", name])
                .stdin(Stdio::null())
                .output();
            said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
                .map_err(Error::io("running postconf"))
        };
        let owner = default("mail_owner")?;
        let no_owner = || Error::NoPostfix {
            looked: format!("user {owner}").into(),
        };
        Ok(Self {
            commands: default("command_directory")?.into(),
            daemons: default("daemon_directory")?.into(),
            owner: User::from_name(&owner)
                .ok()
                .flatten()
                .ok_or_else(no_owner)?,
        })
    }

    /// `mail_version`.
    ///
    /// # Errors
    /// [`Error::Io`] when postconf cannot be run.
    pub fn version(&self) -> Result<String, Error> {
        let said = program(self.command("postconf"))
            .args(["-dh", "mail_version"])
            .output();
        let said = said.map_err(Error::io("running postconf"))?;
        Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// The path of one of Postfix's commands.
    #[must_use]
    pub fn command(&self, name: &str) -> PathBuf {
        self.commands.join(name)
    }
}

/// A running private Postfix.
#[derive(Debug)]
pub struct Instance {
    name: String,
    root: PathBuf,
    port: u16,
    master: Pid,
}

impl Instance {
    /// Starts an instance `name` in `ground` with these parameters over the private defaults; returns when its port answers.
    ///
    /// # Errors
    /// [`Error::Start`] with what Postfix said; [`Error::Io`]; [`Error::Interrupted`].
    pub fn start(
        postfix: &Postfix,
        ground: &Ground,
        name: &str,
        parameters: &[(&str, String)],
        stop: &Stop,
    ) -> Result<Self, Error> {
        let root = ground.directory(name)?;
        for part in ["config", "queue", "data", "log"] {
            ground.directory(&format!("{name}/{part}"))?;
        }
        std::os::unix::fs::chown(
            root.join("data"),
            Some(postfix.owner.uid.as_raw()),
            Some(postfix.owner.gid.as_raw()),
        )
        .map_err(Error::io("giving the data directory to Postfix"))?;
        let mut failed = Error::Start {
            name: name.to_owned(),
            said: "no port".to_owned(),
        };
        for _ in 0..ATTEMPTS {
            let port = free_port()?;
            write_configuration(postfix, &root, name, port, parameters)?;
            match start(postfix, &root, name, port, stop) {
                Ok(master) => {
                    let name = name.to_owned();
                    return Ok(Self {
                        name,
                        root,
                        port,
                        master,
                    });
                }
                Err(error @ Error::Start { .. }) => failed = error,
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    /// Its name; `syslog_name` is `postfix-NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its smtpd listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// What is given to Postfix's commands as `-c`.
    #[must_use]
    pub fn config_directory(&self) -> PathBuf {
        self.root.join("config")
    }

    /// `queue_directory`.
    #[must_use]
    pub fn queue_directory(&self) -> PathBuf {
        self.root.join("queue")
    }

    /// `maillog_file`.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log/mail.log")
    }

    /// The queue files of one queue (`incoming`, `active`, `deferred`, `hold`, `maildrop`), unordered. Queue files that
    /// move meanwhile may be missed.
    #[must_use]
    pub fn queue(&self, queue: &str) -> Vec<PathBuf> {
        walkdir::WalkDir::new(self.queue_directory().join(queue))
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .collect()
    }

    /// How many queue files there are in all queues but `hold`.
    #[must_use]
    pub fn queued(&self) -> usize {
        ["maildrop", "incoming", "active", "deferred"]
            .iter()
            .map(|queue| self.queue(queue).len())
            .sum()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        end(self.master, &self.root.join("queue"));
    }
}

/// Ends a master and its process group; returns when they are gone, forces it after [`GRACE`].
fn end(master: Pid, queue: &Path) {
    let works_in = fs_err::read_link(format!("/proc/{master}/cwd"));
    if works_in.is_ok_and(|directory| directory == queue) {
        kill(master, Signal::SIGTERM).ok();
    }
    let gone = || -> Result<Option<()>, Error> { Ok(killpg(master, None).is_err().then_some(())) };
    if Stop::new()
        .wait_for("the end of Postfix", GRACE, gone)
        .is_err()
    {
        killpg(master, Signal::SIGKILL).ok();
        drop(Stop::new().wait_for("the end of Postfix", GRACE, gone));
    }
}

fn start(postfix: &Postfix, root: &Path, name: &str, port: u16, stop: &Stop) -> Result<Pid, Error> {
    let output = program(postfix.command("postfix"))
        .arg("-c")
        .arg(root.join("config"))
        .arg("start")
        .stdin(Stdio::null())
        .output()
        .map_err(Error::io("running postfix start"))?;
    let failed = |said: &str| {
        let log = fs_err::read_to_string(root.join("log/mail.log")).unwrap_or_default();
        let tail: Vec<&str> = log.lines().rev().take(5).collect();
        let said = format!(
            "{}\n{}",
            said.trim(),
            tail.into_iter().rev().collect::<Vec<_>>().join("\n")
        );
        Error::Start {
            name: name.to_owned(),
            said,
        }
    };
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    let queue = root.join("queue");
    let master = stop.wait_for("Postfix's master.pid", PATIENCE, || {
        let text = fs_err::read_to_string(queue.join("pid/master.pid")).unwrap_or_default();
        Ok(text.trim().parse().ok().map(Pid::from_raw))
    })?;
    let banner = format!("ESMTP {name}");
    let ready = stop.wait_for("Postfix's port", PATIENCE, || {
        if kill(master, None).is_err() {
            return Err(failed("master is gone"));
        }
        Ok(greeting(port)
            .filter(|line| line.contains(&banner))
            .map(drop))
    });
    if ready.is_err() {
        end(master, &queue);
    }
    ready.map(|()| master)
}

fn greeting(port: u16) -> Option<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line)
}

fn write_configuration(
    postfix: &Postfix,
    root: &Path,
    name: &str,
    port: u16,
    parameters: &[(&str, String)],
) -> Result<(), Error> {
    let path = |part: &str| root.join(part).display().to_string();
    let mut main = format!("# A private Postfix of postwarden's demo: {name}\n");
    let mut set = |key: &str, value: &str| main.push_str(&format!("{key} = {value}\n"));
    set("queue_directory", &path("queue"));
    set("data_directory", &path("data"));
    set("command_directory", &postfix.commands.display().to_string());
    set("daemon_directory", &postfix.daemons.display().to_string());
    set("maillog_file", &path("log/mail.log"));
    set("maillog_file_prefixes", &path("log"));
    set("syslog_name", &format!("postfix-{name}"));
    set("smtpd_banner", &format!("$myhostname ESMTP {name}"));
    for (key, value) in PRIVATE {
        if !parameters.iter().any(|(given, _)| given == key) {
            set(key, value);
        }
    }
    for (key, value) in parameters {
        set(key, value);
    }
    let master = MASTER.replace("SMTP_PORT", &port.to_string());
    let write = |file: &str, text: String| {
        fs_err::write(root.join("config").join(file), text)
            .map_err(Error::io("writing Postfix's configuration"))
    };
    write("main.cf", main)?;
    write("master.cf", master)
}

/// What makes an instance private, quick to retry, and talkative enough; all found by trying on 3.7.
const PRIVATE: &[(&str, &str)] = &[
    ("compatibility_level", "3.6"),
    ("inet_interfaces", "127.0.0.1"),
    ("inet_protocols", "ipv4"),
    ("smtp_dns_support_level", "disabled"),
    ("smtpd_peername_lookup", "no"),
    ("mydestination", ""),
    ("mynetworks", ""),
    ("alias_maps", ""),
    ("alias_database", ""),
    ("local_recipient_maps", ""),
    (
        "default_transport",
        "error:5.4.4 this world has no such place",
    ),
    ("enable_long_queue_ids", "yes"),
    ("smtpd_client_port_logging", "yes"),
    ("smtpd_authorized_xclient_hosts", "127.0.0.1"),
    ("smtpd_client_connection_count_limit", "0"),
    ("smtpd_tls_security_level", "none"),
    ("smtp_tls_security_level", "none"),
    ("queue_run_delay", "2s"),
    ("minimal_backoff_time", "2s"),
    ("maximal_backoff_time", "4s"),
];

/// Nothing in a chroot; `postlog` is what `maillog_file` needs.
const MASTER: &str = "\
127.0.0.1:SMTP_PORT inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
";
