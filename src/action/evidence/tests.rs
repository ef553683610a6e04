use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::{writer::sha256, *};
use crate::{
    action::hold::tests::{Queue, id, queue_file},
    ledger::SenderId,
    policy::{Figures, Mode, Reason, Verdict},
};

const BODY: &str = "Subject: Your invoice\nTo: b@example.net\n\nPay now.";

fn incident() -> Incident {
    Incident {
        number: 7,
        sender_id: SenderId::Sasl("anna@example.org".into()),
        state: crate::engine::incident::State::Open,
        verdict: Verdict::Hold,
        mode: Mode::Enforce,
        policy: "rejections".to_owned(),
        reasons: vec![Reason {
            signal: "refused_share".to_owned(),
            text: "41 of 60".to_owned(),
        }],
        figures: Figures::default(),
        opened: Timestamp::from_seconds(1_790_000_000),
        first_sign: None,
        accepted_after: 0,
        put_off: 0,
        machines: Vec::new(),
        lines: Vec::new(),
        closed: None,
        closed_by: None,
    }
}

/// A queue of `count` held messages, and what the record says of them.
fn held(count: usize) -> (Queue, Vec<Message>) {
    let mut queue = Queue::default();
    let mut messages = Vec::new();
    for n in 0..count {
        let file = queue_file(0, 2, BODY);
        messages.push(Message {
            queue_id: id(n),
            arrival: Timestamp::from_seconds(1_790_000_000 + i64::try_from(n).unwrap()),
            recipients: 2,
            bytes: u64::try_from(file.len()).unwrap(),
            state: "held".to_owned(),
        });
        queue.fill(n, file);
    }
    (queue, messages)
}

fn bundle<'a>(incident: &'a Incident, messages: &'a [Message], lines: &'a [String]) -> Bundle<'a> {
    Bundle {
        incident,
        generation: 0,
        host: "relay1.example.org",
        version: "0.1.0",
        at: Timestamp::from_seconds(1_790_000_100),
        messages,
        log_lines: lines,
    }
}

/// Evidence of three messages, kept.
fn kept() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let (mut queue, messages) = held(3);
    let incident = incident();
    let lines = vec!["a line".to_owned(), "another\nline".to_owned()];
    let bundle = bundle(&incident, &messages, &lines);
    let root = dir.path().join("evidence");
    let written = keep(&mut queue, &root, &bundle, &Caps::default()).unwrap();
    assert_eq!(written.samples, 3);
    assert_eq!(written.directory, root.join("PW-7"));
    (dir, written.directory)
}

