//! The two ways out of `hold`: released, or deleted by a person's word.

use serde_json::Value;

use crate::{
    action::{
        evidence::{self, verify},
        release::{self, Moved, WayOut},
    },
    daemon::{
        clock, desk,
        holds::{HoldWorker, Trouble, rows},
    },
    engine::incident::Incident,
    postfix::queue_list::Queue,
    store::{Commit, EventKind, HeldState, Job},
    telemetry::Counter,
};

impl HoldWorker {
    /// Lets everything of an incident go: what is on record as held, and what intake held since the decision.
    pub(super) fn release(&mut self, incident: &Incident) -> Result<bool, Trouble> {
        let mut queue_ids: Vec<String> = self
            .store
            .held(incident.number, Some(HeldState::Held))?
            .into_iter()
            .map(|held| held.queue_id)
            .collect();
        queue_ids.extend(
            self.store
                .held(incident.number, Some(HeldState::Husk))?
                .into_iter()
                .map(|held| held.queue_id),
        );
        queue_ids.extend(
            self.finder
                .queued(&mut *self.hands, &[Queue::Hold])
                .into_iter()
                .filter(|message| {
                    message.is_of(incident) && message.envelope.arrival >= incident.opened
                })
                .map(|message| message.queue_id),
        );
        let way = WayOut::after(clock::now().since(incident.opened));
        let Self {
            hands,
            store,
            host,
            metrics,
            ..
        } = self;
        let (mut left, mut failed) = (0, None);
        release::release(&mut **hands, way, &queue_ids, &mut |moved| {
            left += moved.still_held.len();
            metrics.add(
                Counter::MessagesReleased,
                u64::try_from(moved.moved.len()).unwrap_or(0),
            );
            let rows = rows(
                incident.number,
                host,
                &[
                    (&moved.moved, HeldState::Released),
                    (&moved.gone, HeldState::Released),
                ],
            );
            failed = store
                .commit(&Commit {
                    held: rows,
                    ..Commit::default()
                })
                .err();
            failed.is_none()
        })?;
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(left == 0),
        }
    }

    /// Deletes what is on hold, once all of it stands in sound evidence.
    pub(super) fn purge(&mut self, incident: &Incident, job: &Job) -> Result<bool, Trouble> {
        let rows_held = self.store.held(incident.number, Some(HeldState::Held))?;
        let queue_ids: Vec<String> = rows_held.into_iter().map(|held| held.queue_id).collect();
        let written = desk::keep(
            &mut *self.hands,
            &mut self.store,
            &self.config.state,
            &self.host,
            incident,
            job.generation,
        )?;
        let report = verify(&written.directory)?;
        let kept = report
            .kept()
            .ok_or_else(|| format!("the evidence is not sound: {:?}", report.first_fault()))?;
        let who = job
            .detail
            .get("who")
            .and_then(Value::as_str)
            .unwrap_or("operator")
            .to_owned();
        let Self {
            hands,
            store,
            host,
            metrics,
            ..
        } = self;
        let mut failed = None;
        release::purge(&mut **hands, &kept, &queue_ids, &mut |moved: &Moved| {
            metrics.add(
                Counter::MessagesPurged,
                u64::try_from(moved.gone.len()).unwrap_or(0),
            );
            let rows = rows(incident.number, host, &[(&moved.gone, HeldState::Purged)]);
            failed = store
                .commit(&Commit {
                    held: rows,
                    ..Commit::default()
                })
                .err();
            failed.is_none()
        })?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        evidence::note(
            &written.directory,
            clock::now(),
            &who,
            "purged what was on hold",
        )?;
        let mut event = self.event(incident, EventKind::Purged, job.detail.clone());
        event.who = who;
        self.store.commit(&Commit {
            events: vec![event],
            ..Commit::default()
        })?;
        Ok(true)
    }
}
