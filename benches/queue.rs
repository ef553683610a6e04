//! The queue of a relay in trouble: a spool of 100,000 files, hashed as Postfix hashes it, walked by name and read once.
//!
//! The walk is given as a ratio to `find SPOOL -type f` on the same tree in the same run (best of five each); how often
//! files are read is counted.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a benchmark reads the clock, starts programs and prints"
)]

use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use postwarden::{
    postfix::{queue_file::Head, queue_id, queue_list::Queue},
    source::spool::{self, Heads, Spool},
};

const FILES: u64 = 100_000;
const SENDERS: u64 = 2_000;

fn main() {
    let files: u64 = std::env::var("POSTWARDEN_BENCH_FILES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(FILES);
    let directory = tempfile::tempdir().unwrap();
    for depth in [1, 2] {
        let root = directory.path().join(format!("depth{depth}"));
        fill(&root, files, depth);
        let spool = Spool::new(&root);
        let find = best(|| {
            let mut command = Command::new("find");
            command
                .arg(&root)
                .args(["-type", "f"])
                .stdout(Stdio::null());
            assert!(command.status().unwrap().success());
        });
        let mut seen = 0;
        let walk = best(|| {
            seen = 0;
            spool.walk(&Queue::ALL, &mut |_| seen += 1);
        });
        assert_eq!(seen, files);
        let mut heads: Heads<Head> = Heads::default();
        let (first, read) = look(&spool, &mut heads);
        let (again, read_again) = look(&spool, &mut heads);
        println!(
            "queue of {files} files, hash_queue_depth {depth}: walked by name in {:.0} ms ({:.2} times find -type f); \
             first look {:.0} ms with {read} heads read, second {:.0} ms with {read_again}",
            milliseconds(walk),
            walk.as_secs_f64() / find.as_secs_f64(),
            milliseconds(first),
            milliseconds(again),
        );
        assert_eq!((read, read_again), (files, 0));
    }
}

/// One look: every file met, heads of new ones read.
fn look(spool: &Spool, heads: &mut Heads<Head>) -> (Duration, u64) {
    let start = Instant::now();
    let mut read = 0;
    heads.begin();
    spool.walk(&Queue::ALL, &mut |file| {
        heads.meet(file.queue_id, || {
            read += 1;
            spool::head(&file.directory.join(file.queue_id))
        });
    });
    heads.end();
    (start.elapsed(), read)
}

fn best(mut once: impl FnMut()) -> Duration {
    (0..5)
        .map(|_| {
            let start = Instant::now();
            once();
            start.elapsed()
        })
        .min()
        .unwrap()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A spool whose deferred queue is hashed and whose mail waits there, but for one file in fifty.
fn fill(root: &Path, files: u64, depth: usize) {
    for queue in ["maildrop", "incoming", "active", "deferred", "hold"] {
        std::fs::create_dir_all(root.join(queue)).unwrap();
    }
    for number in 0..files {
        let micros = number.wrapping_mul(7_919) % 1_000_000;
        let queue_id = format!("{micros:05X}{:05X}", 0x40_000 + number);
        let mut path = root.join(if number % 50 == 0 {
            "active"
        } else {
            "deferred"
        });
        if number % 50 != 0 {
            let hash: String = queue_id::hash_of(&queue_id).chars().take(depth).collect();
            for part in hash.chars() {
                path.push(part.to_string());
            }
            std::fs::create_dir_all(&path).unwrap();
        }
        std::fs::write(path.join(&queue_id), file(number)).unwrap();
    }
}

/// The envelope of a queue file and a little content.
fn file(number: u64) -> Vec<u8> {
    let sender = number % SENDERS;
    let mut text = String::new();
    write!(
        text,
        "{:>15} {:>15} {:>15} {:>15} {:>15}",
        345, 700, 1, 0, 345
    )
    .unwrap();
    let records = [
        (b'C', text),
        (b'T', format!("{} 1", 1_772_409_600 + number)),
        (b'A', format!("sasl_username=user{sender}@example.org")),
        (b'S', format!("user{sender}@example.org")),
        (b'A', "client_address=192.0.2.1".to_owned()),
        (b'R', format!("reader{number}@example.com")),
        (b'M', String::new()),
        (b'N', "Subject: waiting".to_owned()),
        (b'X', String::new()),
        (b'E', String::new()),
    ];
    let mut bytes = Vec::new();
    for (kind, data) in records {
        bytes.extend([kind, u8::try_from(data.len()).unwrap()]);
        bytes.extend(data.into_bytes());
    }
    bytes
}
