//! `tumulus stress`: random programs beside a model of the heap, or attacks on the heap's bytes.
//!
//! What was run goes to the standard output. A program that fails is shrunk, saved, and printed with the line that runs it
//! again; how far the search is goes to the standard error while that is a terminal.

mod search;

use std::fs;
use std::io::Write;
use std::path::Path;

use tumulus::testkit::Case;

use self::search::{Search, without_panic_messages};
use super::args::Stress;
use super::failure::Failure;
use super::file;
use super::table::{Align, Table};

/// Searches as the options say, or runs what a file says. It is a failure if a program failed.
pub(super) fn stress(options: &Stress, out: &mut impl Write) -> Result<(), Failure> {
    match &options.replay {
        Some(path) => replay(path, out),
        None => search(options, out),
    }
}

fn replay(path: &Path, out: &mut impl Write) -> Result<(), Failure> {
    let refused = |why: String| Failure::Refused(format!("cannot replay `{}`: {why}", path.display()));
    let text = String::from_utf8(file::read(path)?).map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
    let case: Case = text.parse().map_err(|error| refused(format!("{error}")))?;
    case.settings.config().validate().map_err(|error| refused(error.to_string()))?;
    let steps = case.program.0.len();
    match without_panic_messages(|| case.failure()) {
        None => Ok(writeln!(out, "{steps} steps on {}: nothing failed", case.collector)?),
        Some(what) => Err(Failure::Failed(format!("on {}: {what}", case.collector))),
    }
}

fn search(options: &Stress, out: &mut impl Write) -> Result<(), Failure> {
    let mut search = Search::new(options);
    let found = without_panic_messages(|| search.run());
    let mut table = Table::new([Align::Left, Align::Right, Align::Right]);
    table.row(["collector", if options.corrupt { "attacks" } else { "programs" }, "steps"]);
    for (collector, [programs, steps]) in search.counts() {
        table.row([collector.to_string(), programs.to_string(), steps.to_string()]);
    }
    write!(out, "{table}")?;
    let Some(found) = found else { return Ok(writeln!(out, "\nSeed {}: nothing failed.", options.seed)?) };
    writeln!(out, "\nSeed {}: a failure.\n\n{found}", options.seed)?;
    let path = options.save.display();
    let saved = match fs::write(&options.save, found.to_string()) {
        Ok(()) => format!("tumulus stress --replay {path}"),
        Err(error) => format!("save the lines above from the first `#` on, and replay them (`{path}`: {error})"),
    };
    out.flush()?;
    Err(Failure::Failed(format!("on {}: {}", found.collector, found.what)).with_help(&saved))
}
