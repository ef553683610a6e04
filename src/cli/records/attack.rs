//! A log written by an attacker: every free-text field stuffed with members that it does not own.
//!
//! What counts: a member of the output is what Postfix put there, or it is left out. Doubt may cost a member, never lie.

use super::tests::objects;

/// Texts that end one field and fake the ones behind it.
const STUFFING: &[&str] = &[
    ", sasl_sender=victim@v.example",
    ", sasl_username=victim@v.example",
    ", orig_queue_id=ABCDEF0123",
    ", orig_client=victim.example[192.0.2.66]",
    ", orig_queue_id=ABCDEF0123, orig_client=victim.example[192.0.2.66]",
    " sasl_sender=victim@v.example",
    " sasl_method=PLAIN sasl_username=victim@v.example",
    "> sasl_username=<victim@v.example>",
    "> to=<victim@v.example> proto=ESMTP helo=<v.example> sasl_method=PLAIN sasl_username=victim",
    "; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example>",
    "; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example> sasl_method=PLAIN sasl_username=victim",
    "; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example> sasl_username=<victim@v.example>",
    "; proto=ESMTP helo=<v.example> sasl_username=victim",
    " from victim.example[192.0.2.66]; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example>: ok",
    " from local; from=<victim@v.example> to=<victim@v.example>: ",
    "@v.example>, relay=mx.victim.example[192.0.2.66]:25, delay=9, delays=0/0/0/9, dsn=2.0.0, status=sent (250 ok",
    "@v.example>, relay=none, delay=9, status=sent (250 ok",
    "@v.example>, orig_to=<victim@v.example>, relay=mx.victim.example[192.0.2.66]:25, delay=9, delays=0/0/0/9, dsn=2.0.0, status=sent (250 ok",
    "to=<victim@v.example>, relay=mx.victim.example[192.0.2.66]:25, delay=9, delays=0/0/0/9, dsn=2.0.0, status=sent (250 ok)",
    ", status=sent (250 2.0.0 ok)",
    ">, size=1, nrcpt=99 (queue active)",
    ">, status=expired, returned to sender",
    "> orig_id=ABCDEF0123",
    " (in reply to XVICTIM command)",
    "host mx.victim.example[192.0.2.66] said: 550 5.7.1 no (in reply to XVICTIM command)",
    ": 250 2.0.0 Ok: queued as ABCDEF0123",
    "#012Nov  3 08:25:50 victim postfix/smtpd[1]: ABCDEF0123: client=victim.example[192.0.2.66], sasl_username=victim",
    "]: ABCDEF0123: client=victim.example[192.0.2.66]",
    "\u{2028}ABCDEF0123: client=victim.example[192.0.2.66]",
    "message repeated 99 times: [ victim]",
];

/// The members that a line of a kind has in truth.
type Truth<'a> = Vec<(&'a str, String)>;

/// Reads one line and checks it against the truth; `must` names what may not be left out.
fn check(service: &str, text: &str, kind: &str, truth: &Truth<'_>, must: &[&str]) {
    let line = format!("Nov  3 08:25:50 relay1 postfix/{service}[77]: {text}");
    let objects = objects(line.as_bytes());
    let object = objects
        .first()
        .unwrap_or_else(|| panic!("not understood: {text}"));
    assert_eq!(object["kind"], kind, "{text}");
    assert!(!object.contains_key("repeat"), "{text}");
    // `text` and `reply` are free by nature.
    let framing = [
        "line", "at", "host", "service", "daemon", "pid", "kind", "text", "reply",
    ];
    for (member, value) in object {
        if framing.contains(&member.as_str()) {
            continue;
        }
        let real = truth.iter().find(|(name, _)| name == member);
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(
            real.map(|(_, value)| value),
            Some(&value),
            "{member} of {text}\n{object:?}"
        );
    }
    for member in must {
        assert!(
            object.contains_key(*member),
            "{member} is missing: {text}\n{object:?}"
        );
    }
}

fn truth<'a>(members: &[(&'a str, &str)]) -> Truth<'a> {
    members
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

/// The stuffed values of an address: with the local part quoted as Postfix 3.5 writes it, and as older ones did.
fn addresses(stuffing: &str) -> [String; 3] {
    let quoted = stuffing.replace('\\', "\\\\").replace('"', "\\\"");
    [
        format!("\"evil{quoted}\"@evil.example"),
        format!("evil{stuffing}@evil.example"),
        format!("{stuffing}@evil.example"),
    ]
}

