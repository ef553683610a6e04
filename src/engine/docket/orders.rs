//! What a person decides.

use crate::{
    engine::{
        Order,
        docket::{Docket, Signs},
        effect::Effect,
        incident::{Incident, State},
    },
    ledger::SenderId,
    policy::{Figures, Judgement, Mode, Reason, Verdict},
    time::Timestamp,
};

impl Docket {
    /// A person wants a sender's mail held; acts in observe mode too, since a person decided.
    pub(in crate::engine) fn hold_by_person(
        &mut self,
        at: Timestamp,
        sender_id: &SenderId,
        machines: Vec<u64>,
        order: &Order,
    ) {
        let signs = Signs {
            machines,
            ..Signs::default()
        };
        let text = format!("{} said so: {}", order.by, order.reason);
        let judgement = Judgement {
            verdict: Verdict::Hold,
            policy: "operator".to_owned(),
            mode: Mode::Enforce,
            reasons: vec![Reason {
                signal: "operator".to_owned(),
                text,
            }],
            figures: Figures::default(),
        };
        self.stand(at, sender_id, Verdict::Hold);
        let number = match self.open.get(sender_id).copied() {
            Some(number) => {
                self.raise(at, number, &judgement, signs);
                number
            }
            None => self.open(at, sender_id, &judgement, signs),
        };
        self.announce(at, sender_id, judgement, Some(number));
        self.picture();
    }

    /// Closes an incident and lets the mail go; answers whether the compromise had been confirmed.
    pub(in crate::engine) fn release(
        &mut self,
        at: Timestamp,
        number: u64,
        false_positive: bool,
        order: &Order,
    ) -> bool {
        let Some(mut incident) = self.incidents.remove(&number) else {
            return false;
        };
        self.open.remove(&incident.sender_id);
        self.kept.standing.remove(&incident.sender_id);
        self.slow(&incident.sender_id, None);
        self.reckon();
        let confirmed = incident.state == State::Confirmed;
        if !confirmed {
            incident.state = if false_positive {
                State::FalsePositive
            } else {
                State::Released
            };
            self.retract(number);
        }
        incident.closed = Some(at);
        incident.closed_by = Some(format!("{}: {}", order.by, order.reason));
        // A person has looked: what the brake stopped may act again.
        self.kept.braked = false;
        self.kept.holds.clear();
        self.announce(
            at,
            &incident.sender_id.clone(),
            cleared(&incident, order),
            Some(number),
        );
        self.effects
            .push_back(Effect::Incident(Box::new(incident.clone())));
        if incident.mode == Mode::Enforce {
            self.effects.push_back(Effect::Release { incident: number });
        }
        self.closed.push(incident);
        self.picture();
        confirmed
    }

    /// The compromise is confirmed: new mail is refused from now on, whatever the mode was.
    pub(in crate::engine) fn confirm(&mut self, at: Timestamp, number: u64, order: &Order) {
        let Some(incident) = self.incidents.get_mut(&number) else {
            return;
        };
        incident.state = State::Confirmed;
        incident.verdict = Verdict::Suspend;
        incident.mode = Mode::Enforce;
        let text = format!("{} confirmed it: {}", order.by, order.reason);
        incident.reasons.push(Reason {
            signal: "operator".to_owned(),
            text,
        });
        let (copy, sender_id) = (incident.clone(), incident.sender_id.clone());
        let judgement = Judgement {
            verdict: Verdict::Suspend,
            policy: "operator".to_owned(),
            mode: Mode::Enforce,
            reasons: copy.reasons.clone(),
            figures: copy.figures,
        };
        self.changed.push(number);
        self.announce(at, &sender_id, judgement, Some(number));
        self.effects.push_back(Effect::Incident(Box::new(copy)));
        self.picture();
    }
}

fn cleared(incident: &Incident, order: &Order) -> Judgement {
    Judgement {
        verdict: Verdict::Clear,
        policy: "operator".to_owned(),
        mode: incident.mode,
        reasons: vec![Reason {
            signal: "operator".to_owned(),
            text: format!("{} released it: {}", order.by, order.reason),
        }],
        figures: incident.figures,
    }
}
