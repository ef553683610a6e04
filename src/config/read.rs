//! From the file's words to [`Config`]: every key has a safe default, every mistake is reported, reading goes on.

use std::{ops::Range, path::PathBuf, time::Duration};

use crate::{
    config::{Alert, Config, Endpoint, Listen, Source, TcpTable},
    engine::docket::Brake,
    policy::Mode,
    settings::{Document, Located, Section},
};

/// Where in the file the things stand that are looked for on the host.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) config_directory: Range<usize>,
    pub(super) sources: Vec<Range<usize>>,
    pub(super) geo: Vec<Range<usize>>,
    pub(super) sendmail: Range<usize>,
}

pub(super) fn config(document: &Document<'_>) -> (Config, Places) {
    let root = document.root();
    let mut places = Places::default();
    let mode = root
        .choice(
            "mode",
            &[("observe", Mode::Observe), ("enforce", Mode::Enforce)],
        )
        .map_or(Mode::Observe, |mode| mode.value);
    let config_directory = section(&root, "postfix", |postfix| {
        path(postfix, "config_directory")
    });
    let (sources, alarm_after) = section(&root, "log", |log| {
        Some((sources(log), at_least_a_second(log, "alarm_after")))
    })
    .unwrap_or_default();
    let sources = sources.unwrap_or_else(|| vec![default_source()]);
    let geo = section(&root, "geo", |geo| geo.strings("databases")).unwrap_or_default();
    let (alert, sendmail) =
        section(&root, "alert", alert).unwrap_or_else(|| (default_alert(), 0..0));
    places.sendmail = sendmail;
    places.sources = sources.iter().map(|source| source.span.clone()).collect();
    places.geo = geo.iter().map(|table| table.span.clone()).collect();
    places.config_directory = config_directory
        .as_ref()
        .map_or(0..0, |directory| directory.span.clone());
    let config = Config {
        mode,
        config_directory: config_directory.map_or_else(
            || PathBuf::from("/etc/postfix"),
            |directory| directory.value,
        ),
        sources: sources.into_iter().map(|source| source.value).collect(),
        alarm_after: alarm_after.unwrap_or(Duration::from_secs(60)),
        poll: section(&root, "queue", |queue| at_least_a_second(queue, "poll"))
            .unwrap_or(Duration::from_secs(30)),
        state: section(&root, "state", |state| path(state, "directory"))
            .map_or_else(|| PathBuf::from("/var/lib/postwarden"), |state| state.value),
        holder: section(&root, "holder", |holder| path(holder, "socket")).map_or_else(
            || Some(PathBuf::from("/run/postwarden/holder")),
            |socket| non_empty(socket.value),
        ),
        alert,
        listen: section(&root, "listen", |section| Some(listen(section)))
            .unwrap_or_else(default_listen),
        policies: section(&root, "policies", |policies| path(policies, "directory")).map_or_else(
            || PathBuf::from("/etc/postwarden/policies"),
            |policies| policies.value,
        ),
        policies_alone: false,
        policies_over: Vec::new(),
        geo: geo
            .into_iter()
            .map(|table| PathBuf::from(table.value))
            .collect(),
        brake: section(&root, "brake", |section| Some(brake(section))).unwrap_or_default(),
    };
    root.finish();
    (config, places)
}

/// Reads one section with `read` and reports the keys that `read` did not ask for.
fn section<T>(
    root: &Section<'_>,
    name: &'static str,
    read: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Option<T> {
    let section = root.section(name)?;
    let value = read(&section);
    section.finish();
    value
}

fn path(section: &Section<'_>, key: &'static str) -> Option<Located<PathBuf>> {
    section.string(key).map(|text| Located {
        value: PathBuf::from(text.value),
        span: text.span,
    })
}

fn non_empty(path: PathBuf) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then_some(path)
}

fn default_source() -> Located<Source> {
    Located {
        value: Source::File(PathBuf::from("/var/log/mail.log")),
        span: 0..0,
    }
}

fn sources(log: &Section<'_>) -> Option<Vec<Located<Source>>> {
    let listed = log.strings("sources")?;
    if listed.is_empty() {
        log.report(
            log.span(),
            "`log.sources` names no source",
            Some("a file, or \"journal\"".to_owned()),
        );
    }
    Some(
        listed
            .into_iter()
            .map(|name| Located {
                value: if name.value == "journal" {
                    Source::Journal
                } else {
                    Source::File(PathBuf::from(name.value))
                },
                span: name.span,
            })
            .collect(),
    )
}

fn at_least_a_second(section: &Section<'_>, key: &'static str) -> Option<Duration> {
    let span = section.duration(key)?;
    if span.value < Duration::from_secs(1) {
        section.report(
            span.span,
            format!("`{key}` is shorter than a second"),
            Some("\"30s\", \"1m\"".to_owned()),
        );
        return None;
    }
    Some(span.value)
}

fn brake(section: &Section<'_>) -> Brake {
    let default = Brake::default();
    let holds = section
        .integer("holds", 1..1_000_000)
        .and_then(|holds| usize::try_from(holds.value).ok());
    let within = section.duration("within").map(|within| within.value);
    Brake {
        holds: holds.unwrap_or(default.holds),
        within: within.unwrap_or(default.within),
    }
}

fn default_alert() -> Alert {
    Alert {
        smtp: Some("smtp://127.0.0.1:25".to_owned()),
        ..Alert::default()
    }
}

