//! `status`: is it alive, does it see, does it act, and what waits for a person.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    cli::{
        Context, Exit, Failure, desk,
        wording::{moment, span},
    },
    daemon::{clock, lock::StateLock},
    engine::incident::State,
    policy::Mode,
    store::{Filter, HeldState, Store},
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the state; exit status 69 when no daemon runs.
///
/// # Errors
/// The database cannot be read.
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let store = desk::read_store(&config)?;
    // Whoever runs holds the lock; a heartbeat alone would outlive a kill -9.
    let running = StateLock::is_taken(&config.state);
    let report = store.status()?;
    let picture = picture(&store, running, config.mode)?;
    let mut object = picture;
    if let (Value::Object(members), Some(report)) = (&mut object, &report) {
        members.insert("heartbeat".to_owned(), report.heartbeat.to_string().into());
        members.insert("daemon".to_owned(), report.record.clone());
    }
    if args.json {
        writeln!(out, "{object}")?;
    } else {
        print(&object, out)?;
    }
    Ok(if running { Exit::Ok } else { Exit::Unavailable })
}

fn picture(store: &Store, running: bool, mode: Mode) -> Result<Value, Failure> {
    let incidents = store.incidents(&Filter::default())?;
    let open: Vec<u64> = incidents
        .iter()
        .filter(|incident| incident.closed.is_none())
        .map(|incident| incident.number)
        .collect();
    let waiting = incidents
        .iter()
        .filter(|incident| incident.state == State::Open)
        .count();
    let mut held = 0;
    for number in &open {
        held += store.totals(*number, HeldState::Held)?.messages;
    }
    let gate = |name: &str| store.gate(name);
    Ok(json!({
        "running": running,
        "version": env!("CARGO_PKG_VERSION"),
        "mode": mode,
        "incidents": incidents.len(),
        "incidents_open": open,
        "waiting": waiting,
        "messages_on_hold": held,
        "alerts_waiting": store.mails_waiting()?,
        "digests": store.active_digests()?.len(),
        "learned": gate("learned")?.map(|gate| json!({"at": gate.changed.to_string(), "what": gate.value})),
        "weather": gate("weather")?.map(|gate| json!({"at": gate.changed.to_string(), "what": gate.value})),
        "brake": gate("brake")?.map(|gate| json!({"at": gate.changed.to_string(), "what": gate.value})),
        "unprotected": gate("unprotected")?.map(|gate| json!({"since": gate.changed.to_string(), "why": gate.value})),
    }))
}

fn print(object: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let text = |name: &str| object.get(name).map(plain_value).unwrap_or_default();
    let daemon = |name: &str| {
        object
            .pointer(&format!("/daemon/{name}"))
            .map(plain_value)
            .unwrap_or_default()
    };
    let alive = if text("running") == "true" {
        "running"
    } else {
        "NOT RUNNING: mail flows unwatched"
    };
    writeln!(
        out,
        "postwarden {}   {alive}   {}",
        text("version"),
        text("mode").to_uppercase()
    )?;
    writeln!(
        out,
        "Log       {} lines read, {} not understood, last {}",
        daemon("lines"),
        daemon("unparsed"),
        daemon("last_record")
    )?;
    writeln!(out, "Queue     {}", daemon("queue"))?;
    writeln!(
        out,
        "Senders   {} known{}",
        daemon("senders"),
        learned(object)
    )?;
    writeln!(
        out,
        "Incidents {} open, {} waiting for a decision, {} messages on hold",
        open_count(object),
        text("waiting"),
        text("messages_on_hold")
    )?;
    writeln!(out, "Alerts    {} not sent yet", text("alerts_waiting"))?;
    writeln!(out, "Digests   {} published", text("digests"))?;
    for name in ["weather", "brake", "unprotected"] {
        if let Some(found) = object.get(name).filter(|found| !found.is_null()) {
            writeln!(out, "! {name}: {found}")?;
        }
    }
    if let Some(heartbeat) = object.get("heartbeat").and_then(Value::as_str) {
        let at = crate::time::Timestamp::parse_rfc3339(heartbeat.as_bytes()).unwrap_or_default();
        writeln!(
            out,
            "Heartbeat {} UTC, {} ago",
            moment(at),
            span(clock::now().seconds_since(at))
        )?;
    }
    Ok(())
}

/// What the profiles began with.
fn learned(object: &Value) -> String {
    let what = |name: &str| {
        let found = object.pointer(&format!("/learned/what/{name}"));
        found.map(plain_value)
    };
    what("senders")
        .zip(what("attempts"))
        .map_or_else(String::new, |(senders, attempts)| {
            format!(", {senders} of them learned from old logs ({attempts} delivery attempts)")
        })
}

fn open_count(object: &Value) -> usize {
    object
        .get("incidents_open")
        .and_then(Value::as_array)
        .map_or(0, Vec::len)
}

fn plain_value(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
