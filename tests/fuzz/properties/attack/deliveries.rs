//! Where it went: recipients, remote answers, names of remote hosts, what commands say.

use super::{Case, ID, Line, address, host, line};

pub(super) const CASES: &[Case] = &[
    Case {
        field: "RCPT TO",
        lines: |text, other| {
            vec![
                bounced(&address(text), None, other),
                bounced(&address(text), Some("all@example.org"), other),
            ]
        },
    },
    Case {
        field: "orig_to",
        lines: |text, other| {
            vec![
                bounced("rcpt@example.net", Some(&address(text)), "go away"),
                bounced(&address(other), Some(&address(text)), "go away"),
            ]
        },
    },
    Case {
        field: "remote answer",
        lines: |text, _| {
            let mut lines = answers(text);
            lines.push(bounced("rcpt@example.net", Some("all@example.org"), text));
            lines
        },
    },
    Case {
        field: "remote answer of several lines",
        lines: |text, other| {
            answers(&format!(
                "no 550-5.7.1 {text} 550-5.7.1 {other} 550 5.7.1 {text}"
            ))
        },
    },
    Case {
        field: "banner",
        lines: banner,
    },
    Case {
        field: "remote host name (MX)",
        lines: remote_name,
    },
    Case {
        field: "output of a command (pipe, local)",
        lines: command_output,
    },
    Case {
        field: "reason of the operating system",
        lines: connect_failure,
    },
];

const PEER: &str = "mx.example.net[198.51.100.10]";

const TRUTH: [(&str, &str); 10] = [
    ("queue_id", ID),
    ("relay_host", "mx.example.net"),
    ("relay_address", "198.51.100.10"),
    ("relay_port", "25"),
    ("delay", "3"),
    ("delays", "1/0/1/1"),
    ("dsn", "5.7.1"),
    ("status", "bounced"),
    ("said_by", PEER),
    ("stage", "RCPT TO"),
];

/// A refused recipient.
fn bounced(recipient: &str, orig_to: Option<&str>, reply: &str) -> Line {
    let mut truth = TRUTH.to_vec();
    truth.push(("recipient", recipient));
    let mut to = format!("to=<{recipient}>");
    if let Some(orig_to) = orig_to {
        truth.push(("orig_to", orig_to));
        to.push_str(&format!(", orig_to=<{orig_to}>"));
    }
    let text = format!(
        "{ID}: {to}, relay={PEER}:25, delay=3, delays=1/0/1/1, dsn=5.7.1, status=bounced \
         (host {PEER} said: 550 5.7.1 {reply} (in reply to RCPT TO command))"
    );
    line("smtp", "delivery", text, &truth, &["queue_id"])
}

fn answers(text: &str) -> Vec<Line> {
    let to = format!("{ID}: to=<rcpt@example.net>, relay={PEER}:25, delay=3, delays=1/0/1/1");
    let sent = [
        &TRUTH[..6],
        &[
            ("recipient", "rcpt@example.net"),
            ("dsn", "2.0.0"),
            ("status", "sent"),
        ],
    ]
    .concat();
    let late = [
        &TRUTH[..6],
        &[
            ("recipient", "rcpt@example.net"),
            ("dsn", "4.7.1"),
            ("status", "deferred"),
            ("said_by", PEER),
            ("stage", "MAIL FROM"),
            ("suspended", "true"),
        ],
    ]
    .concat();
    let soft = [("queue_id", ID), ("said_by", PEER), ("stage", "RCPT TO")];
    vec![
        bounced("rcpt@example.net", None, text),
        line(
            "smtp",
            "delivery",
            format!("{to}, dsn=2.0.0, status=sent (250 2.0.0 {text})"),
            &sent,
            &["queue_id"],
        ),
        line(
            "error",
            "delivery",
            format!(
                "{to}, dsn=4.7.1, status=deferred (delivery temporarily suspended: host {PEER} said: 451 4.7.1 {text} \
                 (in reply to MAIL FROM command))"
            ),
            &late,
            &["queue_id"],
        ),
        line(
            "smtp",
            "soft_failure",
            format!("{ID}: host {PEER} said: 451 {text} (in reply to RCPT TO command)"),
            &soft,
            &["queue_id", "said_by", "stage"],
        ),
    ]
}

