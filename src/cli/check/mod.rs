//! `check`: configuration, policies with their specimens, and the host; says what to run to mend it.

mod findings;

use std::{collections::BTreeMap, io::Write, path::Path, time::Duration};

use serde_json::json;

pub use self::findings::{Finding, Level};
use crate::{
    cli::{Context, Exit, Failure},
    config::{self, Config, Need, Source},
    daemon::{self, clock},
    policy::Policies,
    source::{postqueue, program::postconf, spool::Spool},
    wire::holder::{Request, Verb},
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks; exit status 78 when something does not do its job.
///
/// # Errors
/// Every mistake in the files (78).
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let wrong = |found: config::Diagnostics| Failure::new(Exit::Config, found.to_string());
    let config = config::load(&context.config, Need::Host).map_err(wrong)?;
    let setup = daemon::setup(&config, [0; 32], clock::zone()).map_err(wrong)?;
    let mut found = vec![Finding::ok(format!(
        "configuration {}",
        context.config.display()
    ))];
    found.extend(specimens(&setup));
    found.extend(host(&config));
    found.extend(desk(&config));
    print(args, &found, out)?;
    Ok(
        if found.iter().any(|finding| finding.level == Level::Fail) {
            Exit::Config
        } else {
            Exit::Ok
        },
    )
}

/// Every policy, override and bounce rule is held against its own cases.
fn specimens(setup: &crate::engine::Setup) -> Vec<Finding> {
    let (overridden, wrong): (Vec<_>, Vec<_>) = setup
        .policies
        .run_cases()
        .into_iter()
        .partition(|failure| failure.overridden);
    let mismatches = setup.classifier.specimens();
    let mut found: Vec<Finding> = wrong
        .iter()
        .map(|failure| {
            Finding::fail(
                format!("policy case does not hold: {failure}"),
                "mend the policy or its case",
            )
        })
        .collect();
    found.extend(mismatches.iter().map(|mismatch| {
        Finding::fail(
            format!("bounce rule does not hold: {mismatch}"),
            "mend the rule or its example",
        )
    }));
    if found.is_empty() {
        let rules = setup.classifier.rules();
        found.push(Finding::ok(format!(
            "policies and {rules} bounce rules hold against their own cases"
        )));
    }
    found.extend(overridden.iter().map(|failure| {
        Finding::warn(
            failure.to_string(),
            "if it is meant, nothing; else mend the override",
        )
    }));
    found.extend(laid_over(&setup.policies));
    found
}

/// Policies without cases, and exemptions that are over.
fn laid_over(policies: &Policies) -> Vec<Finding> {
    let mut found = Vec::new();
    for policy in policies.iter() {
        let cases = |fires| policy.cases.iter().any(|case| case.fires == fires);
        if !(cases(true) && cases(false)) {
            found.push(Finding::warn(
                format!(
                    "{}: policy {} has no case that must fire, or none that must not",
                    policy.place, policy.name
                ),
                "[[policy.case]], as in the shipped files",
            ));
        }
    }
    found.extend(policies.expired(clock::now()).map(|exemption| {
        Finding::warn(
            format!(
                "{}: the exemption by {} ended with {}; its senders are treated like all others",
                exemption.place, exemption.by, exemption.until
            ),
            "renew `until`, or take it out",
        )
    }));
    found
}

fn host(config: &Config) -> Vec<Finding> {
    let directory = config.config_directory.display().to_string();
    let mut names = findings::SETTINGS.to_vec();
    names.extend(["mail_version", "queue_directory"]);
    let settings: BTreeMap<String, String> = match postconf(&config.config_directory, &names) {
        Ok(settings) => settings.into_iter().collect(),
        Err(error) => {
            return vec![Finding::fail(
                format!("Postfix cannot be asked: {error}"),
                "apt-get install postfix",
            )];
        }
    };
    let version = settings.get("mail_version").cloned().unwrap_or_default();
    let mut found = vec![Finding::ok(format!("Postfix {version} in {directory}"))];
    found.push(
        match postqueue::list(&config.config_directory, Duration::from_secs(30)) {
            Ok(listing) => Finding::ok(format!(
                "the queue can be listed ({} messages)",
                listing.entries.len()
            )),
            Err(error) => Finding::fail(
                format!("the queue cannot be listed: {error}"),
                "usermod -aG postdrop postwarden",
            ),
        },
    );
    let queue_directory = settings.get("queue_directory").cloned().unwrap_or_default();
    found.push(if Spool::new(Path::new(&queue_directory)).is_readable() {
        Finding::ok("the spool can be walked")
    } else {
        Finding::ok(
            "the spool cannot be walked by this user: postqueue lists it, and the holder reads who sent what; \
             without the holder, mail that the log does not tell of counts for nobody",
        )
    });
    found.push(hands(config));
    found.extend(logs(config));
    found.extend(findings::judge(&settings, config, &directory));
    found
}

/// Does the way to root's verbs work?
fn hands(config: &Config) -> Finding {
    let request = Request {
        verb: Verb::Read,
        queue_ids: Vec::new(),
        limit: 0,
    };
    match (&config.holder, daemon::hands(config).call(&request)) {
        (Some(socket), Ok(_)) => Finding::ok(format!("the holder answers at {}", socket.display())),
        (Some(_), Err(error)) => Finding::fail(
            format!("the holder does not answer: {error}"),
            "systemctl enable --now postwarden-holder.socket; as root without it: [holder] socket = \"\"",
        ),
        (None, _) if nix::unistd::geteuid().is_root() => {
            Finding::ok("postsuper is called directly, as root")
        }
        (None, _) => Finding::fail(
            "[holder] socket is empty, and only root may call postsuper",
            "[holder] socket = \"/run/postwarden/holder\"",
        ),
    }
}

fn logs(config: &Config) -> Vec<Finding> {
    config
        .sources
        .iter()
        .map(|source| match source {
            Source::File(path) if path.exists() => {
                Finding::ok(format!("log {} is readable", path.display()))
            }
            Source::File(path) => Finding::warn(
                format!("log {} is not there yet", path.display()),
                "send a mail, or see postconf maillog_file",
            ),
            Source::Journal => Finding::ok("log: the journal"),
        })
        .collect()
}

fn desk(config: &Config) -> Option<Finding> {
    config.alert.to.is_empty().then(|| {
        Finding::warn(
            "nobody is told of an incident",
            "[alert] to = [\"abuse@...\"], from = \"postwarden@...\"",
        )
    })
}

fn print(args: &Args, found: &[Finding], out: &mut dyn Write) -> Result<(), Failure> {
    if args.json {
        let all: Vec<_> = found
            .iter()
            .map(|finding| json!({"level": finding.level.word(), "text": finding.text, "fix": finding.fix}))
            .collect();
        writeln!(out, "{}", json!(all))?;
        return Ok(());
    }
    for finding in found {
        writeln!(out, "{:<5} {}", finding.level.word(), finding.text)?;
        if let Some(fix) = &finding.fix {
            writeln!(out, "      fix: {fix}")?;
        }
    }
    Ok(())
}
