//! What Postfix's own settings mean for postwarden: restriction order, fail-open answers, logging. Pure: settings in,
//! findings with the command that mends them out.

use std::collections::BTreeMap;

use crate::config::{Config, Endpoint};

/// One line of `postwarden check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// The command that mends it.
    pub fix: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, could be better.
    Warn,
    /// Does not do its job.
    Fail,
}

impl Level {
    /// The word at the start of the line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

impl Finding {
    /// As it should be.
    pub fn ok(text: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            text: text.into(),
            fix: None,
        }
    }

    /// Works, could be better.
    pub fn warn(text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Warn,
            text: text.into(),
            fix: Some(fix.into()),
        }
    }

    /// Does not do its job.
    pub fn fail(text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            level: Level::Fail,
            text: text.into(),
            fix: Some(fix.into()),
        }
    }
}

/// The Postfix settings that [`judge`] looks at.
pub(super) const SETTINGS: [&str; 9] = [
    "smtpd_data_restrictions",
    "smtpd_end_of_data_restrictions",
    "smtpd_sender_restrictions",
    "smtpd_recipient_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_client_port_logging",
    "enable_long_queue_ids",
    "smtpd_milters",
    "maillog_file",
];

/// What the settings of one instance mean. `dir` is its configuration directory, for the commands.
#[must_use]
pub(super) fn judge(
    settings: &BTreeMap<String, String>,
    config: &Config,
    dir: &str,
) -> Vec<Finding> {
    let value = |name: &str| settings.get(name).map_or("", String::as_str);
    let mut found = vec![intake(settings, config, dir)];
    found.extend(closed_tables(settings));
    if value("smtpd_client_port_logging") != "yes" {
        let fix = format!("postconf -c {dir} -e smtpd_client_port_logging=yes");
        found.push(Finding::warn(
            "client ports are not logged: behind carrier-grade NAT the customer cannot be told",
            fix,
        ));
    }
    if value("enable_long_queue_ids") != "yes" {
        let fix = format!("postconf -c {dir} -e enable_long_queue_ids=yes");
        found.push(Finding::warn(
            "queue IDs are short: they are reused within seconds on a busy relay",
            fix,
        ));
    }
    found.extend(milters(value("smtpd_milters"), config, dir));
    found
}

/// Is new mail of a convicted sender stopped, and does it flow when we are down?
fn intake(settings: &BTreeMap<String, String>, config: &Config, dir: &str) -> Finding {
    let restrictions = ["smtpd_data_restrictions", "smtpd_end_of_data_restrictions"];
    let snippet = policy_snippet(config);
    let fix = format!(
        "postconf -c {dir} -e 'smtpd_data_restrictions = {snippet}' 'smtpd_end_of_data_restrictions = {snippet}'"
    );
    if config.listen.policy.is_empty() {
        let text = "no policy service: new mail of a held sender is swept from the queue, not stopped at intake";
        return Finding::warn(
            text,
            "[listen] policy = [\"unix:/var/spool/postfix/postwarden/policy\"]",
        );
    }
    let asks = restrictions.iter().find(|name| {
        let value = settings.get(**name).map_or("", String::as_str);
        value.contains("check_policy_service")
            && config.listen.policy.iter().any(|ours| names(value, ours))
    });
    let Some(name) = asks else {
        return Finding::fail("smtpd does not ask the policy service", fix);
    };
    let value = settings.get(*name).map_or("", String::as_str);
    if !value.to_ascii_lowercase().contains("default_action=dunno") {
        return Finding::fail(
            format!("{name} asks us, but refuses all mail (451) when we are down"),
            fix,
        );
    }
    if !value.contains("timeout=") {
        return Finding::warn(
            format!("{name} asks us without a timeout: a hang of ours costs each message 100 s"),
            fix,
        );
    }
    Finding::ok(format!(
        "{name} asks the policy service and lets mail flow when we are down"
    ))
}

/// Maps at intake that fail closed.
fn closed_tables(settings: &BTreeMap<String, String>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, value) in settings
        .iter()
        .filter(|(name, _)| name.ends_with("_restrictions"))
    {
        if value.contains("socketmap:") {
            let text = format!(
                "{name} asks a socketmap: it fails closed (451 4.3.5 for every login) when we are down"
            );
            found.push(Finding::warn(
                text,
                "use check_policy_service with default_action=DUNNO instead",
            ));
        }
        if value.contains("tcp:") {
            let text = format!(
                "{name} asks a tcp table: 9 s of retries, then 451, when we are down; no limit when silent"
            );
            found.push(Finding::warn(
                text,
                "use check_policy_service with default_action=DUNNO instead",
            ));
        }
    }
    found
}

