//! The stories that are told: thieves of several kinds, and honest people in several kinds of trouble.

use std::time::Duration;

use crate::demo::{
    cast::Body,
    remote::Temper,
    scenario::{Actor, Habit, Scenario},
    world,
};

/// The campaign of all thieves.
const CAMPAIGN: Body<'static> = Body::Phish("mailbox-check.example");

/// All stories.
#[must_use]
pub fn all() -> Vec<Scenario> {
    [
        thieves(),
        many(),
        honest(),
        habits(),
        weather(),
        first_day(),
    ]
    .concat()
}

fn thieves() -> Vec<Scenario> {
    let burst = thief("user07", 30.0);
    let forged = Actor {
        sender: "anybody#@example.org".to_owned(),
        ..thief("user07", 20.0)
    };
    let webshell = Actor {
        identity: "webshell".to_owned(),
        login: None,
        local: true,
        sender: "www-data@example.org".to_owned(),
        habit: Habit::Daily(6),
        guilty: Some("from:www-data@example.org".to_owned()),
        ..thief("user07", 10.0)
    };
    let swarm: Vec<Actor> = (1..=8)
        .map(|n| thief(&format!("user{:02}", n * 4), 2.0))
        .collect();
    vec![
        story(
            "burst",
            "a stolen account sends 30 letters a second",
            25,
            vec![burst],
        ),
        story(
            "slow",
            "a thief takes his time: one letter in two seconds",
            120,
            vec![thief("user07", 0.5)],
        ),
        story("swarm", "eight stolen accounts send the same", 40, swarm),
        story(
            "forged",
            "a stolen account forges a new sender each time",
            25,
            vec![forged],
        ),
        story(
            "webshell",
            "a program on the relay sends without a login",
            25,
            vec![webshell],
        ),
    ]
}

fn many() -> Vec<Scenario> {
    vec![
        story(
            "many-addresses",
            "one account from sixty addresses",
            30,
            vec![Actor {
                addresses: 60,
                ..thief("user07", 10.0)
            }],
        ),
        story(
            "many-recipients",
            "20 recipients a letter",
            20,
            vec![Actor {
                recipients: 20,
                ..thief("user07", 5.0)
            }],
        ),
    ]
}

fn honest() -> Vec<Scenario> {
    let newsletter = Actor {
        per_second: 25.0,
        stale: 0.03,
        habit: Habit::Weekly,
        body: Body::News,
        ..sender("newsletter")
    };
    let club = Actor {
        per_second: 4.0,
        stale: 0.18,
        body: Body::News,
        places: vec![
            "campus.example",
            "isp-a.example",
            "freemail.example",
            "works.example",
        ],
        ..sender("secretary")
    };
    let invoices = Actor {
        per_second: 15.0,
        stale: 0.012,
        ..sender("billing")
    };
    let list = Actor {
        login: None,
        identity: "list".to_owned(),
        sender: "list-bounces@lists.example.org".to_owned(),
        per_second: 10.0,
        stale: 0.02,
        habit: Habit::Daily(40),
        ..sender("list")
    };
    vec![
        story(
            "newsletter",
            "an honest newsletter with 3 % dead addresses",
            25,
            vec![newsletter],
        ),
        story(
            "stale-list",
            "a club's secretary writes to an old list",
            25,
            vec![club],
        ),
        story(
            "invoices",
            "the invoices at the end of the month",
            25,
            vec![invoices],
        ),
        story("mailing-list", "a mailing list server", 25, vec![list]),
    ]
}

fn habits() -> Vec<Scenario> {
    let forwarder = Actor {
        login: None,
        identity: "forwarder".to_owned(),
        sender: "SRS0=a#=t=elsewhere.example=someone@example.org".to_owned(),
        per_second: 3.0,
        circle: 15,
        habit: Habit::Daily(40),
        body: CAMPAIGN,
        ..sender("forwarder")
    };
    let migrated: Vec<Actor> = (1..=20)
        .map(|n| Actor {
            per_second: 0.4,
            stale: 0.03,
            ..sender(&format!("user{n:02}"))
        })
        .collect();
    vec![
        story(
            "forwarder",
            "a server forwards spam to its users' other mailboxes",
            25,
            vec![forwarder],
        ),
        story(
            "migration",
            "twenty users' webmail moves to a new address",
            25,
            migrated,
        ),
    ]
}

