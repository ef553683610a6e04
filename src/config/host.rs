//! What the file names on the host: logs that can be read, a Postfix that is there, tables that can be opened.

use std::{ops::Range, path::Path};

use crate::{
    config::{Config, Source, read::Places},
    settings::Document,
};

pub(super) fn verify(config: &Config, places: &Places, document: &Document<'_>) {
    for (source, place) in config.sources.iter().zip(&places.sources) {
        if let Source::File(path) = source {
            log_file(path, place, document);
        }
    }
    postfix(&config.config_directory, &places.config_directory, document);
    for (table, place) in config.geo.iter().zip(&places.geo) {
        if let Err(error) = fs_err::File::open(table) {
            document.report(
                place.clone(),
                format!("the GeoIP table cannot be read: {error}"),
                None,
            );
        }
    }
    if let Some(sendmail) = config.alert.sendmail.as_ref().filter(|path| !path.exists()) {
        document.report(
            places.sendmail.clone(),
            format!("there is no {}", sendmail.display()),
            None,
        );
    }
    if !config.alert.to.is_empty() && config.alert.from.is_empty() {
        document.report(
            0..0,
            "`alert.to` is set, `alert.from` is not",
            Some("from = \"postwarden@...\"".to_owned()),
        );
    }
}

/// A log that does not exist yet may appear (`maillog_file` is created by the first line), its directory must exist.
fn log_file(path: &Path, place: &Range<usize>, document: &Document<'_>) {
    match fs_err::File::open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let directory = path.parent().is_some_and(Path::is_dir);
            if !directory {
                let hint = "where Postfix logs: postconf maillog_file; with systemd: \"journal\"";
                document.report(
                    place.clone(),
                    format!("there is no log {}", path.display()),
                    Some(hint.to_owned()),
                );
            }
        }
        Err(error) => {
            let hint = format!(
                "give the daemon's user the right: usermod -aG adm postwarden, or setfacl on {}",
                path.display()
            );
            document.report(
                place.clone(),
                format!("the log cannot be read: {error}"),
                Some(hint),
            );
        }
    }
}

fn postfix(directory: &Path, place: &Range<usize>, document: &Document<'_>) {
    let main_cf = directory.join("main.cf");
    if !main_cf.exists() {
        let hint = "config_directory of your Postfix: postconf -h config_directory; none at all: apt-get install postfix";
        document.report(
            place.clone(),
            format!("no Postfix here: there is no {}", main_cf.display()),
            Some(hint.to_owned()),
        );
    }
    if find_program("postqueue").is_none() {
        let message = "no Postfix on this host: the command postqueue was not found";
        document.report(
            place.clone(),
            message,
            Some("apt-get install postfix".to_owned()),
        );
    }
}

/// A Postfix command, on PATH or where packages put it.
fn find_program(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin"].map(std::path::PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
