//! A real journald and a real journalctl, in a mount namespace of their own.

use std::{
    fs,
    os::unix::{net::UnixDatagram, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::Site;

const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

/// A journald whose /run lies in the site's ground; `None` where there is none, or no right to a namespace.
struct Journald(Child);

impl Journald {
    fn start(site: &Site) -> Option<Self> {
        let may = Command::new("unshare").args(["-m", "true"]).output();
        let is_there = Path::new(JOURNALD).exists()
            && Path::new("/usr/bin/journalctl").exists()
            && fs::read_to_string("/etc/machine-id").is_ok_and(|id| id.len() > 30);
        if !is_there || !may.is_ok_and(|output| output.status.success()) {
            let line = "SKIPPED (no journald, journalctl, machine-id, or no right to unshare)\n";
            std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
            return None;
        }
        for part in ["run/systemd/journal", "varlog"] {
            fs::create_dir_all(site.path(part)).unwrap();
        }
        let script = "mount --bind \"$1\" /run && mount --bind \"$2\" /var/log && exec \"$3\"";
        let journald = Command::new("unshare")
            .args(["-m", "sh", "-c", script, "sh"])
            .args([site.path("run"), site.path("varlog")])
            .arg(JOURNALD)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let journald = Self(journald);
        site.until("journald", |site| socket(site).exists());
        Some(journald)
    }

    /// What stands before a command that shall see this journal.
    fn wrapper(&self) -> Vec<String> {
        let pid = self.0.id().to_string();
        ["nsenter", "-m", "-t", &pid, "--"]
            .map(str::to_owned)
            .to_vec()
    }

    /// SIGUSR2: rotate.
    fn rotate(&self) {
        signal(self.0.id(), nix::sys::signal::Signal::SIGUSR2);
    }
}

impl Drop for Journald {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, signal).unwrap();
}

fn socket(site: &Site) -> std::path::PathBuf {
    site.path("run/systemd/journal/dev-log")
}

/// Logs as syslog(3) does, by facility mail.
fn log(site: &Site, number: u64) {
    let line = format!(
        "<22>Nov 25 03:00:00 postfix/qmgr[7]: {:010X}: removed",
        0xA0_0000_0000_u64 + number
    );
    let out = UnixDatagram::unbound().unwrap();
    out.send_to(line.as_bytes(), socket(site)).unwrap();
}

fn records(site: &Site) -> u64 {
    site.status()["daemon"]["log"]["totals"]["records"]
        .as_u64()
        .unwrap_or(0)
}

/// journalctl, the child of the daemon.
fn reader(site: &Site) -> u32 {
    let daemon = site.daemon.as_ref().unwrap().id();
    let children = fs::read_dir(format!("/proc/{daemon}/task")).unwrap();
    children
        .flat_map(|task| fs::read_to_string(task.unwrap().path().join("children")))
        .flat_map(|pids| {
            pids.split_whitespace()
                .map(|pid| pid.parse().unwrap())
                .collect::<Vec<u32>>()
        })
        .find(|pid| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.trim() == "journalctl")
        })
        .expect("journalctl runs")
}

#[test]
fn a_real_journal_is_read_once_through_rotation_kills_and_a_reader_that_went_deaf() {
    let Some(mut site) = Site::new("3s", Some("journal")) else {
        return;
    };
    let Some(journald) = Journald::start(&site) else {
        return;
    };
    site.wrapper = journald.wrapper();
    log(&site, 0);
    site.start();
    // Killed before the first line came: what came meanwhile is not lost.
    site.kill();
    for number in 1..=100 {
        log(&site, number);
    }
    site.start();
    site.until("the first lines", |site| records(site) == 100);
    for number in 101..=400 {
        log(&site, number);
        if number % 100 == 0 {
            journald.rotate();
        }
        if number == 250 {
            site.kill();
        }
        if number == 300 {
            site.start();
        }
    }
    site.until("all lines", |site| records(site) >= 400);
    signal(reader(&site), nix::sys::signal::Signal::SIGSTOP);
    let mut number = 400;
    site.until("the reader to be started again", |site| {
        number += 1;
        log(site, number);
        site.queue_moves();
        records(site) > 400
    });
    site.until("the last line", |site| records(site) == number);
    let totals = site.status()["daemon"]["log"]["totals"].clone();
    assert_eq!(
        (&totals["records"], &totals["lines"]),
        (&number.into(), &number.into()),
        "{totals}"
    );
    assert!(
        site.alarms().is_empty(),
        "it was mended before anybody had to be told: {:?}",
        site.alarms()
    );
}
