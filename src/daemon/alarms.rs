//! Alarms of the house: what is wrong with postwarden's own sight, told once when it begins and once when it ends.
//!
//! | state | is left | what is done then |
//! |---|---|---|
//! | well | a finding | the alarm is on: on record, one mail |
//! | on | no finding for [`Kind::calm`] | the alarm is over: off the record, one mail |
//!
//! Alarms that are on are kept on record: a restart neither forgets nor repeats them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{telemetry::Gauge, time::Timestamp};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The log says nothing of Postfix while the queue moves.
    Silent,
    /// A source cannot be read.
    Unreadable,
    /// Too many lines of Postfix are not understood.
    Unparsed,
    /// What is read happened too long ago.
    Behind,
    /// Lines were gone before they were read.
    Lost,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Silent,
        Self::Unreadable,
        Self::Unparsed,
        Self::Behind,
        Self::Lost,
    ];

    /// Its name in mails, metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Unreadable => "unreadable",
            Self::Unparsed => "unparsed",
            Self::Behind => "behind",
            Self::Lost => "lost",
        }
    }

    /// 1 while it is on.
    #[must_use]
    pub const fn gauge(self) -> Gauge {
        match self {
            Self::Silent => Gauge::AlarmSilent,
            Self::Unreadable => Gauge::AlarmUnreadable,
            Self::Unparsed => Gauge::AlarmUnparsed,
            Self::Behind => Gauge::AlarmBehind,
            Self::Lost => Gauge::AlarmLost,
        }
    }

    /// What it is called by a person.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Silent => "the mail log is silent while the queue moves",
            Self::Unreadable => "the mail log cannot be read",
            Self::Unparsed => "lines of Postfix are not understood",
            Self::Behind => "the mail log is read too late",
            Self::Lost => "lines of the mail log were lost",
        }
    }

    /// What to do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Silent => {
                "compare [log] sources with `postconf -h maillog_file` and the syslog's rules;\n\
                 is the syslog running, is its disk full? Then: postwarden check"
            }
            Self::Unreadable => {
                "postwarden check names the right that is missing (group adm or systemd-journal, or an ACL\n\
                 that survives rotation: the `create` line of logrotate)"
            }
            Self::Unparsed => {
                "look at the line below: a new Postfix, another log format? postwarden records FILE | tail -n 1\n\
                 counts the shapes; send them to the makers of postwarden"
            }
            Self::Behind => {
                "if bytes wait: is the machine overloaded (top), or was postwarden stopped for long? It catches up by itself.\n\
                 If none wait: does the log come from another host, or does its zone differ from this one's (date)?"
            }
            Self::Lost => {
                "nothing brings them back; use rename and `postfix reload` or `postfix logrotate` instead of copytruncate,\n\
                 keep at least one old log uncompressed, and do not delete logs while postwarden is stopped"
            }
        }
    }

    /// How long nothing must be found until it is over; `limit` is `[log] alarm_after`.
    #[must_use]
    pub fn calm(self, limit: Duration) -> Duration {
        match self {
            Self::Lost => limit.max(Duration::from_secs(3600)),
            _ => limit,
        }
    }
}

/// What is found wrong just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Since when.
    pub since: Timestamp,
    /// What, in words.
    pub what: String,
    /// Nobody is watched meanwhile: mail flows unprotected.
    pub blind: bool,
}

/// An alarm that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Of what.
    pub kind: Kind,
    /// Since when.
    pub since: Timestamp,
    /// What, in words, as of the last look.
    pub what: String,
    /// Nobody is watched meanwhile.
    pub blind: bool,
}

/// A beginning or an end, to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is on.
    Began(Alarm),
    /// It is over.
    Ended(Alarm),
}

/// The alarms.
#[derive(Clone, Debug)]
pub struct Alarms {
    limit: Duration,
    on: Vec<(Alarm, Timestamp)>,
}

impl Alarms {
    /// With those that were on before the restart.
    #[must_use]
    pub fn new(limit: Duration, on: Vec<Alarm>, now: Timestamp) -> Self {
        Self {
            limit,
            on: on.into_iter().map(|alarm| (alarm, now)).collect(),
        }
    }

