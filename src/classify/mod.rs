//! Remote reply → bounce class, by rules that are data (`policies/bounce/*.toml`); first match wins, text before code.
//!
//! The shipped rules are part of the program, so that it works without their directory; an operator's files come before
//! them, sorted by name. What no rule knows is [`BounceClass::Unclear`]: that is an answer. Each rule carries texts that
//! it must and must not decide; [`Classifier::specimens`] runs them.
//!
//! All phrases of all rules are found in one pass over the text, whatever their number; only rules of which a phrase was
//! found are looked at further. A reply is hostile input: nothing here fails, and of a long text the rest is ignored.
//! Limits: 6144 phrases, 2048 rules; a text in which a remote side echoes what somebody else chose may be classified by
//! that echo (mail addresses are masked, other words cannot be told from its own).

use std::fmt;

use crate::{
    mail::{
        reply::{Logged, Reply, Stage},
        status_code::StatusCode,
    },
    settings::Problem,
};

mod book;
mod class;
mod pattern;
mod phrase;
mod rule;
mod shipped;
mod specimen;
mod text;

pub use class::{BounceClass, NotABounceClass};
pub use specimen::Mismatch;

use book::{Book, Hits, Phrases};
use rule::{Facts, Rule};

/// Words of a set of rules.
const RULE_WORDS: usize = 32;
/// Most rules of one classifier.
const MOST_RULES: usize = RULE_WORDS * 64;

/// What is to be classified: a failed delivery attempt, as the log tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question<'a> {
    /// `dsn=` as printed; empty or `X.0.0` where nothing is known.
    pub dsn: &'a str,
    /// The remote side's own words; `None` for local and network reasons.
    pub reply: Option<&'a str>,
    /// The whole text in the parentheses; looked at only where there is no reply.
    pub text: &'a str,
    /// The SMTP stage without the word command (`RCPT TO`); `None` where it is not known.
    pub stage: Option<&'a str>,
    /// Host name of the relay, without its address.
    pub relay: Option<&'a str>,
    /// The log line was cut: the last word of the text is not trusted.
    pub cut: bool,
}

impl<'a> Question<'a> {
    /// A question from the text in a record's parentheses, or from a bare reply: the wrapper is taken off.
    #[must_use]
    pub fn of_text(dsn: &'a str, text: &'a str) -> Self {
        let logged = Logged::read(text);
        Self {
            dsn,
            reply: logged.reply,
            text,
            stage: logged.stage.map(Stage::as_str),
            relay: logged.said_by.and_then(|peer| peer.split('[').next()),
            cut: false,
        }
    }
}

/// A rule of a [`Classifier`], by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u16);

/// What a text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Why the remote side refused.
    pub class: BounceClass,
    /// The rule that says so; `None` when no rule knows the text.
    pub rule: Option<RuleId>,
}

/// What made a rule decide, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why<'a> {
    /// The answer.
    pub answer: Answer,
    /// The name of the rule; `-` without one.
    pub rule: &'a str,
    /// The phrases that were found.
    pub phrases: Vec<&'a str>,
    /// The kinds of other conditions that the rule makes (`dsn`, `code`, `stage` ...).
    pub conditions: Vec<&'static str>,
    /// The reply code.
    pub code: Option<u16>,
    /// The enhanced code that was used: of the reply, else of the record.
    pub status: Option<StatusCode>,
    /// The stage.
    pub stage: Option<Stage>,
}

impl fmt::Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.answer.rule.is_none() {
            return f.write_str("no rule knows it");
        }
        let mut separator = "";
        for phrase in &self.phrases {
            write!(f, "{separator}\"{phrase}\"")?;
            separator = ", ";
        }
        for condition in &self.conditions {
            write!(f, "{separator}{condition}")?;
            match *condition {
                "dsn" => self.status.map_or(Ok(()), |code| write!(f, " {code}"))?,
                "code" => self.code.map_or(Ok(()), |code| write!(f, " {code}"))?,
                "stage" => self
                    .stage
                    .map_or(Ok(()), |stage| write!(f, " {}", stage.as_str()))?,
                _ => {}
            }
            separator = ", ";
        }
        Ok(())
    }
}

