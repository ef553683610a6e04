//! The demo's world by itself: real Postfix, remote sides, logins, no postwarden.

use std::{
    io::{BufRead, BufReader, Write},
    net::IpAddr,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use postwarden::demo::{
    cast::{self, Body, Flow},
    instance::Postfix,
    random::Random,
    remote::Temper,
    traffic::Traffic,
    wait::Stop,
    witness::Outcome,
    world::{self, World},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The demo's world, or `None` where there is no Postfix.
pub(crate) fn world(inbound: bool) -> Option<World> {
    start(&world::places(), inbound)
}

/// A world with these places, or `None` where there is no Postfix.
pub(crate) fn start(places: &[(&str, Temper)], inbound: bool) -> Option<World> {
    postfix()?;
    match World::start(places, inbound, &Stop::new()) {
        Ok(world) => Some(world),
        Err(error) => panic!("{error}"),
    }
}

/// The host's Postfix, or `None`; a failure if `POSTWARDEN_REQUIRE_POSTFIX` is set.
pub(crate) fn postfix() -> Option<Postfix> {
    let error = match Postfix::find() {
        Ok(postfix) => return Some(postfix),
        Err(error) => error,
    };
    assert!(
        std::env::var_os("POSTWARDEN_REQUIRE_POSTFIX").is_none_or(|value| value.is_empty()),
        "POSTWARDEN_REQUIRE_POSTFIX is set: {error}"
    );
    // Not by eprintln!, which the test runner swallows: a skipped test is to be seen.
    let line = format!("SKIPPED ({error}; as root: apt-get install postfix)\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

#[test]
fn mail_of_a_logged_in_user_reaches_every_remote_side_and_the_log_names_him() {
    let Some(world) = world(false) else { return };
    let names: Vec<&str> = world::places().into_iter().map(|(name, _)| name).collect();
    let mut dice = Random::new(1);
    let people = cast::people(5, world::HOME, &names, &mut dice);
    let mut letters = cast::ordinary(&people, 20.0, Duration::from_secs(1), "one", &mut dice);
    letters.truncate(names.len());
    for (letter, place) in letters.iter_mut().zip(&names) {
        letter.recipients = vec![format!("friend@{place}")];
    }
    let expected = letters.len();
    let posted = Traffic::start(letters, world.relay.address(), &world.witness, &world.stop)
        .unwrap()
        .finish();
    assert!(
        posted
            .iter()
            .all(|letter| letter.reply.as_ref().unwrap().is_positive()),
        "{posted:?}"
    );
    let arrived = || {
        world
            .witness
            .count(|seen| seen.outcome == Outcome::Accepted)
    };
    world
        .stop
        .wait_for("all letters to arrive", PATIENCE, || {
            Ok((arrived() == expected).then_some(()))
        })
        .unwrap();
    world
        .stop
        .wait_for("an empty queue", PATIENCE, || {
            Ok((world.relay.queued() == 0).then_some(()))
        })
        .unwrap();
    let log = std::fs::read_to_string(world.relay.log()).unwrap();
    assert!(log.contains("sasl_username=user0"), "{log}");
    assert!(log.contains("status=sent"), "{log}");
}

#[test]
fn without_postwarden_a_burst_goes_through_at_full_pace() {
    let Some(world) = world(false) else { return };
    let names: Vec<&str> = world::places().into_iter().map(|(name, _)| name).collect();
    let networks: Vec<IpAddr> = (1..=9)
        .map(|n| format!("203.0.113.{n}").parse().unwrap())
        .collect();
    let thief = Flow {
        login: Some("user07@example.org"),
        identity: "thief",
        sender: "user07@example.org",
        per_second: 30.0,
        recipients: 1,
        networks: &networks,
        places: &names,
        stale: 0.3,
        body: Body::Phish("login.example"),
    };
    let letters = thief.letters(Duration::from_secs(4), "burst", &mut Random::new(1));
    let count = letters.len();
    let posted = Traffic::start(letters, world.relay.address(), &world.witness, &world.stop)
        .unwrap()
        .finish();
    assert_eq!(posted.len(), count);
    let late = posted.iter().map(|letter| letter.late).max().unwrap();
    let seen = |outcome| {
        world
            .witness
            .count(|seen| seen.is_of("thief") && seen.outcome == outcome)
    };
    world
        .stop
        .wait_for("an empty queue", PATIENCE, || {
            Ok((world.relay.queued() == 0).then_some(()))
        })
        .unwrap();
    eprintln!(
        "latest {late:?}; accepted {}, rejected {}, deferred {}, dropped {}",
        seen(Outcome::Accepted),
        seen(Outcome::Rejected),
        seen(Outcome::Deferred),
        seen(Outcome::Dropped)
    );
    assert!(seen(Outcome::Rejected) > 10);
    assert_eq!(seen(Outcome::Accepted) + seen(Outcome::Rejected), count);
}

/// Set for the process that the next test kills.
const TO_BE_KILLED: &str = "POSTWARDEN_TEST_TO_BE_KILLED";

/// No test by itself: the world that the next one kills.
#[test]
fn a_world_for_the_next_test_to_kill() {
    if std::env::var_os(TO_BE_KILLED).is_none() {
        return;
    }
    let world = world(false).unwrap();
    let line = format!("GROUND {}\n", world.ground.path().display());
    std::io::stdout().write_all(line.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
    world.stop.pass(PATIENCE * 10).unwrap();
}

#[test]
fn after_a_kill_9_the_caretaker_clears_the_world_away() {
    if postfix().is_none() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "world::a_world_for_the_next_test_to_kill",
            "--exact",
            "--nocapture",
        ])
        .env(TO_BE_KILLED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines();
    let ground = said
        .map(Result::unwrap)
        .find_map(|line| {
            line.split_once("GROUND ")
                .map(|(_, path)| PathBuf::from(path))
        })
        .unwrap();
    let master = std::fs::read_to_string(ground.join("relay/queue/pid/master.pid")).unwrap();
    let master = PathBuf::from(format!("/proc/{}", master.trim()));
    assert!(master.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    Stop::new()
        .wait_for("the caretaker", PATIENCE, || {
            Ok((!ground.exists() && !master.exists()).then_some(()))
        })
        .unwrap();
}
