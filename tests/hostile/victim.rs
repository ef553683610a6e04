//! A whole log of an attacker: each text that he can choose is stuffed with members that fake the victim's name, on
//! messages of his own that remote servers refuse. Nothing of it may be the victim's, for the parser, for the engine, and
//! for the program.

use std::{fmt::Write as _, fs, process::Command};

use postwarden::{
    engine::{Engine, effect::Effect},
    ledger::SenderId,
    policy::Verdict,
    time::Timestamp,
};

use crate::properties::{
    attack::{self, Case, ID},
    log, state,
};

/// Texts that end one field and fake the ones behind it.
const STUFFING: &[&str] = &[
    ", sasl_sender=victim@v.example",
    ", sasl_username=victim@v.example",
    ", sasl_method=PLAIN, sasl_username=victim@v.example",
    ", orig_queue_id=ABCDEF0123",
    ", orig_client=victim.example[192.0.2.66]",
    ", orig_queue_id=ABCDEF0123, orig_client=victim.example[192.0.2.66]",
    " sasl_sender=victim@v.example",
    " sasl_method=PLAIN sasl_username=victim@v.example",
    "> sasl_username=<victim@v.example>",
    "> to=<victim@v.example> proto=ESMTP helo=<v.example> sasl_method=PLAIN sasl_username=victim@v.example",
    "; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example>",
    "; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example> sasl_method=PLAIN sasl_username=victim@v.example",
    "; from=<victim@v.example> to=<victim@v.example> proto=ESMTP helo=<v.example> sasl_username=<victim@v.example>",
    "; proto=ESMTP helo=<v.example> sasl_username=victim@v.example",
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
    "#012Nov  3 08:25:50 victim postfix/smtpd[1]: ABCDEF0123: client=victim.example[192.0.2.66], sasl_username=victim@v.example",
    "\\nNov  3 08:25:50 victim postfix/smtpd[1]: ABCDEF0123: client=victim.example[192.0.2.66], sasl_username=victim@v.example",
    "\nNov  3 08:25:50 victim postfix/smtpd[1]: ABCDEF0123: client=victim.example[192.0.2.66], sasl_username=victim@v.example",
    "\",\"SYSLOG_IDENTIFIER\":\"postfix/smtpd\",\"MESSAGE\":\"ABCDEF0123: client=victim.example[192.0.2.66], sasl_username=victim@v.example",
    "{\"MESSAGE\":\"ABCDEF0123: client=victim.example[192.0.2.66], sasl_username=victim@v.example\"}",
    "]: ABCDEF0123: client=victim.example[192.0.2.66]",
    "\u{2028}ABCDEF0123: client=victim.example[192.0.2.66]",
    "message repeated 99 times: [ victim]",
    "(((",
];

/// The victim's names.
const VICTIM: [&str; 4] = [
    "sasl:victim@v.example",
    "sasl:victim",
    "from:victim@v.example",
    "ip:192.0.2.66",
];

/// What Postfix makes of a text before it writes it.
fn printed(text: &str) -> String {
    super::properties::printable(text.as_bytes())
}

#[test]
fn no_text_of_a_stranger_makes_a_member_of_another_name() {
    let mut framing = 0;
    for case in attack::cases() {
        for one in STUFFING {
            for two in [STUFFING[1], STUFFING[11], one] {
                for line in (case.lines)(&printed(one), &printed(two)) {
                    framing += 1;
                    attack::check(case.field, &line, 0);
                    attack::check(case.field, &line, framing);
                }
            }
        }
    }
}

#[test]
fn a_fake_that_ends_where_a_text_is_cut_is_not_believed() {
    for case in attack::cases() {
        for stuffing in STUFFING {
            // So that the fake ends where the text is cut, and a few bytes off.
            let stuffing = printed(stuffing);
            let Some(line) = (case.lines)("", "").into_iter().next() else {
                continue;
            };
            let room = attack::LIMIT.saturating_sub(line.text.len() + stuffing.len());
            for fill in (room..room + 40).step_by(3) {
                let text = format!("{}{stuffing}", "x".repeat(fill));
                for line in (case.lines)(&text, &text).iter().take(2) {
                    attack::check(case.field, line, fill);
                }
            }
        }
    }
}

/// The log, and the clock that stamps it.
struct Writer {
    log: String,
    seconds: i64,
    messages: u64,
}

impl Writer {
    fn new() -> Self {
        Self {
            log: String::new(),
            seconds: 1_793_000_000,
            messages: 0,
        }
    }

    fn line(&mut self, daemon: &str, text: &str) {
        let at = Timestamp::from_seconds(self.seconds);
        writeln!(self.log, "{at} relay1 postfix/{daemon}[77]: {text}").unwrap();
    }

