//! The brain: feed it input with its time, drain effects, ask for the deadline. No clock, no I/O; the same inputs and
//! times give the same effects, live, observing and replaying.

pub mod effect;
pub mod incident;
pub mod view;

/// Everything that must be written down together with the log position: what changed since the last checkpoint.
/// Restoring the parts of all checkpoints in order gives the engine back to the same bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Ledger entries that changed: key and state.
    pub senders: Vec<(Vec<u8>, Vec<u8>)>,
    /// Messages that changed, and (`None`) those that are gone.
    pub messages: Vec<(u64, Option<Vec<u8>>)>,
    /// Named whole parts (weather, groups, counters), each replaced as a whole.
    pub parts: Vec<(String, Vec<u8>)>,
    /// Clear names of senders that changed, for the screen: key, `SenderId`, last seen. Kept for two days only.
    pub names: Vec<(Vec<u8>, String, i64)>,
}
