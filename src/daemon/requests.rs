//! What a person asks for through the database: hold, release, confirm, purge. The same code answers while the daemon
//! runs and while it does not.

use serde_json::{Value, json};

use crate::{
    daemon::core::Core,
    engine::{Input, Order, OrderVerb},
    ledger::SenderId,
    store::{Answer, Commit, JobKind, NewJob, Request, RequestState},
    time::Timestamp,
};

/// Carries out one request as far as the engine is concerned; the work that follows is put on record with the answer.
pub fn answer(core: &mut Core, now: Timestamp, request: &Request) -> Answer {
    let (state, result) = match carry_out(core, now, request) {
        Ok(result) => (RequestState::Done, result),
        Err(message) => (RequestState::Failed, json!({"error": message})),
    };
    tracing::info!(
        verb = request.verb,
        who = request.who,
        done = state == RequestState::Done,
        "request"
    );
    Answer {
        request: request.number,
        state,
        result,
        at: now,
    }
}

fn carry_out(core: &mut Core, now: Timestamp, request: &Request) -> Result<Value, String> {
    let order = |verb| Order {
        by: request.who.clone(),
        reason: text(request, "reason"),
        verb,
    };
    match request.verb.as_str() {
        "hold" => {
            let sender_id: SenderId = text(request, "sender_id")
                .parse()
                .map_err(|()| "a sender is sasl:LOGIN, from:ADDRESS or ip:ADDRESS".to_owned())?;
            core.feed(
                now,
                Input::Operator(order(OrderVerb::Hold(sender_id.clone()))),
            );
            let incident = core
                .engine
                .incident_of(&sender_id)
                .ok_or("no incident was opened")?;
            Ok(json!({"incident": incident.number}))
        }
        "release" => {
            let incident = open_incident(core, request)?;
            let false_positive = request
                .arguments
                .get("false_positive")
                .and_then(Value::as_bool)
                .unwrap_or(false);
            core.feed(
                now,
                Input::Operator(order(OrderVerb::Release {
                    incident,
                    false_positive,
                })),
            );
            Ok(json!({"incident": incident}))
        }
        "confirm" => {
            let incident = open_incident(core, request)?;
            core.feed(now, Input::Operator(order(OrderVerb::Confirm { incident })));
            Ok(json!({"incident": incident}))
        }
        "purge" => purge(core, now, request),
        other => Err(format!("no such verb: {other}")),
    }
}

/// Deleting needs a person and evidence on disk; the worker looks at the evidence again before it deletes.
fn purge(core: &mut Core, now: Timestamp, request: &Request) -> Result<Value, String> {
    let incident = number(request)?;
    core.store
        .incident(incident)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| format!("there is no incident {incident}"))?;
    let evidence = core
        .store
        .evidence(incident)
        .map_err(|error| error.to_string())?;
    if evidence.is_empty() {
        return Err(format!(
            "incident {incident} has no evidence on disk yet: nothing was deleted"
        ));
    }
    let generation = u64::try_from(request.number).unwrap_or(0);
    let detail = json!({"who": request.who, "reason": text(request, "reason")});
    let job = NewJob {
        incident,
        kind: JobKind::Purge,
        generation,
        detail,
        due: now,
    };
    let commit = Commit {
        jobs: vec![job],
        ..Commit::default()
    };
    core.store
        .commit(&commit)
        .map_err(|error| error.to_string())?;
    Ok(json!({"incident": incident, "generation": generation}))
}

fn open_incident(core: &Core, request: &Request) -> Result<u64, String> {
    let incident = number(request)?;
    match core.engine.incident(incident) {
        Some(_) => Ok(incident),
        None => Err(format!("there is no open incident {incident}")),
    }
}

fn number(request: &Request) -> Result<u64, String> {
    request
        .arguments
        .get("incident")
        .and_then(Value::as_u64)
        .ok_or_else(|| "no incident number".to_owned())
}

fn text(request: &Request, name: &str) -> String {
    request
        .arguments
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
