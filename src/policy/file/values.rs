//! Single values of policy files, each mistake reported where it stands.

use crate::{
    ledger::{SenderId, class::Class, counters::Picture},
    mail::address,
    policy::{
        Policy,
        cases::{self, Case},
        refusals::{self, Refusals},
        rule::{COMMON, Key, Kind, Measure, Pictures, Value},
        verdict::{Mode, Verdict},
    },
    settings::{Located, Section, did_you_mean},
};

const VERDICTS: &[(&str, Verdict)] = &[
    ("watch", Verdict::Watch),
    ("slow", Verdict::Slow),
    ("hold", Verdict::Hold),
    ("suspend", Verdict::Suspend),
];

const MODES: &[(&str, Mode)] = &[("observe", Mode::Observe), ("enforce", Mode::Enforce)];

/// Keys of all measures, each once.
pub(super) fn every_key() -> impl Iterator<Item = &'static Key> {
    let all: Vec<&'static Key> = COMMON
        .iter()
        .chain(Measure::ALL.iter().flat_map(|(_, measure)| measure.keys()))
        .collect();
    let mut seen: Vec<&str> = Vec::new();
    all.into_iter().filter(move |key| {
        let new = !seen.contains(&key.name);
        seen.push(key.name);
        new
    })
}

pub(super) fn names(policies: &[Policy]) -> Vec<&str> {
    policies.iter().map(|policy| policy.name.as_str()).collect()
}

/// The policies that `policy` names; `None` where it is missing or names one that there is not.
pub(super) fn named(section: &Section<'_>, policies: &[Policy]) -> Option<Vec<u16>> {
    let listed = section.strings("policy")?;
    let known = names(policies);
    let mut numbers = Vec::new();
    let mut whole = !listed.is_empty();
    for name in listed {
        let position = known.iter().position(|known| *known == name.value);
        match position.and_then(|position| u16::try_from(position).ok()) {
            Some(number) => numbers.push(number),
            None => {
                whole = false;
                let hint = did_you_mean(&name.value, &known)
                    .unwrap_or_else(|| format!("one of: {}", known.join(", ")));
                section.report(
                    name.span,
                    format!("there is no policy `{}`", name.value),
                    Some(hint),
                );
            }
        }
    }
    whole.then_some(numbers)
}

pub(super) const SENDER: &str =
    "sasl:LOGIN, from:ADDRESS, ip:ADDRESS or uid:NUMBER, as `postwarden senders` prints it";

/// The senders that `sender` names; `None` where it is missing or one of them is none.
pub(super) fn senders(section: &Section<'_>) -> Option<Vec<SenderId>> {
    let listed = section.strings("sender")?;
    let mut senders = Vec::new();
    let mut whole = !listed.is_empty();
    for name in listed {
        match name.value.parse::<SenderId>() {
            Ok(SenderId::From(sender)) => {
                senders.push(SenderId::From(address::fold(&sender).into()));
            }
            Ok(SenderId::Ip(client)) => senders.push(SenderId::Ip(client.to_canonical())),
            Ok(sender) => senders.push(sender),
            Err(()) => {
                whole = false;
                section.report(
                    name.span,
                    format!("`{}` is no sender", name.value),
                    Some(SENDER.to_owned()),
                );
            }
        }
    }
    whole.then_some(senders)
}

/// Reads a key by its kind.
pub(super) fn value(section: &Section<'_>, key: &Key) -> Option<Located<Value>> {
    let name = key.name;
    match key.kind {
        Kind::Number => {
            let number = section.number(name)?;
            if !(number.value.is_finite() && number.value >= 0.0) {
                section.report(number.span, format!("`{name}` must be 0 or more"), None);
                return None;
            }
            Some(map(number, Value::Number))
        }
        Kind::Share => Some(map(section.share(name)?, Value::Share)),
        Kind::Count => {
            let number = section.integer(name, 1..17)?;
            Some(map(number, |n| {
                Value::Count(usize::try_from(n).unwrap_or(1))
            }))
        }
        Kind::Window => {
            let within = section.duration(name)?;
            let Some(day) = Refusals::window(within.value) else {
                section.report(
                    within.span,
                    format!("`{name}` must be an hour or a day"),
                    Some("the ledger keeps sums for \"1h\" and \"1d\"".to_owned()),
                );
                return None;
            };
            Some(Located {
                value: Value::Window(day),
                span: within.span,
            })
        }
        Kind::Pictures => pictures(section, name),
        Kind::Mode => Some(map(section.choice(name, MODES)?, Value::Mode)),
        Kind::Verdict => Some(map(section.choice(name, VERDICTS)?, Value::Verdict)),
        Kind::Flag => Some(map(section.boolean(name)?, Value::Flag)),
    }
}

