//! The holder's socket: who may ask, one request after the other on each connection.
//!
//! The peer is known by the kernel (`SO_PEERCRED`): root, an allowed user, or a user whose primary group is allowed. Anybody
//! else is closed on without a word. A malformed request ends its connection, after an answer that says so. At most
//! [`CONNECTIONS`] connections; one that is silent for [`IDLE`] is closed, and its owner connects again.

use std::{
    fs, io,
    io::{Read, Write},
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::{
            fs::{FileTypeExt, PermissionsExt, chown},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use crate::{
    holder::{Settings, execute},
    wire::{
        Decoded,
        holder::{REQUEST_LIMIT, Reply, Request},
    },
};

/// Where the holder listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// What systemd passed (`sd_listen_fds(3)`).
    Activated,
    /// A path, made here with mode 0660 and this group.
    Path {
        /// The path.
        path: PathBuf,
        /// Group of the socket file; `None` leaves root's.
        gid: Option<u32>,
    },
}

/// Who may ask, besides root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// User numbers.
    pub uids: Vec<u32>,
    /// Numbers of primary groups.
    pub gids: Vec<u32>,
}

impl Admission {
    fn admits(&self, uid: u32, gid: u32) -> bool {
        uid == 0 || self.uids.contains(&uid) || self.gids.contains(&gid)
    }
}

/// Why the holder cannot serve. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket cannot be made.
    #[error("cannot listen on {}", path.display())]
    Listen {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process answers on that path.
    #[error("another process listens on {}", .0.display())]
    InUse(PathBuf),
    /// systemd passed no socket, or more than one.
    #[error("expected one socket of systemd, got {0}")]
    Activation(usize),
    /// Accepting connections failed for good.
    #[error("cannot accept connections")]
    Accept(#[source] io::Error),
}

/// Whether systemd passed sockets to this process.
#[must_use]
pub fn is_activated() -> bool {
    sd_notify::listen_fds().is_ok_and(|fds| fds.len() > 0)
}

/// Serves for ever; `ready` is called once the socket takes connections.
///
/// # Errors
/// The socket cannot be had, or accepting fails for good.
pub fn serve(
    settings: &Settings,
    socket: &Socket,
    admission: &Admission,
    ready: impl FnOnce(),
) -> Result<(), Error> {
    let listener = match socket {
        Socket::Activated => activated()?,
        Socket::Path { path, gid } => bind(path, *gid)?,
    };
    ready();
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _address)) => stream,
            Err(error) if is_passing(&error) => continue,
            Err(error) => return Err(Error::Accept(error)),
        };
        let Ok(peer) = getsockopt(&stream, PeerCredentials) else {
            continue;
        };
        let (uid, gid) = (peer.uid(), peer.gid());
        if !admission.admits(uid, gid) || open.load(Ordering::Relaxed) >= CONNECTIONS {
            tracing::warn!(uid, gid, "connection refused");
            continue;
        }
        open.fetch_add(1, Ordering::Relaxed);
        let (settings, counter) = (settings.clone(), Arc::clone(&open));
        let spawned = thread::Builder::new().spawn(move || {
            if let Err(error) = converse(&settings, stream) {
                tracing::debug!(%error, "connection lost");
            }
            counter.fetch_sub(1, Ordering::Relaxed);
        });
        if spawned.is_err() {
            open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn converse(settings: &Settings, mut stream: UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    let mut buffer = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        match Request::decode(&buffer) {
            Ok(Decoded::Whole { value, used }) => {
                buffer.drain(..used);
                answer(&mut stream, &execute(settings, &value))?;
            }
            Ok(Decoded::Needs(_)) if buffer.len() <= REQUEST_LIMIT + 32 => {
                let read = stream.read(&mut chunk)?;
                if read == 0 {
                    return Ok(());
                }
                buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
            }
            Ok(Decoded::Needs(_)) => return Ok(()),
            Err(error) => return answer(&mut stream, &Reply::refusal(error.to_string())),
        }
    }
}

fn answer(stream: &mut UnixStream, reply: &Reply) -> io::Result<()> {
    stream.write_all(&reply.encode().map_err(io::Error::other)?)
}

fn activated() -> Result<UnixListener, Error> {
    let mut fds = sd_notify::listen_fds().map_err(|_none| Error::Activation(0))?;
    let (1, Some(fd)) = (fds.len(), fds.next()) else {
        return Err(Error::Activation(fds.len()));
    };
    #[expect(
        unsafe_code,
        reason = "systemd hands over a bare number; nobody else in this process knows it"
    )]
    // SAFETY: LISTEN_PID names this process, so the descriptor was opened for it and is owned by no other value.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let listener = UnixListener::from(fd);
    listener.set_nonblocking(false).map_err(Error::Accept)?;
    Ok(listener)
}

/// Binds to `path`; a socket file on which nobody listens any more is replaced.
fn bind(path: &Path, gid: Option<u32>) -> Result<UnixListener, Error> {
    let listen = |source| Error::Listen {
        path: path.to_owned(),
        source,
    };
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).is_ok() {
                return Err(Error::InUse(path.to_owned()));
            }
            if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
                fs::remove_file(path).map_err(listen)?;
            }
            UnixListener::bind(path)
        }
        bound => bound,
    }
    .map_err(listen)?;
    chown(path, None, gid).map_err(listen)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(listen)?;
    Ok(listener)
}

/// A peer that went away before it was accepted, or a signal: no reason to stop.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// Connections at one time; the daemon needs one.
const CONNECTIONS: usize = 16;
/// How long a connection may be silent, or a reply unread.
const IDLE: Duration = Duration::from_secs(60);
