//! What would have changed the verdict: the same rules asked about the same sender, had one thing been otherwise.

use crate::{
    ledger::{
        Ledger, SenderIndex,
        counters::{Counters, Picture},
        sender::{Refusal, Sender},
    },
    policy::{Policies, score, verdict::Verdict},
    time::Timestamp,
};

/// So many further refusals are thought of, at most.
const FURTHER: usize = 40;

/// Points that a part must be worth to be told although it made no difference.
const WORTH_TELLING: f64 = 0.5;

/// Whom and when the question is about.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) policies: &'a Policies,
    pub(super) ledger: &'a Ledger,
    pub(super) sender: SenderIndex,
    pub(super) at: Timestamp,
}

impl Question<'_> {
    /// The verdict on such an entry, the policy's name, and the score.
    fn verdict(&self, entry: &Sender) -> (Verdict, &str, f64) {
        let found = score::examine_as(self.ledger, self.sender, entry, self.at);
        let ruling = self
            .policies
            .rule(self.ledger, entry, found.as_ref(), self.at);
        let (verdict, policy, _) = ruling.highest();
        let score = found.map_or(0.0, |found| found.score);
        (verdict, self.policies.name(policy), score)
    }

    /// Of a convicted sender: without which of the things that are seen it would not be one, and which of them made no
    /// difference.
    pub(super) fn without(&self, entry: &Sender) -> (Option<String>, Option<String>) {
        let (_, _, score) = self.verdict(entry);
        let (mut needed, mut idle) = (Vec::new(), Vec::new());
        for (what, change) in LESS {
            let mut other = entry.clone();
            change(&mut other, self.at);
            let (verdict, _, less) = self.verdict(&other);
            if verdict < Verdict::Hold {
                needed.push(*what);
            } else if score - less >= WORTH_TELLING {
                idle.push(*what);
            }
        }
        let clause = |begin: &str, what: &[&str]| {
            (!what.is_empty()).then(|| format!("{begin} without {}", what.join(", or without ")))
        };
        (
            clause("not held", &needed),
            clause("held all the same", &idle),
        )
    }

    /// Of a sender that is not convicted: how many further refusals of which kind would do it.
    pub(super) fn further(&self, entry: &Sender) -> Vec<String> {
        let mut clauses = Vec::new();
        for (picture, what) in [
            (Picture::List, "to recipients that do not exist"),
            (Picture::Content, "refused for the content"),
        ] {
            let mut other = entry.clone();
            let mut found = None;
            for number in 1..=FURTHER {
                one_more(&mut other, self.at, picture);
                let (verdict, policy, _) = self.verdict(&other);
                if verdict >= Verdict::Hold {
                    found = Some((number, policy));
                    break;
                }
            }
            clauses.push(match found {
                Some((1, policy)) => format!("one more mail {what}: held by {policy}"),
                Some((number, policy)) => format!("{number} more mails {what}: held by {policy}"),
                None => format!("not even {FURTHER} more mails {what} would do"),
            });
        }
        clauses
    }
}

type Change = fn(&mut Sender, Timestamp);

/// What is taken away, one at a time.
const LESS: &[(&str, Change)] = &[
    ("the recipients that do not exist", |entry, _| {
        accept(entry, Picture::List);
    }),
    ("the refusals for the content or the sender", |entry, _| {
        accept(entry, Picture::Content);
    }),
    ("the mail that was put off", |entry, _| {
        accept(entry, Picture::Rate);
    }),
    ("the new network", at_home),
    ("the unusual volume", |entry, at| {
        let now = entry.volume.faded(at);
        for (record, now) in entry.volume.record.iter_mut().zip(now) {
            *record = record.max(now);
        }
    }),
    ("the recipients never written to before", |entry, _| {
        for context in [&mut entry.familiar, &mut entry.novel] {
            context.each(|counts| counts.strangers = 0.0);
        }
    }),
];

/// As if what was refused in this way had been taken.
fn accept(entry: &mut Sender, picture: Picture) {
    for context in [&mut entry.familiar, &mut entry.novel] {
        context.each(|counts| *counts.refused.get_mut(picture) = 0.0);
    }
    entry.recent.retain(|refusal| refusal.picture != picture);
}

/// As if the new network were one of the sender's own.
fn at_home(entry: &mut Sender, at: Timestamp) {
    if entry.novel.day.taken < 0.3 && entry.novel.day.tried < 0.3 {
        return;
    }
    entry.familiar.merge(&entry.novel);
    entry.novel = Counters::new(at);
    entry.network_surprise = 0.0;
    entry.network_met = None;
    entry.last_source = None;
}

/// One more mail to a recipient never written to before, refused.
fn one_more(entry: &mut Sender, at: Timestamp, picture: Picture) {
    let novel = entry.novel.hour.taken >= entry.familiar.hour.taken && entry.novel.hour.taken > 0.3;
    entry.volume.add(at, 1.0);
    let context = entry.context_mut(novel);
    context.fade(at);
    context.each(|counts| {
        counts.taken += 1.0;
        counts.tried += 1.0;
        counts.answered += 1.0;
        counts.strangers += 1.0;
    });
    context.refuse(picture, 1.0);
    entry.remember(Refusal {
        at,
        operator: 0,
        picture,
        weight: 1.0,
        novel,
        abuse: picture == Picture::Content,
    });
}
