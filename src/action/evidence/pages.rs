//! The texts of a bundle: for people, for programs, and the two lists.

use serde_json::json;

use super::{Bundle, Error, Message, writer::Sample};
use crate::{
    action::{
        incident_name,
        sheet::{Sheet, printable},
    },
    engine::incident::Incident,
    policy::Mode,
    postfix::queue_id,
};

pub(super) fn table(messages: &[Message]) -> String {
    let mut text = "queue_id\tarrival\tbytes\trecipients\tstate\n".to_owned();
    for m in messages.iter().filter(|m| queue_id::is_valid(&m.queue_id)) {
        let state = printable(&m.state, 20);
        text.push_str(&format!(
            "{}\t{}\t{}\t{}\t{state}\n",
            m.queue_id, m.arrival, m.bytes, m.recipients
        ));
    }
    text
}

/// Byte for byte, but for line ends inside a line.
pub(super) fn log(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| line.replace(['\n', '\r'], " ") + "\n")
        .collect()
}

pub(super) fn text(bundle: &Bundle<'_>, samples: &[Sample]) -> String {
    let incident = bundle.incident;
    let mut sheet = Sheet::default();
    let line = |text: &str| printable(text, 400);
    sheet.row("INCIDENT", &incident_name(incident.number));
    sheet.row("SENDER", &line(&incident.sender_id.to_string()));
    sheet.row(
        "VERDICT",
        &format!("{} ({})", incident.verdict, mode(incident)),
    );
    sheet.row("POLICY", &line(&incident.policy));
    sheet.row("DECIDED", &incident.opened.to_string());
    if let Some(first) = incident.first_sign {
        sheet.row("FIRST", &first.to_string());
    }
    let reasons: Vec<String> = incident
        .reasons
        .iter()
        .map(|reason| line(&format!("{}: {}", reason.signal, reason.text)))
        .collect();
    sheet.row("WHY", &reasons.join("\n"));
    let f = incident.figures;
    sheet.row(
        "FIGURES",
        &format!(
            "{} attempts, {} accepted, {} rejected, {} recipients brought in",
            f.attempts, f.accepted, f.rejected, f.recipients
        ),
    );
    sheet.gap();
    let recipients: u64 = bundle.messages.iter().map(|m| m.recipients).sum();
    sheet.row(
        "MESSAGES",
        &format!(
            "{} (messages.tsv), recipients left {recipients}",
            bundle.messages.len()
        ),
    );
    sheet.row("SAMPLES", &format!("{} (queue/, Maildir/)", samples.len()));
    sheet.row(
        "LOG",
        &format!("{} lines (log.txt)", bundle.log_lines.len()),
    );
    sheet.row("HOST", &line(bundle.host));
    sheet.row(
        "COLLECTED",
        &format!("{} by postwarden {}", bundle.at, line(bundle.version)),
    );
    sheet.row("CHECK", "sha256sum -c MANIFEST.sha256");
    sheet.finish()
}

pub(super) const fn mode(incident: &Incident) -> &'static str {
    match incident.mode {
        Mode::Observe => "observed only, not enforced",
        Mode::Enforce => "enforced",
    }
}

pub(super) fn record(bundle: &Bundle<'_>, samples: &[Sample]) -> Result<Vec<u8>, Error> {
    let value = json!({
        "schema": 1,
        "name": incident_name(bundle.incident.number),
        "enforced": bundle.incident.mode == Mode::Enforce,
        "incident": bundle.incident,
        "opened": bundle.incident.opened.to_string(),
        "host": bundle.host,
        "version": bundle.version,
        "collected": bundle.at.to_string(),
        "messages": bundle.messages,
        "samples": samples,
    });
    Ok(serde_json::to_vec_pretty(&value)?)
}
