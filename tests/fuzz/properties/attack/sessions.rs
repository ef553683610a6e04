//! What smtpd, cleanup and postscreen say about what they were given: verdicts, headers, milters, TLS names, odd commands.

use super::{Case, ID, Line, address, host, line, neutered};

pub(super) const CASES: &[Case] = &[
    Case {
        field: "text of a restriction, a policy service or a milter",
        lines: |text, other| {
            let (plain, login) = (Sides::default(), format!("evil{other}"));
            let mut lines = verdicts(text, plain);
            lines.extend(verdicts(
                text,
                Sides {
                    login: Some(&login),
                    ..plain
                },
            ));
            lines
        },
    },
    Case {
        field: "envelope in a verdict",
        lines: |text, other| {
            let (sender, recipient) = (address(text), address(other));
            let (plain, login) = (Sides::default(), format!("evil{other}"));
            [
                Sides {
                    sender: &sender,
                    ..plain
                },
                Sides {
                    recipient: &sender,
                    ..plain
                },
                Sides {
                    sender: &sender,
                    recipient: &recipient,
                    login: Some(&login),
                    ..plain
                },
            ]
            .into_iter()
            .flat_map(|sides| verdicts("no", sides))
            .collect()
        },
    },
    Case {
        field: "login in a verdict",
        lines: |text, _| {
            let login = format!("evil{text}");
            verdicts(
                "no",
                Sides {
                    login: Some(&login),
                    ..Sides::default()
                },
            )
        },
    },
    Case {
        field: "HELO",
        lines: |text, other| {
            let (helo, login) = (format!("h{}", neutered(text)), format!("evil{other}"));
            let sides = Sides {
                helo: &helo,
                ..Sides::default()
            };
            let mut lines = verdicts("no", sides);
            lines.extend(verdicts(
                "no",
                Sides {
                    login: Some(&login),
                    ..sides
                },
            ));
            lines
        },
    },
    Case {
        field: "answer of a before-queue proxy",
        lines: proxy,
    },
    Case {
        field: "header and body",
        lines: header,
    },
    Case {
        field: "name in a TLS certificate",
        lines: certificate,
    },
    Case {
        field: "odd command",
        lines: odd_command,
    },
];

/// What else stands in a verdict.
#[derive(Clone, Copy)]
struct Sides<'a> {
    sender: &'a str,
    recipient: &'a str,
    helo: &'a str,
    login: Option<&'a str>,
}

impl Default for Sides<'_> {
    fn default() -> Self {
        Self {
            sender: "evil@evil.example",
            recipient: "rcpt@example.net",
            helo: "h.example",
            login: None,
        }
    }
}

/// `NOQUEUE: ACTION: RCPT from CLIENT: TEXT; from=<> to=<> ...` of each action.
fn verdicts(text: &str, sides: Sides<'_>) -> Vec<Line> {
    let actions = [
        ("smtpd", "reject", "reject"),
        ("smtpd", "reject_warning", "warn"),
        ("smtpd", "warn", "warn"),
        ("smtpd", "hold", "hold"),
        ("smtpd", "discard", "discard"),
        ("smtpd", "milter-reject", "milter_reject"),
        ("cleanup", "milter-hold", "milter_hold"),
        ("postscreen", "reject", "reject"),
    ];
    actions
        .map(|(daemon, word, kind)| {
            let Sides {
                sender,
                recipient,
                helo,
                login,
            } = sides;
            let mut truth = vec![
                ("action", word),
                ("stage", "RCPT"),
                ("client_name", "c.example"),
                ("client_address", "203.0.113.9"),
                ("sender", sender),
                ("recipient", recipient),
                ("proto", "ESMTP"),
                ("helo", helo),
            ];
            let mut tail = format!("; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{helo}>");
            if let Some(login) = login {
                truth.push(("sasl_username", login));
                if word.starts_with("milter-") {
                    tail.push_str(&format!(" sasl_username=<{login}>"));
                } else {
                    truth.push(("sasl_method", "PLAIN"));
                    tail.push_str(&format!(" sasl_method=PLAIN sasl_username={login}"));
                }
            }
            if daemon == "postscreen" {
                tail = tail
                    .replacen(" to=<", ", to=<", 1)
                    .replacen(" proto=", ", proto=", 1);
                tail = format!("; from=<{sender}>, to=<{recipient}>, proto=ESMTP, helo=<{helo}>");
                truth.retain(|(name, _)| !name.starts_with("sasl_"));
            }
            let text = format!(
                "NOQUEUE: {word}: RCPT from c.example[203.0.113.9]: 550 5.7.1 {text}{tail}"
            );
            line(
                daemon,
                kind,
                text,
                &truth,
                &["client_address", "stage", "action"],
            )
        })
        .into()
}

