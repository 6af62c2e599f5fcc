//! Looking for a program that fails, and making it fit to be read.

use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Mismatch, run};
use crate::collector::Collector;
use crate::testkit::panic_message;
use crate::testkit::program::{Op, Operation, Program, shrink};
use crate::testkit::settings::Settings;

/// A program on which a heap and its model differ, or an attack that a heap does not withstand, shrunk, with all that is
/// needed to run it again.
///
/// Its text is a remark with the settings and what went wrong, and then the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample<O = Op> {
    /// The collector's name.
    pub collector: &'static str,
    /// How the heap is made.
    pub settings: Settings,
    /// The program.
    pub program: Program<O>,
    /// What goes wrong.
    pub what: String,
}

impl<O: Operation + fmt::Display> fmt::Display for Counterexample<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { collector, settings, program, what } = self;
        writeln!(f, "# {collector}, {settings}")?;
        what.lines().try_for_each(|line| writeln!(f, "# {line}"))?;
        write!(f, "{program}")
    }
}

impl<O: Operation + fmt::Display> std::error::Error for Counterexample<O> {}

/// Runs `program`; if heap and model differ, or the collector panics, shrinks it to the least that still fails in any
/// way.
///
/// # Errors
/// The shrunk program.
pub fn find_counterexample(
    create: &dyn Fn() -> Box<dyn Collector>,
    settings: &Settings,
    program: &Program,
) -> Result<(), Box<Counterexample>> {
    search(create, settings, program, &|program| run(create(), settings, program).map(|_| ()))
}

/// Tries `program`; if that fails or panics, shrinks it.
pub(in crate::testkit) fn search<O: Operation>(
    create: &dyn Fn() -> Box<dyn Collector>,
    settings: &Settings,
    program: &Program<O>,
    attempt: &dyn Fn(&Program<O>) -> Result<(), Mismatch>,
) -> Result<(), Box<Counterexample<O>>> {
    let failure = |program: &Program<O>| failure(|| attempt(program));
    if failure(program).is_none() {
        return Ok(());
    }
    let program = shrink(program, |candidate| failure(candidate).is_some());
    let what = failure(&program).unwrap_or_else(|| "fails at some times only".to_owned());
    Err(Box::new(Counterexample { collector: create().traits().name, settings: *settings, program, what }))
}

/// What went wrong in `attempt`, a panic too; `None` if nothing did.
pub(in crate::testkit) fn failure(attempt: impl FnOnce() -> Result<(), Mismatch>) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(attempt)) {
        Ok(Ok(())) => None,
        Ok(Err(mismatch)) => Some(mismatch.to_string()),
        Err(panic) => Some(format!("panicked: {}", panic_message(&*panic))),
    }
}
