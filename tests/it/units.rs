//! The systemd units, without systemd: what they allow is enough for what their programs do.

use std::{
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    process::{Child, Command},
    time::Duration,
};

use postwarden::{
    demo::{
        client::{Client, Origin},
        remote::Temper,
        world::World,
    },
    wire::{
        Decoded,
        holder::{Place, Reply, Request, Verb},
    },
};

const PATIENCE: Duration = Duration::from_secs(30);

/// A process that is killed when it goes out of scope.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn ask(socket: &std::path::Path, verb: Verb, queue_id: &str) -> Reply {
    let mut stream = UnixStream::connect(socket).unwrap();
    let request = Request {
        verb,
        queue_ids: vec![queue_id.to_owned()],
        limit: 1 << 20,
    };
    stream.write_all(&request.encode().unwrap()).unwrap();
    let mut buffer = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the holder hung up");
        buffer.extend_from_slice(&chunk[..read]);
        if let Decoded::Whole { value, .. } = Reply::decode(&buffer).unwrap() {
            return value;
        }
    }
}

/// A world whose relay has one deferred message, and that message's queue ID.
fn world_with_a_deferred_message() -> Option<(World, String)> {
    let refusing = Temper::Refuse {
        reply: "450 4.3.0 not now".to_owned(),
    };
    let world = crate::world::start(&[("isp-a.example", refusing)], false)?;
    let origin = Origin {
        address: "192.0.2.7".parse().unwrap(),
        port: 4711,
    };
    let mut client = Client::connect(world.relay.address(), origin).unwrap();
    client.login("anna@example.org").unwrap();
    let to = ["friend@isp-a.example".to_owned()];
    let reply = client
        .send("anna@example.org", &to, b"Subject: x\n\nbody\n")
        .unwrap();
    assert!(reply.is_positive(), "{reply:?}");
    let id = world
        .stop
        .wait_for("the message in deferred", PATIENCE, || {
            Ok(world.relay.queue("deferred").pop())
        })
        .unwrap();
    let id = id.file_name().unwrap().to_str().unwrap().to_owned();
    Some((world, id))
}

#[test]
fn the_holder_does_its_verbs_with_no_more_than_the_capabilities_of_its_unit() {
    let Some((world, id)) = world_with_a_deferred_message() else {
        return;
    };
    let unit = include_str!("../../systemd/postwarden-holder.service");
    let allowed = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="))
        .unwrap();
    let bounding: Vec<String> = allowed
        .split_whitespace()
        .map(|name| format!("+{}", name.trim_start_matches("CAP_").to_lowercase()))
        .collect();
    let socket = world.ground.path().join("holder");
    // As systemd hands the socket over: descriptor 3, and the process it is meant for.
    let listener = UnixListener::bind(&socket).unwrap();
    let activate = "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\" 3<&0 </dev/null";
    let holder = Command::new("/bin/sh")
        .args(["-c", activate, "sh", "setpriv"])
        .arg(format!("--bounding-set=-all,{}", bounding.join(",")))
        .arg("--no-new-privs")
        .arg(env!("CARGO_BIN_EXE_postwarden"))
        .args(["holder", "--allow-user", "nobody", "--config-directory"])
        .arg(world.relay.config_directory())
        .stdin(OwnedFd::from(listener))
        .spawn()
        .unwrap();
    let _holder = Ended(holder);
    let place = |reply: &Reply| reply.outcomes.first().map(|outcome| outcome.place);
    let held = ask(&socket, Verb::Hold, &id);
    assert_eq!(
        (held.error.as_deref(), place(&held)),
        (None, Some(Place::Hold))
    );
    let read = ask(&socket, Verb::Read, &id);
    assert!(
        read.outcomes[0]
            .bytes
            .as_ref()
            .is_some_and(|bytes| bytes.len() > 100),
        "{read:?}"
    );
    let released = ask(&socket, Verb::Release, &id);
    assert_eq!(released.error, None);
    assert_ne!(place(&released), Some(Place::Hold));
    ask(&socket, Verb::Hold, &id);
    let deleted = ask(&socket, Verb::Delete, &id);
    assert_eq!(
        (deleted.error.as_deref(), place(&deleted)),
        (None, Some(Place::Gone))
    );
}
