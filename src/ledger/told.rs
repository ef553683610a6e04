//! What others ask of the ledger: whose a message is, and trouble in words.

use crate::{
    correlate::MessageKey,
    ledger::{Ledger, SenderIndex, counters::Picture, weather::Storm},
};

impl Ledger {
    /// Whose an open message is.
    #[must_use]
    pub fn sender_of(&self, message: MessageKey) -> Option<SenderIndex> {
        self.messages.get(message).map(|message| message.sender)
    }

    /// Trouble that everybody meets, in one sentence.
    #[must_use]
    pub fn storm_text(&self, storm: &Storm) -> String {
        let what = match storm.picture {
            Picture::List => "unknown recipients",
            Picture::Content => "refusals of content or sender",
            Picture::Rate => "deferrals and rate limits",
        };
        let place = self.operator_name(storm.operator);
        let verb = if storm.began {
            "everybody meets"
        } else {
            "no longer everybody meets"
        };
        format!("{verb} {what} at {place}")
    }
}
