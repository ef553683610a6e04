//! Other stories, as data: who is guilty, who only looks so, and how the remote sides behave meanwhile.
//!
//! A scenario is a list of [`Actor`]s and changes of [`Temper`]; playing one is a single function for all. What is right
//! is the same everywhere: every guilty sender convicted, nobody else held, refused or convicted.

use std::{collections::BTreeSet, net::IpAddr, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    daemon::clock,
    demo::{
        Error,
        cast::{self, Body, Flow, Letter, Person},
        measure, past,
        random::Random,
        remote::Temper,
        traffic::{Office, Posted, Traffic},
        wait::Stop,
        warden::{Orders, Setup},
        world::{self, World},
    },
    time::Timestamp,
};

/// A story.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens, in one sentence.
    pub about: &'static str,
    /// Who sends, besides forty ordinary people.
    pub actors: Vec<Actor>,
    /// What the remote sides do from the beginning, where it is not as usual.
    pub weather: Vec<(&'static str, Temper)>,
    /// How long the actors are at work.
    pub span: Duration,
    /// Whether there is a log of earlier days, from which postwarden learns what is normal; else this is its first day.
    pub past: bool,
    /// Most messages of the guilty that remote sides may accept; none: only reported.
    pub leaks: Option<usize>,
}

/// Somebody in a story.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Name in the remote sides' records.
    pub identity: String,
    /// SASL login.
    pub login: Option<String>,
    /// Handed in by sendmail(1) on the relay.
    pub local: bool,
    /// Envelope sender; `#` stands for the letter's number.
    pub sender: String,
    /// Messages a second.
    pub per_second: f64,
    /// Recipients of each.
    pub recipients: usize,
    /// How many client addresses, in as many networks up to 60.
    pub addresses: u8,
    /// Share of addresses that no longer exist.
    pub stale: f64,
    /// How many different recipients there are; 0: each letter has its own.
    pub circle: usize,
    /// What this identity did on earlier days, if there are any.
    pub habit: Habit,
    /// Phishing, ordinary letters or a newsletter.
    pub body: Body<'static>,
    /// The places of the recipients; empty: all.
    pub places: Vec<&'static str>,
    /// Who must be convicted for it (`sasl:...`, `from:...`); none: innocent.
    pub guilty: Option<String>,
}

/// What an actor's identity is known for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// Nothing, or what the user of that name does.
    None,
    /// The same once a week.
    Weekly,
    /// So many letters a working day.
    Daily(u32),
}

/// How a story ended.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The scenario.
    pub name: &'static str,
    /// The guilty that were convicted, and those that were not.
    pub convicted: Vec<String>,
    /// The guilty that were not.
    pub escaped: Vec<String>,
    /// From the first rejection of the guilty to the first conviction.
    pub delay: Option<Duration>,
    /// From the first rejection of the guilty to the first act against one: a letter put off at intake, or on hold.
    pub acted: Option<Duration>,
    /// Recipients of the guilty that remote sides accepted, and of these after the first conviction.
    pub leaked: (usize, usize),
    /// Of these before the first act, and after the queue was verified to be clear of the last one convicted.
    pub around: (usize, usize),
    /// Others that were convicted, held or refused.
    pub innocents: BTreeSet<String>,
    /// Whether all is as it should be.
    pub good: bool,
}

impl Ending {
    /// As one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "scenario": self.name,
            "good": self.good,
            "convicted": self.convicted,
            "escaped": self.escaped,
            "first_rejection_to_conviction": self.delay.map(|delay| delay.as_secs_f64()),
            "first_rejection_to_act": self.acted.map(|delay| delay.as_secs_f64()),
            "leaked": self.leaked.0,
            "leaked_before_act": self.around.0,
            "leaked_after_verified": self.around.1,
            "leaked_after_conviction": self.leaked.1,
            "innocents": self.innocents,
        })
    }

    /// As one line.
    #[must_use]
    pub fn line(&self) -> String {
        let verdict = if self.good { "ok  " } else { "FAIL" };
        let seconds = |span: Option<Duration>| {
            span.map_or_else(
                || "-".to_owned(),
                |span| format!("{:.2} s", span.as_secs_f64()),
            )
        };
        let (acted, delay) = (seconds(self.acted), seconds(self.delay));
        let names = |names: &[String]| {
            if names.is_empty() {
                "-".to_owned()
            } else {
                names.join(" ")
            }
        };
        let innocents: Vec<String> = self.innocents.iter().cloned().collect();
        format!(
            "{verdict}  {:<14} acted after {acted}, convicted {} after {delay}, escaped {}, leaked {} ({} before the act, {} after the \
             conviction, {} after it was verified), innocents {}",
            self.name,
            names(&self.convicted),
            names(&self.escaped),
            self.leaked.0,
            self.around.0,
            self.leaked.1,
            self.around.1,
            names(&innocents),
        )
    }
}

