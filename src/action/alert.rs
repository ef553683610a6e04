//! Mail to the abuse desk: one for each incident, and follow-ups in the same thread.
//!
//! The text has 76 columns, the most important first, commands to copy, links made unusable; a JSON attachment has the
//! same facts. The subject begins with `[postwarden PW-7]`, which never changes, and says OBSERVE when nothing was done.
//! The same facts give the same bytes and the same Message-ID, so that a mail sent twice is one.
//!
//! What strangers wrote (logins, addresses, log lines) is in subjects and texts: it is one printable line before it gets
//! there, and header fields are encoded, so none of it can begin a header or a line of its own.

mod mime;
mod samples;
mod send;

use std::time::Duration;

use serde_json::json;

pub use self::{
    samples::sample_notes,
    send::{Route, RouteError, Security, SendError, send},
};
use crate::{
    action::{
        incident_name,
        sheet::{Sheet, defang, printable},
    },
    engine::incident::Incident,
    ledger::SenderId,
    policy::Mode,
    time::Timestamp,
};

/// From where to whom.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// Envelope and header sender.
    pub from: &'a str,
    /// Recipients.
    pub to: &'a [String],
    /// Name of this host; Message-IDs end in it.
    pub host: &'a str,
}

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// The decision, and what was done.
    Opened,
    /// Figures changed.
    Update,
    /// A person let the mail go.
    Released,
    /// A person confirmed the compromise.
    Confirmed,
    /// A person said it was none.
    FalsePositive,
    /// A person had the mail deleted.
    Purged,
    /// Something could not be done.
    Failed,
}

impl News {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Update => "update",
            Self::Released => "released",
            Self::Confirmed => "confirmed",
            Self::FalsePositive => "false-positive",
            Self::Purged => "purged",
            Self::Failed => "failed",
        }
    }
}

/// What the hold achieved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Done {
    /// Messages on hold.
    pub held: u64,
    /// Their recipients.
    pub recipients: u64,
    /// Files on hold whose recipients had all been served.
    pub husks: u64,
    /// Messages accepted by remote sides after the decision.
    pub leaked_after: u64,
    /// Messages let go.
    pub released: u64,
    /// Messages deleted.
    pub purged: u64,
}

/// A sample in one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleNote {
    /// Its subject, decoded.
    pub subject: String,
    /// Messages like it.
    pub messages: u64,
    /// Links in it.
    pub links: Vec<String>,
}

/// One mail about an incident.
#[derive(Clone, Copy, Debug)]
pub struct Alert<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// 1 for the first mail of the incident, then counting.
    pub sequence: u64,
    /// What happened.
    pub news: News,
    /// When the mail is written.
    pub at: Timestamp,
    /// What was done; `None` where the incident is only observed.
    pub done: Option<&'a Done>,
    /// Samples.
    pub samples: &'a [SampleNote],
    /// Where the evidence lies and the SHA-256 of its manifest.
    pub evidence: Option<(&'a str, &'a str)>,
    /// Keyed hash of the sender, for filters that must not know the name.
    pub identity_hash: Option<&'a str>,
    /// A sentence that comes first (what failed, the person's reason).
    pub remark: Option<&'a str>,
}

/// A mail, ready for the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Names it (`PW-7.1`).
    pub key: String,
    /// Its Message-ID, without the angle brackets.
    pub message_id: String,
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients. To keep one bad address from stopping the others, send to each by itself.
    pub to: Vec<String>,
    /// Header and body, CRLF line ends.
    pub bytes: Vec<u8>,
}

/// The mail about an incident.
#[must_use]
pub fn incident_letter(desk: &Desk<'_>, alert: &Alert<'_>) -> Letter {
    let incident = alert.incident;
    let name = incident_name(incident.number);
    let key = format!("{name}.{}", alert.sequence.max(1));
    let first = format!("{name}.1");
    let mode = mode(incident.mode);
    let mut headers = vec![
        ("X-Postwarden-Incident", name),
        ("X-Postwarden-Rule", incident.policy.clone()),
        ("X-Postwarden-Mode", mode.to_owned()),
        ("X-Postwarden-News", alert.news.as_str().to_owned()),
    ];
    if let Some(hash) = alert.identity_hash {
        headers.push(("X-Postwarden-Identity-Hash", hash.to_owned()));
    }
    let content = mime::Content {
        subject: subject(alert),
        text: body(desk, alert),
        attachment: Some((format!("{key}.json"), facts(desk, alert))),
        headers,
        reply_to: (key != first).then_some(first),
    };
    letter(desk, key, alert.at, &content)
}

