//! `postmap -q` against both table protocols, and peers that misbehave.

use postwarden::{server::Event, server::Table};

use super::*;
use crate::servers::instance::Instance;

fn listen(path: &Path) -> Listen {
    Listen {
        socketmap: vec![unix(path), loopback()],
        tcp_table: Table::ALL.map(|table| (table, loopback())).to_vec(),
        ..Listen::default()
    }
}

/// The answer of postmap: `None` is "not found"; anything else that goes wrong is a failure of the test.
fn query(postfix: &Instance, key: &str, map: &str) -> Option<String> {
    let output = postfix.command("postmap", &["-q", key, map]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "{map} {}: {said}", key.len());
    let found = String::from_utf8(output.stdout).unwrap();
    output
        .status
        .success()
        .then(|| found.trim_end_matches('\n').to_owned())
}

#[test]
fn postmap_gets_right_answers_for_every_kind_of_key() {
    let postfix = Instance::new("");
    let long = format!("{}@example.org", "a".repeat(1_500));
    let longer = "b".repeat(12_000);
    let longest = "c".repeat(60_000);
    let keys = [
        "anna@example.org",
        "first last@example.org",
        " leading and trailing ",
        "grün@bücher.example",
        "日本@example.org",
        "100%@example.org",
        "%41",
        "tab\tand\u{1}control\u{7f}",
        "header: folded\n\tline",
        &long,
        &longer,
        &longest,
    ];
    let path = postfix.path("socketmap");
    let running = Running::start(
        &listen(&path),
        convicted(&keys, Verdict::Hold),
        Limits::default(),
    );
    let port = running.ports(Protocol::Socketmap)[0].clone();
    let maps = [
        format!("socketmap:unix:{}:abused", path.display()),
        format!("socketmap:inet:{port}:abused"),
        format!("tcp:{}", running.ports(Protocol::TcpTable)[0]),
    ];
    for map in &maps {
        for key in keys {
            let found = query(&postfix, key, map);
            assert_eq!(found.as_deref(), Some("HOLD incident 7"), "{map} {key:.40}");
            let unknown = format!("{key}x");
            assert_eq!(query(&postfix, &unknown, map), None, "{map} {key:.40}");
        }
        assert_eq!(
            query(&postfix, "ANNA@Example.ORG", map).as_deref(),
            Some("HOLD incident 7")
        );
    }
}

#[test]
fn each_map_answers_under_its_name_and_an_unknown_one_is_an_error() {
    let postfix = Instance::new("");
    let path = postfix.path("socketmap");
    let running = Running::start(
        &listen(&path),
        published("pyzor:0123abcd".to_owned()),
        Limits::default(),
    );
    let refusal = Some("REJECT 5.7.1 content refused, incident 42".to_owned());
    let map = |name: &str| format!("socketmap:unix:{}:{name}", path.display());
    let tcp = |at: usize| format!("tcp:{}", running.ports(Protocol::TcpTable)[at]);
    for (digest, abused, line) in [
        (map("digest"), map("abused"), map("line")),
        (tcp(1), tcp(0), tcp(2)),
    ] {
        assert_eq!(query(&postfix, "pyzor:0123abcd", &digest), refusal);
        assert_eq!(query(&postfix, "pyzor:0123abce", &digest), None);
        assert_eq!(query(&postfix, "pyzor:0123abcd", &abused), None);
        assert_eq!(query(&postfix, "Subject: hello", &line), None);
    }
    let output = postfix.command("postmap", &["-q", "anna@example.org", &map("nonsense")]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("unknown map"), "{said}");
}

#[test]
fn a_change_of_the_view_is_seen_by_connections_that_are_open() {
    let postfix = Instance::new("");
    let path = postfix.path("socketmap");
    let running = Running::start(&listen(&path), View::default(), Limits::default());
    let mut stream = connect_unix(&path);
    let request = b"23:abused anna@example.org,";
    assert_eq!(ask(&mut stream, request, ","), "9:NOTFOUND ,");
    running
        .view
        .store(Arc::new(convicted(&["anna@example.org"], Verdict::Suspend)));
    assert_eq!(
        ask(&mut stream, request, "7,"),
        "31:OK 450 4.7.1 abused, incident 7,"
    );
}

