//! The world put together: a relay with logins, the places that it sends to, an inbound MX, the mailboxes behind it, the
//! desk's mailbox.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use crate::demo::{
    Error,
    ground::{Ground, free_port},
    instance::{Instance, Postfix},
    remote::{Remote, Temper},
    sasl::Sasl,
    traffic::Office,
    wait::Stop,
    witness::Witness,
};

/// The organisation's own domain.
pub const HOME: &str = "example.org";
/// The network of the organisation's own servers, which may send without a login.
pub const SERVERS: &str = "198.51.100.192/26";
/// Place name of the mailboxes that the relay's bounces go to.
pub const MAILBOXES: &str = HOME;
/// Place name of the mailboxes behind the inbound MX.
pub const INBOX: &str = "inbox.example.org";
/// Place name of the desk's mailbox.
pub const DESK: &str = "desk.example.org";

/// The remote domains of the demo and their tempers.
#[must_use]
pub fn places() -> Vec<(&'static str, Temper)> {
    vec![
        ("isp-a.example", Temper::Accept),
        ("freemail.example", Temper::Accept),
        ("campus.example", Temper::UnknownUsers),
        ("works.example", Temper::UnknownUsers),
        ("corp.example", Temper::ContentFilter { after: 3 }),
        ("bigmail.example", Temper::ContentFilter { after: 5 }),
        (
            "telco.example",
            Temper::Throttle {
                burst: 5.0,
                per_second: 8.0,
            },
        ),
        (
            "club.example",
            Temper::Greylist {
                delay: Duration::from_secs(2),
            },
        ),
        ("shaky.example", Temper::Drop),
    ]
}

/// Ports on loopback where the world expects postwarden's listeners.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// Policy service, asked by the relay.
    pub policy: u16,
    /// Milter, asked by the inbound MX.
    pub milter: u16,
    /// Lookups.
    pub socketmap: u16,
    /// Lookups, table `abused`.
    pub tcp_table: u16,
}

/// A running world. Drops in the order that it is written in: Postfix first, the ground last.
#[derive(Debug)]
pub struct World {
    /// The outbound relay.
    pub relay: Instance,
    /// The inbound MX.
    pub mx: Option<Instance>,
    /// The remote sides, by domain; also [`MAILBOXES`], [`INBOX`] and [`DESK`].
    pub remotes: BTreeMap<String, Remote>,
    /// What they saw.
    pub witness: Witness,
    /// Where postwarden is expected.
    pub ports: Ports,
    /// Postfix's programs.
    pub postfix: Postfix,
    /// Ends the play.
    pub stop: Stop,
    _sasl: Sasl,
    /// The temporary directory.
    pub ground: Ground,
}

impl World {
    /// Starts the relay, the remote sides at `places` and, if `inbound`, the inbound MX; returns when all answer.
    ///
    /// # Errors
    /// As [`Instance::start`] and [`Postfix::find`].
    pub fn start(places: &[(&str, Temper)], inbound: bool, stop: &Stop) -> Result<Self, Error> {
        let postfix = Postfix::find()?;
        let ground = Ground::new()?;
        let witness = Witness::new();
        let sasl = Sasl::start()?;
        let remotes = start_remotes(places, &witness)?;
        let ports = Ports {
            policy: free_port()?,
            milter: free_port()?,
            socketmap: free_port()?,
            tcp_table: free_port()?,
        };
        let routes = ground.path().join("transport");
        write_routes(&routes, &remotes)?;
        let relay = relay_parameters(&routes, sasl.address(), ports);
        let mx = mx_parameters(&remotes, ports);
        let (relay, mx) = std::thread::scope(|scope| {
            let mx = inbound
                .then(|| scope.spawn(|| Instance::start(&postfix, &ground, "mx", &mx, stop)));
            let relay = Instance::start(&postfix, &ground, "relay", &relay, stop);
            let mx = mx.and_then(|thread| thread.join().ok()).transpose();
            (relay, mx)
        });
        Ok(Self {
            relay: relay?,
            mx: mx?,
            remotes,
            witness,
            ports,
            postfix,
            stop: stop.clone(),
            _sasl: sasl,
            ground,
        })
    }

    /// The relay's sendmail(1).
    #[must_use]
    pub fn local(&self) -> Office {
        Office::Local {
            sendmail: self.postfix.command("sendmail"),
            config_directory: self.relay.config_directory(),
        }
    }

    /// Where a remote side listens; `None` for a place that this world lacks.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<SocketAddr> {
        self.remotes.get(name).map(Remote::address)
    }
}

fn start_remotes(
    places: &[(&str, Temper)],
    witness: &Witness,
) -> Result<BTreeMap<String, Remote>, Error> {
    let own = [MAILBOXES, INBOX, DESK].map(|name| (name, Temper::Keep));
    let mut remotes = BTreeMap::new();
    for (number, (name, temper)) in (2_u8..=254).zip(places.iter().chain(&own)) {
        let address = Ipv4Addr::new(127, 0, 0, number);
        let remote = Remote::start(name, address, temper.clone(), witness.clone())?;
        remotes.insert((*name).to_owned(), remote);
    }
    Ok(remotes)
}

fn write_routes(path: &Path, remotes: &BTreeMap<String, Remote>) -> Result<(), Error> {
    let lines: Vec<String> = remotes
        .iter()
        .map(|(name, remote)| format!("{name} {}\n", route(remote.address())))
        .collect();
    fs_err::write(path, lines.concat()).map_err(Error::io("writing the routes"))
}

fn route(to: SocketAddr) -> String {
    format!("smtp:[{}]:{}", to.ip(), to.port())
}

fn relay_parameters(routes: &Path, sasl: SocketAddr, ports: Ports) -> Vec<(&'static str, String)> {
    let policy = format!(
        "check_policy_service {{ inet:127.0.0.1:{}, timeout=2s, try_limit=1, default_action=DUNNO }}",
        ports.policy
    );
    vec![
        ("myhostname", format!("relay1.{HOME}")),
        ("transport_maps", format!("texthash:{}", routes.display())),
        ("smtpd_sasl_auth_enable", "yes".to_owned()),
        ("smtpd_sasl_type", "dovecot".to_owned()),
        ("smtpd_sasl_path", format!("inet:{sasl}")),
        (
            "smtpd_relay_restrictions",
            "permit_mynetworks, permit_sasl_authenticated, reject".to_owned(),
        ),
        ("mynetworks", SERVERS.to_owned()),
        ("smtpd_data_restrictions", policy.clone()),
        ("smtpd_end_of_data_restrictions", policy),
    ]
}

fn mx_parameters(remotes: &BTreeMap<String, Remote>, ports: Ports) -> Vec<(&'static str, String)> {
    let inbox = remotes.get(INBOX).map(|remote| route(remote.address()));
    let milter = format!(
        "{{ inet:127.0.0.1:{}, default_action=accept, connect_timeout=2s, command_timeout=2s, content_timeout=10s }}",
        ports.milter
    );
    vec![
        ("myhostname", format!("mx1.{HOME}")),
        ("relay_domains", HOME.to_owned()),
        (
            "relay_transport",
            inbox.unwrap_or_else(|| "error:no inbox".to_owned()),
        ),
        (
            "smtpd_relay_restrictions",
            "permit_auth_destination, reject".to_owned(),
        ),
        ("smtpd_milters", milter),
    ]
}
