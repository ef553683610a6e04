//! How incidents and verdicts are printed, as JSON for programs and as text for people.

use serde_json::{Value, json};

use crate::{
    engine::{effect::VerdictChange, incident::Incident},
    policy::{Figures, Reason},
    time::Timestamp,
};

/// A change of verdict, as `replay --json` prints it (a contract).
#[must_use]
pub fn verdict_json(change: &VerdictChange) -> Value {
    let mut object = json!({
        "at": change.at.to_string(),
        "type": "verdict",
        "sender_id": change.sender_id.to_string(),
        "verdict": change.verdict,
        "incident": change.incident,
        "policy": change.policy,
        "mode": change.mode,
        "reasons": reasons_json(&change.reasons),
    });
    add_figures(&mut object, change.figures);
    object
}

/// An incident, as every verb prints it.
#[must_use]
pub fn incident_json(incident: &Incident) -> Value {
    let mut object = json!({
        "number": incident.number,
        "sender_id": incident.sender_id.to_string(),
        "state": incident.state,
        "verdict": incident.verdict,
        "mode": incident.mode,
        "enforced": incident.mode == crate::policy::Mode::Enforce,
        "policy": incident.policy,
        "opened": incident.opened.to_string(),
        "closed": incident.closed.map(|at| at.to_string()),
        "closed_by": incident.closed_by,
        "reasons": reasons_json(&incident.reasons),
        "accepted_after": incident.accepted_after,
        "lines": incident.lines,
    });
    add_figures(&mut object, incident.figures);
    object
}

fn reasons_json(reasons: &[Reason]) -> Value {
    reasons
        .iter()
        .map(|reason| json!({"signal": reason.signal, "text": reason.text}))
        .collect()
}

fn add_figures(object: &mut Value, figures: Figures) {
    if let Value::Object(members) = object {
        members.insert("attempts".to_owned(), figures.attempts.into());
        members.insert("accepted".to_owned(), figures.accepted.into());
        members.insert("rejected".to_owned(), figures.rejected.into());
        members.insert("recipients".to_owned(), figures.recipients.into());
    }
}

/// `2026-11-23 08:25:50` in UTC.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    text.get(..19).unwrap_or(&text).to_owned()
}

/// `35 s`, `12 min`, `3.4 h`, `2.1 d`.
#[must_use]
pub fn span(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}
