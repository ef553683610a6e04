//! A site's own policies under a running daemon: an override and an exemption for one sender each, and their reload.

use std::path::PathBuf;

use nix::sys::signal::Signal;
use postwarden::demo::{
    client::{Client, Origin},
    warden::{Orders, Warden},
};
use serde_json::Value;

use crate::scene::{Scene, scene};

/// Whose limits are as the rule has them, otherwise, and whose case is only observed.
const LIKE_ALL: &str = "user01@example.org";
const OTHERWISE: &str = "user02@example.org";
const EXEMPT: &str = "user03@example.org";

const RULE: &str = "[[policy]]
name = \"unknown\"
measure = \"refusals\"
verdict = \"hold\"
count = [\"list\"]
refused_at_least = 4
refused_share = \"50%\"
";
const LAID_OVER: &str = "[[override]]
sender = \"sasl:user02@example.org\"
policy = \"unknown\"
refused_at_least = 400
[[exempt]]
sender = \"sasl:user03@example.org\"
until = 2099-12-31
by = \"anna\"
reason = \"cleans the list\"
";

fn write(scene: &Scene, text: &str) -> PathBuf {
    let directory = scene.setup.config().parent().unwrap().join("policies");
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("site.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Mail to recipients that do not exist. Each at a place of its own as far as there are any: what three senders meet at
/// one place counts against none of them.
fn dead_letters(scene: &Scene, who: &str, begin: u32, number: u32) {
    let origin = Origin {
        address: "192.0.2.7".parse().unwrap(),
        port: 4711,
    };
    let mut client = Client::connect(scene.world.relay.address(), origin).unwrap();
    client.login(who).unwrap();
    let place = if who == OTHERWISE {
        "works.example"
    } else {
        "campus.example"
    };
    for n in begin..begin + number {
        let to = [format!("no-such{n}@{place}")];
        let content =
            format!("X-Demo-Message: {who}{n}\nX-Demo-Sender: {who}\nSubject: x\n\n{n}\n");
        let reply = client.send(who, &to, content.as_bytes()).unwrap();
        assert!(reply.is_positive(), "{reply:?}");
    }
    scene.until_quiet();
}

fn incident(scene: &Scene, who: &str) -> Option<Value> {
    let id = format!("sasl:{who}");
    let incidents = scene.setup.incidents().unwrap();
    incidents
        .into_iter()
        .find(|incident| incident["sender_id"] == id.as_str())
}

/// SIGHUP, and what the daemon says to it.
fn reload(scene: &Scene, warden: &Warden, says: &str) {
    let said = |scene: &Scene| {
        let log = std::fs::read_to_string(scene.setup.log()).unwrap();
        log.matches(says).count()
    };
    let before = said(scene);
    warden.signal(Signal::SIGHUP);
    scene.until(says, || said(scene) > before);
}

#[test]
fn an_override_and_an_exemption_count_for_one_sender_each_until_they_are_taken_out() {
    let Some(scene) = scene(&Orders {
        enforce: true,
        ..Orders::default()
    }) else {
        return;
    };
    let file = write(&scene, &format!("{RULE}{LAID_OVER}"));
    let warden = scene.setup.start(&scene.world.stop).unwrap();
    for who in [OTHERWISE, EXEMPT, LIKE_ALL] {
        dead_letters(&scene, who, 0, 6);
    }
    // The last one's mail is the last in the log: the others' has been judged by then.
    scene.until("a hold of whom nothing is laid over", || {
        incident(&scene, LIKE_ALL).is_some()
    });
    let exempt = incident(&scene, EXEMPT).unwrap();
    assert_eq!(exempt["mode"], "observe", "{exempt:#}");
    assert!(
        exempt
            .to_string()
            .contains("exempt until 2099-12-31 by anna"),
        "{exempt:#}"
    );
    assert_eq!(incident(&scene, LIKE_ALL).unwrap()["mode"], "enforce");
    assert_eq!(incident(&scene, OTHERWISE), None);
    let said = scene.setup.ask(&["explain", OTHERWISE]).unwrap();
    let limit = said["limits"]
        .as_array()
        .unwrap()
        .iter()
        .find(|limit| limit["policy"] == "unknown" && limit["key"] == "refused_at_least")
        .unwrap();
    assert_eq!(limit["value"], "400");
    assert_eq!(limit["layer"], "sender");
    assert_eq!(limit["place"], format!("{}:11", file.display()));

    // A mistake: what is in force stays, all of it.
    write(
        &scene,
        &format!("{RULE}[[override]]\npolicy = \"unknwon\"\n"),
    );
    reload(&scene, &warden, "not reloaded");
    let log = std::fs::read_to_string(scene.setup.log()).unwrap();
    assert!(log.contains("did you mean `unknown`?"), "{log}");
    dead_letters(&scene, OTHERWISE, 10, 1);
    assert_eq!(incident(&scene, OTHERWISE), None);

    write(&scene, RULE);
    reload(&scene, &warden, "reloaded: mode");
    for who in [OTHERWISE, EXEMPT] {
        dead_letters(&scene, who, 20, 1);
        scene.until("a hold like everybody's", || {
            incident(&scene, who).is_some_and(|incident| incident["mode"] == "enforce")
        });
    }
}
