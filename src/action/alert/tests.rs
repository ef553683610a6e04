use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread::JoinHandle,
};

use super::*;
use crate::policy::{Figures, Reason, Verdict};

fn t(seconds: i64) -> Timestamp {
    Timestamp::parse_rfc3339(b"2026-11-23T08:26:25.250Z").unwrap()
        + Duration::from_secs(seconds.unsigned_abs())
}

fn incident(sender: &str) -> Incident {
    Incident {
        number: 7,
        sender_id: SenderId::Sasl(sender.into()),
        state: crate::engine::incident::State::Open,
        verdict: Verdict::Hold,
        mode: Mode::Enforce,
        policy: "rejections".to_owned(),
        reasons: vec![
            Reason {
                signal: "refused_share".to_owned(),
                text: "41 of 60 answers in 5 min were refusals (limit 25 %, usual 0.4 %)"
                    .to_owned(),
            },
            Reason {
                signal: "new_network".to_owned(),
                text: "see http://evil.example.com/login".to_owned(),
            },
        ],
        figures: Figures {
            attempts: 60,
            accepted: 19,
            rejected: 41,
            recipients: 60,
        },
        opened: t(0),
        first_sign: Some(t(0) - Duration::from_secs(35)),
        accepted_after: 0,
        put_off: 0,
        machines: Vec::new(),
        lines: (0..20)
            .map(|n| format!("Nov 23 08:26:{n:02} relay1 postfix/smtp[1]: 4F2A: ..."))
            .collect(),
        closed: None,
        closed_by: None,
    }
}

fn alert(incident: &Incident) -> Alert<'_> {
    const DONE: Done = Done {
        held: 512,
        recipients: 530,
        husks: 2,
        leaked_after: 3,
        released: 0,
        purged: 0,
    };
    Alert {
        incident,
        sequence: 1,
        news: News::Opened,
        at: t(2),
        done: (incident.mode == Mode::Enforce).then_some(&DONE),
        samples: &[],
        evidence: Some(("/var/lib/postwarden/evidence/PW-7", "aa11")),
        identity_hash: Some("00ff"),
        remark: None,
    }
}

fn write(alert: &Alert<'_>) -> Letter {
    let to = ["abuse@example.org".to_owned()];
    let desk = Desk {
        from: "postwarden@relay1.example.org",
        to: &to,
        host: "relay1.example.org",
    };
    incident_letter(&desk, alert)
}

/// Header fields (unfolded) and body, as a mail program reads them.
fn read(letter: &Letter) -> (Vec<(String, String)>, String) {
    let text = String::from_utf8(letter.bytes.clone()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let fields = head.replace("\r\n ", " ");
    let fields = fields
        .split("\r\n")
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    (fields, body.to_owned())
}

fn field(letter: &Letter, name: &str) -> String {
    let (fields, _) = read(letter);
    let found: Vec<&String> = fields
        .iter()
        .filter(|(n, _)| n == name)
        .map(|(_, v)| v)
        .collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0].clone()
}

#[test]
fn the_desk_sees_what_when_why_and_what_to_type() {
    let incident = incident("alice@example.org");
    let letter = write(&alert(&incident));
    assert_eq!(
        field(&letter, "Subject"),
        "[postwarden PW-7] HELD alice@example.org: 41 of 60 rejected, 512 on hold"
    );
    let (_, body) = read(&letter);
    for row in [
        "WHAT      Login alice@example.org looks taken over.",
        "WHEN      2026-11-23T08:25:50Z first sign\r\n          2026-11-23T08:26:25Z decided (35 s later)",
        "WHY       policy rejections\r\n          refused_share: 41 of 60",
        "DONE      512 messages on hold (530 recipients), 0 deleted. 19 had been",
        "LOOK      postwarden show 7",
        "RELEASE   postwarden release 7",
        "PURGE     postwarden purge 7",
        "EVIDENCE  /var/lib/postwarden/evidence/PW-7",
        "hxxp://evil[.]example[.]com/login",
    ] {
        assert!(body.contains(row), "{row}\n{body}");
    }
    assert!(!body.contains("http://"));
    let text = body.split("\r\n--").nth(1).unwrap_or(&body);
    assert!(text.split("\r\n").all(|line| line.len() <= 76), "{text}");
}

#[test]
fn an_observed_incident_says_so_in_subject_text_and_attachment() {
    let mut incident = incident("alice@example.org");
    incident.mode = Mode::Observe;
    let letter = write(&alert(&incident));
    assert!(
        field(&letter, "Subject")
            .starts_with("[postwarden PW-7] OBSERVE alice@example.org: would be on hold")
    );
    assert_eq!(field(&letter, "X-Postwarden-Mode"), "observe");
    let (_, body) = read(&letter);
    assert!(body.contains("WHAT      OBSERVE: nothing was done."));
    assert!(body.contains("DONE      Nothing: postwarden observes."));
    assert!(!body.contains("RELEASE"));
    let closed = Alert {
        news: News::FalsePositive,
        sequence: 2,
        ..alert(&incident)
    };
    assert!(field(&write(&closed), "Subject").contains("] OBSERVE FALSE POSITIVE "));
    assert_eq!(attachment(&letter)["enforced"], false);
}

