//! `hold`, `release`, `confirm`, `purge`: what a person decides. Each shows the count first and goes on record.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    cli::{
        Context, Exit, Failure,
        desk::{self, OrderArgs},
    },
    config::Config,
    daemon,
    engine::incident::Incident,
    ledger::SenderId,
    store::{HeldState, JobKind, Totals},
};

/// `postwarden hold`.
#[derive(Debug, clap::Args)]
pub struct HoldArgs {
    /// sasl:LOGIN, from:ADDRESS or ip:ADDRESS
    sender_id: String,
    #[command(flatten)]
    order: OrderArgs,
}

/// `postwarden release`.
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    /// Incident number
    incident: u64,
    /// There was no compromise: learn from it
    #[arg(long)]
    false_positive: bool,
    #[command(flatten)]
    order: OrderArgs,
}

/// `postwarden confirm` and `postwarden purge`.
#[derive(Debug, clap::Args)]
pub struct IncidentArgs {
    /// Incident number
    incident: u64,
    #[command(flatten)]
    order: OrderArgs,
}

/// Holds a sender's mail, queued and new, also in observe mode: a person decided.
///
/// # Errors
/// No such sender identity (64), refused, or nobody answered.
pub fn hold(args: &HoldArgs, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let sender_id: SenderId = args.sender_id.parse().map_err(|()| {
        Failure::new(Exit::Usage, format!("`{}` is no sender", args.sender_id))
            .hint("sasl:LOGIN, from:ADDRESS or ip:ADDRESS, as `postwarden senders` prints them")
    })?;
    let queued = daemon::picture(&config)
        .map(|engine| engine.queued(&sender_id).len())
        .unwrap_or(0);
    desk::confirm(
        &args.order,
        &format!("Holds {queued} queued messages of {sender_id} and its new mail."),
        out,
    )?;
    let arguments = json!({"sender_id": sender_id.to_string(), "reason": args.order.reason});
    let answer = desk::carry_out(&config, "hold", &arguments)?;
    let number = answer.get("incident").and_then(Value::as_u64).unwrap_or(0);
    desk::await_work(&config, number, JobKind::Hold)?;
    let totals = totals(&config, number, HeldState::Held)?;
    report(
        &args.order,
        out,
        &json!({"incident": number, "sender_id": sender_id.to_string(), "held": totals}),
        || {
            format!(
                "Incident {number}: {} messages of {sender_id} are on hold. Undo: postwarden release {number}",
                totals.messages
            )
        },
    )
}

/// Lets the mail of an incident go and lifts the block at intake.
///
/// # Errors
/// No such open incident (65), or nobody answered.
pub fn release(
    args: &ReleaseArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let (incident, held) = look(&config, args.incident)?;
    let question = format!(
        "Releases {} messages ({} recipients) of {}.",
        held.messages, held.recipients, incident.sender_id
    );
    desk::confirm(&args.order, &question, out)?;
    let arguments = json!({"incident": args.incident, "reason": args.order.reason, "false_positive": args.false_positive});
    desk::carry_out(&config, "release", &arguments)?;
    desk::await_work(&config, args.incident, JobKind::Release)?;
    let released = totals(&config, args.incident, HeldState::Released)?;
    report(
        &args.order,
        out,
        &json!({"incident": args.incident, "released": released}),
        || {
            format!(
                "Released {} messages of {}; incident {} is closed.",
                released.messages, incident.sender_id, args.incident
            )
        },
    )
}

/// The account is compromised: its mail stays on hold, new mail is refused.
///
/// # Errors
/// No such open incident (65), or nobody answered.
pub fn confirm(
    args: &IncidentArgs,
    context: &Context,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let (incident, _) = look(&config, args.incident)?;
    desk::confirm(
        &args.order,
        &format!("Refuses all new mail of {} with 450.", incident.sender_id),
        out,
    )?;
    let arguments = json!({"incident": args.incident, "reason": args.order.reason});
    desk::carry_out(&config, "confirm", &arguments)?;
    report(
        &args.order,
        out,
        &json!({"incident": args.incident, "state": "confirmed"}),
        || {
            format!(
                "Incident {} is confirmed: new mail of {} is refused.",
                args.incident, incident.sender_id
            )
        },
    )
}

/// Deletes what an incident holds; only after evidence is on disk.
///
/// # Errors
/// No such incident, no evidence (65), or nobody answered.
pub fn purge(args: &IncidentArgs, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let (incident, held) = look(&config, args.incident)?;
    let question = format!(
        "DELETES {} messages ({} recipients) of {} for good; the evidence stays.",
        held.messages, held.recipients, incident.sender_id
    );
    desk::confirm(&args.order, &question, out)?;
    let arguments = json!({"incident": args.incident, "reason": args.order.reason});
    desk::carry_out(&config, "purge", &arguments)?;
    desk::await_work(&config, args.incident, JobKind::Purge)?;
    let purged = totals(&config, args.incident, HeldState::Purged)?;
    report(
        &args.order,
        out,
        &json!({"incident": args.incident, "purged": purged}),
        || {
            format!(
                "Deleted {} messages of {}.",
                purged.messages, incident.sender_id
            )
        },
    )
}

fn look(config: &Config, number: u64) -> Result<(Incident, Totals), Failure> {
    let store = desk::read_store(config)?;
    let incident = store.incident(number)?;
    let Some(incident) = incident else {
        let failure = Failure::new(Exit::Data, format!("there is no incident {number}"));
        return Err(failure.hint("postwarden incidents"));
    };
    Ok((incident, store.totals(number, HeldState::Held)?))
}

fn totals(config: &Config, number: u64, state: HeldState) -> Result<Totals, Failure> {
    Ok(desk::read_store(config)?.totals(number, state)?)
}

fn report(
    order: &OrderArgs,
    out: &mut dyn Write,
    json: &Value,
    text: impl FnOnce() -> String,
) -> Result<Exit, Failure> {
    if order.json {
        writeln!(out, "{json}")?;
    } else {
        writeln!(out, "{}", text())?;
    }
    Ok(Exit::Ok)
}
