//! The policy protocol.
