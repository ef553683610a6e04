//! An attacker who knows the program: whom he cannot convict, what he cannot hide behind, what he cannot teach.

use super::*;

/// Thirty people at home, three quiet weeks.
fn settled() -> World {
    let mut world = World::new(Mode::Enforce);
    for _day in 0..21 {
        for _round in 0..3 {
            for person in 0..30 {
                world.mail(&who(person), HOME, SENT);
            }
            world.clock += 3 * 3600;
        }
        world.clock = (world.clock / 86_400 + 1) * 86_400 + 8 * 3600;
    }
    assert_eq!(world.verdicts(), [], "quiet weeks");
    world
}

const HOME: &str = "192.0.2.7";
const ABROAD: &str = "203.0.113.9";

fn who(person: u64) -> String {
    format!("p{person}@example.org")
}

impl World {
    /// Attacks until held; how many remote sides accepted before. `None`: not held.
    fn leak(&mut self, login: &str, client: &str, most: usize) -> Option<usize> {
        let mut accepted = 0;
        let id = format!("sasl:{login}");
        for n in 0..most {
            let says = PHISHING[n % 4];
            self.mail(login, client, says);
            accepted += usize::from(says == SENT);
            if self.convicted().contains(&id) {
                return Some(accepted);
            }
        }
        None
    }

    fn convicted(&mut self) -> Vec<String> {
        self.verdicts()
            .iter()
            .filter(|change| change.verdict >= Verdict::Hold)
            .map(|change| change.sender_id.to_string())
            .collect()
    }

    /// A message without a login that claims to be of `sender`.
    fn forge(&mut self, sender: &str, client: &str, says: &str) {
        self.clock += 1;
        self.serial += 1;
        let n = self.serial;
        let id = format!("{:010X}", 0xC0_0000_0000_u64 + n);
        self.line("smtpd", &format!("{id}: client=c[{client}]"));
        self.line(
            "qmgr",
            &format!("{id}: from=<{sender}>, size=900, nrcpt=1 (queue active)"),
        );
        self.line(
            "smtp",
            &format!("{id}: to=<f{n}@d1.example>, relay=mx.d1.example[198.51.100.1]:25, delay=1, delays=0/0/0/1, {says}"),
        );
        self.line("qmgr", &format!("{id}: removed"));
    }
}

#[test]
fn forged_mail_convicts_its_client_and_never_whom_it_names() {
    let mut world = settled();
    for n in 0..80 {
        let victim = who(n % 30);
        world.forge(
            &victim,
            "198.51.100.77",
            [REFUSED, SPAM][usize::from(n % 2 == 0)],
        );
    }
    let convicted = world.convicted();
    assert!(
        convicted.contains(&"ip:198.51.100.77".to_owned()),
        "{convicted:?}"
    );
    let named = |id: &&String| id.starts_with("sasl:") || id.starts_with("from:p");
    assert_eq!(convicted.iter().find(named), None, "{convicted:?}");
}

#[test]
fn who_shares_a_thiefs_address_is_not_convicted_with_him() {
    let mut world = settled();
    for thief in 0..4 {
        assert!(
            world.leak(&who(thief), ABROAD, 60).is_some(),
            "thief {thief}"
        );
    }
    // A guest in the same hotel, and one slip of the pen.
    for n in 0..15 {
        world.mail(&who(20), ABROAD, if n == 7 { REFUSED } else { SENT });
    }
    assert_eq!(world.convicted(), Vec::<String>::new());
}

#[test]
fn one_loud_sender_makes_no_weather_that_hides_him() {
    let mut world = settled();
    for person in 0..30 {
        world.mail(&who(person), HOME, SENT);
    }
    assert!(world.leak(&who(3), HOME, 60).is_some_and(|leak| leak <= 8));
}

#[test]
fn forty_accounts_from_new_networks_make_no_weather_that_hides_them() {
    let mut world = settled();
    let mut convicted = Vec::new();
    for round in 0..16usize {
        for (person, turn) in (0..30).zip(round..) {
            world.mail(&who(person), ABROAD, PHISHING[turn % 4]);
        }
        convicted.extend(world.convicted());
    }
    convicted.sort();
    convicted.dedup();
    assert!(convicted.len() >= 28, "{} of 30", convicted.len());
}

#[test]
fn a_provider_of_ones_own_that_refuses_everybody_hides_nothing_elsewhere() {
    let mut world = settled();
    let own = "dsn=4.7.1, status=deferred (host mx.evil.example[198.51.100.66] said: 451 4.7.1 too many messages from this sender (in reply to end of DATA command))";
    for round in 0..12 {
        for accomplice in 20..26 {
            world.clock += 1;
            let n = 1000 + round * 100 + accomplice;
            world.submit(&who(accomplice), HOME, n);
            let id = format!("{:010X}", 0xB0_0000_0000_u64 + n);
            world.line(
                "smtp",
                &format!("{id}: to=<x{n}@evil.example>, relay=mx.evil.example[198.51.100.66]:25, delay=9, delays=0/0/0/9, {own}"),
            );
        }
    }
    world.verdicts();
    assert!(world.leak(&who(3), HOME, 60).is_some_and(|leak| leak <= 8));
}

#[test]
fn an_evening_of_clean_mail_teaches_nothing_that_helps_the_night() {
    let mut cold = settled();
    let without = cold.leak(&who(3), ABROAD, 80).unwrap();
    let mut warm = settled();
    for _ in 0..48 {
        warm.mail(&who(3), ABROAD, SENT);
        warm.clock += 299;
    }
    warm.verdicts();
    let with = warm.leak(&who(3), ABROAD, 80).unwrap();
    assert!(
        with <= without + 10,
        "{without} without, {with} with a warm-up"
    );
}

#[test]
fn weather_begins_and_ends_once_even_when_nobody_writes_any_more() {
    let mut world = settled();
    let throttled = "dsn=4.7.0, status=deferred (host mx.d1.example[198.51.100.1] said: 421 4.7.0 too many messages from this sender, try later (in reply to end of DATA command))";
    for n in 0..40 {
        world.clock += 5;
        world.submit(&who(n % 20), HOME, 5000 + n);
        world.answer(5000 + n, throttled);
    }
    let mut storms = Vec::new();
    let mut drain = |world: &mut World| {
        while let Some(effect) = world.engine.next_effect() {
            match effect {
                Effect::Weather { name, began, .. } => storms.push((name, began)),
                Effect::Verdict(change) => assert!(change.verdict < Verdict::Slow, "{change:?}"),
                _ => {}
            }
        }
    };
    drain(&mut world);
    for _ in 0..20 {
        let Some(next) = world.engine.deadline() else {
            break;
        };
        world.engine.feed(next, Input::Tick);
        drain(&mut world);
    }
    let of = |name: &str| -> Vec<bool> {
        let found = storms.iter().filter(|(of, _)| of == name);
        found.map(|(_, began)| *began).collect()
    };
    assert_eq!(of("d1.example.rate"), [true, false], "{storms:?}");
}