fn milters(value: &str, config: &Config, dir: &str) -> Option<Finding> {
    let ours = config.listen.milter.first()?;
    let address = endpoint_words(ours);
    let fix = format!(
        "postconf -c {dir} -e 'smtpd_milters = {{ {address}, connect_timeout=2s, command_timeout=2s, content_timeout=10s, default_action=accept }}'"
    );
    if !config.listen.milter.iter().any(|ours| names(value, ours)) {
        return Some(Finding::warn(
            "this Postfix does not ask our milter (needed on the inbound side only)",
            fix,
        ));
    }
    if !value.contains("default_action=accept") {
        return Some(Finding::fail(
            "smtpd_milters asks us, but refuses all mail when we are down",
            fix,
        ));
    }
    Some(Finding::ok(
        "smtpd_milters asks our milter and accepts when we are down",
    ))
}

/// What to write in main.cf for the first policy endpoint.
fn policy_snippet(config: &Config) -> String {
    let address = config
        .listen
        .policy
        .first()
        .map_or_else(|| "unix:postwarden/policy".to_owned(), endpoint_words);
    format!("check_policy_service {{ {address}, timeout=2s, try_limit=1, default_action=DUNNO }}")
}

/// The endpoint as main.cf spells it; sockets below the usual queue directory relative to it (smtpd may be chrooted).
fn endpoint_words(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(path) => {
            let path = path.display().to_string();
            format!(
                "unix:{}",
                path.strip_prefix("/var/spool/postfix/").unwrap_or(&path)
            )
        }
        Endpoint::Inet(address) | Endpoint::Udp(address) => format!("inet:{address}"),
    }
}

/// Whether a restriction list names the endpoint, absolutely or relative to the queue directory.
fn names(value: &str, endpoint: &Endpoint) -> bool {
    match endpoint {
        Endpoint::Unix(path) => {
            let path = path.display().to_string();
            value
                .split(|c: char| c.is_whitespace() || c == ',' || c == '{' || c == '}')
                .any(|word| {
                    word.strip_prefix("unix:")
                        .is_some_and(|word| path == word || path.ends_with(&format!("/{word}")))
                })
        }
        Endpoint::Inet(address) | Endpoint::Udp(address) => {
            value.contains(&format!("inet:{address}"))
                || (address.ip().is_loopback()
                    && value.contains(&format!("inet:localhost:{}", address.port())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Document;

    fn config(text: &str) -> Config {
        crate::config::from_document(&Document::parse(text))
    }

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    const OPEN: &str = "check_policy_service { unix:postwarden/policy, timeout=2s, try_limit=1, default_action=DUNNO }";
    const POLICY: &str = "[listen]\npolicy = [\"unix:/var/spool/postfix/postwarden/policy\"]";

    #[test]
    fn a_policy_service_that_fails_open_is_fine_and_the_command_to_get_there_is_printed() {
        let fine = judge(
            &settings(&[("smtpd_data_restrictions", OPEN)]),
            &config(POLICY),
            "/etc/postfix",
        );
        assert_eq!(fine[0].level, Level::Ok);
        let missing = judge(&settings(&[]), &config(POLICY), "/etc/postfix");
        assert_eq!(missing[0].level, Level::Fail);
        assert!(missing[0].fix.as_ref().unwrap().contains(OPEN));
    }

    #[test]
    fn a_policy_service_without_a_default_action_is_a_fault() {
        let closed = settings(&[(
            "smtpd_data_restrictions",
            "check_policy_service unix:postwarden/policy",
        )]);
        assert_eq!(
            judge(&closed, &config(POLICY), "/etc/postfix")[0].level,
            Level::Fail
        );
    }

    #[test]
    fn tables_that_fail_closed_are_named() {
        let found = judge(
            &settings(&[(
                "smtpd_sender_restrictions",
                "check_sasl_access socketmap:unix:/run/postwarden/socketmap:abused",
            )]),
            &config(""),
            "/etc/postfix",
        );
        assert!(
            found.iter().any(
                |finding| finding.level == Level::Warn && finding.text.contains("fails closed")
            )
        );
    }

    #[test]
    fn a_milter_that_refuses_when_we_are_down_is_a_fault() {
        let config = config("[listen]\nmilter = [\"inet:127.0.0.1:8893\"]");
        let at = |value| milters(value, &config, "/etc/postfix").unwrap().level;
        assert_eq!(
            at("{ inet:127.0.0.1:8893, default_action=accept }"),
            Level::Ok
        );
        assert_eq!(at("inet:127.0.0.1:8893"), Level::Fail);
        assert_eq!(at(""), Level::Warn);
    }
}
