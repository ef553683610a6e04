//! Learning from old logs: by `learn`, and by the first `run` from what lies beside the log.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use serde_json::Value;

const ANNA: (&str, &str) = ("anna@example.org", "198.51.100.7");

/// A log of one relay, written as Postfix writes it.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) text: String,
    messages: u32,
}

impl Log {
    /// One message of `login` from `client` to one recipient, and what the remote side said.
    fn message(
        &mut self,
        day: u32,
        second: u32,
        (login, client): (&str, &str),
        to: &str,
        answer: &str,
    ) {
        self.messages += 1;
        let id = format!("4X{:05}Zz1aBcD", self.messages);
        let at = |more: u32| {
            let second = second + more;
            format!(
                "2026-10-{day:02}T{:02}:{:02}:{:02}.000000+00:00 relay postfix",
                second / 3600,
                second / 60 % 60,
                second % 60
            )
        };
        let host = to.rsplit('@').next().unwrap();
        let text = &mut self.text;
        writeln!(text, "{}/submission/smtpd[21]: {id}: client=client.example[{client}], sasl_method=PLAIN, sasl_username={login}", at(0)).unwrap();
        writeln!(
            text,
            "{}/cleanup[22]: {id}: message-id=<{id}@example.org>",
            at(0)
        )
        .unwrap();
        writeln!(
            text,
            "{}/qmgr[23]: {id}: from=<{login}>, size=900, nrcpt=1 (queue active)",
            at(0)
        )
        .unwrap();
        let status = if answer.starts_with('2') {
            "sent"
        } else {
            "bounced"
        };
        let dsn = answer.split(' ').nth(1).unwrap();
        writeln!(text, "{}/smtp[24]: {id}: to=<{to}>, relay=mx.{host}[192.0.2.25]:25, delay=1, delays=0/0/0.5/0.5, dsn={dsn}, status={status} (host mx.{host}[192.0.2.25] said: {answer} (in reply to end of DATA command))", at(1)).unwrap();
        writeln!(text, "{}/qmgr[23]: {id}: removed", at(1)).unwrap();
    }

    /// Ordinary mail on an ordinary day.
    pub(crate) fn ordinary(&mut self, day: u32) {
        for number in 0..20 {
            let to = format!("friend{}@remote{}.example", number % 7, number % 3);
            self.message(
                day,
                30_000 + number * 600,
                ANNA,
                &to,
                "250 2.0.0 Ok: queued",
            );
        }
    }

    /// A thief with anna's password.
    pub(crate) fn attack(&mut self, day: u32) {
        for number in 0..40 {
            let to = format!("victim{number}@target{}.example", number % 9);
            let answer = match number % 3 {
                0 => "250 2.0.0 Ok: queued",
                1 => "554 5.7.1 message rejected as spam",
                _ => "550 5.1.1 user unknown",
            };
            self.message(
                day,
                80_000 + number * 2,
                ("anna@example.org", "203.0.113.66"),
                &to,
                answer,
            );
        }
    }
}

pub(crate) fn config(directory: &Path) -> PathBuf {
    let path = directory.join("postwarden.toml");
    let text = format!(
        "[postfix]\nconfig_directory = \"{0}\"\n[log]\nsources = [\"{0}/mail.log\"]\n[state]\ndirectory = \"{0}/state\"\n[holder]\nsocket = \"\"\n[listen]\nsocketmap = []\n[policies]\ndirectory = \"{0}/policies\"\n",
        directory.display()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::write(
        directory.join("main.cf"),
        format!(
            "myhostname = relay.example.org\nqueue_directory = {}/queue\n",
            directory.display()
        ),
    )
    .unwrap();
    path
}

pub(crate) fn postwarden(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postwarden"));
    command.arg("-c").arg(config);
    command
}

pub(crate) fn json_lines(command: &mut Command) -> Vec<Value> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What is on record of incidents, for a state that exists.
fn incidents(config: &Path) -> usize {
    let output = postwarden(config)
        .args(["incidents", "--json"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains("\"sender_id\""))
        .count()
}

#[test]
fn learn_fills_the_profiles_convicts_nobody_and_refuses_to_learn_twice() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let mut log = Log::default();
    (1..=12).for_each(|day| log.ordinary(day));
    log.attack(12);
    (14..=20).for_each(|day| log.ordinary(day));
    let path = directory.path().join("old.log");
    std::fs::write(&path, &log.text).unwrap();

    let verdicts = json_lines(
        postwarden(&config)
            .args(["replay", "--json", "--tz", "UTC"])
            .arg(&path),
    );
    assert!(
        verdicts.iter().any(|line| line["verdict"] == "hold"),
        "{verdicts:?}"
    );

    let learned = json_lines(
        postwarden(&config)
            .args(["learn", "--json", "--tz", "UTC"])
            .arg(&path),
    );
    assert_eq!(learned[0]["senders"], 1);
    assert_eq!(learned[0]["incidents"], 1);
    assert_eq!(learned[0]["attempts"], 19 * 20 + 40);
    assert_eq!(incidents(&config), 0);
    let explained = postwarden(&config)
        .args(["explain", "sasl:anna@example.org"])
        .output()
        .unwrap();
    let explained = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.contains("clear"), "{explained}");

    let again = postwarden(&config)
        .args(["learn", "--tz", "UTC"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(65), "{again:?}");
    assert!(String::from_utf8_lossy(&again.stderr).contains("count it twice"));
}

/// The daemon, ended by its own pid.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_first_start_learns_from_rotated_logs_and_judges_what_comes_after() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let mut log = Log::default();
    (1..=6).for_each(|day| log.ordinary(day));
    log.attack(6);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer
        .write_all(std::mem::take(&mut log.text).as_bytes())
        .unwrap();
    std::fs::write(
        directory.path().join("mail.log.2.gz"),
        packer.finish().unwrap(),
    )
    .unwrap();
    (8..=14).for_each(|day| log.ordinary(day));
    std::fs::write(
        directory.path().join("mail.log.1"),
        std::mem::take(&mut log.text),
    )
    .unwrap();
    (15..=18).for_each(|day| log.ordinary(day));
    let live = directory.path().join("mail.log");
    std::fs::write(&live, std::mem::take(&mut log.text)).unwrap();

    let said = directory.path().join("said");
    let _daemon = Daemon(
        postwarden(&config)
            .args(["run", "--log-json"])
            .stdout(std::fs::File::create(&said).unwrap())
            .stderr(std::fs::File::create(directory.path().join("errors")).unwrap())
            .spawn()
            .unwrap(),
    );
    let status = || {
        let output = postwarden(&config)
            .args(["status", "--json"])
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default()
    };
    until("the daemon reports", || status()["daemon"]["senders"] == 1);
    let learned = &status()["learned"]["what"];
    assert_eq!(learned["attempts"], 17 * 20 + 40, "{learned}");
    assert_eq!(learned["incidents"], 1);
    assert_eq!(incidents(&config), 0, "an old attack holds nobody");

    log.attack(19);
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&live)
        .unwrap();
    file.write_all(log.text.as_bytes()).unwrap();
    until("the new attack is an incident", || incidents(&config) == 1);
}
