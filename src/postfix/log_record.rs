//! The text of a Postfix log line read left to right into a record.
