//! What each sender did: counts in time, what is normal for it, and what its destinations answer everybody else.
//!
//! Promises: time is event time; the same facts in the same order give the same ledger, whatever the order of any hash
//! map; a retry of the same message, recipient and answer is one event; a temporary refusal that later succeeds is
//! taken back. An event earlier than the last one fades nothing. Limits: [`Setup::max_messages`] open messages, the
//! oldest forgotten first; what is forgotten is never evidence.

pub mod class;
mod clients;
pub mod counters;
pub mod evidence;
pub mod group;
mod identity;
mod index;
mod intake;
pub(crate) mod keyed;
mod merge;
mod message;
pub mod neighbourhood;
pub mod network;
mod numbers;
mod outcome;
pub mod profile;
mod put_off;
pub mod queue;
pub mod recipients;
pub mod saved;
pub mod sender;
mod told;
pub mod weather;

use std::{collections::HashMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

pub use self::outcome::{AddressHash, Answer};

use crate::{
    ledger::{
        group::Groups, index::Index, network::Geo, numbers::Messages, sender::Sender,
        weather::Weather,
    },
    time::{Timestamp, Zone},
};

/// Our key for whoever is answerable for mail: SASL login, else envelope sender (trusted networks only), else where it
/// came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SenderId {
    /// `sasl:` login, lower-cased.
    Sasl(Box<str>),
    /// `from:` envelope sender, folded (VERP, SRS, BATV).
    From(Box<str>),
    /// `ip:` client address.
    Ip(IpAddr),
    /// `uid:` local user of sendmail(1).
    Uid(u32),
}

impl fmt::Display for SenderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sasl(login) => write!(f, "sasl:{login}"),
            Self::From(sender) => write!(f, "from:{sender}"),
            Self::Ip(address) => write!(f, "ip:{address}"),
            Self::Uid(uid) => write!(f, "uid:{uid}"),
        }
    }
}

impl std::str::FromStr for SenderId {
    type Err = ();

    /// Reads what `Display` writes; the error says only that it is none.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = text.split_once(':').ok_or(())?;
        match kind {
            "sasl" if !name.is_empty() => Ok(Self::Sasl(name.to_lowercase().into())),
            "from" if !name.is_empty() => Ok(Self::From(name.to_lowercase().into())),
            "ip" => name.parse().map(Self::Ip).map_err(drop),
            "uid" => name.parse().map(Self::Uid).map_err(drop),
            _ => Err(()),
        }
    }
}

/// What a ledger is built with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The zone of the hours of the week.
    pub zone: Zone,
    /// Key of the hashes under which recipients and senders are stored.
    pub key: [u8; 32],
    /// From addresses to networks.
    pub geo: Geo,
    /// Client networks whose mail without a login is evidence; empty: every client's.
    pub trusted: Vec<(IpAddr, u8)>,
    /// Open messages kept.
    pub max_messages: usize,
    /// True when changes are noted for [`Ledger::take_dirty`], which must then be called now and then.
    pub persistent: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            zone: Zone::utc(),
            key: [0; 32],
            geo: Geo::by_prefix(),
            trusted: Vec::new(),
            max_messages: 1_000_000,
            persistent: true,
        }
    }
}

/// Handle of a live entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SenderIndex(u32);

/// How a case against a sender ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Closing {
    /// It was the owner: what was seen becomes normal.
    Legitimate,
    /// It was a thief, who is out: what was seen is forgotten, its sources are remembered.
    Cleaned,
}

/// One sender on the screen; numbers are faded sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Handle.
    pub sender: SenderIndex,
    /// Whose; `None` after a restart until it writes again.
    pub id: Option<SenderId>,
    /// Last message or answer.
    pub last: Timestamp,
    /// Recipients taken in within the hour.
    pub recipients_hour: f64,
    /// Recipients taken in within the day.
    pub recipients_day: f64,
    /// Highest recipients of a day in clean times.
    pub record_day: f64,
    /// Final answers within the day.
    pub answered_day: f64,
    /// Refusals that counted within the day.
    pub refused_day: f64,
    /// Recipients without a final answer, mail on hold left out.
    pub queued: u32,
    /// Networks known as the sender's own.
    pub networks: usize,
    /// The last score.
    pub score: f64,
}

impl Row {
    fn of(sender: SenderIndex, entry: &Sender, at: Timestamp) -> Self {
        let (mut familiar, mut novel) = (entry.familiar, entry.novel);
        familiar.fade(at);
        novel.fade(at);
        let [_, hour, day, _] = entry.volume.faded(at);
        let [_, _, record_day, _] = entry.volume.record;
        Self {
            sender,
            id: entry.id.clone(),
            last: entry.last,
            recipients_hour: hour,
            recipients_day: day,
            record_day,
            answered_day: familiar.day.answered + novel.day.answered,
            refused_day: familiar.day.refused.sum() + novel.day.refused.sum(),
            queued: entry.backlog.level.now(),
            networks: entry.homes.iter().filter(|home| home.adopted).count(),
            score: entry.suspicion.score,
        }
    }
}

/// All senders, and what everybody meets.
#[derive(Debug)]
pub struct Ledger {
    setup: Setup,
    senders: Vec<Sender>,
    index: Index,
    keys: HashMap<saved::Key, SenderIndex>,
    messages: Messages,
    weather: Weather,
    groups: Groups,
    clients: clients::Clients,
    neighbourhood: neighbourhood::Neighbourhood,
    operators: outcome::Operators,
    everyone: queue::Everyone,
    forgotten: u64,
    changes: saved::Changes,
}

