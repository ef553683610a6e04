//! A whole attack on real Postfix, with postwarden beside it.

use std::{collections::HashSet, process::Command, time::Duration};

use postwarden::demo::{
    warden::{Orders, number},
    witness::Outcome,
    world::DESK,
};
use serde_json::Value;

use crate::scene::{OWNER, PATIENCE, Scene, THIEF, scene};

#[test]
fn the_demo_holds_all_its_figures_and_leaves_nothing_behind() {
    if crate::world::postfix().is_none() {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_postwarden"))
        .args(["demo", "--fast", "--json"])
        .output()
        .unwrap();
    let timeline = String::from_utf8_lossy(&output.stderr).into_owned();
    let figures: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{timeline}"));
    assert!(
        output.status.success() && figures["good"] == true,
        "{timeline}\n{figures:#}"
    );
    let ground = timeline
        .split_once("all under ")
        .unwrap()
        .1
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        !std::path::Path::new(&ground).exists(),
        "{ground} is still there"
    );
}

#[test]
fn in_observe_mode_an_attack_changes_neither_the_spool_nor_any_lookup() {
    let Some(mut scene) = scene(&Orders::default()) else {
        return;
    };
    let _warden = scene.setup.start(&scene.world.stop).unwrap();
    let table = format!(
        "socketmap:inet:127.0.0.1:{}:abused",
        scene.world.ports.socketmap
    );
    let thief = scene.thief(10);
    let mut incidents = Vec::new();
    scene.until("an incident", || {
        assert_eq!(scene.held(), []);
        assert_eq!(lookup(&scene, &table, OWNER), None);
        incidents = scene.setup.incidents().unwrap();
        !incidents.is_empty()
    });
    let posted = thief.finish();
    scene.until_quiet();
    assert_eq!(lookup(&scene, &table, OWNER), None);
    assert_eq!(scene.held(), []);
    let account = scene.account(&posted);
    assert_eq!(
        (account.ended, account.missing.len(), account.doubled.len()),
        (posted.len(), 0, 0)
    );
    let log = scene.log();
    assert!(
        !log.contains("placed on hold") && !log.contains(" hold: "),
        "{log}"
    );
    for incident in scene.setup.incidents().unwrap() {
        assert_eq!(incident["mode"], "observe");
        assert_eq!(incident["enforced"], false);
    }
    let alerts = || scene.world.witness.seen(|seen| &*seen.place == DESK);
    scene.until("the alert", || !alerts().is_empty());
    let alert = String::from_utf8_lossy(alerts()[0].content.as_deref().unwrap()).into_owned();
    assert!(alert.contains("OBSERVE"), "{alert}");
}

#[test]
fn a_replay_of_the_log_decides_what_the_live_run_decided() {
    let Some(mut scene) = scene(&Orders::default()) else {
        return;
    };
    let warden = scene.setup.start(&scene.world.stop).unwrap();
    let life = scene.life(12);
    let thief = scene.thief(6);
    drop((life.finish(), thief.finish()));
    scene.until_quiet();
    scene.until("an incident", || {
        !scene.setup.incidents().unwrap().is_empty()
    });
    assert!(warden.end().unwrap().success());
    let live: HashSet<[String; 4]> = scene
        .setup
        .incidents()
        .unwrap()
        .iter()
        .map(decision)
        .collect();
    let log = scene.world.relay.log();
    let replayed = scene.setup.ask(&["replay", log.to_str().unwrap()]).unwrap();
    let replayed: HashSet<[String; 4]> = replayed
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["type"] == "verdict" && !line["incident"].is_null())
        .map(decision)
        .collect();
    assert_eq!(live, replayed);
}

/// Who, how, by which policy, when.
fn decision(record: &Value) -> [String; 4] {
    let at = record.get("opened").or_else(|| record.get("at")).unwrap();
    [
        &record["sender_id"],
        &record["verdict"],
        &record["policy"],
        at,
    ]
    .map(ToString::to_string)
}

/// `kill -9` as often as `POSTWARDEN_TEST_KILLS` says, 6 times by default, while the thief is at work.
#[test]
fn killed_at_random_points_it_comes_back_with_one_incident_and_loses_or_doubles_nothing() {
    let kills: u64 = std::env::var("POSTWARDEN_TEST_KILLS").map_or(6, |text| text.parse().unwrap());
    let orders = Orders {
        enforce: true,
        ..Orders::default()
    };
    let Some(mut scene) = scene(&orders) else {
        return;
    };
    let life = scene.life(20 + kills);
    let thief = scene.thief(10 + kills);
    for _ in 0..kills {
        let warden = scene.setup.spawn().unwrap();
        let life_time = Duration::from_millis(50 + scene.dice.next() % 900);
        scene.world.stop.pass(life_time).unwrap();
        warden.kill();
    }
    let warden = scene.setup.start(&scene.world.stop).unwrap();
    scene.until("mail on hold", || !scene.held().is_empty());
    let posted = [thief.finish(), life.stop()].concat();
    scene.until_quiet();
    let incidents = scene.setup.incidents().unwrap();
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let incident = number(&incidents[0]);
    assert_eq!(incidents[0]["sender_id"], format!("sasl:{OWNER}"));
    held_or_ended_once(&scene, &posted);
    the_record_says_what_is_on_hold(&scene, incident);
    let alerts = || {
        scene
            .world
            .witness
            .count(|seen| &*seen.place == DESK && seen.outcome == Outcome::Accepted)
    };
    scene.until("the alert", || alerts() >= 1);
    scene
        .setup
        .tell(&[
            "release",
            &incident.to_string(),
            "--reason",
            "the test is over",
            "--yes",
        ])
        .unwrap();
    scene.until("an empty hold queue", || scene.held().is_empty());
    scene.until_quiet();
    let account = scene.account(&posted);
    assert_eq!(
        (account.missing.as_slice(), account.doubled.as_slice()),
        (&[][..], &[][..])
    );
    assert_eq!(account.ended, account.taken);
    assert!(warden.end().unwrap().success());
}

