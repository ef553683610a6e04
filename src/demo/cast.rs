//! Who sends what, when, from where: people and flows, as letters on a timetable that a seed decides.
//!
//! A scenario is a list of [`Letter`]s, made from people ([`ordinary`]) and flows ([`Flow`]).

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use crate::demo::{
    client::Origin,
    content::{self, Head},
    random::Random,
};

/// One message and when it is posted.
#[derive(Clone, Debug)]
pub struct Letter {
    /// After the beginning of the scene.
    pub due: Duration,
    /// Letters of one lane are posted in order.
    pub lane: usize,
    /// SASL login; none: no AUTH.
    pub login: Option<String>,
    /// Where the client is.
    pub origin: Origin,
    /// Envelope sender.
    pub sender: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// Who really sends it.
    pub identity: String,
    /// Its own name.
    pub message: String,
    /// Head and body.
    pub content: Vec<u8>,
}

/// An ordinary user.
#[derive(Clone, Debug)]
pub struct Person {
    /// Login, and envelope sender.
    pub address: String,
    /// Where he usually is.
    pub home: IpAddr,
    /// Whom he writes to.
    pub contacts: Vec<String>,
}

/// The people of the house: `count` users of `domain`, each with an address of his own in a few networks and a dozen
/// contacts at `places`.
#[must_use]
pub fn people(count: usize, domain: &str, places: &[&str], dice: &mut Random) -> Vec<Person> {
    let mut people = Vec::new();
    for number in 1..=count {
        let mut dice = dice.fork(u64::try_from(number).unwrap_or(0));
        let host = u8::try_from(number % 250 + 1).unwrap_or(1);
        let network = if dice.chance(0.5) {
            [192, 0, 2]
        } else {
            [198, 51, 100]
        };
        let contacts = (0..12)
            .filter_map(|contact| Some(format!("friend{number}-{contact}@{}", dice.pick(places)?)))
            .collect();
        people.push(Person {
            address: format!("user{number:02}@{domain}"),
            home: Ipv4Addr::new(network[0], network[1], network[2], host).into(),
            contacts,
        });
    }
    people
}

/// Ordinary life: `per_second` letters of all people together, for `span`; one in fifty goes to an address that has a
/// slip of the pen in it.
#[must_use]
pub fn ordinary(
    people: &[Person],
    per_second: f64,
    span: Duration,
    name: &str,
    dice: &mut Random,
) -> Vec<Letter> {
    let mut letters = Vec::new();
    let mut due = dice.wait(1.0 / per_second);
    while due < span.as_secs_f64() {
        let number = dice.below(people.len());
        let Some(person) = people.get(number) else {
            break;
        };
        let mut recipient = dice.pick(&person.contacts).cloned().unwrap_or_default();
        if dice.chance(0.02) {
            recipient = format!("no-such-{recipient}");
        }
        let message = format!("{name}-{}", letters.len());
        let head = Head {
            from: &person.address,
            to: &recipient,
            identity: &person.address,
            message: &message,
        };
        letters.push(Letter {
            due: Duration::from_secs_f64(due),
            lane: number % 8,
            login: Some(person.address.clone()),
            origin: Origin {
                address: person.home,
                port: port(dice),
            },
            sender: person.address.clone(),
            content: content::ham(head, dice),
            identity: person.address.clone(),
            recipients: vec![recipient],
            message,
        });
        due += dice.wait(1.0 / per_second);
    }
    letters
}

/// Somebody who sends at a steady pace: a thief, a newsletter, a forwarder.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// The account; none: from one of the house's own servers, without a login.
    pub login: Option<&'a str>,
    /// Who it really is, in the remote sides' records.
    pub identity: &'a str,
    /// Envelope sender; `#` stands for the letter's number.
    pub sender: &'a str,
    /// Messages a second.
    pub per_second: f64,
    /// Recipients of each message.
    pub recipients: usize,
    /// Where the clients are.
    pub networks: &'a [IpAddr],
    /// Where the recipients are.
    pub places: &'a [&'a str],
    /// Share of addresses that no longer exist.
    pub stale: f64,
    /// What is sent.
    pub body: Body<'a>,
}

/// What a [`Flow`] sends.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Copies of a campaign that links to this host.
    Phish(&'a str),
    /// A letter of its own each time.
    Ham,
    /// The same newsletter, without links.
    News,
}

