//! One rule: its conditions, and how it is read from a file.
//!
//! | key | condition |
//! |---|---|
//! | `name`, `class` | required: what the rule is called within its file, and what it says |
//! | `any`, `all`, `none` | phrases: one of them, all of them, none of them |
//! | `regex` | on the lower-cased text; the rule needs `any` or `all` besides, so that one pass finds the candidates |
//! | `last_line` | `true`: the phrases are looked for in the last line of the reply only |
//! | `dsn`, `code` | enhanced codes (`5.1.1`, `x.2.2`, `5.7.606-649`), reply codes (`550`, `4xx`) |
//! | `stage` | `greeting`, `AUTH`, `MAIL FROM`, `RCPT TO`, `DATA`, `end of DATA` |
//! | `relay` | host name of the relay, or `.example.com` for all hosts below |
//! | `from` | `local`: only reasons that no remote side gave |
//! | `examples`, `not` | texts that this rule must, and must not, decide |
//!
//! All conditions of a rule must hold; a list is satisfied by one of its members (`all` and `none` apart).

use regex::{Regex, RegexBuilder};

use super::{
    BounceClass,
    book::{Hits, PhraseId, Phrases},
    pattern::{CodePattern, StatusPattern},
    phrase::Phrase,
};
use crate::{
    mail::{reply::Stage, status_code::StatusCode},
    settings::{Document, Located, Problem, Section, did_you_mean},
};

/// One compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Box<str>,
    pub(super) class: BounceClass,
    pub(super) any: Box<[PhraseId]>,
    pub(super) all: Box<[PhraseId]>,
    none: Box<[PhraseId]>,
    regex: Option<Regex>,
    last_line: bool,
    dsn: Box<[StatusPattern]>,
    codes: Box<[CodePattern]>,
    stages: Box<[Stage]>,
    relays: Box<[Box<str>]>,
    local: bool,
    pub(super) specimens: Box<[Specimen]>,
}

/// A text that stands beside a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Specimen {
    pub(super) text: Box<str>,
    /// Whether the rule must decide it, or must not.
    pub(super) must: bool,
}

/// What a rule is asked about.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) text: &'a str,
    pub(super) last_line: &'a str,
    pub(super) code: Option<u16>,
    pub(super) status: Option<StatusCode>,
    pub(super) stage: Option<Stage>,
    pub(super) relay: Option<&'a str>,
    pub(super) local: bool,
}

impl Rule {
    /// Whether all conditions hold for a text that has one of the `any` phrases, if there are any. `phrase` gives the phrases by number, for rules about the last line.
    pub(super) fn holds<'p>(
        &self,
        facts: &Facts<'_>,
        hits: &Hits,
        phrase: impl Fn(PhraseId) -> Option<&'p Phrase>,
    ) -> bool {
        let here = |id: &PhraseId| {
            hits.has(*id)
                && (!self.last_line || phrase(*id).is_some_and(|p| p.is_in(facts.last_line)))
        };
        // A rule with `any` is asked only because one of these phrases is in the text.
        (!self.local || facts.local)
            && self.numbers_hold(facts)
            && (self.any.is_empty() || !self.last_line || self.any.iter().any(here))
            && self.all.iter().all(here)
            && !self.none.iter().any(|id| hits.has(*id))
            && (self.relays.is_empty() || facts.relay.is_some_and(|host| self.is_relay(host)))
            && self.regex.as_ref().is_none_or(|regex| {
                regex.is_match(if self.last_line {
                    facts.last_line
                } else {
                    facts.text
                })
            })
    }

    fn numbers_hold(&self, facts: &Facts<'_>) -> bool {
        let status = |pattern: &StatusPattern| facts.status.is_some_and(|s| pattern.holds(s));
        (self.dsn.is_empty() || self.dsn.iter().any(status))
            && (self.codes.is_empty()
                || self.codes.iter().any(|p| p.holds(facts.code, facts.status)))
            && (self.stages.is_empty()
                || facts
                    .stage
                    .is_some_and(|stage| self.stages.contains(&stage)))
    }

    fn is_relay(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        self.relays.iter().any(|relay| {
            host == **relay || (relay.starts_with('.') && host.ends_with(relay.as_ref()))
        })
    }

    /// Whether no phrase is asked for, so that no hit leads to the rule.
    pub(super) fn is_without_phrases(&self) -> bool {
        self.any.is_empty() && self.all.is_empty()
    }

    /// The phrases of `any` and `all` that were found.
    pub(super) fn matched<'r>(&'r self, hits: &'r Hits) -> impl Iterator<Item = PhraseId> + 'r {
        let wanted = self.any.iter().chain(&self.all);
        wanted.copied().filter(|id| hits.has(*id))
    }

    /// The conditions besides phrases, as words for "why".
    pub(super) fn other_conditions(&self) -> Vec<&'static str> {
        [
            (!self.dsn.is_empty(), "dsn"),
            (!self.codes.is_empty(), "code"),
            (!self.stages.is_empty(), "stage"),
            (!self.relays.is_empty(), "relay"),
            (self.regex.is_some(), "regex"),
            (self.local, "local"),
            (self.last_line, "last line"),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect()
    }
}

