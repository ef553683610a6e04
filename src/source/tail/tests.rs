//! A behaviour each by hand, and random histories against a model: what was written is what is read, once.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
};

use super::*;

struct Log {
    directory: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn live(&self) -> PathBuf {
        self.path("mail.log")
    }

    fn write(&self, text: &str) {
        self.write_to("mail.log", text);
    }

    fn write_to(&self, name: &str, text: &str) {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name))
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy_and_truncate(&self, to: &str) {
        fs::copy(self.live(), self.path(to)).unwrap();
        OpenOptions::new()
            .write(true)
            .open(self.live())
            .unwrap()
            .set_len(0)
            .unwrap();
    }

    fn compress(&self, name: &str) {
        let text = fs::read(self.path(name)).unwrap();
        let modified = fs::metadata(self.path(name)).unwrap().modified().unwrap();
        let file = File::create(self.path(&format!("{name}.gz"))).unwrap();
        let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        out.write_all(&text).unwrap();
        out.finish().unwrap().set_modified(modified).unwrap();
        fs::remove_file(self.path(name)).unwrap();
    }

    fn follower(&self) -> Tail {
        Tail::new(&self.live(), None, true)
    }

    fn restart(&self, tail: &Tail) -> Tail {
        let stored = postcard::to_allocvec(&tail.cursor()).unwrap();
        Tail::new(
            &self.live(),
            Some(postcard::from_bytes(&stored).unwrap()),
            true,
        )
    }
}

fn lines(tail: &mut Tail) -> Vec<String> {
    let mut lines = Vec::new();
    while tail
        .read(&mut |line| lines.push(String::from_utf8_lossy(line).into_owned()))
        .unwrap()
        > 0
    {}
    lines
}

#[test]
fn a_new_follower_begins_with_what_comes_and_one_from_the_start_with_the_first_line() {
    let log = Log::new();
    log.write("old\nhalf");
    let mut from_now = Tail::new(&log.live(), None, false);
    let mut from_start = log.follower();
    log.write(" done\nnew\n");
    assert_eq!(lines(&mut from_now), ["half done", "new"]);
    assert_eq!(lines(&mut from_start), ["old", "half done", "new"]);
}

#[test]
fn a_file_that_appears_later_is_read_from_its_start() {
    let log = Log::new();
    let mut tail = Tail::new(&log.live(), None, false);
    assert!(lines(&mut tail).is_empty());
    log.write("one\n");
    assert_eq!(lines(&mut tail), ["one"]);
}

