//! Policy files: TOML → rules and what is laid over them, with every mistake in its place.
//!
//! Read in two rounds: first every `[[policy]]` of every file, then what names a policy.

mod values;

use std::sync::Arc;

use self::values::{
    SENDER, case, every_key, missing, named, names, required, required_located, senders, value,
    words,
};
use crate::{
    ledger::class::Class,
    policy::{
        Policy,
        layers::{Exemption, Label, Layers, Override, Place, Scope, Setting},
        rule::{COMMON, Key, Measure, Rule},
        verdict::{Mode, Verdict},
    },
    settings::{Document, Problem, Section},
    time::Timestamp,
};

/// One file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// What it says.
    pub(super) text: &'a str,
    /// True for the program's own.
    pub(super) shipped: bool,
}

struct Reader<'a> {
    file: Arc<str>,
    source: Source<'a>,
    document: Document<'a>,
}

/// What is wrong, each with the name of its file.
type Wrong = Vec<(String, Problem)>;

/// Reads files, in this order. A site's policy takes the place of a shipped one of the same name.
pub(super) fn read(sources: &[Source<'_>]) -> Result<(Vec<Policy>, Layers), Wrong> {
    let readers: Vec<Reader<'_>> = sources.iter().copied().map(Reader::new).collect();
    let mut policies: Vec<Policy> = Vec::new();
    for reader in &readers {
        for policy in reader.policies() {
            match policies.iter_mut().find(|known| known.name == policy.name) {
                Some(known) if known.place.shipped && !policy.place.shipped => *known = policy,
                Some(_) => reader.document.report(
                    policy.span,
                    format!("there is another policy `{}`", policy.name),
                    Some("give each policy its own name".to_owned()),
                ),
                None => policies.push(policy),
            }
        }
    }
    let mut layers = Layers::default();
    for reader in &readers {
        reader.lay(&policies, &mut layers);
    }
    let problems: Wrong = readers
        .iter()
        .flat_map(|reader| {
            let name = reader.source.name;
            let problems = reader.document.problems();
            problems.into_iter().map(move |p| (name.to_owned(), p))
        })
        .collect();
    if problems.is_empty() {
        Ok((policies, layers))
    } else {
        Err(problems)
    }
}

/// True when there is any `[[policy]]` in them.
pub(super) fn defines_policies(sources: &[Source<'_>]) -> bool {
    sources.iter().any(|source| {
        let document = Document::parse(source.text);
        document.root().find("policy").is_some()
    })
}

impl<'a> Reader<'a> {
    fn new(source: Source<'a>) -> Self {
        Self {
            file: source.name.into(),
            source,
            document: Document::parse(source.text),
        }
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.source.text.as_bytes().iter().take(offset);
        Place {
            file: Arc::clone(&self.file),
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            shipped: self.source.shipped,
        }
    }

    fn policies(&self) -> Vec<Policy> {
        let root = self.document.root();
        let sections = root.sections("policy");
        sections
            .into_iter()
            .filter_map(|section| self.policy(section))
            .collect()
    }

    fn policy(&self, section: Section<'_>) -> Option<Policy> {
        let span = section.span();
        let place = self.place(span.start);
        let name = required(&section, "name", section.string("name"));
        let measure = required(&section, "measure", section.choice("measure", Measure::ALL));
        let mut rule = Rule {
            enabled: true,
            verdict: Verdict::Clear,
            mode: Mode::Enforce,
            measure: measure.unwrap_or(Measure::Score { at_least: 0.0 }),
        };
        let mut whole = true;
        let mut settings = Vec::new();
        for key in COMMON {
            whole &= self.take(&section, key, &mut settings) || !key.required;
        }
        match measure {
            Some(measure) => {
                for key in measure.keys() {
                    whole &= self.take(&section, key, &mut settings) || !key.required;
                }
            }
            // What its keys are is not known: one mistake is enough.
            None => every_key().for_each(|key| drop(section.find(key.name))),
        }
        for setting in &settings {
            rule.set(setting.key, setting.value);
        }
        let cases = section.sections("case");
        let cases = cases.into_iter().filter_map(case).collect();
        section.finish();
        (whole && measure.is_some()).then_some(())?;
        Some(Policy {
            name: name?,
            rule,
            settings,
            cases,
            place,
            span,
        })
    }

    /// Reads a key, if it is there; a required one that is not, or is wrong, is a mistake. False: nothing was read.
    fn take(&self, section: &Section<'_>, key: &Key, settings: &mut Vec<Setting>) -> bool {
        let found = value(section, key);
        let found = if key.required {
            required_located(section, key.name, found)
        } else {
            found
        };
        let Some(found) = found else { return false };
        settings.push(Setting {
            key: key.name,
            value: found.value,
            place: self.place(found.span.start),
        });
        true
    }

    /// What names a policy.
    fn lay(&self, policies: &[Policy], layers: &mut Layers) {
        let root = self.document.root();
        // Read in the first round.
        drop(root.find("policy"));
        let overrides = root.sections("override").into_iter();
        layers
            .overrides
            .extend(overrides.filter_map(|section| self.override_(section, policies)));
        let exemptions = root.sections("exempt").into_iter();
        layers
            .exemptions
            .extend(exemptions.filter_map(|section| self.exemption(section, policies)));
        let labels = root.sections("sender").into_iter();
        layers
            .labels
            .extend(labels.filter_map(|section| self.label(section)));
        root.finish();
    }

    fn override_(&self, section: Section<'_>, policies: &[Policy]) -> Option<Override> {
        let place = self.place(section.span().start);
        let named = named(&section, policies);
        if named.is_none() && section.find("policy").is_none() {
            section.report(
                section.span(),
                "`policy` is missing: which one is to be otherwise?",
                Some(format!("one or several of: {}", names(policies).join(", "))),
            );
        }
        let class = section.choice("class", Class::ALL);
        let both = section.find("class").is_some() && section.find("sender").is_some();
        let senders = senders(&section);
        if both {
            section.report(
                section.span(),
                "`class` and `sender` exclude each other",
                Some("write two overrides; the one with `sender` is the narrower".to_owned()),
            );
        }
        let scope = match (class, senders) {
            (Some(class), _) => Some(Scope::Class(class.value)),
            (None, Some(senders)) => Some(Scope::Senders(senders)),
            (None, None) => (section.find("class").is_none() && section.find("sender").is_none())
                .then_some(Scope::Site),
        };
        let settings = self.changes(&section, policies, named.as_deref().unwrap_or_default());
        let cases = section.sections("case");
        let cases = cases.into_iter().filter_map(case).collect();
        section.finish();
        Some(Override {
            scope: scope?,
            policies: named?,
            settings,
            cases,
            place,
        })
    }

    /// The keys of an override. One that a named policy does not have is a mistake.
    fn changes(&self, section: &Section<'_>, policies: &[Policy], named: &[u16]) -> Vec<Setting> {
        let named: Vec<&Policy> = named
            .iter()
            .filter_map(|number| policies.get(usize::from(*number)))
            .collect();
        let mut settings = Vec::new();
        let mut said = false;
        for key in every_key() {
            let Some(span) = section.find(key.name) else {
                continue;
            };
            said = true;
            let stranger = named
                .iter()
                .find(|policy| policy.rule.keys().all(|known| known.name != key.name));
            if let Some(policy) = stranger {
                let known: Vec<&str> = policy.rule.keys().map(|key| key.name).collect();
                section.report(
                    span,
                    format!("policy `{}` has no `{}`", policy.name, key.name),
                    Some(format!("it has: {}", known.join(", "))),
                );
            } else if let Some(found) = value(section, key) {
                settings.push(Setting {
                    key: key.name,
                    value: found.value,
                    place: self.place(span.start),
                });
            }
        }
        if !said && !named.is_empty() {
            let known: Vec<&str> = named
                .iter()
                .flat_map(|policy| policy.rule.keys())
                .map(|key| key.name)
                .collect();
            section.report(
                section.span(),
                "this override changes nothing",
                Some(format!("it can set: {}", known.join(", "))),
            );
        }
        settings
    }

    fn exemption(&self, section: Section<'_>, policies: &[Policy]) -> Option<Exemption> {
        let place = self.place(section.span().start);
        let senders = senders(&section);
        if senders.is_none() && section.find("sender").is_none() {
            missing(&section, "sender", Some(SENDER));
        }
        let only = named(&section, policies);
        let any = section.find("policy").is_none();
        let until = section.date("until");
        if until.is_none() && section.find("until").is_none() {
            missing(&section, "until", Some("the last day: until = 2026-12-31"));
        }
        let by = words(&section, "by", "who answers for it: by = \"anna\"");
        let reason = words(
            &section,
            "reason",
            "why: reason = \"moves to a new server\"",
        );
        section.finish();
        let until = until?.value;
        let begins = Timestamp::parse_rfc3339(format!("{until}T00:00:00Z").as_bytes())?;
        Some(Exemption {
            senders: senders?,
            policies: if any { Vec::new() } else { only? },
            until,
            ends: begins + std::time::Duration::from_secs(86_400),
            by: by?,
            reason: reason?,
            place,
        })
    }

    fn label(&self, section: Section<'_>) -> Option<Label> {
        let place = self.place(section.span().start);
        let senders = senders(&section);
        if senders.is_none() && section.find("sender").is_none() {
            missing(&section, "sender", Some(SENDER));
        }
        let class = required(&section, "class", section.choice("class", Class::ALL));
        section.finish();
        Some(Label {
            senders: senders?,
            class: class?,
            place,
        })
    }
}
