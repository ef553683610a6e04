//! The one place that turns a decision into an answer of lookups.

use std::sync::Arc;

use crate::{
    engine::{
        docket::Docket,
        view::{Conviction, Publication, Slowed, View},
    },
    ledger::SenderId,
    policy::Mode,
};

impl Docket {
    /// Draws the picture that lookups see.
    pub(super) fn picture(&mut self) {
        let mut view = View {
            places: self.places.clone(),
            ..View::default()
        };
        for incident in self
            .incidents
            .values()
            .filter(|incident| incident.mode == Mode::Enforce)
        {
            let conviction = Conviction {
                incident: incident.number,
                verdict: incident.verdict,
            };
            match &incident.sender_id {
                SenderId::Sasl(login) => {
                    view.logins.insert(login.to_lowercase(), conviction);
                }
                SenderId::From(sender) => {
                    view.senders.insert(sender.to_lowercase(), conviction);
                    remember(&mut view, sender, &incident.machines);
                }
                SenderId::Ip(address) => {
                    view.clients.insert(*address, conviction);
                }
                // Mail of a local user comes in by pickup, which asks nobody: it is swept from the queue.
                SenderId::Uid(_) => {}
            }
        }
        for (sender_id, slow) in self.slowed() {
            if let SenderId::From(sender) = sender_id {
                remember(&mut view, sender, &slow.machines);
            }
            let slowed = Slowed {
                since: slow.since,
                allowance: slow.allowance.clone(),
            };
            view.slowed.insert(sender_id.clone(), slowed);
        }
        let digests = self.kept.digests.iter();
        view.digests = digests
            .map(|(digest, incident)| {
                (
                    digest.clone(),
                    Publication {
                        incident: *incident,
                    },
                )
            })
            .collect();
        if *self.view != view {
            self.view = Arc::new(view);
        }
    }
}

/// Which clients a sender's mail comes from; where none is known every client is believed.
fn remember(view: &mut View, sender: &str, machines: &[u64]) {
    if !machines.is_empty() {
        view.machines
            .insert(sender.to_lowercase(), machines.to_vec());
    }
}
