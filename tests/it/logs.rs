//! The daemon and its log, without any mail: rotation, `kill -9`, a log that goes bad. Postfix is only asked for its
//! settings; a script stands in for sendmail.

mod journal;
mod rotation;

use std::{
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use postwarden::{
    daemon::clock,
    demo::{wait::Stop, warden::Orders},
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A configuration, a log, an empty queue, and a daemon that may be running.
pub(crate) struct Site {
    ground: tempfile::TempDir,
    daemon: Option<Child>,
    /// What stands before the command line.
    wrapper: Vec<String>,
}

impl Site {
    /// `None` where there is no Postfix.
    pub(crate) fn new(alarm_after: &str, source: Option<&str>) -> Option<Self> {
        crate::world::postfix()?;
        let site = Self {
            ground: tempfile::tempdir().unwrap(),
            daemon: None,
            wrapper: Vec::new(),
        };
        for part in [
            "postfix",
            "log",
            "state",
            "queue/incoming",
            "queue/active",
            "queue/deferred",
        ] {
            fs::create_dir_all(site.path(part)).unwrap();
        }
        let queue = site.path("queue");
        let main = format!(
            "compatibility_level = 3.6\nmyhostname = relay1.example.org\nqueue_directory = {}\n",
            queue.display()
        );
        fs::write(site.path("postfix/main.cf"), main).unwrap();
        fs::write(site.path("postfix/master.cf"), "").unwrap();
        let sendmail = site.path("sendmail");
        // One write for each mail, so that none is seen by half.
        let script = format!(
            "#!/bin/sh\nmail=$(cat)\nprintf '%s\\n.\\n' \"$mail\" >> {}\n",
            site.path("mails").display()
        );
        fs::write(&sendmail, script).unwrap();
        fs::set_permissions(&sendmail, fs::Permissions::from_mode(0o755)).unwrap();
        let source = source.map_or_else(|| site.log().display().to_string(), str::to_owned);
        let text = format!(
            "[postfix]\nconfig_directory = {:?}\n[log]\nsources = [{source:?}]\nalarm_after = {alarm_after:?}\n\
             [queue]\npoll = \"1s\"\n[state]\ndirectory = {:?}\n[holder]\nsocket = \"\"\n\
             [alert]\nto = [\"noc@example.org\"]\nfrom = \"postwarden@relay1.example.org\"\nsendmail = {sendmail:?}\n\
             [listen]\nsocketmap = []\n[policies]\ndirectory = {:?}\n",
            site.path("postfix"),
            site.path("state"),
            site.path("policies"),
        );
        fs::write(site.path("postwarden.toml"), text).unwrap();
        Some(site)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.ground.path().join(name)
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path("log/mail.log")
    }

    fn command(&self, words: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_postwarden").to_owned();
        let mut line = self.wrapper.iter().chain([&binary]);
        let mut command = Command::new(line.next().unwrap());
        command.args(line);
        command
            .args(words)
            .arg("-c")
            .arg(self.path("postwarden.toml"));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the daemon, with these variables in its environment.
    pub(crate) fn start_with(&mut self, environment: &[(&str, &Path)]) {
        let said = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("said"))
            .unwrap();
        let daemon = self
            .command(&["run"])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(said)
            .process_group(0)
            .spawn()
            .unwrap();
        self.daemon = Some(daemon);
    }

    /// Starts the daemon and waits until it is on record that it has begun.
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
        self.until("the daemon to watch", |site| {
            site.status()["running"] == true && site.status()["daemon"]["log"].is_object()
        });
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        }
    }

    pub(crate) fn say(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// `status --json`; null before the first start.
    pub(crate) fn status(&self) -> Value {
        serde_json::from_slice(&self.say(&["status", "--json"]).stdout).unwrap_or(Value::Null)
    }

    /// The alarms that are on.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let status = self.status();
        let alarms = status["alarms"].as_array().cloned().unwrap_or_default();
        alarms
            .iter()
            .map(|alarm| alarm["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Subjects of the mails that went out.
    pub(crate) fn mails(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("mails")).unwrap_or_default();
        text.lines()
            .filter_map(|line| line.strip_prefix("Subject: "))
            .map(|line| line.trim().to_owned())
            .collect()
    }

    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let found = Stop::new().wait_for(what, PATIENCE, || Ok(is_so(self).then_some(())));
        if let Err(error) = found {
            let said = fs::read_to_string(self.path("said")).unwrap_or_default();
            panic!("{error}\n{}\n{said}", self.status());
        }
    }

    /// A message comes into the queue and leaves it.
    fn queue_moves(&self) {
        let file = self.path("queue/active/4F2A1C0D3B");
        fs::write(&file, "").unwrap();
        fs::remove_file(file).unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A line as postlogd writes it with rsyslog's long stamps.
pub(crate) fn line(text: &str) -> String {
    let now = clock::now();
    format!("{now} relay1 {text}\n")
}

pub(crate) fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_log_that_turns_to_garbage_is_in_status_and_in_one_mail_until_it_is_well_again() {
    let Some(mut site) = Site::new("2s", None) else {
        return;
    };
    let good = || line("postfix/qmgr[7]: 4F2A1C0D3B: removed");
    append(&site.log(), &good());
    site.start();
    site.until("a line to be read", |site| {
        append(&site.log(), &good());
        site.status()["daemon"]["records"].as_u64() > Some(0)
    });
    assert_eq!(site.alarms(), [] as [&str; 0]);
    // Another program writes into the file, and what is Postfix's goes elsewhere.
    fs::rename(site.log(), site.path("log/mail.log.1")).unwrap();
    site.until("the alarm", |site| {
        append(&site.log(), "\u{1}\u{2}\u{fffd} not a line of any log\n");
        site.queue_moves();
        site.alarms() == ["silent"]
    });
    site.until("the mail", |site| !site.mails().is_empty());
    let output = site.say(&["status"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for words in [
        "! UNPROTECTED since",
        "! SILENT since",
        "none of them is Postfix's",
        "to do: compare [log] sources",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    // It dies and comes back blind: the alarm is the same one.
    site.kill();
    let text = String::from_utf8_lossy(&site.say(&["status"]).stdout).into_owned();
    assert!(
        text.contains("NOT RUNNING") && text.contains("postwarden does not run"),
        "{text}"
    );
    site.start();
    let count = |site: &Site| site.status()["daemon"]["foreign"].as_u64();
    let before = count(&site);
    site.until("more garbage to be read", |site| {
        append(&site.log(), "garbage\n");
        site.queue_moves();
        count(site) > before.map(|count| count + 100)
    });
    assert_eq!(site.alarms(), ["silent"]);
    site.until("the end of the alarm", |site| {
        site.queue_moves();
        append(&site.log(), &good());
        site.alarms().is_empty()
    });
    assert!(site.status()["unprotected"].is_null());
    site.until("the mail of the end", |site| site.mails().len() > 1);
    let mails = site.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(
        mails[0].contains("BLIND the mail log is silent while the queue moves"),
        "{mails:?}"
    );
    assert!(
        mails[1].contains("OVER the mail log is silent"),
        "{mails:?}"
    );
}

#[test]
fn a_new_format_of_postfixs_lines_is_told_by_share_and_shape() {
    let Some(mut site) = Site::new("2s", None) else {
        return;
    };
    append(&site.log(), "");
    site.start();
    site.until("the alarm", |site| {
        for n in 0..5 {
            append(&site.log(), &line(&format!("postfix/smtp[7]: 4F2A1C0D3{n}: to=<anna@example.org>, relais=mx.example.com, status=??")));
        }
        site.alarms() == ["unparsed"]
    });
    let text = String::from_utf8_lossy(&site.say(&["status"]).stdout).into_owned();
    for words in [
        "UNPARSED",
        "100.0 % of Postfix's lines",
        "smtp: ID: to=<>",
        "UNPROTECTED",
    ] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
}

#[test]
fn without_any_wake_up_the_log_is_polled() {
    let Some(mut site) = Site::new("2s", None) else {
        return;
    };
    append(&site.log(), "");
    site.start();
    // inotify goes on watching the directory that was there at the start.
    fs::rename(site.path("log"), site.path("log.old")).unwrap();
    fs::create_dir(site.path("log")).unwrap();
    let good = line("postfix/qmgr[7]: 4F2A1C0D3B: removed");
    append(&site.log(), &good.repeat(3));
    site.until("the lines to be read", |site| {
        site.status()["daemon"]["records"] == 3
    });
}

#[test]
fn a_real_postfix_logrotate_is_followed_line_by_line() {
    let Some(mut scene) = crate::scene::scene(&Orders::default()) else {
        return;
    };
    let _warden = scene.setup.start(&scene.world.stop).unwrap();
    // postlogd has one file or several, and the daemon began somewhere in the first.
    let directory = scene.world.relay.log().parent().unwrap().to_owned();
    let written = || -> u64 {
        let files = fs::read_dir(&directory).unwrap();
        files
            .map(|file| {
                let mut text = Vec::new();
                let file = fs::File::open(file.unwrap().path()).unwrap();
                let mut log = postwarden::source::archive::unpacked(file).unwrap();
                std::io::Read::read_to_end(&mut log, &mut text).unwrap();
                u64::try_from(text.iter().filter(|byte| **byte == b'\n').count()).unwrap()
            })
            .sum()
    };
    let setup = scene.setup.clone();
    let totals = || setup.ask(&["status"]).unwrap()["daemon"]["log"].clone();
    let read = || totals()["totals"]["lines"].as_u64().unwrap();
    scene.until("the daemon to watch", || totals()["totals"].is_object());
    let mut before = 0;
    scene.until("a quiet log", || {
        let now = written() - read();
        now == std::mem::replace(&mut before, now)
    });
    for round in 0..3 {
        let life = scene.life(2);
        drop(life.finish());
        let output = Command::new(scene.world.postfix.command("postfix"))
            .arg("-c")
            .arg(scene.world.relay.config_directory())
            .arg("logrotate")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let rotated = || {
            let names = fs::read_dir(&directory).unwrap();
            let names = names.map(|file| file.unwrap().file_name());
            names.filter(|name| name != "mail.log").count() > round
        };
        scene.until("the rotated log", rotated);
    }
    drop(scene.life(1).finish());
    scene.until_quiet();
    scene.until("every line to be read once", || {
        written() - read() == before
    });
    let log = totals();
    assert_eq!(
        (&log["totals"]["lost_bytes"], &log["totals"]["gaps"]),
        (&0.into(), &0.into())
    );
    assert_eq!(log["sources"][0]["rotations"], 3, "{log}");
}