#[test]
fn a_login_names_nobody_else() {
    for stuffing in STUFFING {
        let login = format!("evil{stuffing}");
        let real = truth(&[
            ("queue_id", "4F2A1C0D3B"),
            ("client_name", "c.example"),
            ("client_address", "203.0.113.9"),
            ("sasl_method", "LOGIN"),
            ("sasl_username", &login),
            ("sasl_sender", "evil@evil.example"),
            ("orig_queue_id", "1F7B0FE4D3"),
            ("orig_client", "d.example[203.0.113.7]"),
        ]);
        let must = ["client_address", "sasl_method"];
        for tail in [
            "",
            ", sasl_sender=evil@evil.example",
            ", orig_client=d.example[203.0.113.7]",
            ", sasl_sender=evil@evil.example, orig_queue_id=1F7B0FE4D3, orig_client=d.example[203.0.113.7]",
        ] {
            let text = format!(
                "4F2A1C0D3B: client=c.example[203.0.113.9], sasl_method=LOGIN, sasl_username={login}{tail}"
            );
            check("smtpd", &text, "client", &real, &must);
        }
    }
}

#[test]
fn an_auth_parameter_names_nobody_else() {
    for stuffing in STUFFING {
        // A blank ends the parameter: SMTP splits there.
        let sender = format!("evil{}", stuffing.replace(' ', "+20"));
        let real = truth(&[
            ("queue_id", "4F2A1C0D3B"),
            ("client_name", "c.example"),
            ("client_address", "203.0.113.9"),
            ("sasl_method", "LOGIN"),
            ("sasl_username", "evil"),
            ("sasl_sender", &sender),
        ]);
        let text = format!(
            "4F2A1C0D3B: client=c.example[203.0.113.9], sasl_method=LOGIN, sasl_username=evil, sasl_sender={sender}"
        );
        check("smtpd", &text, "client", &real, &[]);
        let text = format!("4F2A1C0D3B: client=c.example[203.0.113.9], sasl_sender={sender}");
        check("smtpd", &text, "client", &real, &["sasl_sender"]);
    }
}

#[test]
fn an_envelope_sender_ends_where_it_ends() {
    for stuffing in STUFFING {
        for sender in addresses(stuffing) {
            let id = ("queue_id", "4F2A1C0D3B");
            let real = truth(&[id, ("sender", &sender), ("size", "5"), ("nrcpt", "1")]);
            let text = format!("4F2A1C0D3B: from=<{sender}>, size=5, nrcpt=1 (queue active)");
            check("qmgr", &text, "queued", &real, &["sender", "size", "nrcpt"]);
            let real = truth(&[id, ("sender", &sender), ("status", "expired")]);
            let text = format!("4F2A1C0D3B: from=<{sender}>, status=expired, returned to sender");
            check("qmgr", &text, "expired", &real, &["sender"]);
            let real = truth(&[
                id,
                ("sender", &sender),
                ("uid", "33"),
                ("orig_id", "37D99FE48B"),
            ]);
            for tail in ["", " orig_id=37D99FE48B"] {
                let text = format!("4F2A1C0D3B: uid=33 from=<{sender}>{tail}");
                check("pickup", &text, "pickup", &real, &["sender"]);
            }
        }
    }
}

/// A delivery record with these free texts.
fn delivery(recipient: &str, orig_to: Option<&str>, reply: &str) {
    let mut real = truth(&[
        ("queue_id", "4F2A1C0D3B"),
        ("recipient", recipient),
        ("relay_host", "mx.example.net"),
        ("relay_address", "198.51.100.10"),
        ("relay_port", "25"),
        ("delay", "3"),
        ("delays", "1/0/1/1"),
        ("dsn", "5.7.1"),
        ("status", "bounced"),
        ("said_by", "mx.example.net[198.51.100.10]"),
        ("stage", "RCPT TO"),
    ]);
    let mut to = format!("to=<{recipient}>");
    if let Some(orig_to) = orig_to {
        real.push(("orig_to", orig_to.to_owned()));
        to.push_str(&format!(", orig_to=<{orig_to}>"));
    }
    let text = format!(
        "4F2A1C0D3B: {to}, relay=mx.example.net[198.51.100.10]:25, delay=3, delays=1/0/1/1, dsn=5.7.1, status=bounced \
         (host mx.example.net[198.51.100.10] said: 550 5.7.1 {reply} (in reply to RCPT TO command))"
    );
    check("smtp", &text, "delivery", &real, &["queue_id"]);
}

