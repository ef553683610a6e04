//! Messages whose beginning the log did not bring are looked up in their queue files: once each, at once, while what is
//! known of them waits. So a retry of yesterday's mail counts for its login also when yesterday's log is gone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    action::hands::Hands,
    config::Config,
    correlate::Orphan,
    daemon::{
        clock,
        core::Core,
        finder::{Envelope, read_heads, readable_spool},
        hands::hands,
    },
    engine::Input,
    postfix::queue_list::Queue,
    source::spool::{self, Spool},
    telemetry::{Counter, Metrics},
    time::Timestamp,
};

/// Messages asked for at once.
const BATCH: usize = 500;
/// After a request that took longer than this the holder is left alone for [`PAUSE`]: the log must be read on.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(60);
/// A file that came in so much later than the line is another message under the same queue ID.
const SLIP: Duration = Duration::from_secs(2);

/// See the module's head.
#[derive(Debug)]
pub struct Lookup {
    spool: Option<Spool>,
    hands: Box<dyn Hands + Send>,
    rest: Option<Instant>,
    metrics: Arc<Metrics>,
}

impl Lookup {
    /// Looks into the spool of the configured instance if it may, else asks the holder.
    #[must_use]
    pub fn new(config: &Config, metrics: Arc<Metrics>) -> Self {
        Self {
            spool: readable_spool(&config.config_directory),
            hands: hands(config),
            rest: None,
            metrics,
        }
    }

    /// After a line: what it brought up is looked up in the spool before the next one is read.
    pub fn line(&mut self, core: &mut Core, at: Timestamp) {
        if let Some(spool) = &self.spool {
            let orphans = core.engine.unknown(BATCH);
            for orphan in orphans {
                let found = spool.find(&orphan.queue_id).and_then(|(queue, path)| {
                    spool::head(&path).map(|head| (queue, Envelope::of(&head)))
                });
                adopt(core, at, &orphan, found, &self.metrics);
            }
        }
    }

    /// After a batch of lines: where the spool cannot be read, the holder is asked for all of them together. Which queue
    /// a file is in is not told then; the log tells of holds.
    pub fn batch(&mut self, core: &mut Core, at: Timestamp) {
        if self.spool.is_some() || self.rest.is_some_and(|until| clock::instant() < until) {
            return;
        }
        let orphans = core.engine.unknown(BATCH);
        if orphans.is_empty() {
            return;
        }
        let ids: Vec<String> = orphans.iter().map(|o| o.queue_id.to_string()).collect();
        let start = clock::instant();
        let heads = read_heads(&mut *self.hands, &ids);
        self.rest =
            (start.elapsed() > PATIENCE || heads.is_empty()).then(|| clock::instant() + PAUSE);
        for orphan in &orphans {
            let head = heads.get(&*orphan.queue_id);
            let found = head.map(|head| (Queue::Active, Envelope::of(head)));
            adopt(core, at, orphan, found, &self.metrics);
        }
    }
}

fn adopt(
    core: &mut Core,
    at: Timestamp,
    orphan: &Orphan,
    found: Option<(Queue, Envelope)>,
    metrics: &Metrics,
) {
    let Some((queue, envelope)) = found.filter(|(_, found)| found.arrival <= at + SLIP) else {
        metrics.count(Counter::LookupsMissed);
        return;
    };
    metrics.count(Counter::LookupsFound);
    let found = envelope.found(&orphan.host, &orphan.queue_id, queue);
    core.feed(at, Input::QueueFile(found));
}
