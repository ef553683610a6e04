//! The loop of every protocol that runs over connections: take connections up to a limit, move bytes, keep time. What the
//! bytes mean is a [`Session`]'s business, which is pure.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, sink},
    task::{JoinSet, spawn_blocking},
    time::timeout,
};

use crate::server::{
    Counters, Event, Limits, Protocol,
    listener::{Duplex, Listener},
};

/// One conversation, without I/O.
pub(super) trait Session: Send + 'static {
    /// Looks at the front of `input`: what came in and was not taken yet.
    fn step(&mut self, input: &[u8]) -> Step;

    /// Whether the next step may take more than a millisecond, so that it must not keep other connections waiting.
    fn is_heavy(&self) -> bool {
        false
    }
}

/// What a session made of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Not enough for a request.
    Needs,
    /// A request was taken.
    Took {
        /// Its bytes; at least one.
        used: usize,
        /// The answer; empty where the protocol has none.
        reply: Vec<u8>,
        /// What to count.
        event: Event,
    },
    /// The conversation is over.
    Close {
        /// The last words; may be empty.
        reply: Vec<u8>,
        /// What to count.
        event: Event,
    },
}

/// Takes connections for ever. Dropping the future closes all of them.
pub(super) async fn serve(
    listener: Listener,
    session: impl Fn() -> Box<dyn Session>,
    limits: Limits,
    protocol: Protocol,
    counters: Arc<Counters>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(stream) if connections.len() < limits.connections => {
                counters.count(protocol, Event::Connected);
                let connection = Connection {
                    stream,
                    session: session(),
                    buffer: Buffer::default(),
                    limits,
                };
                connections.spawn(connection.run(protocol, Arc::clone(&counters)));
            }
            Ok(_crowded) => counters.count(protocol, Event::Crowded),
            Err(error) => {
                // Out of descriptors, as a rule. The peer waits in the backlog meanwhile.
                counters.count(protocol, Event::Crowded);
                tracing::warn!(%error, server = protocol.name(), "cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Connection {
    stream: Box<dyn Duplex>,
    session: Box<dyn Session>,
    buffer: Buffer,
    limits: Limits,
}

/// What came in. Taking from the front moves nothing; that is done once, before more is read.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    taken: usize,
}

impl Buffer {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    fn take(&mut self, used: usize) {
        self.taken = self.bytes.len().min(self.taken + used);
    }

    /// Room for more, behind what was not taken. The memory of a large request goes with it.
    fn room(&mut self) -> &mut Vec<u8> {
        if self.rest().is_empty() && self.bytes.capacity() > LARGE {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..self.taken);
        }
        self.taken = 0;
        self.bytes.reserve(CHUNK);
        &mut self.bytes
    }
}

impl Connection {
    async fn run(mut self, protocol: Protocol, counters: Arc<Counters>) {
        loop {
            if self.buffer.rest().is_empty() {
                match timeout(self.limits.idle, self.read()).await {
                    Ok(Ok(0)) => return,
                    Ok(Ok(_read)) => {}
                    Ok(Err(_broken)) => return counters.count(protocol, Event::Lost),
                    Err(_elapsed) => return counters.count(protocol, Event::Idle),
                }
            }
            let (reply, is_over) = match timeout(self.limits.request, self.request()).await {
                Err(_elapsed) => return counters.count(protocol, Event::Idle),
                Ok(Err(_broken)) => return counters.count(protocol, Event::Lost),
                Ok(Ok((reply, event, is_over))) => {
                    counters.count(protocol, event);
                    (reply, is_over)
                }
            };
            match timeout(self.limits.request, self.stream.write_all(&reply)).await {
                Ok(Ok(())) if is_over => return self.part().await,
                Ok(Ok(())) => {}
                Ok(Err(_broken)) => return counters.count(protocol, Event::Lost),
                Err(_elapsed) => return counters.count(protocol, Event::Idle),
            }
        }
    }

    /// Closes so that the last words arrive: a TCP socket that is closed with input unread takes them back.
    async fn part(mut self) {
        if self.stream.shutdown().await.is_ok() {
            let mut rest = self.stream.take(FAREWELL_BYTES);
            drop(timeout(FAREWELL, copy(&mut rest, &mut sink())).await);
        }
    }

    /// One request: its reply, what to count, and whether the conversation is over.
    async fn request(&mut self) -> io::Result<(Vec<u8>, Event, bool)> {
        loop {
            match self.step().await? {
                Step::Took { used, reply, event } => {
                    self.buffer.take(used);
                    return Ok((reply, event, false));
                }
                Step::Close { reply, event } => return Ok((reply, event, true)),
                Step::Needs => {
                    if self.read().await? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
            }
        }
    }

    async fn step(&mut self) -> io::Result<Step> {
        if !self.session.is_heavy() {
            return Ok(self.session.step(self.buffer.rest()));
        }
        let mut session = std::mem::replace(&mut self.session, Box::new(Gone));
        let buffer = std::mem::take(&mut self.buffer);
        let work = move || {
            let step = session.step(buffer.rest());
            (session, buffer, step)
        };
        let (session, buffer, step) = spawn_blocking(work).await.map_err(io::Error::other)?;
        (self.session, self.buffer) = (session, buffer);
        Ok(step)
    }

    /// Reads what is there. The buffer grows only while a session needs more, and a session needs no more than the limit of
    /// its codec.
    async fn read(&mut self) -> io::Result<usize> {
        self.stream.read_buf(self.buffer.room()).await
    }
}

/// Stands in while a session is at work on another thread.
struct Gone;

impl Session for Gone {
    fn step(&mut self, _input: &[u8]) -> Step {
        Step::Close {
            reply: Vec::new(),
            event: Event::Lost,
        }
    }
}

const CHUNK: usize = 8 * 1024;
const LARGE: usize = 64 * 1024;
/// How long and how much is read of a peer that is being closed on.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests;
