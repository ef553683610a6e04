//! `explain SENDER_ID|N`: what counted, what did not and why, what is usual, and what would have changed the verdict.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    cli::{
        Context, Exit, Failure, desk,
        table::{Table, plain},
        wording,
    },
    daemon::{self, clock},
    engine::{Engine, docket::Slow, incident::Incident},
    ledger::SenderId,
    policy::{Explanation, Mode},
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
    let slow = engine.docket().slow_of(&sender_id);
    if args.json {
        let mut object = object(&sender_id, &explanation, incident);
        if let Value::Object(members) = &mut object {
            members.insert("slowed".to_owned(), slow.map(wording::slow_json).into());
        }
        writeln!(out, "{object}")?;
    } else {
        print(&sender_id, &explanation, incident, slow, out)?;
    }
    Ok(Exit::Ok)
}

fn object(who: &SenderId, explanation: &Explanation, incident: Option<&Incident>) -> Value {
    let judgement = &explanation.judgement;
    let limits: Vec<Value> = explanation
        .limits
        .iter()
        .map(|limit| {
            json!({
                "policy": limit.policy,
                "key": limit.key,
                "value": limit.value,
                "layer": limit.layer,
                "place": limit.place,
            })
        })
        .collect();
    json!({
        "sender_id": who.to_string(),
        "class": explanation.class,
        "verdict": incident.map_or(judgement.verdict, |incident| incident.verdict),
        "mode": incident.map_or(judgement.mode, |incident| incident.mode),
        "incident": incident.map(|incident| incident.number),
        "policy": incident.map_or(judgement.policy.as_str(), |incident| incident.policy.as_str()),
        "counted": counted(explanation, incident),
        "not_counted": explanation.not_counted,
        "usual": explanation.usual,
        "would_change": explanation.would_change,
        "limits": limits,
    })
}

fn counted<'e>(explanation: &'e Explanation, incident: Option<&'e Incident>) -> Vec<&'e str> {
    incident
        .map_or(&explanation.judgement.reasons, |incident| &incident.reasons)
        .iter()
        .map(|reason| reason.text.as_str())
        .collect()
}

fn print(
    who: &SenderId,
    explanation: &Explanation,
    incident: Option<&Incident>,
    slow: Option<&Slow>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    head(who, explanation, incident, slow, out)?;
    let texts = |texts: &[String]| texts.iter().map(|text| plain(text)).collect::<Vec<_>>();
    let counted = counted(explanation, incident)
        .into_iter()
        .map(plain)
        .collect();
    for (head, clauses) in [
        ("COUNTED", counted),
        ("DID NOT COUNT", texts(&explanation.not_counted)),
        ("USUAL", texts(&explanation.usual)),
        ("WOULD CHANGE IT", texts(&explanation.would_change)),
    ] {
        if !clauses.is_empty() {
            writeln!(out, "\n{head}")?;
        }
        for clause in clauses {
            writeln!(out, "  {clause}")?;
        }
    }
    writeln!(out, "\nLIMITS IN FORCE FOR THIS SENDER")?;
    let mut table = Table::new(&["  POLICY", "KEY", "VALUE", "LAYER", "FROM"]);
    for limit in &explanation.limits {
        table.row(vec![
            format!("  {}", limit.policy),
            limit.key.to_owned(),
            limit.value.clone(),
            limit.layer.to_owned(),
            plain(&limit.place),
        ]);
    }
    table.print(out)?;
    Ok(())
}

/// Who, what stands, and what is done about it.
fn head(
    who: &SenderId,
    explanation: &Explanation,
    incident: Option<&Incident>,
    slow: Option<&Slow>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let verdict = incident.map_or(explanation.judgement.verdict, |incident| incident.verdict);
    let who = plain(&who.to_string());
    writeln!(out, "{who}   {verdict}   ({})", plain(&explanation.class))?;
    if let Some(incident) = incident {
        let enforced = if incident.mode == Mode::Enforce {
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
    if let Some(slow) = slow {
        writeln!(out, "{}", wording::slow_line(slow))?;
    }
    Ok(())
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
