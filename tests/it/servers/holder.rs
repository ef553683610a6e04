//! The root end over a private queue: every verb, looked at from outside.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use postwarden::{
    holder::{Admission, Settings, Socket, execute, serve},
    wire::{
        Decoded, base64,
        holder::{Outcome, Place, Reply, Request, Verb},
    },
};

use super::*;
use crate::servers::instance::{Instance, until};

/// Everything that is sent ends in `deferred`: nobody listens there.
const DEFERRING: &str = "default_transport = smtp:[127.0.0.1]:9\ndisable_dns_lookups = yes";

fn settings(postfix: &Instance) -> Settings {
    Settings {
        config_directory: postfix.config(),
        ..Settings::default()
    }
}

fn request(verb: Verb, ids: &[String]) -> Request {
    Request {
        verb,
        queue_ids: ids.to_vec(),
        limit: 0,
    }
}

fn places(reply: &Reply) -> Vec<Place> {
    assert_eq!(reply.error, None);
    reply.outcomes.iter().map(|outcome| outcome.place).collect()
}

fn queue(postfix: &Instance, count: usize) -> Vec<String> {
    let ids: Vec<String> = (0..count)
        .map(|n| postfix.queue("anna@example.org", &format!("message {n}")))
        .collect();
    until("all are deferred", || {
        let deferred = postfix.list("deferred");
        ids.iter().all(|id| deferred.contains(id)) && postfix.list("active").is_empty()
    });
    ids
}

fn every_verb_does_what_it_says(extra: &str) {
    let postfix = Instance::start(&format!("{DEFERRING}\n{extra}"));
    let settings = settings(&postfix);
    let ask = |verb, ids: &[String]| places(&execute(&settings, &request(verb, ids)));
    let ids = queue(&postfix, 8);
    assert_eq!(
        ask(Verb::Delete, &ids),
        [Place::Deferred; 8],
        "not on hold, not deleted"
    );
    assert_eq!(
        ask(Verb::Requeue, &ids),
        [Place::Deferred; 8],
        "not on hold, not requeued"
    );

    let mut with_unknown = ids.clone();
    with_unknown.insert(3, "ABCDEF012345".to_owned());
    let mut expected = vec![Place::Hold; 9];
    expected[3] = Place::Gone;
    assert_eq!(ask(Verb::Hold, &with_unknown), expected);
    assert_eq!(
        ask(Verb::Hold, &ids),
        [Place::Hold; 8],
        "asked again, the same"
    );
    assert_eq!(postfix.list("hold").len(), 8);

    assert_eq!(ask(Verb::Delete, &ids[..2]), [Place::Gone; 2]);
    assert_eq!(postfix.list("hold").len(), 6);

    let released = ask(Verb::Release, &ids[2..5]);
    assert!(
        released
            .iter()
            .all(|place| matches!(place, Place::Deferred | Place::Active)),
        "{released:?}"
    );
    assert_eq!(postfix.list("hold").len(), 3);

    let requeued = ask(Verb::Requeue, &ids[5..]);
    assert!(
        requeued
            .iter()
            .all(|place| matches!(place, Place::Maildrop | Place::Gone)),
        "{requeued:?}"
    );
    until("requeued mail is back under new names", || {
        postfix.list("deferred").len() == 6 && postfix.list("maildrop").is_empty()
    });
    let back = postfix.list("deferred");
    assert!(
        ids[2..5].iter().all(|id| back.contains(id))
            && !ids[5..].iter().any(|id| back.contains(id))
    );
}

#[test]
fn every_verb_does_what_it_says_with_short_queue_ids() {
    every_verb_does_what_it_says("");
}

#[test]
fn every_verb_does_what_it_says_with_long_queue_ids_and_deep_hashing() {
    every_verb_does_what_it_says(
        "enable_long_queue_ids = yes\nhash_queue_names = deferred, defer, hold, active\nhash_queue_depth = 2",
    );
}