impl Ledger {
    /// An empty one.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let changes = saved::Changes::new(setup.persistent);
        Self {
            setup,
            senders: Vec::new(),
            index: Index::default(),
            keys: HashMap::new(),
            messages: Messages::default(),
            weather: Weather::default(),
            groups: Groups::default(),
            clients: clients::Clients::default(),
            neighbourhood: neighbourhood::Neighbourhood::default(),
            operators: outcome::Operators::default(),
            everyone: queue::Everyone::default(),
            forgotten: 0,
            changes,
        }
    }

    /// The handle of a sender.
    #[must_use]
    pub fn find(&self, id: &SenderId) -> Option<SenderIndex> {
        self.index
            .get(id)
            .or_else(|| self.keys.get(&saved::key_of(&self.setup, id)).copied())
    }

    /// Whose entry it is.
    #[must_use]
    pub fn sender_id(&self, sender: SenderIndex) -> Option<&SenderId> {
        self.sender(sender)?.id.as_ref()
    }

    /// The entry.
    #[must_use]
    pub fn sender(&self, sender: SenderIndex) -> Option<&Sender> {
        self.senders.get(usize::try_from(sender.0).ok()?)
    }

    /// The entry, to change how the policies see it.
    pub fn sender_mut(&mut self, sender: SenderIndex) -> Option<&mut Sender> {
        self.changes.sender(sender);
        self.sender_mut_quietly(sender)
    }

    fn sender_mut_quietly(&mut self, sender: SenderIndex) -> Option<&mut Sender> {
        self.senders.get_mut(usize::try_from(sender.0).ok()?)
    }

    /// Every sender, in the order of their first mail.
    pub fn senders(&self) -> impl Iterator<Item = (SenderIndex, &Sender)> {
        self.senders
            .iter()
            .zip(0u32..)
            .map(|(sender, number)| (SenderIndex(number), sender))
    }

    /// The senders of the last day for a screen, the most refused first.
    #[must_use]
    pub fn rows(&self, at: Timestamp) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .senders()
            .filter(|(_, entry)| at.seconds_since(entry.last) < counters::DAY)
            .map(|(sender, entry)| Row::of(sender, entry, at))
            .collect();
        rows.sort_by(|a, b| {
            b.refused_day
                .total_cmp(&a.refused_day)
                .then(b.recipients_day.total_cmp(&a.recipients_day))
                .then(a.sender.cmp(&b.sender))
        });
        rows
    }

    /// Open messages that were forgotten because there were too many.
    #[must_use]
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// The control group.
    #[must_use]
    pub const fn weather(&self) -> &Weather {
        &self.weather
    }

    /// Pooled traffic of new networks.
    #[must_use]
    pub const fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The clients that an envelope sender is a habit of, as [`network::machine`] or a local user's number names them; none
    /// of any other sender.
    #[must_use]
    pub fn machines_of(&self, sender_id: &SenderId) -> Vec<u64> {
        match sender_id {
            SenderId::From(sender) => self.clients.of(self.hash(sender)),
            _ => Vec::new(),
        }
    }

    /// How usual networks are among all senders.
    #[must_use]
    pub const fn neighbourhood(&self) -> &neighbourhood::Neighbourhood {
        &self.neighbourhood
    }

    /// The hour-of-week bin (0 to 47) of a time.
    #[must_use]
    pub fn hour_bin(&self, at: Timestamp) -> usize {
        let (hour, weekend) = self.setup.zone.hour_and_weekend(at);
        usize::from(hour) + if weekend { 24 } else { 0 }
    }

    /// A case against a sender ended. Its mail that is still in the queue is no evidence any more.
    pub fn close(&mut self, at: Timestamp, sender: SenderIndex, how: Closing) {
        let Some(entry) = self.sender_mut(sender) else {
            return;
        };
        entry.suspicion.slowed = false;
        entry.suspicion.held = false;
        entry.suspicion.score = 0.0;
        if how == Closing::Legitimate {
            entry.suspicion.pardon = 2.0;
            entry.suspicion.hot = None;
            for (record, pending) in entry.volume.record.iter_mut().zip(entry.volume.pending) {
                *record = record.max(pending);
            }
            entry.homes.adopt_all();
            entry.backlog.vouch();
            for context in [entry.familiar.day, entry.novel.day] {
                entry.usual.answered += context.answered;
                entry.usual.refused.list += context.refused.list;
                entry.usual.refused.content += context.refused.content;
                entry.usual.refused.rate += context.refused.rate;
            }
        } else {
            entry.homes.forget_novel();
            entry.volume.pending = [0.0; 4];
        }
        entry.familiar = counters::Counters::new(at);
        entry.novel = counters::Counters::new(at);
        entry.network_surprise = 0.0;
        entry.recent.clear();
        entry.today = profile::Outcomes::default();
        for (key, message) in self
            .messages
            .iter_mut()
            .filter(|(_, message)| message.sender == sender)
        {
            message.forgiven = true;
            self.changes.message(key);
        }
        if how == Closing::Legitimate {
            self.groups.acquit(sender.0);
            self.changes.groups = true;
        }
    }

    /// A sender is convicted: the machines of its new networks count against whoever uses them next.
    pub fn convict(&mut self, at: Timestamp, sender: SenderIndex) {
        let Some(entry) = self.sender_mut(sender) else {
            return;
        };
        entry.suspicion.held = true;
        let machines: Vec<u64> = entry.machines.iter().copied().collect();
        self.groups.convict(at, sender.0, &machines);
        self.changes.groups = true;
    }
}
