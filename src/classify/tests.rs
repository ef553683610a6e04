use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;

fn shipped() -> &'static Classifier {
    static SHIPPED: LazyLock<Classifier> = LazyLock::new(|| match Classifier::shipped() {
        Ok(classifier) => classifier,
        Err(problems) => panic!("{problems:#?}"),
    });
    &SHIPPED
}

fn class(text: &str) -> BounceClass {
    shipped().classify(&Question::of_text("", text)).class
}

/// A rule with these lines, which decides `text`.
fn rule(name: &str, class: &str, condition: &str, text: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nclass = \"{class}\"\n{condition}\nexamples = [\"{text}\"]\n"
    )
}

#[test]
fn every_shipped_rule_decides_its_own_texts() {
    let wrong: Vec<String> = shipped()
        .specimens()
        .iter()
        .map(Mismatch::to_string)
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_no_rule_knows_is_unclear() {
    let answer = shipped().classify(&Question::of_text("", "550 5.7.1 xyzzy"));
    assert_eq!((answer.class, answer.rule), (BounceClass::Unclear, None));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let first = rule("a", "policy", "any = [\"pears\"]", "550 pears");
    let second = rule(
        "b",
        "spam_content",
        "any = [\"apples\", \"pears\"]",
        "550 apples",
    );
    let classifier = Classifier::compile(&[("1.toml", &first), ("2.toml", &second)]).unwrap();
    let class = |text| classifier.classify(&Question::of_text("", text)).class;
    assert_eq!(class("550 apples and pears"), BounceClass::Policy);
    assert_eq!(class("550 apples"), BounceClass::SpamContent);
    assert_eq!(classifier.specimens(), []);
}

#[test]
fn an_operators_rule_comes_before_the_shipped_ones_and_is_no_mismatch() {
    let own = rule(
        "x",
        "policy",
        "any = [\"user unknown\"]",
        "550 user unknown",
    );
    let classifier = Classifier::with_operator_rules(&[("90-own.toml", &own)]).unwrap();
    let why = classifier.why(&Question::of_text("5.1.1", "550 5.1.1 User unknown"));
    assert_eq!((why.answer.class, why.rule), (BounceClass::Policy, "own/x"));
    assert_eq!(why.phrases, ["user unknown"]);
    assert_eq!(classifier.specimens(), []);
}

#[test]
fn a_specimen_that_another_rule_takes_is_a_mismatch() {
    let first = rule("a", "policy", "any = [\"pears\"]", "550 pears");
    let second = rule("b", "virus", "any = [\"apples\"]", "550 pears and apples");
    let classifier = Classifier::compile(&[("1.toml", &first), ("2.toml", &second)]).unwrap();
    let wrong = classifier.specimens();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].rule, "/b");
    assert_eq!(wrong[0].answer, BounceClass::Policy);
}

#[test]
fn the_words_count_before_the_code() {
    assert_eq!(
        class("550 5.1.1 greylisted, come back"),
        BounceClass::Greylist
    );
    assert_eq!(
        class("451 4.7.1 no such user here"),
        BounceClass::UserUnknown
    );
    assert_eq!(class("550 5.1.1 xyzzy"), BounceClass::UserUnknown);
}

#[test]
fn a_phrase_that_markers_split_is_found() {
    assert_eq!(
        class("550-5.7.1 this message is likely 550-5.7.1 unsolicited mail 550 5.7.1 - gsmtp"),
        BounceClass::SpamContent
    );
}

#[test]
fn a_rule_can_ask_for_the_last_line() {
    let text = "550-list of reasons 550 pears";
    let last = rule("a", "virus", "any = [\"pears\"]\nlast_line = true", text);
    let classifier = Classifier::compile(&[("1.toml", &last)]).unwrap();
    let class = |text| classifier.classify(&Question::of_text("", text)).class;
    assert_eq!(class(text), BounceClass::Virus);
    assert_eq!(class("550-pears 550 list of reasons"), BounceClass::Unclear);
    assert_eq!(
        class("550-<a@example.org> 192.0.2.7 550  pears"),
        BounceClass::Virus
    );
}