#[test]
fn a_half_line_waits_for_its_end() {
    let log = Log::new();
    log.write("one\ntw");
    let mut tail = log.follower();
    assert_eq!(lines(&mut tail), ["one"]);
    let mut restarted = log.restart(&tail);
    log.write("o\n");
    assert_eq!(lines(&mut tail), ["two"]);
    assert_eq!(lines(&mut restarted), ["two"]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_while_its_writer_still_has_it() {
    let log = Log::new();
    log.write("1\n");
    let mut tail = log.follower();
    assert_eq!(lines(&mut tail), ["1"]);
    log.rename("mail.log", "mail.log.1");
    log.write("");
    log.write_to("mail.log.1", "2\n");
    assert_eq!(lines(&mut tail), ["2"]);
    log.write_to("mail.log.1", "3\nhalf");
    log.write("4\n");
    assert_eq!(lines(&mut tail), ["3", "half", "4"]);
    assert_eq!(tail.counters().rotations, 1);
}

#[test]
fn generations_that_nobody_looked_at_are_read_in_order_after_a_restart() {
    let log = Log::new();
    log.write_to("mail.log.1", "long ago\n");
    log.write("1\n2\n");
    let mut tail = log.follower();
    assert_eq!(lines(&mut tail), ["1", "2"]);
    log.write("3\n");
    log.rename("mail.log.1", "mail.log.2");
    log.rename("mail.log", "mail.log.1");
    log.write("4\n");
    for n in [2, 1] {
        log.rename(&format!("mail.log.{n}"), &format!("mail.log.{}", n + 1));
    }
    log.rename("mail.log", "mail.log.1");
    log.compress("mail.log.2");
    log.write("5\n");
    assert_eq!(lines(&mut log.restart(&tail)), ["3", "4", "5"]);
    assert_eq!(lines(&mut tail), ["3", "4", "5"]);
}

#[test]
fn postfix_logrotate_loses_nothing() {
    let log = Log::new();
    log.write("1\n");
    let mut tail = log.follower();
    assert_eq!(lines(&mut tail), ["1"]);
    log.rename("mail.log", "mail.log.20261123-084000");
    log.write_to("mail.log.20261123-084000", "2\n");
    log.write("3\n");
    log.compress("mail.log.20261123-084000");
    assert_eq!(lines(&mut log.restart(&tail)), ["2", "3"]);
    assert_eq!(lines(&mut tail), ["2", "3"]);
}

#[test]
fn a_copied_and_truncated_file_is_finished_in_its_copies() {
    let log = Log::new();
    log.write("1\n");
    let mut tail = log.follower();
    assert_eq!(lines(&mut tail), ["1"]);
    log.write("2\n");
    log.copy_and_truncate("mail.log.1");
    log.write("3\n");
    log.rename("mail.log.1", "mail.log.2");
    log.copy_and_truncate("mail.log.1");
    log.write("a line that is longer than what was there before\n");
    let mut restarted = log.restart(&tail);
    let expected = ["2", "3", "a line that is longer than what was there before"];
    assert_eq!(lines(&mut restarted), expected);
    assert_eq!(lines(&mut tail), expected);
    assert_eq!(tail.counters().lost_files, 0);
}

#[test]
fn a_copy_of_what_was_never_looked_at_is_read_too() {
    let log = Log::new();
    log.write("");
    let mut tail = log.follower();
    assert!(lines(&mut tail).is_empty());
    log.write("1\n");
    log.copy_and_truncate("mail.log.1");
    log.write("2\n");
    assert_eq!(lines(&mut tail), ["1", "2"]);
}

#[test]
fn what_was_cut_off_or_deleted_unread_is_counted() {
    let log = Log::new();
    log.write("1\n2\n");
    let mut tail = log.follower();
    assert_eq!(tail.read_batch(2).unwrap().bytes(), b"1\n");
    let mut restarted = log.restart(&tail);
    fs::remove_file(log.live()).unwrap();
    log.write("3\n");
    assert_eq!(
        lines(&mut tail),
        ["2", "3"],
        "an open file can still be read"
    );
    assert_eq!(lines(&mut restarted), ["3"]);
    assert_eq!(restarted.counters().lost_files, 1);
    assert_eq!(restarted.counters().lost_bytes, 2);
    assert_eq!(
        (restarted.counters().gaps, tail.counters().gaps),
        (1, 0),
        "who saw it knows that no more was lost"
    );
    let mut last = log.restart(&tail);
    fs::write(log.live(), "4\n").unwrap();
    assert_eq!(lines(&mut tail), ["4"]);
    assert_eq!(lines(&mut last), ["4"]);
    assert_eq!(tail.counters().lost_bytes, 0, "all had been read");
}

/// What copytruncate loses by its nature: lines between the end of the copy and the truncation.
#[test]
fn what_was_written_between_copy_and_truncation_is_read_in_time_or_counted() {
    let cut = |tail: &Log| {
        let file = OpenOptions::new().write(true).open(tail.live()).unwrap();
        file.set_len(0).unwrap();
    };
    for packed in [false, true] {
        let log = Log::new();
        log.write("1\n2\n");
        let mut tail = log.follower();
        assert_eq!(tail.read_batch(2).unwrap().bytes(), b"1\n");
        fs::copy(log.live(), log.path("mail.log.1")).unwrap();
        log.write("between\n");
        assert_eq!(tail.read_batch(2).unwrap().bytes(), b"2\n");
        assert!(tail.lag_bytes() > 0, "it was seen to be there");
        let mut restarted = log.restart(&tail);
        cut(&log);
        log.write("3\n");
        if packed {
            log.compress("mail.log.1");
        }
        for tail in [&mut tail, &mut restarted] {
            assert_eq!(lines(tail), ["3"], "packed: {packed}");
            assert_eq!(tail.counters().lost_bytes, 8, "packed: {packed}");
        }
    }
    let log = Log::new();
    log.write("1\n");
    let mut tail = log.follower();
    assert_eq!(lines(&mut tail), ["1"]);
    fs::copy(log.live(), log.path("mail.log.1")).unwrap();
    log.write("between\n");
    assert_eq!(lines(&mut tail), ["between"]);
    cut(&log);
    log.write("3\n");
    assert_eq!(lines(&mut tail), ["3"]);
    assert_eq!(tail.counters().lost_bytes, 0, "it was read in time");
}

#[test]
fn a_line_without_end_is_left_out_and_counted_and_nothing_else_is() {
    let log = Log::new();
    let long = "x".repeat(3 * LONGEST_LINE + 17);
    log.write(&format!("1\n{long}, as if: a line\n2\n"));
    let mut tail = log.follower();
    assert_eq!(lines(&mut tail), ["1", "2"]);
    assert_eq!(tail.counters().overlong, 1);
    log.write(&"y".repeat(LONGEST_LINE + 5));
    assert!(lines(&mut tail).is_empty());
    let mut restarted = log.restart(&tail);
    log.write("z\n3\n");
    assert_eq!(lines(&mut restarted), ["3"]);
}

#[test]
fn batches_of_any_size_give_the_same_lines() {
    let log = Log::new();
    let text: String = (0..200)
        .map(|n| format!("{}\n", "line ".repeat(n % 17)))
        .collect();
    log.write(&text);
    let all = lines(&mut log.follower());
    for most in [1, 2, 7, 64, 1000] {
        let mut tail = log.follower();
        let mut read = Vec::new();
        loop {
            let batch = tail.read_batch(most).unwrap();
            if batch.is_empty() {
                break;
            }
            read.extend(
                batch
                    .lines()
                    .map(|l| String::from_utf8_lossy(l).into_owned()),
            );
        }
        assert_eq!(read, all);
    }
}

/// A small generator: the same numbers for the same seed, everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A writer, its rotations, and a reader that is killed now and then.
struct Model {
    log: Log,
    dice: Dice,
    dated: bool,
    /// Whether the writer still has the file that was renamed to this name.
    writer_is_behind: bool,
    rotations: u64,
    half: bool,
    written: Vec<String>,
    tail: Tail,
    read: Vec<String>,
    /// What a commit made durable: lines and cursor together.
    committed: (usize, Cursor),
    history: Vec<&'static str>,
}

impl Model {
    fn new(seed: u64) -> Self {
        let log = Log::new();
        log.write("");
        let tail = log.follower();
        let committed = (0, tail.cursor());
        Self {
            log,
            dice: Dice(seed),
            dated: seed % 2 == 1,
            writer_is_behind: false,
            rotations: 0,
            half: false,
            written: Vec::new(),
            tail,
            read: Vec::new(),
            committed,
            history: Vec::new(),
        }
    }

    fn newest(&self) -> String {
        if self.dated {
            format!("mail.log-{:08}", 20_260_000 + self.rotations)
        } else {
            "mail.log.1".to_owned()
        }
    }

    fn target(&self) -> String {
        if self.writer_is_behind {
            self.newest()
        } else {
            "mail.log".to_owned()
        }
    }

    fn write(&mut self) {
        let target = self.target();
        for _ in 0..=self.dice.roll(40) {
            let line = format!(
                "line {:06} {}",
                self.written.len(),
                "x".repeat(usize::try_from(self.dice.roll(60)).unwrap())
            );
            let text = if self.half {
                String::new()
            } else {
                line.clone()
            };
            if self.half {
                // The line before is still to be ended.
                self.log.write_to(&target, "\n");
                self.half = false;
                continue;
            }
            self.half = self.dice.roll(30) == 0;
            let end = if self.half { "" } else { "\n" };
            self.log.write_to(&target, &format!("{text}{end}"));
            self.written.push(line);
        }
    }

    fn end_half_line(&mut self) {
        if std::mem::take(&mut self.half) {
            let target = self.target();
            self.log.write_to(&target, "\n");
        }
    }

    fn shift(&mut self) {
        self.rotations += 1;
        if self.dated {
            return;
        }
        for n in (1..100).rev() {
            for extension in ["", ".gz"] {
                let from = format!("mail.log.{n}{extension}");
                if self.log.path(&from).exists() {
                    self.log
                        .rename(&from, &format!("mail.log.{}{extension}", n + 1));
                }
            }
        }
    }

    fn reopen(&mut self) {
        if std::mem::take(&mut self.writer_is_behind) {
            self.half = false;
        }
    }

    fn rotate(&mut self) {
        self.reopen();
        if !self.log.live().exists() {
            return;
        }
        self.shift();
        self.log.rename("mail.log", &self.newest());
        self.writer_is_behind = true;
        if self.dice.roll(2) == 0 {
            self.log.write("");
        }
        if self.dice.roll(2) == 0 {
            self.reopen();
        }
    }

    fn copy_and_truncate(&mut self) {
        self.reopen();
        if !self.log.live().exists() {
            return;
        }
        self.end_half_line();
        self.shift();
        self.log.copy_and_truncate(&self.newest());
    }

    fn compress_an_old_one(&mut self) {
        let name = if self.dated {
            format!(
                "mail.log-{:08}",
                20_260_000 + self.rotations.saturating_sub(1)
            )
        } else {
            "mail.log.2".to_owned()
        };
        if self.log.path(&name).exists() {
            self.log.compress(&name);
        }
    }

    fn read(&mut self, batches: u64) {
        for _ in 0..batches {
            let most = usize::try_from(1 + self.dice.roll(3000)).unwrap();
            let batch = self.tail.read_batch(most).unwrap();
            self.read.extend(
                batch
                    .lines()
                    .map(|l| String::from_utf8_lossy(l).into_owned()),
            );
        }
    }

    fn delete_when_all_is_read(&mut self) {
        self.reopen();
        self.end_half_line();
        self.read(400);
        self.commit();
        if self.read == self.written && self.log.live().exists() {
            fs::remove_file(self.log.live()).unwrap();
        }
    }

    fn commit(&mut self) {
        self.committed = (self.read.len(), self.tail.cursor());
    }

    fn kill(&mut self) {
        self.read.truncate(self.committed.0);
        let stored = postcard::to_allocvec(&self.committed.1).unwrap();
        let cursor = postcard::from_bytes(&stored).unwrap();
        self.tail = Tail::new(&self.log.live(), Some(cursor), false);
    }

    fn step(&mut self) {
        let (name, step): (&'static str, fn(&mut Self)) = match self.dice.roll(16) {
            0..=4 => ("write", Self::write),
            5 => ("reopen", Self::reopen),
            6 => ("rotate", Self::rotate),
            7 => ("copytruncate", Self::copy_and_truncate),
            8 => ("compress", Self::compress_an_old_one),
            9 => ("delete", Self::delete_when_all_is_read),
            10 | 11 => ("kill", Self::kill),
            12 | 13 => ("commit", Self::commit),
            _ => ("read", |model| {
                let batches = 1 + model.dice.roll(8);
                model.read(batches);
            }),
        };
        self.history.push(name);
        step(self);
    }
}

fn play(seed: u64, steps: usize) {
    let mut model = Model::new(seed);
    for _ in 0..steps {
        model.step();
    }
    model.reopen();
    model.end_half_line();
    model.log.write("the end\n");
    model.written.push("the end".to_owned());
    model.kill();
    model.read(2000);
    for (n, (written, read)) in model.written.iter().zip(&model.read).enumerate() {
        assert_eq!(written, read, "seed {seed}, line {n}, {:?}", model.history);
    }
    assert_eq!(
        model.read.len(),
        model.written.len(),
        "seed {seed}, {:?}",
        model.history
    );
    assert_eq!(model.tail.counters().lost_bytes, 0, "seed {seed}");
}

#[test]
fn whatever_happens_every_line_is_read_once() {
    let (seeds, steps) = std::env::var("POSTWARDEN_TAIL_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .map_or((60, 60), |seeds| (seeds, 200));
    for seed in 0..seeds {
        play(seed, steps);
    }
}
