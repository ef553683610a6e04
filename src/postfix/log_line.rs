//! One line of a mail log: framing (RFC 3164, postlogd, RFC 3339, RFC 5424, rsyslog JSON, journal JSON) taken off.
