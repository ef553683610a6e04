//! One file per effect, idempotent, retried with a deadline: hold, alert, evidence, publish.
