//! What `status` says of the queue: how it is looked at, what cannot be known that way, and whose mail waits most.

use serde_json::Value;

/// The lines, from the daemon's row.
pub(super) fn lines(daemon: &Value) -> Vec<String> {
    let number = |name: &str| {
        daemon
            .pointer(&format!("/queue_view/{name}"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let mut lines = Vec::new();
    let walked = daemon
        .pointer("/queue_view/walked")
        .and_then(Value::as_bool);
    if walked == Some(false) {
        lines.push(
            "listed by postqueue, heads by the holder: the spool cannot be walked".to_owned(),
        );
    }
    if number("unread") > 0 {
        lines.push(format!(
            "{} messages cannot be read: their logins are known only if the log tells, else they count for nobody",
            number("unread")
        ));
    }
    if number("husks") > 0 {
        lines.push(format!(
            "{} on hold have no recipient left: delivered while they were put there",
            number("husks")
        ));
    }
    let most = daemon.pointer("/queue_view/most").and_then(Value::as_array);
    let most: Vec<String> = most.into_iter().flatten().filter_map(sender).collect();
    if !most.is_empty() {
        lines.push(format!("most recipients: {}", most.join(", ")));
    }
    lines
}

fn sender(row: &Value) -> Option<String> {
    Some(format!(
        "{} {} ({:+} in an hour)",
        crate::cli::table::plain(row.get("sender_id")?.as_str()?),
        row.get("recipients")?.as_u64()?,
        row.get("growth_1h")?.as_i64()?
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cannot_be_known_without_the_spool_is_said() {
        let daemon = json!({"queue_view": {
            "walked": false, "unread": 12, "husks": 1,
            "most": [{"sender_id": "sasl:anna", "recipients": 80, "growth_1h": 78}]
        }});
        let lines = lines(&daemon);
        assert_eq!(lines.len(), 4);
        assert!(
            lines[1].starts_with("12 messages cannot be read"),
            "{lines:?}"
        );
        assert_eq!(lines[3], "most recipients: sasl:anna 80 (+78 in an hour)");
    }

    #[test]
    fn a_quiet_queue_has_nothing_to_say() {
        let daemon = json!({"queue_view": {"walked": true, "unread": 0, "husks": 0, "most": []}});
        assert_eq!(lines(&daemon), [""; 0]);
        assert_eq!(lines(&Value::Null), [""; 0]);
    }
}
