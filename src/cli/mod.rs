//! The command-line program: runs modules, compares collectors, explains what went wrong.
//!
//! Builds on the public interface of the library alone, so that whatever it does an embedder can do too. Results go to
//! the standard output, everything else to the standard error. The exit code is 0 after success, 1 after a trap, an
//! exhausted heap or a failed check, and 2 if the command line or the input is refused; a program that exits by itself
//! chooses its own.

#![forbid(unsafe_code)]

mod args;
mod collectors;
mod demo;
mod failure;
mod file;
mod number;
mod progress;
mod run;
mod size;
mod stats;
mod stress;
mod table;
mod value;
mod wast;

use std::io::{self, Write};
use std::process::ExitCode;

use self::args::Command;
use self::failure::Failure;

/// Does what the command line asks for.
pub(crate) fn main() -> ExitCode {
    let outcome = match args::parse() {
        Ok(command) => execute(command),
        // Wrong usage, but also `--help` and `--version`, which are no errors.
        Err(answer) => return print_answer(&answer),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            // If the standard error is closed there is nobody left to tell.
            let _ = io::stderr().write_all(failure.report().as_bytes());
            failure.exit_code()
        }
    }
}

fn execute(command: Option<Command>) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    match command {
        None => demo::demo(&mut out),
        Some(Command::Run(options)) => return run::run(&options, &mut out),
        Some(Command::Wast(options)) => wast::wast(&options, &mut out),
        Some(Command::Stress(options)) => stress::stress(&options, &mut out),
        Some(Command::Collectors) => collectors::list(&mut out),
    }?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print_answer(answer: &clap::Error) -> ExitCode {
    // Nobody left to tell, as above.
    let _ = answer.print();
    ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(failure::REFUSED))
}
