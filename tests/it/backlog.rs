//! Mail that was queued while nobody looked, and whose log is gone: the queue files tell whose it is.

use std::{collections::BTreeMap, process::Command, sync::Arc};

use postwarden::{
    config::{self, Need},
    daemon::{core::Core, lookup::Lookup},
    demo::{remote::Temper, warden::Orders},
    engine::Input,
    postfix::log_record::{Reader, Reading},
    telemetry::{Counter, Metrics},
    time::{Timestamp, Zone},
};
use serde_json::Value;

use crate::scene::{OWNER, Scene, THIEF, scene};

const LATER: &str = "451 4.3.2 the mail system is down for an hour";

fn temper(scene: &Scene, temper: &Temper) {
    for (_, remote) in scene
        .world
        .remotes
        .iter()
        .filter(|(name, _)| name.ends_with(".example"))
    {
        remote.set(temper.clone());
    }
}

fn postfix(scene: &Scene, command: &str, arguments: &[&str]) {
    let status = Command::new(scene.world.postfix.command(command))
        .arg("-c")
        .arg(scene.world.relay.config_directory())
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success(), "{command}");
}

/// Messages in the queue by sender, and how many are on hold, as `senders` tells.
fn queued(scene: &Scene) -> (BTreeMap<String, u64>, u64) {
    let senders = scene.setup.ask(&["senders"]).unwrap();
    let mut held = 0;
    let mut rows = BTreeMap::new();
    for row in senders.as_array().unwrap() {
        let number = |name: &str| row["queue"][name].as_u64().unwrap();
        assert_eq!(number("messages"), number("recipients"));
        held += number("held_messages");
        let messages = number("messages") + number("held_messages");
        if messages > 0 {
            rows.insert(row["sender_id"].as_str().unwrap().to_owned(), messages);
        }
    }
    (rows, held)
}

#[test]
fn a_backlog_whose_log_is_gone_is_attributed_and_its_sender_judged_by_what_follows() {
    let Some(mut scene) = scene(&Orders {
        enforce: true,
        ..Orders::default()
    }) else {
        return;
    };
    // The daemon has been here before: its place in the log is on record.
    let warden = scene.setup.start(&scene.world.stop).unwrap();
    drop(scene.life(2).finish());
    scene.until_quiet();
    assert!(warden.end().unwrap().success());
    temper(
        &scene,
        &Temper::Refuse {
            reply: LATER.to_owned(),
        },
    );
    let life = scene.life(3);
    let posted = [scene.thief(3).finish(), life.finish()].concat();
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for letter in &posted {
        let login = if letter.identity == THIEF {
            OWNER
        } else {
            &letter.identity
        };
        *expected.entry(format!("sasl:{login}")).or_default() += 1;
    }
    let deferred = || scene.world.relay.queue("deferred").len();
    scene.until("a backlog", || deferred() == posted.len());
    // One letter lies on hold: it is told apart.
    let held = scene.world.relay.queue("deferred");
    let held = held[0].file_name().unwrap().to_str().unwrap();
    postfix(&scene, "postsuper", &["-h", held]);
    std::fs::remove_file(scene.world.relay.log()).unwrap();
    // postlogd would go on writing into the file that is gone.
    postfix(&scene, "postfix", &["reload"]);

    let _warden = scene.setup.start(&scene.world.stop).unwrap();
    scene.until("every message to be attributed", || {
        queued(&scene) == (expected.clone(), 1)
    });
    assert_eq!(scene.setup.incidents().unwrap(), [] as [Value; 0]);

    // The remote sides are back, and think of the mail what they think.
    temper(&scene, &Temper::ContentFilter { after: 2 });
    postfix(&scene, "postqueue", &["-f"]);
    scene.until("an incident", || {
        !scene.setup.incidents().unwrap().is_empty()
    });
    let incidents = scene.setup.incidents().unwrap();
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert_eq!(incidents[0]["sender_id"], format!("sasl:{OWNER}"));
}

/// The log begins after the mail came in: each line about it names a queue ID that was never opened.
#[test]
fn a_retry_whose_beginning_the_log_lost_is_put_down_to_the_login_in_the_queue_file() {
    let Some(mut scene) = scene(&Orders::default()) else {
        return;
    };
    temper(
        &scene,
        &Temper::Refuse {
            reply: LATER.to_owned(),
        },
    );
    let posted = scene.thief(1).finish();
    let deferred = || scene.world.relay.queue("deferred").len();
    scene.until("a backlog", || deferred() == posted.len());
    let log = scene.log();
    let rest: String = log
        .lines()
        .filter(|line| line.contains("/smtp[") || line.contains("/error["))
        .map(|line| format!("{line}\n"))
        .collect();
    let config = config::load(scene.setup.config(), Need::Host).unwrap();
    let setup = postwarden::daemon::setup(&config, [7; 32], Zone::utc()).unwrap();
    std::fs::create_dir_all(&config.state).unwrap();
    let (mut core, _) = Core::open(&config.state, setup, "relay").unwrap();
    let metrics = Arc::new(Metrics::default());
    let mut lookup = Lookup::new(&config, Arc::clone(&metrics));
    let now = postwarden::daemon::clock::now();
    let mut reader = Reader::new(postwarden::daemon::clock::zone(), now);
    let mut last = Timestamp::EPOCH;
    // Told twice, as a log that is read again after kill -9: nothing is looked up twice.
    for line in rest.lines().chain(rest.lines()) {
        let Reading::Record(record) = reader.read(line.as_bytes()) else {
            panic!("{line}");
        };
        last = record.at;
        let line = line.as_bytes();
        core.feed(
            record.at,
            Input::Record {
                record: &record,
                line,
            },
        );
        lookup.line(&mut core, record.at);
    }
    let correlated = core.engine.correlator().counters();
    assert_eq!(correlated.unattributed, 0);
    let count = u64::try_from(posted.len()).unwrap();
    assert_eq!(correlated.adopted, count);
    assert_eq!(metrics.counted(Counter::LookupsFound), count);
    assert_eq!(metrics.counted(Counter::LookupsMissed), 0);
    let rows = core.engine.ledger().rows(last);
    assert_eq!(rows.len(), 1);
    let owner = rows[0].id.as_ref().unwrap().to_string();
    assert_eq!(owner, format!("sasl:{OWNER}"));
}
