//! What the site, a class of senders or one sender has otherwise: overrides, exemptions, and where each value stands.
//!
//! | layer, the widest first | stands in |
//! |---|---|
//! | shipped | `[[policy]]` of the program's own files |
//! | site | `[[policy]]` of the site's files, `[[override]]` without class or sender |
//! | class | `[[override]]` with `class` |
//! | sender | `[[override]]` with `sender` |
//!
//! The narrowest layer that says something about a key counts; within a layer the later one, files in the order of
//! their names, the shipped ones first.

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{
    ledger::{SenderId, class::Class},
    policy::{
        cases::Case,
        rule::{Rule, Value},
    },
    time::Timestamp,
};

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// True for the program's own files.
    pub shipped: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A key that is set somewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// What it is set to.
    pub value: Value,
    /// Where.
    pub place: Place,
}

/// For whom an override is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everybody.
    Site,
    /// A class of senders.
    Class(Class),
    /// These senders.
    Senders(Vec<SenderId>),
}

/// `[[override]]`: keys of some policies, set otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// For whom.
    pub scope: Scope,
    /// Numbers of the policies.
    pub policies: Vec<u16>,
    /// What is set.
    pub settings: Vec<Setting>,
    /// Its own specimens.
    pub cases: Vec<Case>,
    /// Where it stands.
    pub place: Place,
}

/// `[[exempt]]`: a sender that policies observe but do not touch, for a reason, up to a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemption {
    /// Who.
    pub senders: Vec<SenderId>,
    /// Numbers of the policies; none: all of them.
    pub policies: Vec<u16>,
    /// The last day on which it holds, as written.
    pub until: String,
    /// The end of that day (UTC).
    pub ends: Timestamp,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Where it stands.
    pub place: Place,
}

impl Exemption {
    /// True while it holds.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        at < self.ends
    }
}

/// `[[sender]]`: what a person says of senders.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Who.
    pub senders: Vec<SenderId>,
    /// Their class.
    pub class: Class,
    /// Where it stands.
    pub place: Place,
}

/// What is particular to one sender: positions in the lists of [`Layers`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Special {
    label: Option<usize>,
    overrides: Vec<usize>,
    exemptions: Vec<usize>,
}

/// All that is laid over the policies.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers {
    /// In the order of the files.
    pub overrides: Vec<Override>,
    /// In the order of the files.
    pub exemptions: Vec<Exemption>,
    /// In the order of the files.
    pub labels: Vec<Label>,
    /// The rules of each class, in the order of [`Class::ALL`] and of the policies.
    rules: Vec<Vec<Rule>>,
    specials: HashMap<SenderId, Special>,
}

impl Layers {
    /// Works out the rules of every class, and who has something of his own.
    pub(super) fn resolve(&mut self, rules: &[Rule]) {
        self.rules = Class::ALL
            .iter()
            .map(|(_, class)| self.of_class(rules, *class))
            .collect();
        let mut specials: HashMap<SenderId, Special> = HashMap::new();
        for (number, label) in self.labels.iter().enumerate() {
            for sender in &label.senders {
                specials.entry(sender.clone()).or_default().label = Some(number);
            }
        }
        for (number, over) in self.overrides.iter().enumerate() {
            if let Scope::Senders(senders) = &over.scope {
                for sender in senders {
                    let special = specials.entry(sender.clone()).or_default();
                    special.overrides.push(number);
                }
            }
        }
        for (number, exemption) in self.exemptions.iter().enumerate() {
            for sender in &exemption.senders {
                let special = specials.entry(sender.clone()).or_default();
                special.exemptions.push(number);
            }
        }
        self.specials = specials;
    }

    fn of_class(&self, rules: &[Rule], class: Class) -> Vec<Rule> {
        let mut rules = rules.to_vec();
        for scope in [Scope::Site, Scope::Class(class)] {
            for over in self.overrides.iter().filter(|over| over.scope == scope) {
                for (rule, number) in rules.iter_mut().zip(0u16..) {
                    over.change(rule, number);
                }
            }
        }
        rules
    }

    /// The rules of a class, in the order of the policies.
    pub(super) fn rules(&self, class: Class) -> &[Rule] {
        let position = Class::ALL.iter().position(|(_, known)| *known == class);
        position
            .and_then(|position| self.rules.get(position))
            .map_or(&[], Vec::as_slice)
    }

    /// What is particular to a sender.
    pub(super) fn special(&self, sender: Option<&SenderId>) -> Option<&Special> {
        if self.specials.is_empty() {
            return None;
        }
        self.specials.get(sender?)
    }

    /// What a person said of the sender's class.
    pub(super) fn label(&self, special: Option<&Special>) -> Option<&Label> {
        self.labels.get(special?.label?)
    }

    /// A rule as it is for that sender.
    pub(super) fn adapt(&self, special: &Special, mut rule: Rule, number: u16) -> Rule {
        for over in self.own(special) {
            over.change(&mut rule, number);
        }
        rule
    }

    fn own(&self, special: &Special) -> impl Iterator<Item = &Override> {
        special
            .overrides
            .iter()
            .filter_map(|number| self.overrides.get(*number))
    }

    /// The exemption that keeps a policy from touching that sender; the one that lasts longest.
    pub(super) fn exemption(
        &self,
        special: Option<&Special>,
        number: u16,
        at: Timestamp,
    ) -> Option<&Exemption> {
        self.exemptions_of(special)
            .filter(|exemption| {
                let covers = exemption.policies.is_empty() || exemption.policies.contains(&number);
                covers && exemption.holds(at)
            })
            .max_by_key(|exemption| exemption.ends)
    }

    /// All exemptions of that sender, those that are over included.
    pub(super) fn exemptions_of(
        &self,
        special: Option<&Special>,
    ) -> impl Iterator<Item = &Exemption> {
        special
            .into_iter()
            .flat_map(|special| &special.exemptions)
            .filter_map(|number| self.exemptions.get(*number))
    }

    /// The setting of a key that counts for such a sender, and its layer; `None`: the policy's own.
    pub(super) fn setting(
        &self,
        class: Class,
        special: Option<&Special>,
        number: u16,
        key: &str,
    ) -> Option<(&'static str, &Setting)> {
        let scoped = |scope: Scope, layer: &'static str| {
            self.overrides
                .iter()
                .filter(move |over| over.scope == scope)
                .map(move |over| (layer, over))
        };
        let own = special
            .into_iter()
            .flat_map(|special| self.own(special))
            .map(|over| ("sender", over));
        scoped(Scope::Site, "site")
            .chain(scoped(Scope::Class(class), "class"))
            .chain(own)
            .filter(|(_, over)| over.policies.contains(&number))
            .flat_map(|(layer, over)| over.settings.iter().map(move |setting| (layer, setting)))
            .filter(|(_, setting)| setting.key == key)
            .last()
    }
}

impl Override {
    /// Changes a rule, if it is about that policy.
    pub(super) fn change(&self, rule: &mut Rule, number: u16) {
        if self.policies.contains(&number) {
            for setting in &self.settings {
                rule.set(setting.key, setting.value);
            }
        }
    }
}
