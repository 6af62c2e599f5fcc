//! `tumulus wast`: scripts of the specification, on one collector or on all.
//!
//! A table of counts goes to the standard output, or a report in JSON; how far it is goes to the standard error while
//! that is a terminal.

mod files;
mod json;
mod progress;
mod report;

use std::io::Write;
use std::path::Path;

use tumulus::collector::BuiltinCollector;
use tumulus::store::Engine;
use tumulus::wast::Runner;

use self::progress::Progress;
use self::report::{FileReport, Run};
use super::args::Wast;
use super::failure::Failure;
use super::file;

/// Runs the scripts that the options name and prints what came of them. It is a failure if a directive failed.
pub(super) fn wast(options: &Wast, out: &mut impl Write) -> Result<(), Failure> {
    let files = files::find(&options.files, options.filter.as_deref())?;
    let collectors = options.collector.as_slice();
    let mut progress = Progress::new(files.len() * collectors.len());
    let mut runs = Vec::with_capacity(collectors.len());
    for &collector in collectors {
        let runner = Runner::new(&Engine::new(&options.config(collector))?);
        let mut run = Run::new(collector);
        for file in &files {
            progress.next(&format!("{collector}: {}", file.display()));
            run.files.push(run_file(&runner, file)?);
        }
        runs.push(run);
    }
    drop(progress);
    if options.json { json::write(&runs, out) } else { report::write(&runs, out) }?;
    out.flush()?;
    let failed: u64 = runs.iter().map(|run| run.total().failed).sum();
    match failed {
        0 => Ok(()),
        1 => Err(Failure::Failed("1 directive failed".to_owned())),
        several => Err(Failure::Failed(format!("{several} directives failed"))),
    }
}

fn run_file(runner: &Runner, path: &Path) -> Result<FileReport, Failure> {
    let refused = |why: String| Failure::Refused(format!("cannot run `{}`: {why}", path.display()));
    let text = String::from_utf8(file::read(path)?).map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
    let mut report = FileReport::new(path);
    runner.run(&text, |outcome| report.add(outcome)).map_err(|error| refused(error.to_string()))?;
    Ok(report)
}

/// The collectors to run scripts on: one by its name, or all of them.
#[derive(Clone, Debug)]
pub(super) enum Collectors {
    One([BuiltinCollector; 1]),
    All,
}

impl Collectors {
    fn as_slice(&self) -> &[BuiltinCollector] {
        match self {
            Collectors::One(one) => one,
            Collectors::All => &BuiltinCollector::ALL,
        }
    }
}

impl Default for Collectors {
    fn default() -> Collectors {
        Collectors::One([BuiltinCollector::default()])
    }
}

impl std::fmt::Display for Collectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Collectors::One([collector]) => collector.fmt(f),
            Collectors::All => f.write_str("all"),
        }
    }
}

impl std::str::FromStr for Collectors {
    type Err = String;

    fn from_str(text: &str) -> Result<Collectors, String> {
        match text {
            "all" => Ok(Collectors::All),
            name => match name.parse() {
                Ok(collector) => Ok(Collectors::One([collector])),
                Err(error) => Err(format!("{error}; or `all`")),
            },
        }
    }
}
