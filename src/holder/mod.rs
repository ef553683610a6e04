//! The only code run as root: hold, release, requeue, read, delete (only from hold) on validated queue IDs.
