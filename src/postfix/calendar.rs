//! Stamps without a year or a zone become times: year inferred, daylight saving and backward steps borne.