/// Rules, compiled.
#[derive(Debug)]
pub struct Classifier {
    rules: Box<[Rule]>,
    /// How many of the rules, at the front, are the operator's.
    own: usize,
    book: Book,
    /// Phrase → rules that its presence makes candidates.
    leads: Box<[Box<[u16]>]>,
    /// Rules that need no phrase.
    always: [u64; RULE_WORDS],
}

impl Classifier {
    /// The shipped rules.
    ///
    /// # Errors
    /// As [`Classifier::with_operator_rules`]; a test of this room keeps the shipped files free of mistakes.
    pub fn shipped() -> Result<Self, Vec<(String, Problem)>> {
        Self::with_operator_rules(&[])
    }

    /// An operator's files (name, text), sorted by name, before the shipped rules.
    ///
    /// # Errors
    /// Every mistake of every file, with the name of the file and the place in it.
    pub fn with_operator_rules(files: &[(&str, &str)]) -> Result<Self, Vec<(String, Problem)>> {
        let mut own = files.to_vec();
        own.sort_unstable_by_key(|(name, _)| *name);
        Self::read(&own, shipped::FILES)
    }

    /// Rules from these files (name, text) alone, in this order.
    ///
    /// # Errors
    /// Every mistake of every file, with the name of the file and the place in it.
    pub fn compile(files: &[(&str, &str)]) -> Result<Self, Vec<(String, Problem)>> {
        Self::read(files, &[])
    }

    fn read(
        own: &[(&str, &str)],
        shipped: &[(&str, &str)],
    ) -> Result<Self, Vec<(String, Problem)>> {
        let mut phrases = Phrases::default();
        let mut rules = Vec::new();
        let mut problems = Vec::new();
        let mut own_rules = 0;
        for (n, (file, text)) in own.iter().chain(shipped).enumerate() {
            let found = rule::read(file, text, &mut phrases, &mut rules);
            problems.extend(
                found
                    .into_iter()
                    .map(|problem| ((*file).to_owned(), problem)),
            );
            if n < own.len() {
                own_rules = rules.len();
            }
        }
        if rules.len() > MOST_RULES {
            problems.push((String::new(), too_many("rules")));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let book = phrases.compile();
        book.map(|book| Self::assemble(rules, own_rules, book))
            .ok_or_else(|| vec![(String::new(), too_many("phrases"))])
    }

    fn assemble(rules: Vec<Rule>, own: usize, book: Book) -> Self {
        let mut leads = vec![Vec::new(); book.len()];
        let mut always = [0; RULE_WORDS];
        for (n, rule) in (0_u16..).zip(&rules) {
            // Any one of `any` makes a candidate; where there is only `all`, its first phrase does.
            let any = rule.any.iter();
            let first_of_all = rule.all.iter().take(usize::from(rule.any.is_empty()));
            for phrase in any.chain(first_of_all) {
                if let Some(lead) = leads.get_mut(phrase.index()) {
                    lead.push(n);
                }
            }
            if rule.is_without_phrases() {
                set(&mut always, n);
            }
        }
        Self {
            rules: rules.into(),
            own,
            book,
            leads: leads.into_iter().map(Vec::into_boxed_slice).collect(),
            always,
        }
    }

    /// The class of a text, and the rule that says so.
    #[must_use]
    pub fn classify(&self, question: &Question<'_>) -> Answer {
        let look = Look::at(question);
        self.decide(&look.facts(question)).0
    }

    /// The same with what made the rule decide.
    #[must_use]
    pub fn why(&self, question: &Question<'_>) -> Why<'_> {
        let look = Look::at(question);
        let facts = look.facts(question);
        let (answer, hits) = self.decide(&facts);
        let rule = answer.rule.and_then(|id| self.rule(id));
        let phrase = |id| self.book.phrase(id).map(phrase::Phrase::source);
        Why {
            answer,
            rule: answer.rule.map_or("-", |id| self.rule_name(id)),
            phrases: rule.map_or_else(Vec::new, |r| r.matched(&hits).filter_map(phrase).collect()),
            conditions: rule.map_or_else(Vec::new, Rule::other_conditions),
            code: facts.code,
            status: facts.status,
            stage: facts.stage,
        }
    }

    /// The name of a rule: its file's, without the number that orders it, and its own: `google/user-unknown`.
    #[must_use]
    pub fn rule_name(&self, id: RuleId) -> &str {
        self.rule(id).map_or("-", |rule| &rule.name)
    }

    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules.len()
    }

    /// Runs every rule's own texts; empty when all is as the files say.
    #[must_use]
    pub fn specimens(&self) -> Vec<Mismatch> {
        specimen::run(self)
    }

    fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(usize::from(id.0))
    }

