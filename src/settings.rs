//! TOML files as operators write them, read with their positions: every mistake of a file is collected with its
//! place and, where there is one, a hint; unknown keys are refused with "did you mean".
//!
//! Used by `config`, `policy` and `classify`, so that one file says "wrong" in one way. A caller asks a [`Section`] for
//! the keys it knows and calls [`Section::finish`]; what was not asked for is unknown. Reading goes on after a mistake
//! (the value is then absent), and the caller looks at [`Document::problems`] in the end.

use std::{cell::RefCell, ops::Range, rc::Rc, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Bytes of the file that are meant.
    pub span: Range<usize>,
    /// What is wrong, lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A value with its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Range<usize>,
}

/// A parsed file and what was found wrong with it.
#[derive(Debug)]
pub struct Document<'a> {
    root: Spanned<DeTable<'a>>,
    problems: Problems,
}

type Problems = Rc<RefCell<Vec<Problem>>>;

impl<'a> Document<'a> {
    /// Reads as much of `text` as is TOML; syntax errors are problems like any other.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let problems = errors
            .into_iter()
            .map(|error| Problem {
                span: error.span().unwrap_or(0..0),
                message: error.message().to_owned(),
                hint: None,
            })
            .collect();
        Self {
            root,
            problems: Rc::new(RefCell::new(problems)),
        }
    }

    /// The top level.
    #[must_use]
    pub fn root(&self) -> Section<'_> {
        Section::new(
            self.root.get_ref(),
            self.root.span(),
            String::new(),
            Rc::clone(&self.problems),
        )
    }

    /// Adds a mistake that the caller found.
    pub fn report(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.problems.borrow_mut().push(Problem {
            span,
            message: message.into(),
            hint,
        });
    }

    /// All mistakes so far, in the order of the file.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = self.problems.borrow().clone();
        found.sort_by_key(|problem| (problem.span.start, problem.span.end));
        found
    }
}

/// A table of the file, asked key by key.
#[derive(Debug)]
pub struct Section<'t> {
    table: &'t DeTable<'t>,
    span: Range<usize>,
    path: String,
    asked: RefCell<Vec<&'static str>>,
    problems: Problems,
}

impl<'t> Section<'t> {
    fn new(table: &'t DeTable<'t>, span: Range<usize>, path: String, problems: Problems) -> Self {
        Self {
            table,
            span,
            path,
            asked: RefCell::new(Vec::new()),
            problems,
        }
    }

    /// Where the section stands.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Adds a mistake that the caller found.
    pub fn report(&self, span: Range<usize>, message: impl Into<String>, hint: Option<String>) {
        self.problems.borrow_mut().push(Problem {
            span,
            message: message.into(),
            hint,
        });
    }