#[test]
fn everything_is_there_and_nobody_else_can_read_it() {
    let (_dir, directory) = kept();
    let read = |path: &str| std::fs::read(directory.join(path)).unwrap();
    assert_eq!(read(&format!("queue/{}", id(0))), queue_file(0, 2, BODY));
    let eml = String::from_utf8(read(&format!("Maildir/new/{}.eml", id(2)))).unwrap();
    assert_eq!(eml, format!("{BODY}\n"));
    assert_eq!(read("log.txt"), b"a line\nanother line\n");
    let json: serde_json::Value = serde_json::from_slice(&read("incident.json")).unwrap();
    assert_eq!(json["name"], "PW-7");
    assert_eq!(json["samples"][0]["recipients"][1], "waiting1@example.net");
    assert!(
        String::from_utf8(read("incident.txt"))
            .unwrap()
            .contains("anna@example.org")
    );
    let mode = |path: &Path| {
        std::fs::symlink_metadata(path)
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    let mut pending = vec![directory.parent().unwrap().to_owned()];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
            pending.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else {
            files += 1;
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    assert_eq!(files, 3 + 3 + 6);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the manifest is for that program"
)]
fn the_manifest_is_what_sha256sum_reads() {
    let (_dir, directory) = kept();
    let run = || {
        std::process::Command::new("sha256sum")
            .args(["--check", "--strict", "--quiet", MANIFEST])
            .current_dir(&directory)
            .output()
            .unwrap()
    };
    assert!(run().status.success(), "{run:?}", run = run());
    std::fs::write(directory.join("log.txt"), "other").unwrap();
    assert!(!run().status.success());
}

#[test]
fn sound_evidence_is_found_sound_and_gives_the_right_to_purge() {
    let (_dir, directory) = kept();
    let report = verify(&directory).unwrap();
    assert_eq!(report.first_fault(), None);
    assert_eq!(report.files.len(), 3 + 3 + 5);
    let kept = report.kept().unwrap();
    assert!(kept.has(&id(0)) && kept.has(&id(2)) && !kept.has(&id(3)));
}

#[test]
fn whatever_is_tampered_with_is_found() {
    type Tamper = fn(&Path);
    let tampers: [(&str, Tamper); 7] = [
        ("was changed", |d| {
            std::fs::write(d.join("incident.txt"), "x").unwrap();
        }),
        ("is missing", |d| {
            std::fs::remove_file(d.join("queue").join(id(1))).unwrap();
        }),
        ("was added", |d| {
            std::fs::write(d.join("Maildir/cur/x"), "x").unwrap();
        }),
        ("is not the one", |d| {
            // Both the file and its line: the chain of custody still knows the manifest.
            std::fs::write(d.join("log.txt"), "other\n").unwrap();
            let manifest = std::fs::read(d.join(MANIFEST)).unwrap();
            let manifest: String = String::from_utf8(manifest)
                .unwrap()
                .lines()
                .map(|line| match line.split_once("  ").unwrap() {
                    (_, "log.txt") => format!("{}  log.txt\n", sha256(b"other\n")),
                    _ => format!("{line}\n"),
                })
                .collect();
            std::fs::write(d.join(MANIFEST), manifest).unwrap();
        }),
        ("is missing", |d| {
            std::fs::remove_file(d.join(CUSTODY)).unwrap();
        }),
        ("a line that is none", |d| {
            std::fs::write(
                d.join(MANIFEST),
                format!("{}  ../../etc/passwd\n", sha256(b"")),
            )
            .unwrap();
        }),
        ("was changed", |d| {
            let path = d.join("log.txt");
            std::fs::rename(&path, d.join("../elsewhere")).unwrap();
            std::os::unix::fs::symlink(d.join("../elsewhere"), path).unwrap();
        }),
    ];
    for (expected, tamper) in tampers {
        let (_dir, directory) = kept();
        tamper(&directory);
        let report = verify(&directory).unwrap();
        let fault = report.first_fault().unwrap();
        assert!(fault.contains(expected), "{expected}: {fault}");
        assert_eq!(report.kept(), None);
    }
}

#[test]
fn custody_is_a_chain() {
    let (_dir, directory) = kept();
    let at = Timestamp::from_seconds(1_790_000_200);
    note(
        &directory,
        at,
        "mk",
        "exported to /tmp/x\nforged line\tprev=0",
    )
    .unwrap();
    note(&directory, at, "mk", "purged 3 messages").unwrap();
    assert!(verify(&directory).unwrap().is_sound());
    let path = directory.join(CUSTODY);
    let log = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(log.lines().count(), 3);
    assert!(log.starts_with(
        "2026-09-21T14:15:00.000000Z\tpostwarden 0.1.0\tcollected on relay1.example.org, samples=3"
    ));
    for (from, to) in [
        ("\tmk\texported", "\tjo\texported"),
        ("purged 3", "purged 4"),
    ] {
        std::fs::write(&path, log.replace(from, to)).unwrap();
        // The last line has nobody after it to know its hash; every other one has.
        assert_eq!(verify(&directory).unwrap().is_sound(), from == "purged 3");
    }
    let without: String = log
        .lines()
        .filter(|l| !l.contains("exported"))
        .map(|l| format!("{l}\n"))
        .collect();
    std::fs::write(&path, without).unwrap();
    assert!(!verify(&directory).unwrap().is_sound());
}

#[test]
fn keeping_again_changes_nothing_and_damage_is_not_painted_over() {
    let (dir, directory) = kept();
    let (mut queue, messages) = held(9);
    let incident = incident();
    let root = dir.path().join("evidence");
    let again = bundle(&incident, &messages, &[]);
    let written = keep(&mut queue, &root, &again, &Caps::default()).unwrap();
    assert!(written.already);
    assert_eq!((written.samples, written.files.len()), (3, 3 + 3 + 5));
    let next = Bundle {
        generation: 1,
        ..again
    };
    let caps = Caps {
        samples: 4,
        ..Caps::default()
    };
    let next = keep(&mut queue, &root, &next, &caps).unwrap();
    assert_eq!(next.directory, root.join("PW-7.1"));
    assert_eq!((next.samples, next.already), (4, false));
    assert!(
        verify(&next.directory).unwrap().kept().unwrap().has(&id(8)),
        "not a sample, but listed"
    );
    std::fs::write(directory.join("log.txt"), "x").unwrap();
    let error = keep(&mut queue, &root, &again, &Caps::default()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn a_crash_half_way_leaves_no_evidence_and_the_next_try_is_whole() {
    let dir = TempDir::new().unwrap();
    let (mut queue, messages) = held(3);
    let incident = incident();
    let bundle = bundle(&incident, &messages, &[]);
    queue.fail_after(1);
    let error = keep(&mut queue, dir.path(), &bundle, &Caps::default()).unwrap_err();
    assert!(matches!(error, Error::Hands(_)), "{error}");
    assert!(!dir.path().join("PW-7").exists());
    assert!(dir.path().join(".PW-7.partial").exists());
    let (mut queue, _) = held(3);
    let written = keep(&mut queue, dir.path(), &bundle, &Caps::default()).unwrap();
    assert_eq!(written.samples, 3);
    assert!(!dir.path().join(".PW-7.partial").exists());
    assert!(verify(&written.directory).unwrap().is_sound());
}

#[test]
fn what_left_the_queue_or_cannot_be_decoded_is_kept_as_far_as_it_goes() {
    let dir = TempDir::new().unwrap();
    let (mut queue, mut messages) = held(2);
    queue.fill(1, b"no queue file at all".to_vec());
    for (n, queue_id) in [(7, id(7)), (8, "../../etc".to_owned())] {
        let arrival = Timestamp::from_seconds(1_790_000_000 + n);
        messages.push(Message {
            queue_id,
            arrival,
            ..messages[0].clone()
        });
    }
    let incident = incident();
    let bundle = bundle(&incident, &messages, &[]);
    let written = keep(&mut queue, dir.path(), &bundle, &Caps::default()).unwrap();
    assert_eq!(written.samples, 2);
    let queue_dir = written.directory.join("queue");
    assert_eq!(std::fs::read_dir(queue_dir).unwrap().count(), 2);
    let mails = written.directory.join("Maildir/new");
    assert_eq!(std::fs::read_dir(mails).unwrap().count(), 1);
    assert!(verify(&written.directory).unwrap().is_sound());
}

#[test]
fn a_message_longer_than_the_cap_is_cut_and_says_so() {
    let dir = TempDir::new().unwrap();
    let mut queue = Queue::default();
    queue.fill(0, queue_file(0, 1, &"line\n".repeat(1000)));
    let (_, messages) = held(1);
    let incident = incident();
    let bundle = bundle(&incident, &messages, &[]);
    let caps = Caps {
        message_bytes: 1000,
        ..Caps::default()
    };
    let written = keep(&mut queue, dir.path(), &bundle, &caps).unwrap();
    let raw = std::fs::read(written.directory.join("queue").join(id(0))).unwrap();
    assert_eq!(raw.len(), 1000);
    let json = std::fs::read(written.directory.join("incident.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["samples"][0]["whole"], false);
    assert_eq!(json["samples"][0]["recipients"][0], "waiting0@example.net");
}
