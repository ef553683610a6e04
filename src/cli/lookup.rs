//! `lookup MAP KEY`: what a lookup table would answer, by the code that answers Postfix.

use std::io::Write;

use serde_json::json;

use crate::{
    cli::{Context, Exit, Failure, desk},
    daemon,
};

/// Arguments of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// abused, digest or line
    map: String,
    /// The key
    key: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints the answer; exit status 1 when nothing is found, as `postmap -q`.
///
/// # Errors
/// No such map (64), or the database cannot be read.
pub fn run(args: &Args, context: &Context, out: &mut dyn Write) -> Result<Exit, Failure> {
    let config = desk::config(context)?;
    let view = daemon::picture(&config)?.view();
    let answer = match args.map.as_str() {
        "abused" => view.abused(&args.key),
        "digest" => view.digest(&args.key),
        "line" => view.line(&args.key),
        other => {
            let failure = Failure::new(Exit::Usage, format!("there is no map `{other}`"));
            return Err(failure.hint("abused, digest or line"));
        }
    };
    if args.json {
        writeln!(
            out,
            "{}",
            json!({"map": args.map, "key": args.key, "answer": answer})
        )?;
    } else if let Some(answer) = &answer {
        writeln!(out, "{answer}")?;
    }
    Ok(if answer.is_some() {
        Exit::Ok
    } else {
        Exit::Failed
    })
}
