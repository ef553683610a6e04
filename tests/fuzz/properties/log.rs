//! Log lines: any bytes, and any text in every framing.

use postwarden::{
    postfix::{
        log_line::Scratch,
        log_record::{Reader, Reading, scan},
        record::{Event, Record},
    },
    time::{Timestamp, Zone},
};

use super::{members, printable};

/// A reader of a log of late 2026, in UTC.
pub fn reader() -> Reader {
    Reader::new(Zone::utc(), Timestamp::from_seconds(1_797_000_000))
}

/// Any bytes as a log: each line gives one reading, the same one whoever asks, of pieces of the line.
pub(super) fn lines(data: &[u8]) {
    let (mut first, mut second) = (reader(), reader());
    let mut scratch = Scratch::default();
    for whole in data.split_inclusive(|c| *c == b'\n') {
        let line = whole.strip_suffix(b"\n").unwrap_or(whole);
        let reading = first.read(whole);
        assert_eq!(second.read(line), reading, "the line end counts");
        let (_, bare) = scan(line, &mut scratch);
        match (&reading, &bare) {
            (Reading::Record(record), Reading::Record(bare)) => {
                assert_eq!(record.event, bare.event);
                lies_within(record, line);
                owned(record);
            }
            (Reading::Foreign, Reading::Foreign) => {}
            (Reading::Unparsed(unparsed), Reading::Unparsed(bare)) => {
                assert_eq!(unparsed, bare);
                assert!(unparsed.shape().len() <= 160);
                assert!(unparsed.text.len() <= 3 * line.len());
            }
            _ => panic!("{reading:?} and {bare:?}"),
        }
    }
}

/// Every text of the record stands in the line (what is not UTF-8 replaced; a JSON text without its escapes).
fn lies_within(record: &Record<'_>, line: &[u8]) {
    let (kind, list) = members::of(record);
    // Of a few fixed lines: a word of ours.
    if kind == "removed" {
        return;
    }
    let texts = list.iter().filter_map(|(name, value)| match value {
        std::borrow::Cow::Borrowed(text) => Some((*name, *text)),
        // Numbers, read and printed again.
        std::borrow::Cow::Owned(_) => None,
    });
    let plain = std::str::from_utf8(line).is_ok() && !line.trim_ascii_start().starts_with(b"{");
    if plain {
        let range = line.as_ptr_range();
        for (name, text) in texts.chain([("host", record.host), ("service", record.service)]) {
            let inside = text.is_empty()
                || range.contains(&text.as_ptr())
                    && text.as_bytes().as_ptr_range().end <= range.end;
            assert!(inside, "{name} is not of the line");
        }
    } else {
        for (name, text) in texts {
            assert!(text.len() <= 3 * line.len(), "{name} grew");
        }
    }
}

/// What a program never writes is not read from it.
fn owned(record: &Record<'_>) {
    let among = |names: &[&str]| names.contains(&record.daemon);
    let strange = match &record.event {
        Event::Client { .. } | Event::SaslFailure { .. } | Event::Connect(_) => among(&[
            "qmgr", "cleanup", "pickup", "smtp", "lmtp", "local", "virtual", "pipe", "bounce",
        ]),
        Event::Pickup { .. } => among(&[
            "qmgr", "cleanup", "smtpd", "smtp", "lmtp", "local", "bounce",
        ]),
        Event::MessageId { .. } => among(&["qmgr", "smtpd", "smtp", "lmtp", "local", "pickup"]),
        Event::Queued { .. } => among(&["cleanup", "smtpd", "smtp", "lmtp", "local", "pickup"]),
        Event::Delivery(_) => among(&["smtpd", "pickup", "postscreen", "master", "postsuper"]),
        Event::Notification { .. } => {
            among(&["smtpd", "cleanup", "qmgr", "smtp", "lmtp", "pickup"])
        }
        _ => false,
    };
    assert!(!strange, "{} wrote {:?}", record.daemon, record.event);
}