#[test]
fn recipients_and_replies_say_nothing_about_a_delivery_but_themselves() {
    for stuffing in STUFFING {
        delivery("rcpt@example.net", None, stuffing);
        delivery("rcpt@example.net", Some("all@example.org"), stuffing);
        for hostile in addresses(stuffing) {
            delivery(&hostile, None, "go away");
            delivery(&hostile, Some("all@example.org"), "go away");
            delivery("rcpt@example.net", Some(&hostile), "go away");
            for reply in STUFFING {
                delivery(&hostile, None, reply);
            }
        }
    }
}

#[test]
fn a_plain_reply_stays_whole_whatever_it_fakes() {
    // Where no second address can end in the reply, nothing is in doubt.
    let must = [
        "recipient",
        "status",
        "dsn",
        "said_by",
        "stage",
        "relay_address",
    ];
    for stuffing in [
        ", status=sent (250 2.0.0 ok)",
        "> sasl_username=<victim>",
        " (in reply to XVICTIM command)",
        "(((",
    ] {
        let real = truth(&[
            ("queue_id", "4F2A1C0D3B"),
            ("recipient", "rcpt@example.net"),
            ("relay_host", "mx.example.net"),
            ("relay_address", "198.51.100.10"),
            ("dsn", "5.7.1"),
            ("status", "bounced"),
            ("delay", "3"),
            ("said_by", "mx.example.net[198.51.100.10]"),
            ("stage", "RCPT TO"),
        ]);
        let text = format!(
            "4F2A1C0D3B: to=<rcpt@example.net>, relay=mx.example.net[198.51.100.10], delay=3, dsn=5.7.1, status=bounced \
             (host mx.example.net[198.51.100.10] said: 550 {stuffing} (in reply to RCPT TO command))"
        );
        check("smtp", &text, "delivery", &real, &must);
    }
}

/// A verdict of smtpd with these free texts.
fn verdict(action: (&str, &str), text: &str, sender: &str, recipient: &str, login: Option<&str>) {
    let (word, kind) = action;
    let brackets = word.starts_with("milter-");
    let mut real = truth(&[
        ("action", word),
        ("stage", "RCPT"),
        ("client_name", "c.example"),
        ("client_address", "203.0.113.9"),
        ("sender", sender),
        ("recipient", recipient),
    ]);
    let sasl = login.map_or_else(String::new, |login| {
        real.push(("sasl_username", login.to_owned()));
        if brackets {
            return format!(" sasl_username=<{login}>");
        }
        real.push(("sasl_method", "PLAIN".to_owned()));
        format!(" sasl_method=PLAIN sasl_username={login}")
    });
    let line = format!(
        "NOQUEUE: {word}: RCPT from c.example[203.0.113.9]: 550 5.7.1 {text}; from=<{sender}> to=<{recipient}> \
         proto=ESMTP helo=<h.example>{sasl}"
    );
    check(
        "smtpd",
        &line,
        kind,
        &real,
        &["client_address", "stage", "action"],
    );
}

#[test]
fn a_verdict_names_nobody_that_its_texts_name() {
    let (from, to) = ("evil@evil.example", "rcpt@example.net");
    for action in [
        ("reject", "reject"),
        ("reject_warning", "warn"),
        ("warn", "warn"),
        ("hold", "hold"),
        ("discard", "discard"),
        ("milter-reject", "milter_reject"),
    ] {
        for stuffing in STUFFING {
            for login in [None, Some("evil")] {
                verdict(action, stuffing, from, to, login);
                for hostile in addresses(stuffing) {
                    verdict(action, "no", &hostile, to, login);
                    verdict(action, "no", from, &hostile, login);
                }
            }
            verdict(action, "no", from, to, Some(&format!("evil{stuffing}")));
        }
    }
}

