//! What came of scripts, for people: a table, the first differences, and why directives were not decided.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use tumulus::collector::BuiltinCollector;
use tumulus::wast::{Difference, Outcome, Tally, Verdict};

use crate::cli::failure::Failure;
use crate::cli::table::{Align, Table};

/// How many differences, and how many reasons, are shown.
const SHOWN_MAX: usize = 20;

/// Scripts on one collector.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) collector: BuiltinCollector,
    pub(super) files: Vec<FileReport>,
}

/// What came of a script.
#[derive(Debug)]
pub(super) struct FileReport {
    pub(super) path: String,
    /// All directives.
    pub(super) tally: Tally,
    /// The assertions among them.
    pub(super) assertions: Tally,
    /// The directives that failed.
    pub(super) failures: Vec<Outcome>,
    /// How many directives were not decided, by the reason.
    pub(super) skips: BTreeMap<String, u64>,
}

impl Run {
    pub(super) fn new(collector: BuiltinCollector) -> Run {
        Run { collector, files: Vec::new() }
    }

    /// The directives of all files.
    pub(super) fn total(&self) -> Tally {
        sum(self.files.iter().map(|file| file.tally))
    }

    /// The assertions of all files.
    pub(super) fn assertions(&self) -> Tally {
        sum(self.files.iter().map(|file| file.assertions))
    }
}

fn sum(tallies: impl Iterator<Item = Tally>) -> Tally {
    tallies.fold(Tally::default(), |mut sum, tally| {
        sum += tally;
        sum
    })
}

impl FileReport {
    pub(super) fn new(path: &Path) -> FileReport {
        FileReport {
            path: path.display().to_string(),
            tally: Tally::default(),
            assertions: Tally::default(),
            failures: Vec::new(),
            skips: BTreeMap::new(),
        }
    }

    /// Adds the outcome of the next directive.
    pub(super) fn add(&mut self, outcome: Outcome) {
        self.tally.add(&outcome.verdict);
        if outcome.directive.is_assertion() {
            self.assertions.add(&outcome.verdict);
        }
        match &outcome.verdict {
            Verdict::Passed => {}
            Verdict::Failed(_) => self.failures.push(outcome),
            Verdict::Skipped(reason) => *self.skips.entry(reason.clone()).or_default() += 1,
        }
    }
}

/// Prints the tables of all runs, then what to look at.
pub(super) fn write(runs: &[Run], out: &mut impl Write) -> Result<(), Failure> {
    for run in runs {
        let folder = common_folder(&run.files);
        let place = if folder.is_empty() { String::new() } else { format!(", in {}", printable(folder)) };
        writeln!(out, "On the collector {}{place}:\n\n{}", run.collector, table(run, folder.len()))?;
    }
    write_failures(runs, out)?;
    write_skips(runs, out)?;
    let assertions = sum(runs.iter().map(Run::assertions));
    Ok(writeln!(out, "{} of {} assertions passed.", assertions.passed, assertions.total())?)
}

/// The beginning of the paths of all files, up to the last `/`; nothing if there is only one file.
fn common_folder(files: &[FileReport]) -> &str {
    let [first, second, others @ ..] = files else { return "" };
    let mut folder = first.path.as_str();
    for file in std::iter::once(second).chain(others) {
        let same = folder.bytes().zip(file.path.bytes()).take_while(|(a, b)| a == b).count();
        folder = folder.get(..same).and_then(|same| same.rfind('/')).map_or("", |end| &folder[..=end]);
    }
    folder
}

/// The table of a run, whose paths are shown without their first `hidden` bytes.
fn table(run: &Run, hidden: usize) -> Table<4> {
    let mut table = Table::new([Align::Left, Align::Right, Align::Right, Align::Right]);
    let mut row = |name: &str, tally: Tally| {
        let Tally { passed, failed, skipped } = tally;
        table.row([name.to_owned(), passed.to_string(), failed.to_string(), skipped.to_string()]);
    };
    for file in &run.files {
        row(&printable(&file.path[hidden..]), file.tally);
    }
    row("total", run.total());
    table.with_heading(["file", "passed", "failed", "skipped"])
}

fn write_failures(runs: &[Run], out: &mut impl Write) -> Result<(), Failure> {
    let failures = || {
        runs.iter().flat_map(|run| {
            run.files.iter().flat_map(move |file| file.failures.iter().map(move |failure| (run, file, failure)))
        })
    };
    // What needs something that failed is told as a number, so that what to look at is not hidden among it.
    let (mut shown, mut hidden, mut following) = (0, 0, 0);
    for (run, file, Outcome { line, column, directive, verdict }) in failures() {
        match verdict {
            Verdict::Failed(Difference { cause: Some(_), .. }) => following += 1,
            Verdict::Failed(_) if shown == SHOWN_MAX => hidden += 1,
            Verdict::Failed(difference) => {
                if shown == 0 {
                    writeln!(out, "Failed:")?;
                }
                shown += 1;
                let difference = format!("{}:{line}:{column}: {directive} {difference}", file.path);
                let on = if runs.len() > 1 { format!(" ({})", run.collector) } else { String::new() };
                writeln!(out, "  {}{on}", printable(&difference))?;
            }
            Verdict::Passed | Verdict::Skipped(_) => {}
        }
    }
    if shown == 0 {
        return Ok(());
    }
    if hidden > 0 {
        writeln!(out, "  and {hidden} more")?;
    }
    if following > 0 {
        writeln!(out, "  and {following} that need what failed before them")?;
    }
    Ok(writeln!(out)?)
}

fn write_skips(runs: &[Run], out: &mut impl Write) -> Result<(), Failure> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in runs.iter().flat_map(|run| &run.files).flat_map(|file| &file.skips) {
        *reasons.entry(reason).or_default() += count;
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    // The most frequent first; sorting is stable, so that equals stay in the order of the alphabet.
    reasons.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    writeln!(out, "Skipped:")?;
    let mut table = Table::new([Align::Right, Align::Left]);
    for (reason, count) in reasons.iter().take(SHOWN_MAX) {
        table.row([format!("  {count}"), printable(reason)]);
    }
    write!(out, "{table}")?;
    write_hidden(reasons.len(), out)
}

/// Tells how many of `count` lines are not shown, and ends the paragraph.
fn write_hidden(count: usize, out: &mut impl Write) -> Result<(), Failure> {
    match count.saturating_sub(SHOWN_MAX) {
        0 => Ok(writeln!(out)?),
        hidden => Ok(writeln!(out, "  and {hidden} more\n")?),
    }
}

/// Text of scripts, which must not control the terminal, in one line.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_folder_ends_with_a_slash() {
        let folder = |paths: &[&str]| {
            let files: Vec<_> = paths.iter().map(|path| FileReport::new(Path::new(path))).collect();
            common_folder(&files).to_owned()
        };
        assert_eq!(folder(&["a/b/c.wast", "a/b/cd.wast"]), "a/b/");
        assert_eq!(folder(&["a/b/c.wast", "a/bc.wast", "a/b/c.wast"]), "a/");
        assert_eq!(folder(&["é/x.wast", "è/x.wast"]), "");
        assert_eq!(folder(&["a/x.wast"]), "");
        assert_eq!(folder(&[]), "");
    }
}
