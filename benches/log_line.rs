//! How fast one core reads log lines: parsing alone, against counting the same lines with memchr in the same run.
//!
//! `cargo bench --bench log_line [-- LINES]`. The log is made here: the traffic of a relay (client, message-id, queued,
//! deliveries of several outcomes, removed), lines of about 170 bytes. Figures are the best of many
//! short rounds, so that what else the machine does stays out of them.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a bench prints, and measures with the clock"
)]

use std::{fmt::Write as _, hint::black_box, time::Instant};

use postwarden::{
    postfix::log_record::{Reader, Reading},
    time::{Timestamp, Zone},
};

fn main() {
    let lines = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next();
    let log = synthetic(lines.unwrap_or(100_000));
    let bytes = log.as_bytes();
    let (counted, counting) = best(|| memchr::memchr_iter(b'\n', bytes).count());
    let (understood, reading) = best(|| {
        let mut reader = Reader::new(Zone::utc(), Timestamp::from_seconds(1_800_000_000));
        let mut understood = 0;
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            let reading = reader.read(line);
            understood += usize::from(matches!(black_box(&reading), Reading::Record(_)));
        }
        understood
    });
    println!("lines            {counted}");
    println!("understood       {understood}");
    println!(
        "bytes a line     {:.0}",
        bytes.len() as f64 / counted as f64
    );
    println!(
        "count lines      {:.1} M lines/s",
        counted as f64 / counting / 1e6
    );
    println!(
        "read records     {:.2} M lines/s",
        counted as f64 / reading / 1e6
    );
    println!("ratio            {:.1}", reading / counting);
}

/// What a closure gives, and the seconds of its fastest of fifty rounds.
fn best(mut work: impl FnMut() -> usize) -> (usize, f64) {
    let mut fastest = f64::MAX;
    let mut result = 0;
    for _ in 0..50 {
        let start = Instant::now();
        result = black_box(work());
        fastest = fastest.min(start.elapsed().as_secs_f64());
    }
    (result, fastest)
}

/// The log of a relay: seven lines a message, 300 messages a second.
fn synthetic(lines: usize) -> String {
    let mut log = String::with_capacity(lines * 170);
    let mut message = 0_u64;
    let mut written = 0;
    while written < lines {
        let second = message / 300;
        let stamp = format!(
            "Nov {:2} {:02}:{:02}:{:02} relay1",
            1 + second / 86_400 % 28,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60
        );
        let id = format!("{:05X}{:06X}", message * 7919 % 0xF_FFFF, message);
        let (user, domain) = (message % 20_000, message % 997);
        let mut line = |text: std::fmt::Arguments<'_>| {
            if written < lines {
                writeln!(log, "{stamp} postfix/{text}").unwrap_or_default();
                written += 1;
            }
        };
        line(format_args!(
            "submission/smtpd[4711]: {id}: client=dsl-{user}.pool.isp.example[203.0.113.{}], sasl_method=PLAIN, sasl_username=user{user}@customers.example",
            user % 250
        ));
        line(format_args!(
            "cleanup[4712]: {id}: message-id=<20261103082550.{message}@client{user}.customer.example>"
        ));
        line(format_args!(
            "qmgr[4713]: {id}: from=<user{user}@customers.example>, size={}, nrcpt=2 (queue active)",
            1000 + message % 90_000
        ));
        line(format_args!(
            "smtp[4714]: {id}: to=<rcpt{message}@d{domain}.example>, relay=mx1.d{domain}.example[198.51.100.{}]:25, delay=0.{}, delays=0.02/0.01/0.2/0.3, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F{message:08X})",
            domain % 250,
            message % 90 + 10
        ));
        line(format_args!(
            "smtp[4715]: {id}: to=<other{message}@d{domain}.example>, relay=mx2.d{domain}.example[198.51.100.{}]:25, conn_use=3, delay=1.{}, delays=0.02/0.01/0.2/0.8, dsn=5.7.1, status=bounced (host mx2.d{domain}.example[198.51.100.{}] said: 550 5.7.1 Message rejected as spam (in reply to end of DATA command))",
            domain % 250,
            message % 90 + 10,
            domain % 250
        ));
        line(format_args!(
            "submission/smtpd[4711]: disconnect from dsl-{user}.pool.isp.example[203.0.113.{}] ehlo=1 auth=1 mail=1 rcpt=2 data=1 quit=1 commands=7",
            user % 250
        ));
        line(format_args!("qmgr[4713]: {id}: removed"));
        message += 1;
    }
    log
}