#[test]
fn two_hostile_texts_in_one_verdict_do_not_add_up() {
    let action = ("reject", "reject");
    for first in STUFFING {
        for second in STUFFING {
            let login = format!("evil{second}");
            verdict(
                action,
                first,
                "evil@evil.example",
                "rcpt@example.net",
                Some(&login),
            );
            for hostile in addresses(first) {
                verdict(action, "no", &hostile, "rcpt@example.net", Some(&login));
                verdict(action, second, "evil@evil.example", &hostile, Some("evil"));
            }
        }
    }
}

#[test]
fn a_proxy_ties_no_login_to_an_id_that_is_in_doubt() {
    for stuffing in STUFFING {
        let login = format!("evil{stuffing}");
        let real = truth(&[
            ("action", "proxy-accept"),
            ("stage", "END-OF-MESSAGE"),
            ("sender", "evil@evil.example"),
            ("recipient", "rcpt@example.net"),
            ("sasl_username", &login),
            ("queued_as", "41095FE4D9"),
        ]);
        let text = format!(
            "proxy-accept: END-OF-MESSAGE: 250 2.0.0 Ok: queued as 41095FE4D9; from=<evil@evil.example> \
             to=<rcpt@example.net> proto=ESMTP helo=<h.example> sasl_username=<{login}>"
        );
        check("smtpd", &text, "proxy_accept", &real, &[]);
    }
}

#[test]
fn a_header_names_nobody() {
    for stuffing in STUFFING {
        for (word, kind) in [
            ("hold", "hold"),
            ("reject", "header_check"),
            ("info", "header_check"),
        ] {
            let real = truth(&[
                ("queue_id", "4F2A1C0D3B"),
                ("action", word),
                ("stage", "header"),
                ("client_name", "c.example"),
                ("client_address", "203.0.113.9"),
                ("sender", "evil@evil.example"),
                ("recipient", "rcpt@example.net"),
            ]);
            for tail in ["", ": the operator's text"] {
                let text = format!(
                    "4F2A1C0D3B: {word}: header Subject: {stuffing} from c.example[203.0.113.9]; from=<evil@evil.example> \
                     to=<rcpt@example.net> proto=ESMTP helo=<h.example>{tail}"
                );
                check("cleanup", &text, kind, &real, &["queue_id", "action"]);
            }
            // smtp_header_checks know no sender: whatever looks like one is the header's.
            let real = truth(&[
                ("queue_id", "4F2A1C0D3B"),
                ("action", word),
                ("stage", "header"),
            ]);
            let text = format!("4F2A1C0D3B: {word}: header Subject: {stuffing}");
            check("smtp", &text, kind, &real, &[]);
        }
    }
}

#[test]
fn a_message_id_is_only_that() {
    for stuffing in STUFFING {
        let id = format!("evil{stuffing}@evil.example");
        let real = truth(&[("queue_id", "4F2A1C0D3B"), ("message_id", &id)]);
        check(
            "cleanup",
            &format!("4F2A1C0D3B: message-id=<{id}>"),
            "message_id",
            &real,
            &["message_id"],
        );
        check(
            "cleanup",
            &format!("4F2A1C0D3B: resent-message-id={id}"),
            "message_id",
            &real,
            &["message_id"],
        );
    }
}

#[test]
fn a_name_that_was_tried_is_not_cut_short() {
    for stuffing in STUFFING {
        let name = format!("evil{stuffing}");
        let real = truth(&[
            ("client_name", "c.example"),
            ("client_address", "203.0.113.9"),
            ("sasl_method", "PLAIN"),
            ("sasl_username", &name),
        ]);
        let text = format!(
            "warning: c.example[203.0.113.9]: SASL PLAIN authentication failed: nope, sasl_username={name}"
        );
        check(
            "smtpd",
            &text,
            "sasl_failure",
            &real,
            &["client_address", "sasl_method"],
        );
    }
}

#[test]
fn soft_failures_keep_their_host() {
    for stuffing in STUFFING {
        let real = truth(&[
            ("queue_id", "4F2A1C0D3B"),
            ("said_by", "mx1.example.net[198.51.100.10]"),
            ("stage", "RCPT TO"),
        ]);
        let text = format!(
            "4F2A1C0D3B: host mx1.example.net[198.51.100.10] said: 451 {stuffing} (in reply to RCPT TO command)"
        );
        check("smtp", &text, "soft_failure", &real, &["said_by", "stage"]);
    }
}

/// A text of exactly the length at which Postfix cuts.
fn cut(start: &str, end: &str) -> String {
    let fill = 2000 - start.len() - end.len();
    format!("{start}{}{end}", "x".repeat(fill))
}

