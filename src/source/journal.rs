//! The mail log from the journal: `journalctl -o json` as a child, by facility, from a cursor.
//!
//! By SYSLOG_FACILITY=2 and not by unit or program: short-lived writers (postsuper) come without them (measured, 1 of 470
//! lines), and the unit's name differs between distributions. Lines are told apart from other mail programs' by the parser.
//! The journal's own cursor is kept from the last line that was given, so that after a restart every line comes once.
//!
//! A reader that has died says so, and one that is silent while the queue moves can be started anew
//! ([`Journal::restart`]): journalctl has been seen to go deaf after a rotation of the journal. What the journal itself
//! dropped (rate limits) nobody can get back.

use std::{
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::time::Timestamp;

/// Fields asked for; the cursor and the time of receipt always come. Without a choice journalctl gives three times as much.
const FIELDS: &str = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,SYSLOG_FACILITY,PRIORITY,_PID,_UID,_HOSTNAME,\
                      _SOURCE_REALTIME_TIMESTAMP,SYSLOG_TIMESTAMP";
/// Bytes of a piece that the reader hands over, and how many of them wait at most: then the child waits.
const PIECE: usize = 1 << 16;
const WAITING: usize = 16;
/// The longest line; a message has at most 2,000 bytes, four digits and a comma each when it is not UTF-8.
const LONGEST_LINE: usize = 1 << 20;
/// How much of the child's complaint is kept.
const COMPLAINT: u64 = 4096;

/// How to read the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The program; `journalctl` is looked for on the path.
    pub program: PathBuf,
    /// Go on with what comes, else end at the end.
    pub follow: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            program: "journalctl".into(),
            follow: true,
        }
    }
}

/// Where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// With the first line that the journal got at that time or later: nothing was given yet.
    Since(Timestamp),
    /// Behind the line of this cursor.
    After(String),
}

impl Position {
    /// To be stored with what the lines made.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Since(at) => format!("@{}", at.micros()),
            Self::After(cursor) => cursor.clone(),
        }
    }

    /// What [`Position::to_text`] made. A cursor never begins with `@`: its parts are `letter=value`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix('@').map(str::parse) {
            Some(Ok(micros)) => Self::Since(Timestamp::from_micros(micros)),
            _ => Self::After(text.to_owned()),
        }
    }
}

/// What a read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// So many lines.
    Lines(usize),
    /// Nothing within the time given.
    Nothing,
    /// The child has ended: at the end of the journal when it was not to follow, else because something is wrong.
    Ended {
        /// Exit status; `None` when a signal ended it.
        status: Option<i32>,
        /// What it said on standard error.
        complaint: String,
    },
}

/// A running reader.
#[derive(Debug)]
pub struct Journal {
    options: Options,
    position: Option<Position>,
    reader: Option<Reader>,
    starts: u64,
}

impl Journal {
    /// A reader that goes on from `position` (of [`Journal::position`]), without one from the oldest line on. The child is
    /// started by the first read.
    #[must_use]
    pub const fn new(options: Options, position: Option<Position>) -> Self {
        Self {
            options,
            position,
            reader: None,
            starts: 0,
        }
    }

    /// Behind the last line that was given; to be stored with what the lines made.
    #[must_use]
    pub const fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// How often the child was started.
    #[must_use]
    pub const fn starts(&self) -> u64 {
        self.starts
    }

    /// Waits up to `longest` for lines and gives those that are there. After [`Heard::Ended`] the next call starts the child
    /// again: a caller that follows waits a little before.
    ///
    /// # Errors
    /// The child cannot be started.
    pub fn read(&mut self, longest: Duration, each: &mut dyn FnMut(&[u8])) -> io::Result<Heard> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            empty => {
                self.starts += 1;
                empty.insert(Reader::start(&self.options, self.position.as_ref())?)
            }
        };
        match reader.pieces.recv_timeout(longest) {
            Ok(piece) => {
                let mut count = 0;
                for line in piece.split(|c| *c == b'\n').filter(|line| !line.is_empty()) {
                    each(line);
                    count += 1;
                }
                if let Some(cursor) = last_cursor(&piece) {
                    self.position = Some(Position::After(cursor));
                }
                Ok(Heard::Lines(count))
            }
            Err(RecvTimeoutError::Timeout) => Ok(Heard::Nothing),
            Err(RecvTimeoutError::Disconnected) => {
                let ended = self.reader.take().map(Reader::end);
                let (status, complaint) = ended.unwrap_or_default();
                Ok(Heard::Ended { status, complaint })
            }
        }
    }

    /// Ends the child; the next read starts another one behind the last line that was given.
    pub fn restart(&mut self) {
        self.reader = None;
    }
}

