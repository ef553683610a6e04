//! Who sent it: logins, AUTH parameters, client names, envelope senders, message IDs.

use super::{Case, ID, Line, address, host, line, neutered};

pub(super) const CASES: &[Case] = &[
    Case {
        field: "login",
        lines: login,
    },
    Case {
        field: "AUTH parameter of MAIL FROM",
        lines: auth_parameter,
    },
    Case {
        field: "client name (PTR, XCLIENT)",
        lines: client_name,
    },
    Case {
        field: "XFORWARD",
        lines: forwarded,
    },
    Case {
        field: "MAIL FROM",
        lines: sender,
    },
    Case {
        field: "message-id",
        lines: message_id,
    },
    Case {
        field: "name that was tried",
        lines: tried_name,
    },
    Case {
        field: "reason of a failed login",
        lines: failed_login,
    },
];

const CLIENT: [(&str, &str); 3] = [
    ("queue_id", ID),
    ("client_name", "c.example"),
    ("client_address", "203.0.113.9"),
];

fn login(text: &str, _: &str) -> Vec<Line> {
    let login = format!("evil{text}");
    let tails = [
        "",
        ", sasl_sender=evil@evil.example",
        ", orig_client=d.example[203.0.113.7]",
        ", sasl_sender=evil@evil.example, orig_queue_id=1F7B0FE4D3, orig_client=d.example[203.0.113.7]",
    ];
    let truth = [
        &CLIENT[..],
        &[
            ("sasl_method", "LOGIN"),
            ("sasl_username", &login),
            ("sasl_sender", "evil@evil.example"),
            ("orig_queue_id", "1F7B0FE4D3"),
            ("orig_client_name", "d.example"),
            ("orig_client_address", "203.0.113.7"),
        ],
    ]
    .concat();
    let one = |tail| {
        let text = format!(
            "{ID}: client=c.example[203.0.113.9], sasl_method=LOGIN, sasl_username={login}{tail}"
        );
        line(
            "smtpd",
            "client",
            text,
            &truth,
            &["client_address", "sasl_method"],
        )
    };
    tails.map(one).into()
}

fn auth_parameter(text: &str, other: &str) -> Vec<Line> {
    // A blank ends the parameter: SMTP splits there.
    let sender = format!("evil{}", text.replace(' ', "+20"));
    let login = format!("evil{other}");
    let client = format!("{ID}: client=c.example[203.0.113.9]");
    let whole = |login: &str| {
        let text =
            format!("{client}, sasl_method=LOGIN, sasl_username={login}, sasl_sender={sender}");
        let truth = [
            &CLIENT[..],
            &[
                ("sasl_method", "LOGIN"),
                ("sasl_username", login),
                ("sasl_sender", &sender),
            ],
        ]
        .concat();
        line("smtpd", "client", text, &truth, &["client_address"])
    };
    let alone = format!("{client}, sasl_sender={sender}");
    let truth = [&CLIENT[..], &[("sasl_sender", &*sender)]].concat();
    vec![
        whole("evil"),
        whole(&login),
        line("smtpd", "client", alone, &truth, &["client_address"]),
    ]
}

fn client_name(text: &str, _: &str) -> Vec<Line> {
    let name = host(text);
    let truth = [
        ("queue_id", ID),
        ("client_name", &*name),
        ("client_address", "203.0.113.9"),
        ("sasl_method", "PLAIN"),
        ("sasl_username", "evil"),
        ("stage", "DATA"),
    ];
    let peer = format!("{name}[203.0.113.9]");
    let one = |kind, text: String| {
        line(
            "smtpd",
            kind,
            text,
            &truth,
            &["client_name", "client_address"],
        )
    };
    vec![
        one(
            "client",
            format!("{ID}: client={peer}, sasl_method=PLAIN, sasl_username=evil"),
        ),
        one("connect", format!("connect from {peer}")),
        one(
            "disconnect",
            format!("disconnect from {peer} ehlo=1 quit=1 commands=2"),
        ),
        one(
            "lost",
            format!("lost connection after DATA (14 bytes) from {peer}"),
        ),
        one(
            "sasl_failure",
            format!("warning: {peer}: SASL PLAIN authentication failed: nope, sasl_username=evil"),
        ),
    ]
}

