//! `senders`: who sends, who is refused, who stands out.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    cli::{
        Context, Exit, Failure, desk,
        table::Table,
        wording::{moment, slow_json, span},
    },
    daemon::{self, clock},
    engine::Engine,
    ledger::{class::Class, queue::InQueue, sender::Sender},
    policy::Verdict,
    time::Timestamp,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Only those whose verdict is not clear
    #[arg(long)]
    suspects: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lists senders, the most refused of the last hour first.
///
/// # Errors
/// The database cannot be read.
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let engine = daemon::picture(&desk::config(context)?)?;
    let now = clock::now();
    let in_queue = engine.ledger().in_queue();
    let mut rows: Vec<Row> = engine
        .ledger()
        .senders()
        .map(|(number, sender)| {
            let queue = in_queue.get(&number).copied().unwrap_or_default();
            row(&engine, sender, queue, now)
        })
        .collect();
    rows.retain(|row| !args.suspects || row.verdict > Verdict::Clear);
    rows.sort_by(|a, b| {
        (b.verdict, b.refused)
            .partial_cmp(&(a.verdict, a.refused))
            .unwrap_or(std::cmp::Ordering::Equal)
            .then_with(|| b.last.cmp(&a.last))
    });
    rows.truncate(args.limit);
    if args.json {
        writeln!(out, "{}", rows.iter().map(Row::json).collect::<Value>())?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(&[
        "VERDICT",
        "SENDER",
        "CLASS",
        ">MESSAGES",
        ">RCPT/h",
        ">REFUSED/h",
        ">ANSWERED/h",
        ">QUEUED",
        ">+1h",
        "OLDEST",
        "LAST (UTC)",
    ]);
    for row in &rows {
        table.row(vec![
            row.verdict.to_string(),
            row.sender_id.clone(),
            row.class.to_string(),
            row.messages.to_string(),
            format!("{:.0}", row.recipients),
            format!("{:.1}", row.refused),
            format!("{:.0}", row.answered),
            row.queue.recipients.to_string(),
            format!("{:+}", row.growth_hour),
            row.queue
                .oldest
                .map_or_else(String::new, |oldest| span(now.seconds_since(oldest))),
            moment(row.last),
        ]);
    }
    table.print(out)?;
    Ok(Exit::Ok)
}

struct Row {
    verdict: Verdict,
    sender_id: String,
    class: Class,
    messages: u64,
    recipients: f64,
    refused: f64,
    answered: f64,
    queue: InQueue,
    growth_minutes: i64,
    growth_hour: i64,
    share: f64,
    last: Timestamp,
    /// How it is limited at intake.
    slowed: Value,
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "sender_id": self.sender_id,
            "class": self.class,
            "verdict": self.verdict,
            "messages": self.messages,
            "recipients_hour": rounded(self.recipients),
            "refused_hour": rounded(self.refused),
            "answered_hour": rounded(self.answered),
            "queue": {
                "messages": self.queue.messages,
                "recipients": self.queue.recipients,
                "share": rounded(self.share * 100.0) / 100.0,
                "growth_5m": self.growth_minutes,
                "growth_1h": self.growth_hour,
                "oldest": self.queue.oldest.map(|oldest| oldest.to_string()),
                "held_messages": self.queue.held_messages,
                "held_recipients": self.queue.held_recipients,
            },
            "last": self.last.to_string(),
            "slowed": self.slowed,
        })
    }
}

fn row(engine: &Engine, sender: &Sender, queue: InQueue, now: Timestamp) -> Row {
    let level = &sender.backlog.level;
    let growth = |before: u32| i64::from(level.now()) - i64::from(before);
    let all = engine.ledger().everyone().recipients.now();
    let hours = [&sender.familiar, &sender.novel].map(|counters| {
        let mut faded = *counters;
        faded.fade(now);
        faded.hour
    });
    let sum = |pick: fn(&crate::ledger::counters::Counts) -> f64| hours.iter().map(pick).sum();
    Row {
        verdict: sender
            .id
            .as_ref()
            .map_or(Verdict::Clear, |id| engine.docket().verdict(id)),
        sender_id: sender
            .id
            .as_ref()
            .map_or_else(|| "(quiet for two days)".to_owned(), ToString::to_string),
        class: engine.class(sender),
        messages: sender.messages,
        recipients: sum(|counts| counts.taken),
        refused: sum(|counts| counts.refused.sum()),
        answered: sum(|counts| counts.answered),
        growth_minutes: growth(level.minutes_ago(now)),
        growth_hour: growth(level.hour_ago(now)),
        share: f64::from(level.now()) / f64::from(all.max(1)),
        queue,
        last: sender.last,
        slowed: sender
            .id
            .as_ref()
            .and_then(|id| engine.docket().slow_of(id))
            .map_or(Value::Null, slow_json),
    }
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
