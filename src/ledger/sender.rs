//! The entry of one sender: everything a policy may ask about it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    ledger::{
        SenderId,
        class::{Class, Habits},
        counters::{Counters, Picture},
        group::Source,
        profile::{Homes, Hours, Outcomes, Volume},
        queue::Backlog,
        recipients::Recipients,
    },
    time::Timestamp,
};

/// Refusals remembered one by one.
const RECENT: usize = 16;
/// New machines remembered.
const MACHINES: usize = 32;

/// One refusal that counted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Event time.
    pub at: Timestamp,
    /// Mail operator that refused.
    pub operator: u32,
    /// What it speaks about.
    pub picture: Picture,
    /// What it counts, 0 once taken back.
    pub weight: f64,
    /// True when the message came over a new network.
    pub novel: bool,
    /// True when it was called abusive in so many words.
    pub abuse: bool,
}

/// What was seen but not counted, for the words of an explanation (faded over a day).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Uncounted {
    /// Refusals about our own address.
    pub about_us: f64,
    /// Answers that others met at the same place.
    pub weather: f64,
    /// Greylisting, full mailboxes, road trouble.
    pub harmless: f64,
}

/// How the policies saw this sender last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suspicion {
    /// The last score; 0 without one.
    pub score: f64,
    /// When the score last reached the slow step.
    pub hot: Option<Timestamp>,
    /// True while slowed.
    pub slowed: bool,
    /// Bonus after a person said that this sender is honest; fades.
    pub pardon: f64,
    /// True while a hold is in force (until closed).
    pub held: bool,
}

/// The entry of one sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sender {
    /// Whose; unknown after a restart until the sender writes again. Not stored with the entry.
    #[serde(skip)]
    pub id: Option<SenderId>,
    /// Keyed hash of `id`.
    pub key: [u8; 16],
    /// First message.
    pub first: Timestamp,
    /// Last message or answer.
    pub last: Timestamp,
    /// Messages brought in.
    pub messages: u64,
    /// Mail in the queue.
    pub backlog: Backlog,
    /// Own usual network.
    pub familiar: Counters,
    /// New networks.
    pub novel: Counters,
    /// Recipients taken in.
    pub volume: Volume,
    /// Long-run outcomes of clean days.
    pub usual: Outcomes,
    /// Outcomes of the running day.
    pub today: Outcomes,
    /// The running day (days since the epoch).
    pub day: i64,
    /// Active days, fading.
    pub active_days: f64,
    /// Recipients written to.
    pub recipients: Recipients,
    /// Networks.
    pub homes: Homes,
    /// Evidence of the newest new network (nats), and when it was met.
    pub network_surprise: f64,
    /// When it was met.
    pub network_met: Option<Timestamp>,
    /// Hours of the week.
    pub hours: Hours,
    /// What tells its class.
    pub habits: Habits,
    /// The last refusals that counted.
    pub recent: VecDeque<Refusal>,
    /// Machines of new networks.
    pub machines: VecDeque<u64>,
    /// Where the last message of a new network came from.
    pub last_source: Option<Source>,
    /// What did not count.
    pub uncounted: Uncounted,
    /// How the policies saw it.
    pub suspicion: Suspicion,
}

impl Sender {
    /// A new entry.
    #[must_use]
    pub fn new(id: Option<SenderId>, key: [u8; 16], at: Timestamp) -> Self {
        Self {
            id,
            key,
            first: at,
            last: at,
            messages: 0,
            backlog: Backlog::default(),
            familiar: Counters::new(at),
            novel: Counters::new(at),
            volume: Volume {
                at,
                ..Volume::default()
            },
            usual: Outcomes::default(),
            today: Outcomes::default(),
            day: at.day(),
            active_days: 0.0,
            recipients: Recipients::default(),
            homes: Homes::default(),
            network_surprise: 0.0,
            network_met: None,
            hours: Hours::default(),
            habits: Habits::default(),
            recent: VecDeque::new(),
            machines: VecDeque::new(),
            last_source: None,
            uncounted: Uncounted::default(),
            suspicion: Suspicion::default(),
        }
    }

    /// What kind of sender it is by its habits.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.habits.class()
    }

    /// Reads a little of everything, so that it is near when it is needed; see [`Ledger::fetch`](super::Ledger::fetch).
    pub(super) fn touch(&self) -> u64 {
        let [_, _, _, now] = self.volume.now;
        let [_, _, record, _] = self.volume.record;
        let numbers = [
            self.familiar.hour.answered,
            self.familiar.day.tried,
            self.novel.hour.answered,
            self.novel.day.taken,
            now,
            record,
            self.usual.answered,
            self.today.answered,
            self.active_days,
            self.suspicion.score,
            self.hours.total(),
        ];
        let kept = [
            self.recipients.touch(),
            self.homes.iter().next().map_or(0, |home| home.network),
            self.recent.front().map_or(0, |_| 1),
            match &self.id {
                Some(SenderId::Sasl(login)) => login.bytes().next().map_or(0, u64::from),
                _ => 0,
            },
            self.messages,
            self.day.unsigned_abs(),
        ];
        let numbers = numbers.into_iter().map(f64::to_bits);
        numbers.chain(kept).fold(0, u64::wrapping_add)
    }

    /// The counters of one context.
    #[must_use]
    pub const fn context(&self, novel: bool) -> &Counters {
        if novel { &self.novel } else { &self.familiar }
    }

    /// The same, to change them.
    pub const fn context_mut(&mut self, novel: bool) -> &mut Counters {
        if novel {
            &mut self.novel
        } else {
            &mut self.familiar
        }
    }

    /// True when nothing was suspicious for a day.
    #[must_use]
    pub fn is_clean(&self, at: Timestamp) -> bool {
        self.suspicion
            .hot
            .is_none_or(|hot| at.seconds_since(hot) > 86_400.0)
    }

    /// True for an entry that has no record to be judged by.
    #[must_use]
    pub fn is_young(&self) -> bool {
        self.active_days < 3.0 && self.usual.answered < 30.0
    }

    /// Ends the running day: a clean one is learned. True when a new day began.
    pub fn roll(&mut self, at: Timestamp) -> bool {
        let day = at.day();
        if day <= self.day {
            return false;
        }
        self.active_days = self.active_days * 0.98 + 1.0;
        self.homes.new.scale(0.98);
        let [peak, ..] = self.volume.pending;
        let clean = self.is_clean(at) && !self.suspicion.held;
        self.habits.roll(clean, peak, self.homes.iter().count());
        if self.is_clean(at) {
            self.usual.fold(&self.today, 0.98);
            for (record, pending) in self.volume.record.iter_mut().zip(self.volume.pending) {
                *record = (*record * 0.995).max(pending);
            }
        }
        let clean = self.is_clean(at);
        self.backlog.roll(at, clean);
        self.today = Outcomes::default();
        self.volume.pending = self.volume.now;
        self.day = day;
        self.hours.age();
        self.suspicion.pardon *= 0.9;
        let keep = 0.4;
        self.uncounted.about_us *= keep;
        self.uncounted.weather *= keep;
        self.uncounted.harmless *= keep;
        true
    }

    /// Remembers a refusal.
    pub fn remember(&mut self, refusal: Refusal) {
        if self.recent.len() >= RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(refusal);
    }

    /// Remembers a machine of a new network.
    pub fn remember_machine(&mut self, machine: u64) {
        if !self.machines.contains(&machine) {
            if self.machines.len() >= MACHINES {
                self.machines.pop_front();
            }
            self.machines.push_back(machine);
        }
    }
}
