//! How incidents and verdicts are printed, as JSON for programs and as text for people.

use serde_json::{Value, json};

use crate::{
    engine::{
        allowance::{Allowance, Limit},
        docket::Slow,
        effect::VerdictChange,
        incident::Incident,
    },
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
        "put_off": incident.put_off,
        "lines": incident.lines,
    });
    add_figures(&mut object, incident.figures);
    object
}

/// How a sender is limited at intake, as JSON.
#[must_use]
pub fn slow_json(slow: &Slow) -> Value {
    let limit = |limit: &Limit| json!({"at_once": limit.burst, "per_hour": limit.per_hour});
    json!({
        "since": slow.since.to_string(),
        "policy": slow.policy,
        "new_networks": limit(&slow.allowance.novel),
        "own_networks": slow.allowance.usual.as_ref().map(limit),
        "put_off": slow.put_off,
        "last_put_off": slow.last.map(|at| at.to_string()),
    })
}

/// The same in a sentence.
#[must_use]
pub fn slow_line(slow: &Slow) -> String {
    let limit = |limit: &Limit| {
        format!(
            "{:.0} recipients an hour, {:.0} at once",
            limit.per_hour, limit.burst
        )
    };
    let own = match &slow.allowance {
        Allowance { homes, .. } if homes.is_empty() => "it has none of its own yet".to_owned(),
        Allowance { usual: None, .. } => "no limit from its own".to_owned(),
        Allowance {
            usual: Some(usual), ..
        } => format!("{} from its own", limit(usual)),
    };
    format!(
        "limited at intake since {} UTC by policy {}: {} from new networks, {own}; {} messages put off so far (no evidence of refusal)",
        moment(slow.since),
        slow.policy,
        limit(&slow.allowance.novel),
        slow.put_off
    )
}

/// Reasons, as every verb prints them.
#[must_use]
pub fn reasons_json(reasons: &[Reason]) -> Value {
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
