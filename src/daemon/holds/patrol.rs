//! The patrol: what slipped by while an incident is open, and what the record must say of what lies in `hold`.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    action::hold,
    daemon::{
        clock,
        holds::{HoldWorker, Trouble, outside},
    },
    engine::incident::Incident,
    policy::Mode,
    postfix::queue_list::Queue,
    store::{Commit, Filter, Held, HeldState},
    wire::holder::Place,
};

/// So long before an incident's first sign its mail may have come in.
const BEFORE: Duration = Duration::from_secs(3600);
/// After so long on hold a message is what it is.
const SETTLED: Duration = Duration::from_secs(300);

impl HoldWorker {
    /// Looks over the queue for mail of senders that are convicted.
    pub(super) fn patrol(&mut self) -> Result<(), Trouble> {
        let incidents = self.store.incidents(&Filter::default())?;
        for incident in incidents
            .iter()
            .filter(|found| found.closed.is_none() && found.mode == Mode::Enforce)
        {
            let strays = outside(&mut self.finder, &mut *self.hands, incident);
            if !strays.is_empty() {
                tracing::warn!(
                    incident = incident.number,
                    strays = strays.len(),
                    "mail of a held sender is in the queue"
                );
                self.stop(incident.number, strays)?;
            }
            self.reconcile(incident)?;
        }
        Ok(())
    }

    /// Makes the record say what lies in `hold`: what was held in the instant of a crash is added, and what turned into a
    /// husk since (a delivery agent marks recipients when it is through with them) is told apart.
    fn reconcile(&mut self, incident: &Incident) -> Result<(), Trouble> {
        let since = incident.first_sign.unwrap_or(incident.opened) - BEFORE;
        let recorded = self.store.held(incident.number, None)?;
        let settled = clock::now() - SETTLED;
        let mut doubtful: BTreeSet<String> = recorded
            .iter()
            .filter(|held| held.state == HeldState::Held && held.changed > settled)
            .map(|held| held.queue_id.clone())
            .collect();
        let known: BTreeSet<&str> = recorded
            .iter()
            .filter(|held| matches!(held.state, HeldState::Held | HeldState::Husk))
            .map(|held| held.queue_id.as_str())
            .collect();
        let in_hold = self.finder.queued(&mut *self.hands, &[Queue::Hold]);
        doubtful.extend(
            in_hold
                .into_iter()
                .filter(|message| message.is_of(incident) && message.envelope.arrival >= since)
                .map(|message| message.queue_id)
                .filter(|queue_id| !known.contains(queue_id.as_str())),
        );
        let ids: Vec<String> = doubtful.into_iter().collect();
        let changed = clock::now();
        let rows: Vec<Held> = hold::look(&mut *self.hands, &ids)?
            .iter()
            .filter(|look| look.place == Place::Hold)
            .filter(|look| look.is_husk() || !known.contains(look.queue_id.as_str()))
            .map(|look| self.row(incident, look, changed))
            .collect();
        if !rows.is_empty() {
            self.store.commit(&Commit {
                held: rows,
                ..Commit::default()
            })?;
        }
        Ok(())
    }
}
