//! `make bench`: how long the whole program takes on a log of its own making, as ratios to other programs in the same run.
//!
//! Two million lines and more, 20,000 senders. `replay` is timed as a whole process against
//! `LC_ALL=C grep -c status= FILE | cat` on the same file in the page cache, best of three each; peak memory is read
//! from the kernel (`VmHWM`). Nothing here judges: it prints.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    missing_docs,
    reason = "a benchmark reads the clock, starts programs and prints"
)]

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const MESSAGES: u64 = 360_000;
const SENDERS: u64 = 20_000;

fn main() {
    let lines: u64 = std::env::var("POSTWARDEN_BENCH_MESSAGES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(MESSAGES);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let log = directory.join("bench.log");
    let written = generate(&log, lines);
    println!(
        "log: {written} lines, {} MiB, {SENDERS} senders",
        log.metadata().unwrap().len() >> 20
    );
    let grep = best(3, || {
        let script = "LC_ALL=C grep -c status= \"$1\" | cat";
        run(Command::new("sh").args(["-c", script, "sh"]).arg(&log))
    });
    let config = directory.join("bench.toml");
    std::fs::write(
        &config,
        format!("[state]\ndirectory = \"{}\"\n", directory.display()),
    )
    .unwrap();
    let binary = env!("CARGO_BIN_EXE_postwarden");
    for verb in ["records", "replay"] {
        let mut peak = 0;
        let time = best(3, || {
            let mut command = Command::new(binary);
            command
                .args([verb, "--tz", "UTC"])
                .arg(&log)
                .arg("-c")
                .arg(&config);
            if verb == "replay" {
                command.arg("--json");
            }
            let (time, memory) = watched(&mut command);
            peak = peak.max(memory);
            time
        });
        println!(
            "{verb}: {:.1} times grep -c, {:.2} million lines a second, peak {} MiB",
            time.as_secs_f64() / grep.as_secs_f64(),
            written as f64 / time.as_secs_f64() / 1e6,
            peak >> 10
        );
    }
}

fn best(times: u32, mut once: impl FnMut() -> Duration) -> Duration {
    (0..times).map(|_| once()).min().unwrap()
}

fn run(command: &mut Command) -> Duration {
    let start = Instant::now();
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    start.elapsed()
}

/// Runs a program and reads its peak memory (KiB) while it runs.
fn watched(command: &mut Command) -> (Duration, u64) {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(done) = child.try_wait().unwrap() {
            assert!(done.success(), "{done}");
            return (start.elapsed(), peak);
        }
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let now = line
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0);
        peak = peak.max(now);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ordinary traffic: one to three recipients, a few refusals, greylisting, requeues of short IDs. Deterministic.
fn generate(path: &Path, messages: u64) -> u64 {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut random = Random(42);
    let mut lines = 0;
    let mut clock = 1_780_000_000_000_000_u64;
    for n in 0..messages {
        clock += random.below(1_500_000);
        let sender = random.below(SENDERS);
        let queue_id = format!("{:05X}{:X}", clock % 1_000_000, 0x20000 + n % 8192);
        let recipients = 1 + random.below(10) / 8;
        let mut line = |after: u64, tag: &str, text: std::fmt::Arguments<'_>| {
            let at = clock + after;
            let seconds = at / 1_000_000;
            let day = seconds / 86_400 - 20_600;
            let of_day = seconds % 86_400;
            writeln!(
                out,
                "2026-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00 relay1 postfix/{tag}[{}]: {queue_id}: {text}",
                5 + day / 28,
                1 + day % 28,
                of_day / 3600,
                of_day / 60 % 60,
                of_day % 60,
                at % 1_000_000,
                1000 + at / 1_000_000_000 % 30_000,
            )
            .unwrap();
            lines += 1;
        };
        let network = sender % 200;
        line(
            0,
            "submission/smtpd",
            format_args!(
                "client=host{sender}.isp.example[10.{network}.{}.{}], sasl_method=PLAIN, sasl_username=user{sender}@example.org",
                sender % 251,
                n % 250
            ),
        );
        line(
            20_000,
            "cleanup",
            format_args!("message-id=<{n}.{sender}@client.example>"),
        );
        line(
            30_000,
            "qmgr",
            format_args!(
                "from=<user{sender}@example.org>, size={}, nrcpt={recipients} (queue active)",
                2000 + n % 60_000
            ),
        );
        for r in 0..recipients {
            let domain = random.below(400);
            let to = format!("rcpt{}@d{domain}.example", random.below(5000));
            let head = format!(
                "to=<{to}>, relay=mx.d{domain}.example[198.51.100.{}]:25, delay=0.9, delays=0.05/0.01/0.3/0.5",
                domain % 250
            );
            match random.below(100) {
                0 => line(
                    900_000 + r,
                    "smtp",
                    format_args!(
                        "{head}, dsn=5.1.1, status=bounced (host mx.d{domain}.example[198.51.100.1] said: 550 5.1.1 <{to}>: Recipient address rejected: User unknown (in reply to RCPT TO command))"
                    ),
                ),
                1..=3 => {
                    line(
                        900_000 + r,
                        "smtp",
                        format_args!(
                            "{head}, dsn=4.2.0, status=deferred (host mx.d{domain}.example[198.51.100.1] said: 450 4.2.0 <{to}>: Recipient address rejected: Greylisted (in reply to RCPT TO command))"
                        ),
                    );
                    line(
                        400_000_000 + r,
                        "smtp",
                        format_args!(
                            "{head}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4A2B3C4D)"
                        ),
                    );
                }
                _ => line(
                    900_000 + r,
                    "smtp",
                    format_args!(
                        "{head}, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4A2B3C4D)"
                    ),
                ),
            }
        }
        line(950_000, "qmgr", format_args!("removed"));
    }
    out.flush().unwrap();
    lines
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}