    /// Takes in what is found of one kind just now.
    pub fn judge(&mut self, kind: Kind, now: Timestamp, found: Option<Finding>) -> Option<Change> {
        let at = self.on.iter().position(|(alarm, _)| alarm.kind == kind);
        let on = at.and_then(|at| self.on.get_mut(at));
        match (on, found) {
            (None, None) => None,
            (None, Some(Finding { since, what, blind })) => {
                let alarm = Alarm {
                    kind,
                    since,
                    what,
                    blind,
                };
                self.on.push((alarm.clone(), now));
                Some(Change::Began(alarm))
            }
            (Some((alarm, seen)), Some(found)) => {
                *seen = now;
                alarm.what = found.what;
                alarm.blind = found.blind;
                None
            }
            (Some((_, seen)), None) => {
                // A clock that was set back ends nothing early, and does not keep it for ever.
                *seen = (*seen).min(now);
                let over = now.since(*seen) >= kind.calm(self.limit);
                let ended = at.filter(|_| over).map(|at| self.on.swap_remove(at).0);
                ended.map(Change::Ended)
            }
        }
    }

    /// Those that are on, the oldest first.
    #[must_use]
    pub fn on(&self) -> Vec<&Alarm> {
        let mut on: Vec<&Alarm> = self.on.iter().map(|(alarm, _)| alarm).collect();
        on.sort_by_key(|alarm| (alarm.since, alarm.kind));
        on
    }

    /// Since when nothing is watched, and why.
    #[must_use]
    pub fn blind(&self) -> Option<&Alarm> {
        self.on().into_iter().find(|alarm| alarm.blind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn found(since: i64, what: &str) -> Option<Finding> {
        Some(Finding {
            since: t(since),
            what: what.to_owned(),
            blind: true,
        })
    }

    #[test]
    fn an_alarm_is_told_when_it_begins_and_when_it_ends_and_not_while_it_lasts() {
        let mut alarms = Alarms::new(LIMIT, Vec::new(), t(0));
        assert_eq!(alarms.judge(Kind::Silent, t(1), None), None);
        let began = alarms.judge(Kind::Silent, t(100), found(40, "one"));
        assert!(matches!(began, Some(Change::Began(alarm)) if alarm.since == t(40)));
        for now in 101..200 {
            assert_eq!(alarms.judge(Kind::Silent, t(now), found(40, "two")), None);
        }
        assert_eq!(alarms.blind().unwrap().what, "two");
        assert_eq!(
            alarms.judge(Kind::Silent, t(240), None),
            None,
            "not yet calm"
        );
        assert_eq!(
            alarms.judge(Kind::Silent, t(250), found(230, "three")),
            None
        );
        assert_eq!(alarms.judge(Kind::Silent, t(309), None), None);
        let ended = alarms.judge(Kind::Silent, t(310), None);
        assert!(matches!(ended, Some(Change::Ended(alarm)) if alarm.since == t(40)));
        assert!(alarms.on().is_empty());
    }

    #[test]
    fn a_restart_neither_repeats_nor_forgets_an_alarm() {
        let mut alarms = Alarms::new(LIMIT, Vec::new(), t(0));
        alarms.judge(Kind::Unreadable, t(100), found(40, "one"));
        let saved = alarms.on().into_iter().cloned().collect();
        let mut alarms = Alarms::new(LIMIT, saved, t(500));
        assert_eq!(
            alarms.judge(Kind::Unreadable, t(501), found(500, "one")),
            None
        );
        assert_eq!(alarms.blind().unwrap().since, t(40));
        assert!(alarms.judge(Kind::Unreadable, t(561), None).is_some());
    }

    #[test]
    fn kinds_do_not_mix_and_losses_are_remembered_for_an_hour() {
        let mut alarms = Alarms::new(LIMIT, Vec::new(), t(0));
        assert!(
            alarms
                .judge(Kind::Lost, t(10), found(10, "4 bytes"))
                .is_some()
        );
        assert!(
            alarms
                .judge(Kind::Behind, t(20), found(5, "late"))
                .is_some()
        );
        let kinds: Vec<Kind> = alarms.on().iter().map(|alarm| alarm.kind).collect();
        assert_eq!(kinds, [Kind::Behind, Kind::Lost]);
        assert!(alarms.judge(Kind::Behind, t(80), None).is_some());
        assert_eq!(alarms.judge(Kind::Lost, t(3_600), None), None);
        assert!(alarms.judge(Kind::Lost, t(3_610), None).is_some());
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_an_alarm_on() {
        let mut alarms = Alarms::new(LIMIT, Vec::new(), t(0));
        alarms.judge(Kind::Silent, t(10_000), found(9_000, "one"));
        assert_eq!(alarms.judge(Kind::Silent, t(5_000), None), None);
        assert!(alarms.judge(Kind::Silent, t(5_060), None).is_some());
    }
}
