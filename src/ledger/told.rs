//! What others ask of the ledger: whose a message is, and trouble in words.

use crate::{
    correlate::MessageKey,
    ledger::{
        Ledger, SenderIndex,
        counters::Picture,
        weather::{ADDRESS, SITE, Storm},
    },
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
        let place = match storm.operator {
            SITE => "every second operator",
            operator => self.operator_name(operator),
        };
        let trouble = match (storm.operator, storm.picture) {
            (ADDRESS, _) => "several operators refuse our own address".to_owned(),
            (_, Picture::List) => format!("{place} says unknown recipient to everybody"),
            (_, Picture::Content) => format!("{place} refuses everybody's mail"),
            (_, Picture::Rate) => format!("{place} puts off everybody's mail"),
        };
        if storm.began {
            format!("{trouble}; while it lasts, such answers count against nobody")
        } else {
            format!("over: {trouble}")
        }
    }

    /// A name for it, the same at its end as at its beginning: `freemail.example.list`, `everywhere.rate`, `our-address`.
    #[must_use]
    pub fn storm_name(&self, storm: &Storm) -> String {
        let picture = match storm.picture {
            Picture::List => "list",
            Picture::Content => "content",
            Picture::Rate => "rate",
        };
        match storm.operator {
            ADDRESS => "our-address".to_owned(),
            SITE => format!("everywhere.{picture}"),
            operator => {
                let name = self.operator_name(operator).chars();
                let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
                let place: String = name.filter(plain).take(100).collect();
                format!("{place}.{picture}")
            }
        }
    }
}
