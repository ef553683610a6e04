//! Policy files: TOML → rules, with every mistake in its place.

use std::time::Duration;

use crate::{
    ledger::counters::Picture,
    policy::{
        Measure, Policy,
        cases::Case,
        refusals::{self as plain, Refusals},
        verdict::{Mode, Verdict},
    },
    settings::{Document, Located, Problem, Section},
};

const VERDICTS: &[(&str, Verdict)] = &[
    ("watch", Verdict::Watch),
    ("slow", Verdict::Slow),
    ("hold", Verdict::Hold),
    ("suspend", Verdict::Suspend),
];

#[derive(Clone, Copy)]
enum Kind {
    Refusals,
    Score,
}

const MEASURES: &[(&str, Kind)] = &[("refusals", Kind::Refusals), ("score", Kind::Score)];

const MODES: &[(&str, Mode)] = &[("observe", Mode::Observe), ("enforce", Mode::Enforce)];

/// Reads one file.
pub(super) fn parse(name: &str, text: &str) -> Result<Vec<Policy>, Vec<Problem>> {
    let document = Document::parse(text);
    let root = document.root();
    let policies: Vec<Policy> = root
        .sections("policy")
        .into_iter()
        .filter_map(|section| policy(name, section))
        .collect();
    root.finish();
    let problems = document.problems();
    if problems.is_empty() {
        Ok(policies)
    } else {
        Err(problems)
    }
}

fn policy(file: &str, section: Section<'_>) -> Option<Policy> {
    let name = required(&section, "name", section.string("name"));
    let verdict = required(&section, "verdict", section.choice("verdict", VERDICTS));
    let mode = section
        .choice("mode", MODES)
        .map_or(Mode::Enforce, |mode| mode.value);
    let measure =
        required(&section, "measure", section.choice("measure", MEASURES)).and_then(|kind| {
            match kind {
                Kind::Refusals => refusals(&section),
                Kind::Score => {
                    required(&section, "score_at_least", section.number("score_at_least"))
                        .map(|at_least| Measure::Score { at_least })
                }
            }
        });
    let cases = section
        .sections("case")
        .into_iter()
        .filter_map(case)
        .collect();
    let span = section.span();
    section.finish();
    Some(Policy {
        name: name?,
        verdict: verdict?,
        mode,
        measure: measure?,
        cases,
        file: file.to_owned(),
        span,
    })
}

fn refusals(section: &Section<'_>) -> Option<Measure> {
    let day = section
        .duration("within")
        .map_or(Some(false), |within| window(section, &within))?;
    let count = section.strings("count").map_or_else(
        || vec![Picture::List, Picture::Content],
        |names| {
            names
                .iter()
                .filter_map(|name| picture(section, name))
                .collect()
        },
    );
    let at_least = required(
        section,
        "refused_at_least",
        section.number("refused_at_least"),
    );
    let share = required(section, "refused_share", section.share("refused_share"));
    let content = section
        .number("content_at_least")
        .map_or(0.0, |number| number.value);
    let strangers = section
        .share("strangers_at_least")
        .map_or(0.0, |share| share.value);
    let operators = section
        .integer("operators_at_least", 1..17)
        .map_or(1, |number| usize::try_from(number.value).unwrap_or(1));
    Some(Measure::Refusals(Refusals {
        day,
        count,
        at_least: at_least?,
        share: share?,
        content,
        strangers,
        operators,
    }))
}

fn window(section: &Section<'_>, within: &Located<Duration>) -> Option<bool> {
    let found = Refusals::window(within.value);
    if found.is_none() {
        section.report(
            within.span.clone(),
            "`within` must be an hour or a day",
            Some("the ledger keeps sums for \"1h\" and \"1d\"".to_owned()),
        );
    }
    found
}

fn picture(section: &Section<'_>, name: &Located<String>) -> Option<Picture> {
    let found = Picture::ALL
        .into_iter()
        .find(|picture| plain::name(*picture) == name.value);
    if found.is_none() {
        section.report(
            name.span.clone(),
            format!("`count` cannot hold `{}`", name.value),
            Some("one of: list, content, rate".to_owned()),
        );
    }
    found
}

fn case(section: Section<'_>) -> Option<Case> {
    let name = required(&section, "name", section.string("name"));
    let fires = required(&section, "fires", section.boolean("fires"));
    let usual = answers(&section, section.strings("usual"));
    let now = answers(&section, section.strings("now"));
    let others = answers(&section, section.strings("others"));
    let new_network = section.boolean("new_network").is_some_and(|new| new.value);
    section.finish();
    Some(Case {
        name: name?,
        fires: fires?,
        usual,
        now,
        new_network,
        others,
    })
}

/// Reads `"12 user_unknown"`.
fn answers(
    section: &Section<'_>,
    lines: Option<Vec<Located<String>>>,
) -> Vec<(u32, Option<crate::classify::BounceClass>)> {
    lines
        .unwrap_or_default()
        .into_iter()
        .filter_map(|line| {
            let parsed = super::cases::parse_answers(&line.value);
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

fn required<T>(section: &Section<'_>, key: &str, value: Option<Located<T>>) -> Option<T> {
    if value.is_none() {
        section.report(section.span(), format!("`{key}` is missing or wrong"), None);
    }
    value.map(|value| value.value)
}
