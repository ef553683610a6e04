//! Mail to the people who run the house: alarms, the brake. The same outbox as the incidents' mail, and the same desk.

use crate::{
    action::alert::{self, Desk},
    config,
    daemon::alarms::{Alarm, Change},
    store::NewMail,
    time::Timestamp,
};

/// Who is told, and in whose name.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// `[alert]`.
    pub alert: config::Alert,
    /// This host.
    pub host: String,
}

impl Operator {
    /// A mail for each recipient, so that a bad address stops no other. The same `key` again is the same mail.
    #[must_use]
    pub fn mails(
        &self,
        key: &str,
        at: Timestamp,
        subject: &str,
        rows: &[(&str, String)],
    ) -> Vec<NewMail> {
        let desk = Desk {
            from: &self.alert.from,
            to: &self.alert.to,
            host: &self.host,
        };
        let letter = alert::house_letter(&desk, key, at, subject, rows);
        let mail = |to: &String| NewMail {
            key: format!("{key}/{to}"),
            incident: None,
            envelope_from: letter.from.clone(),
            envelope_to: vec![to.clone()],
            message: letter.bytes.clone(),
            created: at,
        };
        letter.to.iter().map(mail).collect()
    }

    /// The mails about a beginning or an end of an alarm.
    #[must_use]
    pub fn alarm(&self, at: Timestamp, change: &Change) -> Vec<NewMail> {
        let name =
            |alarm: &Alarm| format!("alarm-{}.{}", alarm.kind.as_str(), alarm.since.micros());
        match change {
            Change::Began(alarm) => {
                let word = if alarm.blind { "BLIND" } else { "ALARM" };
                let meaning = if alarm.blind {
                    "Meanwhile nobody is watched: mail flows unprotected. What is on hold stays on hold."
                } else {
                    "Everything else is watched as always."
                };
                let rows = [
                    ("WHAT", alarm.what.clone()),
                    ("SINCE", alarm.since.to_string()),
                    ("MEANS", meaning.to_owned()),
                    ("DO", alarm.kind.advice().to_owned()),
                ];
                let subject = format!("{word} {}", alarm.kind.title());
                self.mails(&name(alarm), at, &subject, &rows)
            }
            Change::Ended(alarm) => {
                let lasted = at.since(alarm.since).as_secs();
                let rows = [("OVER", format!("since {at}; it lasted {lasted} s"))];
                let subject = format!("OVER {}", alarm.kind.title());
                self.mails(&format!("{}.over", name(alarm)), at, &subject, &rows)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::alarms::Kind;

    #[test]
    fn each_recipient_gets_one_mail_at_the_beginning_and_one_at_the_end() {
        let operator = Operator {
            alert: config::Alert {
                to: vec!["noc@example.org".to_owned(), "abuse@example.org".to_owned()],
                from: "postwarden@relay1.example.org".to_owned(),
                ..config::Alert::default()
            },
            host: "relay1.example.org".to_owned(),
        };
        let alarm = Alarm {
            kind: Kind::Silent,
            since: Timestamp::from_seconds(1_790_000_000),
            what: "the queue moves\r\nBcc: x@example.com".to_owned(),
            blind: true,
        };
        let at = Timestamp::from_seconds(1_790_000_060);
        let began = operator.alarm(at, &Change::Began(alarm.clone()));
        assert_eq!(began.len(), 2);
        assert_ne!(began[0].key, began[1].key);
        let text = String::from_utf8_lossy(&began[0].message).into_owned();
        assert!(
            text.contains("Subject: [postwarden] BLIND the mail log is silent"),
            "{text}"
        );
        assert!(text.contains("postconf -h maillog_file"), "{text}");
        assert!(!text.contains("\nBcc:"), "{text}");
        let again = operator.alarm(
            at + std::time::Duration::from_secs(9),
            &Change::Began(alarm.clone()),
        );
        assert_eq!(again[0].key, began[0].key, "the outbox takes it once");
        let over = operator.alarm(at, &Change::Ended(alarm));
        assert_ne!(over[0].key, began[0].key);
        assert!(String::from_utf8_lossy(&over[0].message).contains("it lasted 60 s"));
    }
}
