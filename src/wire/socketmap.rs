//! The socketmap protocol.
