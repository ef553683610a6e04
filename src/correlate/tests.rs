//! What a user would notice: who is told to have sent what. Facts are written down as short lines.

use super::*;
use crate::postfix::{
    queue_file::{Head, Peer},
    record::{Action, Client, Delivery, Event, Record, Sasl},
};

mod real;

const LOOPBACK: &str = "127.0.0.1";
const OUTSIDE: &str = "203.0.113.9";

/// Stamps are seconds and tenths.
fn t(tenths: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + tenths * 100_000)
}

fn record<'a>(at: i64, daemon: &'a str, id: &'a str, event: Event<'a>) -> Record<'a> {
    Record {
        at: t(at),
        host: "relay1",
        service: "postfix",
        daemon,
        pid: 7,
        queue_id: Some(id).filter(|id| *id != "NOQUEUE"),
        repeat: 1,
        event,
    }
}

fn peer(address: &str) -> Client<'_> {
    Client {
        name: "host.example",
        address: address.parse().ok(),
        port: None,
    }
}

fn client<'a>(at: i64, id: &'a str, address: &'a str, login: Option<&'a str>) -> Record<'a> {
    record(
        at,
        "smtpd",
        id,
        Event::Client {
            client: peer(address),
            sasl: Sasl {
                username: login,
                ..Sasl::default()
            },
            orig_queue_id: None,
            orig_client: None,
        },
    )
}

fn reinjected<'a>(at: i64, id: &'a str, first: &'a str) -> Record<'a> {
    record(
        at,
        "smtpd",
        id,
        Event::Client {
            client: peer(LOOPBACK),
            sasl: Sasl::default(),
            orig_queue_id: Some(first),
            orig_client: Some(peer(OUTSIDE)),
        },
    )
}

fn queued<'a>(at: i64, id: &'a str, sender: &'a str) -> Record<'a> {
    record(
        at,
        "qmgr",
        id,
        Event::Queued {
            sender,
            size: 345,
            nrcpt: 2,
        },
    )
}

fn delivered<'a>(
    at: i64,
    daemon: &'a str,
    id: &'a str,
    relay: &'a str,
    status: Status,
    text: &'a str,
) -> Record<'a> {
    record(
        at,
        daemon,
        id,
        Event::Delivery(Delivery {
            recipient: Some("to@example.com"),
            orig_to: None,
            relay: Some(Relay {
                host: "mx.example",
                address: relay,
                port: Some(25),
            })
            .filter(|_| !relay.is_empty()),
            conn_use: None,
            delay: None,
            delays: None,
            dsn: Some("2.0.0"),
            status,
            status_text: "",
            text,
            reply: None,
            said_by: None,
            stage: None,
            suspended: text.starts_with("delivery temporarily suspended"),
            cut: false,
        }),
    )
}

fn sent<'a>(at: i64, id: &'a str) -> Record<'a> {
    delivered(
        at,
        "smtp",
        id,
        "192.0.2.25",
        Status::Sent,
        "250 2.0.0 Ok: queued as 1234567",
    )
}

fn removed<'a>(at: i64, id: &'a str) -> Record<'a> {
    record(at, "qmgr", id, Event::Removed { action: None })
}

fn later<'a>(at: i64) -> Record<'a> {
    record(at, "smtpd", "NOQUEUE", Event::Other { text: "" })
}

fn hold<'a>(at: i64, id: &'a str, address: &'a str) -> Record<'a> {
    record(
        at,
        "smtpd",
        id,
        Event::Hold(Action {
            action: "hold",
            stage: Some("RCPT"),
            client: Some(peer(address)),
            sender: Some("anna@example.org"),
            ..Action::default()
        }),
    )
}

