//! `postwarden digest`: the content digests of messages.
//!
//! One line a message, its first word `pyzor:<40 hex>`. Behind it, tab-separated: the file (with more than one), with
//! `--mbox` the number of the message in it, and what one should know of the digest (`empty`: there is no usable line, never publish it;
//! `pyzor-dies`: pyzor 1.0.0 prints nothing for this message; `limited`: a cap was reached).
//!
//! A file that cannot be read is named on standard error and gives exit status 65; the others are done all the same.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
};

use serde::Serialize;

use crate::{
    cli::{Context, Exit, Failure},
    digest::pyzor::{self, Digest, Digests, Profile},
};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Messages as they lie in a file or mailbox directory; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<OsString>,
    /// Show the normalised lines that are hashed, one a line in hash order, as `pyzor predigest`
    #[arg(long)]
    predigest: bool,
    /// One JSON object a message, with the digests of every kind of client
    #[arg(long)]
    json: bool,
    /// Each file is a mailbox: messages begin at lines that start with `From `
    #[arg(long)]
    mbox: bool,
}

/// Runs the verb.
///
/// # Errors
/// [`Exit::Data`] if a file could not be read or, with `--mbox`, holds no message; the others have been printed then.
pub fn run(args: &Args, _context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut out = io::BufWriter::new(out);
    let mut failed = Vec::new();
    for file in &args.files {
        if let Err(error) = digest_file(args, file, &mut out)? {
            failed.push(error.to_string());
        }
    }
    out.flush()?;
    if failed.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(Exit::Data, failed.join("\npostwarden: ")))
}

/// Prints the digests of a file; the inner error is that of reading it and names it.
fn digest_file(args: &Args, file: &OsStr, out: &mut dyn Write) -> io::Result<io::Result<()>> {
    let bytes = match read(file) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let messages = if args.mbox {
        pyzor::mbox_messages(&bytes)
    } else {
        vec![bytes.as_slice()]
    };
    if messages.is_empty() {
        return Ok(Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "no line of `{}` begins with \"From \": this is no mailbox",
                file.to_string_lossy()
            ),
        )));
    }
    for (index, message) in messages.iter().enumerate() {
        let row = Row {
            file: (args.files.len() > 1 || args.json).then_some(file),
            number: args.mbox.then_some(index + 1),
            digests: pyzor::digests(message),
        };
        row.print(args, out)?;
    }
    Ok(Ok(()))
}

fn read(file: &OsStr) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == "-" {
        io::stdin()
            .lock()
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)?;
    } else {
        fs_err::File::open(file)?
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("`{}` is larger than 1 GiB", file.to_string_lossy()),
        ));
    }
    Ok(bytes)
}

/// One message of the output.
struct Row<'a> {
    file: Option<&'a OsStr>,
    number: Option<usize>,
    digests: Digests,
}

impl Row<'_> {
    fn print(&self, args: &Args, out: &mut dyn Write) -> io::Result<()> {
        if args.json {
            serde_json::to_writer(&mut *out, &self.json(args.predigest))?;
            return writeln!(out);
        }
        if args.predigest {
            let reading = self.digests.reading(Profile::Standard);
            return reading
                .hashed_lines
                .iter()
                .try_for_each(|line| writeln!(out, "{line}"));
        }
        write!(out, "pyzor:{}", self.digests.primary())?;
        if let Some(file) = self.file {
            write!(out, "\t{}", file.to_string_lossy())?;
        }
        if let Some(number) = self.number {
            write!(out, "\t{number}")?;
        }
        for note in self.notes() {
            write!(out, "\t{note}")?;
        }
        writeln!(out)
    }

    fn notes(&self) -> impl Iterator<Item = &'static str> {
        let reading = self.digests.reading(Profile::Standard);
        [
            (reading.digest == Digest::EMPTY, "empty"),
            (reading.reference_fails, "pyzor-dies"),
            (self.digests.is_limited(), "limited"),
        ]
        .into_iter()
        .filter_map(|(is_so, note)| is_so.then_some(note))
    }

    fn json(&self, predigest: bool) -> Json {
        let reading = self.digests.reading(Profile::Standard);
        Json {
            file: self.file.map(|file| file.to_string_lossy().into_owned()),
            message: self.number,
            pyzor: key(reading.digest),
            publishable: self.digests.publishable().into_iter().map(key).collect(),
            profiles: Profile::ALL.map(|profile| {
                let reading = self.digests.reading(profile);
                JsonReading {
                    profile: profile.name(),
                    pyzor: key(reading.digest),
                    usable_lines: reading.usable_lines,
                    hashed_lines: reading.hashed_lines.len(),
                    pyzor_dies: reading.reference_fails,
                }
            }),
            limited: self.digests.is_limited(),
            lines: predigest.then(|| reading.hashed_lines.clone()),
        }
    }
}

