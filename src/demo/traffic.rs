//! The hands that post letters in time.
//!
//! Letters of one lane are posted one after the other, over one connection as long as
//! login and origin stay the same; lanes run in parallel. A lane that cannot keep up posts late, and says so.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    daemon::clock,
    demo::{
        Error,
        cast::Letter,
        client::{Client, Origin, Reply},
        program,
        wait::Stop,
        witness::Witness,
    },
    time::Timestamp,
};

/// Where letters are handed in.
#[derive(Clone, Debug)]
pub enum Office {
    /// smtpd.
    Port(SocketAddr),
    /// sendmail(1), as a program on the relay itself does it: no login, no client address.
    Local {
        /// The sendmail command.
        sendmail: PathBuf,
        /// Of the instance.
        config_directory: PathBuf,
    },
}

impl From<SocketAddr> for Office {
    fn from(address: SocketAddr) -> Self {
        Self::Port(address)
    }
}

/// What became of a letter at the post office.
#[derive(Clone, Debug)]
pub struct Posted {
    /// When the answer came.
    pub at: Timestamp,
    /// Whose letter.
    pub identity: String,
    /// Which.
    pub message: String,
    /// For whom.
    pub recipients: Vec<String>,
    /// The answer; none if the connection failed, in which case nobody knows whether it was taken.
    pub reply: Option<Reply>,
    /// How late it was.
    pub late: Duration,
}

/// A scene that is being played.
#[derive(Debug)]
pub struct Traffic {
    lanes: Vec<JoinHandle<()>>,
    posted: Arc<Mutex<Vec<Posted>>>,
    over: Stop,
}

impl Traffic {
    /// Begins to post `letters` at `office`, now; the witness is told whose they are.
    ///
    /// # Errors
    /// [`Error::Io`] when a thread cannot be started.
    pub fn start(
        letters: Vec<Letter>,
        office: impl Into<Office>,
        witness: &Witness,
        stop: &Stop,
    ) -> Result<Self, Error> {
        let office = office.into();
        let begun = clock::instant();
        let posted: Arc<Mutex<Vec<Posted>>> = Arc::default();
        let over = Stop::new();
        let mut lanes: std::collections::BTreeMap<usize, Vec<Letter>> =
            std::collections::BTreeMap::new();
        for letter in letters {
            for recipient in &letter.recipients {
                witness.expect(recipient, &letter.identity, &letter.message);
            }
            lanes.entry(letter.lane).or_default().push(letter);
        }
        let mut traffic = Self {
            lanes: Vec::new(),
            posted: Arc::clone(&posted),
            over: over.clone(),
        };
        for mut letters in lanes.into_values() {
            letters.sort_by_key(|letter| letter.due);
            let (posted, over, stop) = (Arc::clone(&posted), over.clone(), stop.clone());
            let office = office.clone();
            let lane = move || post_all(&letters, &office, begun, &posted, &[&over, &stop]);
            let thread = std::thread::Builder::new()
                .spawn(lane)
                .map_err(Error::io("starting a sender"))?;
            traffic.lanes.push(thread);
        }
        Ok(traffic)
    }

    /// What was posted so far.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.posted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until all letters are posted.
    #[must_use]
    pub fn finish(mut self) -> Vec<Posted> {
        self.join();
        self.posted()
    }

    /// Posts no further letter.
    #[must_use]
    pub fn stop(mut self) -> Vec<Posted> {
        self.over.request();
        self.join();
        self.posted()
    }

    fn join(&mut self) {
        for lane in self.lanes.drain(..) {
            drop(lane.join());
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.over.request();
        self.join();
    }
}

fn post_all(
    letters: &[Letter],
    office: &Office,
    begun: Instant,
    posted: &Mutex<Vec<Posted>>,
    over: &[&Stop],
) {
    let mut open: Option<(Option<String>, Origin, Client)> = None;
    for letter in letters {
        let due = begun + letter.due;
        while clock::instant() < due {
            if over.iter().any(|stop| stop.requested()) {
                return;
            }
            let left = due.saturating_duration_since(clock::instant());
            std::thread::sleep(left.min(Duration::from_millis(20)));
        }
        if over.iter().any(|stop| stop.requested()) {
            return;
        }
        let late = clock::instant().saturating_duration_since(due);
        let reply = match office {
            Office::Port(server) => post(letter, *server, &mut open),
            Office::Local {
                sendmail,
                config_directory,
            } => post_locally(letter, sendmail, config_directory),
        };
        if reply.is_none() {
            open = None;
        }
        let posted_letter = Posted {
            at: clock::now(),
            identity: letter.identity.clone(),
            message: letter.message.clone(),
            recipients: letter.recipients.clone(),
            reply,
            late,
        };
        posted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(posted_letter);
    }
    if let Some((_, _, client)) = open {
        client.quit();
    }
}

fn post(
    letter: &Letter,
    server: SocketAddr,
    open: &mut Option<(Option<String>, Origin, Client)>,
) -> Option<Reply> {
    let fits = |(login, origin, _): &(Option<String>, Origin, Client)| {
        *login == letter.login && *origin == letter.origin
    };
    if !open.as_ref().is_some_and(fits) {
        if let Some((_, _, client)) = open.take() {
            client.quit();
        }
        let mut client = Client::connect(server, letter.origin).ok()?;
        if let Some(login) = &letter.login {
            client.login(login).ok()?;
        }
        *open = Some((letter.login.clone(), letter.origin, client));
    }
    let (_, _, client) = open.as_mut()?;
    client
        .send(&letter.sender, &letter.recipients, &letter.content)
        .ok()
}

/// Through sendmail(1); its success is told as a 250.
fn post_locally(letter: &Letter, sendmail: &Path, config_directory: &Path) -> Option<Reply> {
    let mut child = program(sendmail)
        .arg("-C")
        .arg(config_directory)
        .args(["-oi", "-f", &letter.sender, "--"])
        .args(&letter.recipients)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(&letter.content).ok()?;
    let code = if child.wait().ok()?.success() {
        250
    } else {
        451
    };
    Some(Reply {
        code,
        text: String::new(),
    })
}
