//! Old logs, read from start to end: several files, oldest first, compressed or not, `-` for standard input; with a
//! progress bar where a person is watching.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cli::{Exit, Failure},
    daemon::clock,
    postfix::log_record::Reader,
    source::history::History,
    time::Zone,
};

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// Hands on each line of all logs, with the reader that knows its log's years.
///
/// # Errors
/// A log is not there, is damaged, or `each` failed; a reader of our output that went away is no failure.
pub fn each_line(
    logs: &[PathBuf],
    zone: &Zone,
    mut each: impl FnMut(&mut Reader, &[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    let now = clock::now();
    let mut history = History::open(logs, zone, now).map_err(|error| failed(&error))?;
    let bar = bar(history.total_bytes());
    let mut piece = Vec::new();
    let mut archive = None;
    let mut reader = Reader::new(zone.clone(), now);
    while let Some(place) = history
        .next_lines(&mut piece, PIECE)
        .map_err(|error| failed(&error))?
    {
        if archive != Some(place.archive) {
            archive = Some(place.archive);
            let modified = history
                .archives()
                .get(place.archive)
                .and_then(|archive| archive.modified);
            reader = Reader::new(zone.clone(), modified.unwrap_or(now));
        }
        for line in piece.split_inclusive(|byte| *byte == b'\n') {
            each(&mut reader, line).map_err(|error| failed(&error))?;
        }
        bar.set_position(place.done_bytes);
    }
    bar.finish_and_clear();
    Ok(())
}

pub(super) fn bar(bytes: u64) -> ProgressBar {
    if !io::stderr().is_terminal() || bytes == 0 {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {percent:>3} %  {bytes_per_sec}  {eta} left");
    ProgressBar::new(bytes)
        .with_style(style.unwrap_or_else(|_template| ProgressStyle::default_bar()))
}

pub(super) fn failed(error: &io::Error) -> Failure {
    let exit = match error.kind() {
        io::ErrorKind::BrokenPipe => Exit::Ok,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Exit::Data,
        _ => Exit::Unavailable,
    };
    Failure::new(exit, error.to_string())
}
