//! What a person orders, and what Postfix is then answered: the verbs and the lookup tables on a running daemon.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use postwarden::demo::{
    client::{Client, Origin},
    warden::Orders,
};

use crate::scene::{Scene, scene};

const HELD: &str = "Mixed.Case+list@example.org";

fn order_hold(scene: &Scene) {
    scene
        .setup
        .tell(&[
            "hold",
            &format!("sasl:{HELD}"),
            "--reason",
            "a person said so",
            "--yes",
        ])
        .unwrap();
}

#[test]
fn a_persons_hold_stops_the_next_message_of_an_open_connection_and_release_lets_it_go() {
    let Some(scene) = scene(&Orders {
        enforce: true,
        ..Orders::default()
    }) else {
        return;
    };
    let _warden = scene.setup.start(&scene.world.stop).unwrap();
    let origin = Origin {
        address: "192.0.2.7".parse().unwrap(),
        port: 4711,
    };
    let mut client = Client::connect(scene.world.relay.address(), origin).unwrap();
    client.login(HELD).unwrap();
    let mut send = |number: u32| {
        let to = [format!("friend{number}@isp-a.example")];
        let content = format!(
            "X-Demo-Message: m{number}\nX-Demo-Sender: mixed\nSubject: x\n\nletter {number}\n"
        );
        client.send(HELD, &to, content.as_bytes()).unwrap()
    };
    assert!(send(1).is_positive());
    scene.until_quiet();
    order_hold(&scene);
    assert!(send(2).is_positive(), "hold never refuses");
    scene.until("the second letter on hold", || {
        scene.held().iter().any(|held| held.message == "m2")
    });
    assert!(scene.log().contains(": hold: "), "{}", scene.log());
    let delivered = |message: &str| {
        scene
            .world
            .witness
            .count(|seen| seen.message.as_deref() == Some(message))
    };
    assert_eq!((delivered("m1"), delivered("m2")), (1, 0));
    scene
        .setup
        .tell(&["release", "1", "--reason", "all is well", "--yes"])
        .unwrap();
    scene.until("the second letter to arrive", || delivered("m2") == 1);
    assert!(send(3).is_positive());
    scene.until("the third letter to arrive", || delivered("m3") == 1);
    assert_eq!(scene.held(), []);
}

#[test]
fn postmap_gets_right_answers_from_both_table_protocols_whatever_the_key() {
    let Some(scene) = scene(&Orders {
        enforce: true,
        ..Orders::default()
    }) else {
        return;
    };
    let _warden = scene.setup.start(&scene.world.stop).unwrap();
    order_hold(&scene);
    let ports = scene.world.ports;
    let tables = [
        format!("socketmap:inet:127.0.0.1:{}:abused", ports.socketmap),
        format!("tcp:127.0.0.1:{}", ports.tcp_table),
    ];
    let long = "x".repeat(1_500);
    for table in &tables {
        for key in [HELD.to_owned(), HELD.to_lowercase(), HELD.to_uppercase()] {
            let (status, answer, complaint) = postmap(&scene, table, &key);
            assert_eq!(
                (status, answer.as_str()),
                (Some(0), "HOLD incident 1"),
                "{table} {key}: {complaint}"
            );
        }
        for key in [
            "nobody@example.org",
            "with some spaces",
            "käse@exämple.org",
            "a\u{1}\t%\u{7f}b",
            &long,
        ] {
            let (status, answer, complaint) = postmap(&scene, table, key);
            assert_eq!(
                (status, answer.as_str(), complaint.as_str()),
                (Some(1), "", ""),
                "{table} {key:?}"
            );
        }
    }
}

#[test]
fn a_malformed_request_harms_nobody_else() {
    let Some(scene) = scene(&Orders {
        enforce: true,
        ..Orders::default()
    }) else {
        return;
    };
    let _warden = scene.setup.start(&scene.world.stop).unwrap();
    order_hold(&scene);
    let ports = scene.world.ports;
    let table = format!("socketmap:inet:127.0.0.1:{}:abused", ports.socketmap);
    for (port, bytes) in [
        (ports.socketmap, &b"99999999999999999999:"[..]),
        (ports.socketmap, b"abused key"),
        (ports.socketmap, b"5:abuse!"),
        (ports.socketmap, b"7:no such,"),
        (ports.tcp_table, b"put key value\n"),
        (ports.tcp_table, b"get %zz\n"),
        (ports.tcp_table, b"\0\0\0\n"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(
            !said.contains("OK") && !said.starts_with("200"),
            "{bytes:?} gave {said}"
        );
        assert_eq!(postmap(&scene, &table, HELD).1, "HOLD incident 1");
    }
}

/// `postmap -q`: exit status, answer, complaints.
fn postmap(scene: &Scene, table: &str, key: &str) -> (Option<i32>, String, String) {
    let output = Command::new(scene.world.postfix.command("postmap"))
        .args(["-q", key, table])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}
