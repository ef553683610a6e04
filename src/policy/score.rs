//! The score: how much better a thief explains what is seen than the sender's own habits do, in nats.
//!
//! Four pictures of an attack are looked at and the best one counts: a bad recipient list, refused content, mail put
//! off, and a clean targeted list from a new network. Each adds up refusals against the sender's own long-run rate, the
//! network, volume against the sender's own record, recipients not written to before, the hour of the week, and what
//! other senders do from the same new places.

use crate::{
    ledger::{
        Ledger, SenderId, SenderIndex,
        counters::{Counters, Counts, DAY, PerPicture, Picture},
        group::GroupKey,
        sender::Sender,
    },
    policy::bayes,
    time::Timestamp,
};

/// Score of the slow step.
pub(super) const SLOW: f64 = 4.5;
/// Recipients an hour over a new network from which on the slow step bites at all.
const BITES: f64 = 6.0;
/// A new network and a volume that was never seen slow at this.
const CLEAN_SLOW: f64 = 2.0;
/// Seconds of quiet after which a slowed sender is let go.
const LET_GO: f64 = 1800.0;
/// A kind of reason counts as present above this.
const GUARD: f64 = 1.5;
/// Refusals alone convict above this.
const ALONE: f64 = 12.0;
/// The same for unknown recipients without any refused content, which a stale list has as well.
const ALONE_LIST: f64 = 14.0;
/// A clean list from a new network is held at this only.
const CLEAN_HOLD: f64 = 8.25;
/// A network that is hardly the owner's.
const STRANGE: f64 = 3.0;
/// Prior of a bad list, and of one that may as well be stale.
const LIST: f64 = -0.69;
const STALE: f64 = -2.7;
/// Priors of the other pictures.
const CONTENT: f64 = -1.61;
const RATE: f64 = -1.61;
const CLEAN: f64 = -2.12;
/// In the usual place behaviour alone is not worth more than this.
const BEHAVIOUR: f64 = 5.0;
/// Half-life terms of a new network (seconds).
const NETWORK_FRESH: f64 = 6.0 * 3600.0;
const NETWORK_FADES: f64 = 12.0 * 3600.0;
/// What a familiar network speaks for the owner.
const AT_HOME: f64 = -0.5;
/// Floors of the volume records: recipients in ten minutes, an hour, a day; and the records of a young sender.
const FLOORS: [f64; 4] = [8.0, 15.0, 40.0, 6.0];
const YOUNG: [f64; 4] = [6.0, 20.0, 60.0, 5.0];

/// Which picture of an attack fits best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A bad recipient list.
    List,
    /// Remote sides refuse the content.
    Content,
    /// Remote sides put the mail off.
    Rate,
    /// A clean list from a new network.
    Clean,
}

/// The score and what it is made of, in nats.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assessment {
    /// The sum.
    pub score: f64,
    /// The best picture.
    pub shape: Shape,
    /// True when it is about traffic of a new network.
    pub novel: bool,
    /// Refusals against the sender's own rate.
    pub refusals: PerPicture,
    /// The network.
    pub network: f64,
    /// Volume against the record.
    pub volume: f64,
    /// Recipients not written to before.
    pub strangers: f64,
    /// The hour of the week.
    pub hour: f64,
    /// Others from the same new places.
    pub group: f64,
    /// A source that a convicted sender used.
    pub source: f64,
    /// Independent kinds of reasons present.
    pub kinds: u32,
    /// Refused recipients that it rests on.
    pub refused: f64,
    /// First attempts over the same kind of network within the hour: nothing is judged before it is on its way.
    pub tried: f64,
    /// Recipients taken in over the same kind of network within the hour.
    pub taken: f64,
}

impl Assessment {
    /// True when slowing would bite: so little mail passes the limit anyway.
    #[must_use]
    pub fn slows(&self) -> bool {
        let enough = self.score >= SLOW && self.taken >= BITES;
        let clean =
            self.shape == Shape::Clean && self.score >= CLEAN_SLOW && self.taken >= 2.0 * BITES;
        self.tried >= 0.5 && (enough || clean)
    }

