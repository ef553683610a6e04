//! `postwarden holder`: the root end behind its socket.

use std::{io::Write, path::PathBuf};

use nix::unistd::{Group, User};

use crate::{
    cli::{Context, Exit, Failure},
    holder::{self, Admission, Settings, Socket},
    telemetry,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: postwarden holder --allow-user postwarden")]
pub struct Args {
    /// Socket to listen on instead of the configuration's; a socket passed by systemd goes before it
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Postfix configuration directory, as in postsuper -c, instead of `config_directory` of the configuration
    #[arg(long, value_name = "DIR")]
    config_directory: Option<PathBuf>,
    /// User who may ask, besides root; may be repeated
    #[arg(long, value_name = "NAME", default_value = "postwarden")]
    allow_user: Vec<String>,
    /// Primary group whose users may ask; may be repeated. The first one is the group of the socket
    #[arg(long, value_name = "NAME")]
    allow_group: Vec<String>,
}

/// Runs the verb until it is killed.
///
/// # Errors
/// 69: not root, or the socket cannot be had; 78: a user or group that does not exist, a wrong configuration.
pub fn run(args: &Args, context: &Context, _out: &mut dyn Write) -> Result<Exit, Failure> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Failure::new(
            Exit::Unavailable,
            "the holder runs as root: postsuper insists on it",
        )
        .hint("start it through systemd: systemctl start postwarden-holder.socket"));
    }
    let users = args.allow_user.iter().map(|name| user(name));
    let users: Vec<User> = users.collect::<Result<_, _>>()?;
    let groups = args.allow_group.iter().map(|name| group(name));
    let gids: Vec<u32> = groups.collect::<Result<_, _>>()?;
    let config = super::desk::config(context)?;
    let config_directory = args
        .config_directory
        .clone()
        .unwrap_or(config.config_directory);
    let settings = Settings {
        config_directory,
        ..Settings::default()
    };
    // A second call in one process has its log already.
    drop(telemetry::log::init(telemetry::log::Format::Text, 0));
    let socket = if holder::is_activated() {
        Socket::Activated
    } else {
        Socket::Path {
            path: args
                .socket
                .clone()
                .or(config.holder)
                .unwrap_or_else(|| PathBuf::from(SOCKET)),
            gid: gids
                .first()
                .copied()
                .or_else(|| users.first().map(|user| user.gid.as_raw())),
        }
    };
    let admission = Admission {
        uids: users.iter().map(|user| user.uid.as_raw()).collect(),
        gids,
    };
    let ready = || drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
    holder::serve(&settings, &socket, &admission, ready)
        .map(|()| Exit::Ok)
        .map_err(|error| Failure::new(Exit::Unavailable, describe(&error)))
}

fn user(name: &str) -> Result<User, Failure> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        _ => Err(
            Failure::new(Exit::Config, format!("there is no user `{name}`")).hint(format!(
                "useradd --system {name}, or name another with --allow-user"
            )),
        ),
    }
}

fn group(name: &str) -> Result<u32, Failure> {
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        _ => Err(Failure::new(
            Exit::Config,
            format!("there is no group `{name}`"),
        )),
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    let cause = error
        .source()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    format!("{error}{cause}")
}

const SOCKET: &str = "/run/postwarden/holder";
