//! `ACTION: STAGE from CLIENT: TEXT; from=<S> to=<R> proto=P helo=<H> sasl_...`: restrictions, milters, proxies, and
//! `ACTION: header TEXT from ORIGIN; from=<S> ...: OPT` of header and body checks.
//!
//! TEXT may hold a whole list of fields (a policy's URL, a verified address's remote reply, a header), and so may a login
//! at the end or a quoted recipient. Every place where a list may start is tried; what all readings agree on is kept.

use crate::postfix::{
    log_record::{
        peer,
        reading::{Agree, Readings, addresses, keep},
    },
    queue_id,
    record::{Action, Client, Event, Sasl},
};

/// Reads a line whose first word is an action; `None` if it is none.
pub(super) fn line<'a>(text: &'a str, cut: bool, daemon: &str) -> Option<Event<'a>> {
    let (word, rest) = text.split_once(": ")?;
    if word.is_empty()
        || !word
            .bytes()
            .all(|c| c.is_ascii_lowercase() || matches!(c, b'-' | b'_'))
    {
        return None;
    }
    if let Some((stage, rest)) = check_stage(rest) {
        let action = check(word, stage, rest, cut, daemon);
        return Some(match word {
            "hold" => Event::Hold(action),
            "reject" if stage == "mime-error" => Event::Reject(action),
            _ => Event::HeaderCheck(action),
        });
    }
    let event: fn(Action<'a>) -> Event<'a> = match word {
        "reject" | "proxy-reject" | "abort" => Event::Reject,
        "reject_warning" | "warn" => Event::Warn,
        "hold" => Event::Hold,
        "discard" | "milter-discard" => Event::Discard,
        "filter" => Event::Filter,
        "redirect" => Event::Redirect,
        "milter-reject" => Event::MilterReject,
        "milter-hold" => Event::MilterHold,
        "proxy-accept" => {
            let action = policy(word, rest, cut)?;
            let queued_as = queued_as(action.text).filter(|_| !cut);
            return Some(Event::ProxyAccept { action, queued_as });
        }
        "info" | "bcc" | "prepend" | "permit" | "delay" => {
            policy(word, rest, cut)?;
            return Some(Event::Other { text });
        }
        _ => return None,
    };
    policy(word, rest, cut).map(event)
}

/// What a check looked at, and its text.
fn check_stage(rest: &str) -> Option<(&str, &str)> {
    let (stage, text) = rest.split_once(' ')?;
    matches!(
        stage,
        "header" | "body" | "content" | "mime-error" | "nested-header" | "mime-header"
    )
    .then_some((stage, text))
}

/// The members behind the text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tail<'a> {
    text: Option<&'a str>,
    client: Option<Client<'a>>,
    sender: Option<&'a str>,
    recipient: Option<&'a str>,
    proto: Option<&'a str>,
    helo: Option<&'a str>,
    sasl: Sasl<'a>,
}

/// The members of a list but its first, none of which a free text holds by chance.
const KEYS: [&str; 5] = [
    " to=<",
    " proto=",
    " helo=<",
    " sasl_method=",
    " sasl_username=",
];

impl<'a> Tail<'a> {
    /// Adds this reading; `option` is the operator's text behind it.
    fn add_to(self, option: &'a str, ending: Ending, readings: &mut Readings<Self>) {
        let texts = [
            self.text,
            self.sender,
            self.recipient,
            self.sasl.username,
            Some(option),
        ];
        let holds = |text: &str| text.contains('=') && KEYS.iter().any(|key| text.contains(key));
        let early = !ending.recipient_known && self.recipient.is_some();
        let plain = !early && !texts.into_iter().flatten().any(holds);
        readings.add(self, plain);
    }
}

