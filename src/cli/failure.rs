//! What went wrong, as a person is told it, and the exit code that goes with it.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use tumulus::error::{Cause, Corruption, CorruptionKind, Error, OutOfMemory, OutOfMemoryKind, Trap};
use tumulus::wasm::ModuleError;

/// The exit code if the guest did not get through, or a check failed.
const FAILED: u8 = 1;

/// The exit code if the command line or the input is refused.
pub(super) const REFUSED: u8 = 2;

/// How many frames of a call stack are shown.
const FRAMES_SHOWN: usize = 20;

/// How many characters of a line of source text are shown.
const EXCERPT_CHARS: usize = 100;

/// Why the program ends without success: a message whose first line tells it all, and perhaps more lines.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line or the input cannot be used.
    Refused(String),
    /// The guest did not get through, or a check failed.
    Failed(String),
    /// The output cannot be written.
    Output(io::Error),
}

impl Failure {
    /// The code with which the process ends. A reader that has seen enough is no failure.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Failure::Refused(_) => ExitCode::from(REFUSED),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Failure::Failed(_) | Failure::Output(_) => ExitCode::from(FAILED),
        }
    }

    /// What to print on the standard error; nothing if the reader of the output went away.
    pub(super) fn report(&self) -> String {
        let message = match self {
            Failure::Refused(message) | Failure::Failed(message) => message.clone(),
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return String::new(),
            Failure::Output(error) => format!("cannot write the output: {error}"),
        };
        let mut report = String::from("error: ");
        for c in message.chars() {
            // Names and text come from the module, and must not control the terminal.
            if c.is_control() && c != '\n' {
                report.extend(c.escape_default());
            } else {
                report.push(c);
            }
        }
        report.push('\n');
        report
    }

    /// Adds a line that tells what to do.
    pub(super) fn with_help(mut self, help: &str) -> Failure {
        if let Failure::Refused(message) | Failure::Failed(message) = &mut self {
            message.push_str("\nhelp: ");
            message.push_str(help);
        }
        self
    }

    /// The failure to read `file`.
    pub(super) fn unreadable(file: &Path, error: &io::Error) -> Failure {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "no such file".to_owned(),
            io::ErrorKind::IsADirectory => "it is a directory; wanted a .wat or .wasm file".to_owned(),
            io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        Failure::Refused(format!("cannot read `{}`: {why}", file.display()))
    }

    /// The failure to load `file` as a module.
    pub(super) fn not_loaded(file: &Path, error: &ModuleError) -> Failure {
        let why = match error {
            ModuleError::Text { message, line, column, snippet } => {
                let excerpt = excerpt(snippet, *column);
                format!("line {line}, column {column}: {message}{excerpt}")
            }
            other => other.to_string(),
        };
        Failure::Refused(format!("cannot load `{}`: {why}", file.display()))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// Errors of the library, by who caused them.
impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let place = match error.call_stack().first() {
            Some(frame) => format!(" in {frame}"),
            None => String::new(),
        };
        let title = match error.cause() {
            Cause::Trap(Trap::OutOfFuel) => format!("out of fuel{place}"),
            Cause::Trap(trap) => format!("trap{place}: {trap}"),
            Cause::OutOfMemory(error) => out_of_memory(error, &place),
            Cause::Corruption(corruption) => damaged(*corruption, &place),
            Cause::Misuse(misuse) => return Failure::Refused(misuse.to_string()),
            other => format!("failed{place}: {other}"),
        };
        Failure::Failed(title + &call_stack(&error))
    }
}

fn out_of_memory(error: &OutOfMemory, place: &str) -> String {
    let OutOfMemory { kind, asked, in_use, limit, largest_free } = error;
    match kind {
        OutOfMemoryKind::HeapFull => format!(
            "heap exhausted{place}: asked for {asked} bytes, {in_use} of {limit} bytes are in use, \
             the largest free run is {largest_free} bytes"
        ),
        OutOfMemoryKind::TooLarge => format!(
            "heap exhausted{place}: asked for {asked} bytes, which can never fit; \
             {in_use} bytes are in use, the limit is {limit} bytes"
        ),
        OutOfMemoryKind::Denied | OutOfMemoryKind::Host => {
            format!(
                "out of memory{place}: asked for {asked} bytes more, which the host refused; {in_use} bytes are in use"
            )
        }
    }
}

