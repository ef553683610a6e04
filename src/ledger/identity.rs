//! Who is answerable for a message, as far as the log proves it.

use crate::{
    correlate::{Entry, Party},
    ledger::SenderId,
    mail::address,
};

impl SenderId {
    /// The nominal key of a message: SASL login, else folded envelope sender, else local user or client address.
    ///
    /// `None` for mail that is nobody's own doing: notifications, probes, what local(8) forwards, and mail of which
    /// only the envelope is known (the log began later), since an envelope sender alone proves nothing. The ledger
    /// may still put an envelope sender aside and answer with the client (see [`super::Ledger::answerable`]).
    #[must_use]
    pub fn of<'a>(party: impl Into<Party<'a>>) -> Option<Self> {
        let party = party.into();
        if let Some(login) = login(party) {
            return Some(Self::Sasl(login.to_lowercase().into()));
        }
        if is_nobodys(party.entry) {
            return None;
        }
        let client = Self::client(party)?;
        match party.sender {
            None | Some("") => Some(client),
            Some(sender) => Some(Self::From(address::fold(sender).into())),
        }
    }

    /// Where mail without a login came from: the local user of sendmail(1), else the client address.
    #[must_use]
    pub fn client<'a>(party: impl Into<Party<'a>>) -> Option<Self> {
        let party = party.into();
        match (party.entry, party.uid, party.client_address) {
            (Entry::Pickup, Some(uid), _) => Some(Self::Uid(uid)),
            (_, _, Some(address)) => Some(Self::Ip(address.to_canonical())),
            (_, Some(uid), None) => Some(Self::Uid(uid)),
            _ => None,
        }
    }
}

/// The login that is answerable for a message, as logged.
pub(super) fn login(party: Party<'_>) -> Option<&str> {
    party
        .login
        .filter(|login| !login.is_empty() && !is_nobodys(party.entry))
}

const fn is_nobodys(entry: Entry) -> bool {
    matches!(entry, Entry::Notification | Entry::Probe | Entry::Forwarded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::correlate::Origin;

    fn origin(login: &str, sender: &str, client: &str) -> Origin {
        Origin {
            login: (!login.is_empty()).then(|| login.into()),
            sender: Some(sender.into()),
            client_address: client.parse().ok(),
            ..Origin::default()
        }
    }

    #[test]
    fn a_login_outranks_what_the_message_claims() {
        let id = SenderId::of(&origin("Anna", "boss@example.org", "192.0.2.1"));
        assert_eq!(id.unwrap().to_string(), "sasl:anna");
    }

    #[test]
    fn without_a_login_the_folded_sender_counts_and_then_the_client() {
        let id = SenderId::of(&origin(
            "",
            "List+a=b.example@lists.example.org",
            "192.0.2.1",
        ));
        assert_eq!(id.unwrap().to_string(), "from:list@lists.example.org");
        let id = SenderId::of(&origin("", "", "192.0.2.1"));
        assert_eq!(id.unwrap().to_string(), "ip:192.0.2.1");
        let id = SenderId::of(&origin("", "", "::ffff:192.0.2.1"));
        assert_eq!(id.unwrap().to_string(), "ip:192.0.2.1");
    }

    #[test]
    fn a_notification_is_nobodys_mail() {
        for entry in [Entry::Notification, Entry::Probe, Entry::Forwarded] {
            let origin = Origin {
                entry,
                ..origin("", "anna@example.org", "192.0.2.1")
            };
            assert_eq!(SenderId::of(&origin), None);
        }
    }

    #[test]
    fn an_envelope_alone_proves_nothing() {
        let origin = Origin {
            entry: Entry::Unknown,
            sender: Some("anna@example.org".into()),
            ..Origin::default()
        };
        assert_eq!(SenderId::of(&origin), None);
    }
}
