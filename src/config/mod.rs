//! postwarden.toml: read with every mistake at once, resolved into types that cannot be wrong, swapped whole on reload.
//!
//! [`load`] reads the file and what it names (policies, bounce rules), looks at the host (log readable, Postfix there)
//! and answers either a [`Config`] or [`Diagnostics`] that name every mistake with its line. Nothing is started on a
//! faulty file; on reload the old configuration stays in force.

mod diagnostics;
mod host;
mod read;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

pub use diagnostics::Diagnostics;

use crate::{engine::docket::Brake, policy::Mode, settings::Document};

/// The configuration, resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Whether anything may act.
    pub mode: Mode,
    /// `config_directory` of the Postfix instance.
    pub config_directory: PathBuf,
    /// Where log lines come from.
    pub sources: Vec<Source>,
    /// How long the log may be silent while the queue moves, unreadable or behind before people are told.
    pub alarm_after: Duration,
    /// How often the queue is listed.
    pub poll: Duration,
    /// Directory of postwarden.db and evidence/.
    pub state: PathBuf,
    /// The holder's socket; `None`: postsuper is called directly.
    pub holder: Option<PathBuf>,
    /// Who is told.
    pub alert: Alert,
    /// Who is answered.
    pub listen: Listen,
    /// Directory of the site's policy files, laid over the shipped ones; it need not exist.
    pub policies: PathBuf,
    /// True for a directory whose policies are to be tried alone, without the shipped ones (`replay --policies`).
    pub policies_alone: bool,
    /// Files (name, text) that a command lays over all others (`replay --sweep`).
    pub policies_over: Vec<(String, String)>,
    /// GeoIP tables (.mmdb, .csv).
    pub geo: Vec<PathBuf>,
    /// When automatic holds stop.
    pub brake: Brake,
}

/// One source of log lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, followed through rotation.
    File(PathBuf),
    /// systemd's journal.
    Journal,
}

/// The desk, and the way to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alert {
    /// Recipients; none: incidents are recorded, nobody is told.
    pub to: Vec<String>,
    /// Sender address.
    pub from: String,
    /// `smtp://host:port`; `None`: through `sendmail`.
    pub smtp: Option<String>,
    /// sendmail(1)-like program, used where `smtp` is not set.
    pub sendmail: Option<PathBuf>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Unix socket.
    Unix(PathBuf),
    /// TCP.
    Inet(SocketAddr),
    /// UDP.
    Udp(SocketAddr),
}

/// One port of the tcp_table protocol answers for one map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpTable {
    /// `abused`, `digest` or `line`.
    pub map: String,
    /// Where.
    pub endpoint: Endpoint,
}

/// The listeners, by protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listen {
    /// socketmap_table(5).
    pub socketmap: Vec<Endpoint>,
    /// tcp_table(5).
    pub tcp_table: Vec<TcpTable>,
    /// SMTPD_POLICY_README.
    pub policy: Vec<Endpoint>,
    /// MILTER_README.
    pub milter: Vec<Endpoint>,
    /// pyzord.
    pub pyzor: Vec<Endpoint>,
}

/// The shipped path of the configuration.
pub const DEFAULT_PATH: &str = "/etc/postwarden/postwarden.toml";

/// How much of the host a verb needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Only the file's own words (state, policies).
    Words,
    /// The daemon's needs: logs readable, Postfix there.
    Host,
}

/// Reads the configuration at `path`. A missing file at [`DEFAULT_PATH`] means all defaults.
///
/// # Errors
/// Every mistake found, in the file and (with [`Need::Host`]) in what it names on the host.
pub fn load(path: &Path, need: Need) -> Result<Config, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound && path == Path::new(DEFAULT_PATH) =>
        {
            String::new()
        }
        Err(error) => {
            diagnostics.without_place(
                error.to_string(),
                Some("name the file with -c FILE".to_owned()),
            );
            return Err(diagnostics);
        }
    };
    resolve(&path.display().to_string(), &text, need)
}

/// The configuration of a file's text, by its own words alone; `name` stands in the mistakes.
///
/// # Errors
/// Every mistake found.
pub fn parse(name: &str, text: &str) -> Result<Config, Diagnostics> {
    resolve(name, text, Need::Words)
}

fn resolve(name: &str, text: &str, need: Need) -> Result<Config, Diagnostics> {
    let document = Document::parse(text);
    let (config, places) = read::config(&document);
    if need == Need::Host {
        host::verify(&config, &places, &document);
    }
    let mut diagnostics = Diagnostics::default();
    diagnostics.add(name, text, document.problems());
    diagnostics.into_result(config)
}

/// The configuration of a parsed file, whatever is wrong with it.
#[cfg(test)]
pub(crate) fn from_document(document: &Document<'_>) -> Config {
    read::config(document).0
}

#[cfg(test)]
mod tests;
