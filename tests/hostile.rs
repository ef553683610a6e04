//! The properties of `tests/fuzz`, for a few seconds: every seed, and mutations of seeds that are the same in every run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::too_many_lines,
    unreachable_pub,
    missing_docs,
    reason = "a test may stop at the first surprise"
)]

#[path = "fuzz/properties/mod.rs"]
mod properties;

#[path = "hostile/mutate.rs"]
mod mutate;
#[path = "hostile/victim.rs"]
mod victim;

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

use properties::{Property, TARGETS};

/// How many mutations of seeds each target gets.
fn rounds(target: &str) -> u32 {
    match target {
        "state" => 60,
        "digest" | "digest_body" | "attack" => 250,
        "policies" | "config" | "bounce_rules" | "archive" | "log_line" => 400,
        _ => 2000,
    }
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

/// The files of a directory, by name.
fn files(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap_or_else(|_| panic!("no {}", directory.display()));
    let paths: BTreeSet<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The words of a dictionary (libFuzzer's form: one quoted word a line).
fn words(target: &str) -> Vec<Vec<u8>> {
    let path = fuzz().join("dict").join(format!("{target}.dict"));
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'))
        .map(mutate::unescaped)
        .collect()
}

/// Runs a property; where it does not hold, says how to keep the input.
fn try_one(target: &str, input: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| properties::run(target, input)));
    if let Err(cause) = outcome {
        eprintln!(
            "{target} fails; keep this as tests/fuzz/seeds/{target}/...:\n\"{}\"",
            input.escape_ascii()
        );
        resume_unwind(cause);
    }
}

fn run(targets: &[(&str, Property)]) {
    for (target, _) in targets {
        let seeds = files(&fuzz().join("seeds").join(target));
        assert!(!seeds.is_empty(), "{target} has no seed");
        for seed in &seeds {
            try_one(target, seed);
        }
        try_one(target, b"");
        let words = words(target);
        let mut dice = mutate::Dice::new(target);
        for _ in 0..rounds(target) {
            let input = mutate::mutated(&seeds, &words, &mut dice);
            try_one(target, &input);
        }
    }
}

// Two halves, for two cores.
#[test]
fn what_must_hold_holds_for_the_seeds_and_what_becomes_of_them() {
    run(&TARGETS[..TARGETS.len() / 2]);
}

#[test]
fn what_must_hold_holds_for_the_other_seeds_too() {
    run(&TARGETS[TARGETS.len() / 2..]);
}

#[test]
fn every_target_is_known_to_the_fuzzer() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let named: BTreeSet<String> = fs::read_dir(fuzz().join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let expected: BTreeSet<String> = TARGETS
        .iter()
        .map(|(name, _)| format!("{name}.rs"))
        .collect();
    assert_eq!(named, expected);
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
