//! The text of a delivery record: the remote side's words without Postfix's wrapper.

use crate::postfix::log_record::peer;

/// What a text says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Words<'a> {
    /// The remote side's words.
    pub reply: Option<&'a str>,
    /// Who said them, as printed.
    pub said_by: Option<&'a str>,
    /// The SMTP stage without the word command.
    pub stage: Option<&'a str>,
}

/// What the retry of an `error` transport puts before the reason of the last attempt.
const SUSPENDED: &str = "delivery temporarily suspended: ";

/// True if no new attempt was made.
pub(super) fn is_suspended(text: &str) -> bool {
    text.starts_with(SUSPENDED)
}

/// Takes the wrapper off. Of a cut text the stage is not known, and half a wrapper at its end is no word of the reply.
pub(super) fn unwrap(text: &str, cut: bool) -> Words<'_> {
    let text = text.strip_prefix(SUSPENDED).unwrap_or(text);
    let Some((said_by, rest)) = opening(text) else {
        return Words::default();
    };
    if let Some(reply) = rest
        .strip_prefix(" refused to talk to me: ")
        .or_else(|| rest.strip_prefix(" refused to start TLS: "))
    {
        return Words {
            reply: Some(reply),
            said_by: Some(said_by),
            stage: None,
        };
    }
    let Some(said) = rest.strip_prefix(" said: ") else {
        return Words::default();
    };
    let (reply, stage) = stage(said, cut);
    Words {
        reply: Some(reply),
        said_by: Some(said_by),
        stage,
    }
}

/// `host H[ip]`, `server H[ip]`, and what Postfix writes before them.
fn opening(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("Protocol error: ").unwrap_or(text);
    let rest = rest.strip_prefix("TLS is required, but ").unwrap_or(rest);
    let rest = rest
        .strip_prefix("SASL authentication failed; ")
        .or_else(|| rest.strip_prefix("SASL [CACHED] authentication failed; "))
        .unwrap_or(rest);
    let rest = rest
        .strip_prefix("host ")
        .or_else(|| rest.strip_prefix("server "))?;
    let (printed, _, rest) = peer::host(rest)?;
    Some((printed, rest))
}

/// The last ` (in reply to X command)`: what stands before it is the remote side's.
fn stage(said: &str, cut: bool) -> (&str, Option<&str>) {
    const OPEN: &str = " (in reply to ";
    if cut {
        // Shorter than any stage in full: what is left of a wrapper that was cut.
        let near = said.rfind(OPEN).filter(|at| said.len() - at < 64);
        return (near.and_then(|at| said.get(..at)).unwrap_or(said), None);
    }
    let found = said.strip_suffix(')').and_then(|inner| {
        let open = memchr::memrchr_iter(b'(', inner.as_bytes())
            .filter_map(|at| inner.split_at_checked(at.checked_sub(1)?))
            .find_map(|(reply, rest)| Some((reply, rest.strip_prefix(OPEN)?)));
        open.map(|(reply, stage)| (reply, stage.strip_suffix(" command").unwrap_or(stage)))
    });
    found.map_or((said, None), |(reply, stage)| (reply, Some(stage)))
}
