//! The way to root's five verbs: over the holder's socket, or directly where the daemon is root itself.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    telemetry::Fault,
    wire::{
        self, Decoded,
        holder::{Reply, Request},
    },
};

/// Whoever can do the five verbs.
pub trait Hands: std::fmt::Debug {
    /// Does what is asked. A reply with an `error` may still have outcomes: they were looked at, and count.
    ///
    /// # Errors
    /// When it is unknown what was done; asking again is harmless.
    fn call(&mut self, request: &Request) -> Result<Reply, HandsError>;
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandsError {
    /// Nobody listens.
    #[error("cannot reach the holder at {}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No answer in time.
    #[error("the holder did not answer within {} s", deadline.as_secs())]
    Timeout {
        /// How long was waited.
        deadline: Duration,
    },
    /// The conversation broke off.
    #[error("the holder broke off")]
    Broken(#[source] io::Error),
    /// What was sent or came back is against the protocol.
    #[error("holder protocol")]
    Protocol(#[from] wire::Error),
    /// Nothing was done, and why.
    #[error("refused: {0}")]
    Refused(String),
}

impl HandsError {
    /// Who must act.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Broken(_)
            | Self::Refused(_) => Fault::Environment,
            Self::Protocol(_) => Fault::Bug,
        }
    }
}

/// The holder behind its unix socket. One connection a call: a holder that was restarted in between is not noticed.
#[derive(Debug)]
pub struct HolderSocket {
    path: PathBuf,
    deadline: Duration,
}

impl HolderSocket {
    /// A holder at `path` that may be silent for `deadline` at most.
    #[must_use]
    pub fn new(path: &Path, deadline: Duration) -> Self {
        Self {
            path: path.to_owned(),
            deadline,
        }
    }

    fn failed(&self, source: io::Error) -> HandsError {
        match source.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => HandsError::Timeout {
                deadline: self.deadline,
            },
            _ => HandsError::Broken(source),
        }
    }
}

impl Hands for HolderSocket {
    fn call(&mut self, request: &Request) -> Result<Reply, HandsError> {
        let bytes = request.encode()?;
        let mut stream =
            UnixStream::connect(&self.path).map_err(|source| HandsError::Unreachable {
                socket: self.path.clone(),
                source,
            })?;
        stream
            .set_read_timeout(Some(self.deadline))
            .and_then(|()| stream.set_write_timeout(Some(self.deadline)))
            .and_then(|()| stream.write_all(&bytes))
            .map_err(|source| self.failed(source))?;
        let mut answer = Vec::new();
        loop {
            let more = match Reply::decode(&answer)? {
                Decoded::Whole { value, .. } => return Ok(value),
                Decoded::Needs(more) => more,
            };
            let had = answer.len();
            // Never past what is announced, so that the buffer is bounded by the protocol's limit.
            (&mut stream)
                .take(u64::try_from(more).unwrap_or(u64::MAX))
                .read_to_end(&mut answer)
                .map_err(|source| self.failed(source))?;
            if answer.len() == had {
                return Err(HandsError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::wire::holder::{Outcome, Place, Verb};

    fn request() -> Request {
        Request {
            verb: Verb::Hold,
            queue_ids: vec!["4F2A1C0D3B".to_owned()],
            limit: 0,
        }
    }

    /// A holder that reads one request and writes `answer`.
    fn holder(
        answer: Vec<u8>,
    ) -> (
        tempfile::TempDir,
        HolderSocket,
        std::thread::JoinHandle<Request>,
    ) {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("holder");
        let listener = UnixListener::bind(&path).unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            loop {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                bytes.push(byte[0]);
                if let Decoded::Whole { value, .. } = Request::decode(&bytes).unwrap() {
                    // In pieces, as sockets do.
                    for part in answer.chunks(7) {
                        stream.write_all(part).unwrap();
                    }
                    return value;
                }
            }
        });
        (
            dir,
            HolderSocket::new(&path, Duration::from_secs(10)),
            thread,
        )
    }

    #[test]
    fn a_request_goes_over_the_socket_and_the_reply_comes_back() {
        let reply = Reply {
            outcomes: vec![Outcome {
                queue_id: "4F2A1C0D3B".to_owned(),
                place: Place::Hold,
                bytes: Some("QUJD".repeat(10_000)),
            }],
            error: None,
        };
        let (_dir, mut socket, thread) = holder(reply.encode().unwrap());
        assert_eq!(socket.call(&request()).unwrap(), reply);
        assert_eq!(thread.join().unwrap(), request());
    }

    #[test]
    fn a_holder_that_breaks_off_or_talks_nonsense_is_an_error() {
        let whole = Reply::refusal("no").encode().unwrap();
        let (_dir, mut socket, thread) = holder(whole[..whole.len() - 3].to_vec());
        let error = socket.call(&request()).unwrap_err();
        assert!(matches!(error, HandsError::Broken(_)), "{error}");
        thread.join().unwrap();
        let (_dir, mut socket, thread) = holder(b"hello\n".to_vec());
        let error = socket.call(&request()).unwrap_err();
        assert_eq!(error.fault(), Fault::Bug, "{error}");
        thread.join().unwrap();
    }

    #[test]
    fn nobody_there_is_an_error_at_once_and_silence_is_one_in_the_end() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("holder");
        let mut socket = HolderSocket::new(&path, Duration::from_millis(20));
        let error = socket.call(&request()).unwrap_err();
        assert!(matches!(error, HandsError::Unreachable { .. }), "{error}");
        let _listener = UnixListener::bind(&path).unwrap();
        let error = socket.call(&request()).unwrap_err();
        assert!(matches!(error, HandsError::Timeout { .. }), "{error}");
        assert_eq!(error.fault(), Fault::Environment);
    }
}