/// The incident's own count of held messages is that of the spool.
fn the_record_says_what_is_on_hold(scene: &Scene, incident: u64) {
    let mut told = (Value::Null, Value::Null, 0);
    let agree = scene
        .world
        .stop
        .wait_for("the record to say what is on hold", PATIENCE, || {
            let record = scene.setup.ask(&["show", &incident.to_string()])?;
            told = (
                record["held"].clone(),
                record["husks"].clone(),
                scene.held().len(),
            );
            Ok((told.0["messages"].as_u64() == u64::try_from(told.2).ok()).then_some(()))
        });
    assert!(
        agree.is_ok(),
        "on record, husks on record, in hold: {told:?}\n{}",
        scene.setup.last_words()
    );
}

/// Every message is on hold or has ended, and none is both or twice.
fn held_or_ended_once(scene: &Scene, posted: &[postwarden::demo::traffic::Posted]) {
    let held: HashSet<String> = scene.held().into_iter().map(|held| held.message).collect();
    assert_eq!(held.len(), scene.held().len(), "a message is on hold twice");
    let account = scene.account(posted);
    assert_eq!(account.doubled, [] as [String; 0]);
    let missing: HashSet<String> = account
        .missing
        .iter()
        .filter_map(|name| name.split_once(' '))
        .map(|(message, _)| message.to_owned())
        .collect();
    let lost: Vec<&String> = missing.difference(&held).collect();
    let both: Vec<&String> = held.difference(&missing).collect();
    assert!(
        lost.is_empty() && both.is_empty(),
        "neither on hold nor ended: {lost:?}; on hold and ended: {both:?}
{}",
        scene.setup.last_words()
    );
    let innocent =
        |held: &&postwarden::demo::measure::Held| held.identity != THIEF && held.identity != OWNER;
    assert_eq!(scene.held().iter().filter(innocent).count(), 0);
}

/// `postmap -q`: what Postfix itself gets for an answer.
fn lookup(scene: &Scene, table: &str, key: &str) -> Option<String> {
    let output = Command::new(scene.world.postfix.command("postmap"))
        .args(["-q", key, table])
        .output()
        .unwrap();
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn an_unprivileged_daemon_holds_through_the_holder() {
    let orders = Orders {
        enforce: true,
        wrapper: [
            "setpriv",
            "--reuid=nobody",
            "--regid=nogroup",
            "--groups=postdrop",
            "--no-new-privs",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Orders::default()
    };
    let Some(mut scene) = scene(&orders) else {
        return;
    };
    let socket = scene.world.ground.path().join("holder");
    let orders = Orders {
        holder: Some(socket.clone()),
        ..orders
    };
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_postwarden"));
    // The binary may lie where nobody may look: a copy lies in the ground.
    let copy = scene.world.ground.path().join("postwarden");
    std::fs::copy(binary, &copy).unwrap();
    scene.setup = postwarden::demo::warden::Setup::write(&scene.world, &copy, &orders).unwrap();
    give_to_nobody(&scene);
    let holder = Command::new(&copy)
        .args(["holder", "--allow-user", "nobody", "--socket"])
        .arg(&socket)
        .arg("--config-directory")
        .arg(scene.world.relay.config_directory())
        .spawn()
        .unwrap();
    let _holder = crate::units::Ended(holder);
    scene.until("the holder's socket", || socket.exists());
    let warden = scene.setup.start(&scene.world.stop).unwrap();
    let thief = scene.thief(12);
    scene.until("mail on hold", || !scene.held().is_empty());
    let posted = thief.finish();
    scene.until_quiet();
    held_or_ended_once(&scene, &posted);
    let incidents = scene.setup.incidents().unwrap();
    let evidence = scene.setup.state().join(format!(
        "evidence/PW-{}/MANIFEST.sha256",
        number(&incidents[0])
    ));
    scene.until("the evidence", || evidence.exists());
    assert!(warden.end().unwrap().success());
}

/// The state directory, and the right to read the log, as an installation gives them.
fn give_to_nobody(scene: &Scene) {
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let directory = scene.setup.config().parent().unwrap();
    nix::unistd::chown(directory, Some(nobody.uid), None).unwrap();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(scene.world.relay.log(), permissions).unwrap();
}

#[test]
fn a_wrong_configuration_names_all_its_mistakes_and_starts_nothing() {
    let Some(scene) = scene(&Orders::default()) else {
        return;
    };
    let state = scene.world.ground.path().join("never");
    let text = format!(
        "mode = \"enforced\"\n[log]\nsources = [\"/nonexistent/mail.log\"]\n[postfix]\nconfig_directory = \"/nonexistent\"\n\
         [queue]\npol = \"30s\"\n[state]\ndirectory = {state:?}\n"
    );
    let file = scene.world.ground.path().join("wrong.toml");
    std::fs::write(&file, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_postwarden"))
        .args(["run", "-c"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    for expected in [
        ":1:",
        ":3:",
        ":5:",
        ":7:",
        "enforced",
        "/nonexistent/mail.log",
        "did you mean `poll`?",
    ] {
        assert!(said.contains(expected), "no {expected} in\n{said}");
    }
    assert!(!state.exists());
}
