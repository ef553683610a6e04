//! `export N DIR`: the evidence of an incident, verified before it is copied and after, for the desk or the police.

use std::{
    io::Write,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    action::{
        evidence::{note, verify},
        incident_name,
    },
    cli::{
        Context, Exit, Failure,
        desk::{self, OrderArgs},
    },
    daemon::clock,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Incident number
    incident: u64,
    /// Directory to copy to; it must not exist
    directory: PathBuf,
    #[command(flatten)]
    order: OrderArgs,
}

/// Copies.
///
/// # Errors
/// There is no sound evidence (65), or it cannot be copied (69).
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let source = config
        .state
        .join("evidence")
        .join(incident_name(args.incident));
    let files = sound(&source)?;
    let target = args.directory.display();
    let question = format!("Copies {files} files of evidence to {target}.");
    desk::confirm(&args.order, &question, out)?;
    let remark = format!("copied to {target}: {}", args.order.reason);
    note(&source, clock::now(), &desk::who(), &remark)
        .map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    copy(&source, &args.directory)?;
    sound(&args.directory)?;
    if args.order.json {
        writeln!(
            out,
            "{}",
            json!({"incident": args.incident, "files": files, "directory": args.directory})
        )?;
    } else {
        writeln!(
            out,
            "{files} files in {target}; check with: sha256sum -c MANIFEST.sha256"
        )?;
    }
    Ok(Exit::Ok)
}

/// How many files there are, all of them as they were written.
fn sound(directory: &Path) -> Result<usize, Failure> {
    let report = verify(directory).map_err(|error| Failure::new(Exit::Data, error.to_string()))?;
    match report.first_fault() {
        None => Ok(report.files.len()),
        Some(fault) => Err(Failure::new(
            Exit::Data,
            format!(
                "the evidence in {} is not sound: {fault}",
                directory.display()
            ),
        )),
    }
}

/// A plain copy, readable by its owner only; evidence holds no links.
fn copy(source: &Path, target: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(target)
        .map_err(|error| {
            Failure::new(Exit::Unavailable, format!("{}: {error}", target.display()))
        })?;
    for entry in walkdir::WalkDir::new(source)
        .min_depth(1)
        .follow_links(false)
    {
        let entry = entry.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
        let Ok(below) = entry.path().strip_prefix(source) else {
            continue;
        };
        let to = target.join(below);
        if entry.file_type().is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(&to)?;
        } else if entry.file_type().is_file() {
            fs_err::copy(entry.path(), &to)?;
            fs_err::set_permissions(&to, std::fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(())
}
