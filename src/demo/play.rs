//! The story of `postwarden demo`, scene by scene: ordinary life, a stolen password, the hold, the alert, the evidence,
//! the refusal of the same content from outside, the release.
//!
//! Each scene measures with the remote sides' records and the spool and writes into [`Figures`]. A scene that fails ends
//! the play; what was measured until then is still shown.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    daemon::clock,
    demo::{
        Error,
        cast::{self, Body, Flow, Letter, Person},
        inbound,
        measure::{self, Held},
        random::Random,
        report::{Figures, seconds},
        traffic::{Posted, Traffic},
        wait::Stop,
        warden::{Orders, Setup, Warden, number},
        witness::Outcome,
        world::{self, DESK, World},
    },
    time::Timestamp,
};

/// How the demo is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// The postwarden binary.
    pub binary: PathBuf,
    /// Shorter scenes.
    pub fast: bool,
    /// Stays up after the play until Ctrl-C.
    pub keep: bool,
    /// The dice.
    pub seed: u64,
}

/// What is said while it is played: seconds since the beginning, and one sentence.
pub type Say<'a> = dyn FnMut(Duration, &str) + 'a;

/// People beside the owner of the stolen password.
const PEOPLE: usize = 41;
/// Letters a second of all people.
const PACE: f64 = 5.0;
/// The thief's messages a second.
const THIEF_PACE: f64 = 30.0;
/// Marks the thief's mail in the remote sides' records.
pub const THIEF: &str = "thief";
/// The host that the campaign links to.
pub const CAMPAIGN: &str = "mailbox-check.example";
/// Longest wait for the first message on hold.
const HOLD_PATIENCE: Duration = Duration::from_secs(25);
/// How long the thief goes on after it.
const AFTER_HOLD: Duration = Duration::from_secs(4);
/// Longest wait for what follows a decision.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for an empty queue.
const DRAIN_PATIENCE: Duration = Duration::from_secs(40);

/// Plays it.
///
/// # Errors
/// [`Error::NoPostfix`], [`Error::NotRoot`] and [`Error::Interrupted`]; all else that goes wrong is in the figures.
pub fn play(options: &Options, stop: &Stop, say: &mut Say<'_>) -> Result<Figures, Error> {
    let begun = clock::instant();
    let mut say = |text: &str| say(clock::instant().saturating_duration_since(begun), text);
    let mut figures = Figures::default();
    match scenes(options, stop, begun, &mut figures, &mut say) {
        Ok(()) => {}
        Err(error @ (Error::NoPostfix { .. } | Error::NotRoot | Error::Interrupted)) => {
            return Err(error);
        }
        Err(error) => {
            let causes =
                std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            let chain: Vec<String> = causes.map(|cause| format!(": {cause}")).collect();
            figures.stopped = Some(format!("{error}{}", chain.concat()));
        }
    }
    if figures.took.is_zero() {
        figures.took = clock::instant().saturating_duration_since(begun);
    }
    Ok(figures)
}

fn scenes(
    options: &Options,
    stop: &Stop,
    begun: Instant,
    figures: &mut Figures,
    say: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let mut play = Play::open(options, stop, say)?;
    if let Err(error) = story(&mut play, options, begun, figures, say) {
        figures.last_words = play.setup.last_words();
        return Err(error);
    }
    let ended = play.warden.end()?;
    say(&format!(
        "postwarden ended ({ended}); all of it is cleared away"
    ));
    Ok(())
}

fn story(
    play: &mut Play,
    options: &Options,
    begun: Instant,
    figures: &mut Figures,
    say: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    play.quiet(options.fast, figures, say)?;
    let (incident, posted) = play.attack(figures, say)?;
    play.alert(incident, figures, say)?;
    let directory = play.setup.state().join(format!("evidence/PW-{incident}"));
    play.evidence(&directory, figures, say)?;
    inbound::scene(
        &play.world,
        &play.setup,
        &directory,
        figures,
        &mut play.dice,
        say,
    )?;
    play.release(incident, &posted, figures, say)?;
    figures.took = clock::instant().saturating_duration_since(begun);
    if options.keep {
        play.keep(figures, say)?;
    }
    Ok(())
}

struct Play {
    // Ended before the world that it watches.
    warden: Warden,
    setup: Setup,
    world: World,
    people: Vec<Person>,
    owner: String,
    dice: Random,
    life: Option<Traffic>,
    first_hold: Option<Timestamp>,
}