fn alert(alert: &Section<'_>) -> Option<(Alert, Range<usize>)> {
    let to = alert.strings("to").unwrap_or_default();
    for address in to.iter().filter(|address| !is_address(&address.value)) {
        alert.report(
            address.span.clone(),
            format!("`{}` is not a mail address", address.value),
            None,
        );
    }
    let from = alert.string("from");
    if let Some(from) = from
        .as_ref()
        .filter(|from| !from.value.is_empty() && !is_address(&from.value))
    {
        alert.report(
            from.span.clone(),
            format!("`{}` is not a mail address", from.value),
            None,
        );
    }
    let smtp = alert.string("smtp");
    if let Some(smtp) = smtp.as_ref().filter(|smtp| !is_smtp_url(&smtp.value)) {
        let hint =
            "smtp://HOST:PORT, smtps://HOST:PORT, or sendmail = \"/usr/sbin/sendmail\" instead";
        alert.report(
            smtp.span.clone(),
            format!("`{}` is not an SMTP server", smtp.value),
            Some(hint.to_owned()),
        );
    }
    let sendmail = path(alert, "sendmail");
    if let (Some(_), Some(sendmail)) = (&smtp, &sendmail) {
        alert.report(
            sendmail.span.clone(),
            "`alert.smtp` and `alert.sendmail` exclude each other",
            None,
        );
    }
    let smtp = match (&smtp, &sendmail) {
        (None, None) => default_alert().smtp,
        (smtp, _) => smtp.as_ref().map(|smtp| smtp.value.clone()),
    };
    let place = sendmail
        .as_ref()
        .map_or(0..0, |sendmail| sendmail.span.clone());
    let value = Alert {
        to: to.into_iter().map(|address| address.value).collect(),
        from: from.map(|from| from.value).unwrap_or_default(),
        smtp,
        sendmail: sendmail.map(|sendmail| sendmail.value),
    };
    Some((value, place))
}

/// `local@domain`, also as `Words <local@domain>`; no controls.
fn is_address(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.parse::<lettre::message::Mailbox>().is_ok()
}

fn is_smtp_url(text: &str) -> bool {
    ["smtp://", "smtps://", "smtp+starttls://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
}

fn default_listen() -> Listen {
    Listen {
        socketmap: vec![Endpoint::Unix(PathBuf::from("/run/postwarden/socketmap"))],
        ..Listen::default()
    }
}

fn listen(section: &Section<'_>) -> Listen {
    let http = section.strings("http").unwrap_or_default();
    for endpoint in http {
        section.report(
            endpoint.span,
            "`listen.http` is not served by this version",
            Some("leave it empty".to_owned()),
        );
    }
    Listen {
        socketmap: match section.strings("socketmap") {
            Some(listed) => streams(section, &listed),
            None => default_listen().socketmap,
        },
        tcp_table: tcp_tables(section),
        policy: streams(section, &section.strings("policy").unwrap_or_default()),
        milter: streams(section, &section.strings("milter").unwrap_or_default()),
        pyzor: datagrams(section),
    }
}

/// `[map=]inet:host:port`; without a map the first is `abused`, the second `digest`, the third `line`.
fn tcp_tables(section: &Section<'_>) -> Vec<TcpTable> {
    const MAPS: [&str; 3] = ["abused", "digest", "line"];
    let mut tables = Vec::new();
    for (place, mut entry) in section
        .strings("tcp_table")
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let named = entry
            .value
            .split_once('=')
            .map(|(map, rest)| (map.to_owned(), rest.to_owned()));
        let map = match named {
            Some((map, rest)) => {
                entry.value = rest;
                Some(map)
            }
            None => MAPS.get(place).map(|map| (*map).to_owned()),
        };
        match map.filter(|map| MAPS.contains(&map.as_str())) {
            Some(map) => {
                tables.extend(stream(section, &entry).map(|endpoint| TcpTable { map, endpoint }));
            }
            None => section.report(
                entry.span.clone(),
                "no such map",
                Some("\"abused=inet:127.0.0.1:2527\"; maps are abused, digest, line".to_owned()),
            ),
        }
    }
    tables
}

fn streams(section: &Section<'_>, listed: &[Located<String>]) -> Vec<Endpoint> {
    listed
        .iter()
        .filter_map(|entry| stream(section, entry))
        .collect()
}

fn stream(section: &Section<'_>, entry: &Located<String>) -> Option<Endpoint> {
    let found = match entry.value.split_once(':') {
        Some(("unix", path)) if path.starts_with('/') => Some(Endpoint::Unix(PathBuf::from(path))),
        Some(("inet", address)) => address.parse().ok().map(Endpoint::Inet),
        _ => None,
    };
    if found.is_none() {
        let hint = "\"unix:/run/postwarden/NAME\" or \"inet:127.0.0.1:PORT\"";
        section.report(
            entry.span.clone(),
            format!("`{}` is no place to listen", entry.value),
            Some(hint.to_owned()),
        );
    }
    found
}

fn datagrams(section: &Section<'_>) -> Vec<Endpoint> {
    let mut endpoints = Vec::new();
    for entry in section.strings("pyzor").unwrap_or_default() {
        match entry
            .value
            .strip_prefix("udp:")
            .and_then(|address| address.parse().ok())
        {
            Some(address) => endpoints.push(Endpoint::Udp(address)),
            None => section.report(
                entry.span,
                format!("`{}` is no place to listen", entry.value),
                Some("\"udp:127.0.0.1:24441\"".to_owned()),
            ),
        }
    }
    endpoints
}