/// A mail about no incident: the brake, blindness, the weather. `key` names it (`brake.1790000000`), `rows` are label and
/// text.
#[must_use]
pub fn house_letter(
    desk: &Desk<'_>,
    key: &str,
    at: Timestamp,
    subject: &str,
    rows: &[(&str, String)],
) -> Letter {
    let mut sheet = Sheet::default();
    for (label, text) in rows {
        let lines: Vec<String> = text.lines().map(|line| shown(line, 400)).collect();
        sheet.row(label, &lines.join("\n"));
    }
    sheet.gap();
    sheet.row("LOOK", "postwarden status");
    sheet.row("FROM", &shown(desk.host, 255));
    let content = mime::Content {
        subject: format!("[postwarden] {}", printable(subject, 120)),
        text: sheet.finish(),
        attachment: None,
        headers: Vec::new(),
        reply_to: None,
    };
    letter(desk, key.to_owned(), at, &content)
}

/// When to try again after `attempts` failed attempts: after 10 s, 30 s, 1, 2, 5, 10, 15 and then every 30 minutes;
/// `None` (give up) three days after it was written.
#[must_use]
pub fn next_try(attempts: u64, created: Timestamp, now: Timestamp) -> Option<Timestamp> {
    const DELAYS: [u64; 8] = [10, 30, 60, 120, 300, 600, 900, 1800];
    const KEEP: Duration = Duration::from_secs(3 * 24 * 3600);
    if now.since(created) >= KEEP {
        return None;
    }
    let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let delay = DELAYS.get(step).or(DELAYS.last()).copied().unwrap_or(1800);
    Some(now + Duration::from_secs(delay))
}

fn letter(desk: &Desk<'_>, key: String, at: Timestamp, content: &mime::Content) -> Letter {
    let message_id = mime::message_id(&key, desk.host);
    Letter {
        bytes: mime::assemble(desk, &message_id, at, content),
        key,
        message_id,
        from: desk.from.to_owned(),
        to: desk.to.to_vec(),
    }
}

const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    }
}

/// One printable line with dead links.
fn shown(text: &str, limit: usize) -> String {
    defang(&printable(text, limit))
}

/// The sender as people know it, without our prefix.
fn sender(incident: &Incident, limit: usize) -> String {
    let text = match &incident.sender_id {
        SenderId::Sasl(name) | SenderId::From(name) => name.to_string(),
        SenderId::Ip(address) => address.to_string(),
        SenderId::Uid(uid) => format!("uid {uid}"),
    };
    shown(&text, limit)
}

fn subject(alert: &Alert<'_>) -> String {
    let incident = alert.incident;
    let (name, who) = (incident_name(incident.number), sender(incident, 64));
    let observed = incident.mode == Mode::Observe;
    let state = match alert.news {
        News::Opened | News::Update if observed => "OBSERVE",
        News::Opened => "HELD",
        News::Update => "UPDATE",
        News::Released => "RELEASED",
        News::Confirmed => "CONFIRMED",
        News::FalsePositive => "FALSE POSITIVE",
        News::Purged => "PURGED",
        News::Failed => "FAILED",
    };
    // The word stands in every mail about what was not enforced.
    let mark = if observed && state != "OBSERVE" {
        "OBSERVE "
    } else {
        ""
    };
    let f = incident.figures;
    let mut facts = Vec::new();
    if observed && alert.news == News::Opened {
        facts.push("would be on hold".to_owned());
    }
    if f.attempts > 0 {
        facts.push(format!("{} of {} rejected", f.rejected, f.attempts));
    }
    if let Some(done) = alert.done {
        facts.push(format!("{} on hold", done.held));
    }
    let facts = if facts.is_empty() {
        printable(&incident.policy, 60)
    } else {
        facts.join(", ")
    };
    format!("[postwarden {name}] {mark}{state} {who}: {facts}")
}