impl Play {
    fn open(options: &Options, stop: &Stop, say: &mut dyn FnMut(&str)) -> Result<Self, Error> {
        let world = World::start(&world::places(), true, stop)?;
        say(&format!(
            "A private Postfix {} relays on {}, {} remote sides and an inbound MX answer, all under {}; \
             this host's own Postfix is not touched",
            world.postfix.version()?,
            world.relay.address(),
            world::places().len(),
            world.ground.path().display()
        ));
        let orders = Orders {
            enforce: true,
            ..Orders::default()
        };
        let setup = Setup::write(&world, &options.binary, &orders)?;
        let warden = setup.start(stop)?;
        say("postwarden run: watches the relay's log and queue, mode enforce");
        let mut dice = Random::new(options.seed);
        let names: Vec<&str> = world::places().into_iter().map(|(name, _)| name).collect();
        let people = cast::people(PEOPLE, world::HOME, &names, &mut dice);
        let owner = dice
            .pick(&people)
            .map(|person| person.address.clone())
            .unwrap_or_default();
        Ok(Self {
            warden,
            setup,
            world,
            people,
            owner,
            dice,
            life: None,
            first_hold: None,
        })
    }

    /// Ordinary life, which then goes on in the background: nothing may happen.
    fn quiet(
        &mut self,
        fast: bool,
        figures: &mut Figures,
        say: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let span = Duration::from_secs(60);
        let letters = cast::ordinary(&self.people, PACE, span, "day", &mut self.dice);
        self.life = Some(self.post(letters)?);
        self.world
            .stop
            .pass(Duration::from_secs(if fast { 5 } else { 12 }))?;
        let incidents = self.setup.incidents()?.len();
        figures.incidents = Some(incidents);
        let posted = self
            .life
            .as_ref()
            .map(Traffic::posted)
            .unwrap_or_default()
            .len();
        let outcomes = |outcome| self.world.witness.count(|seen| seen.outcome == outcome);
        say(&format!(
            "Quiet: {} people have sent {posted} letters; remote sides accepted {}, rejected {}, deferred {}; {incidents} incidents",
            self.people.len(),
            outcomes(Outcome::Accepted),
            outcomes(Outcome::Rejected),
            outcomes(Outcome::Deferred),
        ));
        Ok(())
    }

    /// The thief comes; ends when he has been held for a while. The incident's number, and what was posted by all.
    fn attack(
        &mut self,
        figures: &mut Figures,
        say: &mut dyn FnMut(&str),
    ) -> Result<(u64, Vec<Posted>), Error> {
        let begun = clock::now();
        say(&format!(
            "The password of {} is stolen: {THIEF_PACE} letters a second from 9 networks",
            self.owner
        ));
        let letters = self.burst();
        let thief = self.post(letters)?;
        let world = &self.world;
        let first = world
            .stop
            .wait_for("the first message on hold", HOLD_PATIENCE, || {
                Ok(measure::held(&world.relay).into_iter().next())
            });
        if first.is_ok() {
            world.stop.pass(AFTER_HOLD)?;
        }
        let mut posted = thief.stop();
        let settled = first.is_ok().then(|| self.settle());
        posted.extend(self.life.take().map(Traffic::stop).unwrap_or_default());
        let world = &self.world;
        let attack = measure::attack(&world.witness, THIEF);
        let held = measure::held(&world.relay);
        let first = first?;
        settled.transpose()?;
        self.first_hold = Some(first.since);
        let incidents = self.setup.incidents()?;
        figures.incidents = Some(incidents.len());
        let incident = incidents.first().map(number).unwrap_or_default();
        let decided = self.setup.decided(incident)?.unwrap_or(first.since);
        let sign = attack.first_rejection.unwrap_or(begun);
        let (before, after) = attack.around(decided);
        figures.decision = attack.first_rejection.map(|sign| decided.since(sign));
        figures.first_hold = attack.first_rejection.map(|sign| first.since.since(sign));
        figures.last_leak = attack.last().map(|last| last.since(sign));
        figures.accepted_before = Some(before);
        figures.accepted_after = Some(after);
        let acted = measure::acted(&posted, &held, THIEF).unwrap_or(first.since);
        figures.acted = attack.first_rejection.map(|sign| acted.since(sign));
        figures.accepted_before_act = Some(attack.around(acted).0);
        figures.accepted_after_verified = self
            .setup
            .verified(incident)?
            .map(|verified| attack.around(verified).1);
        self.count(&held, &posted, figures);
        say(&format!(
            "First rejection {} after his first letter; decided {} later, first message on hold {} later",
            seconds(sign.since(begun)),
            seconds(decided.since(sign)),
            seconds(first.since.since(sign))
        ));
        say(&format!(
            "Incident {incident}: {} of the thief's messages on hold; remote sides had accepted {before} before the decision and {after} after it",
            figures.held.unwrap_or_default()
        ));
        Ok((incident, posted))
    }

    fn burst(&mut self) -> Vec<Letter> {
        let networks: Vec<IpAddr> = [12, 45, 78, 101, 133, 160, 187, 201, 230]
            .into_iter()
            .map(|host| IpAddr::V4(Ipv4Addr::new(203, 0, 113, host)))
            .collect();
        let names: Vec<&str> = world::places().into_iter().map(|(name, _)| name).collect();
        let thief = Flow {
            login: Some(&self.owner),
            identity: THIEF,
            sender: &self.owner,
            per_second: THIEF_PACE,
            recipients: 1,
            networks: &networks,
            places: &names,
            stale: 0.4,
            body: Body::Phish(CAMPAIGN),
        };
        thief.letters(HOLD_PATIENCE + AFTER_HOLD, "burst", &mut self.dice)
    }

