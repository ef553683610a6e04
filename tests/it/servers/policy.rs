//! The policy service, asked by hand and by smtpd.

use super::*;
use crate::servers::instance::{Instance, Smtp};

fn listen() -> Listen {
    Listen {
        policy: vec![loopback()],
        ..Listen::default()
    }
}

fn question(state: &str, login: &str, sender: &str, client: &str) -> Vec<u8> {
    format!(
        "request=smtpd_access_policy\nprotocol_state={state}\nqueue_id=4F2A1C0D3B\nsasl_username={login}\nsender={sender}\n\
         client_address={client}\n\n"
    )
    .into_bytes()
}

#[test]
fn a_question_is_answered_by_login_else_by_sender_or_client() {
    let mut view = convicted(&["anna@example.org"], Verdict::Hold);
    let conviction = Conviction {
        incident: 8,
        verdict: Verdict::Suspend,
    };
    view.clients
        .insert("192.0.2.9".parse().unwrap(), conviction);
    let running = Running::start(&listen(), view, Limits::default());
    let mut stream = connect(&running.ports(Protocol::Policy)[0]);
    let mut ask = |state, login, sender, client| {
        ask(&mut stream, &question(state, login, sender, client), "\n\n")
    };
    let hold = "action=HOLD incident 7\n\n";
    for state in ["RCPT", "DATA", "BDAT", "END-OF-MESSAGE"] {
        assert_eq!(
            ask(state, "Anna@Example.org", "x@example.org", "192.0.2.1"),
            hold,
            "{state}"
        );
    }
    assert_eq!(ask("DATA", "", "anna@example.org", "192.0.2.1"), hold);
    assert_eq!(
        ask("DATA", "", "", "192.0.2.9"),
        "action=450 4.7.1 abused, incident 8\n\n"
    );
    for (state, login, sender, client) in [
        ("DATA", "bert@example.org", "anna@example.org", "192.0.2.9"),
        ("DATA", "", "", "unknown"),
        ("CONNECT", "", "", "192.0.2.9"),
    ] {
        assert_eq!(ask(state, login, sender, client), "action=DUNNO\n\n");
    }
}

#[test]
fn a_malformed_question_gets_no_answer_and_harms_nobody_else() {
    let running = Running::start(
        &listen(),
        convicted(&["anna"], Verdict::Hold),
        Limits::default(),
    );
    let port = &running.ports(Protocol::Policy)[0];
    let mut good = connect(port);
    for garbage in [&b"GET / HTTP/1.0\r\n\r\n"[..], b"\n\n", &[0; 70_000]] {
        let mut bad = connect(port);
        // What was not read any more when the server closed may come back as an error.
        drop(bad.write_all(garbage));
        assert!(is_closed(&mut bad));
        let found = ask(&mut good, &question("DATA", "anna", "", ""), "\n\n");
        assert_eq!(found, "action=HOLD incident 7\n\n");
    }
}

#[test]
fn smtpd_holds_mail_of_a_convicted_sender_in_open_connections_and_takes_mail_while_we_are_down() {
    let mut running = Running::start(&listen(), View::default(), Limits::default());
    let service = &running.ports(Protocol::Policy)[0];
    let postfix = Instance::start(&format!(
        "smtpd_data_restrictions = check_policy_service \
         {{ inet:{service}, timeout=2s, try_limit=1, default_action=DUNNO }}\ndefault_transport = discard:"
    ));
    let mut smtp = Smtp::connect(postfix.port);
    let queued =
        |reply: String| assert!(reply.starts_with("250 2.0.0"), "{reply}\n{}", postfix.log());
    queued(smtp.send("anna@example.org", "one"));
    assert_eq!(postfix.list("hold"), Vec::<String>::new());
    running
        .view
        .store(Arc::new(convicted(&["anna@example.org"], Verdict::Hold)));
    queued(smtp.send("anna@example.org", "two"));
    queued(smtp.send("bert@example.org", "three"));
    assert_eq!(postfix.list("hold").len(), 1);
    assert!(
        postfix.log().contains(": hold: DATA from "),
        "{}",
        postfix.log()
    );
    running
        .view
        .store(Arc::new(convicted(&["anna@example.org"], Verdict::Suspend)));
    let refusal = smtp.send("anna@example.org", "four");
    assert!(
        refusal.starts_with("450 4.7.1") && refusal.ends_with("abused, incident 7"),
        "{refusal}"
    );
    running.stop();
    queued(Smtp::connect(postfix.port).send("anna@example.org", "five"));
    assert_eq!(postfix.list("hold").len(), 1);
}

#[test]
fn smtpd_holds_mail_by_login_whatever_sender_it_writes() {
    let running = Running::start(
        &listen(),
        convicted(&["anna@example.org"], Verdict::Hold),
        Limits::default(),
    );
    let postfix = Instance::start(&format!(
        "smtpd_authorized_xclient_hosts = 127.0.0.1\ndefault_transport = discard:\nsmtpd_end_of_data_restrictions = \
         check_policy_service {{ inet:{}, timeout=2s, try_limit=1, default_action=DUNNO }}",
        running.ports(Protocol::Policy)[0]
    ));
    for (login, sender, held) in [
        ("bert@example.org", "anna@example.org", 0),
        ("Anna@Example.org", "somebody@example.com", 1),
    ] {
        let reply = Smtp::with_login(postfix.port, login).send(sender, "hello");
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
        assert_eq!(
            postfix.list("hold").len(),
            held,
            "{login}: {}",
            postfix.log()
        );
    }
}

#[test]
fn smtpd_holds_mail_by_an_access_map() {
    let listen = Listen {
        socketmap: vec![loopback()],
        ..Listen::default()
    };
    let running = Running::start(
        &listen,
        convicted(&["anna@example.org"], Verdict::Hold),
        Limits::default(),
    );
    let postfix = Instance::start(&format!(
        "default_transport = discard:\nsmtpd_data_restrictions = check_sender_access socketmap:inet:{}:abused",
        running.ports(Protocol::Socketmap)[0]
    ));
    for (sender, held) in [("", 0), ("bert@example.org", 0), ("Anna@Example.org", 1)] {
        let reply = postfix.send(sender, "hello");
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
        assert_eq!(
            postfix.list("hold").len(),
            held,
            "{sender}: {}",
            postfix.log()
        );
    }
}
