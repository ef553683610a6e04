//! Where lines and queue facts come from: files that rotate, archives, the journal, postqueue, the spool.
