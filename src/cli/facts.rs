//! Old logs as facts: read and joined on one core, judged on another.
//!
//! What comes out does not depend on how many cores there are, nor on which is faster: facts come in the order of the
//! lines, each with the time that the log had reached.

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use crate::{
    cli::{
        Failure,
        archives::{each_line, failed},
    },
    engine::{Batch, Clerk},
    postfix::log_record::{Reader, Reading},
    time::{Timestamp, Zone},
};

/// Facts handed on at once: enough to make the handing on cheap, and few enough to stay in the cache.
const FACTS: usize = 512;
/// Batches that may wait to be judged.
const AHEAD: usize = 4;
/// How long after the last line everything that waited for another one is told.
const AFTER: Duration = Duration::from_secs(60);

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Lines.
    pub lines: u64,
    /// Lines of Postfix that were not understood.
    pub unparsed: u64,
    /// Lines that were understood.
    pub records: u64,
    /// Event time of the first record.
    pub first: Option<Timestamp>,
    /// The latest event time.
    pub last: Option<Timestamp>,
}

impl Read {
    /// The time at which nothing more can come of what was read; feed a tick then.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        self.last.map(|last| last + AFTER)
    }
}

/// Reads all logs and hands on what `clerk` tells of them, in order.
///
/// # Errors
/// A log is not there, is damaged, or `hear` failed; a reader of our output that went away is no failure.
pub fn each_batch(
    logs: &[PathBuf],
    zone: &Zone,
    clerk: Clerk,
    mut hear: impl FnMut(&Batch) -> io::Result<()>,
) -> Result<Read, Failure> {
    thread::scope(|scope| {
        let (full, batches) = sync_channel(AHEAD);
        let (empty, free) = sync_channel(AHEAD);
        let desk = Desk {
            clerk,
            batch: Batch::default(),
            read: Read::default(),
            full,
            free,
        };
        let reading = scope.spawn(move || desk.read(logs, zone));
        for batch in batches {
            hear(&batch).map_err(|error| failed(&error))?;
            // When there are enough of them it is freed.
            drop(empty.try_send(batch));
        }
        reading
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Where lines become facts.
struct Desk {
    clerk: Clerk,
    batch: Batch,
    read: Read,
    full: SyncSender<Batch>,
    free: Receiver<Batch>,
}

impl Desk {
    fn read(mut self, logs: &[PathBuf], zone: &Zone) -> Result<Read, Failure> {
        let result = each_line(logs, zone, |reader, line| self.line(reader, line));
        if let Some(end) = self.read.end() {
            let batch = &mut self.batch;
            self.clerk.tick(end, &mut |told| batch.push(end, &told));
        }
        let handed_on = self.hand_on().map_err(|error| failed(&error));
        // What is wrong with a log, after what was readable.
        result.and(handed_on).map(|()| self.read)
    }

    fn line(&mut self, reader: &mut Reader, line: &[u8]) -> io::Result<()> {
        self.read.lines += 1;
        match reader.read(line) {
            Reading::Record(record) => {
                self.read.records += 1;
                self.read.first.get_or_insert(record.at);
                self.read.last = self.read.last.max(Some(record.at));
                let batch = &mut self.batch;
                self.clerk
                    .record(&record, line, &mut |told| batch.push(record.at, &told));
            }
            Reading::Unparsed(_) => self.read.unparsed += 1,
            Reading::Foreign => {}
        }
        if self.batch.len() >= FACTS {
            self.hand_on()?;
        }
        Ok(())
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let mut fresh = self.free.try_recv().unwrap_or_default();
        fresh.clear();
        let batch = std::mem::replace(&mut self.batch, fresh);
        // The other side has gone away with an error of its own, which is the one that counts.
        self.full
            .send(batch)
            .map_err(|_gone| io::ErrorKind::BrokenPipe.into())
    }
}
