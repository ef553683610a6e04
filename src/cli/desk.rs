//! What the verbs of a person share: the configuration, the database, and the way to the daemon.

use std::{io::Write, time::Duration};

use serde_json::Value;

use crate::{
    cli::{Context, Exit, Failure},
    config::{self, Config, Need},
    daemon::{self, clock},
    store::{JobKind, Request, RequestState, Store},
};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Flags of every verb that changes something.
#[derive(Debug, clap::Args)]
pub struct OrderArgs {
    /// Why; goes on record
    #[arg(long)]
    pub reason: String,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The configuration, as far as the file's own words go.
///
/// # Errors
/// Every mistake in it; exit status 78.
pub fn config(context: &Context) -> Result<Config, Failure> {
    config::load(&context.config, Need::Words)
        .map_err(|found| Failure::new(Exit::Config, found.to_string()))
}

/// The database, to read.
///
/// # Errors
/// There is none (69), or it cannot be read.
pub fn read_store(config: &Config) -> Result<Store, Failure> {
    daemon::read_store(config)
}

/// Asks before something is changed. Without a terminal the answer is no.
///
/// # Errors
/// Nobody said yes.
pub fn confirm(order: &OrderArgs, what: &str, out: &mut dyn Write) -> Result<(), Failure> {
    if order.yes {
        return Ok(());
    }
    write!(out, "{what}  Proceed? [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("y") {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "nothing was changed").hint("--yes for scripts"))
}

/// Has a request carried out: by the daemon if one runs, else here and now.
///
/// # Errors
/// It was refused (65), or nobody answered in time (75).
pub fn carry_out(config: &Config, verb: &str, arguments: &Value) -> Result<Value, Failure> {
    let mut store = Store::open(&config.state.join("postwarden.db"))?;
    let number = store.submit(verb, arguments, &who(), clock::now())?;
    let start = clock::instant();
    loop {
        let request = store.request(number)?;
        if let Some(result) = request.and_then(answered) {
            return result;
        }
        if start.elapsed() > PATIENCE {
            drop(store.withdraw(number));
            return Err(Failure::new(
                Exit::Retry,
                "the daemon did not answer; the request was withdrawn",
            ));
        }
        // Without a daemon the lock is free: then this process is the daemon for a moment.
        if !daemon::attend_once(config)? {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn answered(request: Request) -> Option<Result<Value, Failure>> {
    let result = request.result.unwrap_or_default();
    match request.state {
        RequestState::New => None,
        RequestState::Done => Some(Ok(result)),
        RequestState::Failed => {
            let message = result
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or("refused")
                .to_owned();
            Some(Err(Failure::new(Exit::Data, message)))
        }
    }
}

/// Waits until the work of an incident is done; `kind` as in the record.
///
/// # Errors
/// It failed, or was not done in time.
pub fn await_work(config: &Config, incident: u64, kind: JobKind) -> Result<(), Failure> {
    let start = clock::instant();
    loop {
        let store = read_store(config)?;
        let jobs = store.jobs(incident)?;
        let mut open = jobs
            .iter()
            .filter(|job| job.kind == kind && job.state != "done");
        match open.next() {
            None => return Ok(()),
            Some(job) if job.state == "failed" => {
                return Err(Failure::new(
                    Exit::Unavailable,
                    job.last_error.clone().unwrap_or_default(),
                ));
            }
            Some(job) if start.elapsed() > PATIENCE => {
                let message = format!(
                    "not done yet, it goes on: {}",
                    job.last_error.clone().unwrap_or_default()
                );
                return Err(Failure::new(Exit::Retry, message));
            }
            Some(_) => {}
        }
        if !daemon::attend_once(config)? {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The person at the keyboard, for the record.
pub(super) fn who() -> String {
    let name = ["SUDO_USER", "LOGNAME", "USER"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", nix::unistd::getuid()))
}
