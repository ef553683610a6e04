//! `postwarden classify`: bounce class and rule of replies on standard input.
//!
//! One line in, one line out, in the same order, so that the output can be pasted beside the input. A line that says
//! nothing is `unclear`. Lines are read as bytes: what is no UTF-8 is replaced, not refused.

use std::{
    borrow::Cow,
    io::{self, BufRead, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    classify::{BounceClass, Classifier, Question, Why},
    cli::{Context, Exit, Failure},
    settings::Problem,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One JSON object per line, with what made the rule decide
    #[arg(long)]
    json: bool,
    /// A third column: what made the rule decide
    #[arg(long)]
    why: bool,
    /// Directory with rule files (*.toml) that come before the shipped ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

/// Runs the verb over standard input.
///
/// # Errors
/// 78 when the rules have mistakes, 69 when they or the input cannot be read.
pub fn run(args: &Args, _context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let classifier = classifier(args.rules.as_deref())?;
    each_line(args, &classifier, io::stdin().lock(), out)?;
    Ok(Exit::Ok)
}

fn each_line(
    args: &Args,
    classifier: &Classifier,
    mut input: impl BufRead,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        answer(
            args,
            classifier,
            text.trim_end_matches(['\n', '\r']),
            &mut out,
        )?;
        line.clear();
    }
    out.flush()
}

fn answer(
    args: &Args,
    classifier: &Classifier,
    line: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    let (dsn, text) = line.split_once('\t').unwrap_or(("", line));
    let question = Question::of_text(dsn.trim(), text);
    if args.json {
        let printed = serde_json::to_string(&Printed::new(&classifier.why(&question)))?;
        return writeln!(out, "{printed}");
    }
    if args.why {
        let why = classifier.why(&question);
        return writeln!(out, "{}\t{}\t{why}", why.answer.class, why.rule);
    }
    let answer = classifier.classify(&question);
    let rule = answer.rule.map_or("-", |id| classifier.rule_name(id));
    writeln!(out, "{}\t{rule}", answer.class)
}

/// `--json`.
#[derive(Serialize)]
struct Printed<'a> {
    class: BounceClass,
    rule: Option<&'a str>,
    phrases: &'a [&'a str],
    conditions: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dsn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
}

impl<'a> Printed<'a> {
    fn new(why: &'a Why<'a>) -> Self {
        Self {
            class: why.answer.class,
            rule: why.answer.rule.map(|_| why.rule),
            phrases: &why.phrases,
            conditions: &why.conditions,
            code: why.code,
            dsn: why.status.map(|code| code.to_string()),
            stage: why.stage.map(|stage| stage.as_str()),
        }
    }
}

/// The shipped rules, behind those of the directory.
fn classifier(directory: Option<&Path>) -> Result<Classifier, Failure> {
    let files = directory.map_or_else(|| Ok(Vec::new()), read_rules)?;
    let texts: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    Classifier::with_operator_rules(&texts).map_err(|problems| mistakes(&texts, &problems))
}

/// The rule files of a directory: path as given, and text.
fn read_rules(directory: &Path) -> Result<Vec<(String, String)>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::new(Exit::Unavailable, format!("rules cannot be read: {error}"))
            .hint(format!("ls -l {}", directory.display()))
    };
    let mut files = Vec::new();
    for entry in fs_err::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = fs_err::read_to_string(&path).map_err(unreadable)?;
            files.push((path.display().to_string(), text));
        }
    }
    Ok(files)
}

/// All mistakes, one a line, as `file:line: what`.
fn mistakes(files: &[(&str, &str)], problems: &[(String, Problem)]) -> Failure {
    let lines: Vec<String> = problems
        .iter()
        .map(|(file, problem)| {
            let text = files
                .iter()
                .find(|(name, _)| name == file)
                .map_or("", |(_, text)| text);
            let before = text.get(..problem.span.start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let hint = problem
                .hint
                .as_ref()
                .map_or(Cow::Borrowed(""), |hint| Cow::Owned(format!(" ({hint})")));
            format!("{file}:{line}: {}{hint}", problem.message)
        })
        .collect();
    Failure::new(Exit::Config, lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_over(args: &Args, input: &str) -> String {
        let classifier = classifier(args.rules.as_deref()).unwrap();
        let mut out = Vec::new();
        each_line(args, &classifier, input.as_bytes(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    const PLAIN: Args = Args {
        json: false,
        why: false,
        rules: None,
    };

    #[test]
    fn one_line_in_is_one_line_out() {
        let input =
            "5.1.1\t550 5.1.1 No such user here\n550 5.1.1 No such user here\n\n\t\n5.0.0\t\n";
        let output = run_over(&PLAIN, input);
        let classes: Vec<&str> = output
            .lines()
            .map(|line| line.split('\t').next().unwrap())
            .collect();
        assert_eq!(
            classes,
            [
                "user_unknown",
                "user_unknown",
                "unclear",
                "unclear",
                "unclear"
            ]
        );
    }

    #[test]
    fn an_operators_file_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let rule = "[[rule]]\nname = \"ours\"\nclass = \"policy\"\nany = [\"no such user here\"]\nexamples = [\"550 No such user here\"]\n";
        fs_err::write(directory.path().join("50-site.toml"), rule).unwrap();
        let args = Args {
            rules: Some(directory.path().to_owned()),
            ..PLAIN
        };
        assert_eq!(
            run_over(&args, "550 No such user here\n"),
            "policy\tsite/ours\n"
        );
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.toml");
        fs_err::write(
            &path,
            "[[rule]]\nname = \"x\"\nclass = \"spam\"\nany = [\"Spam\"]\n",
        )
        .unwrap();
        let failure = classifier(Some(directory.path())).unwrap_err();
        assert_eq!(failure.exit, Exit::Config);
        let place = path.display();
        assert!(
            failure
                .message
                .contains(&format!("{place}:3: `spam` is no bounce class"))
        );
        assert!(
            failure
                .message
                .contains(&format!("{place}:4: a phrase is written"))
        );
    }

    #[test]
    fn json_tells_why() {
        let args = Args {
            json: true,
            ..PLAIN
        };
        let line = run_over(&args, "5.1.1\t550 5.1.1 No such user here\n");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["class"], "user_unknown");
        assert_eq!(value["dsn"], "5.1.1");
        assert_eq!(value["code"], 550);
    }
}
