//! Mail that intake put off because its sender is slowed: counted for itself, never as a refusal.

use crate::{
    correlate::Party,
    ledger::{Ledger, SenderIndex},
    time::Timestamp,
};

impl Ledger {
    /// Intake put off a message of a known sender.
    pub fn put_off(&mut self, at: Timestamp, party: Party<'_>) -> Option<SenderIndex> {
        let sender = self.find(&self.answerable(at, party)?)?;
        let network = party
            .client_address
            .map(|address| self.setup.geo.place(address).network);
        let entry = self.sender_mut(sender)?;
        let usual = network.is_some_and(|network| {
            entry
                .homes
                .iter()
                .any(|home| home.adopted && home.network == network)
        });
        let context = entry.context_mut(!usual);
        context.fade(at);
        context.each(|counts| counts.put_off += 1.0);
        Some(sender)
    }
}