/// Reads the rules of one file. Reading goes on after a mistake.
pub(super) fn read(
    file: &str,
    text: &str,
    phrases: &mut Phrases,
    rules: &mut Vec<Rule>,
) -> Vec<Problem> {
    let document = Document::parse(text);
    let root = document.root();
    let mut names: Vec<String> = Vec::new();
    for section in root.sections("rule") {
        if let Some(rule) = read_rule(file, &section, &mut names, phrases) {
            rules.push(rule);
        }
        section.finish();
    }
    root.finish();
    document.problems()
}

fn read_rule(
    file: &str,
    section: &Section<'_>,
    names: &mut Vec<String>,
    phrases: &mut Phrases,
) -> Option<Rule> {
    // Every key is read before the first mistake ends the rule, so that all mistakes are reported.
    let name = required(section, "name", section.string("name"));
    let class = read_class(section);
    let mut rule = Rule {
        name: Box::default(),
        class: class.unwrap_or(BounceClass::Unclear),
        any: read_phrases(section, "any", phrases),
        all: read_phrases(section, "all", phrases),
        none: read_phrases(section, "none", phrases),
        regex: read_regex(section),
        last_line: section.boolean("last_line").is_some_and(|flag| flag.value),
        dsn: patterns(section, "dsn", StatusPattern::read),
        codes: patterns(section, "code", CodePattern::read),
        stages: patterns(section, "stage", |word| {
            Stage::ALL.into_iter().find(|stage| stage.as_str() == word)
        }),
        relays: patterns(section, "relay", |host| {
            (!host.is_empty()).then(|| host.to_ascii_lowercase().into_boxed_str())
        }),
        local: section.choice("from", &[("local", ())]).is_some(),
        specimens: read_specimens(section),
    };
    rule.name = rule_name(file, section, name?, names)?;
    class?;
    check_whole(section, &rule);
    Some(rule)
}

/// What can only be said of all keys together.
fn check_whole(section: &Section<'_>, rule: &Rule) {
    if rule.regex.is_some() && rule.is_without_phrases() {
        let hint = "add a phrase that every such text contains to `any` or `all`";
        section.report(
            section.span(),
            "a rule with `regex` needs a phrase as well",
            Some(hint.to_owned()),
        );
    }
    let numbers = rule.dsn.len() + rule.codes.len() + rule.stages.len() + rule.relays.len();
    if rule.is_without_phrases() && numbers == 0 && rule.regex.is_none() {
        section.report(
            section.span(),
            "a rule without a condition decides every text",
            Some("give it `any`, `all`, `dsn`, `code`, `stage` or `relay`".to_owned()),
        );
    }
    if !rule.specimens.iter().any(|specimen| specimen.must) {
        section.report(
            section.span(),
            "a rule needs `examples`",
            Some("add a reply that the rule must decide; `check` runs it".to_owned()),
        );
    }
}