#[test]
fn of_a_cut_line_the_last_word_is_not_trusted() {
    let question = Question {
        reply: Some("550 5.7.1 refused because of spam"),
        cut: true,
        ..Question::default()
    };
    let whole = Question {
        cut: false,
        ..question
    };
    let classifier = shipped();
    assert_eq!(classifier.classify(&whole).class, BounceClass::SpamContent);
    assert_ne!(
        classifier.classify(&question).class,
        BounceClass::SpamContent
    );
}

#[test]
fn the_stage_is_a_condition_and_may_be_unknown() {
    let greeting = "host mx.example.net[192.0.2.1] refused to talk to me: 554 mx.example.net";
    assert_eq!(class(greeting), BounceClass::IpBlock);
    assert_eq!(class("554 mx.example.net"), BounceClass::Unclear);
}

#[test]
fn an_address_cannot_choose_the_class() {
    assert_eq!(
        class("550 <spam.rejected@example.net>: xyzzy"),
        BounceClass::Unclear
    );
    assert_eq!(
        class("550 5.1.1 <greylist@example.net>: xyzzy"),
        BounceClass::UserUnknown
    );
}

#[test]
fn a_remote_side_cannot_speak_as_the_network() {
    let local = Question::of_text(
        "4.4.1",
        "connect to mx.example.net[192.0.2.1]:25: Connection refused",
    );
    let said = Question {
        reply: Some("550 mail transport unavailable"),
        ..Question::default()
    };
    let classifier = shipped();
    assert_eq!(classifier.classify(&local).class, BounceClass::Network);
    assert_ne!(classifier.classify(&said).class, BounceClass::OurConfig);
}

#[test]
fn a_probe_by_a_relay_is_no_opinion_on_the_sender() {
    let text = "450 4.1.1 <b@example.net>: Recipient address rejected: unverified address: host backend.example.net[192.0.2.8] said: 451 looks like spam";
    assert_eq!(class(text), BounceClass::RemoteTemp);
}

#[test]
fn rules_can_be_for_one_relay() {
    let text = "550 xyzzy";
    let own = rule(
        "a",
        "smarthost_abuse",
        "any = [\"xyzzy\"]\nrelay = [\".example.com\"]",
        text,
    );
    let classifier = Classifier::compile(&[("1.toml", &own)]).unwrap();
    let at = |relay| {
        let question = Question {
            reply: Some(text),
            relay,
            ..Question::default()
        };
        classifier.classify(&question).class
    };
    assert_eq!(at(Some("out.EXAMPLE.com")), BounceClass::SmarthostAbuse);
    assert_eq!(at(Some("example.net")), BounceClass::Unclear);
    assert_eq!(at(None), BounceClass::Unclear);
}

#[test]
fn every_mistake_of_a_rule_file_is_told() {
    let text = "[[rule]]\nname = \"a b\"\nclass = \"spam\"\nany = [\"Spam\"]\ndsn = [\"6.1\"]\nregex = \"(\"\nword = 1\n[[rule]]\nname = \"c\"\nclass = \"policy\"\n";
    let problems = Classifier::compile(&[("x.toml", text)]).unwrap_err();
    let told: Vec<&str> = problems
        .iter()
        .map(|(_, problem)| problem.message.as_str())
        .collect();
    for expected in [
        "a rule's name is made of letters",
        "`spam` is no bounce class",
        "a phrase is written in lower case",
        "`dsn` cannot be `6.1`",
        "not a regular expression",
        "unknown key `word`",
        "a rule without a condition",
        "a rule needs `examples`",
    ] {
        assert!(
            told.iter().any(|message| message.contains(expected)),
            "{expected}: {told:#?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn whatever_is_said_is_answered(
        texts in prop::collection::vec("(host [a-z.]{1,9}\\[192.0.2.1\\] said: )?[245][0-9]{2}[- ]([45]\\.[0-9]\\.[0-9]{1,3} )?\\PC{0,300}", 1..20),
        dsn in "\\PC{0,8}",
    ) {
        let classifier = shipped();
        for text in &texts {
            let question = Question::of_text(&dsn, text);
            let answer = classifier.classify(&question);
            prop_assert_eq!(classifier.why(&question).answer, answer);
            let _cut = classifier.classify(&Question { cut: true, ..question });
        }
    }
}