    /// True when it may convict: two independent kinds of reasons or overwhelming refusals, and something to show.
    #[must_use]
    pub fn convicts(&self) -> bool {
        let enough = match self.shape {
            Shape::Clean => self.score >= CLEAN_HOLD,
            _ if self.source >= 4.0 => {
                self.refused >= 1.0 && self.tried >= 3.0 || self.tried >= BITES
            }
            // Strangers written to from a place that nobody expects: two refusals will do.
            _ if self.network > STRANGE && self.strangers > 0.0 && self.tried >= BITES => {
                self.refused >= 1.9
            }
            _ => self.refused >= 3.0,
        };
        let r = &self.refusals;
        let alone = match self.shape {
            Shape::List if r.content <= 0.0 => r.list >= ALONE_LIST,
            _ => r.list.max(r.content).max(r.rate) >= ALONE,
        };
        enough && (self.kinds >= 2 || alone)
    }
}

/// Scores a sender; `None` when nothing is unusual (the fast path). Remembers what it found in the entry.
pub(super) fn assess(
    ledger: &mut Ledger,
    sender: SenderIndex,
    at: Timestamp,
) -> Option<Assessment> {
    let entry = ledger.sender(sender)?;
    if is_unremarkable(entry, at) {
        if entry.suspicion.score != 0.0 {
            ledger.sender_mut(sender)?.suspicion.score = 0.0;
        }
        return None;
    }
    let found = examine(ledger, sender, at)?;
    let suspicion = &mut ledger.sender_mut(sender)?.suspicion;
    suspicion.score = found.score;
    if found.score >= SLOW {
        suspicion.hot = Some(at);
    }
    if found.slows() {
        suspicion.hot = Some(at);
        suspicion.slowed = true;
    } else if suspicion.slowed
        && found.score < 0.6 * SLOW
        && suspicion
            .hot
            .is_none_or(|hot| at.seconds_since(hot) > LET_GO)
    {
        suspicion.slowed = false;
    }
    Some(found)
}

/// Familiar network, nothing refused of late, volume below the record.
fn is_unremarkable(entry: &Sender, at: Timestamp) -> bool {
    if entry.suspicion.slowed
        || entry.novel.day.taken >= 0.3
            && entry.novel.day.taken * (-at.seconds_since(entry.novel.at) / DAY).exp() >= 0.3
        || entry.familiar.day.refused.sum() >= 0.3
    {
        return false;
    }
    entry
        .volume
        .now
        .iter()
        .zip(entry.volume.record)
        .zip(FLOORS)
        .all(|((now, record), floor)| *now <= record + floor)
}

/// Scores a sender from what the ledger holds.
#[must_use]
pub(super) fn examine(ledger: &Ledger, sender: SenderIndex, at: Timestamp) -> Option<Assessment> {
    examine_as(ledger, sender, ledger.sender(sender)?, at)
}

/// Scores a sender as if its entry were this one.
#[must_use]
pub(super) fn examine_as(
    ledger: &Ledger,
    sender: SenderIndex,
    entry: &Sender,
    at: Timestamp,
) -> Option<Assessment> {
    let volume = volume(entry, at) * taught(ledger, entry);
    let hour = hour(entry, ledger.hour_bin(at));
    let mut best: Option<Assessment> = None;
    for novel in [true, false] {
        let mut context = *entry.context(novel);
        if context.hour.taken < 0.3 && context.day.taken < 0.3 {
            continue;
        }
        context.fade(at);
        let found = look(
            ledger,
            sender,
            entry,
            &context,
            Look {
                novel,
                volume,
                hour,
                at,
            },
        );
        if best.is_none_or(|best| found.score > best.score) {
            best = Some(found);
        }
    }
    best.map(|mut best| {
        best.score -= entry.suspicion.pardon;
        best
    })
}

#[derive(Clone, Copy)]
struct Look {
    novel: bool,
    volume: f64,
    hour: f64,
    at: Timestamp,
}