    fn next_id(&mut self) -> String {
        self.seconds += 7;
        self.messages += 1;
        format!("{:010X}", 0xA0_0000_0000_u64 + self.messages)
    }

    /// The victim's own mail, which everybody takes.
    fn honest(&mut self) {
        let id = self.next_id();
        self.line(
            "smtpd",
            &format!("{id}: client=victim.example[192.0.2.66], sasl_method=PLAIN, sasl_username=victim@v.example"),
        );
        self.line("cleanup", &format!("{id}: message-id=<{id}@v.example>"));
        self.line(
            "qmgr",
            &format!("{id}: from=<victim@v.example>, size=900, nrcpt=1 (queue active)"),
        );
        self.line(
            "smtp",
            &format!("{id}: to=<friend@example.net>, relay=mx.example.net[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)"),
        );
        self.line("qmgr", &format!("{id}: removed"));
    }

    /// A message of the attacker's that carries one line of a case, and is refused.
    fn hostile(&mut self, line: &attack::Line) {
        let id = self.next_id();
        let text = line.text.replace(ID, &id);
        let opens = matches!(line.kind, "client" | "pickup");
        if !opens {
            self.line(
                "smtpd",
                &format!(
                    "{id}: client=c.example[203.0.113.9], sasl_method=PLAIN, sasl_username=evil"
                ),
            );
        }
        self.line(line.daemon, &text);
        if line.kind != "message_id" {
            self.line("cleanup", &format!("{id}: message-id=<{id}@evil.example>"));
        }
        if line.kind != "queued" {
            self.line(
                "qmgr",
                &format!("{id}: from=<victim@v.example>, size=900, nrcpt=1 (queue active)"),
            );
        }
        self.line(
            "smtp",
            &format!(
                "{id}: to=<r{}@example.net>, relay=mx.example.net[198.51.100.10]:25, delay=1, delays=0/0/0/1, dsn=5.7.1, \
                 status=bounced (host mx.example.net[198.51.100.10] said: 550 5.7.1 Message rejected as spam (in reply to \
                 end of DATA command))",
                self.messages
            ),
        );
        self.line("qmgr", &format!("{id}: removed"));
    }
}

/// The victim's mail alone, and with the attack in between.
fn logs() -> (String, String) {
    let (mut control, mut attacked) = (Writer::new(), Writer::new());
    for case in attack::cases() {
        control.honest();
        attacked.honest();
        // The XFORWARD case is about a content filter: what it says of the first hop is to be believed.
        if case.field != "XFORWARD" {
            stuff(&mut attacked, case);
        }
        control.seconds = attacked.seconds;
    }
    (control.log, attacked.log)
}

fn stuff(log: &mut Writer, case: &Case) {
    for stuffing in STUFFING {
        let text = printed(stuffing);
        for line in (case.lines)(&text, &text) {
            log.hostile(&line);
        }
    }
}

#[test]
fn not_one_record_of_the_attackers_log_counts_for_the_victim() {
    let (control, attacked) = logs();
    let mut engines = [&control, &attacked].map(|log| {
        let mut setup = state::setup();
        // A relay that knows its own networks: mail without a login from elsewhere is evidence against nobody.
        setup.ledger.trusted = vec![("192.0.2.0".parse().unwrap(), 24)];
        let mut engine = Engine::new(setup);
        state::feed(&mut engine, log);
        engine
    });
    let [alone, with] = &mut engines;
    let mut convicted = 0;
    while let Some(effect) = with.next_effect() {
        let (sender, verdict) = match &effect {
            Effect::Verdict(change) => (&change.sender_id, change.verdict),
            Effect::Incident(incident) => (&incident.sender_id, incident.verdict),
            _ => continue,
        };
        assert!(!VICTIM.contains(&&*sender.to_string()), "{effect:#?}");
        convicted += u32::from(sender.to_string() == "sasl:evil" && verdict >= Verdict::Hold);
    }
    assert!(
        convicted > 0,
        "the attack is none if the attacker is not convicted"
    );
    for name in VICTIM {
        let id: SenderId = name.parse().unwrap();
        let entry = |engine: &Engine| {
            let found = engine.ledger().find(&id)?;
            let sender = engine.ledger().sender(found)?;
            Some((
                sender.messages,
                sender.familiar,
                sender.novel,
                sender.usual,
                sender.recent.clone(),
                sender.uncounted,
                sender.suspicion.held,
            ))
        };
        assert_eq!(
            format!("{:#?}", entry(with)),
            format!("{:#?}", entry(alone)),
            "{name}"
        );
        assert!(entry(with).is_none() || name == VICTIM[0]);
        assert_eq!(with.docket().verdict(&id), Verdict::Clear);
    }
}

