//! The milter, asked by smtpd.

use super::*;
use crate::servers::instance::{Instance, Smtp};
use postwarden::server::Event;

fn listen() -> Listen {
    Listen {
        milter: vec![loopback()],
        ..Listen::default()
    }
}

fn settings(running: &Running) -> String {
    format!(
        "smtpd_milters = {{ inet:{}, default_action=accept, connect_timeout=2s, command_timeout=5s }}\n\
         default_transport = discard:",
        running.ports(Protocol::Milter)[0]
    )
}

#[test]
fn smtpd_refuses_published_content_takes_other_content_and_takes_all_while_we_are_down() {
    let spam = "Cheap pills.\r\n..dots\r\nBuy now!";
    let mut running = Running::start(&listen(), View::default(), Limits::default());
    let postfix = Instance::start(&settings(&running));
    let accepted =
        |reply: String| assert!(reply.starts_with("250 2.0.0"), "{reply}\n{}", postfix.log());
    accepted(postfix.send("eve@example.com", spam));
    running.view.store(Arc::new(published(
        "pyzor:Cheap pills.\n.dots\nBuy now!\n".to_owned(),
    )));
    for from in ["eve@example.com", "mallory@example.net", ""] {
        let reply = postfix.send(from, spam);
        assert_eq!(
            reply,
            "550 5.7.1 content refused, incident 42",
            "{}",
            postfix.log()
        );
    }
    accepted(postfix.send("friend@example.com", "Dear Anna,\r\nall is well."));
    let large = "0123456789abcdef\r\n".repeat(9_000);
    accepted(postfix.send("friend@example.com", &large));
    let counters = running.servers().counters();
    assert_eq!(counters.get(Protocol::Milter, Event::Hit), 3);
    assert_eq!(counters.get(Protocol::Milter, Event::Clear), 2);
    running.stop();
    accepted(postfix.send("eve@example.com", spam));
}

#[test]
fn a_message_above_the_limit_goes_through() {
    let running = Running::start(
        &listen(),
        published("pyzor:bad\n".to_owned()),
        Limits::default(),
    );
    let postfix = Instance::start(&format!(
        "message_size_limit = 30000000\n{}",
        settings(&running)
    ));
    let reply = postfix.send(
        "friend@example.com",
        &"0123456789abcdef\r\n".repeat(700_000),
    );
    assert!(reply.starts_with("250 2.0.0"), "{reply}\n{}", postfix.log());
    let counters = running.servers().counters();
    assert_eq!(counters.get(Protocol::Milter, Event::Oversized), 1);
    assert_eq!(
        postfix.send("eve@example.com", "bad"),
        "550 5.7.1 content refused, incident 42"
    );
}

#[test]
fn mail_of_who_has_logged_in_is_not_judged_by_content() {
    let running = Running::start(
        &listen(),
        published("pyzor:bad\n".to_owned()),
        Limits::default(),
    );
    let postfix = Instance::start(&format!(
        "smtpd_authorized_xclient_hosts = 127.0.0.1\n{}",
        settings(&running)
    ));
    let mut smtp = Smtp::with_login(postfix.port, "anna@example.org");
    for _ in 0..2 {
        let reply = smtp.send("anna@example.org", "bad");
        assert!(reply.starts_with("250 2.0.0"), "{reply}\n{}", postfix.log());
    }
    assert_eq!(
        postfix.send("eve@example.com", "bad"),
        "550 5.7.1 content refused, incident 42"
    );
}
