//! The pyzor server, asked with datagrams as pyzor's client writes them.

use std::net::UdpSocket;

use super::*;

/// A server that has published `pyzor:abc`, and a client.
struct Client {
    _running: Running,
    socket: UdpSocket,
}

impl Client {
    fn new() -> Self {
        let listen = Listen {
            pyzor: vec!["udp:127.0.0.1:0".parse().unwrap()],
            ..Listen::default()
        };
        let running = Running::start(
            &listen,
            published("pyzor:abc".to_owned()),
            Limits::default(),
        );
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        socket.connect(&running.ports(Protocol::Pyzor)[0]).unwrap();
        Self {
            _running: running,
            socket,
        }
    }

    fn ask(&self, request: &str) -> String {
        self.socket.send(request.as_bytes()).unwrap();
        let mut reply = [0; 8192];
        let length = self.socket.recv(&mut reply).unwrap();
        String::from_utf8(reply[..length].to_vec()).unwrap()
    }

    fn op(&self, op: &str, digest: &str) -> String {
        self.ask(&format!(
            "Op: {op}\nOp-Digest: {digest}\nThread: 4711\nPV: 2.1\nUser: anonymous\nTime: 1\nSig: x\n\n"
        ))
    }
}

const OK: &str = "Code: 200\nDiag: OK\nPV: 2.1\nThread: 4711\n";

#[test]
fn a_published_digest_counts_and_another_does_not() {
    let client = Client::new();
    assert_eq!(
        client.op("check", "abc"),
        format!("{OK}Count: 100\nWL-Count: 0\n\n")
    );
    assert_eq!(
        client.op("check", "ABC"),
        format!("{OK}Count: 0\nWL-Count: 0\n\n")
    );
    let never = "Entered: 0\nUpdated: 0\nWL-Entered: 0\nWL-Updated: 0\n";
    assert_eq!(
        client.op("info", "abc"),
        format!("{OK}{never}Count: 100\nWL-Count: 0\n\n")
    );
    let most = i64::MAX;
    assert_eq!(
        client.op("pong", "abc"),
        format!("{OK}Count: {most}\nWL-Count: 0\n\n")
    );
    assert_eq!(
        client.ask("Op: ping\nThread: 4711\nPV: 2.1\n\n"),
        format!("{OK}\n")
    );
}

#[test]
fn nobody_may_report() {
    let client = Client::new();
    for op in ["report", "whitelist", "nonsense", ""] {
        let reply = client.op(op, "abc");
        assert!(
            reply.starts_with("Code: 403\nDiag: Forbidden: User is not authorized"),
            "{reply}"
        );
    }
    assert_eq!(
        client.op("check", "abc"),
        format!("{OK}Count: 100\nWL-Count: 0\n\n")
    );
}

#[test]
fn every_datagram_gets_an_answer() {
    let client = Client::new();
    let wrong = [
        ("", 400),
        ("garbage", 400),
        ("PV: x\n\n", 400),
        ("PV: 3\n\n", 505),
        ("User: a\nPV: 2.1\n\n", 401),
    ];
    for (request, code) in wrong {
        let reply = client.ask(request);
        assert!(reply.starts_with(&format!("Code: {code}\n")), "{reply}");
        assert!(reply.ends_with("Thread: \n\n"), "{reply}");
    }
    let long = format!("Op: ping\nPV: 2.1\nX: {}\n\n", "x".repeat(20_000));
    assert!(client.ask(&long).starts_with("Code: 200\n"));
}