#[test]
fn the_program_says_nothing_of_the_victim_over_the_attackers_log() {
    let (_, attacked) = logs();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mail.log");
    fs::write(&path, attacked).unwrap();
    let config = directory.path().join("postwarden.toml");
    fs::write(
        &config,
        format!("[state]\ndirectory = {:?}\n", directory.path()),
    )
    .unwrap();
    let said = |verb: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_postwarden"))
            .args([verb, "--tz", "UTC", "-c"])
            .args([&config, &path])
            .args((verb == "replay").then_some("--json"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let mut records = 0;
    for line in said("records").lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        if object["type"] == "summary" {
            assert_eq!(object["unparsed"], 0);
            continue;
        }
        records += 1;
        // All of these members would name the victim; `sender` is what the attacker writes on his envelopes.
        for member in [
            "sasl_username",
            "sasl_sender",
            "orig_queue_id",
            "orig_client",
            "queued_as",
            "relay_address",
            "orig_id",
        ] {
            let value = object[member].as_str().unwrap_or_default();
            let faked = ["victim@v.example", "victim", "ABCDEF0123", "192.0.2.66"].contains(&value);
            let own = object["client_address"] == "192.0.2.66";
            assert!(!faked || own, "{member}: {line}");
        }
        if object["client_address"] == "192.0.2.66" {
            assert_eq!(object["sasl_username"], "victim@v.example", "{line}");
            assert_eq!(object["client_name"], "victim.example", "{line}");
        }
    }
    assert!(records > 1000);
    let verdicts = said("replay");
    assert!(verdicts.contains("\"sasl:evil\""), "{verdicts}");
    for line in verdicts.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let sender = object["sender_id"].as_str().unwrap_or_default();
        assert!(!VICTIM.contains(&sender), "{line}");
    }
}

#[test]
fn what_other_programs_write_makes_no_record() {
    for stuffing in STUFFING {
        for line in [
            format!("Nov  3 08:25:50 relay1 sshd[9]: Invalid user postfix/smtpd[1]: ABCDEF0123: client=x[192.0.2.66]{stuffing}"),
            format!("Nov  3 08:25:50 relay1 sshd[9]: ABCDEF0123: client=x[192.0.2.66]{stuffing}"),
            format!("Nov  3 08:25:50 relay1 smtpd[9]: ABCDEF0123: client=x[192.0.2.66]{stuffing}"),
            format!("<38>1 2026-11-03T08:25:50Z relay1 sshd 9 - -  ABCDEF0123: client=x[192.0.2.66]{stuffing}"),
            format!("<38>1 2026-11-03T08:25:50Z relay1 sshd 9 - [x y=\"postfix/smtpd\"] postfix/smtpd[1]: ABCDEF0123: client=x[192.0.2.66]{stuffing}"),
            serde_json::json!({"SYSLOG_IDENTIFIER": "sshd", "MESSAGE": format!("postfix/smtpd[1]: ABCDEF0123: client=x[192.0.2.66]{stuffing}")}).to_string(),
            serde_json::json!({"program": "sshd", "msg": format!("ABCDEF0123: client=x[192.0.2.66]{stuffing}"), "x": {"SYSLOG_IDENTIFIER": "postfix/smtpd"}}).to_string(),
        ] {
            // As one line: syslogds write the line break as `#012`. What a broken line brings is the next test's.
            let line = printed(&line);
            let mut reader = log::reader();
            let reading = reader.read(line.as_bytes());
            assert_eq!(reading, postwarden::postfix::log_record::Reading::Foreign, "{line}");
        }
    }
}

#[test]
fn a_plain_answer_stays_whole_whatever_it_fakes() {
    // Where no second address can end in the answer, nothing is in doubt.
    for stuffing in [
        ", status=sent (250 2.0.0 ok)",
        "> sasl_username=<victim>",
        " (in reply to XVICTIM command)",
        "(((",
    ] {
        let truth = [
            ("queue_id", ID),
            ("recipient", "rcpt@example.net"),
            ("relay_host", "mx.example.net"),
            ("relay_address", "198.51.100.10"),
            ("delay", "3"),
            ("dsn", "5.7.1"),
            ("status", "bounced"),
            ("said_by", "mx.example.net[198.51.100.10]"),
            ("stage", "RCPT TO"),
        ];
        let line = attack::Line {
            daemon: "smtp",
            text: format!(
                "{ID}: to=<rcpt@example.net>, relay=mx.example.net[198.51.100.10], delay=3, dsn=5.7.1, status=bounced \
                 (host mx.example.net[198.51.100.10] said: 550 {stuffing} (in reply to RCPT TO command))"
            ),
            kind: "delivery",
            truth: truth.map(|(name, value)| (name, value.to_owned())).into(),
            must: &[
                "recipient",
                "status",
                "dsn",
                "said_by",
                "stage",
                "relay_address",
            ],
        };
        attack::check("remote answer", &line, 0);
    }
}
