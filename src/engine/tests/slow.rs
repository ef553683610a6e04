//! The slow step: who is limited, by what, and until when.

use super::*;

const THIEF: &str = "thief@example.org";
const AWAY: &str = "203.0.113.9";

/// Two refusals for the content within the hour.
fn rule(mode: &str) -> Policies {
    let text = format!(
        "[[policy]]\nname = \"two-refused\"\nmeasure = \"refusals\"\nverdict = \"slow\"\nmode = \"{mode}\"\nwithin = \"1h\"\n\
         count = [\"content\"]\nrefused_at_least = 2\nrefused_share = \"5%\"\n"
    );
    Policies::parse(&[("rule.toml".to_owned(), text)]).unwrap()
}

/// A world with that rule, and two refusals in it.
fn refused_twice(mode: Mode, policy: &str) -> World {
    let mut world = World::new(mode);
    let classifier = Classifier::shipped().unwrap();
    world
        .engine
        .reconfigure(mode, rule(policy), classifier, Brake::default());
    for verdict in [SENT, SENT, SPAM, SPAM] {
        world.mail(THIEF, AWAY, verdict);
    }
    world
}

fn put_off(world: &mut World, reason: &str) {
    world.serial += 1;
    let id = format!("{:010X}", 0xA0_0000_0000_u64 + world.serial);
    world.line(
        "submission/smtpd",
        &format!("{id}: client=c[{AWAY}], sasl_method=PLAIN, sasl_username={THIEF}"),
    );
    world.line(
        "submission/smtpd",
        &format!("{id}: reject: DATA from c[{AWAY}]: 450 4.7.1 <DATA>: Data command rejected: {reason}; from=<{THIEF}> proto=ESMTP helo=<x>"),
    );
}

fn limited(world: &World) -> bool {
    let view = world.engine.view();
    view.slowed(THIEF, THIEF, AWAY.parse().ok()).is_some()
}

#[test]
fn only_a_policy_that_may_act_limits_anybody_and_only_in_enforce_mode() {
    for (mode, policy, wanted) in [
        (Mode::Enforce, "enforce", true),
        (Mode::Enforce, "observe", false),
        (Mode::Observe, "enforce", false),
    ] {
        let mut world = refused_twice(mode, policy);
        assert_eq!(world.verdicts().last().unwrap().verdict, Verdict::Slow);
        assert_eq!(limited(&world), wanted, "{mode:?} {policy}");
    }
}

#[test]
fn a_change_to_observe_mode_lifts_every_limit_and_back_again_sets_it() {
    let mut world = refused_twice(Mode::Enforce, "enforce");
    world.verdicts();
    for (mode, wanted) in [(Mode::Observe, false), (Mode::Enforce, true)] {
        let classifier = Classifier::shipped().unwrap();
        world
            .engine
            .reconfigure(mode, rule("enforce"), classifier, Brake::default());
        world.mail(THIEF, AWAY, SENT);
        assert_eq!(limited(&world), wanted, "{mode:?}");
    }
    assert_eq!(world.verdicts(), [], "the verdict is the same all the time");
}

#[test]
fn what_is_put_off_counts_for_itself_and_only_in_our_words() {
    let mut world = refused_twice(Mode::Enforce, "enforce");
    put_off(&mut world, "slowed: much mail; try again in 5 min");
    put_off(&mut world, "Access denied");
    put_off(&mut world, "<slowed: > no");
    let slow = world.engine.docket().slow_of(&thief()).unwrap();
    assert_eq!(slow.put_off, 1);
    let sender = world.engine.ledger().find(&thief()).unwrap();
    let entry = world.engine.ledger().sender(sender).unwrap();
    let hour = [entry.novel.hour, entry.familiar.hour];
    let sum = |pick: fn(&ledger::counters::Counts) -> f64| hour.iter().map(pick).sum::<f64>();
    assert!((sum(|hour| hour.put_off) - 1.0).abs() < 0.1);
    assert!(sum(|hour| hour.refused.sum()) <= 2.0 && sum(|hour| hour.taken) <= 4.0);
}

#[test]
fn a_hold_takes_the_place_of_the_limit_and_a_release_ends_both() {
    let mut world = refused_twice(Mode::Enforce, "enforce");
    put_off(&mut world, "slowed: much mail; try again in 5 min");
    world.order(OrderVerb::Hold(thief()));
    assert!(!limited(&world));
    assert_eq!(world.engine.incident(1).unwrap().put_off, 1);
    world.order(OrderVerb::Release {
        incident: 1,
        false_positive: true,
    });
    world.mail(THIEF, AWAY, SENT);
    assert!(!limited(&world));
}

#[test]
fn a_limit_ends_by_itself_when_the_evidence_has_faded() {
    let mut world = refused_twice(Mode::Enforce, "enforce");
    assert!(limited(&world));
    for _ in 0..4 {
        let due = world.engine.deadline().unwrap_or_default();
        world.engine.feed(due, Input::Tick);
    }
    assert!(!limited(&world));
    assert_eq!(world.verdicts().last().unwrap().verdict, Verdict::Clear);
}