/// Only a client that may send XFORWARD writes these: a content filter, with what it was told.
fn forwarded(text: &str, _: &str) -> Vec<Line> {
    let (id, name) = (neutered(text), host(text));
    let truth = [
        &CLIENT[..],
        &[
            ("orig_queue_id", &*id),
            ("orig_client_name", &name),
            ("orig_client_address", "203.0.113.7"),
            ("sasl_sender", ""),
        ],
    ]
    .concat();
    let client = format!("{ID}: client=c.example[203.0.113.9]");
    let one = |text| line("smtpd", "client", text, &truth, &["client_address"]);
    let mut lines = vec![one(format!(
        "{client}, orig_queue_id=1F7B0FE4D3, orig_client={name}[203.0.113.7]"
    ))];
    lines[0].truth[3].1 = "1F7B0FE4D3".to_owned();
    // An ID with a comma is two members to every reader; IDs come from a Postfix.
    if !id.contains(',') && !id.is_empty() {
        lines.push(one(format!(
            "{client}, orig_queue_id={id}, orig_client={name}[203.0.113.7]"
        )));
    }
    lines
}

fn sender(text: &str, _: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let internal = [
        format!("evil{text}@evil.example"),
        format!("{text}@evil.example"),
    ];
    for sender in internal.into_iter().chain([address(text)]) {
        let truth = [
            ("queue_id", ID),
            ("sender", &*sender),
            ("size", "5"),
            ("nrcpt", "1"),
            ("uid", "33"),
            ("orig_id", "37D99FE48B"),
            ("status", "expired"),
        ];
        let one = |daemon, kind, text| line(daemon, kind, text, &truth, &["queue_id", "sender"]);
        lines.push(one(
            "qmgr",
            "queued",
            format!("{ID}: from=<{sender}>, size=5, nrcpt=1 (queue active)"),
        ));
        lines.push(one(
            "qmgr",
            "expired",
            format!("{ID}: from=<{sender}>, status=expired, returned to sender"),
        ));
        for tail in ["", " orig_id=37D99FE48B"] {
            lines.push(one(
                "pickup",
                "pickup",
                format!("{ID}: uid=33 from=<{sender}>{tail}"),
            ));
        }
    }
    lines
}

fn message_id(text: &str, _: &str) -> Vec<Line> {
    let id = format!("evil{text}@evil.example");
    let truth = [("queue_id", ID), ("message_id", &*id)];
    let must = &["queue_id", "message_id"];
    let mut lines = vec![line(
        "cleanup",
        "message_id",
        format!("{ID}: message-id=<{id}>"),
        &truth,
        must,
    )];
    for name in ["message-id", "resent-message-id"] {
        lines.push(line(
            "cleanup",
            "message_id",
            format!("{ID}: {name}={id}"),
            &truth,
            must,
        ));
    }
    lines
}

fn tried_name(text: &str, other: &str) -> Vec<Line> {
    let name = format!("evil{text}");
    let truth = [
        ("client_name", "c.example"),
        ("client_address", "203.0.113.9"),
        ("sasl_method", "PLAIN"),
        ("sasl_username", &*name),
    ];
    [String::from("nope"), format!("x{other}")]
        .map(|reason| {
            let text = format!(
                "warning: c.example[203.0.113.9]: SASL PLAIN authentication failed: {reason}, sasl_username={name}"
            );
            line("smtpd", "sasl_failure", text, &truth, &["client_address", "sasl_method"])
        })
        .into()
}

fn failed_login(text: &str, _: &str) -> Vec<Line> {
    let truth = [
        ("client_name", "c.example"),
        ("client_address", "203.0.113.9"),
        ("sasl_method", "PLAIN"),
    ];
    let must = &["client_address", "sasl_method"];
    let text = text.replace(", sasl_username=", "; sasl_username=");
    vec![line(
        "smtpd",
        "sasl_failure",
        format!("warning: c.example[203.0.113.9]: SASL PLAIN authentication failed: x{text}"),
        &truth,
        must,
    )]
}
