//! Several relays, one ledger: what each saw of a sender, added up.
//!
//! Sums that fade are brought to one time and added; records are the higher one; filters and networks are united. It
//! does not matter in which order relays are merged, but each is merged once: merging adds. Open messages, the weather
//! and the groups of new places stay with the relay that saw them, as a message's retries do.

use crate::ledger::{
    Ledger, SenderIndex,
    counters::{Counters, Counts},
    profile::{Home, Homes, Volume},
    sender::{Sender, Suspicion, Uncounted},
};

impl Ledger {
    /// Adds what another relay saw. False, and nothing is merged, when the other one hashes under another key: the same
    /// sender is not the same entry then.
    pub fn merge(&mut self, other: &Self) -> bool {
        if self.setup.key != other.setup.key {
            return false;
        }
        for (_, theirs) in other.senders() {
            match self.keys.get(&theirs.key).copied() {
                Some(number) => {
                    if let Some(ours) = self.sender_mut(number) {
                        ours.merge(theirs);
                    }
                }
                None => self.take_in(theirs),
            }
        }
        self.neighbourhood.merge(&other.neighbourhood);
        let homes = self.senders.iter().flat_map(|sender| sender.homes.iter());
        self.neighbourhood.recount(homes);
        self.changes.neighbourhood = true;
        true
    }

    fn take_in(&mut self, theirs: &Sender) {
        let number = SenderIndex(u32::try_from(self.senders.len()).unwrap_or(u32::MAX));
        if let Some(id) = &theirs.id {
            self.index.insert(id.clone(), number);
        }
        self.keys.insert(theirs.key, number);
        self.senders.push(theirs.clone());
        self.changes.sender(number);
    }
}

impl Sender {
    /// Adds what another relay saw of the same sender.
    pub fn merge(&mut self, theirs: &Self) {
        let mut theirs = theirs.clone();
        let last = self.last.max(theirs.last);
        self.roll(last);
        theirs.roll(last);
        self.id = self.id.take().or(theirs.id);
        self.first = self.first.min(theirs.first);
        self.last = last;
        self.messages += theirs.messages;
        self.familiar.merge(&theirs.familiar);
        self.novel.merge(&theirs.novel);
        self.volume.merge(&theirs.volume);
        self.usual.fold(&theirs.usual, 1.0);
        self.today.fold(&theirs.today, 1.0);
        self.active_days = self.active_days.max(theirs.active_days);
        self.recipients.merge(&theirs.recipients);
        self.homes.merge(&theirs.homes);
        if theirs.network_met > self.network_met {
            self.last_source = theirs.last_source.or(self.last_source);
        }
        self.network_surprise = self.network_surprise.max(theirs.network_surprise);
        self.network_met = self.network_met.max(theirs.network_met);
        self.hours.merge(&theirs.hours);
        self.habits.merge(&theirs.habits);
        let mut recent: Vec<_> = self.recent.drain(..).chain(theirs.recent).collect();
        recent.sort_by(|a, b| {
            a.at.cmp(&b.at)
                .then(a.operator.cmp(&b.operator))
                .then(a.picture.cmp(&b.picture))
                .then(a.weight.total_cmp(&b.weight))
        });
        recent.into_iter().for_each(|found| self.remember(found));
        theirs
            .machines
            .into_iter()
            .for_each(|machine| self.remember_machine(machine));
        self.uncounted.merge(theirs.uncounted);
        self.suspicion.merge(theirs.suspicion);
    }
}

impl Counters {
    /// Adds sums that were kept elsewhere.
    pub fn merge(&mut self, theirs: &Self) {
        let at = self.at.max(theirs.at);
        let mut theirs = *theirs;
        self.fade_exactly(at);
        theirs.fade_exactly(at);
        self.hour.add(&theirs.hour);
        self.day.add(&theirs.day);
    }
}

impl Counts {
    fn add(&mut self, theirs: &Self) {
        self.answered += theirs.answered;
        self.refused.list += theirs.refused.list;
        self.refused.content += theirs.refused.content;
        self.refused.rate += theirs.refused.rate;
        self.strangers += theirs.strangers;
        self.taken += theirs.taken;
        self.tried += theirs.tried;
        self.put_off += theirs.put_off;
    }
}

impl Volume {
    fn merge(&mut self, theirs: &Self) {
        let at = self.at.max(theirs.at);
        let (ours, others) = (self.faded(at), theirs.faded(at));
        for ((now, ours), others) in self.now.iter_mut().zip(ours).zip(others) {
            *now = ours + others;
        }
        self.at = at;
        let higher = |ours: &mut [f64; 4], theirs: [f64; 4]| {
            for (ours, theirs) in ours.iter_mut().zip(theirs) {
                *ours = ours.max(theirs);
            }
        };
        higher(&mut self.record, theirs.record);
        higher(&mut self.pending, theirs.pending);
        // What all relays took in together is a high mark as well.
        let now = self.now;
        higher(&mut self.pending, now);
    }
}

impl Homes {
    fn merge(&mut self, theirs: &Self) {
        self.new.shared += theirs.new.shared;
        self.new.lonely += theirs.new.lonely;
        self.witnessed = self.witnessed.max(theirs.witnessed);
        for home in theirs.iter() {
            match self.get_mut(home.network) {
                Some(ours) => {
                    *ours = Home {
                        first: ours.first.min(home.first),
                        last: ours.last.max(home.last),
                        adopted: ours.adopted || home.adopted,
                        ..*ours
                    };
                }
                None => self.add(*home),
            }
        }
    }
}

