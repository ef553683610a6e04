//! A mailbox of several messages (mbox), as Python's `mailbox.UnixMailbox` and pyzor's `-s mbox` split it.

use memchr::memmem;

/// The messages of a mailbox: each begins behind a line that starts with `From `, wherever that stands. What is before the
/// first one is no message; a blank line before the next one is not part of the message; `>From` stays as it is.
pub fn messages(mailbox: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = Some(0)
        .filter(|_| mailbox.starts_with(b"From "))
        .into_iter()
        .chain(memmem::find_iter(mailbox, b"\nFrom ").map(|at| at + 1))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([mailbox.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| {
            let whole = mailbox.get(*start..end).unwrap_or_default();
            let body = memchr::memchr(b'\n', whole)
                .and_then(|line| whole.get(line + 1..))
                .unwrap_or_default();
            if end < mailbox.len() {
                without_blank_line(body)
            } else {
                body
            }
        })
        .collect()
}

fn without_blank_line(body: &[u8]) -> &[u8] {
    match body {
        b"\n" => b"",
        [rest @ .., b'\n'] if rest.ends_with(b"\n") => rest,
        _ => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_begin_at_from_lines() {
        let mailbox = b"junk\nFrom a\nA: 1\n\nx\n>From b\n\nFrom c\nB: 2\n\ny\n";
        assert_eq!(
            messages(mailbox),
            [b"A: 1\n\nx\n>From b\n".as_slice(), b"B: 2\n\ny\n"]
        );
        assert!(messages(b"no such line\n").is_empty());
    }
}
