//! What kind of sender somebody is, as far as habit shows.

use serde::{Deserialize, Serialize};

/// The kinds that policies may tell apart.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A human being, or nothing known yet.
    #[default]
    Person,
    /// A newsletter, invoices: one letter for many.
    Bulk,
    /// Hands on what others wrote (SRS).
    Forwarder,
    /// A web shop or web application: single letters to ever new people, day and night.
    Application,
    /// A mailing list.
    List,
    /// Monitoring, cron, scanners: the same few recipients for ever.
    System,
}

impl Class {
    /// All of them by the names that files use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("person", Self::Person),
        ("bulk", Self::Bulk),
        ("forwarder", Self::Forwarder),
        ("application", Self::Application),
        ("list", Self::List),
        ("system", Self::System),
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bulk => "bulk",
            Self::Forwarder => "forwarder",
            Self::Application => "application",
            Self::List => "list",
            Self::System => "system",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
