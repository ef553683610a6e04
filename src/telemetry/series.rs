//! Which counters and gauges there are: families with a fixed set of labels.

/// Declares an enum whose variants are the series of families `"name" "help" { Variant "labels" ... }`.
macro_rules! families {
    ($(#[$meta:meta])* $kind:ident { $( $name:literal $help:literal { $( $variant:ident $labels:literal )+ } )+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $kind {
            $($(
                #[doc = concat!("`", $name, "`, labels `", $labels, "`: ", $help)]
                $variant,
            )+)+
        }

        impl $kind {
            /// All series, families together.
            pub const ALL: &'static [Self] = &[$($(Self::$variant,)+)+];
            /// How many there are.
            pub(super) const COUNT: usize = Self::ALL.len();

            /// Position in an array of all.
            pub(super) const fn index(self) -> usize {
                self as usize
            }

            const fn row(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $($(Self::$variant => ($name, $labels, $help),)+)+
                }
            }

            /// Name of the family.
            #[must_use]
            pub const fn name(self) -> &'static str {
                self.row().0
            }

            /// What the family counts.
            #[must_use]
            pub const fn help(self) -> &'static str {
                self.row().2
            }

            /// Name with labels, as in the exposition.
            #[must_use]
            pub fn series(self) -> String {
                let (name, labels, _) = self.row();
                if labels.is_empty() {
                    name.to_owned()
                } else {
                    format!("{name}{{{labels}}}")
                }
            }

            /// True for the series that stands first in its family.
            pub(super) fn is_first_of_family(self) -> bool {
                Self::ALL
                    .iter()
                    .find(|other| other.name() == self.name())
                    .is_some_and(|first| *first == self)
            }
        }
    };
}

families! {
    /// What only ever grows.
    Counter {
        "postwarden_log_lines_total" "Log lines read, by what came of them." {
            LinesUsed "result=\"used\""
            LinesForeign "result=\"foreign\""
            LinesUnparsed "result=\"unparsed\""
        }
        "postwarden_log_lost_bytes_total" "Log bytes that were gone before they could be read." {
            LogLostBytes ""
        }
        "postwarden_log_events_total" "What happened to the log files." {
            LogRotations "event=\"rotation\""
            LogTruncations "event=\"truncation\""
            LogLostFiles "event=\"lost_file\""
            LogGaps "event=\"gap\""
            LogOverlong "event=\"overlong_line\""
            LogReadErrors "event=\"read_error\""
            LogJournalStarts "event=\"journal_start\""
        }
        "postwarden_remote_replies_total" "Answers of remote sides, by what they meant." {
            RepliesAccepted "class=\"accepted\""
            RepliesDeferred "class=\"deferred\""
            RepliesRejected "class=\"rejected\""
        }
        "postwarden_incidents_total" "Incidents opened." {
            IncidentsEnforced "enforced=\"true\""
            IncidentsObserved "enforced=\"false\""
        }
        "postwarden_messages_held_total" "Messages verified on hold." {
            MessagesHeld ""
        }
        "postwarden_messages_husk_total" "Messages found on hold with no recipient left." {
            MessagesHusk ""
        }
        "postwarden_messages_released_total" "Messages let go again." {
            MessagesReleased ""
        }
        "postwarden_messages_purged_total" "Messages deleted from hold by a person." {
            MessagesPurged ""
        }
        "postwarden_escaped_messages_total" "Messages accepted by remote sides after the decision." {
            MessagesEscaped ""
        }
        "postwarden_policy_requests_total" "Policy service answers." {
            PolicyDunno "action=\"dunno\""
            PolicyHold "action=\"hold\""
            PolicyRefuse "action=\"refuse\""
            PolicySlow "action=\"slow\""
        }
        "postwarden_lookups_total" "Table lookups and content checks, by protocol and outcome." {
            SocketmapFound "protocol=\"socketmap\",result=\"found\""
            SocketmapNotFound "protocol=\"socketmap\",result=\"not_found\""
            SocketmapError "protocol=\"socketmap\",result=\"error\""
            TcpTableFound "protocol=\"tcp_table\",result=\"found\""
            TcpTableNotFound "protocol=\"tcp_table\",result=\"not_found\""
            TcpTableError "protocol=\"tcp_table\",result=\"error\""
            MilterFound "protocol=\"milter\",result=\"found\""
            MilterNotFound "protocol=\"milter\",result=\"not_found\""
            MilterError "protocol=\"milter\",result=\"error\""
            PyzorFound "protocol=\"pyzor\",result=\"found\""
            PyzorNotFound "protocol=\"pyzor\",result=\"not_found\""
            PyzorError "protocol=\"pyzor\",result=\"error\""
        }
        "postwarden_protocol_errors_total" "Requests that were no valid requests." {
            ProtocolErrorsSocketmap "server=\"socketmap\""
            ProtocolErrorsTcpTable "server=\"tcp_table\""
            ProtocolErrorsPolicy "server=\"policy\""
            ProtocolErrorsMilter "server=\"milter\""
            ProtocolErrorsPyzor "server=\"pyzor\""
            ProtocolErrorsHttp "server=\"http\""
            ProtocolErrorsHolder "server=\"holder\""
        }
        "postwarden_connections_refused_total" "Connections turned away because too many were open." {
            ConnectionsRefused ""
        }
        "postwarden_alerts_total" "Attempts to send an alert." {
            AlertsSent "result=\"sent\""
            AlertsRetried "result=\"retried\""
            AlertsFailed "result=\"failed\""
        }
        "postwarden_holder_calls_total" "Calls for root's verbs." {
            HolderOk "result=\"ok\""
            HolderError "result=\"error\""
        }
        "postwarden_store_commits_total" "Transactions written." {
            StoreCommits "result=\"ok\""
            StoreErrors "result=\"error\""
        }
        "postwarden_queue_lookups_total" "Messages without a beginning in the log, by whether their queue file told it." {
            LookupsFound "result=\"found\""
            LookupsMissed "result=\"missed\""
        }
        "postwarden_queue_walks_total" "Walks of the spool and queue listings." {
            WalksOk "result=\"ok\""
            WalksFailed "result=\"failed\""
        }
        "postwarden_requests_total" "Commands of people." {
            RequestsDone "result=\"done\""
            RequestsFailed "result=\"failed\""
        }
        "postwarden_faults_total" "Errors, by who must act." {
            FaultsPeer "fault=\"peer\""
            FaultsOperator "fault=\"operator\""
            FaultsEnvironment "fault=\"environment\""
            FaultsBug "fault=\"bug\""
        }
    }
}