/// The child and the thread that reads it.
#[derive(Debug)]
struct Reader {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    fn start(options: &Options, position: Option<&Position>) -> io::Result<Self> {
        let mut child = command(options, position).spawn()?;
        let (sender, pieces) = mpsc::sync_channel(WAITING);
        let thread = child
            .stdout
            .take()
            .map(|out| std::thread::spawn(move || hand_over(out, &sender)));
        Ok(Self {
            child,
            pieces,
            thread,
        })
    }

    /// Waits for a child that has closed its output.
    fn end(mut self) -> (Option<i32>, String) {
        let mut complaint = String::new();
        if let Some(err) = self.child.stderr.take() {
            // What it said is a courtesy; that it ended is what counts.
            drop(err.take(COMPLAINT).read_to_string(&mut complaint));
        }
        self.stop();
        let status = self.child.wait().ok().and_then(|status| status.code());
        (status, complaint.trim().to_owned())
    }

    fn stop(&mut self) {
        // A child that has ended but was not waited for still owns its number.
        if let Ok(pid) = i32::try_from(self.child.id())
            && matches!(self.child.try_wait(), Ok(None))
        {
            // It may just have ended by itself.
            let _already_gone = killpg(Pid::from_raw(pid), Signal::SIGKILL).is_err();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop();
        drop(self.child.wait());
        // The thread ends with the pipe, or as soon as nobody takes its pieces.
        while self.pieces.try_recv().is_ok() {}
        drop(self.thread.take().map(JoinHandle::join));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the journal's reader is a program; no shell, arguments that we made"
)]
fn command(options: &Options, position: Option<&Position>) -> Command {
    let mut command = Command::new(&options.program);
    command
        .args(["--no-pager", "--quiet", "--all", "-o", "json"])
        .arg(format!("--output-fields={FIELDS}"));
    match position {
        Some(Position::After(cursor)) => {
            command.arg(format!("--after-cursor={cursor}"));
        }
        Some(Position::Since(at)) => {
            let (second, micros) = (at.seconds(), at.micros().rem_euclid(1_000_000));
            command.arg(format!("--since=@{second}.{micros:06}"));
        }
        None => {}
    }
    if options.follow {
        command.args(["--follow", "--no-tail"]);
    }
    command
        .arg("SYSLOG_FACILITY=2")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

/// Reads the child's output into pieces of whole lines, until it ends or nobody wants them.
fn hand_over(out: ChildStdout, sender: &SyncSender<Vec<u8>>) {
    let mut out = BufReader::with_capacity(PIECE, out);
    let mut rest = Vec::new();
    let mut skipping = false;
    loop {
        let Ok(read) = out.fill_buf() else { return };
        let length = read.len();
        if length == 0 {
            return;
        }
        let whole = memchr::memrchr(b'\n', read).map_or(0, |at| at + 1);
        let (lines, begun) = read.split_at(whole);
        let mut piece = std::mem::take(&mut rest);
        if skipping && let Some(end) = memchr::memchr(b'\n', lines) {
            skipping = false;
            piece.extend_from_slice(lines.get(end + 1..).unwrap_or_default());
        } else if !skipping {
            piece.extend_from_slice(lines);
        }
        if whole == 0 {
            rest = piece;
        } else if !piece.is_empty() && sender.send(piece).is_err() {
            return;
        }
        if !skipping {
            rest.extend_from_slice(begun);
        }
        if rest.len() > LONGEST_LINE {
            rest = Vec::new();
            skipping = true;
        }
        out.consume(length);
    }
}

/// The cursor of the last line. A quote inside a JSON string is escaped, so that no message can hold this member.
fn last_cursor(lines: &[u8]) -> Option<String> {
    let member = b"\"__CURSOR\"";
    let at = memchr::memmem::rfind(lines, member)?;
    let value = lines.get(at + member.len()..)?.trim_ascii_start();
    let value = value.strip_prefix(b":")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', value)?;
    String::from_utf8(value.get(..end)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use fs_err as fs;

    use super::*;

    const LINE: &str = r#"{"__CURSOR":"s=1;i=N","SYSLOG_IDENTIFIER":"postfix/qmgr","SYSLOG_PID":"7","MESSAGE":"4F2A1C0D3B: \"__CURSOR\":\"s=evil\" removed"}"#;

    /// No journal runs where tests run: a script stands in for journalctl. It notes its arguments and prints recorded lines.
    fn stand_in(body: &str) -> (tempfile::TempDir, Options) {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("journalctl");
        let text = format!(
            "#!/bin/sh\necho \"$*\" >> {}/arguments\n{body}\n",
            directory.path().display()
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let options = Options {
            program,
            ..Options::default()
        };
        (directory, options)
    }

    fn arguments(directory: &tempfile::TempDir) -> Vec<String> {
        fs::read_to_string(directory.path().join("arguments"))
            .unwrap()
            .lines()
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Reads until the child ends or nothing comes for a while.
    fn read(journal: &mut Journal, most: usize) -> (Vec<String>, Option<Heard>) {
        let mut lines = Vec::new();
        while lines.len() < most {
            let heard = journal
                .read(Duration::from_secs(20), &mut |line| {
                    lines.push(String::from_utf8_lossy(line).into_owned());
                })
                .unwrap();
            if !matches!(heard, Heard::Lines(_)) {
                return (lines, Some(heard));
            }
        }
        (lines, None)
    }

    fn line(n: u32) -> String {
        LINE.replace('N', &n.to_string())
    }

    #[test]
    fn a_restarted_reader_goes_on_behind_the_last_line_given() {
        let body = format!("printf '%s\\n' '{}' '{}'\nsleep 600", line(1), line(2));
        let (directory, options) = stand_in(&body);
        let start = Position::Since(Timestamp::from_micros(1_764_061_522_000_007));
        assert_eq!(Position::parse(&start.to_text()), start);
        let mut journal = Journal::new(options, Some(start));
        assert_eq!(read(&mut journal, 2).0, [line(1), line(2)]);
        let after = Position::After("s=1;i=2".to_owned());
        assert_eq!(Position::parse(&after.to_text()), after);
        assert_eq!(journal.position(), Some(&after));
        journal.restart();
        assert_eq!(read(&mut journal, 1).0.len(), 2);
        let arguments = arguments(&directory);
        assert!(
            arguments[0].contains("--since=@1764061522.000007 --follow --no-tail"),
            "{arguments:?}"
        );
        assert!(arguments[1].contains("--after-cursor=s=1;i=2 --follow --no-tail"));
        assert!(arguments[1].ends_with("SYSLOG_FACILITY=2"));
        assert_eq!(journal.starts(), 2);
    }

    #[test]
    fn a_reader_that_dies_says_why() {
        let (_directory, options) = stand_in("echo 'no journal files were found' >&2; exit 1");
        let mut journal = Journal::new(options, Some(Position::parse("s=1")));
        assert_eq!(
            read(&mut journal, 1).1,
            Some(Heard::Ended {
                status: Some(1),
                complaint: "no journal files were found".to_owned()
            })
        );
    }

    #[test]
    fn without_following_it_ends_at_the_end() {
        let (directory, options) = stand_in(&format!("printf '%s\\n' '{}'", line(1)));
        let options = Options {
            follow: false,
            ..options
        };
        let (lines, end) = read(&mut Journal::new(options, None), 10);
        assert_eq!(lines.len(), 1);
        assert!(matches!(
            end,
            Some(Heard::Ended {
                status: Some(0),
                ..
            })
        ));
        assert!(!arguments(&directory)[0].contains("--follow"));
    }

    #[test]
    fn an_endless_line_is_left_out_and_the_next_one_is_read() {
        let body = format!(
            "head -c 3000000 /dev/zero | tr '\\0' x\nprintf '\\n%s\\n' '{}'",
            line(7)
        );
        let (_directory, options) = stand_in(&body);
        let (lines, _) = read(&mut Journal::new(options, None), 10);
        assert_eq!(lines, [line(7)]);
    }

    #[test]
    fn a_dropped_reader_leaves_no_child() {
        let (directory, options) = stand_in("echo $$ > pid; echo x; sleep 600");
        let body = fs::read_to_string(&options.program)
            .unwrap()
            .replace("> pid", &format!("> {}/pid", directory.path().display()));
        fs::write(&options.program, body).unwrap();
        let mut journal = Journal::new(options, None);
        assert_eq!(read(&mut journal, 1).0, ["x"]);
        drop(journal);
        let pid = fs::read_to_string(directory.path().join("pid")).unwrap();
        let alive = nix::sys::signal::kill(Pid::from_raw(pid.trim().parse().unwrap()), None);
        assert_eq!(alive, Err(nix::errno::Errno::ESRCH));
    }
}
