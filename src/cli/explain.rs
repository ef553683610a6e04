//! `explain SENDER_ID|N`: what counted, what did not and why, what is usual, and what would have changed the verdict.

use std::io::Write;

use serde_json::json;

use crate::{
    cli::{Context, Exit, Failure, desk, table::plain},
    daemon::{self, clock},
    engine::Engine,
    ledger::SenderId,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// sasl:LOGIN, from:ADDRESS, ip:ADDRESS, a bare login, or an incident number
    who: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Explains.
///
/// # Errors
/// Nothing is known of that sender (65), or the database cannot be read.
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let engine = daemon::picture(&config)?;
    let sender_id = sender(&args.who, &engine, &config)?;
    let now = clock::now();
    let Some(explanation) = engine.explain(&sender_id, now) else {
        let failure = Failure::new(Exit::Data, format!("nothing is known of {sender_id}"));
        return Err(failure.hint("postwarden senders lists who is known"));
    };
    let incident = engine.incident_of(&sender_id);
    let judgement = &explanation.judgement;
    if args.json {
        let object = json!({
            "sender_id": sender_id.to_string(),
            "verdict": incident.map_or(judgement.verdict, |incident| incident.verdict),
            "mode": incident.map_or(judgement.mode, |incident| incident.mode),
            "incident": incident.map(|incident| incident.number),
            "policy": incident.map_or(judgement.policy.as_str(), |incident| incident.policy.as_str()),
            "counted": incident.map_or(&judgement.reasons, |incident| &incident.reasons).iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>(),
            "not_counted": explanation.not_counted,
            "usual": explanation.usual,
            "would_change": explanation.would_change,
        });
        writeln!(out, "{object}")?;
        return Ok(Exit::Ok);
    }
    let verdict = incident.map_or(judgement.verdict, |incident| incident.verdict);
    writeln!(out, "{}   {verdict}", plain(&sender_id.to_string()))?;
    if let Some(incident) = incident {
        let enforced = if incident.mode == crate::policy::Mode::Enforce {
            ""
        } else {
            ", observed only"
        };
        writeln!(
            out,
            "incident {} by policy {}{enforced}",
            incident.number, incident.policy
        )?;
    }
    let counted: Vec<String> = incident
        .map_or(&judgement.reasons, |incident| &incident.reasons)
        .iter()
        .map(|reason| reason.text.clone())
        .collect();
    for (head, clauses) in [
        ("COUNTED", &counted),
        ("DID NOT COUNT", &explanation.not_counted),
        ("USUAL", &explanation.usual),
        ("WOULD CHANGE IT", &explanation.would_change),
    ] {
        if !clauses.is_empty() {
            writeln!(out, "\n{head}")?;
        }
        for clause in clauses {
            writeln!(out, "  {}", plain(clause))?;
        }
    }
    Ok(Exit::Ok)
}

/// An incident number, a `SenderId`, or a bare login.
fn sender(who: &str, engine: &Engine, config: &crate::config::Config) -> Result<SenderId, Failure> {
    if let Ok(number) = who.parse() {
        if let Some(incident) = engine.incident(number) {
            return Ok(incident.sender_id.clone());
        }
        let incident = desk::read_store(config)?.incident(number)?;
        return incident
            .map(|incident| incident.sender_id)
            .ok_or_else(|| Failure::new(Exit::Data, format!("there is no incident {number}")));
    }
    who.parse()
        .or_else(|()| format!("sasl:{who}").parse())
        .map_err(|()| Failure::new(Exit::Usage, format!("`{who}` is no sender")))
}
