//! `kill -9` at any instant: a commit is there as a whole or not at all, and none that was reported is lost.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use super::*;

/// Tells the child process, which is this test binary again, where to write.
const CHILD: &str = "POSTWARDEN_TEST_STORE";

/// Number `n` of the child: cursor, part, incident, event and job all say `n`.
fn step(n: u64) -> Commit {
    Commit {
        cursors: vec![Cursor {
            source: "log".to_owned(),
            position: n.to_be_bytes().to_vec(),
        }],
        checkpoint: Checkpoint {
            senders: vec![(n.to_be_bytes().to_vec(), vec![0; 2000])],
            parts: vec![("count".to_owned(), n.to_be_bytes().to_vec())],
            ..Checkpoint::default()
        },
        incidents: vec![incident(n)],
        events: vec![Event {
            incident: n,
            ..event(EventKind::Proposed, t(0))
        }],
        jobs: vec![NewJob {
            incident: n,
            ..job(JobKind::Hold, t(0))
        }],
        ..Commit::default()
    }
}

/// Where the database stands: all five agree, or the test fails.
fn stands_at(store: &Store) -> u64 {
    let restored = store.restore().unwrap();
    let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
    let at = restored.cursors.first().map_or(0, |c| number(&c.position));
    let part = restored.checkpoint.parts.first();
    assert_eq!(part.map_or(0, |(_, state)| number(state)), at);
    let count = usize::try_from(at).unwrap();
    assert_eq!(restored.incidents.len(), count);
    assert_eq!(restored.checkpoint.senders.len(), count);
    for n in 1..=at {
        assert_eq!(store.events(n).unwrap().len(), 1);
        assert_eq!(store.jobs(n).unwrap().len(), 1);
    }
    store.check().unwrap();
    at
}

/// The child: goes on from where the database stands, and says so after every commit.
#[test]
fn child_of_the_test_below() {
    let Ok(path) = std::env::var(CHILD) else {
        return;
    };
    let mut store = Store::open(Path::new(&path)).unwrap();
    let mut out = std::io::stdout();
    for n in stands_at(&store) + 1.. {
        store.commit(&step(n)).unwrap();
        if writeln!(out, "\ncommitted {n}").is_err() {
            return;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a process that can be killed")]
fn start(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg("store::tests::crash::child_of_the_test_below")
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn kill_nine_at_any_instant_loses_no_commit_and_halves_none() {
    let dir = TempDir::new().unwrap();
    let path = path(&dir);
    for round in 0..12 {
        let mut child = start(&path);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut committed = lines.by_ref().map_while(Result::ok).filter_map(|line| {
            let number = line.strip_prefix("committed ")?;
            number.parse::<u64>().ok()
        });
        // After some commits, in the middle of whatever it does then.
        let reported = committed.nth(round * 7 % 31).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let last = committed.last().unwrap_or(reported);
        let at = stands_at(&Store::open(&path).unwrap());
        assert!(
            (last..=last + 1).contains(&at),
            "reported {last}, found {at}"
        );
    }
}
