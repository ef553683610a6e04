//! Mail goes out: what remote sides answer, to whom it is put down, and what is taken back.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use crate::{
    classify::BounceClass,
    correlate::{Attempt, MessageKey},
    ledger::{
        Ledger, SenderId, SenderIndex, counters::Picture, evidence, keyed::ByText,
        message::Waiting, sender::Refusal, weather::Storm,
    },
    mail::address,
    postfix::record::Status,
    time::Timestamp,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Numbers of mail operators: the registrable domain of the remote host, a few big ones mapped by hand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Operators {
    names: Vec<String>,
    numbers: BTreeMap<String, u32>,
    /// What was looked up before; made anew after a restart.
    #[serde(skip)]
    hosts: ByText<Box<str>, u32>,
}

/// A sender of this score is no witness of the weather.
const SUSPECT: f64 = 4.5;
/// What the refusal of a recipient is worth whom the sender wrote to before.
const KNOWN: f64 = 0.25;
/// What refused content is worth against a forwarder that rewrites senders (SRS): it is what came in.
const FORWARDED: f64 = 0.1;
const MAX_HOSTS: usize = 100_000;

impl Operators {
    /// The number of the operator of a host, from 1; 0 when there are too many.
    fn number(&mut self, host: &str) -> u32 {
        if let Some(number) = self.hosts.get(host) {
            return *number;
        }
        let name = operator_name(host);
        let number = match self.numbers.get(&name) {
            Some(number) => *number,
            None if self.names.len() >= MAX_HOSTS => return 0,
            None => {
                self.names.push(name.clone());
                let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.numbers.insert(name, number);
                number
            }
        };
        if self.hosts.len() < MAX_HOSTS {
            self.hosts.insert(host.into(), number);
        }
        number
    }

    /// The name of an operator.
    pub(crate) fn name(&self, number: u32) -> Option<&str> {
        let position = usize::try_from(number.checked_sub(1)?).ok()?;
        self.names.get(position).map(String::as_str)
    }
}

/// Hosts of one operator under several domains.
const SAME_OPERATOR: &[(&str, &str)] = &[
    ("googlemail.com", "google.com"),
    ("hotmail.com", "outlook.com"),
    ("outlook.de", "outlook.com"),
    ("web.de", "gmx.net"),
];

fn operator_name(host: &str) -> String {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let name = psl::domain_str(&host).unwrap_or(&host);
    SAME_OPERATOR
        .iter()
        .find(|(other, _)| *other == name)
        .map_or(name, |(_, operator)| operator)
        .to_owned()
}

/// What a remote side said of one recipient: the part of an attempt that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The message.
    pub message: MessageKey,
    /// Event time.
    pub at: Timestamp,
    /// Who was asked: see [`AddressHash`].
    pub recipient: u64,
    /// Who answered: see [`Answer::host_of`].
    pub host: &'a str,
    /// Outcome.
    pub status: Status,
    /// Why; `None` where the remote side accepted.
    pub class: Option<BounceClass>,
}

impl Answer<'_> {
    /// The remote host of an attempt; where no conversation came about, the recipient's domain.
    #[must_use]
    pub fn host_of<'a>(attempt: &Attempt<'a>) -> Cow<'a, str> {
        match attempt.relay {
            Some(relay) => Cow::Borrowed(relay.host),
            None => Cow::Owned(address::domain(attempt.recipient).unwrap_or_default()),
        }
    }
}

/// The keyed hash under which addresses are remembered, whatever their case.
#[derive(Clone, Copy, Debug)]
pub struct AddressHash(u64);

impl AddressHash {
    /// With the first bytes of the ledger's key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        let seed = key.first_chunk::<8>();
        Self(seed.map_or(0, |seed| u64::from_le_bytes(*seed)))
    }

    /// The hash of an address.
    #[must_use]
    pub fn of(self, address: &str) -> u64 {
        if address.bytes().any(|c| c.is_ascii_uppercase()) {
            xxh3_64_with_seed(address.to_ascii_lowercase().as_bytes(), self.0)
        } else {
            xxh3_64_with_seed(address.as_bytes(), self.0)
        }
    }
}

/// What is known of an answer besides its class.
#[derive(Clone, Copy)]
struct Facts {
    temporary: bool,
    /// How new the recipient is for the sender (0 to 1).
    strangeness: f64,
}

/// What an answer is worth.
struct Finding {
    operator: u32,
    /// What others are told about: the picture, whatever it weighs here.
    picture: Option<Picture>,
    /// What it weighs against this sender.
    weight: f64,
    about_us: bool,
    /// Called abusive in so many words.
    abuse: bool,
}

impl Ledger {
    /// A recipient's delivery attempt; `class` is `None` where the remote side accepted. `None`: nobody's mail, not a
    /// remote opinion, or nothing new.
    pub fn attempt(
        &mut self,
        attempt: &Attempt<'_>,
        class: Option<BounceClass>,
    ) -> Option<SenderIndex> {
        if !attempt.remote {
            if matches!(attempt.status, Status::Sent | Status::Bounced) {
                self.settled(attempt.at, attempt.message);
            }
            return None;
        }
        self.answer(&Answer {
            message: attempt.message,
            at: attempt.at,
            recipient: self.hash(attempt.recipient),
            host: &Answer::host_of(attempt),
            status: attempt.status,
            class,
        })
    }