/// Ordinary life before the actors come.
const BEFORE: Duration = Duration::from_secs(5);
/// How long the play goes on when all guilty are convicted.
const AFTER: Duration = Duration::from_secs(4);
/// Letters a second of ordinary people.
const PACE: f64 = 5.0;

/// Plays one.
///
/// # Errors
/// What the world or postwarden fails with; a wrong ending is no error.
pub fn play(scenario: &Scenario, binary: &Path, seed: u64, stop: &Stop) -> Result<Ending, Error> {
    let mut places = world::places();
    for (place, temper) in &mut places {
        if let Some((_, other)) = scenario.weather.iter().find(|(name, _)| name == place) {
            *temper = other.clone();
        }
    }
    let world = World::start(&places, false, stop)?;
    let orders = Orders {
        enforce: true,
        ..Orders::default()
    };
    let setup = Setup::write(&world, binary, &orders)?;
    let mut dice = Random::new(seed);
    let names: Vec<&str> = places.iter().map(|(name, _)| *name).collect();
    let people = cast::people(40, world::HOME, &names, &mut dice);
    if scenario.past {
        let told = earlier_days(scenario, &names, &people, &mut dice);
        let rotated = world.relay.log().with_extension("log.1");
        fs_err::write(rotated, told).map_err(Error::io("writing the rotated log"))?;
    }
    let warden = setup.start(stop)?;
    let span = BEFORE + scenario.span + AFTER;
    let life = cast::ordinary(&people, PACE, span, "day", &mut dice);
    let life = post(&world, life, world.relay.address().into())?;
    stop.pass(BEFORE)?;
    let (by_port, by_hand) = letters(scenario, &names, &mut dice);
    let actors = [
        post(&world, by_port, world.relay.address().into())?,
        post(&world, by_hand, world.local())?,
    ];
    let guilty: BTreeSet<String> = scenario
        .actors
        .iter()
        .filter_map(|actor| actor.guilty.clone())
        .collect();
    wait_for_convictions(&setup, &guilty, scenario.span, stop)?;
    stop.pass(AFTER)?;
    let mut posted = life.stop();
    for traffic in actors {
        posted.extend(traffic.stop());
    }
    let ending = ending(scenario, &world, &setup, &guilty, &posted)?;
    drop(warden);
    Ok(ending)
}

fn post(world: &World, letters: Vec<Letter>, office: Office) -> Result<Traffic, Error> {
    Traffic::start(letters, office, &world.witness, &world.stop)
}

/// Letters a working day of one person.
const USUAL: f64 = 6.0;

/// The log of the days before: ordinary life, and what the actors' identities are known for.
fn earlier_days(
    scenario: &Scenario,
    names: &[&str],
    people: &[Person],
    dice: &mut Random,
) -> String {
    let now = clock::now();
    let pace = USUAL * people.len() as f64 / past::WORKDAY.as_secs_f64();
    let mut scenes = Vec::new();
    for day in 1..=past::DAYS {
        let morning = past::morning(now, day) - past::WORKDAY;
        let name = format!("before{day}");
        let life = cast::ordinary(people, pace, past::WORKDAY, &name, dice);
        scenes.push((morning, life));
        for actor in &scenario.actors {
            let name = format!("{}-{day}", actor.identity);
            let (pace, span) = match actor.habit {
                Habit::Weekly if day % 7 == 5 => (actor.per_second, scenario.span),
                Habit::Daily(letters) => {
                    let span = past::WORKDAY;
                    (f64::from(letters) / span.as_secs_f64(), span)
                }
                Habit::None | Habit::Weekly => continue,
            };
            let usual = Actor {
                per_second: pace,
                stale: if actor.guilty.is_some() {
                    0.0
                } else {
                    actor.stale
                },
                ..actor.clone()
            };
            let letters = usual.letters(span, &name, names, dice);
            scenes.push((morning, letters));
        }
    }
    past::log(scenes)
}

/// The actors' letters: through the port, and by sendmail(1).
fn letters(scenario: &Scenario, names: &[&str], dice: &mut Random) -> (Vec<Letter>, Vec<Letter>) {
    let (mut by_port, mut by_hand) = (Vec::new(), Vec::new());
    for (number, actor) in scenario.actors.iter().enumerate() {
        let name = format!("{}{number}", scenario.name);
        let mut dice = dice.fork(u64::try_from(number).unwrap_or(0));
        let letters = actor.letters(scenario.span, &name, names, &mut dice);
        if actor.local {
            by_hand.extend(letters);
        } else {
            by_port.extend(letters);
        }
    }
    (by_port, by_hand)
}

