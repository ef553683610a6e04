//! Random rotation, truncation and `kill -9` under load: what the record counts is what was written.
//!
//! `POSTWARDEN_TEST_ROTATION` is how many seconds it lasts (6 by default), `POSTWARDEN_TEST_SEED` how the dice fall.
//! The writer stands still between a copy and its truncation: what is written just then no reader can get (logrotate(8),
//! copytruncate); that such losses are counted is tested where the follower is.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use postwarden::{daemon::clock, demo::random::Random};

use super::{Site, line};

/// Lines a second, about.
const PACE: u64 = 2_000;
/// Generations that are kept.
const KEPT: u64 = 100;

struct Writer {
    directory: PathBuf,
    file: File,
    dice: Random,
    lines: u64,
    messages: BTreeMap<String, u64>,
    done: Vec<&'static str>,
}

impl Writer {
    fn new(site: &Site, seed: u64) -> Self {
        Self {
            directory: site.path("log"),
            file: append(&site.log()),
            dice: Random::new(seed),
            lines: 0,
            messages: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// One message of a random login, in one write or in two that cut a line anywhere.
    fn message(&mut self) {
        let number = self.lines;
        let login = format!("user{:02}@example.org", self.dice.below(40));
        let id = format!("{:010X}", 0xA0_0000_0000_u64 + number);
        let text = [
            format!("postfix/smtpd[7]: {id}: client=unknown[192.0.2.{}], sasl_method=PLAIN, sasl_username={login}", number % 250),
            format!("postfix/cleanup[7]: {id}: message-id=<{number}@example.org>"),
            format!("postfix/qmgr[7]: {id}: from=<{login}>, size=500, nrcpt=1 (queue active)"),
            format!("postfix/smtp[7]: {id}: to=<friend{number}@example.com>, relay=mx.example.com[198.51.100.7]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)"),
            format!("postfix/qmgr[7]: {id}: removed"),
        ]
        .map(|text| line(&text));
        self.lines += 5;
        *self.messages.entry(login).or_default() += 1;
        let text = text.concat();
        let cut = self.dice.below(text.len());
        let (first, second) = text.as_bytes().split_at(cut);
        self.file.write_all(first).unwrap();
        if self.dice.below(8) == 0 {
            // Half a line stays in the file for a while, so that it is met there: load, not synchronisation.
            std::thread::sleep(Duration::from_millis(self.dice.below(30) as u64));
        }
        self.file.write_all(second).unwrap();
    }

    fn messages(&mut self, count: usize) {
        for _ in 0..count {
            self.message();
        }
    }

    /// The generations move up by one.
    fn shift(&self) {
        for n in (1..=KEPT).rev() {
            for end in ["", ".gz"] {
                let from = self.path(&format!("mail.log.{n}{end}"));
                if from.exists() {
                    if n == KEPT {
                        fs::remove_file(from).unwrap();
                    } else {
                        let to = format!("mail.log.{}{end}", n + 1);
                        fs::rename(from, self.path(&to)).unwrap();
                    }
                }
            }
        }
    }

    /// logrotate with `create`: the writer goes on in the old file until it is told to open the new one.
    fn rename(&mut self, create: bool) {
        self.shift();
        fs::rename(self.path("mail.log"), self.path("mail.log.1")).unwrap();
        if create {
            drop(append(&self.path("mail.log")));
        }
        let more = self.dice.below(60);
        self.messages(more);
        self.file = append(&self.path("mail.log"));
    }

    /// logrotate with `copytruncate`.
    fn copy_and_truncate(&mut self) {
        self.shift();
        fs::copy(self.path("mail.log"), self.path("mail.log.1")).unwrap();
        self.file.set_len(0).unwrap();
    }

    /// logrotate with `delaycompress`: an old one becomes a compressed one, as gzip(1) makes it.
    fn compress(&mut self) {
        let plain = self.path("mail.log.2");
        let packed = self.path("mail.log.2.gz");
        if !plain.exists() || packed.exists() {
            return;
        }
        let text = fs::read(&plain).unwrap();
        let modified = fs::metadata(&plain).unwrap().modified().unwrap();
        let file = File::create(&packed).unwrap();
        let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        out.write_all(&text).unwrap();
        out.finish().unwrap().set_modified(modified).unwrap();
        fs::remove_file(plain).unwrap();
    }

    fn step(&mut self) {
        let (name, step): (&'static str, fn(&mut Self)) = match self.dice.below(20) {
            0 => ("rename and create", |writer| writer.rename(true)),
            1 => ("rename", |writer| writer.rename(false)),
            2 => ("copytruncate", Self::copy_and_truncate),
            3 => ("compress", Self::compress),
            _ => ("write", |writer| {
                let count = writer.dice.below(100);
                writer.messages(count);
            }),
        };
        self.done.push(name);
        step(self);
    }
}

fn append(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.create(true).append(true).open(path).unwrap()
}

#[test]
fn whatever_happens_to_the_log_and_to_the_daemon_every_line_is_counted_once() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse::<u64>().unwrap())
    };
    let span = Duration::from_secs(number("POSTWARDEN_TEST_ROTATION", 6));
    let seed = number("POSTWARDEN_TEST_SEED", 1);
    let Some(mut site) = Site::new("60s", None) else {
        return;
    };
    let mut writer = Writer::new(&site, seed);
    site.start();
    let kills = play(&mut site, &mut writer, span, seed + 1);
    let Writer {
        lines,
        messages,
        done,
        ..
    } = writer;
    let count = |site: &Site| site.status()["daemon"]["lines"].as_u64();
    site.until("all lines to be counted", |site| count(site) >= Some(lines));
    // Whoever reads one twice has read it by now: the daemon stands at the end.
    site.until("the end of the log", |site| {
        let sources = &site.status()["daemon"]["log"]["sources"];
        sources[0]["bytes_not_read"] == 0
    });
    let status = site.status();
    let read = &status["daemon"]["log"]["totals"];
    let told = format!("seed {seed}, {kills} kills, {done:?}\n{status}");
    assert_eq!(read["lines"], lines, "{told}");
    assert_eq!(read["records"], lines, "{told}");
    assert_eq!(
        (&read["lost_bytes"], &read["gaps"]),
        (&0.into(), &0.into()),
        "{told}"
    );
    let output = site.say(&["senders", "--json", "--limit", "1000"]);
    let senders: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let counted: BTreeMap<String, u64> = senders
        .iter()
        .filter_map(|sender| {
            let name = sender["sender_id"].as_str()?.strip_prefix("sasl:")?;
            Some((name.to_owned(), sender["messages"].as_u64()?))
        })
        .collect();
    assert_eq!(counted, messages, "{told}");
    let line = format!("{lines} lines, {kills} kills, {} steps\n", done.len());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Writes, rotates and kills; answers how often it killed. The daemon runs in the end.
fn play(site: &mut Site, writer: &mut Writer, span: Duration, seed: u64) -> u64 {
    let mut dice = Random::new(seed);
    let begun = clock::instant();
    let mut kills = 0;
    while begun.elapsed() < span {
        let life = Duration::from_millis(100 + dice.below(2_500) as u64);
        let end = clock::instant() + life;
        while clock::instant() < end {
            writer.step();
            let due = Duration::from_millis(writer.lines * 1_000 / PACE);
            let early = due.saturating_sub(begun.elapsed());
            // The pace of the load; nothing waits for it.
            std::thread::sleep(early.min(Duration::from_millis(200)));
        }
        writer.done.drain(..writer.done.len().saturating_sub(200));
        if dice.below(3) > 0 {
            site.kill();
            kills += 1;
        }
        // Now and then it stays away for a while.
        if site.daemon.is_none() && dice.below(2) == 0 {
            site.start_with(&[]);
        }
    }
    if site.daemon.is_none() {
        site.start();
    }
    kills
}
