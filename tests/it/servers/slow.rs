//! A slowed sender at a real smtpd: an engine that has seen its life decides, the policy service counts, time is an input.

use postwarden::{
    classify::Classifier,
    correlate,
    daemon::clock,
    engine::{
        Engine, Input, Setup,
        docket::Brake,
        effect::{Effect, VerdictChange},
    },
    ledger::{self, SenderId},
    policy::{Mode, Policies},
    postfix::log_record::{Reader, Reading},
    time::Zone,
};

use super::*;
use crate::servers::instance::{Instance, Smtp};

const ANNA: &str = "anna@example.org";
const HOME: &str = "192.0.2.7";
const AWAY: &str = "203.0.113.9";
const DAY: i64 = 86_400;
const SENT: &str = "dsn=2.0.0, status=sent (250 2.0.0 Ok)";
const SPAM: &str = "dsn=5.7.1, status=bounced (host mx.example[198.51.100.1] said: 554 5.7.1 Spam message rejected (in reply to end of DATA command))";

/// Two refusals for the content within an hour slow a sender; nothing holds it.
const RULE: &str = r#"
[[policy]]
name = "two-refused"
measure = "refusals"
verdict = "slow"
within = "1h"
count = ["content"]
refused_at_least = 2
refused_share = "5%"
"#;

struct Warden {
    engine: Engine,
    reader: Reader,
    now: i64,
    serial: u64,
    verdicts: Vec<VerdictChange>,
}

fn setup() -> Setup {
    Setup {
        mode: Mode::Enforce,
        policies: Policies::parse(&[("rule.toml".to_owned(), RULE.to_owned())]).unwrap(),
        classifier: Classifier::shipped().unwrap(),
        ledger: ledger::Setup::default(),
        correlate: correlate::Limits::default(),
        brake: Brake::default(),
    }
}

impl Warden {
    fn at(now: i64) -> Self {
        Self {
            engine: Engine::new(setup()),
            reader: Reader::new(Zone::utc(), Timestamp::from_seconds(now)),
            now,
            serial: 0,
            verdicts: Vec::new(),
        }
    }

    fn read(&mut self, line: &str) {
        if let Reading::Record(record) = self.reader.read(line.as_bytes()) {
            let line = line.as_bytes();
            self.engine.feed(
                record.at,
                Input::Record {
                    record: &record,
                    line,
                },
            );
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.engine.next_effect() {
            if let Effect::Verdict(change) = effect {
                self.verdicts.push(*change);
            }
        }
    }

    /// One message of Anna's account, and what the remote side says.
    fn mail(&mut self, client: &str, answer: &str) {
        self.now += 1;
        self.serial += 1;
        let (id, n) = (
            format!("{:010X}", 0xA0_0000_0000_u64 + self.serial),
            self.serial,
        );
        for (daemon, text) in [
            (
                "smtpd",
                format!("client=c[{client}], sasl_method=PLAIN, sasl_username={ANNA}"),
            ),
            (
                "qmgr",
                format!("from=<{ANNA}>, size=900, nrcpt=1 (queue active)"),
            ),
            (
                "smtp",
                format!(
                    "to=<r{n}@d.example>, relay=mx.d.example[198.51.100.1]:25, delay=1, delays=0/0/0/1, {answer}"
                ),
            ),
            ("qmgr", "removed".to_owned()),
        ] {
            let at = Timestamp::from_seconds(self.now);
            self.read(&format!("{at} relay1 postfix/{daemon}[77]: {id}: {text}"));
        }
    }

    /// Lets time pass for the engine: what it wanted to look at again by then is looked at.
    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        let now = Timestamp::from_seconds(self.now);
        while let Some(due) = self.engine.deadline().filter(|due| *due <= now) {
            self.engine.feed(due, Input::Tick);
        }
        self.drain();
    }

    fn anna() -> SenderId {
        format!("sasl:{ANNA}").parse().unwrap()
    }

    /// What counts against Anna's account: refused within the day.
    fn refused(&self) -> f64 {
        let sender = self.engine.ledger().find(&Self::anna()).unwrap();
        let entry = self.engine.ledger().sender(sender).unwrap();
        entry.novel.day.refused.sum() + entry.familiar.day.refused.sum()
    }
}

/// Six days of Anna's life at home, then a thief's ten letters from elsewhere, two of them refused.
fn stolen() -> Warden {
    let now = clock::now().seconds();
    let mut warden = Warden::at(now - 6 * DAY);
    for _ in 0..6 {
        (0..6).for_each(|_| warden.mail(HOME, SENT));
        warden.now += DAY - 6;
    }
    (0..8).for_each(|_| warden.mail(AWAY, SENT));
    assert!(warden.engine.view().slowed.is_empty());
    (0..2).for_each(|_| warden.mail(AWAY, SPAM));
    assert_eq!(
        warden.engine.view().slowed.len(),
        1,
        "{:?}",
        warden.verdicts
    );
    warden
}

