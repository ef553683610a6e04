//! The brain: feed it input with its time, drain effects, ask for the deadline. No clock, no I/O; the same inputs and
//! times give the same effects, live, observing and replaying.
//!
//! ```text
//! loop {
//!     engine.feed(time of the input, input)
//!     while let Some(effect) = engine.next_effect() { write it down, then carry it out }
//!     publish engine.view()
//! }
//! ```
//!
//! A decision falls in [`Engine::feed`] of the very record that suffices; nothing waits for a timer to be held. What a
//! sender's record says is judged by `policy`; what follows from a verdict (an incident, the brake, what lookups may
//! see) is kept in the [`docket`].

pub mod allowance;
mod batch;
mod clerk;
mod court;
pub mod docket;
pub mod effect;
pub mod incident;
mod lines;
mod peaks;
pub mod snapshot;
pub mod turnstile;
pub mod view;

use std::sync::Arc;

pub use batch::Batch;
pub use clerk::{Clerk, Told};
pub use snapshot::{Checkpoint, RestoreError};

use crate::{
    classify::Classifier,
    correlate::{self, Correlator, MessageKey, Orphan},
    engine::{
        court::Court,
        docket::{Brake, Docket},
        effect::Effect,
        incident::Incident,
        lines::Lines,
        peaks::Peaks,
        view::View,
    },
    ledger::{self, Closing, Ledger, SenderId, class::Class, sender::Sender},
    policy::{Explanation, Mode, Policies},
    postfix::record::Record,
    time::Timestamp,
};

/// What an engine is made of.
#[derive(Debug)]
pub struct Setup {
    /// Whether anything may act; a policy that only observes does not, whatever this says.
    pub mode: Mode,
    /// The rules.
    pub policies: Policies,
    /// Remote replies to bounce classes.
    pub classifier: Classifier,
    /// Zone, hash key, networks.
    pub ledger: ledger::Setup,
    /// Bounds of correlation.
    pub correlate: correlate::Limits,
    /// When automatic holds stop.
    pub brake: Brake,
}

/// One thing that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// A log record, and its line as it stands in the log.
    Record {
        /// The record.
        record: &'a Record<'a>,
        /// The line, as its bytes stand in the log.
        line: &'a [u8],
    },
    /// What a clerk on another core told; see [`Engine::clerk`].
    Told(&'a Told<'a>),
    /// What a queue file told about a message whose origin the log did not bring.
    QueueFile(correlate::Found<'a>),
    /// What a person decided.
    Operator(Order),
    /// Digests of an incident were published.
    Published {
        /// The incident.
        incident: u64,
        /// As lookups spell them: `pyzor:<hex>`.
        digests: Vec<String>,
    },
    /// The incident's digests are withdrawn.
    Retracted {
        /// The incident.
        incident: u64,
    },
    /// Nothing but time.
    Tick,
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Who.
    pub by: String,
    /// The reason given.
    pub reason: String,
    /// What.
    pub verb: OrderVerb,
}

/// The verbs of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderVerb {
    /// Hold a sender's mail.
    Hold(SenderId),
    /// Let the mail go and close the incident; `true`: there was no compromise.
    Release {
        /// The incident.
        incident: u64,
        /// It was a false positive: learn from it.
        false_positive: bool,
    },
    /// The account is compromised: refuse its mail until it is released.
    Confirm {
        /// The incident.
        incident: u64,
    },
}

