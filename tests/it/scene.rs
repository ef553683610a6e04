//! What the end-to-end tests share: a world with people, a thief and a postwarden beside it.

use std::{net::IpAddr, path::Path, time::Duration};

use postwarden::demo::{
    cast::{self, Body, Flow, Letter, Person},
    measure::{self, Account, Held},
    random::Random,
    traffic::{Posted, Traffic},
    warden::{Orders, Setup},
    world::{self, World},
};

/// How long anything may take that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Whose password is stolen.
pub(crate) const OWNER: &str = "user07@example.org";
/// The thief's name in the remote sides' records.
pub(crate) const THIEF: &str = "thief";

/// A world and the words of a postmaster to postwarden.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) setup: Setup,
    pub(crate) people: Vec<Person>,
    pub(crate) dice: Random,
}

/// Sets a scene; `None` where there is no Postfix.
pub(crate) fn scene(orders: &Orders) -> Option<Scene> {
    let world = crate::world::world(false)?;
    let binary = Path::new(env!("CARGO_BIN_EXE_postwarden"));
    let setup = Setup::write(&world, binary, orders).unwrap();
    let mut dice = Random::new(7);
    let names: Vec<&str> = world::places().into_iter().map(|(name, _)| name).collect();
    let people = cast::people(20, world::HOME, &names, &mut dice);
    Some(Scene {
        world,
        setup,
        people,
        dice,
    })
}

impl Scene {
    /// Ordinary life for `seconds`, at three letters a second.
    pub(crate) fn life(&mut self, seconds: u64) -> Traffic {
        let span = Duration::from_secs(seconds);
        let letters = cast::ordinary(&self.people, 3.0, span, "day", &mut self.dice);
        self.post(letters)
    }

    /// A thief for `seconds`, at thirty letters a second.
    pub(crate) fn thief(&mut self, seconds: u64) -> Traffic {
        let networks: Vec<IpAddr> = (1..=9)
            .map(|n| format!("203.0.113.{}", n * 20).parse().unwrap())
            .collect();
        let names: Vec<&str> = world::places().into_iter().map(|(name, _)| name).collect();
        let burst = Flow {
            login: Some(OWNER),
            identity: THIEF,
            sender: OWNER,
            per_second: 30.0,
            recipients: 1,
            networks: &networks,
            places: &names,
            stale: 0.4,
            body: Body::Phish("mailbox-check.example"),
        };
        let span = Duration::from_secs(seconds);
        let letters = burst.letters(span, "burst", &mut self.dice);
        self.post(letters)
    }

    fn post(&self, letters: Vec<Letter>) -> Traffic {
        let world = &self.world;
        Traffic::start(letters, world.relay.address(), &world.witness, &world.stop).unwrap()
    }

    /// What is in `hold/`.
    pub(crate) fn held(&self) -> Vec<Held> {
        measure::held(&self.world.relay)
    }

    /// Waits until something is so.
    pub(crate) fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let found = self
            .world
            .stop
            .wait_for(what, PATIENCE, || Ok(is_so().then_some(())));
        if let Err(error) = found {
            panic!("{error}\n{}", self.setup.last_words());
        }
    }

    /// Waits until no mail is on its way (what is on hold is not).
    pub(crate) fn until_quiet(&self) {
        self.until("quiet queues", || self.world.relay.queued() == 0);
    }

    /// Where the mail has ended; mail on hold is missing in it.
    pub(crate) fn account(&self, posted: &[Posted]) -> Account {
        measure::account(&self.world.witness, posted)
    }

    /// The relay's log.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.world.relay.log()).unwrap()).into_owned()
    }
}
