//! Who is exempt from the policies, for `status`: how many senders, and which exemptions are over.

use std::io::Write;

use serde_json::{Value, json};

use crate::{
    config::Config,
    daemon::{self, clock},
};

/// Senders that are exempt, and the exemptions that are over.
#[must_use]
pub fn report(config: &Config) -> Value {
    let policies = match daemon::policies(config) {
        Ok(policies) => policies,
        Err(found) => return json!({"error": found.to_string()}),
    };
    let now = clock::now();
    let senders: usize = policies
        .layers()
        .exemptions
        .iter()
        .filter(|exemption| exemption.holds(now))
        .map(|exemption| exemption.senders.len())
        .sum();
    let over: Vec<String> = policies
        .expired(now)
        .map(|exemption| format!("{} since {}", exemption.place, exemption.until))
        .collect();
    json!({"senders": senders, "over": over})
}

/// Prints the report, if there is anything to say.
///
/// # Errors
/// Of the writer.
pub fn print(report: Option<&Value>, out: &mut dyn Write) -> std::io::Result<()> {
    let member = |name: &str| report.and_then(|report| report.get(name));
    if let Some(error) = member("error").and_then(Value::as_str) {
        return writeln!(
            out,
            "! the policies cannot be read (postwarden check):\n{error}"
        );
    }
    let over = member("over").and_then(Value::as_array);
    let over = over.map_or(&[][..], Vec::as_slice);
    let senders = member("senders").and_then(Value::as_u64).unwrap_or(0);
    if senders > 0 || !over.is_empty() {
        writeln!(out, "Exempt    {senders} senders, observed only")?;
    }
    for place in over.iter().filter_map(Value::as_str) {
        writeln!(out, "! exemption over: {place}")?;
    }
    Ok(())
}
