//! What the shipped policies do to thieves, and what they must not do to anybody else: a small site of forty people, a
//! newsletter, a list, a forwarder, twelve quiet days, and then something happens.

mod layers;

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    classify::BounceClass,
    correlate::{Attempt, Entry, MessageKey, Origin},
    ledger::{Closing, SenderId, Setup, saved::Dirty},
    postfix::record::{Relay, Status},
};

const HOME: &str = "192.0.2.7";
const ABROAD: &str = "203.0.113.9";

#[derive(Clone, Copy)]
enum Says {
    Sent,
    No(BounceClass),
    Later(BounceClass),
}
use BounceClass as C;
use Says::{Later, No, Sent};

struct World {
    ledger: Ledger,
    policies: Policies,
    now: Timestamp,
    next: u64,
    worst: BTreeMap<String, Verdict>,
}

fn login(name: &str, client: &str) -> Origin {
    Origin {
        login: Some(name.into()),
        sender: Some(name.into()),
        client_address: client.parse().ok(),
        ..Origin::default()
    }
}

fn open(sender: &str, client: &str) -> Origin {
    Origin {
        login: None,
        ..login(sender, client)
    }
}

impl World {
    /// Twelve quiet days of forty people who write to their friends.
    fn new() -> Self {
        let mut world = Self {
            ledger: Ledger::new(Setup::default()),
            policies: Policies::shipped(),
            now: Timestamp::from_seconds(1_772_409_600),
            next: 0,
            worst: BTreeMap::new(),
        };
        for day in 0..12 {
            for hour in 8..18 {
                for person in 0..40 {
                    if (person + hour) % 3 == 0 {
                        let friend = format!("friend{}@d{}.example", (day + hour) % 5, person % 9);
                        world.mail(&login(&person_name(person), HOME), &friend, Sent);
                    }
                }
                world.wait(3600);
            }
            world.wait(14 * 3600);
        }
        world.wait(10 * 3600);
        assert!(world.worst.is_empty(), "{:?}", world.worst);
        world
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// One message for one recipient, answered within a second; the verdict on its sender.
    fn mail(&mut self, origin: &Origin, recipient: &str, says: Says) -> Verdict {
        self.next += 1;
        let message = MessageKey(self.next);
        let sender = self.ledger.submission(self.now, message, origin, 1, 2000);
        let before = self.judge(sender);
        self.now = self.now + Duration::from_millis(300);
        let after = self.answer(message, origin, recipient, says);
        if !matches!(says, Later(_)) {
            self.ledger.end(self.now, message);
        }
        before.max(after)
    }

    fn answer(&mut self, message: MessageKey, origin: &Origin, to: &str, says: Says) -> Verdict {
        let (status, class) = match says {
            Sent => (Status::Sent, None),
            No(class) => (Status::Bounced, Some(class)),
            Later(class) => (Status::Deferred, Some(class)),
        };
        let host = format!("mx.{}", to.rsplit('@').next().unwrap());
        let attempt = Attempt {
            message,
            queue_id: "",
            at: self.now,
            origin,
            recipient: to,
            orig_to: None,
            relay: Some(Relay {
                host: &host,
                address: "",
                port: Some(25),
            }),
            remote: true,
            dsn: "",
            status,
            reply: None,
            stage: None,
            text: "",
        };
        let sender = self.ledger.attempt(&attempt, class);
        self.judge(sender)
    }

    fn judge(&mut self, sender: Option<SenderIndex>) -> Verdict {
        let Some(sender) = sender else {
            return Verdict::Clear;
        };
        let verdict = self
            .policies
            .judge(&mut self.ledger, sender, self.now)
            .verdict;
        if verdict >= Verdict::Slow {
            let name = self.ledger.sender_id(sender).unwrap().to_string();
            let worst = self.worst.entry(name).or_default();
            *worst = verdict.max(*worst);
        }
        verdict
    }

    /// Sends until held; how many were accepted before.
    fn leak(
        &mut self,
        most: u32,
        mut next: impl FnMut(u32) -> (Origin, String, Says),
        gap: u64,
    ) -> u32 {
        let mut accepted = 0;
        for number in 0..most {
            let (origin, to, says) = next(number);
            if self.mail(&origin, &to, says) >= Verdict::Hold {
                return accepted;
            }
            accepted += u32::from(matches!(says, Sent));
            self.wait(gap);
        }
        panic!("not held after {most} messages, {accepted} accepted");
    }

    fn nobody_is_touched(&self) {
        assert!(self.worst.is_empty(), "{:?}", self.worst);
    }
}

fn person_name(person: u32) -> String {
    format!("p{person}@example.org")
}

fn stranger(number: u32) -> String {
    format!("stranger{number}@s{}.example", number % 11)
}

/// A purchased list against filters: every fourth unknown, every third of the rest refused.
fn spam(number: u32) -> Says {
    match number % 6 {
        1 => No(C::UserUnknown),
        2 | 5 => No(C::SpamContent),
        _ => Sent,
    }
}

#[test]
fn a_burst_is_held_within_eight_accepted_messages() {
    let mut world = World::new();
    let leak = world.leak(
        60,
        |n| (login("p3@example.org", HOME), stranger(n), spam(n)),
        0,
    );
    assert!(leak <= 8, "{leak}");
    assert_eq!(world.worst.len(), 1);
}

#[test]
fn a_slow_thief_from_abroad_is_held() {
    let mut world = World::new();
    let leak = world.leak(
        60,
        |n| (login("p3@example.org", ABROAD), stranger(n), spam(n)),
        60,
    );
    assert!(leak <= 10, "{leak}");
}

#[test]
fn a_new_account_is_no_safer_a_place_for_a_thief() {
    let mut world = World::new();
    let leak = world.leak(
        60,
        |n| (login("new@example.org", HOME), stranger(n), spam(n)),
        2,
    );
    assert!(leak <= 8, "{leak}");
}

#[test]
fn forged_senders_convict_their_client_and_nobody_else() {
    let mut world = World::new();
    let leak = world.leak(
        80,
        |n| {
            (
                open(&person_name(n % 40), "192.0.2.99"),
                stranger(n),
                spam(n),
            )
        },
        1,
    );
    assert!(leak <= 12, "{leak}");
    assert_eq!(world.worst.get("ip:192.0.2.99"), Some(&Verdict::Hold));
    assert_eq!(world.worst.len(), 1, "{:?}", world.worst);
}

#[test]
fn a_web_shell_under_the_web_servers_user_is_held() {
    let mut world = World::new();
    let leak = world.leak(
        80,
        |n| {
            let origin = Origin {
                entry: Entry::Pickup,
                uid: Some(33),
                sender: Some(format!("boss{n}@example.org").into()),
                ..Origin::default()
            };
            (origin, stranger(n), spam(n))
        },
        1,
    );
    assert!(leak <= 12, "{leak}");
    assert_eq!(world.worst.get("uid:33"), Some(&Verdict::Hold));
}

#[test]
fn temporary_refusals_alone_convict_a_thief_from_abroad() {
    let mut world = World::new();
    let leak = world.leak(
        100,
        |n| {
            let says = if n % 2 == 0 {
                Later(C::RateSender)
            } else {
                Sent
            };
            (login("p3@example.org", ABROAD), stranger(n), says)
        },
        3,
    );
    assert!(leak <= 30, "{leak}");
}

#[test]
fn a_newsletter_with_dead_addresses_is_left_alone() {
    let mut world = World::new();
    let origin = login("news@example.org", HOME);
    for _issue in 0..3 {
        for n in 0..600 {
            let says = if n % 33 == 0 {
                No(C::UserUnknown)
            } else {
                Sent
            };
            world.mail(&origin, &stranger(n), says);
        }
        world.wait(7 * 86_400);
    }
    world.nobody_is_touched();
}

#[test]
fn a_stale_club_list_is_not_held() {
    let mut world = World::new();
    for n in 0..120 {
        let says = if n % 5 == 0 { No(C::UserUnknown) } else { Sent };
        world.mail(&login("p5@example.org", HOME), &stranger(n), says);
        world.wait(4);
    }
    assert!(world.worst.values().all(|verdict| *verdict < Verdict::Hold));
}

#[test]
fn invoices_of_a_month_are_left_alone() {
    let mut world = World::new();
    for n in 0..400 {
        let says = if n % 80 == 0 {
            No(C::UserUnknown)
        } else {
            Sent
        };
        world.mail(&login("p6@example.org", HOME), &stranger(n), says);
        world.wait(1);
    }
    assert!(
        world.worst.values().all(|verdict| *verdict < Verdict::Slow),
        "{:?}",
        world.worst
    );
}

#[test]
fn a_forwarder_of_spam_is_not_held() {
    let mut world = World::new();
    for n in 0..400u32 {
        let sender = format!("SRS0=ab{n}=cd=example.net=x{n}@fwd.example.org");
        let says = if n % 6 == 0 { No(C::SpamContent) } else { Sent };
        world.mail(
            &open(&sender, "192.0.2.50"),
            &format!("target{}@d1.example", n % 4),
            says,
        );
        world.wait(900);
    }
    assert!(
        world.worst.values().all(|verdict| *verdict < Verdict::Hold),
        "{:?}",
        world.worst
    );
}

#[test]
fn greylisting_everywhere_touches_nobody() {
    let mut world = World::new();
    for person in 0..40 {
        for n in 0..10 {
            world.mail(
                &login(&person_name(person), HOME),
                &stranger(n),
                Later(C::Greylist),
            );
        }
    }
    world.nobody_is_touched();
}

#[test]
fn a_listed_relay_touches_nobody() {
    let mut world = World::new();
    for round in 0..6 {
        for person in 0..40 {
            let class = if round % 3 == 2 {
                C::Policy
            } else {
                C::IpBlock
            };
            let to = format!("friend{round}@d{}.example", person % 9);
            world.mail(&login(&person_name(person), HOME), &to, No(class));
            world.wait(5);
        }
    }
    world.nobody_is_touched();
}

#[test]
fn a_provider_that_throttles_everyone_touches_nobody() {
    let mut world = World::new();
    for round in 0..6 {
        for person in 0..40 {
            let to = format!("friend{round}@d1.example");
            world.mail(
                &login(&person_name(person), HOME),
                &to,
                Later(C::RateSender),
            );
            world.wait(5);
        }
    }
    world.nobody_is_touched();
    assert!(
        world
            .ledger
            .take_storms(world.now)
            .iter()
            .any(|storm| storm.began)
    );
}

#[test]
fn a_directory_outage_touches_nobody() {
    let mut world = World::new();
    for round in 0..8 {
        for person in 0..40 {
            let to = format!("friend{round}@d1.example");
            world.mail(&login(&person_name(person), HOME), &to, No(C::UserUnknown));
            world.wait(3);
        }
    }
    world.nobody_is_touched();
}

#[test]
fn a_webmail_migration_touches_nobody() {
    let mut world = World::new();
    for round in 0..4 {
        for person in 0..40 {
            let to = format!("friend{round}@d{}.example", person % 9);
            world.mail(&login(&person_name(person), "198.51.100.4"), &to, Sent);
            world.wait(20);
        }
    }
    world.nobody_is_touched();
}

#[test]
fn one_loud_sender_makes_no_weather_that_hides_him() {
    let mut world = World::new();
    let leak = world.leak(
        60,
        |n| {
            let says = if n % 2 == 0 { No(C::SpamContent) } else { Sent };
            (
                login("p3@example.org", HOME),
                format!("x{n}@d1.example"),
                says,
            )
        },
        0,
    );
    assert!(leak <= 8, "{leak}");
}

#[test]
fn forty_accounts_from_new_networks_make_no_weather() {
    let mut world = World::new();
    for round in 0..12 {
        for person in 0..20 {
            let origin = login(&person_name(person), ABROAD);
            world.mail(
                &origin,
                &stranger(round * 20 + person),
                spam(round + person),
            );
            world.wait(3);
        }
    }
    let held = world
        .worst
        .values()
        .filter(|v| **v >= Verdict::Hold)
        .count();
    assert!(held >= 18, "{held} of 20 held");
}

#[test]
fn a_provider_of_ones_own_that_throttles_hides_nothing_elsewhere() {
    let mut world = World::new();
    // Five accomplices have their own server refuse everything for the content.
    for round in 0..10 {
        for person in 20..25 {
            let to = format!("x{round}@evil.example");
            world.mail(
                &login(&person_name(person), HOME),
                &to,
                Later(C::SpamContent),
            );
        }
    }
    let leak = world.leak(
        60,
        |n| (login("p3@example.org", HOME), stranger(n), spam(n)),
        0,
    );
    assert!(leak <= 8, "{leak}");
}

#[test]
fn an_attack_teaches_the_profile_nothing_within_the_review_time() {
    let mut world = World::new();
    let attack = |n| (login("p3@example.org", ABROAD), stranger(n), spam(n));
    let first = world.leak(60, attack, 1);
    let thief = world
        .ledger
        .find(&"sasl:p3@example.org".parse::<SenderId>().unwrap())
        .unwrap();
    world.wait(4 * 3600);
    world.ledger.close(world.now, thief, Closing::Cleaned);
    let again = world.leak(60, |n| attack(n + 1000), 1);
    assert!(again <= first + 3, "{first}, then {again}");
}

#[test]
fn a_restored_ledger_judges_to_the_bit_as_the_one_that_went_on() {
    let mut world = World::new();
    let mut saved = Dirty::default();
    let mut senders = BTreeMap::new();
    let mut messages = BTreeMap::new();
    let mut parts = BTreeMap::new();
    let mut names = BTreeMap::new();
    for n in 0..30 {
        world.mail(
            &login("p3@example.org", ABROAD),
            &stranger(n),
            Later(C::RateSender),
        );
        let dirty = world.ledger.take_dirty();
        senders.extend(dirty.senders);
        messages.extend(dirty.messages);
        parts.extend(dirty.parts);
        names.extend(
            dirty
                .names
                .into_iter()
                .map(|(key, name, last)| (key, (name, last))),
        );
    }
    saved.senders.extend(senders);
    saved.messages.extend(messages);
    saved.parts.extend(parts);
    saved.names.extend(
        names
            .into_iter()
            .map(|(key, (name, last))| (key, name, last)),
    );
    let (mut restored, damaged) = Ledger::restore(Setup::default(), &saved);
    assert_eq!(damaged, 0);
    let mut other = World {
        policies: Policies::shipped(),
        ledger: Ledger::new(Setup::default()),
        now: world.now,
        next: world.next,
        worst: BTreeMap::new(),
    };
    std::mem::swap(&mut other.ledger, &mut restored);
    for n in 0..40 {
        let origin = login(&person_name(n % 5), if n % 2 == 0 { HOME } else { ABROAD });
        let a = world.mail(&origin, &stranger(n), spam(n));
        let b = other.mail(&origin, &stranger(n), spam(n));
        assert_eq!(a, b);
    }
    assert_eq!(world.ledger.take_dirty(), other.ledger.take_dirty());
}

#[test]
fn damaged_blobs_are_counted_and_the_rest_is_kept() {
    let mut world = World::new();
    let mut dirty = world.ledger.take_dirty();
    let all = dirty.senders.len();
    dirty.senders[0].1.truncate(9);
    dirty.senders[1].1[0] = 99;
    let (restored, damaged) = Ledger::restore(Setup::default(), &dirty);
    assert_eq!(damaged, 2);
    assert!(restored.senders().count() >= all - 2);
}

#[test]
fn a_verdict_is_explained_in_words_and_numbers() {
    let mut world = World::new();
    world.leak(
        60,
        |n| (login("p3@example.org", ABROAD), stranger(n), spam(n)),
        2,
    );
    let thief = world
        .ledger
        .find(&"sasl:p3@example.org".parse::<SenderId>().unwrap())
        .unwrap();
    let said = world.policies.explain(&world.ledger, thief, world.now);
    assert_eq!(said.judgement.verdict, Verdict::Hold);
    assert!(!said.judgement.reasons.is_empty());
    assert!(said.judgement.figures.rejected >= 2);
    let honest = world
        .ledger
        .find(&"sasl:p4@example.org".parse::<SenderId>().unwrap())
        .unwrap();
    let said = world.policies.explain(&world.ledger, honest, world.now);
    assert_eq!(said.judgement.verdict, Verdict::Clear);
    assert!(!said.would_change.is_empty());
    let distances = said.distance.join("; ");
    assert!(!distances.contains("(-0 of"), "{distances}");
}

#[test]
fn the_points_of_a_score_add_up_to_it() {
    let mut world = World::new();
    world.policies =
        Policies::parse(&[SHIPPED[1]].map(|(name, text)| (name.to_owned(), text.to_owned())))
            .unwrap();
    world.leak(
        90,
        |n| (login("p3@example.org", ABROAD), stranger(n), spam(n)),
        2,
    );
    let thief = world.ledger.find(&"sasl:p3@example.org".parse().unwrap());
    let found = world
        .policies
        .assess(&world.ledger, thief.unwrap(), world.now)
        .unwrap();
    let said = world
        .policies
        .explain(&world.ledger, thief.unwrap(), world.now);
    let points: f64 = said
        .judgement
        .reasons
        .iter()
        .filter_map(|reason| {
            let (_, points) = reason.text.strip_suffix(']')?.rsplit_once('[')?;
            points.parse::<f64>().ok()
        })
        .sum();
    assert!((points - found.score).abs() < 0.5, "{points} {said:#?}");
    let change = said.would_change.join("; ");
    assert!(change.contains("without the new network"), "{said:#?}");
}

#[test]
fn what_is_said_to_convict_an_innocent_does_and_one_less_does_not() {
    let mut world = World::new();
    let near = |world: &mut World| {
        for n in 0..4 {
            world.mail(&login("p5@example.org", HOME), &stranger(n), Sent);
        }
        world.mail(
            &login("p5@example.org", HOME),
            "gone@s1.example",
            No(C::UserUnknown),
        );
    };
    near(&mut world);
    let sender = world
        .ledger
        .find(&"sasl:p5@example.org".parse().unwrap())
        .unwrap();
    let said = world.policies.explain(&world.ledger, sender, world.now);
    assert_eq!(said.judgement.verdict, Verdict::Clear);
    let told = said
        .would_change
        .iter()
        .find(|clause| clause.contains("refused for the content"))
        .unwrap();
    let number: u32 = told.split(' ').next().unwrap().parse().unwrap();
    let mut verdict = Verdict::Clear;
    for n in 0..number {
        assert!(verdict < Verdict::Hold, "already after {n} of {told}");
        verdict = world.mail(
            &login("p5@example.org", HOME),
            &format!("more{n}@s2.example"),
            No(C::SpamContent),
        );
    }
    assert_eq!(verdict, Verdict::Hold, "{told}");
}

#[test]
fn the_shipped_policies_are_free_of_mistakes_and_pass_their_specimens() {
    let files: Vec<(String, String)> = SHIPPED
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let policies = Policies::parse(&files).unwrap();
    assert!(policies.iter().count() > 0);
    assert_eq!(policies.run_cases(), []);
    for policy in policies.iter() {
        assert!(
            policy.cases.iter().any(|case| case.fires),
            "{}",
            policy.name
        );
        assert!(
            policy.cases.iter().any(|case| !case.fires),
            "{}",
            policy.name
        );
    }
}

#[test]
fn mistakes_of_all_files_are_reported_with_their_places() {
    let files = [
        ("a.toml".to_owned(), "[[policy]]\nname = \"x\"\nverdict = \"hld\"\nmeasure = \"refusals\"\nrefused_at_least = 1\nrefused_share = \"1%\"\n".to_owned()),
        ("b.toml".to_owned(), "[[polcy]]\n".to_owned()),
    ];
    let problems = Policies::parse(&files).unwrap_err();
    let found: Vec<(&str, &str)> = problems
        .iter()
        .map(|(file, problem)| (file.as_str(), problem.message.as_str()))
        .collect();
    assert!(
        found.contains(&("a.toml", "`policy.verdict` cannot be `hld`")),
        "{found:?}"
    );
    assert!(
        found.contains(&("b.toml", "unknown key `polcy`")),
        "{found:?}"
    );
}
