//! The pyzor protocol.
