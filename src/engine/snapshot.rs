//! What is written down with the log position, and how an engine is made from it again.

use std::collections::BTreeMap;

use crate::{
    correlate::Correlator,
    engine::{
        Clerk, Engine, Setup,
        docket::{Docket, Kept, Slow},
        incident::Incident,
        lines::Lines,
    },
    ledger::{Ledger, SenderId, saved::Dirty},
};

/// Everything that must be written down together with the log position: what changed since the last checkpoint.
/// Restoring the parts of all checkpoints in order gives the engine back to the same bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Ledger entries that changed: key and state.
    pub senders: Vec<(Vec<u8>, Vec<u8>)>,
    /// Messages that changed, and (`None`) those that are gone.
    pub messages: Vec<(u64, Option<Vec<u8>>)>,
    /// Named whole parts (weather, groups, counters), each replaced as a whole; an empty one is deleted.
    pub parts: Vec<(String, Vec<u8>)>,
    /// Clear names of senders that changed, for the screen: key, `SenderId`, last seen (microseconds since the epoch).
    /// Kept for two days only.
    pub names: Vec<(Vec<u8>, String, i64)>,
}

/// A saved part that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the saved state `{part}` cannot be read")]
pub struct RestoreError {
    part: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

const DOCKET: &str = "docket";
const CORRELATOR: &str = "correlator";
const SLOWED: &str = "docket.slowed";

impl Engine {
    /// What changed since the last call.
    pub fn checkpoint(&mut self) -> Checkpoint {
        let ledger = self.ledger.take_dirty();
        // Correlator and ledger each keep their own state of a message: even numbers and odd ones.
        let correlator = self
            .clerk
            .correlator
            .take_dirty()
            .into_iter()
            .map(|(key, state)| (key << 1, state));
        let messages = correlator
            .chain(
                ledger
                    .messages
                    .into_iter()
                    .map(|(key, state)| (key << 1 | 1, state)),
            )
            .collect();
        let mut parts = ledger.parts;
        parts.push((CORRELATOR.to_owned(), self.clerk.correlator.part()));
        // Serialising into a growing buffer cannot fail for these types.
        parts.extend(
            postcard::to_allocvec(self.docket.kept())
                .ok()
                .map(|bytes| (DOCKET.to_owned(), bytes)),
        );
        parts.extend(
            self.docket
                .take_slowed()
                .and_then(|slowed| postcard::to_allocvec(slowed).ok())
                .map(|bytes| (SLOWED.to_owned(), bytes)),
        );
        Checkpoint {
            senders: ledger.senders,
            messages,
            parts,
            names: ledger.names,
        }
    }

    /// Incidents that changed since the last call, closed ones included.
    pub fn take_changed_incidents(&mut self) -> Vec<Incident> {
        self.docket.take_changed()
    }

    /// An engine as it was at the last checkpoint.
    ///
    /// # Errors
    /// Names the part that cannot be read.
    pub fn restore(
        setup: Setup,
        saved: Checkpoint,
        incidents: Vec<Incident>,
    ) -> Result<Self, RestoreError> {
        let failed = |part| {
            move |source: postcard::Error| RestoreError {
                part,
                source: source.into(),
            }
        };
        let part = |name: &str| {
            saved
                .parts
                .iter()
                .find(|(found, _)| found == name)
                .map(|(_, bytes)| bytes.as_slice())
        };
        let kept: Option<Kept> = part(DOCKET)
            .map(postcard::from_bytes)
            .transpose()
            .map_err(failed(DOCKET))?;
        let (even, odd): (Vec<_>, Vec<_>) =
            saved.messages.iter().partition(|(key, _)| key & 1 == 0);
        let correlator = match part(CORRELATOR) {
            Some(bytes) => {
                let messages = even.iter().filter_map(|(_, state)| state.as_deref());
                Correlator::restore(setup.correlate, bytes, messages).map_err(|error| {
                    RestoreError {
                        part: CORRELATOR,
                        source: error.into(),
                    }
                })?
            }
            None => Correlator::new(setup.correlate),
        };
        let dirty = Dirty {
            messages: odd
                .into_iter()
                .map(|(key, state)| (key >> 1, state.clone()))
                .collect(),
            senders: saved.senders,
            names: saved.names,
            parts: saved.parts,
        };
        let clerk = Clerk::new(correlator, setup.classifier, &setup.ledger.key);
        let geo = setup.ledger.geo.clone();
        let (ledger, damaged) = Ledger::restore(setup.ledger, &dirty);
        let mut docket = Docket::new(setup.mode, setup.brake, geo);
        docket.restore(
            kept,
            slowed_again(&dirty, &ledger).map_err(failed(SLOWED))?,
            incidents,
        );
        Ok(Self {
            clerk,
            policies: setup.policies,
            ledger,
            docket,
            lines: Lines::default(),
            peaks: None,
            damaged,
            attempts: 0,
        })
    }
}

/// Who is limited at intake. The buckets are gone: what is left of them is what the ledger says was sent.
fn slowed_again(
    saved: &Dirty,
    ledger: &Ledger,
) -> Result<BTreeMap<SenderId, Slow>, postcard::Error> {
    let Some((_, bytes)) = saved.parts.iter().find(|(name, _)| name == SLOWED) else {
        return Ok(BTreeMap::new());
    };
    let mut slowed: BTreeMap<SenderId, Slow> = postcard::from_bytes(bytes)?;
    for (sender_id, slow) in &mut slowed {
        let found = ledger
            .find(sender_id)
            .and_then(|found| ledger.sender(found));
        if let Some(entry) = found {
            slow.allowance.refill(entry);
        }
    }
    Ok(slowed)
}