    /// A string.
    #[must_use]
    pub fn string(&self, key: &'static str) -> Option<Located<String>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Located {
                value: text.to_string(),
                span: value.span(),
            }),
            other => self.wrong(key, value.span(), "a string", other),
        }
    }

    /// A boolean.
    #[must_use]
    pub fn boolean(&self, key: &'static str) -> Option<Located<bool>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(Located {
                value: *flag,
                span: value.span(),
            }),
            other => self.wrong(key, value.span(), "true or false", other),
        }
    }

    /// An integer within `range`.
    #[must_use]
    pub fn integer(&self, key: &'static str, range: Range<i64>) -> Option<Located<i64>> {
        let value = self.get(key)?;
        let DeValue::Integer(digits) = value.get_ref() else {
            return self.wrong(key, value.span(), "an integer", value.get_ref());
        };
        let parsed = i64::from_str_radix(digits.as_str(), digits.radix())
            .ok()
            .filter(|n| range.contains(n));
        if parsed.is_none() {
            let message = format!(
                "`{}` must be from {} to {}",
                self.name(key),
                range.start,
                range.end.saturating_sub(1)
            );
            self.report(value.span(), message, None);
        }
        parsed.map(|value_| Located {
            value: value_,
            span: value.span(),
        })
    }

    /// A number, with or without a fraction.
    #[must_use]
    pub fn number(&self, key: &'static str) -> Option<Located<f64>> {
        let value = self.get(key)?;
        let parsed = match value.get_ref() {
            DeValue::Integer(digits) => digits.as_str().parse().ok(),
            DeValue::Float(digits) => digits.as_str().parse().ok(),
            other => return self.wrong(key, value.span(), "a number", other),
        };
        parsed.map(|number| Located {
            value: number,
            span: value.span(),
        })
    }

    /// A list of strings; a single string counts as a list of one.
    #[must_use]
    pub fn strings(&self, key: &'static str) -> Option<Vec<Located<String>>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(vec![Located {
                value: text.to_string(),
                span: value.span(),
            }]),
            DeValue::Array(items) => Some(
                items
                    .iter()
                    .filter_map(|item| match item.get_ref() {
                        DeValue::String(text) => Some(Located {
                            value: text.to_string(),
                            span: item.span(),
                        }),
                        other => self.wrong(key, item.span(), "a list of strings", other),
                    })
                    .collect(),
            ),
            other => self.wrong(key, value.span(), "a list of strings", other),
        }
    }

    /// A span of time with its unit: `"500ms"`, `"30s"`, `"10m"`, `"1h"`, `"7d"`.
    #[must_use]
    pub fn duration(&self, key: &'static str) -> Option<Located<Duration>> {
        let text = self.string(key)?;
        let parsed = parse_duration(&text.value);
        if parsed.is_none() {
            let hint = "write a number and its unit: \"500ms\", \"30s\", \"10m\", \"1h\", \"7d\"";
            self.report(
                text.span.clone(),
                format!("`{}` is not a span of time", self.name(key)),
                Some(hint.to_owned()),
            );
        }
        parsed.map(|value| Located {
            value,
            span: text.span,
        })
    }

    /// A share between 0 and 1, written as a percentage: `"25%"`.
    #[must_use]
    pub fn share(&self, key: &'static str) -> Option<Located<f64>> {
        let text = self.string(key)?;
        let digits = text.value.trim().strip_suffix('%').map(str::trim);
        let parsed = digits
            .and_then(|digits| digits.parse::<f64>().ok())
            .filter(|p| (0.0..=100.0).contains(p));
        if parsed.is_none() {
            let hint = "write it as a percentage from \"0%\" to \"100%\"";
            self.report(
                text.span.clone(),
                format!("`{}` is not a share", self.name(key)),
                Some(hint.to_owned()),
            );
        }
        parsed.map(|percent| Located {
            value: percent / 100.0,
            span: text.span,
        })
    }

    /// A day, `2026-12-31` with or without quotes, as that text; a time of day is a mistake.
    #[must_use]
    pub fn date(&self, key: &'static str) -> Option<Located<String>> {
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(found) => found.to_string(),
            DeValue::String(text) => text.to_string(),
            other => return self.wrong(key, value.span(), "a date", other),
        };
        let is_date = text
            .parse::<toml::value::Datetime>()
            .is_ok_and(|found| found.date.is_some() && found.time.is_none());
        if !is_date {
            self.report(
                value.span(),
                format!("`{}` is not a date", self.name(key)),
                Some("write year, month and day: 2026-12-31".to_owned()),
            );
        }
        is_date.then(|| Located {
            value: text,
            span: value.span(),
        })
    }

    /// Where a key stands; it counts as known from then on.
    #[must_use]
    pub fn find(&self, key: &'static str) -> Option<Range<usize>> {
        self.get(key)?;
        let (key, _) = self.table.get_key_value(key)?;
        Some(key.span())
    }

    /// One of the named choices.
    #[must_use]
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&str, T)]) -> Option<Located<T>> {
        let text = self.string(key)?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(Located {
                value: *value,
                span: text.span,
            });
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let hint = did_you_mean(&text.value, &names)
            .unwrap_or_else(|| format!("one of: {}", names.join(", ")));
        self.report(
            text.span,
            format!("`{}` cannot be `{}`", self.name(key), text.value),
            Some(hint),
        );
        None
    }

    /// A table within this one.
    #[must_use]
    pub fn section(&self, key: &'static str) -> Option<Section<'_>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(
                table,
                value.span(),
                self.name(key),
                Rc::clone(&self.problems),
            )),
            other => self.wrong(key, value.span(), "a table", other),
        }
    }

    /// An array of tables (`[[key]]`); absent: empty.
    #[must_use]
    pub fn sections(&self, key: &'static str) -> Vec<Section<'_>> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let _none: Option<()> =
                self.wrong(key, value.span(), "an array of tables", value.get_ref());
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item.get_ref() {
                DeValue::Table(table) => Some(Section::new(
                    table,
                    item.span(),
                    self.name(key),
                    Rc::clone(&self.problems),
                )),
                other => self.wrong(key, item.span(), "a table", other),
            })
            .collect()
    }

    /// The keys of a table whose keys are free, in the order of the file.
    #[must_use]
    pub fn keys(&self) -> Vec<Located<String>> {
        self.table
            .keys()
            .map(|key| Located {
                value: key.get_ref().to_string(),
                span: key.span(),
            })
            .collect()
    }

    /// Reports every key that was not asked for.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        for key in self
            .table
            .keys()
            .filter(|key| !asked.contains(&key.get_ref().as_ref()))
        {
            let name = key.get_ref();
            let place = if self.path.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", self.path)
            };
            let hint = did_you_mean(name, &asked);
            self.report(key.span(), format!("unknown key `{name}`{place}"), hint);
        }
    }

    fn get(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn wrong<T>(
        &self,
        key: &str,
        span: Range<usize>,
        wanted: &str,
        found: &DeValue<'_>,
    ) -> Option<T> {
        self.report(
            span,
            format!(
                "`{}` must be {wanted}, not {}",
                self.name(key),
                found.type_str()
            ),
            None,
        );
        None
    }
}

