//! `status`: is it alive, does it see, does it act, and what waits for a person.

mod reading;

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    cli::{
        Context, Exit, Failure, desk, exempt,
        wording::{moment, span},
    },
    daemon::{alarms::Alarm, clock, core::WEATHER, lock::StateLock},
    engine::incident::State,
    policy::Mode,
    store::{Filter, Gate, HeldState, Store},
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
    let mut object = picture(&store, running, config.mode)?;
    if let Value::Object(members) = &mut object {
        members.insert("exempt".to_owned(), exempt::report(&config));
    }
    if let (Value::Object(members), Some(report)) = (&mut object, &report) {
        members.insert("heartbeat".to_owned(), report.heartbeat.to_string().into());
        members.insert("daemon".to_owned(), report.record.clone());
        if !running {
            // Since its last sign of life nobody has watched anything.
            let since = report.heartbeat.to_string();
            let unprotected = json!({"since": since, "why": "postwarden does not run"});
            members.insert("unprotected".to_owned(), unprotected);
        }
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
        "weather": weather(store)?,
        "brake": gate("brake")?.map(|gate| json!({"at": gate.changed.to_string(), "what": gate.value})),
        "unprotected": gate("unprotected")?.map(|gate| gate.value),
        "alarms": gate("alarms")?.map_or_else(|| json!([]), |gate| alarms(&gate.value)),
    }))
}

/// The alarms on record, with what to do.
fn alarms(on: &Value) -> Value {
    let on: Vec<Alarm> = serde_json::from_value(on.clone()).unwrap_or_default();
    on.iter()
        .map(|alarm| {
            json!({
                "kind": alarm.kind,
                "title": alarm.kind.title(),
                "since": alarm.since.to_string(),
                "what": alarm.what,
                "blind": alarm.blind,
                "do": alarm.kind.advice(),
            })
        })
        .collect()
}

/// Trouble that everybody meets just now.
fn weather(store: &Store) -> Result<Vec<Value>, Failure> {
    let gates = store.gates(WEATHER)?;
    let lasting = |gate: &&Gate| gate.value.get("began") == Some(&Value::Bool(true));
    let picture = |gate: &Gate| {
        let name = gate.name.strip_prefix(WEATHER);
        json!({"name": name, "what": gate.value.get("text"), "since": gate.changed.to_string()})
    };
    Ok(gates.iter().filter(lasting).map(picture).collect())
}

fn print(object: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    let text = |name: &str| member(object, &format!("/{name}"));
    let alive = if text("running") == "true" {
        "running"
    } else {
        "NOT RUNNING"
    };
    writeln!(
        out,
        "postwarden {}   {alive}   {}",
        text("version"),
        text("mode").to_uppercase()
    )?;
    let now = clock::now();
    reading::warnings(object, now, out)?;
    reading::log(object, now, out)?;
    writeln!(out, "Queue     {}", queue(object))?;
    for line in crate::cli::queue::lines(object.get("daemon").unwrap_or(&Value::Null)) {
        writeln!(out, "          {line}")?;
    }
    writeln!(
        out,
        "Senders   {} known{}",
        member(object, "/daemon/senders"),
        learned(object)
    )?;
    writeln!(
        out,
        "Incidents {} open, {} waiting for a decision, {} messages on hold",
        open_count(object),
        text("waiting"),
        text("messages_on_hold")
    )?;
    if let Some(line) = reaction(object) {
        writeln!(out, "Reaction  {line}")?;
    }
    writeln!(out, "Alerts    {} not sent yet", text("alerts_waiting"))?;
    writeln!(out, "Digests   {} published", text("digests"))?;
    exempt::print(object.get("exempt"), out)?;
    let storms = object.get("weather").and_then(Value::as_array);
    for storm in storms.into_iter().flatten() {
        let part = |name: &str| storm.get(name).map(plain_value).unwrap_or_default();
        writeln!(out, "! weather: {}, since {}", part("what"), part("since"))?;
    }
    if let Some(found) = object.get("brake").filter(|found| !found.is_null()) {
        writeln!(out, "! brake: {found}")?;
    }
    if let Some(at) = reading::time(object, "/heartbeat") {
        writeln!(
            out,
            "Heartbeat {} UTC, {} ago",
            moment(at),
            span(now.seconds_since(at))
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

/// `incoming 3, active 12, deferred 40, hold 7`; empty queues are left out.
fn queue(object: &Value) -> String {
    let Some(counts) = object.pointer("/daemon/queue").and_then(Value::as_object) else {
        return "not looked over yet".to_owned();
    };
    let parts: Vec<String> = ["maildrop", "incoming", "active", "deferred", "hold"]
        .iter()
        .filter_map(|name| Some((name, counts.get(*name)?.as_u64()?)))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    match (counts.is_empty(), parts.is_empty()) {
        (true, _) => "not looked over yet".to_owned(),
        (false, true) => "empty".to_owned(),
        (false, false) => parts.join(", "),
    }
}

/// A member as plain text; empty where there is none.
fn member(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).map(plain_value).unwrap_or_default()
}

/// How long it took from a log line being readable, for what was acted upon since the start: half of the times, and the
/// longest.
fn reaction(object: &Value) -> Option<String> {
    let steps = [
        ("postwarden_decision_seconds", "decided"),
        ("postwarden_intake_seconds", "in force at intake"),
        ("postwarden_reaction_seconds", "queue on hold and verified"),
    ];
    let step = |(name, what): (&str, &str)| {
        let found = object.pointer(&format!("/daemon/metrics/latencies/{name}"))?;
        let millis = |member: &str| {
            let micros = found.get(member).and_then(Value::as_u64).unwrap_or(0);
            format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
        };
        let count = found.get("count").and_then(Value::as_u64).unwrap_or(0);
        (count > 0).then(|| format!("{what} {} (max {})", millis("p50_us"), millis("max_us")))
    };
    let steps: Vec<String> = steps.into_iter().filter_map(step).collect();
    (!steps.is_empty()).then(|| format!("line readable → {}", steps.join(", ")))
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