fn map<T>(found: Located<T>, value: impl FnOnce(T) -> Value) -> Located<Value> {
    Located {
        value: value(found.value),
        span: found.span,
    }
}

fn pictures(section: &Section<'_>, key: &'static str) -> Option<Located<Value>> {
    let listed = section.strings(key)?;
    let Some(span) = listed.first().map(|name| name.span.clone()) else {
        let place = section.find(key).unwrap_or_else(|| section.span());
        section.report(place, format!("`{key}` names nothing that counts"), None);
        return None;
    };
    let mut pictures = Pictures::NONE;
    for name in listed {
        let found = Picture::ALL
            .into_iter()
            .find(|picture| refusals::name(*picture) == name.value);
        match found {
            Some(picture) => pictures = pictures.with(picture),
            None => {
                section.report(
                    name.span,
                    format!("`{key}` cannot hold `{}`", name.value),
                    Some("one of: list, content, rate".to_owned()),
                );
                return None;
            }
        }
    }
    Some(Located {
        value: Value::Pictures(pictures),
        span,
    })
}

pub(super) fn case(section: Section<'_>) -> Option<Case> {
    let name = required(&section, "name", section.string("name"));
    let fires = required(&section, "fires", section.boolean("fires"));
    let class = section.choice("class", Class::ALL);
    let class = class.map_or(Class::Person, |class| class.value);
    let usual = answers(&section, section.strings("usual"));
    let now = answers(&section, section.strings("now"));
    let others = answers(&section, section.strings("others"));
    let new_network = section.boolean("new_network").is_some_and(|new| new.value);
    let put_off = section
        .integer("put_off", 0..10_000)
        .and_then(|number| u32::try_from(number.value).ok())
        .unwrap_or(0);
    section.finish();
    Some(Case {
        name: name?,
        fires: fires?,
        class,
        usual,
        now,
        new_network,
        put_off,
        others,
    })
}

/// Reads `"12 user_unknown"`.
fn answers(section: &Section<'_>, lines: Option<Vec<Located<String>>>) -> Vec<cases::Answers> {
    lines
        .unwrap_or_default()
        .into_iter()
        .filter_map(|line| {
            let parsed = cases::parse_answers(&line.value);
            if parsed.is_none() {
                section.report(
                    line.span,
                    format!("`{}` is not a number of answers", line.value),
                    Some(
                        "write a number and a bounce class: \"12 user_unknown\", \"300 sent\""
                            .to_owned(),
                    ),
                );
            }
            parsed
        })
        .collect()
}

/// Words that must be there and say something.
pub(super) fn words(
    section: &Section<'_>,
    key: &'static str,
    hint: &'static str,
) -> Option<String> {
    let found = section.string(key);
    let absent = found.is_none() && section.find(key).is_none();
    if absent
        || found
            .as_ref()
            .is_some_and(|text| text.value.trim().is_empty())
    {
        missing(section, key, Some(hint));
        return None;
    }
    found.map(|text| text.value)
}

pub(super) fn required<T>(
    section: &Section<'_>,
    key: &'static str,
    value: Option<Located<T>>,
) -> Option<T> {
    required_located(section, key, value).map(|value| value.value)
}

/// A value that must be there; one that is there and wrong has been reported already.
pub(super) fn required_located<T>(
    section: &Section<'_>,
    key: &'static str,
    value: Option<Located<T>>,
) -> Option<Located<T>> {
    if value.is_none() && section.find(key).is_none() {
        missing(section, key, None);
    }
    value
}

pub(super) fn missing(section: &Section<'_>, key: &str, hint: Option<&str>) {
    section.report(
        section.span(),
        format!("`{key}` is missing"),
        hint.map(str::to_owned),
    );
}