fn damaged(corruption: Corruption, place: &str) -> String {
    let Corruption { what, at } = corruption;
    let title = match what {
        CorruptionKind::Verify(what) => format!("the heap does not verify{place}: {what}, at offset {at:#x}"),
        what => format!("the heap is damaged{place}: {what}, at offset {at:#x}"),
    };
    title + "\nThis is a defect of tumulus, not of the program. Please report it."
}

/// The guest's call stack on lines of its own.
fn call_stack(error: &Error) -> String {
    let frames = error.call_stack();
    let mut text = String::new();
    if !frames.is_empty() {
        text.push_str("\ncall stack, innermost first:");
    }
    for (depth, frame) in frames.iter().take(FRAMES_SHOWN).enumerate() {
        // Writing to a string does not fail.
        let _ = write!(text, "\n  {depth:>3}: {frame}");
    }
    let hidden = frames.len().saturating_sub(FRAMES_SHOWN) + error.frames_omitted();
    if hidden > 0 {
        let _ = write!(text, "\n  and {hidden} more");
    }
    text
}

/// The part of a line around `column`, and a mark below it, on lines of their own; nothing if the line is blank.
fn excerpt(line: &str, column: usize) -> String {
    if line.trim().is_empty() {
        return String::new();
    }
    let at = column.saturating_sub(1);
    let start = if at < EXCERPT_CHARS { 0 } else { at - EXCERPT_CHARS / 2 };
    let mut shown = String::new();
    let mut rest = line.chars().skip(start);
    // Each character takes one column, so that the mark stands below the right one.
    shown.extend(rest.by_ref().take(EXCERPT_CHARS).map(|c| if c.is_control() { ' ' } else { c }));
    let before = if start > 0 { "..." } else { "" };
    let after = if rest.next().is_some() { "..." } else { "" };
    let indent = before.len() + (at - start).min(shown.chars().count());
    format!("\n    {before}{}{after}\n    {:indent$}^", shown.trim_end(), "")
}

#[cfg(test)]
mod tests {
    use tumulus::error::FrameInfo;

    use super::*;

    #[test]
    fn a_trap_names_the_function_and_shows_a_bounded_stack() {
        let mut error = Error::from(Trap::Unreachable);
        error.push_frames((0..100).map(|function| FrameInfo { name: Some("f".to_owned()), function }));
        let failure = Failure::from(error);
        let report = failure.report();
        assert!(report.starts_with("error: trap in f (function 0): unreachable executed\ncall stack"), "{report}");
        assert!(report.ends_with("   19: f (function 19)\n  and 80 more\n"), "{report}");
        assert_eq!(failure.exit_code(), ExitCode::from(1));
    }

    #[test]
    fn an_exhausted_heap_tells_all_its_numbers() {
        let error = OutOfMemory { kind: OutOfMemoryKind::HeapFull, asked: 11, in_use: 22, limit: 33, largest_free: 44 };
        let report = Failure::from(Error::from(error)).report();
        for number in ["asked for 11 bytes", "22 of 33 bytes", "44 bytes"] {
            assert!(report.contains(number), "{report}");
        }
    }

    #[test]
    fn damage_and_failed_verification_are_failures() {
        for what in [CorruptionKind::BadHeader, CorruptionKind::Verify("field is dangling")] {
            let failure = Failure::from(Error::from(Corruption::new(what, 0x40)));
            assert!(failure.report().contains("at offset 0x40\nThis is a defect"), "{}", failure.report());
            assert_eq!(failure.exit_code(), ExitCode::from(1));
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.report().as_str(), failure.exit_code()), ("", ExitCode::SUCCESS));
        let failure = Failure::from(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(failure.exit_code(), ExitCode::from(1));
    }

    #[test]
    fn messages_do_not_control_the_terminal() {
        let report = Failure::Refused("a\u{1b}[2Jb\nc".to_owned()).with_help("d").report();
        assert_eq!(report, "error: a\\u{1b}[2Jb\nc\nhelp: d\n");
    }

    #[test]
    fn an_excerpt_marks_the_column_also_in_long_lines() {
        assert_eq!(excerpt("\t(bad)", 2), "\n     (bad)\n     ^");
        assert_eq!(excerpt("  ", 1), "");
        let long = format!("{}X{}", "a".repeat(5000), "b".repeat(5000));
        let shown = excerpt(&long, 5001);
        let (text, mark) = shown.trim_start_matches('\n').split_once('\n').unwrap();
        assert_eq!(text.find('X'), mark.find('^'));
        assert!(text.len() < 120 && text.ends_with("b..."), "{text}");
    }
}