families! {
    /// What is so just now.
    Gauge {
        "postwarden_mode" "1 when the daemon enforces, 0 when it observes." {
            Enforcing ""
        }
        "postwarden_start_time_seconds" "When the daemon started, seconds since the epoch." {
            StartTimeSeconds ""
        }
        "postwarden_unprotected_since_seconds" "Since when nothing is watched (seconds since the epoch), 0 when all is well." {
            UnprotectedSinceSeconds ""
        }
        "postwarden_log_lag_seconds" "Age of the newest line read, when it was read." {
            LogLagSeconds ""
        }
        "postwarden_log_silent_seconds" "Since the last line of Postfix was read." {
            LogSilentSeconds ""
        }
        "postwarden_log_lag_bytes" "Bytes of the logs that are there and not read yet." {
            LogLagBytes ""
        }
        "postwarden_log_unparsed_ratio" "Share of Postfix's lines that were not understood, of the last five to ten minutes." {
            LogUnparsedRatio ""
        }
        "postwarden_alarm" "1 while the alarm is on." {
            AlarmSilent "alarm=\"silent\""
            AlarmUnreadable "alarm=\"unreadable\""
            AlarmUnparsed "alarm=\"unparsed\""
            AlarmBehind "alarm=\"behind\""
            AlarmLost "alarm=\"lost\""
        }
        "postwarden_queue_messages" "Queue files, by queue." {
            QueueMaildrop "queue=\"maildrop\""
            QueueIncoming "queue=\"incoming\""
            QueueActive "queue=\"active\""
            QueueDeferred "queue=\"deferred\""
            QueueHold "queue=\"hold\""
        }
        "postwarden_senders" "Senders, by state." {
            SendersTracked "state=\"tracked\""
            SendersWatched "state=\"watched\""
            SendersSlowed "state=\"slowed\""
            SendersHeld "state=\"held\""
        }
        "postwarden_incidents_open" "Incidents that wait for a person." {
            IncidentsOpen ""
        }
        "postwarden_digest_entries" "Published digests that are active." {
            DigestEntries ""
        }
        "postwarden_alert_outbox" "Alerts that wait to be sent." {
            AlertOutbox ""
        }
        "postwarden_store_bytes" "Size of the database file." {
            StoreBytes ""
        }
        "postwarden_brake_engaged" "1 while automatic action is stopped." {
            BrakeEngaged ""
        }
    }
}
