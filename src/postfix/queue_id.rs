//! Queue IDs: validation, short and long form, the time in a long one.
