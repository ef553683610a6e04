//! A mail world in a temporary directory, for postwarden demo and for the end-to-end tests.