/// The policy service over what the warden has decided, and a Postfix that asks it.
fn relay(warden: &Warden) -> (Running, Instance) {
    let listen = Listen {
        policy: vec![loopback()],
        ..Listen::default()
    };
    let running = Running::start(&listen, (*warden.engine.view()).clone(), Limits::default());
    let service = format!(
        "check_policy_service {{ inet:{}, timeout=2s, try_limit=1, default_action=DUNNO }}",
        running.ports(Protocol::Policy)[0]
    );
    let postfix = Instance::start(&format!(
        "smtpd_authorized_xclient_hosts = 127.0.0.1\ndefault_transport = discard:\n\
         mynetworks = 127.0.0.0/8 192.0.2.0/24 198.51.100.0/24 203.0.113.0/24\n\
         smtpd_data_restrictions = {service}\nsmtpd_end_of_data_restrictions = {service}"
    ));
    tell_time(&running, warden);
    (running, postfix)
}

fn tell_time(running: &Running, warden: &Warden) {
    let now = Timestamp::from_seconds(warden.now);
    running.now.store(now.micros(), Ordering::Relaxed);
}

fn is_put_off(reply: &str) {
    assert!(
        reply.starts_with("450 4.7.1") && reply.contains("slowed: "),
        "{reply}"
    );
}

fn is_taken(reply: &str) {
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}

#[test]
fn a_thief_is_put_off_beyond_his_allowance_while_the_owner_sends_and_all_ends_by_itself() {
    if crate::world::postfix().is_none() {
        return;
    }
    let mut warden = stolen();
    let (running, postfix) = relay(&warden);
    let mut thief = Smtp::with_login_from(postfix.port, ANNA, AWAY);
    let mut owner = Smtp::with_login_from(postfix.port, ANNA, HOME);
    // smtpd itself closes a connection after twenty errors.
    for n in 0..8 {
        is_put_off(&thief.send(ANNA, &format!("bad {n}")));
        is_taken(&owner.send(ANNA, &format!("good {n}")));
    }
    // Another network of the thief's shares the allowance; another login has its own business.
    is_put_off(&Smtp::with_login_from(postfix.port, ANNA, "198.51.100.77").send(ANNA, "bad"));
    is_taken(&Smtp::with_login_from(postfix.port, "bert@example.org", AWAY).send(ANNA, "good"));

    // What was put off stands in the log, and is counted for itself.
    let (before, verdicts) = (warden.refused(), warden.verdicts.len());
    for line in postfix.log().lines() {
        warden.read(line);
    }
    let slow = warden.engine.docket().slow_of(&Warden::anna()).unwrap();
    assert_eq!(slow.put_off, 9);
    assert!((warden.refused() - before).abs() < 1e-6, "no evidence");
    assert_eq!(warden.verdicts.len(), verdicts);

    // Six an hour: one after ten minutes.
    warden.now += 601;
    tell_time(&running, &warden);
    is_taken(&thief.send(ANNA, "one"));
    is_put_off(&thief.send(ANNA, "two"));

    // The evidence fades, and with it the limit.
    warden.pass(2 * 3600);
    running.view.store(warden.engine.view());
    tell_time(&running, &warden);
    for n in 0..20 {
        is_taken(&thief.send(ANNA, &format!("free {n}")));
    }
}

#[test]
fn a_restart_forgets_no_limit_and_gives_nobody_a_second_burst() {
    let mut warden = stolen();
    let restored = Engine::restore(setup(), warden.engine.checkpoint(), Vec::new()).unwrap();
    let (old, new) = (warden.engine.view(), restored.view());
    let (old, new) = (&old.slowed[&Warden::anna()], &new.slowed[&Warden::anna()]);
    assert_eq!(
        (old.since, &old.allowance.homes),
        (new.since, &new.allowance.homes)
    );
    assert!(new.allowance.novel.left < 1.0, "{new:?}");
}

#[test]
fn a_slowed_sender_cannot_put_his_recipients_into_fewer_messages() {
    let warden = stolen();
    let listen = Listen {
        policy: vec![loopback()],
        ..Listen::default()
    };
    let running = Running::start(&listen, (*warden.engine.view()).clone(), Limits::default());
    let mut stream = connect(&running.ports(Protocol::Policy)[0]);
    let mut question = |state: &str, client: &str, instance: &str, recipients: u32, later: i64| {
        let now = Timestamp::from_seconds(warden.now + later);
        running.now.store(now.micros(), Ordering::Relaxed);
        let asked = format!(
            "request=smtpd_access_policy\nprotocol_state={state}\ninstance={instance}\nsasl_username={ANNA}\n\
             sender={ANNA}\nclient_address={client}\nrecipient_count={recipients}\n\n"
        );
        ask(&mut stream, asked.as_bytes(), "\n\n")
    };
    let hour = 3600;
    assert!(question("DATA", AWAY, "a", 5, 0).starts_with("action=450 4.7.1 slowed: "));
    assert_eq!(question("DATA", AWAY, "a", 5, hour), "action=DUNNO\n\n");
    assert_eq!(
        question("END-OF-MESSAGE", AWAY, "a", 5, hour),
        "action=DUNNO\n\n"
    );
    assert!(question("RCPT", AWAY, "b", 0, hour + 1).starts_with("action=DUNNO"));
    assert!(question("RCPT", AWAY, "b", 0, hour + 1).starts_with("action=450 "));
    assert_eq!(question("MAIL", AWAY, "c", 0, hour + 1), "action=DUNNO\n\n");
    assert_eq!(
        question("DATA", HOME, "d", 500, hour + 1),
        "action=DUNNO\n\n"
    );
}
