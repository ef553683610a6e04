//! Wiring: engine thread, workers, servers, signals, readiness.
//!
//! | thread | does | waits for |
//! |---|---|---|
//! | engine ([`watch`]) | log lines → decisions, on record before anything else | the log |
//! | holds ([`holds`]) | sweeps, releases, deletes | the engine |
//! | desk ([`desk`]) | alerts, evidence, digests | the record |
//! | queue ([`queue`]) | looks over the queue, reads heads of new files | the time |
//! | runtime | answers Postfix from the published picture | sockets, signals |
//!
//! Threads share the record (SQLite) and two bounded channels, nothing else.

pub mod alarms;
pub mod clock;
pub mod core;
pub mod desk;
mod ears;
pub mod failure;
pub mod finder;
pub mod hands;
pub mod holds;
mod intake;
pub mod learn;
pub mod lock;
pub mod lookup;
pub mod operator;
pub mod queue;
pub mod rehearsal;
pub mod requests;
pub mod rules;
mod sight;
pub mod watch;

use std::{
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use arc_swap::ArcSwap;

use self::{
    core::{Core, OpenError},
    desk::DeskWorker,
    failure::{Exit, Failure, chain},
    holds::HoldWorker,
    lock::LockError,
    operator::Operator,
    queue::QueueWatcher,
    watch::{Flags, Lines, Watch},
};
pub use self::{
    hands::hands,
    rules::{hash_key, policies, setup},
};
use crate::{
    config::{self, Config, Endpoint, Need, Source},
    digest,
    engine::{Engine, view::View},
    server::{Address, Intake, Limits, Listen, Servers, Table},
    source::program::postconf,
    store::{self, Store},
    telemetry::Metrics,
};

/// Errands that may wait for the hold worker before the engine feels it.
const ERRANDS: usize = 10_000;

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// The configuration is wrong (78), another daemon runs (75), or something that is needed is not there (69).
pub fn run(path: &Path) -> Result<(), Failure> {
    let config = config::load(path, Need::Host)
        .map_err(|found| Failure::new(Exit::Config, found.to_string()))?;
    make_state(&config.state)?;
    let host = host_name(&config.config_directory);
    let (core, cursors) = begin(&config, open(&config, &host)?);
    let flags = Arc::new(Flags::default());
    let metrics = Arc::new(Metrics::default());
    let (errands, work) = sync_channel(ERRANDS);
    let (publish, published) = sync_channel(1000);
    let (look, looks) = sync_channel(2);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Unavailable, format!("no runtime: {error}")))?;
    let intake = Arc::new(Intake::new(Arc::new(clock::now)));
    let lines = Lines {
        intake: Arc::clone(&intake),
        errands,
        published,
        looks,
        metrics: Arc::clone(&metrics),
        flags: Arc::clone(&flags),
    };
    let mut watch = Watch::new(path, &config, core, &cursors, lines)?;
    let servers = serve(&config, &watch.view, &intake, &runtime)?;
    signals(&runtime, &flags)?;
    let workers = Workers::start(
        &config,
        &host,
        Ends {
            work,
            publish,
            look,
        },
        &metrics,
    )?;
    tracing::info!(
        mode = ?config.mode,
        sources = ?config.sources,
        state = %config.state.display(),
        version = env!("CARGO_PKG_VERSION"),
        "watching"
    );
    // Without systemd there is nobody to notify.
    drop(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
    let ended = watch.run(&mut || drop(sd_notify::notify(&[sd_notify::NotifyState::Watchdog])));
    drop(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
    drop(watch);
    workers.join();
    drop(servers);
    ended.map_err(|error| Failure::new(Exit::Unavailable, chain(&error)))
}

/// A first start learns from the logs that are there, and goes on where they end: what an old log says of last week's
/// thief must not hold anybody today, but what is normal is known from the first minute on.
fn begin(config: &Config, opened: (Core, Vec<store::Cursor>)) -> (Core, Vec<store::Cursor>) {
    let (core, cursors) = opened;
    let sources: Vec<PathBuf> = config
        .sources
        .iter()
        .filter_map(|source| match source {
            Source::File(path) => Some(path.clone()),
            Source::Journal => None,
        })
        .collect();
    if !cursors.is_empty() || core.engine.ledger().senders().count() > 0 || sources.is_empty() {
        return (core, cursors);
    }
    // Without systemd there is nobody to ask for more time.
    let mut alive = || {
        drop(sd_notify::notify(&[
            sd_notify::NotifyState::ExtendTimeoutUsec(60_000_000),
        ]));
    };
    let (core, cursors) = learn::first_lesson(core, &sources, &mut alive);
    let cursors = cursors
        .into_iter()
        .filter_map(|(path, cursor)| {
            Some(store::Cursor {
                source: path.display().to_string(),
                position: postcard::to_allocvec(&cursor).ok()?,
            })
        })
        .collect();
    (core, cursors)
}

/// Does for a moment what a daemon does, if none runs: answers requests and does the work that is due. Answers whether it
/// did.
///
/// # Errors
/// The state cannot be taken for another reason than a running daemon.
pub fn attend_once(config: &Config) -> Result<bool, Failure> {
    let host = host_name(&config.config_directory);
    let (mut core, _) = match try_open(config, &host) {
        Ok(opened) => opened,
        Err(Opening::Taken) => return Ok(false),
        Err(Opening::Failed(failure)) => return Err(failure),
    };
    let requests = core.store.new_requests(100)?;
    let answers = requests
        .iter()
        .map(|request| requests::answer(&mut core, clock::now(), request))
        .collect();
    core.settle(Vec::new(), answers, clock::now())?;
    let metrics = Arc::new(Metrics::default());
    let store = || Store::open(&config.state.join("postwarden.db")).map_err(Failure::from);
    HoldWorker::new(config, &host, store()?, Arc::clone(&metrics)).work();
    let (publish, published) = sync_channel(1000);
    DeskWorker::new(config, &host, store()?, publish, metrics).work();
    while let Ok(desk::Published { incident, digests }) = published.try_recv() {
        core.feed(
            clock::now(),
            crate::engine::Input::Published { incident, digests },
        );
    }
    core.settle(Vec::new(), Vec::new(), clock::now())?;
    Ok(true)
}

/// The engine as it was last written down, to look at; a running daemon is not disturbed.
///
/// # Errors
/// There is no record, or it cannot be read.
pub fn picture(config: &Config) -> Result<Engine, Failure> {
    let store = read_store(config)?;
    let restored = store.restore()?;
    let key = hash_key(&config.state)?;
    let setup = setup(config, key, clock::zone())
        .map_err(|found| Failure::new(Exit::Config, found.to_string()))?;
    Engine::restore(
        setup,
        core::checkpoint(&store, restored.checkpoint)?,
        restored.incidents,
    )
    .map_err(|error| Failure::new(Exit::Data, chain(&error)))
}

/// The database, to read.
///
/// # Errors
/// There is none (69), or it cannot be read.
pub fn read_store(config: &Config) -> Result<Store, Failure> {
    let path = config.state.join("postwarden.db");
    if !path.exists() {
        let message = format!("there is no {}", path.display());
        return Err(Failure::new(Exit::Unavailable, message)
            .hint("has `postwarden run` ever run with this configuration?"));
    }
    Ok(Store::open_read_only(&path)?)
}

/// The digests of one message, as they are published and asked for.
#[must_use]
pub fn digests_of(message: &[u8]) -> Vec<String> {
    digest::published(message)
}

enum Opening {
    Taken,
    Failed(Failure),
}

fn try_open(config: &Config, host: &str) -> Result<(Core, Vec<store::Cursor>), Opening> {
    let key = hash_key(&config.state).map_err(|error| Opening::Failed(error.into()))?;
    let mut setup = setup(config, key, clock::zone())
        .map_err(|found| Opening::Failed(Failure::new(Exit::Config, found.to_string())))?;
    setup.ledger.persistent = true;
    let (mut core, cursors) =
        Core::open(&config.state, setup, host).map_err(|error| match error {
            OpenError::Lock(LockError::Taken(_)) => Opening::Taken,
            OpenError::Store(error) => Opening::Failed(error.into()),
            error => Opening::Failed(Failure::new(Exit::Unavailable, chain(&error))),
        })?;
    core.operator = Operator {
        alert: config.alert.clone(),
        host: host.to_owned(),
    };
    Ok((core, cursors))
}

fn open(config: &Config, host: &str) -> Result<(Core, Vec<store::Cursor>), Failure> {
    try_open(config, host).map_err(|opening| match opening {
        Opening::Taken => Failure::new(
            Exit::Retry,
            format!(
                "another postwarden is running on {}",
                config.state.display()
            ),
        )
        .hint("postwarden status"),
        Opening::Failed(failure) => failure,
    })
}

/// The state directory, for its owner only.
fn make_state(state: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .map_err(|error| {
            Failure::new(Exit::Unavailable, format!("{}: {error}", state.display()))
                .hint("[state] directory")
        })
}

/// The relay's name as its log lines have it.
fn host_name(config_directory: &Path) -> String {
    let named = postconf(config_directory, &["myhostname"])
        .ok()
        .and_then(|settings| settings.into_iter().next());
    named.map_or_else(|| "localhost".to_owned(), |(_, name)| name)
}

fn serve(
    config: &Config,
    view: &Arc<ArcSwap<View>>,
    intake: &Arc<Intake>,
    runtime: &tokio::runtime::Runtime,
) -> Result<Servers, Failure> {
    let addresses = |endpoints: &[Endpoint]| endpoints.iter().map(address).collect();
    let listen = Listen {
        socketmap: addresses(&config.listen.socketmap),
        tcp_table: config
            .listen
            .tcp_table
            .iter()
            .filter_map(|table| Some((table.map.parse::<Table>().ok()?, address(&table.endpoint))))
            .collect(),
        policy: addresses(&config.listen.policy),
        milter: addresses(&config.listen.milter),
        pyzor: addresses(&config.listen.pyzor),
    };
    let _guard = runtime.enter();
    Servers::start(&listen, view, intake, digests_of, Limits::default())
        .map_err(|error| Failure::new(Exit::Unavailable, chain(&error)))
}

fn address(endpoint: &Endpoint) -> Address {
    match endpoint {
        Endpoint::Unix(path) => Address::Unix(path.clone()),
        Endpoint::Inet(address) => Address::Inet(address.to_string()),
        Endpoint::Udp(address) => Address::Udp(address.to_string()),
    }
}

/// SIGTERM and SIGINT end, SIGHUP reloads.
fn signals(runtime: &tokio::runtime::Runtime, flags: &Arc<Flags>) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let _guard = runtime.enter();
    let failed =
        |error: std::io::Error| Failure::new(Exit::Unavailable, format!("no signals: {error}"));
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let flags = Arc::clone(flags);
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = term.recv() => flags.stop.store(true, Ordering::Relaxed),
                _ = interrupt.recv() => flags.stop.store(true, Ordering::Relaxed),
                _ = hangup.recv() => flags.reload.store(true, Ordering::Relaxed),
            }
        }
    });
    Ok(())
}

/// The workers' ends of the channels.
struct Ends {
    work: Receiver<core::Errand>,
    publish: SyncSender<desk::Published>,
    look: SyncSender<queue::Look>,
}

/// The workers.
struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    fn start(
        config: &Config,
        host: &str,
        ends: Ends,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let store = || Store::open(&config.state.join("postwarden.db")).map_err(Failure::from);
        let Ends {
            work,
            publish,
            look,
        } = ends;
        let queue = QueueWatcher::new(config, look, Arc::clone(metrics));
        let holds = HoldWorker::new(config, host, store()?, Arc::clone(metrics));
        let desk = DeskWorker::new(config, host, store()?, publish, Arc::clone(metrics));
        let stop = Arc::new(AtomicBool::new(false));
        let (flag, other) = (Arc::clone(&stop), Arc::clone(&stop));
        let threads = vec![
            std::thread::spawn(move || queue.run(&other)),
            std::thread::spawn(move || holds.run(&work)),
            std::thread::spawn(move || desk.run(&flag)),
        ];
        Ok(Self { stop, threads })
    }

    fn join(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker ended in a panic");
            }
        }
    }
}