/// A fact as a line: what, message, who, and what is left to say.
fn told(fact: &Fact<'_>) -> String {
    fn who(origin: &Origin) -> String {
        let sender = origin.sender.as_deref().unwrap_or("?");
        let from = match (&origin.login, origin.client_address) {
            (Some(login), _) => login.to_string(),
            (None, Some(address)) => address.to_string(),
            (None, None) => "-".to_owned(),
        };
        format!("{:?} {from} <{sender}>", origin.entry)
    }
    match fact {
        Fact::Submission {
            message, origin, ..
        } => format!("submission {} {}", message.0, who(origin)),
        Fact::Attempt(a) => format!(
            "attempt {} {} {} {:?}{}",
            a.message.0,
            a.queue_id,
            who(a.origin),
            a.status,
            if a.remote { " remote" } else { "" }
        ),
        Fact::Hop { message, from, .. } => format!("hop {} of {}", message.0, from.0),
        Fact::End { message, .. } => format!("end {}", message.0),
        Fact::Held { message, .. } => format!("held {}", message.0),
        Fact::Released { message, .. } => format!("released {}", message.0),
        Fact::Refused { origin, .. } => format!("refused {}", who(origin)),
    }
}

fn feed(correlator: &mut Correlator, records: &[Record<'_>]) -> Vec<String> {
    let mut facts = Vec::new();
    for record in records {
        correlator.feed(record, &mut |fact| facts.push(told(&fact)));
    }
    facts
}

/// Feeds the records at once, and again with a restart before every one of them: both must tell the same.
fn facts(records: &[Record<'_>]) -> Vec<String> {
    let at_once = feed(&mut Correlator::new(Limits::default()), records);
    let mut restarted = Vec::new();
    let mut correlator = Correlator::new(Limits::default());
    let mut stored = std::collections::BTreeMap::new();
    for record in records {
        for (key, state) in correlator.take_dirty() {
            match state {
                Some(state) => stored.insert(key, state),
                None => stored.remove(&key),
            };
        }
        let part = correlator.part();
        correlator =
            Correlator::restore(Limits::default(), &part, stored.values().map(Vec::as_slice))
                .unwrap();
        restarted.extend(feed(&mut correlator, std::slice::from_ref(record)));
    }
    assert_eq!(at_once, restarted, "a restart must not change what is told");
    at_once
}

#[test]
fn a_message_is_told_from_its_login_to_its_end() {
    assert_eq!(
        facts(&[
            client(0, "4F2A1C0D3B", OUTSIDE, Some("anna")),
            queued(1, "4F2A1C0D3B", "anna@example.org"),
            sent(5, "4F2A1C0D3B"),
            removed(6, "4F2A1C0D3B"),
            later(60),
        ]),
        [
            "submission 1 Smtp anna <anna@example.org>",
            "attempt 1 4F2A1C0D3B Smtp anna <anna@example.org> Sent remote",
            "end 1"
        ]
    );
}

#[test]
fn a_second_round_of_delivery_is_no_second_submission() {
    let told = facts(&[
        client(0, "AAAAAA", OUTSIDE, Some("anna")),
        queued(1, "AAAAAA", "a@example.org"),
        queued(3000, "AAAAAA", "a@example.org"),
    ]);
    assert_eq!(told.len(), 1);
}

#[test]
fn removed_before_the_last_status_loses_nothing() {
    assert_eq!(
        facts(&[
            client(0, "AAAAAA", OUTSIDE, Some("anna")),
            queued(1, "AAAAAA", "a@example.org"),
            removed(5, "AAAAAA"),
            sent(6, "AAAAAA"),
            later(100),
        ])[1..],
        [
            "attempt 1 AAAAAA Smtp anna <a@example.org> Sent remote",
            "end 1"
        ]
    );
}

#[test]
fn a_reused_id_never_gives_one_senders_answer_to_the_next() {
    assert_eq!(
        facts(&[
            client(0, "AAAAAA", OUTSIDE, Some("anna")),
            queued(1, "AAAAAA", "anna@example.org"),
            client(8, "AAAAAA", "198.51.100.1", Some("bert")),
            removed(9, "AAAAAA"),
            delivered(
                9,
                "smtp",
                "AAAAAA",
                "192.0.2.1",
                Status::Bounced,
                "host said: 550"
            ),
            queued(10, "AAAAAA", "bert@example.org"),
            sent(12, "AAAAAA"),
            later(100),
        ])[1..],
        [
            "attempt 1 AAAAAA Smtp anna <anna@example.org> Bounced remote",
            "submission 2 Smtp bert <bert@example.org>",
            "attempt 2 AAAAAA Smtp bert <bert@example.org> Sent remote",
            "end 1"
        ]
    );
}

#[test]
fn a_line_ahead_of_the_opening_line_waits_for_it() {
    assert_eq!(
        facts(&[
            queued(0, "AAAAAA", "anna@example.org"),
            sent(1, "AAAAAA"),
            client(2, "AAAAAA", OUTSIDE, Some("anna")),
            removed(3, "AAAAAA"),
        ]),
        [
            "submission 1 Smtp anna <anna@example.org>",
            "attempt 1 AAAAAA Smtp anna <anna@example.org> Sent remote"
        ]
    );
}

#[test]
fn a_log_that_starts_in_the_middle_blames_nobody() {
    assert_eq!(
        facts(&[
            sent(0, "AAAAAA"),
            removed(1, "AAAAAA"),
            later(50),
            later(100)
        ]),
        ["attempt 1 AAAAAA Unknown - <?> Sent remote", "end 1"]
    );
}

#[test]
fn a_requeued_message_is_the_same_message() {
    let pickup = record(
        40,
        "pickup",
        "BBBBBB",
        Event::Pickup {
            uid: 102,
            sender: "anna@example.org",
            orig_id: Some("AAAAAA"),
        },
    );
    assert_eq!(
        facts(&[
            client(0, "AAAAAA", OUTSIDE, Some("anna")),
            queued(1, "AAAAAA", "anna@example.org"),
            record(2, "postsuper", "AAAAAA", Event::Hold(Action::default())),
            record(30, "postsuper", "AAAAAA", Event::Requeue),
            pickup,
            queued(41, "BBBBBB", "anna@example.org"),
            sent(42, "BBBBBB"),
            removed(43, "BBBBBB"),
            later(300),
        ]),
        [
            "submission 1 Smtp anna <anna@example.org>",
            "held 1",
            "released 1",
            "attempt 1 BBBBBB Smtp anna <anna@example.org> Sent remote",
            "end 1"
        ]
    );
}

#[test]
fn a_filter_with_xforward_hands_the_login_on_and_its_hop_is_not_remote() {
    assert_eq!(
        facts(&[
            client(0, "AAAAAA", OUTSIDE, Some("anna")),
            queued(1, "AAAAAA", "anna@example.org"),
            reinjected(5, "BBBBBB", "AAAAAA"),
            queued(6, "BBBBBB", "anna@example.org"),
            delivered(
                7,
                "smtp",
                "AAAAAA",
                LOOPBACK,
                Status::Sent,
                "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as BBBBBB"
            ),
            removed(7, "AAAAAA"),
            sent(9, "BBBBBB"),
        ]),
        [
            "submission 1 Smtp anna <anna@example.org>",
            "hop 2 of 1",
            "attempt 1 AAAAAA Smtp anna <anna@example.org> Sent",
            "attempt 2 BBBBBB Smtp anna <anna@example.org> Sent remote"
        ]
    );
}

#[test]
fn a_filter_without_xforward_is_followed_by_its_answer_even_if_its_hop_is_logged_first() {
    let mut records = Vec::new();
    for (at, first, second) in [(0, "AAAAAA", "BBBBBB"), (100, "CCCCCC", "DDDDDD")] {
        let answer = if at == 0 {
            "250 2.0.0 Ok: queued as BBBBBB"
        } else {
            "250 2.0.0 Ok, id=01106-02, from MTA([127.0.0.1]:10025): 250 2.0.0 Ok: queued as DDDDDD"
        };
        records.extend([
            client(at, first, OUTSIDE, Some("anna")),
            queued(at + 1, first, "anna@example.org"),
            client(at + 2, second, LOOPBACK, None),
        ]);
        let hop = delivered(at + 5, "smtp", first, LOOPBACK, Status::Sent, answer);
        if at == 0 {
            // The first time nothing has shown yet that there is a filter.
            records.extend([
                hop,
                queued(at + 6, second, "anna@example.org"),
                sent(at + 7, second),
            ]);
        } else {
            records.extend([
                queued(at + 3, second, "anna@example.org"),
                sent(at + 4, second),
                hop,
            ]);
        }
    }
    let told = facts(&records);
    assert_eq!(
        told.iter()
            .filter(|fact| fact.starts_with("submission"))
            .count(),
        2,
        "{told:?}"
    );
    assert!(told.contains(&"attempt 4 DDDDDD Smtp anna <anna@example.org> Sent remote".to_owned()));
    assert!(!told.iter().any(|fact| fact.contains(LOOPBACK)), "{told:?}");
}

#[test]
fn a_remote_answer_that_names_one_of_our_ids_ties_nothing() {
    let told = facts(&[
        client(0, "AAAAAA", OUTSIDE, Some("victim")),
        queued(1, "AAAAAA", "victim@example.org"),
        client(2, "BBBBBB", "192.0.2.66", None),
        delivered(
            3,
            "smtp",
            "AAAAAA",
            "192.0.2.66",
            Status::Sent,
            "250 Ok: queued as BBBBBB",
        ),
        queued(4, "BBBBBB", "x@example.net"),
        delivered(
            5,
            "smtp",
            "BBBBBB",
            "192.0.2.67",
            Status::Bounced,
            "forwarded as AAAAAA",
        ),
    ]);
    assert_eq!(told[2], "submission 2 Smtp 192.0.2.66 <x@example.net>");
    assert_eq!(
        told[3],
        "attempt 2 BBBBBB Smtp 192.0.2.66 <x@example.net> Bounced remote"
    );
}

#[test]
fn the_login_before_a_proxy_belongs_to_the_message_behind_it() {
    let accept = |at| {
        record(
            at,
            "smtpd",
            "NOQUEUE",
            Event::ProxyAccept {
                action: Action {
                    client: Some(peer(OUTSIDE)),
                    sender: Some("anna@example.org"),
                    sasl: Sasl {
                        username: Some("anna"),
                        ..Sasl::default()
                    },
                    ..Action::default()
                },
                queued_as: Some("BBBBBB"),
            },
        )
    };
    let before = facts(&[
        accept(0),
        client(1, "BBBBBB", LOOPBACK, None),
        queued(2, "BBBBBB", "anna@example.org"),
    ]);
    let after = facts(&[
        client(0, "BBBBBB", LOOPBACK, None),
        accept(1),
        queued(2, "BBBBBB", "anna@example.org"),
    ]);
    assert_eq!(before, ["submission 1 Smtp anna <anna@example.org>"]);
    assert_eq!(after, before);
}

#[test]
fn a_notification_is_nobodys_mail_in_either_order_of_lines() {
    let bounced = delivered(
        2,
        "smtp",
        "AAAAAA",
        "192.0.2.1",
        Status::Bounced,
        "host said: 550",
    );
    let notification = |at| {
        record(
            at,
            "bounce",
            "AAAAAA",
            Event::Notification {
                action: "sender non-delivery notification",
                notification_id: "BBBBBB",
            },
        )
    };
    let start = [
        client(0, "AAAAAA", OUTSIDE, Some("anna")),
        queued(1, "AAAAAA", "anna@example.org"),
        bounced,
    ];
    let refused = delivered(
        6,
        "smtp",
        "BBBBBB",
        "192.0.2.1",
        Status::Bounced,
        "host said: 550",
    );
    for order in [
        [queued(3, "BBBBBB", ""), notification(4)],
        [notification(3), queued(4, "BBBBBB", "")],
    ] {
        let mut records = start.to_vec();
        records.extend(order);
        records.push(refused.clone());
        assert_eq!(
            facts(&records)[2..],
            ["attempt 2 BBBBBB Notification anna <> Bounced"]
        );
    }
}

#[test]
fn a_local_forward_is_nobodys_own_doing() {
    let forward = delivered(
        2,
        "local",
        "AAAAAA",
        "",
        Status::Sent,
        "forwarded as BBBBBB",
    );
    let told = facts(&[
        client(0, "AAAAAA", OUTSIDE, Some("anna")),
        queued(1, "AAAAAA", "anna@example.org"),
        queued(2, "BBBBBB", "anna@example.org"),
        forward,
        sent(3, "BBBBBB"),
    ]);
    assert_eq!(
        told[2..],
        ["attempt 2 BBBBBB Forwarded anna <anna@example.org> Sent remote"]
    );
}

#[test]
fn a_probe_is_no_mail() {
    let told = facts(&[
        queued(0, "AAAAAA", "double-bounce@example.org"),
        delivered(
            1,
            "smtp",
            "AAAAAA",
            "192.0.2.1",
            Status::Undeliverable,
            "host said: 550",
        ),
    ]);
    assert_eq!(
        told,
        ["attempt 1 AAAAAA Probe - <double-bounce@example.org> Undeliverable"]
    );
}

#[test]
fn a_hold_without_id_is_for_the_next_message_of_that_session() {
    let told = facts(&[
        hold(0, "NOQUEUE", OUTSIDE),
        client(1, "AAAAAA", OUTSIDE, Some("anna")),
        client(2, "BBBBBB", OUTSIDE, Some("anna")),
        record(90, "postsuper", "AAAAAA", Event::Release),
        queued(91, "AAAAAA", "anna@example.org"),
        sent(92, "AAAAAA"),
    ]);
    assert_eq!(
        told,
        [
            "submission 1 Smtp anna <anna@example.org>",
            "held 1",
            "released 1",
            "attempt 1 AAAAAA Smtp anna <anna@example.org> Sent remote"
        ]
    );
    let other_session = facts(&[
        hold(0, "NOQUEUE", OUTSIDE),
        record(1, "smtpd", "NOQUEUE", Event::Connect(peer("198.51.100.1"))),
        client(2, "AAAAAA", OUTSIDE, Some("anna")),
    ]);
    assert!(other_session.is_empty());
}

#[test]
fn own_troubles_and_repeated_suspensions_are_no_remote_opinion() {
    let told = facts(&[
        client(0, "AAAAAA", OUTSIDE, Some("anna")),
        queued(1, "AAAAAA", "a@example.org"),
        delivered(
            2,
            "error",
            "AAAAAA",
            "",
            Status::Deferred,
            "delivery temporarily suspended: host said: 421",
        ),
        delivered(
            2,
            "",
            "AAAAAA",
            "",
            Status::Deferred,
            "mail transport unavailable",
        ),
        delivered(
            2,
            "smtp",
            "AAAAAA",
            "",
            Status::Deferred,
            "connect to mx.example[192.0.2.1]:25: Connection refused",
        ),
        record(
            3,
            "qmgr",
            "AAAAAA",
            Event::Expired {
                sender: "",
                status: "expired",
            },
        ),
        delivered(
            4,
            "smtp",
            "AAAAAA",
            "192.0.2.1",
            Status::Bounced,
            "host said: 550",
        ),
    ]);
    let remote: Vec<bool> = told[1..].iter().map(|f| f.ends_with("remote")).collect();
    assert_eq!(remote, [false, false, true, false]);
}

fn head(login: &str) -> Head {
    Head {
        arrival: Some(t(0)),
        sasl_username: Some(login.into()),
        sender: Some("anna@example.org".into()),
        client: Peer {
            address: OUTSIDE.parse().ok(),
            ..Peer::default()
        },
        recipient_count: Some(3),
        ..Head::default()
    }
}

fn adopt(correlator: &mut Correlator, host: &str, queue_id: &str, out: &mut dyn FnMut(Fact<'_>)) {
    let found = Found {
        host,
        queue_id,
        arrival: t(0),
        origin: Origin::of_file(&head("anna")),
        first: None,
        recipients: 3,
        size: 345,
        held: false,
    };
    correlator.adopt(found, out);
}

#[test]
fn a_backlog_without_a_log_is_attributed_by_its_queue_files() {
    let mut correlator = Correlator::new(Limits::default());
    let mut facts = Vec::new();
    for id in ["AAAAAA", "BBBBBB"] {
        adopt(&mut correlator, "", id, &mut |fact| {
            facts.push(told(&fact));
        });
    }
    assert_eq!(
        facts,
        [
            "submission 1 Smtp anna <anna@example.org>",
            "submission 2 Smtp anna <anna@example.org>"
        ]
    );
    let told = feed(
        &mut correlator,
        &[queued(5, "AAAAAA", "anna@example.org"), sent(6, "AAAAAA")],
    );
    assert_eq!(
        told,
        ["attempt 1 AAAAAA Smtp anna <anna@example.org> Sent remote"]
    );
    assert_eq!(correlator.open_messages().count(), 2);
}

#[test]
fn a_queue_file_read_before_its_opening_line_is_the_same_message() {
    let mut correlator = Correlator::new(Limits::default());
    let mut first = 0;
    adopt(&mut correlator, "", "AAAAAA", &mut |_| {
        first += 1;
    });
    let told = feed(
        &mut correlator,
        &[
            client(1, "AAAAAA", OUTSIDE, Some("anna")),
            queued(2, "AAAAAA", "anna@example.org"),
            sent(3, "AAAAAA"),
        ],
    );
    assert_eq!(first, 1);
    assert_eq!(
        told,
        ["attempt 1 AAAAAA Smtp anna <anna@example.org> Sent remote"]
    );
}

#[test]
fn a_queue_file_on_hold_is_held_mail_and_behind_a_filter_it_is_the_first_hops() {
    let mut correlator = Correlator::new(Limits::default());
    feed(
        &mut correlator,
        &[
            client(0, "AAAAAA", OUTSIDE, Some("anna")),
            queued(1, "AAAAAA", "anna@example.org"),
        ],
    );
    let file = Head {
        sasl_username: None,
        ..head("")
    };
    let found = Found {
        host: "",
        queue_id: "BBBBBB",
        arrival: t(2),
        origin: Origin::of_file(&file),
        first: Some("AAAAAA"),
        recipients: 3,
        size: 345,
        held: true,
    };
    let mut facts = Vec::new();
    correlator.adopt(found, &mut |fact| facts.push(told(&fact)));
    assert_eq!(
        facts,
        ["submission 2 Smtp anna <anna@example.org>", "held 2"]
    );
    let held: Vec<bool> = correlator.open_messages().map(|open| open.held).collect();
    assert_eq!(held, [false, true]);
}

#[test]
fn an_unknown_message_is_asked_for_once_and_its_attempts_wait_for_the_answer() {
    let mut correlator = Correlator::new(Limits::default());
    assert!(
        feed(
            &mut correlator,
            &[queued(0, "AAAAAA", "x@example.org"), sent(1, "AAAAAA")]
        )
        .is_empty()
    );
    let asked = correlator.unknown(10);
    assert_eq!(asked.len(), 1);
    assert!(correlator.unknown(10).is_empty());
    let mut facts = Vec::new();
    adopt(
        &mut correlator,
        &asked[0].host,
        &asked[0].queue_id,
        &mut |fact| {
            facts.push(told(&fact));
        },
    );
    assert_eq!(
        facts,
        [
            "submission 1 Smtp anna <anna@example.org>",
            "attempt 1 AAAAAA Smtp anna <anna@example.org> Sent remote"
        ]
    );
}

#[test]
fn a_login_that_can_be_read_in_two_ways_is_not_none_but_asked_for() {
    // `sasl_username=anna, sasl_sender=x`: the record leaves the login out, the method stays.
    let mut opening = client(0, "AAAAAA", OUTSIDE, None);
    if let Event::Client { sasl, .. } = &mut opening.event {
        sasl.method = Some("PLAIN");
    }
    let mut correlator = Correlator::new(Limits::default());
    let lines = [
        opening,
        queued(1, "AAAAAA", "victim@example.org"),
        sent(2, "AAAAAA"),
    ];
    assert!(feed(&mut correlator, &lines).is_empty());
    assert_eq!(correlator.unknown(10).len(), 1);
    let mut facts = Vec::new();
    adopt(&mut correlator, "relay1", "AAAAAA", &mut |fact| {
        facts.push(told(&fact));
    });
    assert_eq!(facts.len(), 2);
    assert!(
        facts.iter().all(|fact| fact.contains("Smtp anna ")),
        "{facts:?}"
    );
}

#[test]
fn the_same_id_on_two_hosts_is_two_messages() {
    let mut other = client(1, "AAAAAA", "198.51.100.1", Some("bert"));
    other.host = "relay2";
    let mut other_queued = queued(3, "AAAAAA", "bert@example.org");
    other_queued.host = "relay2";
    let told = facts(&[
        client(0, "AAAAAA", OUTSIDE, Some("anna")),
        other,
        queued(2, "AAAAAA", "anna@example.org"),
        other_queued,
    ]);
    assert_eq!(
        told,
        [
            "submission 1 Smtp anna <anna@example.org>",
            "submission 2 Smtp bert <bert@example.org>"
        ]
    );
}

#[test]
fn memory_is_bounded_and_the_oldest_goes_first_and_is_counted() {
    let mut correlator = Correlator::new(Limits {
        messages: 10,
        ..Limits::default()
    });
    let ids: Vec<String> = (0..100).map(|i| format!("AAAA{i:04}")).collect();
    for (i, id) in (0..).zip(&ids) {
        feed(
            &mut correlator,
            &[
                client(i, id, OUTSIDE, Some("anna")),
                queued(i, id, "a@example.org"),
            ],
        );
    }
    assert_eq!(correlator.len(), 10);
    assert_eq!(correlator.counters().evicted, 90);
    let first = correlator.open_messages().next().unwrap();
    assert_eq!(first.queue_id, "AAAA0090");
}

#[test]
fn what_was_refused_after_its_data_is_forgotten_and_what_is_queued_stays_for_days() {
    let mut correlator = Correlator::new(Limits::default());
    feed(
        &mut correlator,
        &[
            client(0, "AAAAAA", OUTSIDE, Some("anna")),
            client(1, "BBBBBB", OUTSIDE, Some("anna")),
            queued(2, "BBBBBB", "a@example.org"),
            later(36_001),
            later(72_002),
        ],
    );
    let open: Vec<&str> = correlator
        .open_messages()
        .map(|open| open.queue_id)
        .collect();
    assert_eq!(open, ["BBBBBB"]);
    let mut at = 72_002;
    while at < 7 * 864_000 {
        at += 800_000;
        feed(&mut correlator, &[later(at)]);
    }
    assert!(correlator.is_empty());
    assert_eq!(correlator.counters().aged_out, 2);
}

#[test]
fn one_stamp_from_another_age_forgets_nobody() {
    let mut correlator = Correlator::new(Limits::default());
    let told = feed(
        &mut correlator,
        &[
            client(0, "AAAAAA", OUTSIDE, Some("anna")),
            later(400_000_000_000),
            queued(2, "AAAAAA", "anna@example.org"),
        ],
    );
    assert_eq!(told, ["submission 1 Smtp anna <anna@example.org>"]);
}
