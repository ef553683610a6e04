//! The queue as `postqueue -j` lists it: the way that needs no right to the spool. Dear on a large queue (4 s for
//! 100,000 messages, measured), so callers ask seldom and back off.

use std::{path::Path, time::Duration};

use crate::{
    postfix::queue_list::{Entry, Reader},
    source::program::{ProgramError, postfix_command},
};

/// What one listing told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The messages.
    pub entries: Vec<Entry>,
    /// Lines that could not be read.
    pub unread: u64,
}

/// Lists the queue of an instance.
///
/// # Errors
/// postqueue is not there, hangs, or refuses (exit 69: not in `authorized_mailq_users`, or the mail system is down).
pub fn list(config_directory: &Path, deadline: Duration) -> Result<Listing, ProgramError> {
    let output = postfix_command("postqueue", config_directory, &["-j"], deadline)?;
    let mut listing = Listing::default();
    let mut reader = Reader::new();
    reader.push(&output.out, &mut |entry| listing.entries.push(entry));
    listing.unread = reader.finish(&mut |entry| listing.entries.push(entry));
    Ok(listing)
}