fn look(
    ledger: &Ledger,
    sender: SenderIndex,
    entry: &Sender,
    context: &Counters,
    look: Look,
) -> Assessment {
    let mut found = Assessment {
        score: f64::NEG_INFINITY,
        shape: Shape::List,
        novel: look.novel,
        refusals: PerPicture {
            list: refusals(entry, context, Picture::List),
            content: refusals(entry, context, Picture::Content),
            rate: refusals(entry, context, Picture::Rate),
        },
        network: AT_HOME,
        volume: look.volume,
        strangers: strangers(entry, context) * taught(ledger, entry),
        hour: look.hour,
        group: 0.0,
        source: 0.0,
        kinds: 0,
        refused: context.hour.refused.sum().max(context.day.refused.sum()),
        tried: context.hour.tried,
        taken: context.hour.taken,
    };
    if look.novel {
        found.network = network(ledger, entry, look.at);
        (found.group, found.source) = company(ledger, sender, entry, look.at);
        let [_, hour, day, _] = entry.volume.now;
        if context.hour.taken <= 0.3 * hour && context.day.taken <= 0.3 * day {
            found.volume *= 0.3;
        }
    } else {
        let sum = found.volume + found.strangers + found.hour;
        if sum > BEHAVIOUR {
            found.volume *= BEHAVIOUR / sum;
            found.strangers *= BEHAVIOUR / sum;
            found.hour *= BEHAVIOUR / sum;
        }
    }
    best_shape(&mut found, is_program(entry));
    found
}

/// Who sends without a login is a program: it keeps no address book that goes stale.
const fn is_program(entry: &Sender) -> bool {
    matches!(
        entry.id,
        Some(SenderId::From(_) | SenderId::Ip(_) | SenderId::Uid(_))
    )
}

/// Sums up each picture and keeps the best one.
fn best_shape(found: &mut Assessment, program: bool) {
    let r = found.refusals;
    let common = found.strangers + found.network + found.volume + found.hour + found.source;
    let list = r.list.max(0.0);
    // From a usual place, unknown recipients and nothing else are more often a stale list than a thief.
    let prior = if found.network > GUARD || r.content > 0.0 || program {
        LIST
    } else {
        STALE
    };
    let clean = if found.network > 2.5 && found.volume > 1.0 {
        CLEAN + common - 0.5 * found.strangers
    } else {
        f64::NEG_INFINITY
    };
    let shapes = [
        (Shape::List, prior + r.list + common + found.group, r.list),
        (
            Shape::Content,
            CONTENT + r.content + 0.5 * list + common + found.group,
            r.content,
        ),
        (
            Shape::Rate,
            RATE + r.rate + 0.5 * list + 0.5 * r.content + common,
            r.rate,
        ),
        (Shape::Clean, clean, 0.0),
    ];
    let mut own = 0.0;
    for (shape, score, refusals) in shapes {
        if score > found.score {
            found.score = score;
            found.shape = shape;
            own = refusals;
        }
    }
    let behaviour = found.volume + found.hour.max(0.0) + found.strangers.max(0.0);
    let kinds = [
        own > GUARD,
        found.network > GUARD,
        behaviour > GUARD + 0.5,
        found.group > GUARD,
        found.source >= 4.0,
    ];
    found.kinds = kinds.into_iter().map(u32::from).sum();
}

/// What is unusual for a newcomer is worth less while everybody is one, as on our first day.
fn taught(ledger: &Ledger, entry: &Sender) -> f64 {
    if entry.is_young() {
        ledger.neighbourhood().experience().max(0.02)
    } else {
        1.0
    }
}

/// Volume against the sender's own record: 2 ln(v / record), at most 5.
fn volume(entry: &Sender, at: Timestamp) -> f64 {
    let young = if entry.is_young() { YOUNG } else { [0.0; 4] };
    let now = entry.volume.faded(at);
    let mut most = 0.0f64;
    for (((now, record), floor), young) in
        now.iter().zip(entry.volume.record).zip(FLOORS).zip(young)
    {
        let ratio = now / (record.max(young) + floor);
        if ratio > 1.0 {
            most = most.max(2.0 * ratio.ln());
        }
    }
    most.min(5.0)
}

fn hour(entry: &Sender, bin: usize) -> f64 {
    if entry.hours.total() <= 25.0 {
        return 0.0;
    }
    (0.6 * (1.0 / 48.0 / entry.hours.share(bin)).ln()).clamp(-0.5, 1.5)
}