/// Reads a number and its unit (`ms s m h d w`).
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(split)?;
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}

/// `did you mean ...?` for the nearest of `known`, if one is near.
#[must_use]
pub fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    let nearest = known
        .iter()
        .map(|name| (distance(word, name), name))
        .min_by_key(|(distance, _)| *distance)?;
    (nearest.0 <= 1 + word.chars().count() / 3).then(|| format!("did you mean `{}`?", nearest.1))
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(x != *y))
                .min(left + 1)
                .min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_found_with_its_place() {
        let text = "mode = 3\n[queue]\npol = \"30s\"\npoll = \"30\"\n[alert]\nto = [1]\n";
        let document = Document::parse(text);
        let root = document.root();
        assert_eq!(root.string("mode"), None);
        let queue = root.section("queue").unwrap();
        assert_eq!(queue.duration("poll"), None);
        queue.finish();
        let alert = root.section("alert").unwrap();
        assert_eq!(alert.strings("to"), Some(vec![]));
        alert.finish();
        root.finish();
        let found: Vec<(String, String)> = document
            .problems()
            .into_iter()
            .map(|p| (text.get(p.span).unwrap().to_owned(), p.message))
            .collect();
        assert_eq!(
            found,
            [
                ("3", "`mode` must be a string, not integer"),
                ("pol", "unknown key `pol` in [queue]"),
                ("\"30\"", "`queue.poll` is not a span of time"),
                ("1", "`alert.to` must be a list of strings, not integer"),
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        assert_eq!(
            document.problems()[1].hint.as_deref(),
            Some("did you mean `poll`?")
        );
    }

    #[test]
    fn syntax_errors_are_problems_and_the_rest_is_read() {
        let document = Document::parse("mode = \n[queue]\npoll = \"1m\"\n");
        assert_eq!(document.problems().len(), 1);
        let root = document.root();
        let poll = root.section("queue").unwrap().duration("poll").unwrap();
        assert_eq!(poll.value, Duration::from_secs(60));
    }

    #[test]
    fn units_are_read_and_required() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(parse_duration("30"), None);
        assert_eq!(parse_duration("-1s"), None);
        assert_eq!(parse_duration("99999999999999999999999w"), None);
    }
}
