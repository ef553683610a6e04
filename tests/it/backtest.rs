//! `replay` over old logs: two sets of policies, a sweep, scores, holds that end.

use std::path::Path;

use serde_json::Value;

use super::learn::{Log, config, json_lines, postwarden};

/// Ordinary days, and anna's account stolen on the 12th and again on the 20th.
fn log(directory: &Path) -> std::path::PathBuf {
    let mut log = Log::default();
    (1..=12).for_each(|day| log.ordinary(day));
    log.attack(12);
    (13..=20).for_each(|day| log.ordinary(day));
    log.attack(20);
    let path = directory.join("old.log");
    std::fs::write(&path, &log.text).unwrap();
    path
}

fn replay(directory: &Path, args: &[&str]) -> Vec<Value> {
    let log = log(directory);
    let mut command = postwarden(&config(directory));
    command.args(["replay", "--json", "--tz", "UTC"]).args(args);
    json_lines(command.arg(log))
}

fn holds(lines: &[Value]) -> usize {
    let holds = lines.iter().filter(|line| line["verdict"] == "hold");
    holds.filter(|line| line["mode"] == "enforce").count()
}

#[test]
fn with_review_a_second_theft_is_held_again_and_without_it_is_not() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(holds(&replay(directory.path(), &[])), 1);
    let lines = replay(directory.path(), &["--review", "4h"]);
    assert_eq!(holds(&lines), 2, "{lines:?}");
    assert_eq!(lines.last().unwrap()["incidents"], 2);
}

#[test]
fn two_sets_of_policies_are_compared_sender_by_sender() {
    let directory = tempfile::tempdir().unwrap();
    let blind = directory.path().join("blind");
    std::fs::create_dir(&blind).unwrap();
    std::fs::write(
        blind.join("only.toml"),
        "[[policy]]\nname = \"blind\"\nmeasure = \"refusals\"\nverdict = \"hold\"\nrefused_at_least = 1000\nrefused_share = \"99%\"\n",
    )
    .unwrap();
    let lines = replay(directory.path(), &["--against", blind.to_str().unwrap()]);
    let compared: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "comparison")
        .collect();
    assert_eq!(compared.len(), 1, "{lines:?}");
    assert_eq!(compared[0]["held_by"], "policies");
    assert_eq!(compared[0]["sender_id"], "sasl:anna@example.org");
    assert_eq!(compared[0]["against"], Value::Null);
    assert!(compared[0]["policies"]["reasons"].as_array().unwrap().len() > 1);
}

#[test]
fn a_sweep_tells_holds_and_leaks_for_each_value_and_names_what_does_not_exist() {
    let directory = tempfile::tempdir().unwrap();
    let lines = replay(
        directory.path(),
        &["--sweep", "score-hold.score_at_least=4..500"],
    );
    let rows: Vec<&Value> = lines
        .iter()
        .filter(|line| line["type"] == "sweep")
        .collect();
    assert_eq!(rows.len(), 9);
    assert_eq!(
        (&rows[0]["value"], &rows[8]["value"]),
        (&"4".into(), &"500".into())
    );
    assert!(
        rows.iter().all(|row| row["held"] == 1),
        "the plain rule stays: {rows:?}"
    );
    assert!(rows[0]["accepted"].as_u64() <= rows[8]["accepted"].as_u64());

    let output = postwarden(&config(directory.path()))
        .args(["replay", "--sweep", "score-hold.scoer_at_least=4..5"])
        .arg(log(directory.path()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("scoer_at_least"));
}

#[test]
fn scores_recommend_a_threshold_that_leaves_the_known_thief_out() {
    let directory = tempfile::tempdir().unwrap();
    let guilty = directory.path().join("guilty");
    std::fs::write(&guilty, "sasl:anna@example.org  # stolen twice\n").unwrap();
    let of = |args: &[&str]| -> Value {
        let lines = replay(directory.path(), args);
        lines
            .into_iter()
            .find(|line| line["type"] == "scores")
            .unwrap()
    };
    let days = of(&["--scores", "--false-alarms", "0"]);
    let sender_days: u64 = days["histogram"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bin| bin["sender_days"].as_u64().unwrap())
        .sum();
    assert_eq!(sender_days, 20, "{days}");
    assert!(days["score_at_least"].as_f64().unwrap() > 8.0, "{days}");
    let without = of(&[
        "--scores",
        "--false-alarms",
        "0",
        "--guilty",
        guilty.to_str().unwrap(),
    ]);
    assert!(
        without["score_at_least"].as_f64().unwrap() < 8.0,
        "{without}"
    );
}
