//! The servers and the root end, asked by Postfix's own programs.

mod holder;
mod instance;
mod milter;
mod policy;
mod pyzor;
mod slow;
mod tables;

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use postwarden::{
    engine::view::{Conviction, Publication, View},
    policy::Verdict,
    server::{Address, Digester, Intake, Limits, Listen, Protocol, Servers, SharedView},
    time::Timestamp,
};
use tokio::runtime::Runtime;

/// Running servers over a view that the test makes up.
struct Running {
    servers: Option<Servers>,
    view: SharedView,
    /// The time that the servers know, microseconds since the epoch.
    now: Arc<AtomicI64>,
    _runtime: Runtime,
}

impl Running {
    fn start(listen: &Listen, view: View, limits: Limits) -> Self {
        let runtime = Runtime::new().unwrap();
        let view = Arc::new(ArcSwap::from_pointee(view));
        let within = runtime.enter();
        let now = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&now);
        let intake = Arc::new(Intake::new(Arc::new(move || {
            Timestamp::from_micros(clock.load(Ordering::Relaxed))
        })));
        let digester = body_digest as Digester;
        let servers = Servers::start(listen, &view, &intake, digester, limits).unwrap();
        drop(within);
        Self {
            servers: Some(servers),
            view,
            now,
            _runtime: runtime,
        }
    }

    fn servers(&self) -> &Servers {
        self.servers.as_ref().unwrap()
    }

    /// `127.0.0.1:port` of the TCP or UDP listeners of a protocol.
    fn ports(&self, protocol: Protocol) -> Vec<String> {
        let of = |(found, address): (Protocol, &Address)| match address {
            Address::Inet(port) | Address::Udp(port) if found == protocol => Some(port.clone()),
            _ => None,
        };
        self.servers().addresses().filter_map(of).collect()
    }

    fn stop(&mut self) {
        drop(self.servers.take());
    }
}

fn loopback() -> Address {
    "inet:127.0.0.1:0".parse().unwrap()
}

fn unix(path: &Path) -> Address {
    Address::Unix(path.to_owned())
}

fn convicted(keys: &[&str], verdict: Verdict) -> View {
    let conviction = Conviction {
        incident: 7,
        verdict,
    };
    let of = |key: &&str| ((*key).to_owned(), conviction);
    View {
        logins: keys.iter().map(of).collect(),
        senders: keys.iter().map(of).collect(),
        ..View::default()
    }
}

fn published(digest: String) -> View {
    View {
        digests: HashMap::from([(digest, Publication { incident: 42 })]),
        ..View::default()
    }
}

/// Stands in for the digests: what is behind the headers.
fn body_digest(message: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(message);
    let body = text.split_once("\n\n").map_or("", |(_headers, body)| body);
    vec![format!("pyzor:{body}")]
}

fn connect_unix(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}

fn connect(port: &str) -> TcpStream {
    let stream = TcpStream::connect(port).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream
}

/// Says something and reads what comes back until it ends with `end`.
fn ask(stream: &mut (impl Read + Write), request: &[u8], end: &str) -> String {
    stream.write_all(request).unwrap();
    let mut reply = Vec::new();
    let mut byte = [0];
    while !reply.ends_with(end.as_bytes()) && stream.read(&mut byte).unwrap() == 1 {
        reply.push(byte[0]);
    }
    String::from_utf8(reply).unwrap()
}

/// Whether the peer has closed.
fn is_closed(stream: &mut impl Read) -> bool {
    matches!(stream.read(&mut [0]), Ok(0) | Err(_))
}
