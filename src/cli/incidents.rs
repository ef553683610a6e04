//! `incidents` and `show N`: the record.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    cli::{
        Context, Exit, Failure, desk,
        table::{Table, plain},
        wording::{incident_json, moment},
    },
    engine::incident::{Incident, State},
    policy::Mode,
    store::{Event, Filter, HeldState, Store, Totals},
};

/// `postwarden incidents`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only those that wait for a person
    #[arg(long)]
    open: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `postwarden show N`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// Incident number
    incident: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists incidents, the newest first.
///
/// # Errors
/// The database cannot be read.
pub fn list(args: &ListArgs, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let store = desk::read_store(&desk::config(context)?)?;
    let filter = Filter {
        state: args.open.then_some(State::Open),
        ..Filter::default()
    };
    let incidents = store.incidents(&filter)?;
    if args.json {
        let all: Vec<Value> = incidents
            .iter()
            .map(|incident| with_mail(&store, incident))
            .collect::<Result<_, _>>()?;
        writeln!(out, "{}", Value::Array(all))?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        ">N",
        "STATE",
        "VERDICT",
        "SENDER",
        "POLICY",
        "OPENED (UTC)",
        ">HELD",
        ">LEAKED",
    ]);
    for incident in &incidents {
        let held = store.totals(incident.number, HeldState::Held)?;
        table.row(vec![
            incident.number.to_string(),
            incident.state.to_string(),
            verdict_word(incident),
            incident.sender_id.to_string(),
            incident.policy.clone(),
            moment(incident.opened),
            held.messages.to_string(),
            incident.accepted_after.to_string(),
        ]);
    }
    table.print(out)?;
    Ok(Exit::Ok)
}

/// Shows one incident: decision, reasons, mail, steps, log lines.
///
/// # Errors
/// There is none of that number (65), or the database cannot be read.
pub fn show(args: &ShowArgs, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let store = desk::read_store(&config)?;
    let incident = store.incident(args.incident)?;
    let Some(incident) = incident else {
        let failure = Failure::new(
            Exit::Data,
            format!("there is no incident {}", args.incident),
        );
        return Err(failure.hint("postwarden incidents"));
    };
    let events = store.events(incident.number)?;
    if args.json {
        let mut object = with_mail(&store, &incident)?;
        if let Value::Object(members) = &mut object {
            members.insert("events".to_owned(), events.iter().map(event_json).collect());
            let files = store.evidence(incident.number)?;
            members.insert("evidence".to_owned(), json!(files));
        }
        writeln!(out, "{object}")?;
        return Ok(Exit::Ok);
    }
    print(&store, &incident, &events, &config.state, out)?;
    Ok(Exit::Ok)
}

fn print(
    store: &Store,
    incident: &Incident,
    events: &[Event],
    state: &std::path::Path,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let number = incident.number;
    writeln!(
        out,
        "incident {number}   {}   {}   {}",
        plain(&incident.sender_id.to_string()),
        verdict_word(incident),
        incident.state
    )?;
    writeln!(
        out,
        "policy {}, decided {} UTC",
        incident.policy,
        moment(incident.opened)
    )?;
    if incident.mode == Mode::Observe {
        writeln!(out, "OBSERVED ONLY: not enforced, no mail was touched")?;
    }
    writeln!(out, "\nWHY")?;
    for reason in &incident.reasons {
        writeln!(out, "  {}", plain(&reason.text))?;
    }
    print_mail(store, incident, out)?;
    writeln!(out, "\nSTEPS (UTC)")?;
    for event in events {
        writeln!(
            out,
            "  {}  {:<14} {}",
            moment(event.wall),
            event.kind.as_str(),
            plain(&event.who)
        )?;
    }
    let files = store.evidence(number)?;
    if !files.is_empty() {
        writeln!(
            out,
            "\nEVIDENCE\n  {} files in {}",
            files.len(),
            state
                .join("evidence")
                .join(format!("PW-{number}"))
                .display()
        )?;
    }
    if !incident.lines.is_empty() {
        writeln!(out, "\nLINES")?;
        for line in &incident.lines {
            writeln!(out, "  {}", plain(line))?;
        }
    }
    print_next(incident, out)
}

/// What a person can do now.
fn print_next(incident: &Incident, out: &mut dyn Write) -> Result<(), Failure> {
    let number = incident.number;
    if incident.closed.is_none() {
        writeln!(
            out,
            "\nNEXT\n  release: postwarden release {number} --reason ..."
        )?;
        writeln!(
            out,
            "  compromised: postwarden confirm {number} --reason ..."
        )?;
    }
    Ok(())
}

/// What became of an incident's mail.
fn print_mail(store: &Store, incident: &Incident, out: &mut dyn Write) -> Result<(), Failure> {
    let number = incident.number;
    let held = store.totals(number, HeldState::Held)?;
    let released = store.totals(number, HeldState::Released)?;
    let purged = store.totals(number, HeldState::Purged)?;
    writeln!(out, "\nMAIL")?;
    writeln!(
        out,
        "  on hold {} messages, {} recipients",
        held.messages, held.recipients
    )?;
    writeln!(
        out,
        "  released {}, deleted {}",
        released.messages, purged.messages
    )?;
    writeln!(
        out,
        "  accepted by remote sides after the decision: {} recipients",
        incident.accepted_after
    )?;
    if incident.put_off > 0 {
        writeln!(
            out,
            "  put off at intake before it: {} messages",
            incident.put_off
        )?;
    }
    Ok(())
}

/// The incident with what became of its mail.
fn with_mail(store: &Store, incident: &Incident) -> Result<Value, Failure> {
    let mut object = incident_json(incident);
    for (name, state) in [
        ("held", HeldState::Held),
        ("released", HeldState::Released),
        ("purged", HeldState::Purged),
        ("husks", HeldState::Husk),
    ] {
        let totals: Totals = store.totals(incident.number, state)?;
        if let Value::Object(members) = &mut object {
            members.insert(name.to_owned(), json!(totals));
        }
    }
    Ok(object)
}

fn event_json(event: &Event) -> Value {
    json!({
        "kind": event.kind,
        "at": event.at.to_string(),
        "wall": event.wall.to_string(),
        "who": event.who,
        "detail": event.detail,
    })
}

fn verdict_word(incident: &Incident) -> String {
    if incident.mode == Mode::Enforce {
        incident.verdict.to_string()
    } else {
        format!("{} (observed)", incident.verdict)
    }
}
