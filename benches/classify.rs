//! How many replies a second one core classifies, and how that compares with counting newlines in the same bytes (the
//! least that anything can do with them, so that the ratio says something on any machine).
//!
//! `cargo bench --bench classify`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a bench measures time and prints"
)]

use std::{hint::black_box, sync::LazyLock, time::Instant};

use postwarden::classify::{Classifier, Question};

/// The traffic of an ordinary day, roughly by share: unknown users, full mailboxes, lists, limits, content, greylists,
/// long answers of the large operators.
const REPLIES: &[&str] = &[
    "550 5.1.1 <b@example.net>: Recipient address rejected: User unknown in virtual mailbox table",
    "550 5.1.1 <c.longer.name@mail.example.net> User doesn't exist: c.longer.name@mail.example.net",
    "550 not done: mailbox unavailable",
    "550-5.1.1 The account that you tried to reach does not exist. Please check the 550-5.1.1 address for typing errors or blanks and send again. 550-5.1.1 Learn more at 550 5.1.1 https://support.example.com/mail/?p=NoSuchUser a1si1234567abc.12 - gsmtp",
    "552 5.2.2 <b@example.net>: mailbox is full",
    "452 4.2.2 The recipient is over quota, try again later",
    "450 4.2.0 <b@example.net>: Recipient address rejected: Greylisted, see http://postgrey.example.org/help/example.net.html",
    "451 4.7.1 Greylisting in action, please come back later",
    "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7",
    "550 5.7.1 messages from [192.0.2.7] are not taken, since part of their network is on our block list (S3150). [mail.example.com]",
    "421 4.7.0 [TSS04] mail from 192.0.2.7 is deferred because of user complaints; see https://postmaster.example.com/error-codes",
    "554 5.7.1 The message was judged to be spam and is not taken",
    "451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (S77719) [mail.example.com 2026-01-01T00:00:00.000Z 08DD00000000]",
    "554 5.7.1 <b@example.net>: Relay access denied",
    "451 4.3.0 Temporary lookup failure",
    "550 5.7.1 something that nobody has seen before, number 4711",
];

fn main() {
    let classifier = Classifier::shipped().unwrap();
    let questions: Vec<Question<'_>> = REPLIES
        .iter()
        .map(|reply| Question {
            dsn: "5.0.0",
            reply: Some(reply),
            stage: Some("RCPT TO"),
            ..Question::default()
        })
        .collect();
    let bytes = REPLIES.join("\n");
    let rounds = std::env::var("ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(40_000);
    let classify = best(
        || {
            for question in &questions {
                black_box(classifier.classify(black_box(question)));
            }
        },
        rounds,
    );
    let count = best(
        || {
            black_box(memchr::memchr_iter(b'\n', black_box(bytes.as_bytes())).count());
        },
        rounds * 100,
    );
    let per_second = REPLIES.len() as f64 / classify;
    println!(
        "classify: {} rules, {:.0} replies/s, {:.0} ns a reply of {} bytes on average, {:.0} MB/s, {:.0} times a newline count",
        classifier.rules(),
        per_second,
        classify * 1e9 / REPLIES.len() as f64,
        bytes.len() / REPLIES.len(),
        bytes.len() as f64 / classify / 1e6,
        classify / count,
    );
}

/// Seconds of processor time a round, the best of twenty runs: other programs on the machine do not count.
fn best(mut round: impl FnMut(), rounds: u32) -> f64 {
    let runs = 20;
    (0..runs)
        .map(|_| {
            let start = busy();
            for _ in 0..rounds / runs {
                round();
            }
            (busy() - start) / f64::from(rounds / runs)
        })
        .fold(f64::INFINITY, f64::min)
}

/// Seconds this thread was running, as Linux counts them (schedstat); elsewhere the clock.
fn busy() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let running = std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    running.map_or_else(
        || START.elapsed().as_secs_f64(),
        |nanoseconds| nanoseconds / 1e9,
    )
}
