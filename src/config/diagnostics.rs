//! Mistakes of files, printed as compilers do: file, line, caret, hint.

use std::fmt;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::settings::Problem;

/// Mistakes of one or several files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    found: Vec<Found>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// Name and text of the file; `None` for what has no place in a file.
    source: Option<(String, String)>,
    problem: Problem,
}

impl Diagnostics {
    /// Adds the mistakes of one file.
    pub fn add(&mut self, name: &str, text: &str, problems: Vec<Problem>) {
        self.found.extend(problems.into_iter().map(|problem| Found {
            source: Some((name.to_owned(), text.to_owned())),
            problem,
        }));
    }

    /// Adds a mistake that has no place in a file.
    pub fn without_place(&mut self, message: String, hint: Option<String>) {
        self.found.push(Found {
            source: None,
            problem: Problem {
                span: 0..0,
                message,
                hint,
            },
        });
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `value` if nothing is wrong.
    ///
    /// # Errors
    /// The mistakes.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain();
        for found in &self.found {
            match &found.source {
                Some((name, text)) => {
                    // An empty span at the end of the file still wants a caret.
                    let start = found.problem.span.start.min(text.len());
                    let span = start..found.problem.span.end.clamp(start, text.len());
                    let snippet = Snippet::source(text.as_str())
                        .path(name.as_str())
                        .annotation(AnnotationKind::Primary.span(span));
                    let group = Level::ERROR
                        .primary_title(found.problem.message.as_str())
                        .element(snippet);
                    writeln!(f, "{}", renderer.render(&[group]))?;
                }
                None => writeln!(f, "error: {}", found.problem.message)?,
            }
            if let Some(hint) = &found.problem.hint {
                writeln!(f, "hint: {hint}")?;
            }
            writeln!(f)?;
        }
        let many = if self.found.len() == 1 { "" } else { "s" };
        write!(
            f,
            "{} mistake{many} in the configuration; nothing was started",
            self.found.len()
        )
    }
}

impl std::error::Error for Diagnostics {}