/// `file/name`, the number that orders the files left out.
fn rule_name(
    file: &str,
    section: &Section<'_>,
    name: Located<String>,
    names: &mut Vec<String>,
) -> Option<Box<str>> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.value.is_empty() || !name.value.chars().all(is_plain) {
        section.report(
            name.span,
            "a rule's name is made of letters, digits, - _ .",
            None,
        );
        return None;
    }
    if names.contains(&name.value) {
        section.report(name.span, format!("a second rule `{}`", name.value), None);
        return None;
    }
    let stem = file.strip_suffix(".toml").unwrap_or(file);
    let stem = stem.rsplit('/').next().unwrap_or(stem);
    let stem = stem.trim_start_matches(|c: char| c.is_ascii_digit());
    let full = format!("{}/{}", stem.trim_start_matches('-'), name.value);
    names.push(name.value);
    Some(full.into())
}

fn read_class(section: &Section<'_>) -> Option<BounceClass> {
    let name = required(section, "class", section.string("class"))?;
    let class = name.value.parse().ok();
    if class.is_none() {
        let all: Vec<&str> = BounceClass::ALL
            .iter()
            .map(|class| class.as_str())
            .collect();
        let hint = did_you_mean(&name.value, &all)
            .unwrap_or_else(|| format!("one of: {}", all.join(", ")));
        section.report(
            name.span,
            format!("`{}` is no bounce class", name.value),
            Some(hint),
        );
    }
    class
}

fn required<T>(section: &Section<'_>, key: &str, value: Option<T>) -> Option<T> {
    if value.is_none() {
        section.report(section.span(), format!("a rule needs `{key}`"), None);
    }
    value
}

fn read_phrases(
    section: &Section<'_>,
    key: &'static str,
    phrases: &mut Phrases,
) -> Box<[PhraseId]> {
    let mut ids = Vec::new();
    for text in section.strings(key).unwrap_or_default() {
        match Phrase::read(&text.value) {
            Ok(phrase) => match phrases.add(phrase) {
                Some(id) => ids.push(id),
                None => section.report(text.span, "too many phrases in all files", None),
            },
            Err(bad) => section.report(text.span, bad.to_string(), None),
        }
    }
    ids.into()
}

fn patterns<T>(
    section: &Section<'_>,
    key: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Box<[T]> {
    let mut found = Vec::new();
    for text in section.strings(key).unwrap_or_default() {
        match read(&text.value) {
            Some(pattern) => found.push(pattern),
            None => section.report(
                text.span,
                format!("`{key}` cannot be `{}`", text.value),
                Some(pattern_hint(key).to_owned()),
            ),
        }
    }
    found.into()
}

fn pattern_hint(key: &str) -> &'static str {
    match key {
        "dsn" => "such as \"5.1.1\", \"x.2.2\" (4 or 5), \"5.7.*\", \"5.7.606-649\"",
        "code" => "such as \"550\", \"4xx\", \"5xx\"",
        "stage" => {
            "one of \"greeting\", \"AUTH\", \"MAIL FROM\", \"RCPT TO\", \"DATA\", \"end of DATA\""
        }
        _ => "a host name, or \".example.com\" for all below it",
    }
}

fn read_regex(section: &Section<'_>) -> Option<Regex> {
    let source = section.string("regex")?;
    let built = RegexBuilder::new(&source.value).size_limit(1 << 20).build();
    match built {
        Ok(regex) => Some(regex),
        Err(error) => {
            section.report(
                source.span,
                format!("not a regular expression: {error}"),
                None,
            );
            None
        }
    }
}

fn read_specimens(section: &Section<'_>) -> Box<[Specimen]> {
    let mut all = Vec::new();
    for (key, must) in [("examples", true), ("not", false)] {
        for text in section.strings(key).unwrap_or_default() {
            all.push(Specimen {
                text: text.value.into(),
                must,
            });
        }
    }
    all.into()
}