#[test]
fn released_mail_leaves_at_once() {
    let postfix = Instance::start(DEFERRING);
    let settings = settings(&postfix);
    let ids = queue(&postfix, 3);
    assert_eq!(
        places(&execute(&settings, &request(Verb::Hold, &ids))),
        [Place::Hold; 3]
    );
    postfix.run("postconf", &["default_transport=discard:"]);
    postfix.run("postfix", &["reload"]);
    drop(execute(&settings, &request(Verb::Release, &ids)));
    until("all are delivered", || {
        postfix.log().matches("status=sent").count() == 3
    });
}

#[test]
fn a_queue_file_is_read_up_to_the_limit() {
    let postfix = Instance::start(DEFERRING);
    let ids = queue(&postfix, 2);
    let read = |ids: &[String], limit| {
        let asked = Request {
            limit,
            ..request(Verb::Read, ids)
        };
        let bytes = |outcome: Outcome| outcome.bytes.map(|text| base64::decode(&text).unwrap());
        execute(&settings(&postfix), &asked)
            .outcomes
            .into_iter()
            .map(bytes)
            .collect::<Vec<_>>()
    };
    let whole = read(&ids, 1_000_000);
    for (n, bytes) in whole.iter().enumerate() {
        let text = String::from_utf8_lossy(bytes.as_ref().unwrap()).into_owned();
        assert!(
            text.contains("anna@example.org") && text.contains(&format!("message {n}")),
            "{text}"
        );
    }
    assert_eq!(
        read(&ids[..1], 100)[0].as_deref(),
        whole[0].as_deref().unwrap().get(..100)
    );
    assert_eq!(read(&["ABCDEF012345".to_owned()], 100), [None]);
}

#[test]
fn root_does_not_follow_links_that_the_mail_owner_left() {
    let postfix = Instance::start(DEFERRING);
    let secret = postfix.path("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("shadow"), "secret").unwrap();
    std::os::unix::fs::symlink(&secret, postfix.path("queue/deferred/s")).unwrap();
    fs::write(postfix.path("queue/hold/secret"), "secret").unwrap();
    std::os::unix::fs::symlink(secret.join("shadow"), postfix.path("queue/active/shadow")).unwrap();
    let asked = Request {
        limit: 100,
        ..request(Verb::Read, &["shadow".to_owned(), "secret".to_owned()])
    };
    let reply = execute(&settings(&postfix), &asked);
    assert!(
        reply.outcomes.iter().all(|outcome| outcome.bytes.is_none()),
        "{reply:?}"
    );
}

#[test]
fn all_are_held_even_where_postsuper_dies_after_each() {
    let postfix = Instance::start(DEFERRING);
    let ids = queue(&postfix, 4);
    postfix.stop();
    // What makes postsuper die: it cannot write its log any more once it has become the mail owner.
    let log = postfix.path("log/mail.log");
    std::os::unix::fs::chown(postfix.path("log"), Some(0), Some(0)).unwrap();
    std::os::unix::fs::chown(&log, Some(0), Some(0)).unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        places(&execute(&settings(&postfix), &request(Verb::Hold, &ids))),
        [Place::Hold; 4]
    );
}

#[test]
fn what_is_no_queue_id_is_refused_as_a_whole() {
    let postfix = Instance::start(DEFERRING);
    let ids = queue(&postfix, 1);
    for wrong in ["ALL", "-", "../../etc/shadow", "", "4F2A1C0D3B\n"] {
        let reply = execute(
            &settings(&postfix),
            &request(Verb::Hold, &[ids[0].clone(), wrong.to_owned()]),
        );
        assert_eq!(
            reply,
            Reply::refusal("not as the protocol has it: a queue ID is 6 to 64 letters and digits")
        );
    }
    assert_eq!(postfix.list("hold"), Vec::<String>::new());
}

#[test]
fn a_configuration_that_is_not_there_is_an_error() {
    let settings = Settings {
        config_directory: "/nonexistent".into(),
        ..Settings::default()
    };
    let error = execute(&settings, &request(Verb::Hold, &["4F2A1C0D3B".to_owned()]))
        .error
        .unwrap();
    assert!(error.contains("/nonexistent"), "{error}");
}

/// A holder in a thread, its socket open for everybody, so that only the peer's user decides.
fn serving(postfix: &Instance, admission: Admission) -> PathBuf {
    let path = postfix.path("holder");
    let socket = Socket::Path {
        path: path.clone(),
        gid: None,
    };
    let (sender, ready) = mpsc::channel();
    let settings = settings(postfix);
    thread::spawn(move || serve(&settings, &socket, &admission, || sender.send(()).unwrap()));
    ready.recv().unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o660
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    path
}

