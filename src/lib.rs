//! postwarden: a queue-watcher and outbound reputation guard for Postfix.
//!
//! ```text
//!  mail log ─┐                ┌──────────────── engine ────────────────┐
//!  journal  ─┤ source ─ lines │ correlate → classify → ledger → policy │ effects ─ daemon ─┬ store   (the record)
//!  spool    ─┤   postfix      └────────────────────────────────────────┘                   ├ action  (hold, alert,
//!  postqueue ┘   records                        │ View (immutable)                         │          evidence, publish)
//!                                               └──────────────────── server ── Postfix    └ holder  (root's five verbs)
//! ```
//!
//! | layer | rooms | may |
//! |---|---|---|
//! | words | [`time`] [`settings`] [`mail`] [`postfix`] [`wire`] [`digest`] | know the formats of the outside world; no I/O, no clock |
//! | judgement | [`correlate`] [`classify`] [`ledger`] [`policy`] [`engine`] | decide; no I/O, no clock |
//! | edges | [`telemetry`] [`source`] [`store`] [`action`] [`server`] [`holder`] | do I/O; never import one another |
//! | house | [`config`] [`daemon`] [`demo`] [`cli`] | put the rooms together |
//!
//! The table is enforced by `tests/layers.rs`.

pub mod digest;
pub mod mail;
pub mod postfix;
pub mod settings;
pub mod time;
pub mod wire;

pub mod classify;
pub mod correlate;
pub mod engine;
pub mod ledger;
pub mod policy;

pub mod action;
pub mod holder;
pub mod server;
pub mod source;
pub mod store;
pub mod telemetry;

pub mod cli;
pub mod config;
pub mod daemon;
pub mod demo;
