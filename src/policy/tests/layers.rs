//! What is laid over the policies: who is meant, which layer counts, exemptions and their end, mistakes in the files.

use super::*;

fn site(text: &str) -> Policies {
    Policies::over_shipped(&[("site.toml".to_owned(), text.to_owned())])
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The messages and hints of a file that is wrong, each with what it points at.
fn wrong(text: &str) -> Vec<(String, String, String)> {
    Policies::over_shipped(&[("site.toml".to_owned(), text.to_owned())])
        .unwrap_err()
        .into_iter()
        .map(|(_, problem)| {
            let meant = text
                .get(problem.span)
                .unwrap()
                .lines()
                .next()
                .unwrap_or_default();
            (
                meant.to_owned(),
                problem.message,
                problem.hint.unwrap_or_default(),
            )
        })
        .collect()
}

const EVERY_HOLD: &str = "policy = [\"refusals-sudden\", \"refusals-hour\", \"refusals-list\", \"refusals-day\", \"score-hold\"]\n";

fn burst(world: &mut World, name: &str) -> Verdict {
    let mut worst = Verdict::Clear;
    for n in 0..60 {
        worst = worst.max(world.mail(&login(name, HOME), &stranger(n), spam(n)));
    }
    worst
}

fn explained(world: &World, who: &str) -> Explanation {
    let sender = world
        .ledger
        .find(&who.parse::<SenderId>().unwrap())
        .unwrap();
    world.policies.explain(&world.ledger, sender, world.now)
}

/// Layer and place of a limit.
fn limit(said: &Explanation, policy: &str, key: &str) -> (String, &'static str, String) {
    let found = said
        .limits
        .iter()
        .find(|limit| limit.policy == policy && limit.key == key)
        .unwrap();
    (found.value.clone(), found.layer, found.place.clone())
}

#[test]
fn an_override_for_one_sender_changes_the_verdict_for_that_sender_only() {
    let mut world = World::new();
    world.policies = site(&format!(
        "[[override]]\nsender = \"sasl:P3@example.org\"\n{EVERY_HOLD}enabled = false\n"
    ));
    assert!(burst(&mut world, "p3@example.org") < Verdict::Hold);
    assert_eq!(burst(&mut world, "p4@example.org"), Verdict::Hold);
}

#[test]
fn the_narrowest_layer_counts_and_explain_names_its_line() {
    let mut world = World::new();
    world.policies = site(
        "[[override]]\npolicy = \"refusals-day\"\nrefused_at_least = 50\nrefused_share = \"30%\"\n\
         [[override]]\nsender = \"sasl:p3@example.org\"\npolicy = \"refusals-day\"\nrefused_at_least = 70\n\
         [[override]]\nclass = \"person\"\npolicy = \"refusals-day\"\nrefused_at_least = 60\n\
         [[sender]]\nsender = [\"sasl:p3@example.org\", \"sasl:p4@example.org\"]\nclass = \"person\"\n",
    );
    let said = explained(&world, "sasl:p3@example.org");
    let at_least = limit(&said, "refusals-day", "refused_at_least");
    assert_eq!(
        at_least,
        ("70".to_owned(), "sender", "site.toml:8".to_owned())
    );
    let share = limit(&said, "refusals-day", "refused_share");
    assert_eq!(
        share,
        ("\"30%\"".to_owned(), "site", "site.toml:4".to_owned())
    );
    let (value, layer, place) = limit(&said, "refusals-hour", "refused_at_least");
    assert_eq!((value.as_str(), layer), ("10", "shipped"));
    assert!(place.starts_with("refusals.toml:"), "{place}");
    let said = explained(&world, "sasl:p4@example.org");
    let at_least = limit(&said, "refusals-day", "refused_at_least");
    assert_eq!(
        at_least,
        ("60".to_owned(), "class", "site.toml:12".to_owned())
    );
}

#[test]
fn a_person_says_what_class_a_sender_is() {
    let mut world = World::new();
    world.policies = site(&format!(
        "[[sender]]\nsender = \"sasl:p3@example.org\"\nclass = \"bulk\"\n\
         [[override]]\nclass = \"bulk\"\n{EVERY_HOLD}mode = \"observe\"\n"
    ));
    assert!(burst(&mut world, "p3@example.org") < Verdict::Hold);
    let said = explained(&world, "sasl:p3@example.org");
    assert_eq!(said.class, "bulk, set in site.toml:1");
    assert_eq!(said.judgement.verdict, Verdict::Hold);
    assert_eq!(said.judgement.mode, Mode::Observe);
    assert_eq!(burst(&mut world, "p4@example.org"), Verdict::Hold);
}

/// Twelve days after 2026-03-02.
const EXEMPT: &str = "[[exempt]]\nsender = \"sasl:p3@example.org\"\nuntil = 2026-03-14\nby = \"anna\"\nreason = \"moves to a new server\"\n";

#[test]
fn an_exempt_sender_is_judged_and_observed_and_nobody_pays_for_it() {
    let mut world = World::new();
    world.policies = site(EXEMPT);
    let sender = world.ledger.find(&"sasl:p3@example.org".parse().unwrap());
    for n in 0..60 {
        world.mail(&login("p3@example.org", ABROAD), &stranger(n), spam(n));
    }
    assert!(world.worst.is_empty(), "{:?}", world.worst);
    let ruling = world
        .policies
        .judge(&mut world.ledger, sender.unwrap(), world.now);
    assert_eq!(ruling.observed, Verdict::Hold);
    assert!(ruling.exempt && !ruling.convicts());
    let said = explained(&world, "sasl:p3@example.org");
    assert_eq!(said.judgement.mode, Mode::Observe);
    let last = &said.judgement.reasons.last().unwrap().text;
    assert_eq!(
        last,
        "exempt until 2026-03-14 by anna (moves to a new server; site.toml:1): observed, not touched"
    );
    assert_eq!(burst(&mut world, "p4@example.org"), Verdict::Hold);
}

#[test]
fn an_exemption_ends_with_its_last_day() {
    let mut world = World::new();
    world.policies = site(EXEMPT);
    let ends = Timestamp::parse_rfc3339(b"2026-03-15T00:00:00Z").unwrap();
    assert!(world.now < ends);
    assert_eq!(world.policies.expired(world.now).count(), 0);
    assert_eq!(
        world
            .policies
            .expired(ends - Duration::from_secs(1))
            .count(),
        0
    );
    assert_eq!(world.policies.expired(ends).count(), 1);
    world.now = ends;
    assert_eq!(burst(&mut world, "p3@example.org"), Verdict::Hold);
}

#[test]
fn an_exemption_from_one_policy_leaves_the_others_in_force() {
    let mut world = World::new();
    world.policies = site(&format!("{EXEMPT}policy = \"score-hold\"\n"));
    assert_eq!(burst(&mut world, "p3@example.org"), Verdict::Hold);
}

#[test]
fn a_sites_policy_takes_the_place_of_the_shipped_one_of_its_name() {
    let text = "[[policy]]\nname = \"refusals-day\"\nmeasure = \"refusals\"\nverdict = \"watch\"\nrefused_at_least = 9\nrefused_share = \"9%\"\n";
    let policies = site(text);
    let shipped = Policies::shipped();
    assert_eq!(policies.iter().count(), shipped.iter().count());
    let mine = policies.iter().find(|p| p.name == "refusals-day").unwrap();
    assert_eq!(mine.rule.verdict, Verdict::Watch);
    assert_eq!(mine.place.to_string(), "site.toml:1");
    let alone = Policies::parse_alone(&[("site.toml".to_owned(), text.to_owned())]).unwrap();
    assert_eq!(alone.iter().count(), 1);
}

#[test]
fn a_directory_of_overrides_alone_is_tried_over_the_shipped_policies() {
    let text = "[[override]]\npolicy = \"score-hold\"\nenabled = false\n";
    let tried = Policies::parse_alone(&[("try.toml".to_owned(), text.to_owned())]).unwrap();
    assert_eq!(tried.iter().count(), Policies::shipped().iter().count());
}

#[test]
fn mistakes_in_overrides_and_exemptions_are_shown_where_they_stand() {
    let told = wrong(
        "[[override]]\npolicy = \"refusals-huor\"\nrefused_at_least = 1\n\
         [[override]]\npolicy = \"score-hold\"\nrefused_at_least = 1\n\
         [[override]]\npolicy = \"score-hold\"\nclass = \"bulky\"\nscore_at_least = 9\n\
         [[override]]\npolicy = \"score-hold\"\nscore_atleast = 9\n\
         [[override]]\npolicy = \"score-hold\"\nsender = \"news@example.org\"\nscore_at_least = -1\n\
         [[override]]\nenabled = false\n\
         [[exempt]]\nsender = \"sasl:a\"\nuntil = \"soon\"\nby = \"\"\n",
    );
    let has = |meant: &str, message: &str, hint: &str| {
        assert!(
            told.iter()
                .any(|(a, b, c)| a == meant && b == message && c.contains(hint)),
            "{meant} | {message} | {hint} missing in {told:#?}"
        );
    };
    has(
        "\"refusals-huor\"",
        "there is no policy `refusals-huor`",
        "did you mean `refusals-hour`?",
    );
    has(
        "refused_at_least",
        "policy `score-hold` has no `refused_at_least`",
        "score_at_least",
    );
    has(
        "\"bulky\"",
        "`override.class` cannot be `bulky`",
        "did you mean `bulk`?",
    );
    has(
        "score_atleast",
        "unknown key `score_atleast` in [override]",
        "did you mean `score_at_least`?",
    );
    has(
        "\"news@example.org\"",
        "`news@example.org` is no sender",
        "sasl:LOGIN",
    );
    has("-1", "`score_at_least` must be 0 or more", "");
    has(
        "[[override]]",
        "`policy` is missing: which one is to be otherwise?",
        "refusals-sudden",
    );
    has("\"soon\"", "`exempt.until` is not a date", "2026-12-31");
    has("[[exempt]]", "`by` is missing", "who answers for it");
    has("[[exempt]]", "`reason` is missing", "why");
    assert_eq!(told.len(), 11, "{told:#?}");
}

#[test]
fn the_cases_that_an_override_takes_from_a_policy_are_told() {
    let told =
        site("[[override]]\npolicy = \"refusals-hour\"\nrefused_at_least = 500\n").run_cases();
    assert!(!told.is_empty());
    for failure in &told {
        assert!(failure.overridden && failure.fires && failure.policy == "refusals-hour");
    }
    // What is so for another class only takes nothing from a case about a person.
    let bulk =
        "[[override]]\nclass = \"bulk\"\npolicy = \"refusals-hour\"\nrefused_at_least = 500\n";
    assert_eq!(site(bulk).run_cases(), []);
    let case = "[[override.case]]\nname = \"spam\"\nfires = true\nusual = [\"400 sent\"]\nnow = [\"20 sent\", \"40 spam_content\"]\n";
    let told = site(&format!("{bulk}{case}")).run_cases();
    assert_eq!(told.len(), 1);
    assert_eq!(
        told[0].to_string(),
        "site.toml:1: refusals-hour does not fire on: spam"
    );
}
