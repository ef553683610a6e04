//! The netstring protocol.