#[test]
fn a_fake_that_ends_where_a_text_is_cut_is_not_believed() {
    let list = "; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example> sasl_method=PLAIN sasl_username=victim";
    let client = [
        ("client_name", "c.example"),
        ("client_address", "203.0.113.9"),
    ];
    let id = [("queue_id", "4F2A1C0D3B")];
    let start = "NOQUEUE: reject: RCPT from c.example[203.0.113.9]: 450 4.1.1 <r@example.net>: unverified address: host mx[192.0.2.1] said: 550 ";
    let real = truth(&[[("action", "reject"), ("stage", "RCPT")], client].concat());
    check(
        "smtpd",
        &cut(start, list),
        "reject",
        &real,
        &["client_address"],
    );
    let start = "4F2A1C0D3B: client=c.example[203.0.113.9], sasl_method=LOGIN, sasl_username=";
    let real = truth(&[&id[..], &client, &[("sasl_method", "LOGIN")]].concat());
    check(
        "smtpd",
        &cut(start, ""),
        "client",
        &real,
        &["client_address"],
    );
    check(
        "cleanup",
        &cut("4F2A1C0D3B: message-id=<", ">"),
        "message_id",
        &truth(&id),
        &[],
    );
    let start = "proxy-accept: END-OF-MESSAGE: 250 ";
    let real = truth(&[("action", "proxy-accept"), ("stage", "END-OF-MESSAGE")]);
    check(
        "smtpd",
        &cut(start, "queued as ABCDEF0123"),
        "proxy_accept",
        &real,
        &[],
    );
    // A quoted recipient so long that the real members are gone.
    let start = "4F2A1C0D3B: to=<\"evil>, relay=mx.victim.example[192.0.2.66]:25, delay=9, delays=0/0/0/9, dsn=2.0.0, status=sent (250 ok";
    check("smtp", &cut(start, ")"), "delivery", &truth(&id), &[]);
    for text in [
        cut("4F2A1C0D3B: from=<\"", ">, size=1, nrcpt=99 (queue active)"),
        cut("4F2A1C0D3B: uid=33 from=<\"", "> orig_id=ABCDEF0123"),
    ] {
        let line = format!("Nov  3 08:25:50 relay1 postfix/qmgr[77]: {text}");
        assert!(objects(line.as_bytes()).is_empty(), "{text}");
    }
}

#[test]
fn the_stage_of_a_cut_reply_is_not_known() {
    let start = "4F2A1C0D3B: to=<r@example.net>, relay=mx.example.net[198.51.100.10]:25, delay=3, delays=1/0/1/1, dsn=5.7.1, status=bounced (host mx.example.net[198.51.100.10] said: 550 ";
    for end in [
        "",
        " (in reply to XVICTIM command))",
        " (in reply to RCPT T",
    ] {
        let real = truth(&[
            ("queue_id", "4F2A1C0D3B"),
            ("recipient", "r@example.net"),
            ("relay_host", "mx.example.net"),
            ("relay_address", "198.51.100.10"),
            ("relay_port", "25"),
            ("delay", "3"),
            ("delays", "1/0/1/1"),
            ("dsn", "5.7.1"),
            ("status", "bounced"),
            ("said_by", "mx.example.net[198.51.100.10]"),
        ]);
        let must = ["recipient", "status", "said_by"];
        check("smtp", &cut(start, end), "delivery", &real, &must);
    }
}

#[test]
fn other_programs_write_nothing_for_postfix() {
    for stuffing in STUFFING {
        for line in [
            format!(
                "Nov  3 08:25:50 relay1 sshd[9]: Invalid user postfix/smtpd[1]: ABCDEF0123: client=x[192.0.2.66]{stuffing}"
            ),
            format!("Nov  3 08:25:50 relay1 sshd[9]: ABCDEF0123: client=x[192.0.2.66]{stuffing}"),
            format!("Nov  3 08:25:50 relay1 smtpd[9]: ABCDEF0123: client=x[192.0.2.66]{stuffing}"),
            format!(
                "<38>1 2026-11-03T08:25:50Z relay1 sshd 9 - -  ABCDEF0123: client=x[192.0.2.66]{stuffing}"
            ),
        ] {
            assert!(objects(line.as_bytes()).is_empty(), "{line}");
        }
    }
}
