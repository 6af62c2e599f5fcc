//! Looking for a program that fails, and making it fit to be read.

use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::run;
use crate::collector::Collector;
use crate::testkit::panic_message;
use crate::testkit::program::{Program, shrink};
use crate::testkit::settings::Settings;

/// A program on which a heap and its model differ, shrunk, with all that is needed to run it again.
///
/// Its text is a remark with the settings and what went wrong, and then the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The collector's name.
    pub collector: &'static str,
    /// How the heap is made.
    pub settings: Settings,
    /// The program.
    pub program: Program,
    /// What goes wrong.
    pub what: String,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { collector, settings, program, what } = self;
        writeln!(f, "# {collector}, {settings}")?;
        what.lines().try_for_each(|line| writeln!(f, "# {line}"))?;
        write!(f, "{program}")
    }
}

impl std::error::Error for Counterexample {}

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
    let failure = |program: &Program| match catch_unwind(AssertUnwindSafe(|| run(create(), settings, program))) {
        Ok(Ok(_)) => None,
        Ok(Err(mismatch)) => Some(mismatch.to_string()),
        Err(panic) => Some(format!("panicked: {}", panic_message(&*panic))),
    };
    if failure(program).is_none() {
        return Ok(());
    }
    let program = shrink(program, |candidate| failure(candidate).is_some());
    let what = failure(&program).unwrap_or_else(|| "fails at some times only".to_owned());
    Err(Box::new(Counterexample { collector: create().traits().name, settings: *settings, program, what }))
}
