//! SQLite: position and state change in one transaction; incidents, outbox, evidence, publications, requests.