    /// Waits until nothing of the thief is on its way any more: all is on hold, accepted or refused.
    fn settle(&self) -> Result<(), Error> {
        let settled = || {
            let outside = ["incoming", "active", "deferred"].iter().any(|queue| {
                self.world.relay.queue(queue).iter().any(|file| {
                    let bytes = fs_err::read(file).unwrap_or_default();
                    memchr::memmem::find(&bytes, CAMPAIGN.as_bytes()).is_some()
                })
            });
            Ok((!outside).then_some(()))
        };
        self.world
            .stop
            .wait_for("nothing of the thief outside of hold", PATIENCE, settled)
    }

    fn count(&self, held: &[Held], posted: &[Posted], figures: &mut Figures) {
        figures.held = Some(held.iter().filter(|held| held.identity == THIEF).count());
        let is_ordinary =
            |letter: &&Posted| letter.identity != THIEF && letter.identity != self.owner;
        figures.ordinary = posted.iter().filter(is_ordinary).count();
        let touched = measure::touched(posted, held, &self.owner, THIEF);
        figures.touched = Some(touched.into_iter().collect());
    }

    fn alert(
        &self,
        incident: u64,
        figures: &mut Figures,
        say: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let alerts = || {
            self.world
                .witness
                .seen(|seen| &*seen.place == DESK && seen.outcome == Outcome::Accepted)
        };
        let first = self
            .world
            .stop
            .wait_for("the alert", PATIENCE, || Ok(alerts().into_iter().next()))?;
        let about = incident.to_string();
        let content = first.content.as_deref().unwrap_or_default();
        if memchr::memmem::find(content, about.as_bytes()).is_none() {
            let reply = format!("it does not name incident {about}");
            return Err(Error::Smtp {
                what: "the alert in the desk's mailbox",
                reply,
            });
        }
        let delay = first.at.since(self.first_hold.unwrap_or(first.at));
        figures.alert = Some((alerts().len(), delay));
        let subject = crate::demo::witness::header(content, "Subject").unwrap_or_default();
        say(&format!(
            "The desk's mailbox: \"{subject}\", {} after the hold",
            seconds(delay)
        ));
        Ok(())
    }

    fn evidence(
        &self,
        directory: &Path,
        figures: &mut Figures,
        say: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let manifest = directory.join("MANIFEST.sha256");
        self.world.stop.wait_for("the evidence", PATIENCE, || {
            Ok(manifest.exists().then_some(()))
        })?;
        let evidence = measure::evidence(directory, THIEF)?;
        figures.evidence = Some(evidence);
        say(&format!(
            "Evidence in {}: {} files, every digest as in MANIFEST.sha256",
            directory.display(),
            evidence.files
        ));
        Ok(())
    }

    /// A person releases the incident: the queue drains, and all mail is accounted for.
    fn release(
        &self,
        incident: u64,
        posted: &[Posted],
        figures: &mut Figures,
        say: &mut dyn FnMut(&str),
    ) -> Result<(), Error> {
        let begun = clock::instant();
        let reason = "the demo lets it go";
        self.setup.tell(&[
            "release",
            &incident.to_string(),
            "--reason",
            reason,
            "--yes",
        ])?;
        say(&format!(
            "postwarden release {incident}: its mail goes its way"
        ));
        let relay = &self.world.relay;
        let drained = self
            .world
            .stop
            .wait_for("an empty queue", DRAIN_PATIENCE, || {
                Ok((relay.queued() == 0 && relay.queue("hold").is_empty()).then_some(()))
            });
        let account = measure::account(&self.world.witness, posted);
        let ended = account.ended;
        figures.account = Some(account);
        drained?;
        let span = clock::instant().saturating_duration_since(begun);
        figures.drained = Some(span);
        say(&format!(
            "The queue is empty {} later; {ended} recipients accounted for",
            seconds(span)
        ));
        figures.incidents = Some(self.setup.incidents()?.len());
        Ok(())
    }

    fn keep(&self, figures: &Figures, say: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let mut table = Vec::new();
        figures
            .print(&mut table)
            .map_err(Error::io("printing the figures"))?;
        say(&String::from_utf8_lossy(&table));
        say(&format!(
            "Kept until Ctrl-C: postwarden status -c {}; postqueue -c {} -p",
            self.setup.config().display(),
            self.world.relay.config_directory().display()
        ));
        match self
            .world
            .stop
            .wait_for::<()>("Ctrl-C", Duration::from_secs(86_400), || Ok(None))
        {
            Err(Error::Interrupted | Error::Late { .. }) => Ok(()),
            other => other,
        }
    }

    fn post(&self, letters: Vec<Letter>) -> Result<Traffic, Error> {
        Traffic::start(
            letters,
            self.world.relay.address(),
            &self.world.witness,
            &self.world.stop,
        )
    }
}
