//! Log set-up: lines on standard error, for a person, the journal, or a machine.
//!
//! A text line begins as Postfix's do, so that one grep tells the story:
//! `4F2A1C0D3B: hold: sender_id=sasl:anna, policy=rejections`. Values that came from outside may hold anything: control
//! and direction-changing characters are written as escapes, so a value can neither end the line nor dress it up.

use std::{
    fmt,
    io::{self, IsTerminal},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    filter::LevelFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// With time and level, unless standard error is the journal's (then as [`Format::Journal`]).
    #[default]
    Text,
    /// With the priority that journald reads off (`<6>`), without time.
    Journal,
    /// One JSON object a line.
    Json,
}

/// Sends the program's log to standard error. `verbosity`: -1 warnings and errors only, 0 changes of state, 1 one line
/// a batch, 2 one line a record.
///
/// # Errors
/// When a log was set up before in this process.
pub fn init(format: Format, verbosity: i8) -> Result<(), AlreadySetUp> {
    let level = match verbosity {
        i8::MIN..=-1 => LevelFilter::WARN,
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        2.. => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr);
    let done = match format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Journal => builder
            .event_format(PostfixLike { journal: true })
            .try_init(),
        Format::Text => builder
            .event_format(PostfixLike {
                journal: under_journald(),
            })
            .try_init(),
    };
    done.map_err(AlreadySetUp)
}

/// The log was set up twice.
#[derive(Debug, thiserror::Error)]
#[error("the log is set up already")]
pub struct AlreadySetUp(#[source] Box<dyn std::error::Error + Send + Sync>);

/// True when systemd says that standard error goes to the journal, and it is no terminal (systemd.exec(5)).
fn under_journald() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal()
}

/// `queue_id: message: field=value, field=value`.
struct PostfixLike {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for PostfixLike
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let level = *event.metadata().level();
        if self.journal {
            write!(writer, "<{}>", priority(level))?;
        } else {
            SystemTime.format_time(&mut writer)?;
            writer.write_char(' ')?;
        }
        let mut parts = Parts::default();
        event.record(&mut parts);
        writeln!(writer, "{}", parts.line(level))
    }
}

/// syslog(3) priority.
const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// The fields of one event, made printable.
#[derive(Default)]
struct Parts {
    queue_id: String,
    message: String,
    fields: String,
}

impl Parts {
    fn line(&self, level: Level) -> String {
        let mut line = String::new();
        if !self.queue_id.is_empty() {
            line.push_str(&self.queue_id);
            line.push_str(": ");
        }
        match level {
            Level::ERROR => line.push_str("error: "),
            Level::WARN => line.push_str("warning: "),
            _ => {}
        }
        line.push_str(&self.message);
        if !self.fields.is_empty() {
            line.push_str(": ");
            line.push_str(&self.fields);
        }
        line
    }

    fn put(&mut self, name: &str, value: &str) {
        let target = match name {
            "queue_id" => &mut self.queue_id,
            "message" => &mut self.message,
            _ => {
                if !self.fields.is_empty() {
                    self.fields.push_str(", ");
                }
                self.fields.push_str(name);
                self.fields.push('=');
                &mut self.fields
            }
        };
        for c in value.chars() {
            if is_printable(c) {
                target.push(c);
            } else {
                target.extend(c.escape_unicode());
            }
        }
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), &format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field.name(), &value.to_string());
    }
}

/// False for control characters and for those that change the direction of text (Unicode 9, table of bidi controls).
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_as_postfix_lines_do() {
        let mut parts = Parts::default();
        parts.put("message", "hold");
        parts.put("sender_id", "sasl:anna");
        parts.put("queue_id", "4F2A1C0D3B");
        parts.put("rejected", "41");
        assert_eq!(
            parts.line(Level::INFO),
            "4F2A1C0D3B: hold: sender_id=sasl:anna, rejected=41"
        );
        assert_eq!(
            parts.line(Level::WARN),
            "4F2A1C0D3B: warning: hold: sender_id=sasl:anna, rejected=41"
        );
    }

    #[test]
    fn a_hostile_value_cannot_begin_a_new_line() {
        let mut parts = Parts::default();
        parts.put("message", "reply");
        parts.put(
            "reply",
            "550 no\r\n4F2A: hold: sender_id=sasl:victim\u{202e}",
        );
        let line = parts.line(Level::INFO);
        assert!(!line.contains(['\r', '\n', '\u{202e}']), "{line}");
    }

    /// A log that is kept.
    #[derive(Clone, Default)]
    struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_journal_gets_a_priority_and_one_line_an_event() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(PostfixLike { journal: true })
            .finish();
        tracing::subscriber::with_default(log, || {
            let error = io::Error::other("no\nroute");
            tracing::warn!(%error, incident = Some(7_u64), missing = None::<u64>, "alert not sent");
            tracing::info!(queue_id = "4F2A1C0D3B", sender_id = %"sasl:anna", held = 3, "hold");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            text,
            "<4>warning: alert not sent: error=no\\u{a}route, incident=7\n\
             <6>4F2A1C0D3B: hold: sender_id=sasl:anna, held=3\n"
        );
    }
}
