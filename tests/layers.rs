//! The layer rules of `src/lib.rs`, checked: what a module may import, and what a pure one may not name.

#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The rooms below each layer, bottom up.
const WORDS: &[&str] = &["time", "settings", "mail", "postfix", "wire", "digest"];
const JUDGEMENT: &[&str] = &["correlate", "classify", "ledger", "policy", "engine"];
const EDGES: &[&str] = &["telemetry", "source", "store", "action", "server", "holder"];

/// Each module, bottom up, and the groups of modules of this crate that it may import.
const MAY_IMPORT: &[(&str, &[&[&str]])] = &[
    // Words: the formats of the outside world. They know nothing of postwarden.
    ("time", &[]),
    ("settings", &[]),
    ("mail", &[&["time"]]),
    ("postfix", &[&["time", "mail"]]),
    ("wire", &[&["mail", "postfix"]]),
    ("digest", &[&["mail"]]),
    // Judgement: no I/O, no clock.
    ("correlate", &[&["time", "mail", "postfix"]]),
    ("classify", &[&["settings", "mail"]]),
    (
        "ledger",
        &[&[
            "time",
            "settings",
            "mail",
            "correlate",
            "classify",
            "postfix",
        ]],
    ),
    (
        "policy",
        &[&[
            "time",
            "settings",
            "mail",
            "postfix",
            "correlate",
            "classify",
            "ledger",
        ]],
    ),
    (
        "engine",
        &[&[
            "time",
            "settings",
            "mail",
            "postfix",
            "digest",
            "correlate",
            "classify",
            "ledger",
            "policy",
        ]],
    ),
    // Edges: I/O, and never one another.
    ("telemetry", &[&["time"]]),
    ("source", &[&["time", "mail", "postfix", "telemetry"]]),
    ("store", &[WORDS, JUDGEMENT, &["telemetry"]]),
    (
        "action",
        &[WORDS, &["ledger", "policy", "engine", "telemetry"]],
    ),
    ("server", &[WORDS, &["policy", "engine", "telemetry"]]),
    ("holder", &[&["postfix", "wire", "telemetry"]]),
    // House: puts the rooms together.
    ("config", &[WORDS, JUDGEMENT, EDGES]),
    ("daemon", &[WORDS, JUDGEMENT, EDGES, &["config"]]),
    ("demo", &[WORDS, &["config", "daemon", "telemetry"]]),
];

/// The modules that do no I/O and read no clock.
const PURE: &[&[&str]] = &[WORDS, JUDGEMENT];

/// What a pure module may not name.
const IMPURE: &[&str] = &[
    "tokio::",
    "std::fs",
    "std::io",
    "std::process",
    "std::thread",
    "std::env",
    "TcpStream",
    "TcpListener",
    "UnixStream",
    "UnixListener",
    "rusqlite::",
    "lettre::",
    "tracing::",
];

#[test]
fn a_module_imports_only_what_its_layer_allows() {
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_IMPORT {
        for (file, text) in sources(module) {
            for import in imports(&text) {
                if import != *module
                    && !allowed.iter().any(|group| group.contains(&import.as_str()))
                {
                    wrong.push(format!(
                        "{}: `{module}` may not import `{import}`",
                        file.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pure_module_names_no_io() {
    let mut wrong = Vec::new();
    for module in PURE.iter().copied().flatten() {
        for (file, text) in sources(module) {
            for name in IMPURE.iter().filter(|name| text.contains(**name)) {
                wrong.push(format!(
                    "{}: a pure module may not name `{name}`",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_row() {
    let rows: BTreeSet<String> = MAY_IMPORT
        .iter()
        .map(|(module, _)| (*module).to_owned())
        .collect();
    let found: BTreeSet<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| name != "lib" && name != "main" && name != "cli")
        .collect();
    assert_eq!(rows, found);
}

/// The first path segments after `crate::`, with `crate::{a::X, b}` read as `a` and `b`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, found) in text.match_indices("crate::") {
        let rest = &text[at + found.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 1;
        let mut start = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => start = true,
                c if start && !c.is_whitespace() => {
                    names.insert(word(&group[i..]));
                    start = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The Rust files of a module, comments cut.
fn sources(module: &str) -> Vec<(PathBuf, String)> {
    let mut files = rust_files(&root().join(module));
    files.extend(Some(root().join(format!("{module}.rs"))).filter(|path| path.exists()));
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let code = text
                .lines()
                .map(|line| line.split("//").next().unwrap())
                .collect::<Vec<_>>()
                .join("\n");
            (file, code)
        })
        .collect()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
