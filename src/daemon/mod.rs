//! Wiring: engine thread, effects, servers, signals, readiness.
