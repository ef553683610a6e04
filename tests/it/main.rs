//! The end-to-end tests: the real binary, real Postfix, real sockets. One test binary, one module a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may stop at the first surprise"
)]

mod archives;
mod attack;
mod backlog;
mod backtest;
mod learn;
mod logs;
mod orders;
mod policies;
mod scene;
mod servers;
mod stories;
mod units;
mod world;