#[test]
fn malformed_requests_get_a_protocol_error_and_harm_nobody_else() {
    let postfix = Instance::new("");
    let path = postfix.path("socketmap");
    let running = Running::start(
        &listen(&path),
        convicted(&["anna@example.org"], Verdict::Hold),
        Limits::default(),
    );
    let mut good = connect_unix(&path);
    let mut good_tcp = connect(&running.ports(Protocol::TcpTable)[0]);
    let mut check = || {
        let found = ask(&mut good, b"23:abused anna@example.org,", ",");
        assert_eq!(found, "18:OK HOLD incident 7,");
        let found = ask(&mut good_tcp, b"get anna@example.org\n", "\n");
        assert_eq!(found, "200 HOLD%20incident%207\n");
    };
    check();
    for garbage in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"99999999999:",
        b"3:abcd,",
        b"05:a b c,",
        &[0xff; 40],
    ] {
        let mut bad = connect_unix(&path);
        assert_eq!(
            ask(&mut bad, garbage, ","),
            "22:PERM malformed request,",
            "{garbage:?}"
        );
        assert!(is_closed(&mut bad));
        check();
    }
    let mut bad = connect(&running.ports(Protocol::Socketmap)[0]);
    assert_eq!(
        ask(&mut bad, &[b'x'; 300_000], ","),
        "22:PERM malformed request,"
    );
    let mut bad = connect(&running.ports(Protocol::TcpTable)[0]);
    for garbage in [
        &b"GET / HTTP/1.0\r\n"[..],
        b"\n",
        b"get %zz\n",
        b"put a b\n",
    ] {
        assert_eq!(
            ask(&mut bad, garbage, "\n"),
            "400 malformed%20request\n",
            "{garbage:?}"
        );
    }
    let mut half = connect_unix(&path);
    half.write_all(b"100:abused an").unwrap();
    drop(half);
    check();
    let counters = running.servers().counters();
    assert_eq!(counters.get(Protocol::Socketmap, Event::Malformed), 6);
    assert_eq!(counters.get(Protocol::TcpTable, Event::Malformed), 4);
}

#[test]
fn too_many_and_too_slow_connections_are_closed() {
    let postfix = Instance::new("");
    let path = postfix.path("socketmap");
    let limits = Limits {
        connections: 2,
        idle: Duration::from_millis(300),
        request: Duration::from_millis(100),
    };
    let running = Running::start(&listen(&path), View::default(), limits);
    let mut silent = connect_unix(&path);
    let mut slow = connect_unix(&path);
    slow.write_all(b"100:abused an").unwrap();
    let mut third = connect_unix(&path);
    assert!(is_closed(&mut third));
    assert!(is_closed(&mut slow));
    assert!(is_closed(&mut silent));
    let mut later = connect_unix(&path);
    assert_eq!(ask(&mut later, b"8:abused a,", ","), "9:NOTFOUND ,");
    let counters = running.servers().counters();
    assert_eq!(counters.get(Protocol::Socketmap, Event::Crowded), 1);
    assert_eq!(counters.get(Protocol::Socketmap, Event::Idle), 2);
}

#[test]
fn an_address_that_another_process_answers_on_is_not_taken() {
    let postfix = Instance::new("");
    let path = postfix.path("socketmap");
    let running = Running::start(&listen(&path), View::default(), Limits::default());
    let within = running._runtime.enter();
    let second = Servers::start(
        &listen(&path),
        &running.view,
        &Arc::new(Intake::new(Arc::new(Timestamp::default))),
        body_digest,
        Limits::default(),
    );
    let said = second.unwrap_err().to_string();
    assert_eq!(
        said,
        format!("another process listens on unix:{}", path.display())
    );
    drop(within);
    let mut stream = connect_unix(&path);
    assert_eq!(ask(&mut stream, b"8:abused a,", ","), "9:NOTFOUND ,");
}

#[test]
fn a_request_without_a_map_leaves_the_connection_usable() {
    let postfix = Instance::new("");
    let path = postfix.path("socketmap");
    let _running = Running::start(&listen(&path), View::default(), Limits::default());
    let mut odd = connect_unix(&path);
    assert_eq!(
        ask(&mut odd, b"6:abused,", ","),
        "22:PERM malformed request,"
    );
    assert_eq!(ask(&mut odd, b"7:abused ,", ","), "9:NOTFOUND ,");
}
