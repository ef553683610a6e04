//! Queue file records: who sent it, from where, to whom, and the message itself.
