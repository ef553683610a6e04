//! The sweep: puts everything queued of one sender on hold, in batches, again and again, until nothing of it is outside
//! `hold` or the time is up; and the look at what is held.
//!
//! The place that the reply names was looked at after the verb, so it is believed; nothing else is. New mail is stopped at
//! intake before a sweep begins, else there is no end to it. What was in a delivery agent's hands goes out all the same
//! (measured: spec of the hold, Postfix 3.7.11) and leaves a husk: a file in `hold` with no recipient left.
//!
//! On failure of the holder: the messages count as failed, and are tried again as long as there is time. Calling again
//! with the same queue IDs is harmless.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    action::hands::{Hands, HandsError},
    postfix::{
        queue_file::{HEAD_BYTES, Head, QueueFile},
        queue_id,
    },
    time::Timestamp,
    wire::{
        base64,
        holder::{Outcome, Place, Request, Verb},
    },
};

/// Queue IDs in one request: postsuper needs about 50 ms for so many.
pub const BATCH: usize = 500;

/// How often a message that is named again and again is looked at, once it is on hold or gone.
const LOOKS: u32 = 3;

/// Where a message was when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// In `hold`.
    Held,
    /// Still on its way in (`incoming` or `maildrop`): Postfix cannot hold it yet.
    Receiving,
    /// In `active` or `deferred`: it moved while postsuper looked for it.
    Outside,
    /// In no queue: delivered, or bounced.
    Gone,
    /// The holder could not be asked, or this is no queue ID.
    Failed,
}

impl From<Place> for Fate {
    fn from(place: Place) -> Self {
        match place {
            Place::Hold => Self::Held,
            Place::Incoming | Place::Maildrop => Self::Receiving,
            Place::Active | Place::Deferred => Self::Outside,
            Place::Gone => Self::Gone,
        }
    }
}

/// How a sweep ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Every message that was seen to, by queue ID.
    pub fates: BTreeMap<String, Fate>,
    /// How often it went over the queue.
    pub rounds: u32,
    /// True when nothing of the sender was left outside `hold`; false when the time was up.
    pub complete: bool,
    /// What the holder last complained of.
    pub last_error: Option<String>,
}

impl SweepReport {
    /// The messages of one fate.
    pub fn of(&self, fate: Fate) -> impl Iterator<Item = &str> {
        self.fates
            .iter()
            .filter(move |(_, found)| **found == fate)
            .map(|(id, _)| id.as_str())
    }

    /// How many messages have that fate.
    #[must_use]
    pub fn count(&self, fate: Fate) -> usize {
        self.of(fate).count()
    }
}

/// Puts `queue_ids` on hold, then whatever `still_queued` names (the sender's messages outside `hold`, as far as known),
/// until it names nothing more. Between two rounds `wait` is called: it waits a little and says whether there is time for
/// another round.
pub fn sweep(
    hands: &mut dyn Hands,
    queue_ids: Vec<String>,
    still_queued: &mut dyn FnMut() -> Vec<String>,
    wait: &mut dyn FnMut() -> bool,
) -> SweepReport {
    let mut report = SweepReport::default();
    // In how many rounds on end a message was found to be on hold or gone. Whoever names it still knows an old state.
    let mut settled: BTreeMap<String, u32> = BTreeMap::new();
    let mut pending = queue_ids;
    loop {
        report.rounds += 1;
        let mut todo: Vec<String> = Vec::new();
        for id in pending.drain(..) {
            if queue_id::is_valid(&id) {
                todo.push(id);
            } else {
                report.fates.insert(id, Fate::Failed);
            }
        }
        todo.sort_unstable();
        todo.dedup();
        for batch in todo.chunks(BATCH) {
            hold_batch(hands, batch, &mut report);
        }
        for id in &todo {
            match report.fates.get(id) {
                Some(Fate::Held | Fate::Gone) => *settled.entry(id.clone()).or_default() += 1,
                _ => pending.push(id.clone()),
            }
        }
        let named = still_queued();
        // A queue ID that was not named and is named again later has come back: it is looked at anew.
        let distinct: BTreeSet<&String> = named.iter().collect();
        settled.retain(|id, _| distinct.contains(id));
        let again = |id: &String| settled.get(id).is_none_or(|times| *times < LOOKS);
        let known = |id: &String| queue_id::is_valid(id) || !report.fates.contains_key(id);
        pending.extend(named.iter().filter(|id| again(id) && known(id)).cloned());
        if pending.is_empty() {
            report.complete = true;
            return report;
        }
        if !wait() {
            return report;
        }
    }
}