impl Agree for Tail<'_> {
    fn agree(&mut self, other: &Self) {
        keep(&mut self.text, other.text);
        keep(&mut self.client, other.client);
        keep(&mut self.sender, other.sender);
        keep(&mut self.recipient, other.recipient);
        keep(&mut self.proto, other.proto);
        keep(&mut self.helo, other.helo);
        keep(&mut self.sasl.method, other.sasl.method);
        keep(&mut self.sasl.username, other.sasl.username);
        keep(&mut self.sasl.sender, other.sasl.sender);
    }

    fn doubt(&mut self) {
        *self = Self::default();
    }
}

/// How a kind of line ends.
#[derive(Clone, Copy, Debug)]
struct Ending {
    /// The operator's text may follow (`: OPT`).
    optional_text: bool,
    /// The line may have a `to=`: at MAIL it cannot.
    recipient_known: bool,
    /// The login stands in `<>` (milter and proxy lines).
    bracketed_login: bool,
}

/// `STAGE from CLIENT: TEXT; ...`, or without the client (proxy lines).
fn policy<'a>(word: &'a str, rest: &'a str, cut: bool) -> Option<Action<'a>> {
    let end = rest
        .bytes()
        .position(|c| !c.is_ascii_uppercase() && c != b'-')?;
    let (stage, rest) = rest.split_at_checked(end)?;
    if stage.is_empty() {
        return None;
    }
    let (client, rest) = match rest.strip_prefix(" from ") {
        Some(rest) => {
            let (client, rest) = peer::client(rest)?;
            (Some(client), rest)
        }
        None => (None, rest),
    };
    let rest = rest
        .strip_prefix(": ")
        .or_else(|| rest.strip_prefix("; ").map(|_| rest))?;
    let ending = Ending {
        optional_text: false,
        recipient_known: stage != "MAIL",
        bracketed_login: word.starts_with("milter-") || word.starts_with("proxy-"),
    };
    let mut readings = Readings::new();
    if !cut {
        for at in memchr::memchr_iter(b';', rest.as_bytes()) {
            let Some(list) = rest.get(at + 1..).and_then(|list| list.strip_prefix(' ')) else {
                continue;
            };
            if ["from=<", "to=<", "proto="]
                .iter()
                .any(|key| list.starts_with(key))
            {
                let tail = Tail {
                    text: rest.get(..at),
                    ..Tail::default()
                };
                walk(list, 0, tail, ending, &mut readings);
            }
        }
    }
    let whole = || Tail {
        text: Some(rest),
        ..Tail::default()
    };
    let tail = readings.certain().unwrap_or_else(whole);
    Some(Action {
        client,
        ..build(word, stage, tail)
    })
}

/// `TEXT from ORIGIN; from=<S> ...[: OPT]`. Only cleanup knows an origin; a header that smtp sees may hold a fake one.
fn check<'a>(word: &'a str, stage: &'a str, rest: &'a str, cut: bool, daemon: &str) -> Action<'a> {
    let ending = Ending {
        optional_text: true,
        recipient_known: true,
        bracketed_login: false,
    };
    let mut readings = Readings::new();
    if !cut && daemon == "cleanup" {
        for at in memchr::memmem::find_iter(rest.as_bytes(), b" from ") {
            let origin = rest.get(at + 6..).unwrap_or_default();
            let (client, list) = match origin.strip_prefix("local") {
                Some(list) => (None, list),
                None => match peer::client(origin) {
                    Some((client, list)) => (Some(client), list),
                    None => continue,
                },
            };
            if let Some(list) = list.strip_prefix("; ") {
                let tail = Tail {
                    text: rest.get(..at),
                    client,
                    ..Tail::default()
                };
                walk(list, 0, tail, ending, &mut readings);
            }
        }
    }
    let whole = || Tail {
        text: Some(rest),
        ..Tail::default()
    };
    build(word, stage, readings.certain().unwrap_or_else(whole))
}

