//! `postwarden records`: one JSON object for each log line that is understood, and a summary.
//!
//! Lines stream through: memory does not grow with the log, and what is not understood is counted by shape, up to
//! [`SHAPES`] of them.

mod json;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use crate::{
    cli::{Context, Exit, Failure, archives::each_line},
    postfix::log_record::{Reading, Unparsed},
    time::Zone,
};

/// Shapes of unparsed lines that are told apart; further ones are counted together.
const SHAPES: usize = 1000;
/// Bytes of a sample in the summary.
const SAMPLE: usize = 300;

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Mail logs, compressed or not, in any order; `-` is standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// Zone of stamps that have none, by its IANA name (default: the system's)
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// A log that cannot be read, a zone that is not known.
pub fn run(args: &Args, _context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let zone = zone(args.tz.as_deref())?;
    let mut report = Report::new(BufWriter::with_capacity(1 << 16, out));
    each_line(&args.logs, &zone, |reader, line| {
        report.line(reader.read(line), line)
    })?;
    report.end()?;
    Ok(Exit::Ok)
}

/// Writes the objects and counts.
struct Report<W: Write> {
    out: W,
    objects: json::Objects,
    summary: Summary,
}

#[derive(Debug, Default)]
struct Summary {
    lines: u64,
    records: u64,
    foreign: u64,
    unparsed: u64,
    shapes: HashMap<String, Shape>,
}

#[derive(Debug)]
struct Shape {
    count: u64,
    sample: String,
}

impl<W: Write> Report<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            objects: json::Objects::default(),
            summary: Summary::default(),
        }
    }

    fn line(&mut self, reading: Reading<'_>, line: &[u8]) -> io::Result<()> {
        self.summary.lines += 1;
        match reading {
            Reading::Record(record) => {
                self.summary.records += 1;
                self.objects.record(self.summary.lines, &record);
                self.out.write_all(self.objects.out.as_bytes())?;
                self.objects.out.clear();
            }
            Reading::Foreign => self.summary.foreign += 1,
            Reading::Unparsed(unparsed) => self.summary.unparsed(&unparsed, line),
        }
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        let text = self.summary.to_json()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }
}

impl Summary {
    fn unparsed(&mut self, unparsed: &Unparsed<'_>, line: &[u8]) {
        self.unparsed += 1;
        let mut shape = unparsed.shape();
        if self.shapes.len() >= SHAPES && !self.shapes.contains_key(&shape) {
            "(other shapes)".clone_into(&mut shape);
        }
        let known = self.shapes.entry(shape).or_insert_with(|| Shape {
            count: 0,
            sample: String::from_utf8_lossy(line.get(..SAMPLE).unwrap_or(line))
                .trim_end()
                .to_owned(),
        });
        known.count += 1;
    }

    /// The summary line, the most frequent shape first.
    fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut shapes: Vec<_> = self.shapes.iter().collect();
        shapes.sort_by(|(a, x), (b, y)| y.count.cmp(&x.count).then_with(|| a.cmp(b)));
        let shapes = shapes
            .into_iter()
            .map(|(shape, known)| ShapeLine {
                shape,
                count: known.count,
                sample: &known.sample,
            })
            .collect();
        serde_json::to_string(&SummaryLine {
            r#type: "summary",
            lines: self.lines,
            records: self.records,
            foreign: self.foreign,
            unparsed: self.unparsed,
            shapes,
        })
    }
}

/// The last line of the output.
#[derive(serde::Serialize)]
struct SummaryLine<'a> {
    r#type: &'static str,
    lines: u64,
    records: u64,
    foreign: u64,
    unparsed: u64,
    shapes: Vec<ShapeLine<'a>>,
}

#[derive(serde::Serialize)]
struct ShapeLine<'a> {
    shape: &'a str,
    count: u64,
    sample: &'a str,
}

/// The zone of a name: UTC, a file below /usr/share/zoneinfo, or a POSIX string such as `CET-1CEST,M3.5.0,M10.5.0/3`.
pub(super) fn zone(name: Option<&str>) -> Result<Zone, Failure> {
    use jiff::tz::TimeZone;
    let Some(name) = name else {
        return Ok(Zone::new(TimeZone::try_system().unwrap_or(TimeZone::UTC)));
    };
    if matches!(name, "UTC" | "Z" | "GMT") {
        return Ok(Zone::utc());
    }
    let inside = !name.split('/').any(|part| matches!(part, "" | "." | ".."));
    let from_file = inside
        .then(|| fs_err::read(Path::new("/usr/share/zoneinfo").join(name)).ok())
        .flatten()
        .and_then(|data| TimeZone::tzif(name, &data).ok());
    from_file
        .or_else(|| TimeZone::posix(name).ok())
        .map(Zone::new)
        .ok_or_else(|| {
            Failure::new(Exit::Usage, format!("--tz {name}: no such time zone")).hint(
                "ls /usr/share/zoneinfo (Debian package tzdata), or a POSIX string as in tzset(3)",
            )
        })
}
