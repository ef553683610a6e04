//! Columns for people: as wide as their widest cell, numbers to the right, nothing of a stranger's that moves the cursor.

use std::io::{self, Write};

/// A table that is printed when it is complete.
#[derive(Debug)]
pub struct Table {
    head: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; a name that begins with `>` is set to the right.
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        Self {
            head: columns
                .iter()
                .map(|name| name.trim_start_matches('>'))
                .collect(),
            right: columns.iter().map(|name| name.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows
            .push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// Prints it.
    ///
    /// # Errors
    /// Of the writer.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let head: Vec<String> = self.head.iter().map(|name| (*name).to_owned()).collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = self
                    .rows
                    .iter()
                    .chain([&head])
                    .filter_map(|row| row.get(column));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), right) in row.iter().zip(&widths).zip(&self.right) {
                let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
                if *right {
                    line.push_str(&pad);
                    line.push_str(cell);
                } else {
                    line.push_str(cell);
                    line.push_str(&pad);
                }
                line.push_str("  ");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// The text with controls and direction marks replaced, so that a hostile login or reply cannot draw on the terminal.
#[must_use]
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}' => '?',
            c if c.is_control() => '?',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_a_strangers_text_cannot_move_the_cursor() {
        let mut table = Table::new(&["SENDER", ">N"]);
        table.row(vec!["sasl:a\u{1b}[2J\u{202e}".to_owned(), "7".to_owned()]);
        table.row(vec!["x".to_owned(), "1234".to_owned()]);
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "SENDER          N\nsasl:a?[2J?     7\nx            1234\n"
        );
    }
}