fn hold_batch(hands: &mut dyn Hands, batch: &[String], report: &mut SweepReport) {
    let request = Request {
        verb: Verb::Hold,
        queue_ids: batch.to_vec(),
        limit: 0,
    };
    let mut outcomes = Vec::new();
    match hands.call(&request) {
        Ok(reply) => {
            if let Some(error) = reply.error {
                report.last_error = Some(error);
            }
            outcomes = reply.outcomes;
        }
        Err(error) => report.last_error = Some(error.to_string()),
    }
    let places: BTreeMap<&str, Place> = outcomes
        .iter()
        .map(|outcome| (outcome.queue_id.as_str(), outcome.place))
        .collect();
    for id in batch {
        let fate = places
            .get(id.as_str())
            .map_or(Fate::Failed, |place| Fate::from(*place));
        report.fates.insert(id.clone(), fate);
    }
}

/// What a held message looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// Its queue ID.
    pub queue_id: String,
    /// Where it is.
    pub place: Place,
    /// When it arrived; `None` when it could not be read.
    pub arrival: Option<Timestamp>,
    /// Recipients it would still go to; `None` when that could not be told.
    pub recipients: Option<u64>,
    /// Size of the message.
    pub bytes: Option<u64>,
}

impl Looked {
    /// True for a file whose every recipient was served.
    #[must_use]
    pub const fn is_husk(&self) -> bool {
        matches!(self.recipients, Some(0))
    }
}

/// Reads the envelopes of messages on hold: who is a husk, how many recipients are saved. One answer for each valid
/// queue ID. To be asked again some time after the sweep: a delivery agent marks recipients when it is through with them.
///
/// # Errors
/// When the holder cannot be asked.
pub fn look(hands: &mut dyn Hands, queue_ids: &[String]) -> Result<Vec<Looked>, HandsError> {
    let valid: Vec<String> = queue_ids
        .iter()
        .filter(|id| queue_id::is_valid(id))
        .cloned()
        .collect();
    let mut all = Vec::with_capacity(valid.len());
    let mut long = Vec::new();
    for batch in valid.chunks(BATCH) {
        for outcome in read(hands, batch, HEAD_BYTES as u64)? {
            let looked = looked(&outcome);
            if looked.recipients.is_none() && looked.arrival.is_some() {
                long.push(outcome.queue_id.clone());
            }
            all.push(looked);
        }
    }
    // Few: more recipients than the head has room for, or recipients taken out of the header (sendmail -t).
    let mut whole = BTreeMap::new();
    for batch in long.chunks(LONG_BATCH) {
        for outcome in read(hands, batch, LONG_BYTES)? {
            whole.insert(outcome.queue_id.clone(), looked(&outcome));
        }
    }
    Ok(all
        .into_iter()
        .map(|short| whole.remove(&short.queue_id).unwrap_or(short))
        .collect())
}

/// Reads at most `limit` bytes of each file.
pub(super) fn read(
    hands: &mut dyn Hands,
    queue_ids: &[String],
    limit: u64,
) -> Result<Vec<Outcome>, HandsError> {
    let reply = hands.call(&Request {
        verb: Verb::Read,
        queue_ids: queue_ids.to_vec(),
        limit,
    })?;
    match reply.error {
        Some(error) if reply.outcomes.is_empty() => Err(HandsError::Refused(error)),
        _ => Ok(reply.outcomes),
    }
}

fn looked(outcome: &Outcome) -> Looked {
    let mut looked = Looked {
        queue_id: outcome.queue_id.clone(),
        place: outcome.place,
        arrival: None,
        recipients: None,
        bytes: None,
    };
    let Some(bytes) = outcome.bytes.as_deref().and_then(base64::decode) else {
        return looked;
    };
    let (head, complete) = match QueueFile::parse(&bytes) {
        Some(file) if file.complete => (file.head, true),
        _ => match Head::parse(&bytes) {
            Some(head) => (head, false),
            None => return looked,
        },
    };
    looked.arrival = head.arrival;
    looked.bytes = head.size;
    let left = head.recipients.len();
    let seen = u32::try_from(left)
        .unwrap_or(u32::MAX)
        .saturating_add(head.done);
    // A file that was cut says how many are left only if all that cleanup counted were seen.
    if complete || (head.envelope_complete && head.recipient_count == Some(seen)) {
        looked.recipients = u64::try_from(left).ok();
    }
    looked
}

/// The second look: so much of each file, so many files at a time (16 MiB a reply).
const LONG_BYTES: u64 = 1024 * 1024;
const LONG_BATCH: usize = 16;

#[cfg(test)]
pub(super) mod tests;
