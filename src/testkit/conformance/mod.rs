//! One call that tells whether a collector is right.
//!
//! ```no_run
//! use tumulus::collector::BuiltinCollector;
//! use tumulus::testkit::conformance::Conformance;
//!
//! Conformance::of(&|| BuiltinCollector::Copying.create()).run().assert_passed();
//! ```
//!
//! A case is a small function with a sentence for its name, and panics if the sentence does not hold; the cases are in
//! files by topic, those that say most about the least first. What a collector declares in its
//! [`CollectorTraits`] decides which cases apply to it. Where a case carries an id (B12, R18, ...), it is that of a
//! failure that another implementation had.
//!
//! What is expected of every collector beyond its trait's documentation:
//!
//! - a full collection leaves exactly what the roots reach, or what only cycles keep if it collects none;
//! - the report's live bytes are then the sizes of just these objects, and its roots those that were shown;
//! - small objects of [`Settings::promise`] bytes always find room, unless
//!   [`Conformance::without_promise`] was called.

mod access;
mod allocation;
mod cycles;
mod graph;
mod limits;
mod payloads;
mod programs;
mod roots;
mod weak;

use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::fixture::Fixture;
use super::panic_message;
use super::settings::Settings;
use crate::collector::{Collector, CollectorTraits};

/// Makes a new collector of the kind that is examined.
pub type Create<'c> = &'c (dyn Fn() -> Box<dyn Collector> + Sync);

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The examination of a kind of collector.
#[derive(Clone, Copy)]
pub struct Conformance<'c> {
    create: Create<'c>,
    promises: bool,
    effort: u32,
}

/// What a case is given.
struct Subject<'c> {
    create: Create<'c>,
    traits: CollectorTraits,
    promises: bool,
    /// How many times as many random programs as usual.
    effort: u32,
}

impl Subject<'_> {
    /// A heap's settings with poison and verification.
    fn checked(&self, max_bytes: u64) -> Settings {
        Settings { promises: self.promises, ..Settings::checked(max_bytes) }
    }

    /// A checked heap of at most `max_bytes`, with roots.
    fn fixture(&self, max_bytes: u64) -> Fixture {
        self.fixture_of(&self.checked(max_bytes))
    }

    fn fixture_of(&self, settings: &Settings) -> Fixture {
        Fixture::new((self.create)(), settings)
    }
}

/// Which collectors a case applies to.
#[derive(Clone, Copy)]
enum To {
    All,
    /// Those that free anything.
    Collecting,
    /// Those that free cyclic garbage.
    CollectingCycles,
}

/// One thing that must hold.
struct Case {
    name: &'static str,
    to: To,
    run: fn(&Subject<'_>),
}

impl Case {
    const fn new(name: &'static str, to: To, run: fn(&Subject<'_>)) -> Case {
        Case { name, to, run }
    }

    fn examine(&self, subject: &Subject<'_>) -> Verdict {
        match self.to {
            To::Collecting if !subject.traits.collects => Verdict::NotApplicable("it collects nothing"),
            To::CollectingCycles if !subject.traits.collects_cycles => Verdict::NotApplicable("it collects no cycles"),
            _ => match catch_unwind(AssertUnwindSafe(|| (self.run)(subject))) {
                Ok(()) => Verdict::Passed,
                Err(panic) => Verdict::Failed(panic_message(&*panic)),
            },
        }
    }
}

impl<'c> Conformance<'c> {
    /// The examination of the collectors that `create` makes.
    #[must_use]
    pub fn of(create: Create<'c>) -> Conformance<'c> {
        Conformance { create, promises: true, effort: 1 }
    }

    /// Runs `effort` times as many random programs: for a longer search.
    #[must_use]
    pub fn with_effort(mut self, effort: u32) -> Conformance<'c> {
        self.effort = effort;
        self
    }

    /// Does not ask the collector to keep [`Settings::promise`]: for one that may be full of holes.
    #[must_use]
    pub fn without_promise(mut self) -> Conformance<'c> {
        self.promises = false;
        self
    }

    /// Tries all cases.
    #[must_use]
    pub fn run(&self) -> Report {
        self.try_cases(|_| true)
    }

    /// Tries the cases in their order, up to the first that fails.
    #[must_use]
    pub fn run_to_first_failure(&self) -> Report {
        self.try_cases(|verdict| !matches!(verdict, Verdict::Failed(_)))
    }

    fn try_cases(&self, goes_on: impl Fn(&Verdict) -> bool) -> Report {
        let traits = (self.create)().traits();
        let subject = Subject { create: self.create, traits, promises: self.promises, effort: self.effort };
        let mut cases = Vec::new();
        for case in cases_in_order() {
            let verdict = case.examine(&subject);
            let stop = !goes_on(&verdict);
            cases.push((case.name, verdict));
            if stop {
                break;
            }
        }
        Report { collector: traits.name, cases }
    }
}

fn cases_in_order() -> impl Iterator<Item = &'static Case> {
    [
        allocation::CASES,
        access::CASES,
        graph::CASES,
        roots::CASES,
        payloads::CASES,
        weak::CASES,
        limits::CASES,
        cycles::CASES,
        programs::CASES,
    ]
    .into_iter()
    .flatten()
}

impl fmt::Debug for Conformance<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { create: _, promises, effort } = self;
        f.debug_struct("Conformance").field("promises", promises).field("effort", effort).finish_non_exhaustive()
    }
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It says nothing of such a collector, and why.
    NotApplicable(&'static str),
    /// It does not hold; what was found instead.
    Failed(String),
}

/// What came of the cases that were tried.
///
/// As text, one line for each, and what was found where one failed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The collector's name.
    pub collector: &'static str,
    /// Each case's name and verdict, in order.
    pub cases: Vec<(&'static str, Verdict)>,
}

impl Report {
    /// The cases that failed, and what was found.
    pub fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.cases.iter().filter_map(|(name, verdict)| match verdict {
            Verdict::Failed(what) => Some((*name, what.as_str())),
            Verdict::Passed | Verdict::NotApplicable(_) => None,
        })
    }

    /// Returns if no case failed.
    ///
    /// # Panics
    /// With the failures, otherwise.
    #[track_caller]
    pub fn assert_passed(&self) {
        assert!(self.failures().next().is_none(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the collector `{}`, case by case:", self.collector)?;
        for (name, verdict) in &self.cases {
            match verdict {
                Verdict::Passed => writeln!(f, "  holds   {name}")?,
                Verdict::NotApplicable(why) => writeln!(f, "  (none)  {name}: {why}")?,
                Verdict::Failed(what) => {
                    writeln!(f, "  FAILS   {name}")?;
                    what.lines().try_for_each(|line| writeln!(f, "          {line}"))?;
                }
            }
        }
        Ok(())
    }
}