fn weather() -> Vec<Scenario> {
    let names: Vec<&'static str> = world::places().into_iter().map(|(name, _)| name).collect();
    let everywhere = |temper: &Temper| {
        names
            .iter()
            .map(|name| (*name, temper.clone()))
            .collect::<Vec<_>>()
    };
    let refuse = |reply: &str| Temper::Refuse {
        reply: reply.to_owned(),
    };
    let with = |name, about, weather| Scenario {
        weather,
        ..story(name, about, 20, Vec::new())
    };
    vec![
        with(
            "greylisting",
            "everybody greylists",
            everywhere(&Temper::Greylist {
                delay: Duration::from_secs(4),
            }),
        ),
        with(
            "outage",
            "two big providers are down",
            ["isp-a.example", "freemail.example"]
                .map(|name| (name, refuse("451 4.3.2 system not accepting messages")))
                .into(),
        ),
        with(
            "blocklisted",
            "our relay is on a block list",
            everywhere(&refuse(
                "550 5.7.1 Service unavailable; client host [192.0.2.25] blocked using dnsbl.example.net",
            )),
        ),
        with(
            "throttled",
            "a provider throttles everyone",
            ["isp-a.example", "bigmail.example"]
                .map(|name| {
                    (
                        name,
                        refuse("421 4.7.0 too many connections from your address, try again later"),
                    )
                })
                .into(),
        ),
        with(
            "directory",
            "a provider's directory is down and says unknown user to all",
            vec![(
                "freemail.example",
                refuse("550 5.1.1 recipient rejected: no such user here"),
            )],
        ),
    ]
}

/// Nothing was learned before; what is refused for its content must do.
fn first_day() -> Vec<Scenario> {
    let everybody = [
        ("burst", "first-thief", "a stolen account on the first day"),
        ("webshell", "first-webshell", "a web shell on the first day"),
        (
            "newsletter",
            "first-newsletter",
            "a newsletter on the first day",
        ),
        (
            "forwarder",
            "first-forwarder",
            "a forwarder of spam on the first day",
        ),
        ("stale-list", "first-list", "a stale list on the first day"),
    ];
    let stories = [thieves(), honest(), habits()].concat();
    let first = |(of, name, about): (&str, &'static str, &'static str)| {
        let story = stories.iter().find(|story| story.name == of)?;
        Some(Scenario {
            name,
            about,
            past: false,
            ..story.clone()
        })
    };
    everybody.into_iter().filter_map(first).collect()
}

/// More places look into the mail than in the demo: without a guard about a third of a campaign is accepted.
fn filters() -> Vec<(&'static str, Temper)> {
    ["isp-a.example", "works.example"]
        .map(|name| (name, Temper::ContentFilter { after: 2 }))
        .into()
}

fn story(name: &'static str, about: &'static str, seconds: u64, actors: Vec<Actor>) -> Scenario {
    Scenario {
        name,
        about,
        actors,
        weather: filters(),
        span: Duration::from_secs(seconds),
        past: true,
        leaks: None,
    }
}

/// A thief with the password of `user`.
fn thief(user: &str, per_second: f64) -> Actor {
    let login = format!("{user}@{}", world::HOME);
    Actor {
        identity: format!("thief-{user}"),
        guilty: Some(format!("sasl:{login}")),
        sender: login.clone(),
        login: Some(login),
        local: false,
        per_second,
        recipients: 1,
        addresses: 9,
        stale: 0.4,
        body: CAMPAIGN,
        places: Vec::new(),
        circle: 0,
        habit: Habit::None,
    }
}

/// An honest sender with a login.
fn sender(user: &str) -> Actor {
    let login = format!("{user}@{}", world::HOME);
    Actor {
        identity: login.clone(),
        guilty: None,
        sender: login.clone(),
        login: Some(login),
        addresses: 1,
        stale: 0.0,
        body: Body::Ham,
        ..thief(user, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_story_has_a_name_of_its_own_and_somebody_to_tell_of() {
        let all = all();
        let names: HashSet<&str> = all.iter().map(|story| story.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(
            all.iter()
                .all(|story| !story.actors.is_empty() || !story.weather.is_empty())
        );
    }
}
