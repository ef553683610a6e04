//! `explain SENDER_ID|N`: what counted, what did not and why, what is usual, how far from each line, what would have
//! changed the verdict, and every limit with its file and line.

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
    policy::{Explanation, Mode, NOT_COUNTED, Reason, Verdict, WOULD_CHANGE},
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
        print_limits(&explanation, out)?;
    }
    Ok(Exit::Ok)
}

/// What is told of one sender: of an open incident as it was when the decision fell, else as it is now.
struct Told<'e> {
    verdict: Verdict,
    mode: Mode,
    policy: &'e str,
    counted: Vec<&'e str>,
    not_counted: Vec<&'e str>,
    would_change: Vec<&'e str>,
    /// True when it is a score whose parts add up.
    adds_up: bool,
}

impl<'e> Told<'e> {
    fn new(explanation: &'e Explanation, incident: Option<&'e Incident>) -> Self {
        let judgement = &explanation.judgement;
        let reasons = incident.map_or(&judgement.reasons, |incident| &incident.reasons);
        let of = |signal: &str| texts(reasons.iter().filter(|reason| reason.signal == signal));
        let own = |clauses: &'e [String]| clauses.iter().map(String::as_str).collect();
        let counted = reasons
            .iter()
            .filter(|reason| reason.signal != NOT_COUNTED && reason.signal != WOULD_CHANGE);
        Self {
            verdict: incident.map_or(judgement.verdict, |incident| incident.verdict),
            mode: incident.map_or(judgement.mode, |incident| incident.mode),
            policy: incident.map_or(&judgement.policy, |incident| &incident.policy),
            counted: texts(counted),
            not_counted: incident
                .map_or_else(|| own(&explanation.not_counted), |_| of(NOT_COUNTED)),
            would_change: incident
                .map_or_else(|| own(&explanation.would_change), |_| of(WOULD_CHANGE)),
            adds_up: reasons.iter().any(|reason| reason.signal == "score"),
        }
    }
}

fn texts<'e>(reasons: impl Iterator<Item = &'e Reason>) -> Vec<&'e str> {
    reasons
        .map(|reason| reason.text.trim_start_matches("not counted: "))
        .collect()
}

fn object(who: &SenderId, explanation: &Explanation, incident: Option<&Incident>) -> Value {
    let told = Told::new(explanation, incident);
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
        "verdict": told.verdict,
        "mode": told.mode,
        "incident": incident.map(|incident| incident.number),
        "policy": told.policy,
        "counted": told.counted,
        "not_counted": told.not_counted,
        "usual": explanation.usual,
        "distance": explanation.distance,
        "would_change": told.would_change,
        "limits": limits,
    })
}

/// Prints an explanation for people.
///
/// # Errors
/// Of the writer.
pub fn print(
    who: &SenderId,
    explanation: &Explanation,
    incident: Option<&Incident>,
    slow: Option<&Slow>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let told = Told::new(explanation, incident);
    let observed = if told.verdict >= Verdict::Hold && told.mode == Mode::Observe {
        ", observed only"
    } else {
        ""
    };
    writeln!(
        out,
        "{}   {}{observed}   ({})",
        plain(&who.to_string()),
        told.verdict,
        plain(&explanation.class)
    )?;
    if let Some(incident) = incident {
        writeln!(out, "incident {}, by {}", incident.number, told.policy)?;
    } else if told.verdict > Verdict::Clear {
        writeln!(out, "by {}", told.policy)?;
    }
    if let Some(slow) = slow {
        writeln!(out, "{}", wording::slow_line(slow))?;
    }
    let own =
        |clauses: &[String]| -> Vec<String> { clauses.iter().map(|text| plain(text)).collect() };
    let lent =
        |clauses: &[&str]| -> Vec<String> { clauses.iter().map(|text| plain(text)).collect() };
    let why = if told.adds_up {
        "WHAT COUNTED (points in brackets; they add up to the score)"
    } else {
        "WHAT COUNTED"
    };
    let change = if told.verdict >= Verdict::Hold {
        "WHAT WOULD HAVE CHANGED IT"
    } else {
        "WHAT WOULD CHANGE IT"
    };
    for (head, clauses) in [
        (why, lent(&told.counted)),
        ("WHAT DID NOT COUNT, AND WHY", lent(&told.not_counted)),
        ("WHAT IS USUAL FOR THIS SENDER", own(&explanation.usual)),
        ("HOW FAR FROM EACH LINE", own(&explanation.distance)),
        (change, lent(&told.would_change)),
    ] {
        if !clauses.is_empty() {
            writeln!(out, "\n{head}")?;
        }
        for clause in clauses {
            writeln!(out, "  {clause}")?;
        }
    }
    Ok(())
}

fn print_limits(explanation: &Explanation, out: &mut dyn Write) -> std::io::Result<()> {
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
    table.print(out)
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
