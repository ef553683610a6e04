//! The tcp_table protocol.
