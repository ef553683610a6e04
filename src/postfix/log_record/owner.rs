//! Which program writes which line: a line of another one is none that is understood, whatever its text looks like.

use crate::postfix::record::Event;

/// False where this program never writes such a line. Programs that are not known, or lost their name, may.
pub(super) fn writes(daemon: &str, event: &Event<'_>) -> bool {
    let never: &[&str] = match event {
        Event::Delivery(_) => &["smtpd", "pickup", "postsuper", "postscreen", "master"],
        Event::Queued { .. } => &["cleanup", "smtp", "smtpd", "pickup", "local", "lmtp"],
        Event::MessageId { .. } => &["qmgr", "smtp", "smtpd", "pickup", "local", "lmtp"],
        Event::Client { .. } | Event::SaslFailure { .. } | Event::Connect(_) => &[
            "qmgr", "cleanup", "smtp", "pickup", "local", "lmtp", "virtual", "pipe", "bounce",
        ],
        Event::Pickup { .. } => &[
            "qmgr", "cleanup", "smtp", "smtpd", "local", "lmtp", "bounce",
        ],
        Event::Notification { .. } => &["qmgr", "cleanup", "smtp", "smtpd", "pickup", "lmtp"],
        _ => return true,
    };
    !never.contains(&daemon)
}
