//! Evidence of what is on hold, and the digests that are published from it.

use std::{path::Path, time::Duration};

use serde_json::json;

use crate::{
    action::{
        evidence::{self, Bundle, Caps, Message, Written},
        hands::Hands,
        incident_name, publish,
    },
    daemon::{
        clock,
        desk::{DeskWorker, Published, Trouble, event},
    },
    engine::incident::Incident,
    policy::Mode,
    store::{Commit, EventKind, EvidenceFile, HeldState, NewPublication, Store},
    time::Timestamp,
};

/// Evidence waits so long for a first message on hold; refused mail leaves the queue at once.
const EVIDENCE_PATIENCE: Duration = Duration::from_secs(600);
/// With fewer messages on hold it waits a little for more.
const FEW: u64 = 8;

impl DeskWorker {
    /// Keeps samples of what is on hold. `Some`: there is nothing yet.
    pub(super) fn evidence(&mut self, incident: &Incident) -> Result<Option<Timestamp>, Trouble> {
        let now = clock::now();
        let held = self
            .store
            .totals(incident.number, HeldState::Held)?
            .messages;
        let age = now.since(incident.opened);
        let waits =
            held == 0 && age < EVIDENCE_PATIENCE || held < FEW && age < Duration::from_secs(3);
        if waits && incident.closed.is_none() {
            return Ok(Some(now + Duration::from_millis(300)));
        }
        if held == 0 {
            return Ok(None);
        }
        keep(
            &mut *self.hands,
            &mut self.store,
            &self.config.state,
            &self.host,
            incident,
            0,
        )?;
        self.publish(incident)
    }

    /// Publishes what enough samples agree on.
    pub(super) fn publish(&mut self, incident: &Incident) -> Result<Option<Timestamp>, Trouble> {
        if incident.mode != Mode::Enforce || incident.closed.is_some() {
            return Ok(None);
        }
        let directory = self
            .config
            .state
            .join("evidence")
            .join(incident_name(incident.number));
        let samples = publish::samples(&directory)?;
        // One digest of several samples is a campaign; of a single sample it is all there is.
        let agree = if samples.len() >= 3 { 2 } else { 1 };
        let agreed = publish::agreed(
            samples.iter().map(Vec::as_slice),
            &crate::daemon::digests_of,
            agree,
        );
        if agreed.is_empty() {
            return Ok(None);
        }
        let created = clock::now();
        let digests: Vec<String> = agreed.iter().map(|(digest, _)| digest.clone()).collect();
        let publication = NewPublication {
            name: incident_name(incident.number),
            incident: Some(incident.number),
            created,
            created_by: "postwarden".to_owned(),
            digests: agreed,
        };
        let detail = json!({"digests": digests.len(), "samples": samples.len()});
        let events = vec![event(
            incident.number,
            EventKind::Published,
            created,
            detail,
        )];
        self.store.commit(&Commit {
            publications: vec![publication],
            events,
            ..Commit::default()
        })?;
        // A full channel means that the engine is stopping; at its next start it reads the publications.
        if self
            .published
            .try_send(Published {
                incident: incident.number,
                digests,
            })
            .is_err()
        {
            tracing::warn!(
                incident = incident.number,
                "published, but not yet answered to lookups"
            );
        }
        Ok(None)
    }
}

/// Keeps the evidence of an incident and writes down what is there.
///
/// # Errors
/// As [`evidence::keep`] and the store have them.
pub fn keep(
    hands: &mut dyn Hands,
    store: &mut Store,
    state: &Path,
    host: &str,
    incident: &Incident,
    generation: u64,
) -> Result<Written, Trouble> {
    let messages: Vec<Message> = store
        .held(incident.number, None)?
        .into_iter()
        .filter(|held| matches!(held.state, HeldState::Held | HeldState::Husk))
        .map(|held| Message {
            queue_id: held.queue_id,
            arrival: held.arrival,
            recipients: held.recipients,
            bytes: held.bytes,
            state: held.state.as_str().to_owned(),
        })
        .collect();
    let at = clock::now();
    let bundle = Bundle {
        incident,
        generation,
        host,
        version: env!("CARGO_PKG_VERSION"),
        at,
        messages: &messages,
        log_lines: &incident.lines,
    };
    let written = evidence::keep(hands, &state.join("evidence"), &bundle, &Caps::default())?;
    let prefix = bundle.name();
    let files = written
        .files
        .iter()
        .map(|file| EvidenceFile {
            incident: incident.number,
            path: format!("{prefix}/{}", file.path),
            queue_id: file.queue_id.clone(),
            sha256: file.sha256.clone(),
            bytes: file.bytes,
            created: at,
        })
        .collect();
    let detail =
        json!({"directory": written.directory.display().to_string(), "samples": written.samples});
    let events = vec![event(incident.number, EventKind::Evidence, at, detail)];
    store.commit(&Commit {
        evidence: files,
        events,
        ..Commit::default()
    })?;
    Ok(written)
}
