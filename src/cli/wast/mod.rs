//! `tumulus wast`: scripts of the specification, on one collector or on all.
//!
//! A table of counts goes to the standard output, or a report in JSON; how far it is goes to the standard error while
//! that is a terminal.

mod files;
mod json;
mod report;

use std::io::Write;
use std::path::Path;

use tumulus::store::Engine;
use tumulus::wast::Runner;

use self::report::{FileReport, Run};
use super::args::Wast;
use super::failure::Failure;
use super::file;
use super::progress::Progress;

/// Runs the scripts that the options name and prints what came of them. It is a failure if a directive failed, or if
/// one of the scripts cannot be read or parsed, which stops none of the others.
pub(super) fn wast(options: &Wast, out: &mut impl Write) -> Result<(), Failure> {
    let files = files::find(&options.files, options.filter.as_deref())?;
    let collectors = options.collector.as_slice();
    let progress = Progress::new();
    let (mut started, total) = (0, files.len() * collectors.len());
    let (mut runs, mut refused) = (Vec::with_capacity(collectors.len()), None);
    for &collector in collectors {
        let runner = Runner::new(&Engine::new(&options.config(collector))?);
        let mut run = Run::new(collector);
        for file in &files {
            started += 1;
            progress.show(&format!("{started}/{total}"), &format!("{collector}: {}", file.display()));
            match run_file(&runner, file) {
                Ok(report) => run.files.push(report),
                Err(failure) => refused = refused.or(Some(failure)),
            }
        }
        runs.push(run);
    }
    drop(progress);
    // An error alone is told alone.
    if runs.iter().any(|run| !run.files.is_empty()) {
        if options.json { json::write(&runs, out) } else { report::write(&runs, out) }?;
        out.flush()?;
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
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