/// The brain.
#[derive(Debug)]
pub struct Engine {
    clerk: Clerk,
    policies: Policies,
    ledger: Ledger,
    docket: Docket,
    lines: Lines,
    /// Saved pieces that could not be read at the last start.
    /// Daily maxima of the scores, if somebody wants them.
    peaks: Option<Peaks>,
    damaged: usize,
    /// Delivery attempts at remote sides since the start.
    attempts: u64,
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            clerk: Clerk::new(
                Correlator::new(setup.correlate),
                setup.classifier,
                &setup.ledger.key,
            ),
            policies: setup.policies,
            docket: Docket::new(setup.mode, setup.brake, setup.ledger.geo.clone()),
            ledger: Ledger::new(setup.ledger),
            lines: Lines::default(),
            peaks: None,
            damaged: 0,
            attempts: 0,
        }
    }

    /// A clerk that reads a log on another core: what it tells comes back as [`Input::Told`], instead of records.
    #[must_use]
    pub fn clerk(&self) -> Clerk {
        self.clerk.another()
    }

    /// Takes one input. `now` is event time: a record's own stamp, the clock's time for the rest. What was to be looked at
    /// again by then is looked at first, each at its own time.
    pub fn feed(&mut self, now: Timestamp, input: Input<'_>) {
        self.review(now);
        match input {
            Input::Record { record, line } => {
                let (clerk, mut court) = Court::of(self);
                clerk.record(record, line, &mut |told| court.weigh(&told));
            }
            Input::Told(told) => Court::of(self).1.weigh(told),
            Input::QueueFile(found) => {
                let (clerk, mut court) = Court::of(self);
                clerk.adopt(found, &mut |told| court.weigh(&told));
            }
            Input::Operator(order) => self.order(now, &order),
            Input::Published { incident, digests } => self.docket.publish(incident, digests),
            Input::Retracted { incident } => self.docket.retract(incident),
            Input::Tick => {
                let (clerk, mut court) = Court::of(self);
                clerk.tick(now, &mut |told| court.weigh(&told));
            }
        }
        for storm in self.ledger.take_storms(now) {
            let name = self.ledger.storm_name(&storm);
            let text = self.ledger.storm_text(&storm);
            self.docket.weather(storm.at, name, text, storm.began);
        }
    }

    /// Has the entries at hand of whoever a batch tells of, before it is told; changes nothing but the time that takes.
    pub fn prepare(&self, batch: &Batch) {
        std::hint::black_box(self.ledger.fetch(batch.parties()));
    }

    /// Whether there is something for the shell to do.
    #[must_use]
    pub fn has_effects(&self) -> bool {
        self.docket.has_effects()
    }

    /// Delivery attempts at remote sides that were told since the start.
    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// Saved pieces that could not be read at the last start and are missing now.
    #[must_use]
    pub const fn damaged(&self) -> usize {
        self.damaged
    }

    /// The next thing for the shell to do; drain until `None`.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.docket.next_effect()
    }

    /// When a verdict may change without any input; feed `Tick` then, unless another input comes first.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let calm = self.ledger.weather().deadline();
        self.docket.deadline().into_iter().chain(calm).min()
    }

    /// What lookups may see.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.docket.view()
    }

    /// The open incident of that number.
    #[must_use]
    pub fn incident(&self, number: u64) -> Option<&Incident> {
        self.docket.incident(number)
    }

    /// The open incident of a sender.
    #[must_use]
    pub fn incident_of(&self, sender_id: &SenderId) -> Option<&Incident> {
        self.docket.incident_of(sender_id)
    }

    /// What is known of a sender, what counts against it and what does not.
    #[must_use]
    pub fn explain(&self, sender_id: &SenderId, now: Timestamp) -> Option<Explanation> {
        let sender = self.ledger.find(sender_id)?;
        Some(self.policies.explain(&self.ledger, sender, now))
    }

    /// A sender's class: what the configuration says, else what its habits show.
    #[must_use]
    pub fn class(&self, sender: &Sender) -> Class {
        self.policies.class(sender)
    }

    /// The ledger, to read.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The correlator, to read.
    #[must_use]
    pub const fn correlator(&self) -> &Correlator {
        &self.clerk.correlator
    }

    /// The docket, to read.
    #[must_use]
    pub const fn docket(&self) -> &Docket {
        &self.docket
    }

    /// Up to `most` messages whose origin the log did not tell; each is given once. What their queue files say goes to
    /// [`Input::QueueFile`], at best before the next record.
    pub fn unknown(&mut self, most: usize) -> Vec<Orphan> {
        self.clerk.correlator.unknown(most)
    }

    /// Queue IDs of a sender's messages that are in the queue and not on hold, as far as the log and the queue files told.
    #[must_use]
    pub fn queued(&self, sender_id: &SenderId) -> Vec<String> {
        self.clerk
            .correlator
            .open_messages()
            .filter(|message| !message.held && self.sender_of(message.message) == Some(sender_id))
            .map(|message| message.queue_id.to_owned())
            .collect()
    }

    fn sender_of(&self, message: MessageKey) -> Option<&SenderId> {
        self.ledger.sender_id(self.ledger.sender_of(message)?)
    }

    /// Takes over new rules, mode and brake; the record of every sender stays.
    pub fn reconfigure(
        &mut self,
        mode: Mode,
        policies: Policies,
        classifier: Classifier,
        brake: Brake,
    ) {
        self.policies = policies;
        self.clerk.classifier = Arc::new(classifier);
        self.docket.reconfigure(mode, brake);
    }

    /// From now on the daily maximum of every sender's score is kept, as far as it may convict.
    pub fn keep_peaks(&mut self) {
        self.peaks = Some(Peaks::default());
    }

    /// Tells the maxima of days that are over (all of them if `last`): whose, day since the epoch (UTC), nats.
    pub fn take_peaks(&mut self, last: bool, each: &mut dyn FnMut(&SenderId, i64, f64)) {
        let Some(peaks) = &mut self.peaks else { return };
        if last {
            peaks.end_day();
        }
        for (sender, day, score) in peaks.take() {
            if let Some(sender_id) = self.ledger.sender_id(sender) {
                each(sender_id, day, score);
            }
        }
    }

    /// After learning from old logs: nobody stands convicted and nothing is asked of the shell; what is known of the
    /// senders stays.
    pub fn acquit_all(&mut self) {
        self.docket.acquit_all();
    }

    fn order(&mut self, now: Timestamp, order: &Order) {
        match &order.verb {
            OrderVerb::Hold(sender_id) => {
                let machines = self.ledger.machines_of(sender_id);
                self.docket.hold_by_person(now, sender_id, machines, order);
            }
            OrderVerb::Release {
                incident,
                false_positive,
            } => {
                let Some(sender_id) = self
                    .docket
                    .incident(*incident)
                    .map(|found| found.sender_id.clone())
                else {
                    return;
                };
                let confirmed = self.docket.release(now, *incident, *false_positive, order);
                if let Some(sender) = self.ledger.find(&sender_id) {
                    let how = if confirmed {
                        Closing::Cleaned
                    } else {
                        Closing::Legitimate
                    };
                    self.ledger.close(now, sender, how);
                }
            }
            OrderVerb::Confirm { incident } => self.docket.confirm(now, *incident, order),
        }
    }

    /// Judges again those whose verdict was to be looked at by now, each at the time that was set for it.
    fn review(&mut self, now: Timestamp) {
        while let Some((at, sender_id)) = self.docket.due(now) {
            let Some(sender) = self.ledger.find(&sender_id) else {
                self.docket.forget(&sender_id);
                continue;
            };
            Court::of(self).1.judge(at, sender);
        }
    }
}

#[cfg(test)]
mod tests;