const DAEMONS: [&str; 10] = [
    "smtpd",
    "qmgr",
    "smtp",
    "cleanup",
    "pickup",
    "bounce",
    "local",
    "postscreen",
    "lmtp",
    "postsuper",
];

/// A text of one of the programs in every framing: the same record, but for what a framing has not.
pub(super) fn framings(data: &[u8]) {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let daemon = DAEMONS[usize::from(*first) % DAEMONS.len()];
    let text = printable(rest);
    // journald and old syslogds take blanks off the ends; near 2000 bytes the framing's own length counts.
    let text = text.trim_matches([' ', '\u{feff}', '\0', '\t']);
    if text.is_empty() || text.len() > 1900 {
        return;
    }
    let mut readings = FRAMINGS.iter().map(|(name, frame)| {
        let line = frame(daemon, text);
        (*name, line)
    });
    let (_, traditional) = readings.next().expect("there are framings");
    let mut reader_of_it = reader();
    let expected = reader_of_it.read(traditional.as_bytes());
    assert_ne!(expected, Reading::Foreign, "{traditional}");
    for (name, line) in readings {
        let mut other = reader();
        let reading = other.read(line.as_bytes());
        assert_eq!(reading, expected, "{name}: {line}");
    }
}

/// Writes a line of a program, at one and the same second.
type Frame = fn(&str, &str) -> String;

/// The framings of one host, whole: `relay1`, service `postfix`, process 77.
pub const FRAMINGS: &[(&str, Frame)] = &[
    ("traditional", |daemon, text| {
        format!("Nov  3 08:25:50 relay1 postfix/{daemon}[77]: {text}")
    }),
    ("rfc3339", |daemon, text| {
        format!("2026-11-03T08:25:50+00:00 relay1 postfix/{daemon}[77]: {text}")
    }),
    ("rfc5424", |daemon, text| {
        format!("<22>1 2026-11-03T08:25:50Z relay1 postfix/{daemon} 77 - - {text}")
    }),
    ("rfc5424 with data", |daemon, text| {
        let data = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace(']', "\\]");
        format!(
            "<22>1 2026-11-03T08:25:50Z relay1 postfix/{daemon} 77 - [origin x=\"{data}\"][y@1 z=\"]\\\"\"] {text}"
        )
    }),
    ("rsyslog JSON", |daemon, text| {
        serde_json::json!({
            "timestamp": "2026-11-03T08:25:50+00:00", "host": "relay1", "facility": "mail",
            "tag": format!("postfix/{daemon}[77]:"), "msg": text,
        })
        .to_string()
    }),
    ("journal", |daemon, text| {
        serde_json::json!({
            "MESSAGE": text, "SYSLOG_IDENTIFIER": format!("postfix/{daemon}"), "SYSLOG_PID": "77",
            "_HOSTNAME": "relay1", "SYSLOG_FACILITY": "2", "_SOURCE_REALTIME_TIMESTAMP": "1793694350000000",
        })
        .to_string()
    }),
    ("journal bytes", |daemon, text| {
        serde_json::json!({
            "_HOSTNAME": "relay1", "__REALTIME_TIMESTAMP": "1793694350000000",
            "MESSAGE": text.as_bytes(), "SYSLOG_IDENTIFIER": format!("postfix/{daemon}"), "_PID": "77",
        })
        .to_string()
    }),
    ("docker", |daemon, text| {
        serde_json::json!({
            "log": format!("Nov  3 08:25:50 relay1 postfix/{daemon}[77]: {text}\n"),
            "stream": "stdout", "time": "2026-11-03T08:25:51Z",
        })
        .to_string()
    }),
    ("kubernetes", |daemon, text| {
        format!(
            "2026-11-03T08:25:51.1Z stdout F Nov  3 08:25:50 relay1 postfix/{daemon}[77]: {text}"
        )
    }),
];