fn key(digest: Digest) -> String {
    format!("pyzor:{digest}")
}

#[derive(Debug, Serialize)]
struct Json {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<usize>,
    pyzor: String,
    publishable: Vec<String>,
    profiles: [JsonReading; 4],
    limited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
struct JsonReading {
    profile: &'static str,
    pyzor: String,
    usable_lines: usize,
    hashed_lines: usize,
    pyzor_dies: bool,
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    const MESSAGE: &str = "Subject: x\n\nthis line is long enough\nand so is the second one\n";
    const DIGEST: &str = "pyzor:ac0e3b1e49b08df2347d318c6775586e9c10c192";

    fn file(directory: &Path, name: &str, text: &str) -> String {
        let path = directory.join(name);
        fs_err::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What the verb prints and how it ends.
    fn run_with(arguments: &[&str]) -> (String, Result<Exit, Failure>) {
        let line = Line::try_parse_from(["digest"].iter().chain(arguments)).unwrap();
        let context = Context {
            config: PathBuf::new(),
        };
        let mut out = Vec::new();
        let exit = run(&line.args, &context, &mut out);
        (String::from_utf8(out).unwrap(), exit)
    }

    #[test]
    fn one_file_is_one_word() {
        let directory = tempfile::tempdir().unwrap();
        let message = file(directory.path(), "a.eml", MESSAGE);
        let (out, exit) = run_with(&[&message]);
        assert_eq!(out, format!("{DIGEST}\n"));
        assert_eq!(exit.unwrap(), Exit::Ok);
    }

    #[test]
    fn several_files_are_named_behind_their_digests() {
        let directory = tempfile::tempdir().unwrap();
        let first = file(directory.path(), "a.eml", MESSAGE);
        let second = file(directory.path(), "b.eml", "Subject: x\n\nshort\n");
        let (out, _) = run_with(&[&first, &second]);
        let empty = Digest::EMPTY;
        assert_eq!(
            out,
            format!("{DIGEST}\t{first}\npyzor:{empty}\t{second}\tempty\n")
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_does_not_stop_the_others() {
        let directory = tempfile::tempdir().unwrap();
        let message = file(directory.path(), "a.eml", MESSAGE);
        let missing = directory.path().join("missing.eml");
        let missing = missing.to_str().unwrap();
        let (out, exit) = run_with(&[missing, &message]);
        assert_eq!(out, format!("{DIGEST}\t{message}\n"));
        let failure = exit.unwrap_err();
        assert_eq!(failure.exit, Exit::Data);
        assert_eq!(
            failure.to_string(),
            format!("failed to open file `{missing}`: No such file or directory (os error 2)")
        );
    }

    #[test]
    fn predigest_shows_the_lines_that_are_hashed() {
        let directory = tempfile::tempdir().unwrap();
        let message = file(directory.path(), "a.eml", MESSAGE);
        let (out, _) = run_with(&["--predigest", &message]);
        assert_eq!(out, "thislineislongenough\nandsoisthesecondone\n");
    }

    #[test]
    fn a_mailbox_has_a_line_a_message_and_without_one_it_is_no_mailbox() {
        let directory = tempfile::tempdir().unwrap();
        let mailbox = file(
            directory.path(),
            "box",
            &format!("From a\n{MESSAGE}\nFrom b\n{MESSAGE}"),
        );
        let (out, _) = run_with(&["--mbox", &mailbox]);
        assert_eq!(out, format!("{DIGEST}\t1\n{DIGEST}\t2\n"));
        let message = file(directory.path(), "a.eml", MESSAGE);
        let (out, exit) = run_with(&["--mbox", &message]);
        assert_eq!(out, "");
        assert_eq!(exit.unwrap_err().exit, Exit::Data);
    }

    #[test]
    fn json_has_the_digest_of_every_kind_of_client() {
        let directory = tempfile::tempdir().unwrap();
        let message = file(
            directory.path(),
            "a.eml",
            "Content-Type: text/html\n\n<p>one &amp; two, long enough</p><![x[",
        );
        let (out, _) = run_with(&["--json", &message]);
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["file"], message);
        assert_eq!(json["publishable"].as_array().unwrap().len(), 2);
        assert_eq!(json["profiles"][0]["profile"], "standard");
        assert_eq!(json["profiles"][0]["pyzor_dies"], true);
        assert_eq!(json["profiles"][1]["pyzor_dies"], false);
        assert_eq!(json["pyzor"], json["profiles"][1]["pyzor"]);
    }
}