/// Asks as another user, with the perl that every Debian has.
fn ask_as(uid: u32, path: &Path, request: &[u8]) -> Vec<u8> {
    let script = "use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0) or die; connect(S, pack_sockaddr_un($ARGV[0])) or die; \
                  local $SIG{PIPE} = 'IGNORE'; syswrite(S, $ARGV[1]); shutdown(S, 1); print while <S>;";
    let output = Command::new("perl")
        .arg("-e")
        .arg(script)
        .arg(path)
        .arg(str::from_utf8(request).unwrap())
        .uid(uid)
        .gid(65_534)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn only_the_allowed_user_is_answered() {
    let postfix = Instance::start(DEFERRING);
    let ids = queue(&postfix, 1);
    let admission = Admission {
        uids: vec![64_001],
        gids: Vec::new(),
    };
    let path = serving(&postfix, admission);
    let hold = request(Verb::Hold, &ids).encode().unwrap();
    assert_eq!(ask_as(64_002, &path, &hold), b"");
    assert_eq!(postfix.list("hold"), Vec::<String>::new());
    let reply = ask_as(64_001, &path, &hold);
    let Decoded::Whole { value, .. } = Reply::decode(&reply).unwrap() else {
        panic!("half a reply")
    };
    assert_eq!(places(&value), [Place::Hold]);
    assert_eq!(postfix.list("hold"), ids);
}

/// The holder as systemd would start it.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_holder_process_answers_one_request_after_the_other_and_survives_nonsense() {
    let postfix = Instance::start(DEFERRING);
    let ids = queue(&postfix, 2);
    let path = postfix.path("holder");
    let child = Command::new(env!("CARGO_BIN_EXE_postwarden"))
        .args(["holder", "--allow-user", "postfix", "--socket"])
        .arg(&path)
        .arg("--config-directory")
        .arg(postfix.config())
        .stdin(Stdio::null())
        .spawn();
    let _process = Process(child.unwrap());
    until("the holder listens", || UnixStream::connect(&path).is_ok());
    let mut nonsense = connect_unix(&path);
    let error = ask(&mut nonsense, b"7:{\"a\":1},", "},");
    assert!(error.contains("not JSON of this shape"), "{error}");
    assert!(is_closed(&mut nonsense));
    let mut stream = connect_unix(&path);
    for (verb, place) in [(Verb::Hold, Place::Hold), (Verb::Delete, Place::Gone)] {
        let reply = ask(&mut stream, &request(verb, &ids).encode().unwrap(), "]},");
        let Decoded::Whole { value, .. } = Reply::decode(reply.as_bytes()).unwrap() else {
            panic!("half a reply")
        };
        assert_eq!(places(&value), [place; 2]);
    }
}

#[test]
fn a_socket_that_systemd_made_is_served() {
    let postfix = Instance::start(DEFERRING);
    let ids = queue(&postfix, 1);
    let path = postfix.path("holder");
    // What systemd does: a listening socket as descriptor 3, and its number in the environment of that very process.
    let script = "use Socket; $^F = 9; socket(S, PF_UNIX, SOCK_STREAM, 0) or die; bind(S, pack_sockaddr_un(shift)) or die; \
                  listen(S, 9) or die; use POSIX; POSIX::dup2(fileno(S), 3); $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 1; \
                  exec @ARGV;";
    let child = Command::new("perl")
        .args(["-e", script])
        .arg(&path)
        .arg(env!("CARGO_BIN_EXE_postwarden"))
        .args(["holder", "--allow-user", "postfix", "--config-directory"])
        .arg(postfix.config())
        .stdin(Stdio::null())
        .spawn();
    let _process = Process(child.unwrap());
    until("somebody listens", || UnixStream::connect(&path).is_ok());
    let reply = ask(
        &mut connect_unix(&path),
        &request(Verb::Hold, &ids).encode().unwrap(),
        "]},",
    );
    assert!(reply.contains("\"place\":\"hold\""), "{reply}");
}
