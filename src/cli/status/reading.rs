//! The part of `status` that says whether postwarden sees: alarms first, then each log.

use std::io::Write;

use serde_json::Value;

use super::member;
use crate::{
    cli::{
        Failure,
        wording::{moment, span},
    },
    time::Timestamp,
};

/// Since when nothing is watched, and each alarm with what to do.
pub(super) fn warnings(object: &Value, now: Timestamp, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(since) = time(object, "/unprotected/since") {
        writeln!(
            out,
            "! UNPROTECTED since {} UTC ({}): {}; mail flows unwatched",
            moment(since),
            span(now.seconds_since(since)),
            member(object, "/unprotected/why")
        )?;
    }
    let alarms = object.get("alarms").and_then(Value::as_array);
    for alarm in alarms.into_iter().flatten() {
        let since = time(alarm, "/since").unwrap_or_default();
        writeln!(
            out,
            "! {} since {} UTC ({}): {}",
            member(alarm, "/kind").to_uppercase(),
            moment(since),
            span(now.seconds_since(since)),
            member(alarm, "/title")
        )?;
        lines("          ", &member(alarm, "/what"), out)?;
        lines("          to do: ", &member(alarm, "/do"), out)?;
    }
    Ok(())
}

/// What was read, and how each source does.
pub(super) fn log(object: &Value, now: Timestamp, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(daemon) = object.get("daemon") else {
        writeln!(out, "Log       nothing was read yet")?;
        return Ok(());
    };
    let number = |pointer: &str| daemon.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let last = match time(daemon, "/last_record").filter(|at| *at > Timestamp::EPOCH) {
        Some(at) => format!("the last is of {} UTC", moment(at)),
        None => "no record yet".to_owned(),
    };
    writeln!(
        out,
        "Log       {} lines: {} understood, {} of other programs, {} of Postfix not understood; {last}",
        number("/lines"),
        number("/records"),
        number("/foreign"),
        number("/unparsed")
    )?;
    if let Some(heard) = time(daemon, "/log/heard") {
        let ago = span(now.seconds_since(heard));
        writeln!(out, "          Postfix was heard last {ago} ago")?;
    }
    if number("/unparsed") > 0 {
        let shape = member(daemon, "/log/unparsed_latest/shape");
        if !shape.is_empty() {
            writeln!(out, "          last not understood: {shape}")?;
        }
    }
    let sources = daemon.pointer("/log/sources").and_then(Value::as_array);
    for source in sources.into_iter().flatten() {
        writeln!(out, "          {}", line_of(source))?;
    }
    if let Some(starts) = daemon.get("journal_starts").and_then(Value::as_u64) {
        writeln!(out, "          journal: journalctl started {starts} times")?;
    }
    let (bytes, gaps) = (number("/log/totals/lost_bytes"), number("/log/totals/gaps"));
    if bytes > 0 || gaps > 0 {
        writeln!(
            out,
            "          lost so far: {bytes} bytes, and {gaps} times an unknown number"
        )?;
    }
    Ok(())
}

fn line_of(source: &Value) -> String {
    let number = |name: &str| source.get(name).and_then(Value::as_u64).unwrap_or(0);
    let waiting = match number("bytes_not_read") {
        0 => "read to its end".to_owned(),
        bytes => format!("{bytes} bytes not read yet"),
    };
    let mut text = format!(
        "{}: {waiting}, last line {} ago",
        member(source, "/path"),
        span(f64::from(
            u32::try_from(number("silent_seconds")).unwrap_or(u32::MAX)
        ))
    );
    for (name, what) in [
        ("rotations", "rotations"),
        ("truncations", "truncations"),
        ("lost_bytes", "bytes lost"),
        ("gaps", "gaps"),
        ("overlong_lines", "lines too long"),
        ("read_errors", "failed reads"),
    ] {
        if number(name) > 0 {
            text.push_str(&format!(", {} {what}", number(name)));
        }
    }
    text
}

pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(object.pointer(pointer)?.as_str()?.as_bytes())
}

fn lines(label: &str, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let mut label = label.to_owned();
    for line in text.lines() {
        writeln!(out, "{label}{line}")?;
        label = " ".repeat(label.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_blind_daemon_says_so_first_with_what_to_do() {
        let object = json!({
            "unprotected": {"since": "2026-11-25T03:00:00.000000Z", "why": "the mail log is silent"},
            "alarms": [{"kind": "silent", "title": "the mail log is silent", "since": "2026-11-25T03:00:00.000000Z",
                        "what": "one\ntwo", "do": "first\nthen"}],
        });
        let now = Timestamp::parse_rfc3339(b"2026-11-25T03:12:00Z").unwrap();
        let mut out = Vec::new();
        warnings(&object, now, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "\
! UNPROTECTED since 2026-11-25 03:00:00 UTC (12 min): the mail log is silent; mail flows unwatched
! SILENT since 2026-11-25 03:00:00 UTC (12 min): the mail log is silent
          one
          two
          to do: first
                 then
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_daemon_that_sees_says_nothing_of_alarms() {
        let object = json!({"unprotected": null, "alarms": []});
        let mut out = Vec::new();
        warnings(&object, Timestamp::EPOCH, &mut out).unwrap();
        assert!(out.is_empty());
    }
}
