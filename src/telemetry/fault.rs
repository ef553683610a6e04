//! Who must act on an error.

/// Every room's error answers `fault()` with one of these; the edge maps it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The other side sent something wrong: count it and drop that input.
    Peer,
    /// Configuration or a command is wrong: refuse to start, or keep what was valid.
    Operator,
    /// Disk, network or another program: retry until a deadline, then fail open.
    Environment,
    /// postwarden is wrong: an error in the log and a counter, never silence.
    Bug,
}

impl Fault {
    /// The word for logs and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Operator => "operator",
            Self::Environment => "environment",
            Self::Bug => "bug",
        }
    }
}