/// The JSON of the attachment.
fn attachment(letter: &Letter) -> serde_json::Value {
    let text = String::from_utf8(letter.bytes.clone()).unwrap();
    let (_, rest) = text
        .split_once("Content-Transfer-Encoding: base64\r\n\r\n")
        .unwrap();
    let (base64, _) = rest.split_once("\r\n--").unwrap();
    let json = crate::wire::base64::decode(&base64.replace("\r\n", "")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn the_attachment_has_the_same_facts_for_programs() {
    let incident = incident("alice@example.org");
    let facts = attachment(&write(&alert(&incident)));
    assert_eq!(facts["name"], "PW-7");
    assert_eq!(facts["enforced"], true);
    assert_eq!(facts["sender_id"], "sasl:alice@example.org");
    assert_eq!(facts["done"]["held"], 512);
    assert_eq!(facts["incident"]["figures"]["rejected"], 41);
}

#[test]
fn no_machine_answers_and_follow_ups_are_one_thread() {
    let incident = incident("alice@example.org");
    let first = write(&alert(&incident));
    assert_eq!(first.key, "PW-7.1");
    assert_eq!(field(&first, "Message-ID"), "<PW-7.1@relay1.example.org>");
    assert_eq!(field(&first, "Auto-Submitted"), "auto-generated");
    assert_eq!(field(&first, "X-Postwarden-Incident"), "PW-7");
    assert_eq!(
        write(&alert(&incident)),
        first,
        "the same facts are the same bytes"
    );
    let next = Alert {
        sequence: 2,
        news: News::Released,
        ..alert(&incident)
    };
    let next = write(&next);
    assert_eq!(field(&next, "Message-ID"), "<PW-7.2@relay1.example.org>");
    assert_eq!(field(&next, "In-Reply-To"), "<PW-7.1@relay1.example.org>");
    assert_eq!(field(&next, "References"), "<PW-7.1@relay1.example.org>");
    assert!(field(&next, "Subject").starts_with("[postwarden PW-7] RELEASED alice"));
}

#[test]
fn a_hostile_login_begins_no_header_and_no_line_of_its_own() {
    let login = "a\r\nBcc: victim@example.net\r\n\r\nRELEASE   rm -rf /\u{202e}\u{0}=?utf-8?Q?=0D=0ABcc:x?= ü";
    let mut incident = incident(login);
    incident.policy = "p\r\nX-Evil: 1".to_owned();
    incident.reasons[0].text = "x\r\n.\r\nMAIL FROM:<y>".to_owned();
    incident.lines = vec![login.to_owned()];
    let note = SampleNote {
        subject: login.to_owned(),
        messages: 3,
        links: vec!["javascript://x.example/\r\nBcc: z".to_owned()],
    };
    let mut alert = alert(&incident);
    let samples = [note];
    alert.samples = &samples;
    alert.remark = Some(login);
    let letter = write(&alert);
    let (fields, body) = read(&letter);
    let expected = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "Precedence",
        "X-Postwarden-Incident",
        "X-Postwarden-Rule",
        "X-Postwarden-Mode",
        "X-Postwarden-News",
        "X-Postwarden-Identity-Hash",
        "MIME-Version",
        "Content-Type",
    ];
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected);
    assert!(letter.bytes.is_ascii());
    for line in body.split("\r\n") {
        assert!(
            !line.starts_with("Bcc")
                && !line.starts_with("RELEASE   rm")
                && !line.starts_with("MAIL"),
            "{line}"
        );
        assert!(!line.contains(['\r', '\n', '\0']) && line != ".", "{line}");
    }
}

#[test]
fn a_house_letter_belongs_to_no_incident() {
    let to = ["noc@example.org".to_owned()];
    let desk = Desk {
        from: "postwarden@relay1.example.org",
        to: &to,
        host: "relay1.example.org",
    };
    let rows = [(
        "WHAT",
        "6 holds in 10 min: automatic action is stopped".to_owned(),
    )];
    let letter = house_letter(
        &desk,
        "brake.1",
        t(0),
        "BRAKE: automatic action is stopped",
        &rows,
    );
    assert_eq!(
        field(&letter, "Subject"),
        "[postwarden] BRAKE: automatic action is stopped"
    );
    assert_eq!(letter.message_id, "brake.1@relay1.example.org");
    let (_, body) = read(&letter);
    assert!(body.starts_with("WHAT      6 holds in 10 min"));
}

