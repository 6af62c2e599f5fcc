//! What came of scripts, for programs: one JSON object.
//!
//! ```json
//! {"runs": [{
//!   "collector": "copying",
//!   "directives": {"passed": 2, "failed": 1, "skipped": 1},
//!   "assertions": {"passed": 0, "failed": 1, "skipped": 1},
//!   "files": [{
//!     "file": "a.wast",
//!     "directives": {..}, "assertions": {..},
//!     "failures": [{"line": 3, "column": 2, "directive": "assert_return", "wanted": "..", "came": ".."}],
//!     "skips": {"threads are not supported": 1}
//!   }]
//! }]}
//! ```

use std::fmt::Write as _;
use std::io::Write;

use tumulus::wast::{Outcome, Tally, Verdict};

use super::report::{FileReport, Run};
use crate::cli::failure::Failure;

/// Prints the object for all runs.
pub(super) fn write(runs: &[Run], out: &mut impl Write) -> Result<(), Failure> {
    Ok(writeln!(out, "{{\"runs\": {}}}", list(runs.iter().map(run)))?)
}

fn run(run: &Run) -> String {
    format!(
        "{{\"collector\": {}, \"directives\": {}, \"assertions\": {}, \"files\": {}}}",
        text(&run.collector.to_string()),
        tally(run.total()),
        tally(run.assertions()),
        list(run.files.iter().map(file)),
    )
}

fn file(file: &FileReport) -> String {
    let skips = file.skips.iter().map(|(reason, count)| format!("{}: {count}", text(reason)));
    format!(
        "\n{{\"file\": {}, \"directives\": {}, \"assertions\": {}, \"failures\": {}, \"skips\": {{{}}}}}",
        text(&file.path),
        tally(file.tally),
        tally(file.assertions),
        list(file.failures.iter().filter_map(failure)),
        skips.collect::<Vec<_>>().join(", "),
    )
}

fn failure(outcome: &Outcome) -> Option<String> {
    let Verdict::Failed(difference) = &outcome.verdict else { return None };
    Some(format!(
        "{{\"line\": {}, \"column\": {}, \"directive\": {}, \"wanted\": {}, \"came\": {}}}",
        outcome.line,
        outcome.column,
        text(outcome.directive.keyword()),
        text(&difference.wanted),
        text(&difference.came),
    ))
}

fn tally(Tally { passed, failed, skipped }: Tally) -> String {
    format!("{{\"passed\": {passed}, \"failed\": {failed}, \"skipped\": {skipped}}}")
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A string of JSON.
fn text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                // Control characters take one unit of UTF-16. Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(text("a \"b\" \\ \n\u{7f} é 𝄞"), r#""a \"b\" \\ \u000a\u007f é 𝄞""#);
    }
}