fn proxy(text: &str, other: &str) -> Vec<Line> {
    let login = format!("evil{other}");
    let truth = [
        ("action", "proxy-accept"),
        ("stage", "END-OF-MESSAGE"),
        ("sender", "evil@evil.example"),
        ("recipient", "rcpt@example.net"),
        ("proto", "ESMTP"),
        ("helo", "h.example"),
        ("sasl_username", &*login),
        ("queued_as", "41095FE4D9"),
    ];
    [format!("evil{text}"), login.clone()]
        .map(|login| {
            let text = format!(
                "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 41095FE4D9; from=<evil@evil.example> \
                 to=<rcpt@example.net> proto=ESMTP helo=<h.example> sasl_username=<{login}>"
            );
            let mut line = line("smtpd", "proxy_accept", text, &truth, &["action", "stage"]);
            for (name, value) in &mut line.truth {
                if *name == "sasl_username" {
                    value.clone_from(&login);
                }
            }
            line
        })
        .into()
}

fn header(text: &str, _: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (word, kind) in [
        ("hold", "hold"),
        ("reject", "header_check"),
        ("warning", "header_check"),
        ("info", "header_check"),
    ] {
        for stage in ["header", "body"] {
            let truth = [
                ("queue_id", ID),
                ("action", word),
                ("stage", stage),
                ("client_name", "c.example"),
                ("client_address", "203.0.113.9"),
                ("sender", "evil@evil.example"),
                ("recipient", "rcpt@example.net"),
                ("proto", "ESMTP"),
                ("helo", "h.example"),
            ];
            for tail in ["", ": the operator's text"] {
                let text = format!(
                    "{ID}: {word}: {stage} Subject: {text} from c.example[203.0.113.9]; from=<evil@evil.example> \
                     to=<rcpt@example.net> proto=ESMTP helo=<h.example>{tail}"
                );
                lines.push(line(
                    "cleanup",
                    kind,
                    text,
                    &truth,
                    &["queue_id", "action", "stage"],
                ));
            }
            // smtp_header_checks know no sender: whatever looks like one is the header's.
            let text = format!("{ID}: {word}: {stage} Subject: {text}");
            lines.push(line(
                "smtp",
                kind,
                text,
                &truth[..3],
                &["queue_id", "action"],
            ));
        }
    }
    lines
}

fn certificate(text: &str, _: &str) -> Vec<Line> {
    let name = host("");
    [
        format!("{name}[203.0.113.9]: Trusted: subject_CN={text}, issuer={text}, fingerprint=00:11, pkey_fingerprint=22:33"),
        format!("Trusted TLS connection established from {name}[203.0.113.9]: TLSv1.3 with cipher X (256/256 bits) client-signature {text}"),
        format!("certificate verification failed for {name}[203.0.113.9]:25: untrusted issuer {text}"),
    ]
    .map(|text| line("smtpd", "other", text, &[], &[]))
    .into()
}

fn odd_command(text: &str, _: &str) -> Vec<Line> {
    let peer = "c.example[203.0.113.9]";
    let mut lines: Vec<Line> = [
        format!("improper command pipelining after EHLO from {peer}: {text}"),
        format!("warning: non-SMTP command from {peer}: {text}"),
        format!("warning: Illegal address syntax from {peer} in MAIL command: <{text}>"),
        format!("warning: {peer} sent message header instead of SMTP command: {text}"),
    ]
    .map(|text| line("smtpd", "other", text, &[], &[]))
    .into();
    for text in [
        format!("PREGREET 14 after 0.07 from [203.0.113.9]:4711: {text}"),
        format!("BARE NEWLINE from [203.0.113.9]:4711 after {text}"),
        format!("COMMAND PIPELINING from [203.0.113.9]:4711 after EHLO: {text}"),
    ] {
        lines.push(line("postscreen", "other", text, &[], &[]));
    }
    lines
}