    fn decide(&self, facts: &Facts<'_>) -> (Answer, Hits) {
        let mut hits = Hits::none();
        let mut candidates = self.always;
        self.book.find(facts.text, &mut hits, |phrase| {
            let rules = self.leads.get(phrase.index());
            for rule in rules.map(AsRef::as_ref).unwrap_or_default() {
                set(&mut candidates, *rule);
            }
        });
        let decided = members(&candidates)
            .filter_map(|n| self.rule(RuleId(n)).map(|rule| (RuleId(n), rule)))
            .find(|(_, rule)| rule.holds(facts, &hits, |id| self.book.phrase(id)));
        let answer = Answer {
            class: decided.map_or(BounceClass::Unclear, |(_, rule)| rule.class),
            rule: decided.map(|(id, _)| id),
        };
        (answer, hits)
    }
}

fn too_many(what: &str) -> Problem {
    Problem {
        span: 0..0,
        message: format!("too many {what} in all files together"),
        hint: None,
    }
}

/// What of a question has to be made first.
struct Look {
    text: String,
    last_line: usize,
    code: Option<u16>,
    status: Option<StatusCode>,
}

impl Look {
    fn at(question: &Question<'_>) -> Self {
        let said = question.reply.unwrap_or(question.text);
        let reply = Reply::parse(said);
        let mut words = reply.words();
        if question.cut {
            words = text::without_last_word(words);
        }
        let given = question.dsn.parse().ok();
        let normal = text::normal(words);
        // Masking and folding move the last line: its length from the end tells where it is.
        let last_line = match reply.last_line_at() {
            0 => normal.len(),
            at => text::normal(words.get(at..).unwrap_or(words)).len(),
        };
        Self {
            last_line: normal.len().saturating_sub(last_line),
            text: normal,
            code: reply.code,
            status: reply.status_code.filter(|code| !code.is_bare()).or(given),
        }
    }

    fn facts<'q>(&'q self, question: &Question<'q>) -> Facts<'q> {
        Facts {
            text: &self.text,
            last_line: self.text.get(self.last_line..).unwrap_or(&self.text),
            code: self.code,
            status: self.status,
            stage: question.stage.and_then(Stage::read),
            relay: question.relay,
            local: question.reply.is_none(),
        }
    }
}

fn set(rules: &mut [u64; RULE_WORDS], n: u16) {
    if let Some(word) = rules.get_mut(usize::from(n) / 64) {
        *word |= 1 << (n % 64);
    }
}

/// The members of a set of rules, ascending.
fn members(rules: &[u64; RULE_WORDS]) -> impl Iterator<Item = u16> + '_ {
    (0_u16..).zip(rules).flat_map(|(word, bits)| {
        let mut left = *bits;
        std::iter::from_fn(move || {
            (left != 0).then(|| {
                let bit = left.trailing_zeros();
                left &= left - 1;
                word * 64 + u16::try_from(bit).unwrap_or(0)
            })
        })
    })
}

#[cfg(test)]
mod tests;