impl Uncounted {
    fn merge(&mut self, theirs: Self) {
        self.about_us += theirs.about_us;
        self.weather += theirs.weather;
        self.harmless += theirs.harmless;
    }
}

impl Suspicion {
    fn merge(&mut self, theirs: Self) {
        self.score = self.score.max(theirs.score);
        self.hot = self.hot.max(theirs.hot);
        self.slowed |= theirs.slowed;
        self.pardon = self.pardon.max(theirs.pardon);
        self.held |= theirs.held;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        classify::BounceClass,
        correlate::{Attempt, MessageKey, Origin},
        ledger::{SenderId, Setup},
        postfix::record::{Relay, Status},
        time::Timestamp,
    };

    /// One message of one of five people: who, seconds since the last one, and whether its recipient exists.
    type Mail = (u32, u64, bool);

    fn play(ledger: &mut Ledger, at: Timestamp, number: usize, (person, _, exists): Mail) {
        let login = format!("p{person}@example.org");
        let origin = Origin {
            login: Some(login.as_str().into()),
            sender: Some(login.as_str().into()),
            client_address: "192.0.2.7".parse().ok(),
            ..Origin::default()
        };
        let message = MessageKey(number as u64);
        ledger.submission(at, message, &origin, 1, 900);
        let recipient = format!("r{number}@example.net");
        let attempt = Attempt {
            message,
            queue_id: "",
            at,
            origin: &origin,
            recipient: &recipient,
            orig_to: None,
            relay: Some(Relay {
                host: &format!("mx.d{person}.example"),
                address: "",
                port: Some(25),
            }),
            remote: true,
            dsn: "",
            status: if exists {
                Status::Sent
            } else {
                Status::Bounced
            },
            reply: None,
            stage: None,
            text: "",
        };
        ledger.attempt(&attempt, (!exists).then_some(BounceClass::UserUnknown));
        ledger.end(at, message);
    }

    fn counters(ledger: &Ledger, at: Timestamp) -> Vec<(String, Vec<f64>)> {
        let mut found: Vec<_> = ledger
            .senders()
            .map(|(_, entry)| {
                let mut now = entry.familiar;
                now.fade(at);
                let mut numbers = vec![entry.messages as f64, entry.hours.total()];
                for counts in [now.hour, now.day] {
                    let refused = counts.refused.list;
                    numbers.extend([counts.tried, counts.answered, refused, counts.taken]);
                }
                numbers.extend(entry.volume.faded(at));
                numbers.extend([entry.today.answered, entry.recipients.seen]);
                (
                    entry
                        .id
                        .as_ref()
                        .map(SenderId::to_string)
                        .unwrap_or_default(),
                    numbers,
                )
            })
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn alike(one: &[(String, Vec<f64>)], other: &[(String, Vec<f64>)]) -> bool {
        one.len() == other.len()
            && one.iter().zip(other).all(|(a, b)| {
                let close = |(x, y): (&f64, &f64)| (x - y).abs() <= 2e-3 * x.abs().max(1.0);
                a.0 == b.0 && a.1.iter().zip(&b.1).all(close)
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn three_relays_merged_in_any_order_count_what_one_would_have(
            mails in proptest::collection::vec((0u32..5, 1u64..400, any::<bool>()), 1..60),
            hosts in proptest::collection::vec(0usize..3, 60),
            turn in 0usize..3,
        ) {
            let mut one = Ledger::new(Setup::default());
            let mut three = [0; 3].map(|_| Ledger::new(Setup::default()));
            let mut at = Timestamp::from_seconds(1_772_438_400);
            for (number, mail) in mails.iter().enumerate() {
                at = at + Duration::from_secs(mail.1);
                play(&mut one, at, number, *mail);
                play(&mut three[hosts[number]], at, number, *mail);
            }
            let mut merged = Ledger::new(Setup::default());
            for n in 0..3 {
                assert!(merged.merge(&three[(n + turn) % 3]));
            }
            prop_assert!(
                alike(&counters(&one, at), &counters(&merged, at)),
                "{:?}\n{:?}", counters(&one, at), counters(&merged, at)
            );
        }
    }

    #[test]
    fn another_key_is_another_house() {
        let other = Ledger::new(Setup {
            key: [1; 32],
            ..Setup::default()
        });
        assert!(!Ledger::new(Setup::default()).merge(&other));
    }

    #[test]
    fn records_do_not_add_up_and_networks_are_united() {
        let at = Timestamp::from_seconds(1_772_438_400);
        let mut ours = Ledger::new(Setup::default());
        let mut theirs = Ledger::new(Setup::default());
        play(&mut ours, at, 1, (1, 0, true));
        play(&mut theirs, at, 2, (1, 0, true));
        for ledger in [&mut ours, &mut theirs] {
            let sender = ledger
                .find(&SenderId::Sasl("p1@example.org".into()))
                .unwrap();
            ledger.sender_mut(sender).unwrap().volume.record = [7.0; 4];
        }
        assert!(ours.merge(&theirs));
        let sender = ours.find(&SenderId::Sasl("p1@example.org".into())).unwrap();
        let entry = ours.sender(sender).unwrap();
        assert!(
            entry
                .volume
                .record
                .iter()
                .all(|record| (6.9..7.1).contains(record))
        );
        assert_eq!(entry.homes.iter().count(), 1);
        assert_eq!(entry.messages, 2);
    }
}
