//! Codecs bytes ↔ request and reply, without I/O: each says how many bytes it used or needs, and its limits.

pub mod holder;
pub mod milter;
pub mod netstring;
pub mod policy;
pub mod pyzor;
pub mod socketmap;
pub mod tcp_table;