impl Actor {
    /// Its letters over `span`; `name` is unique in the run.
    fn letters(&self, span: Duration, name: &str, all: &[&str], dice: &mut Random) -> Vec<Letter> {
        // Hosts without a login are the house's own.
        let networks: Vec<IpAddr> = (0..self.addresses)
            .map(|n| match (self.local, &self.login) {
                (true, _) => IpAddr::from([127, 0, 0, 1]),
                (false, Some(_)) => IpAddr::from([100, 64 + n, n, 10 + n]),
                (false, None) => IpAddr::from([198, 51, 100, 200 + n % 50]),
            })
            .collect();
        let places = if self.places.is_empty() {
            all
        } else {
            &self.places
        };
        let flow = Flow {
            login: self.login.as_deref(),
            identity: &self.identity,
            sender: &self.sender,
            per_second: self.per_second,
            recipients: self.recipients,
            networks: &networks,
            places,
            stale: self.stale,
            body: self.body,
        };
        let mut letters = flow.letters(span, name, dice);
        if self.circle > 0 {
            let readers = letters.iter_mut().flat_map(|letter| &mut letter.recipients);
            for recipient in readers {
                let reader = dice.below(self.circle);
                let place = places.get(reader % places.len().max(1)).copied();
                *recipient = format!("reader-{reader}@{}", place.unwrap_or_default());
            }
        }
        letters
    }
}

/// Until all guilty are convicted; if nobody is guilty, or one escapes, until the end.
fn wait_for_convictions(
    setup: &Setup,
    guilty: &BTreeSet<String>,
    span: Duration,
    stop: &Stop,
) -> Result<(), Error> {
    if guilty.is_empty() {
        return stop.pass(span);
    }
    let end = clock::instant() + span;
    loop {
        let convicted: BTreeSet<String> = setup.incidents()?.iter().map(sender_id).collect();
        if guilty.is_subset(&convicted) || clock::instant() >= end {
            return Ok(());
        }
        stop.pass(Duration::from_millis(200))?;
    }
}

fn sender_id(incident: &Value) -> String {
    incident
        .get("sender_id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn ending(
    scenario: &Scenario,
    world: &World,
    setup: &Setup,
    guilty: &BTreeSet<String>,
    posted: &[Posted],
) -> Result<Ending, Error> {
    let incidents = setup.incidents()?;
    let convicted: BTreeSet<String> = incidents.iter().map(sender_id).collect();
    let thieves: BTreeSet<&str> = scenario
        .actors
        .iter()
        .filter(|actor| actor.guilty.is_some())
        .map(|actor| actor.identity.as_str())
        .collect();
    let attack = attack(world, &thieves);
    let (decided, verified) = moments(setup, &incidents, guilty)?;
    let mut innocents: BTreeSet<String> = convicted.difference(guilty).cloned().collect();
    // Whose account was stolen is refused with the thief; that is no harm done to somebody else.
    let owners: BTreeSet<&str> = guilty
        .iter()
        .filter_map(|id| id.split_once(':'))
        .map(|(_, name)| name)
        .collect();
    let held = measure::held(&world.relay);
    let touched = measure::touched(posted, &held, "", "");
    innocents.extend(touched.into_iter().filter(|identity| {
        !thieves.contains(identity.as_str()) && !owners.contains(identity.as_str())
    }));
    let leaked = decided.map_or((attack.accepted.len(), 0), |at| {
        let (before, after) = attack.around(at);
        (before + after, after)
    });
    let acted = thieves
        .iter()
        .filter_map(|thief| measure::acted(posted, &held, thief))
        .min();
    let around = (
        acted.map_or(attack.accepted.len(), |at| attack.around(at).0),
        verified.map_or(0, |at| attack.around(at).1),
    );
    let escaped: Vec<String> = guilty.difference(&convicted).cloned().collect();
    let good = escaped.is_empty()
        && innocents.is_empty()
        && scenario.leaks.is_none_or(|most| leaked.0 <= most);
    Ok(Ending {
        name: scenario.name,
        convicted: guilty.intersection(&convicted).cloned().collect(),
        escaped,
        delay: decided
            .zip(attack.first_rejection)
            .map(|(decided, sign)| decided.since(sign)),
        acted: acted
            .zip(attack.first_rejection)
            .map(|(acted, sign)| acted.since(sign)),
        leaked,
        around,
        innocents,
        good,
    })
}

/// What the remote sides saw of all thieves.
fn attack(world: &World, thieves: &BTreeSet<&str>) -> measure::Attack {
    let mut attack = measure::Attack::default();
    for thief in thieves {
        let seen = measure::attack(&world.witness, thief);
        attack.accepted.extend(seen.accepted);
        attack.first_rejection = attack
            .first_rejection
            .into_iter()
            .chain(seen.first_rejection)
            .min();
    }
    attack
}

/// When the first of the guilty was convicted, and when the queue was clear of the last one.
fn moments(
    setup: &Setup,
    incidents: &[Value],
    guilty: &BTreeSet<String>,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Error> {
    let (mut decided, mut verified) = (Vec::new(), Vec::new());
    for incident in incidents
        .iter()
        .filter(|incident| guilty.contains(&sender_id(incident)))
    {
        let number = crate::demo::warden::number(incident);
        decided.extend(setup.decided(number)?);
        verified.extend(setup.verified(number)?);
    }
    Ok((decided.into_iter().min(), verified.into_iter().max()))
}