fn body(desk: &Desk<'_>, alert: &Alert<'_>) -> String {
    let incident = alert.incident;
    let n = incident.number;
    let mut sheet = Sheet::default();
    if let Some(remark) = alert.remark {
        sheet.row("NEWS", &shown(remark, 600));
    }
    sheet.row("WHAT", &what(incident));
    sheet.row("WHEN", &when(incident, desk.host));
    let mut why = vec![format!("policy {}", printable(&incident.policy, 60))];
    let reason = |text: &str| shown(text, 300);
    why.extend(
        incident
            .reasons
            .iter()
            .map(|r| reason(&format!("{}: {}", r.signal, r.text))),
    );
    sheet.row("WHY", &why.join("\n"));
    sheet.row("DONE", &done(alert));
    let samples: Vec<String> = alert.samples.iter().take(5).map(sample).collect();
    sheet.row("SAMPLE", &samples.join("\n"));
    let last = incident.lines.len().saturating_sub(3);
    let lines: Vec<String> = incident
        .lines
        .iter()
        .skip(last)
        .map(|l| shown(l, 300))
        .collect();
    sheet.row("LOG", &lines.join("\n"));
    sheet.gap();
    sheet.row(
        "LOOK",
        &format!("postwarden show {n}\npostwarden explain {n}"),
    );
    if incident.mode == Mode::Enforce {
        sheet.row(
            "RELEASE",
            &format!("postwarden release {n} --reason \"...\""),
        );
        sheet.row(
            "CONFIRM",
            &format!("postwarden confirm {n} --reason \"...\""),
        );
        sheet.row("PURGE", &format!("postwarden purge {n} --reason \"...\""));
    }
    if let Some((place, manifest)) = alert.evidence {
        sheet.row("EVIDENCE", &printable(place, 300));
        sheet.row("", &format!("manifest sha256 {}", printable(manifest, 64)));
    }
    sheet.finish()
}

fn what(incident: &Incident) -> String {
    let who = sender(incident, 254);
    let who = match &incident.sender_id {
        SenderId::Sasl(_) => format!("Login {who}"),
        SenderId::From(_) => format!("Sender {who} (mail without a login)"),
        SenderId::Ip(_) => format!("Client {who} (mail without a login)"),
        SenderId::Uid(_) => format!("Local user {who} (sendmail)"),
    };
    if incident.policy == "operator" {
        return format!("{who} was put on hold by a person.");
    }
    match incident.mode {
        Mode::Enforce => format!(
            "{who} looks taken over. Its queued mail is on hold; new mail is stopped at intake."
        ),
        Mode::Observe => format!(
            "OBSERVE: nothing was done. {who} looks taken over; in enforce mode its mail would be on hold now."
        ),
    }
}

fn when(incident: &Incident, host: &str) -> String {
    let host = shown(host, 255);
    let second = |at: Timestamp| {
        Timestamp::from_seconds(at.seconds())
            .to_string()
            .replace(".000000", "")
    };
    let opened = second(incident.opened);
    match incident.first_sign {
        Some(first) => format!(
            "{} first sign\n{opened} decided ({} s later)\non {host}",
            second(first),
            incident.opened.since(first).as_secs()
        ),
        None => format!("{opened} decided\non {host}"),
    }
}

fn done(alert: &Alert<'_>) -> String {
    let f = alert.incident.figures;
    let before = format!(
        "{} had been accepted by remote sides before the decision.",
        f.accepted
    );
    let Some(done) = alert.done else {
        return match alert.incident.mode {
            Mode::Observe => format!("Nothing: postwarden observes. {before}"),
            Mode::Enforce => before,
        };
    };
    let mut text = format!(
        "{} messages on hold ({} recipients), {} deleted. {before}",
        done.held, done.recipients, done.purged
    );
    if done.leaked_after > 0 {
        text.push_str(&format!(
            " {} more were accepted after it.",
            done.leaked_after
        ));
    }
    if done.husks > 0 {
        text.push_str(&format!(
            " {} were with a delivery agent already and went out.",
            done.husks
        ));
    }
    if done.released > 0 {
        text.push_str(&format!(" {} were released.", done.released));
    }
    text
}

fn sample(sample: &SampleNote) -> String {
    let mut text = format!(
        "\"{}\", {} messages",
        shown(&sample.subject, 80),
        sample.messages
    );
    for link in sample.links.iter().take(3) {
        // Whatever it was, it shall not be one in a mail reader.
        text.push_str(&format!(", {}", shown(link, 200)));
    }
    text
}

/// The attachment.
fn facts(desk: &Desk<'_>, alert: &Alert<'_>) -> Vec<u8> {
    let incident = alert.incident;
    let value = json!({
        "schema": 1,
        "name": incident_name(incident.number),
        "sequence": alert.sequence.max(1),
        "news": alert.news.as_str(),
        "enforced": incident.mode == Mode::Enforce,
        "sender_id": incident.sender_id.to_string(),
        "opened": incident.opened.to_string(),
        "first_sign": incident.first_sign.map(|at| at.to_string()),
        "host": desk.host,
        "incident": incident,
        "done": alert.done,
        "remark": alert.remark,
        "evidence": alert.evidence.map(|(path, manifest)| json!({"path": path, "manifest_sha256": manifest})),
    });
    serde_json::to_vec_pretty(&value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