#[test]
fn a_mail_is_tried_ever_more_rarely_for_three_days() {
    let after = |attempts, now| next_try(attempts, t(0), now).map(|at| at.since(now).as_secs());
    assert_eq!(after(1, t(0)), Some(10));
    assert_eq!(after(2, t(10)), Some(30));
    assert_eq!(after(7, t(2000)), Some(900));
    assert_eq!(after(500, t(2000)), Some(1800));
    assert_eq!(after(500, t(3 * 86_400)), None);
}

#[test]
fn routes_are_read_and_wrong_ones_named() {
    let smtp = |host: &str, port, security| {
        Ok(Route::Smtp {
            host: host.to_owned(),
            port,
            security,
        })
    };
    assert_eq!(
        Route::parse("smtp://127.0.0.1:25"),
        smtp("127.0.0.1", 25, Security::None)
    );
    assert_eq!(
        Route::parse("smtp+starttls://mx.example.org/"),
        smtp("mx.example.org", 587, Security::StartTls)
    );
    assert_eq!(
        Route::parse("smtps://[2001:db8::1]:4650"),
        smtp("2001:db8::1", 4650, Security::Tls)
    );
    assert_eq!(Route::parse("tcp:127.0.0.1:25"), Err(RouteError::Scheme));
    assert_eq!(Route::parse("smtp://"), Err(RouteError::Shape));
    assert_eq!(Route::parse("smtp://u:p@host"), Err(RouteError::Port));
    assert_eq!(Route::parse("smtp://host:0"), Err(RouteError::Port));
    assert_eq!(Route::parse("smtp://[host]:25"), Err(RouteError::Shape));
}

/// Commands and message.
type Conversation = (Vec<String>, Vec<String>);

/// A mail server for one connection: answers `refusal` at its command, takes everything else; returns the envelope and
/// the message.
fn sink(refusal: Option<(&'static str, &'static str)>) -> (u16, JoinHandle<Conversation>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut out = stream.try_clone().unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let (mut commands, mut message) = (Vec::new(), Vec::new());
        out.write_all(b"220 sink.example ESMTP\r\n").unwrap();
        while let Some(command) = lines.next() {
            let word = command
                .split([' ', ':'])
                .next()
                .unwrap()
                .to_ascii_uppercase();
            let answer = match (refusal, word.as_str()) {
                (Some((at, text)), word) if at == word => text,
                (_, "EHLO") => "250-sink.example\r\n250 8BITMIME",
                (_, "DATA") => "354 go on",
                (_, "QUIT") => "221 bye",
                _ => "250 ok",
            };
            commands.push(command);
            out.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
            if answer.starts_with("354") {
                message.extend(lines.by_ref().take_while(|line| line != "."));
                out.write_all(b"250 queued\r\n").unwrap();
            }
            if word == "QUIT" {
                break;
            }
        }
        (commands, message)
    });
    (port, thread)
}

fn deliver(port: u16, letter: &Letter) -> Result<(), SendError> {
    let route = Route::parse(&format!("smtp://127.0.0.1:{port}")).unwrap();
    let deadline = Duration::from_secs(10);
    send(
        &route,
        "relay1.example.org",
        deadline,
        (&letter.from, &letter.to),
        &letter.bytes,
    )
}

#[test]
fn an_alert_arrives_at_a_mail_server_as_it_was_written() {
    let letter = write(&alert(&incident("alice@example.org")));
    let (port, server) = sink(None);
    deliver(port, &letter).unwrap();
    let (commands, message) = server.join().unwrap();
    assert_eq!(commands[0], "EHLO relay1.example.org");
    assert!(commands[1].starts_with("MAIL FROM:<postwarden@relay1.example.org>"));
    assert_eq!(commands[2], "RCPT TO:<abuse@example.org>");
    let sent = String::from_utf8(letter.bytes).unwrap();
    assert_eq!(message.join("\r\n").trim_end(), sent.trim_end());
}

#[test]
fn a_refusal_is_for_good_or_for_now_as_the_server_says() {
    let letter = write(&alert(&incident("alice@example.org")));
    let (port, server) = sink(Some(("RCPT", "450 4.2.0 greylisted")));
    let error = deliver(port, &letter).unwrap_err();
    assert!(matches!(error, SendError::Temporary(_)), "{error:?}");
    assert!(error.line().contains("greylisted"), "{}", error.line());
    drop(server);
    let (port, server) = sink(Some(("MAIL", "550 5.7.1 go away")));
    let error = deliver(port, &letter).unwrap_err();
    assert!(matches!(error, SendError::Permanent(_)), "{error:?}");
    drop(server);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = deliver(port, &letter).unwrap_err();
    assert_eq!(error.fault(), crate::telemetry::Fault::Environment);
    let wrong = Letter {
        to: vec!["no address".to_owned()],
        ..letter
    };
    let error = deliver(port, &wrong).unwrap_err();
    assert_eq!(error.fault(), crate::telemetry::Fault::Operator);
}
