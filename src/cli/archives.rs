//! Old logs, read from start to end: several files, oldest first, compressed or not, `-` for standard input; with a
//! progress bar where a person is watching.
//!
//! Files are read and unpacked on a thread of their own, a few pieces ahead.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    cli::{Exit, Failure},
    daemon::clock,
    postfix::log_record::Reader,
    source::history::{History, Place},
    time::Zone,
};

/// Bytes read at once: small enough to stay in a core's cache until they are parsed.
const PIECE: usize = 1 << 18;
/// Pieces read ahead.
const AHEAD: usize = 4;

/// Whole lines, and where they come from.
type Piece = (Place, Vec<u8>);

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
    let archives = history.archives().to_vec();
    thread::scope(|scope| {
        let (full, pieces) = sync_channel(AHEAD);
        let (empty, free) = sync_channel(AHEAD);
        scope.spawn(move || read_ahead(&mut history, &full, &free));
        let mut archive = None;
        let mut reader = Reader::new(zone.clone(), now);
        for piece in pieces {
            let (place, piece): Piece = piece.map_err(|error| failed(&error))?;
            if archive != Some(place.archive) {
                archive = Some(place.archive);
                let modified = archives
                    .get(place.archive)
                    .and_then(|archive| archive.modified);
                reader = Reader::new(zone.clone(), modified.unwrap_or(now));
            }
            for line in lines(&piece) {
                each(&mut reader, line).map_err(|error| failed(&error))?;
            }
            bar.set_position(place.done_bytes);
            // When there are enough of them it is freed.
            drop(empty.try_send(piece));
        }
        bar.finish_and_clear();
        Ok(())
    })
}

/// Reads all archives into pieces, until there is nobody to take them.
fn read_ahead(
    history: &mut History,
    full: &SyncSender<io::Result<Piece>>,
    free: &Receiver<Vec<u8>>,
) {
    loop {
        let mut piece = free.try_recv().unwrap_or_default();
        let read = match history.next_lines(&mut piece, PIECE) {
            Ok(Some(place)) => Ok((place, piece)),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if full.send(read).is_err() {
            return;
        }
    }
}

/// The lines of a piece, each with its newline.
fn lines(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = piece;
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (line, more) = rest.split_at_checked(end)?;
        rest = more;
        (!line.is_empty()).then_some(line)
    })
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
