//! Where lines and queue facts come from: files that rotate, archives, the journal, postqueue, the spool.

pub mod archive;
pub mod history;
pub mod journal;
pub mod logs;
pub mod postqueue;
pub mod program;
pub mod pulse;
pub mod spool;
pub mod tail;
pub mod wake;
