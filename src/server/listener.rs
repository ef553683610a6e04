//! Taking an address: sockets are bound before anything is served, stale socket files are replaced, live ones are not.

use std::{
    fs, io,
    net::{TcpListener, UdpSocket},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::{Address, Error, Protocol};

/// What was bound, for as long as it is served.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) protocol: Protocol,
    pub(super) address: Address,
    _file: Option<SocketFile>,
}

/// A bound socket.
#[derive(Debug)]
pub(super) enum Endpoint {
    Stream(Listener),
    Datagram(tokio::net::UdpSocket),
}

/// A socket that takes connections.
#[derive(Debug)]
pub(super) enum Listener {
    Unix(tokio::net::UnixListener),
    Inet(tokio::net::TcpListener),
}

/// A connection, whatever its kind.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Duplex>> {
        match self {
            Self::Unix(listener) => {
                let (stream, _peer) = listener.accept().await?;
                Ok(Box::new(stream))
            }
            Self::Inet(listener) => {
                let (stream, _peer) = listener.accept().await?;
                // A reply is one small packet that must not wait for the next one.
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
        }
    }
}

/// Binds an address. Must be called within a tokio runtime.
pub(super) fn bind(protocol: Protocol, address: &Address) -> Result<(Endpoint, Bound), Error> {
    let failed = |source| Error::Listen {
        address: address.clone(),
        source,
    };
    let is_datagram = matches!(address, Address::Udp(_));
    if is_datagram != (protocol == Protocol::Pyzor) {
        return Err(Error::Kind {
            protocol,
            address: address.clone(),
        });
    }
    let (endpoint, address, file) = match address {
        Address::Unix(path) => {
            let (listener, file) = bind_unix(path).map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => Error::InUse(address.clone()),
                _ => failed(source),
            })?;
            let listener = tokio::net::UnixListener::from_std(listener).map_err(failed)?;
            let endpoint = Endpoint::Stream(Listener::Unix(listener));
            (endpoint, address.clone(), Some(file))
        }
        Address::Inet(host_port) => {
            let listener = TcpListener::bind(host_port).map_err(failed)?;
            listener.set_nonblocking(true).map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            let listener = tokio::net::TcpListener::from_std(listener).map_err(failed)?;
            let endpoint = Endpoint::Stream(Listener::Inet(listener));
            (endpoint, Address::Inet(bound.to_string()), None)
        }
        Address::Udp(host_port) => {
            let socket = UdpSocket::bind(host_port).map_err(failed)?;
            socket.set_nonblocking(true).map_err(failed)?;
            let bound = socket.local_addr().map_err(failed)?;
            let socket = tokio::net::UdpSocket::from_std(socket).map_err(failed)?;
            (
                Endpoint::Datagram(socket),
                Address::Udp(bound.to_string()),
                None,
            )
        }
    };
    let bound = Bound {
        protocol,
        address,
        _file: file,
    };
    Ok((endpoint, bound))
}

/// A socket file, removed in the end unless another one has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Binds a path. A socket file on which nobody listens is left over from a crash and is replaced; any other file is not.
fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }?;
    let file = SocketFile {
        path: path.to_owned(),
        inode: fs::symlink_metadata(path)?.ino(),
    };
    listener.set_nonblocking(true)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
    Ok((listener, file))
}

fn is_stale(path: &Path) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && UnixStream::connect(path).is_err_and(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_socket_file_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, file) = bind_unix(&path).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o666
        );
        assert_eq!(
            bind_unix(&path).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mail.log");
        fs::write(&path, "precious").unwrap();
        assert_eq!(
            bind_unix(&path).unwrap_err().kind(),
            io::ErrorKind::AddrInUse
        );
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
