//! What an engine is made of, from the configuration: policies, bounce rules, networks, the hash key.

use std::{
    io::Write,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    classify::Classifier,
    config::{Config, Diagnostics},
    correlate,
    engine::Setup,
    ledger::{
        self,
        network::{Geo, Place},
    },
    policy::Policies,
    settings::Problem,
    time::Zone,
};

/// The operator's rules, or the shipped ones, read and compiled.
///
/// # Errors
/// Every mistake in every file.
pub fn setup(config: &Config, key: [u8; 32], zone: Zone) -> Result<Setup, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let policies = read_policies(config, &mut diagnostics);
    let classifier = classifier(&config.policies.join("bounce"), &mut diagnostics);
    let geo = geo(&config.geo, &mut diagnostics);
    let (Some(policies), Some(classifier)) = (policies, classifier) else {
        return Err(diagnostics);
    };
    diagnostics.into_result(Setup {
        mode: config.mode,
        policies,
        classifier,
        ledger: ledger::Setup {
            zone,
            key,
            geo,
            ..ledger::Setup::default()
        },
        correlate: correlate::Limits::default(),
        brake: config.brake,
    })
}

/// The key of the hashes under which senders and recipients are stored: made once, readable by the owner only.
///
/// # Errors
/// The file cannot be read or made.
pub fn hash_key(state: &Path) -> std::io::Result<[u8; 32]> {
    let path = state.join("key");
    match fs_err::read(&path) {
        Ok(bytes) => bytes.first_chunk().copied().ok_or_else(|| {
            std::io::Error::other(format!(
                "{} is shorter than 32 bytes: restore it from a backup",
                path.display()
            ))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            std::io::Read::read_exact(&mut fs_err::File::open("/dev/urandom")?, &mut key)?;
            let options = fs_err::OpenOptions::from_options({
                let mut options = std::fs::OpenOptions::new();
                options.write(true).create_new(true).mode(0o600);
                options
            });
            let mut file = options.open(&path)?;
            file.write_all(&key)?;
            file.sync_all()?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

/// The policies in force, with what the site has laid over them.
///
/// # Errors
/// Every mistake in every file.
pub fn policies(config: &Config) -> Result<Policies, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let found = read_policies(config, &mut diagnostics);
    diagnostics.into_result(found.unwrap_or_else(Policies::shipped))
}

fn read_policies(config: &Config, diagnostics: &mut Diagnostics) -> Option<Policies> {
    let files = texts(&config.policies, diagnostics)?;
    let files: Vec<(String, String)> = files
        .into_iter()
        .filter(|(name, _)| !name.ends_with("postwarden.toml"))
        .chain(config.policies_over.iter().cloned())
        .collect();
    let found = if config.policies_alone {
        Policies::parse_alone(&files)
    } else {
        Policies::over_shipped(&files)
    };
    match found {
        Ok(policies) => Some(policies),
        Err(problems) => {
            place(&files, problems, diagnostics);
            None
        }
    }
}

fn classifier(directory: &Path, diagnostics: &mut Diagnostics) -> Option<Classifier> {
    let files = texts(directory, diagnostics)?;
    let borrowed: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    match Classifier::with_operator_rules(&borrowed) {
        Ok(classifier) => Some(classifier),
        Err(problems) => {
            place(&files, problems, diagnostics);
            None
        }
    }
}

fn place(
    files: &[(String, String)],
    problems: Vec<(String, Problem)>,
    diagnostics: &mut Diagnostics,
) {
    for (name, problem) in problems {
        let text = files
            .iter()
            .find(|(file, _)| *file == name)
            .map_or("", |(_, text)| text.as_str());
        diagnostics.add(&name, text, vec![problem]);
    }
}

/// The .toml files of a directory in the order of their names; none where there is no directory.
fn texts(directory: &Path, diagnostics: &mut Diagnostics) -> Option<Vec<(String, String)>> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Vec::new()),
        Err(error) => {
            diagnostics.without_place(error.to_string(), None);
            return None;
        }
    };
    let mut paths: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match fs_err::read_to_string(&path) {
            Ok(text) => files.push((path.display().to_string(), text)),
            Err(error) => diagnostics.without_place(error.to_string(), None),
        }
    }
    Some(files)
}

fn geo(tables: &[PathBuf], diagnostics: &mut Diagnostics) -> Geo {
    let mut geo = Geo::by_prefix();
    let mut readers = Vec::new();
    for path in tables {
        let is_csv = path.extension().is_some_and(|extension| extension == "csv");
        let read = if is_csv {
            csv(&mut geo, path)
        } else {
            mmdb(path).map(|reader| readers.push(reader))
        };
        if let Err(message) = read {
            diagnostics.without_place(
                message,
                Some("[geo] databases: .csv with prefix,asn,cc or .mmdb".to_owned()),
            );
        }
    }
    if readers.is_empty() {
        return geo;
    }
    geo.with_lookup(Arc::new(move |address| place_of(&readers, address)))
}

fn csv(geo: &mut Geo, path: &Path) -> Result<(), String> {
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    geo.add_csv(&text)
        .map_err(|line| format!("{}:{line}: not a row prefix,asn,cc", path.display()))
}

type Table = maxminddb::Reader<Vec<u8>>;

fn mmdb(path: &Path) -> Result<Table, String> {
    let bytes = fs_err::read(path).map_err(|error| error.to_string())?;
    maxminddb::Reader::from_source(bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// What the tables together know of an address; the network by prefix where none knows its AS.
fn place_of(tables: &[Table], address: IpAddr) -> Option<Place> {
    #[derive(serde::Deserialize)]
    struct Row {
        autonomous_system_number: Option<u32>,
        country: Option<Country>,
    }
    #[derive(serde::Deserialize)]
    struct Country {
        iso_code: Option<String>,
    }
    let mut place = None;
    for table in tables {
        let Ok(Some(row)) = table
            .lookup(address)
            .and_then(|found| found.decode::<Row>())
        else {
            continue;
        };
        let known = place.get_or_insert_with(|| Geo::by_prefix().place(address));
        if let Some(asn) = row.autonomous_system_number {
            known.network = u64::from(asn);
        }
        let code = row.country.and_then(|country| country.iso_code);
        known.country = code
            .and_then(|code| code.as_bytes().try_into().ok())
            .or(known.country);
    }
    place
}