    /// What a remote side said. `None`: nobody's mail, or nothing new.
    pub fn answer(&mut self, answer: &Answer<'_>) -> Option<SenderIndex> {
        let at = answer.at;
        if matches!(answer.status, Status::Sent | Status::Bounced) {
            self.settled(at, answer.message);
        }
        let (sender, novel, source) = {
            let message = self
                .messages
                .get(answer.message)
                .filter(|message| !message.forgiven)?;
            (message.sender, message.novel, message.source)
        };
        let temporary = matches!(answer.status, Status::Deferred | Status::SoftBounce);
        self.changes.sender(sender);
        self.changes.message(answer.message);
        let waited = self.again(answer, temporary, novel)?;
        let again = waited.is_some();
        let strangeness = match waited {
            Some(waited) => waited.strangeness,
            None => self.sender_mut(sender)?.recipients.add(answer.recipient),
        };
        let facts = Facts {
            temporary,
            strangeness,
        };
        let finding = self.weigh(answer, sender, facts);
        let entry = self.sender_mut(sender)?;
        entry.habits.tried(again, strangeness);
        let context = entry.context_mut(novel);
        context.fade(at);
        context.each(|counts| {
            if !again {
                counts.tried += 1.0;
                counts.strangers += strangeness;
            }
            counts.answered += f64::from(u8::from(!temporary));
        });
        entry.today.answered += f64::from(u8::from(!temporary));
        let calm = entry.suspicion.score < SUSPECT;
        self.count(at, sender, novel, &finding, temporary);
        let counted = finding
            .picture
            .filter(|_| finding.weight > 0.0)
            .map(|picture| (picture, finding.weight));
        if !novel && calm {
            self.witness(at, sender, &finding);
        }
        if temporary && let Some(message) = self.messages.get_mut(answer.message) {
            message.wait(Waiting {
                recipient: answer.recipient,
                strangeness,
                counted: counted.map(|(picture, weight)| (picture, weight, at)),
            });
        }
        if let Some(source) = source {
            self.groups.outcome(at, source, counted);
            self.changes.groups = true;
        }
        Some(sender)
    }

    /// Tells the control group what a familiar, unsuspected sender met.
    fn witness(&mut self, at: Timestamp, sender: SenderIndex, finding: &Finding) {
        self.changes.weather = true;
        self.weather.note(
            at,
            sender.0,
            finding.operator,
            finding.picture,
            finding.about_us,
        );
    }

    /// The wait that ends with this attempt, if any: what its temporary refusal counted is taken back. `None` for a
    /// retry that is put off once more, which is no news.
    fn again(
        &mut self,
        answer: &Answer<'_>,
        temporary: bool,
        novel: bool,
    ) -> Option<Option<Waiting>> {
        let message = self.messages.get_mut(answer.message)?;
        if !message.waits(answer.recipient) {
            return Some(None);
        }
        if temporary {
            return None;
        }
        let (sender, waited) = (message.sender, message.answer(answer.recipient)?);
        if let Some((picture, weight, counted)) = waited.counted
            && let Some(entry) = self.sender_mut(sender)
        {
            let context = entry.context_mut(novel);
            context.fade(answer.at);
            context.take_back(picture, weight, counted);
        }
        Some(Some(waited))
    }

    fn weigh(&mut self, answer: &Answer<'_>, sender: SenderIndex, facts: Facts) -> Finding {
        let Answer { at, class, .. } = *answer;
        let known = self.operators.names.len();
        let operator = self.operators.number(answer.host);
        self.changes.operators |= self.operators.names.len() > known;
        let found = class.and_then(|class| evidence::of(class, facts.temporary));
        let forwards =
            matches!(self.sender_id(sender), Some(SenderId::From(id)) if id.starts_with("srs@"));
        let own = found.map_or(0.0, |(picture, weight)| {
            // An address that the sender wrote to before was not bought with a list.
            let weight = match picture {
                Picture::List => weight * (KNOWN + (1.0 - KNOWN) * facts.strangeness),
                Picture::Content | Picture::Rate if forwards => weight * FORWARDED,
                Picture::Content | Picture::Rate => weight,
            };
            let unexplained =
                class == Some(BounceClass::Policy) && self.weather.listed(at, sender.0);
            if unexplained {
                return 0.0;
            }
            weight * (1.0 - self.weather.common(at, sender.0, operator, picture))
        });
        Finding {
            operator,
            picture: found.map(|(picture, _)| picture),
            weight: own,
            about_us: class.is_some_and(evidence::about_us),
            abuse: !forwards && class.is_some_and(evidence::names_abuse),
        }
    }

    fn count(
        &mut self,
        at: Timestamp,
        sender: SenderIndex,
        novel: bool,
        finding: &Finding,
        temporary: bool,
    ) {
        let Some(entry) = self.sender_mut(sender) else {
            return;
        };
        entry.last = entry.last.max(at);
        match finding.picture {
            Some(picture) if finding.weight > 0.0 => {
                entry.context_mut(novel).refuse(picture, finding.weight);
                *entry.today.refused.get_mut(picture) += finding.weight;
                entry.remember(Refusal {
                    at,
                    operator: finding.operator,
                    picture,
                    weight: finding.weight,
                    novel,
                    abuse: finding.abuse,
                });
            }
            Some(_) => entry.uncounted.weather += 1.0,
            None if finding.about_us => entry.uncounted.about_us += 1.0,
            None if temporary => entry.uncounted.harmless += 1.0,
            None => {}
        }
    }

    /// A keyed hash of an address.
    pub(super) fn hash(&self, address: &str) -> u64 {
        AddressHash::new(&self.setup.key).of(address)
    }

    /// The name of an operator, as alerts and explanations print it.
    #[must_use]
    pub fn operator_name(&self, number: u32) -> &str {
        self.operators.name(number).unwrap_or("everywhere")
    }

    /// Trouble that everybody meets: what began and ended until now since the last call.
    pub fn take_storms(&mut self, now: Timestamp) -> Vec<Storm> {
        self.changes.weather |= self.weather.settle(now);
        self.weather.take_news()
    }
}
