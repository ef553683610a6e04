//! postwarden.toml: read with every mistake at once, resolved, swapped whole.
