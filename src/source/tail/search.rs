//! Finding the place again: which files there are, in which order, and what of them was read.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
};

use super::{
    LONGEST_LINE, Tail,
    cursor::{self, Cursor, Mark},
    generations::{self, Generation},
    piece::{self, Piece},
};

impl Tail {
    /// The first look of all: where to begin.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        if self.cursor.begun {
            return Ok(());
        }
        let generations = generations::list(&self.path)?;
        self.cursor.previous = generations.last().map(|last| last.mark);
        if let Some(file) = self.open_live()? {
            let offset = if self.from_start {
                0
            } else {
                end_of_last_line(&file)?
            };
            self.pieces.extend(Piece::open(file, false, offset)?);
        }
        self.cursor.begun = true;
        self.note();
        Ok(())
    }

    fn open_live(&self) -> io::Result<Option<File>> {
        match fs_err::File::open(&self.path) {
            Ok(file) => Ok(Some(file.into_parts().0)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Finds the place that the cursor means, and all that came after it.
    pub(super) fn locate(&mut self) -> io::Result<()> {
        let Cursor {
            file: wanted,
            offset,
            ..
        } = self.cursor;
        if offset > 0
            && let Some(file) = self.open_live()?
            && let Some(piece) = Piece::open(file, false, offset)?
            && same_start(&piece, &wanted)
        {
            self.pieces.push_back(piece);
            return Ok(());
        }
        let generations = generations::list(&self.path)?;
        if offset == 0 {
            let mut start = vec![0; cursor::HEAD];
            let length = match self.open_live()? {
                Some(file) => piece::read_at(&file, &mut start, 0)?,
                None => 0,
            };
            start.truncate(length);
            self.push_generations(
                self.unread(generations)
                    .into_iter()
                    .filter(|generation| !generation.begins_like(&start)),
            )?;
        } else {
            self.find_again(generations, &wanted, offset)?;
        }
        if let Some(file) = self.open_live()? {
            self.pieces.extend(Piece::open(file, false, 0)?);
        }
        if offset > 0 && self.pieces.is_empty() {
            // Gone without a successor: what comes next is new.
            self.lost();
        }
        Ok(())
    }

    /// The file that was being read is not under its name any more.
    fn find_again(
        &mut self,
        mut generations: Vec<Generation>,
        wanted: &Mark,
        offset: u64,
    ) -> io::Result<()> {
        if let Some(at) = generations
            .iter()
            .rposition(|generation| generation.is(wanted) || wanted.head.outgrew(&generation.head))
        {
            let after = generations.split_off(at + 1);
            let found = generations.pop();
            let copy = found.as_ref().map(|found| found.mark);
            let piece = match found {
                Some(found) => Piece::open(found.file, found.packed, offset)?,
                None => None,
            };
            if let Some(mut piece) = piece {
                piece.expected = self.cursor.size;
                self.pieces.push_back(piece);
                return self.push_generations(after);
            }
            // All of the copy was read, and what came behind it.
            self.lost();
            self.cursor.previous = copy;
            return self.push_generations(after);
        }
        self.lost();
        let (later, _) = newer(&mut generations, wanted, self.cursor.previous.as_ref());
        self.push_generations(later)
    }

    /// What was being read can never be read to its end.
    fn lost(&mut self) {
        let lost = self.cursor.size.saturating_sub(self.cursor.offset);
        self.counters.lost_files += u64::from(lost > 0);
        self.counters.lost_bytes += lost;
        self.counters.gaps += u64::from(!self.looked);
        self.cursor.offset = 0;
        self.cursor.size = 0;
        self.cursor.skipping = false;
    }

    fn push_generations(
        &mut self,
        generations: impl IntoIterator<Item = Generation>,
    ) -> io::Result<()> {
        for generation in generations {
            self.pieces
                .extend(Piece::open(generation.file, generation.packed, 0)?);
        }
        Ok(())
    }

    /// The generations that came after the last one that is done with.
    fn unread(&self, mut generations: Vec<Generation>) -> Vec<Generation> {
        match self.cursor.previous {
            None => generations,
            Some(previous) => newer(&mut generations, &previous, None).0,
        }
    }

    /// Before the first line of a file is given: was there a whole generation between the last one and this, made by
    /// copying and truncating while nobody looked? Then it comes first.
    pub(super) fn was_preceded(&mut self, filled: usize) -> io::Result<bool> {
        let changed = self.directory_changed()?;
        if filled == 0 && self.nothing_new == Some(changed) {
            return Ok(false);
        }
        let start = self
            .buffer
            .get(..filled.min(cursor::HEAD))
            .unwrap_or_default();
        let mut before = self.unread(generations::list(&self.path)?);
        // The file itself may be one of them by now, or be about to be copied into one.
        let own = self.pieces.front().and_then(|piece| {
            before.iter().position(|generation| {
                piece.is_same(&generation.mark) || generation.begins_like(start)
            })
        });
        before.truncate(own.unwrap_or(before.len()));
        if before.is_empty() {
            if own.is_none() {
                self.nothing_new = Some(changed);
            }
            return Ok(false);
        }
        for generation in before.into_iter().rev() {
            if let Some(piece) = Piece::open(generation.file, generation.packed, 0)? {
                self.pieces.push_front(piece);
            }
        }
        Ok(true)
    }

    /// Whether another file goes on where the current one ends; what there is of them is then known.
    pub(super) fn has_successor(&mut self) -> io::Result<bool> {
        if self.pieces.len() > 2 {
            return Ok(true);
        }
        let live = self.live_metadata()?;
        let Some(current) = self.pieces.front() else {
            return Ok(false);
        };
        if live.as_ref().is_some_and(|live| current.is(live)) {
            return Ok(false);
        }
        let has_bytes = live.as_ref().is_some_and(|live| live.len() > 0);
        let current_mark = current.mark;
        let changed = self.directory_changed()?;
        if !has_bytes && self.nothing_new == Some(changed) {
            return Ok(false);
        }
        // What was thought to be the live file may have been rotated since.
        let mut generations = generations::list(&self.path)?;
        let (newer, kept) = newer(
            &mut generations,
            &current_mark,
            self.cursor.previous.as_ref(),
        );
        self.current_is_kept = kept;
        if newer.is_empty() && !has_bytes {
            self.nothing_new = Some(changed);
            return Ok(false);
        }
        self.pieces.truncate(1);
        self.push_generations(newer)?;
        if let Some(file) = self.open_live()? {
            self.pieces.extend(Piece::open(file, false, 0)?);
        }
        Ok(self.pieces.len() > 1)
    }

    /// When names in the log's directory changed last.
    fn directory_changed(&self) -> io::Result<(i64, i64)> {
        let metadata = fs_err::metadata(generations::directory(&self.path))?;
        Ok((metadata.mtime(), metadata.mtime_nsec()))
    }

    fn live_metadata(&self) -> io::Result<Option<Metadata>> {
        match fs_err::metadata(&self.path) {
            Ok(metadata) => Ok(Some(metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The generations after the one of that mark: by its first bytes; where it is not there any more, those after `done` that
/// were changed later. The answer is whether it was there.
fn newer(
    generations: &mut Vec<Generation>,
    mark: &Mark,
    done: Option<&Mark>,
) -> (Vec<Generation>, bool) {
    let place = |mark: &Mark| {
        generations.iter().rposition(|generation| {
            let same_inode =
                (generation.mark.device, generation.mark.inode) == (mark.device, mark.inode);
            generation.is(mark) || (mark.head.length == 0 && same_inode)
        })
    };
    if let Some(at) = place(mark) {
        return (generations.split_off(at + 1), true);
    }
    let after = done.and_then(place).map_or(0, |at| at + 1);
    let mut later = generations.split_off(after);
    later.retain(|generation| generation.mark.modified >= mark.modified);
    (later, false)
}

fn same_start(piece: &Piece, wanted: &Mark) -> bool {
    piece.mark.head == wanted.head
}

/// Where the last whole line ends; looks back as far as a line may be long.
fn end_of_last_line(file: &File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let back = size.min(u64::try_from(LONGEST_LINE).unwrap_or(size));
    let mut end = vec![0; usize::try_from(back).unwrap_or(0)];
    let read = piece::read_at(file, &mut end, size - back)?;
    let newline = memchr::memrchr(b'\n', end.get(..read).unwrap_or_default());
    let kept = newline.map_or(0, |at| u64::try_from(at + 1).unwrap_or(0));
    Ok(size - back + kept)
}