fn banner(text: &str, _: &str) -> Vec<Line> {
    let refused = [
        &TRUTH[..6],
        &[
            ("recipient", "rcpt@example.net"),
            ("dsn", "4.0.0"),
            ("status", "deferred"),
            ("said_by", PEER),
        ],
    ]
    .concat();
    let to = format!("{ID}: to=<rcpt@example.net>, relay={PEER}:25, delay=3, delays=1/0/1/1");
    vec![
        line(
            "smtp",
            "delivery",
            format!(
                "{to}, dsn=4.0.0, status=deferred (host {PEER} refused to talk to me: 421 {text})"
            ),
            &refused,
            &["queue_id"],
        ),
        line(
            "smtp",
            "soft_failure",
            format!("{ID}: host {PEER} refused to talk to me: 421 {text}"),
            &[("queue_id", ID), ("said_by", PEER)],
            &["queue_id", "said_by"],
        ),
    ]
}

fn remote_name(text: &str, _: &str) -> Vec<Line> {
    let name = host(text);
    let peer = format!("{name}[198.51.100.10]");
    let mut truth = TRUTH.to_vec();
    truth.retain(|(member, _)| !matches!(*member, "relay_host" | "said_by"));
    truth.extend([
        ("recipient", "rcpt@example.net"),
        ("relay_host", &*name),
        ("said_by", &*peer),
    ]);
    let delivered = format!(
        "{ID}: to=<rcpt@example.net>, relay={peer}:25, delay=3, delays=1/0/1/1, dsn=5.7.1, status=bounced \
         (host {peer} said: 550 no (in reply to RCPT TO command))"
    );
    let failed = [
        ("relay_host", &*name),
        ("relay_address", "198.51.100.10"),
        ("relay_port", "25"),
    ];
    vec![
        line(
            "smtp",
            "delivery",
            delivered,
            &truth,
            &["recipient", "status", "relay_host", "said_by", "stage"],
        ),
        line(
            "smtp",
            "connect_failure",
            format!("connect to {peer}:25: Connection timed out"),
            &failed,
            &["relay_host", "relay_address"],
        ),
        line(
            "smtp",
            "other",
            format!("{ID}: enabling PIX workarounds: disable_esmtp for {peer}:25"),
            &[("queue_id", ID)],
            &[],
        ),
    ]
}

fn command_output(text: &str, _: &str) -> Vec<Line> {
    let truth = [
        ("queue_id", ID),
        ("recipient", "rcpt@example.org"),
        ("relay_host", "filter"),
        ("delay", "3"),
        ("delays", "1/0/1/1"),
        ("dsn", "5.3.0"),
        ("status", "bounced"),
    ];
    ["pipe", "local"]
        .map(|daemon| {
            let text = format!(
                "{ID}: to=<rcpt@example.org>, relay=filter, delay=3, delays=1/0/1/1, dsn=5.3.0, status=bounced \
                 (Command died with status 1: \"/usr/bin/filter\". Command output: {text} )"
            );
            line(daemon, "delivery", text, &truth, &["queue_id"])
        })
        .into()
}

fn connect_failure(text: &str, _: &str) -> Vec<Line> {
    let truth = [
        ("queue_id", ID),
        ("recipient", "rcpt@example.net"),
        ("delay", "3"),
        ("delays", "1/0/1/1"),
        ("dsn", "4.4.3"),
        ("status", "deferred"),
    ];
    let text = format!(
        "{ID}: to=<rcpt@example.net>, relay=none, delay=3, delays=1/0/1/1, dsn=4.4.3, status=deferred \
         (Host or domain name not found. Name service error for name={} type=MX: Host not found, try again)",
        host(text)
    );
    vec![line(
        "smtp",
        "delivery",
        text,
        &truth,
        &["recipient", "status"],
    )]
}