fn build<'a>(action: &'a str, stage: &'a str, tail: Tail<'a>) -> Action<'a> {
    Action {
        action,
        stage: Some(stage),
        client: tail.client,
        sender: tail.sender,
        recipient: tail.recipient,
        proto: tail.proto,
        helo: tail.helo,
        sasl: tail.sasl,
        text: tail.text.unwrap_or_default(),
    }
}

/// Reads the fields from the `field`th on in every way that ends where the line does.
fn walk<'a>(
    rest: &'a str,
    field: u8,
    tail: Tail<'a>,
    ending: Ending,
    readings: &mut Readings<Tail<'a>>,
) {
    if !readings.go_on() {
        return;
    }
    let over = rest.is_empty() || ending.optional_text && rest.starts_with(": ");
    if over && field > 0 {
        tail.add_to(rest, ending, readings);
        return;
    }
    let list = if field == 0 {
        rest
    } else {
        let Some(list) = rest.strip_prefix(", ").or_else(|| rest.strip_prefix(' ')) else {
            return;
        };
        list
    };
    let mut next = tail;
    if field < 1
        && let Some(text) = list.strip_prefix("from=<")
    {
        for (sender, rest) in addresses(text) {
            next.sender = Some(sender);
            walk(rest, 1, next, ending, readings);
        }
    } else if field < 2
        && let Some(text) = list.strip_prefix("to=<")
    {
        for (recipient, rest) in addresses(text) {
            next.recipient = Some(recipient);
            walk(rest, 2, next, ending, readings);
        }
    } else if field < 3
        && let Some(text) = list.strip_prefix("proto=")
    {
        let (proto, rest) = token(text);
        next.proto = Some(proto);
        walk(rest, 3, next, ending, readings);
    } else if field < 4
        && let Some((helo, rest)) = list
            .strip_prefix("helo=<")
            .and_then(|text| text.split_once('>'))
    {
        // Postfix replaces brackets in a HELO name: the first one is the end.
        next.helo = Some(helo);
        walk(rest, 4, next, ending, readings);
    } else {
        login(list, next, ending, readings);
    }
}

/// `sasl_method=M sasl_username=U sasl_sender=X`: U may hold anything but control characters.
fn login<'a>(list: &'a str, mut tail: Tail<'a>, ending: Ending, readings: &mut Readings<Tail<'a>>) {
    let mut rest = list;
    if let Some(text) = rest.strip_prefix("sasl_method=") {
        let (method, after) = token(text);
        tail.sasl.method = Some(method);
        rest = after
            .strip_prefix(", ")
            .or_else(|| after.strip_prefix(' '))
            .unwrap_or(after);
    }
    if let Some(text) = rest.strip_prefix("sasl_username=") {
        if ending.bracketed_login {
            if let Some(login) = text
                .strip_prefix('<')
                .and_then(|text| text.strip_suffix('>'))
            {
                tail.sasl.username = Some(login);
                tail.add_to("", ending, readings);
            }
            return;
        }
        tail.sasl.username = Some(text);
        tail.add_to("", ending, readings);
        for at in memchr::memmem::find_iter(text.as_bytes(), b" sasl_sender=") {
            let sender = text.get(at + 13..).unwrap_or_default();
            if !sender.contains(' ') {
                tail.sasl.username = text.get(..at);
                tail.sasl.sender = Some(sender);
                tail.add_to("", ending, readings);
            }
        }
        return;
    }
    if let Some(sender) = rest.strip_prefix("sasl_sender=") {
        tail.sasl.sender = Some(sender);
        rest = if sender.contains(' ') { sender } else { "" };
    }
    if rest.is_empty() {
        tail.add_to("", ending, readings);
    }
}

/// Up to a blank, a comma or a colon.
fn token(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|c| matches!(c, b' ' | b',' | b':'))
        .unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// The ID behind a proxy: the last word of its answer.
fn queued_as(text: &str) -> Option<&str> {
    let (_, id) = text.rsplit_once("queued as ")?;
    queue_id::is_valid(id).then_some(id)
}