fn network(ledger: &Ledger, entry: &Sender, at: Timestamp) -> f64 {
    let company = entry
        .last_source
        .and_then(|source| ledger.groups().get(GroupKey::Network(source.network)));
    // Many senders who come from the same new place and are not refused there explain each other: a move.
    let moved = company
        .filter(|group| {
            group.members() >= 4
                && group.tried >= 8.0
                && group.list + group.other < 0.04 * group.tried
        })
        .map_or(0.0, |group| (group.members() as f64 / 2.0).ln());
    entry.network_met.map_or(AT_HOME, |met| {
        let stale = (at.seconds_since(met) - NETWORK_FRESH).max(0.0);
        let nats = entry.network_surprise * (-stale / NETWORK_FADES).exp();
        if nats > 0.0 {
            (nats - moved).max(0.0)
        } else {
            nats
        }
    })
}

/// Recipients not written to before, against the sender's own share of such.
fn strangers(entry: &Sender, context: &Counters) -> f64 {
    let Counts {
        strangers, tried, ..
    } = context.hour;
    if tried <= 1.0 {
        return 0.0;
    }
    let before = (entry.recipients.new - context.day.strangers + 2.0)
        / ((entry.recipients.seen - context.day.tried).max(0.0) + 12.0);
    let usual = before.clamp(0.03, 0.95);
    let k = strangers.min(tried);
    let thief = bayes::likelihood(k, tried, 6.0, 1.0);
    let owner = bayes::likelihood(k, tried, 4.0 * usual, 4.0 * (1.0 - usual));
    (0.3 * (thief - owner)).clamp(-1.0, 1.2)
}

/// The larger log Bayes factor of both horizons.
fn refusals(entry: &Sender, context: &Counters, picture: Picture) -> f64 {
    surprise(entry, &context.hour, picture).max(surprise(entry, &context.day, picture))
}

/// log Bayes factor of k refusals of n answers: an attack against the sender's own long-run rate.
fn surprise(entry: &Sender, counts: &Counts, picture: Picture) -> f64 {
    let n = if picture == Picture::Rate {
        counts.tried
    } else {
        counts.answered
    };
    let k = counts.refused.get(picture);
    if n < 0.5 || (k < 0.05 && n < 3.0) {
        return 0.0;
    }
    let k = k.min(n);
    let (class_rate, shapes) = match picture {
        Picture::List => (0.012, [(4.0, 6.0), (2.5, 12.0)]),
        Picture::Content => (0.004, [(3.0, 4.0), (2.0, 12.0)]),
        Picture::Rate => (0.01, [(3.0, 3.0), (2.0, 8.0)]),
    };
    let usual = &entry.usual;
    let rate =
        ((usual.refused.get(picture) + 40.0 * class_rate) / (usual.answered + 40.0)).min(0.6);
    let steadiness = 15.0 + usual.answered.min(2000.0) / 100.0;
    let owner = bayes::likelihood(k, n, rate * steadiness, (1.0 - rate) * steadiness);
    let [(a, b), (c, d)] = shapes;
    bayes::ln_mean(bayes::likelihood(k, n, a, b), bayes::likelihood(k, n, c, d)) - owner
}

/// What other senders do from the same new places, and whether a convicted one used them.
fn company(ledger: &Ledger, sender: SenderIndex, entry: &Sender, at: Timestamp) -> (f64, f64) {
    let Some(last) = entry.last_source else {
        return (0.0, 0.0);
    };
    let mut group = 0.0f64;
    let mut machine = 0.0;
    for key in last.keys() {
        let Some(found) = ledger
            .groups()
            .get(key)
            .filter(|group| group.members() >= 2 && group.tried > 2.0)
        else {
            continue;
        };
        let n = found.tried;
        let k = (found.list + found.other).min(n);
        let nats = (bayes::likelihood(k, n, 3.0, 8.0) - bayes::likelihood(k, n, 0.25, 14.0))
            .clamp(-2.0, 5.0);
        let nats = if matches!(key, GroupKey::Network(_)) {
            0.7 * nats
        } else {
            nats
        };
        if matches!(key, GroupKey::Address(_)) {
            machine = nats;
        }
        group = group.max(nats);
    }
    let convicted = ledger.groups().convicted(at, sender, last.machine);
    let blameless = machine <= -0.5 || ledger.neighbourhood().users(last.network) >= 3.0;
    let source = match convicted {
        0 => 0.0,
        _ if blameless => 0.0,
        1 => 2.0,
        _ => 4.0,
    };
    (group, source)
}
