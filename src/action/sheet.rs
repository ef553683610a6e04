//! Plain text for people: labelled rows of 76 columns, and what makes text from outside harmless in them.

/// Columns of a line.
const WIDTH: usize = 76;
/// Columns of the label.
const LABEL: usize = 10;

/// A text of labelled rows, line ends LF.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    text: String,
}

impl Sheet {
    /// A row; each line of `text` begins a new one below it. An empty text is left out.
    pub(super) fn row(&mut self, label: &str, text: &str) {
        let mut label = label;
        for paragraph in text.lines() {
            for line in wrap(paragraph, WIDTH - LABEL) {
                self.text.push_str(&format!("{label:<LABEL$}{line}"));
                self.text.truncate(self.text.trim_end_matches(' ').len());
                self.text.push('\n');
                label = "";
            }
        }
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Lines of at most `width` characters; words that are longer are cut into pieces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for c in word.chars() {
            if used == width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += 1;
        }
    }
    if used > 0 {
        lines.push(line);
    }
    lines
}

/// One printable line of at most `limit` characters: control characters and those that turn the direction of text
/// become `?`, runs of blanks one blank, and what is cut off is marked.
pub(super) fn printable(text: &str, limit: usize) -> String {
    let mut line = String::new();
    let mut blank = false;
    for (count, c) in text.trim().chars().enumerate() {
        if count >= limit {
            line.push_str("...");
            break;
        }
        if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
            if !blank {
                line.push(' ');
            }
            blank = true;
            continue;
        }
        blank = false;
        line.push(if is_harmless(c) { c } else { '?' });
    }
    line
}

fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with its links made unusable: `http://login.example.com/x` becomes `hxxp://login[.]example[.]com/x`.
pub(super) fn defang(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (n, word) in text.split(' ').enumerate() {
        if n > 0 {
            out.push(' ');
        }
        let lower = word.to_ascii_lowercase();
        if !lower.contains("://") && !lower.contains("www.") {
            out.push_str(word);
            continue;
        }
        // Every point but those of the path: more than the host is harmless, less would be none.
        let (mut slashes, mut previous) = (0, ' ');
        let word = match lower.find("http").and_then(|at| word.split_at_checked(at)) {
            Some((before, rest)) => format!("{before}hxxp{}", rest.get(4..).unwrap_or_default()),
            None => word.to_owned(),
        };
        for c in word.chars() {
            if c == '/' && previous != ':' {
                slashes += 1;
            }
            if c == '.' && slashes < 2 {
                out.push_str("[.]");
            } else {
                out.push(c);
            }
            previous = c;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_wrapped_below_their_label() {
        let mut sheet = Sheet::default();
        sheet.row("WHAT", &"word ".repeat(30));
        sheet.row("WHY", "first\nsecond");
        sheet.row("NONE", "");
        sheet.row("LONG", &"x".repeat(100));
        let text = sheet.finish();
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert!(text.starts_with("WHAT      word"));
        assert!(text.contains("\n          word"));
        assert!(text.contains("\nWHY       first\n          second\nLONG      xxx"));
        assert!(!text.contains("NONE"));
    }

    #[test]
    fn text_from_outside_is_one_harmless_line() {
        assert_eq!(
            printable("a\r\nBcc: x\u{0}\u{1b}[1m\u{202e}b", 99),
            "a Bcc: x??[1m?b"
        );
        assert_eq!(printable(&"ä".repeat(20), 3), "äää...");
    }

    #[test]
    fn links_cannot_be_clicked() {
        assert_eq!(
            defang("see http://login.example.com/a.html now"),
            "see hxxp://login[.]example[.]com/a.html now"
        );
        assert_eq!(
            defang("<HTTPS://u:p@x.example?q=a.b>"),
            "<hxxpS://u:p@x[.]example?q=a[.]b>"
        );
        assert_eq!(defang("www.example.org/x"), "www[.]example[.]org/x");
        assert_eq!(defang("no link: a.b@c.example"), "no link: a.b@c.example");
    }
}