/// Connections that are kept open, and letters on each before the next network is taken.
const HANDS: usize = 6;
const LETTERS_A_CONNECTION: usize = 25;

impl Flow<'_> {
    /// Its letters over `span`; `name` is unique in the run.
    #[must_use]
    pub fn letters(&self, span: Duration, name: &str, dice: &mut Random) -> Vec<Letter> {
        let pause = Duration::from_secs_f64(1.0 / self.per_second);
        (0..)
            .map(|number| (number, pause.saturating_mul(number)))
            .take_while(|(_, due)| *due < span)
            .map(|(number, due)| {
                let number = usize::try_from(number).unwrap_or(0);
                self.letter(due, number, name, dice)
            })
            .collect()
    }

    fn letter(&self, due: Duration, number: usize, name: &str, dice: &mut Random) -> Letter {
        let hand = number % HANDS;
        let turn = number / HANDS / LETTERS_A_CONNECTION;
        let network = self
            .networks
            .get((turn + hand) % self.networks.len().max(1));
        let message = format!("{name}-{number}");
        let recipients: Vec<String> = (0..self.recipients)
            .map(|nth| self.recipient(&message, nth, dice))
            .collect();
        let sender = self.sender.replace('#', &number.to_string());
        let head = Head {
            from: &sender,
            to: recipients.first().map_or("", String::as_str),
            identity: self.identity,
            message: &message,
        };
        let content = match self.body {
            Body::Phish(campaign) => content::phish(head, campaign, dice),
            Body::Ham => content::ham(head, dice),
            Body::News => content::news(head),
        };
        Letter {
            due,
            lane: lane(name, hand),
            login: self.login.map(str::to_owned),
            origin: Origin {
                address: network.copied().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                port: u16::try_from(20_000 + turn % 1000 * 10 + hand).unwrap_or(20_000),
            },
            identity: self.identity.to_owned(),
            sender,
            recipients,
            message,
            content,
        }
    }

    fn recipient(&self, message: &str, nth: usize, dice: &mut Random) -> String {
        let unknown = if dice.chance(self.stale) {
            "no-such-"
        } else {
            ""
        };
        let place = dice.pick(self.places).copied().unwrap_or_default();
        format!("{unknown}reader-{message}-{nth}@{place}")
    }
}

/// A lane that no other flow uses: its name decides, not the order in which flows are made.
fn lane(name: &str, hand: usize) -> usize {
    let sum = name.bytes().fold(7_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    100 + sum % 100_000 * HANDS + hand
}

fn port(dice: &mut Random) -> u16 {
    u16::try_from(30_000 + dice.below(30_000)).unwrap_or(30_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_letters() {
        let write = |seed| {
            let mut dice = Random::new(seed);
            let people = people(40, "example.org", &["a.example", "b.example"], &mut dice);
            ordinary(&people, 5.0, Duration::from_secs(20), "day", &mut dice)
        };
        let (a, b) = (write(3), write(3));
        assert!((60..160).contains(&a.len()), "{}", a.len());
        assert!(
            a.iter()
                .zip(&b)
                .all(|(x, y)| x.content == y.content && x.due == y.due)
        );
        assert_ne!(write(4).len(), 0);
    }

    #[test]
    fn a_burst_keeps_its_pace_and_changes_networks() {
        let networks: Vec<IpAddr> = (1..=9)
            .map(|n| Ipv4Addr::new(203, 0, 113, n).into())
            .collect();
        let thief = Flow {
            login: Some("user07@example.org"),
            identity: "thief",
            sender: "forged#@example.org",
            per_second: 30.0,
            recipients: 1,
            networks: &networks,
            places: &["a.example"],
            stale: 0.2,
            body: Body::Phish("login.example"),
        };
        let letters = thief.letters(Duration::from_secs(10), "burst", &mut Random::new(1));
        assert_eq!(letters.get(3).unwrap().sender, "forged3@example.org");
        assert!((300..=301).contains(&letters.len()), "{}", letters.len());
        let origins: std::collections::HashSet<IpAddr> =
            letters.iter().map(|letter| letter.origin.address).collect();
        assert!(origins.len() >= 6, "{}", origins.len());
    }
}
