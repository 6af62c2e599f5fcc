//! What comes of a script: an outcome for each directive, and counts of them.

use core::fmt;
use core::ops::AddAssign;

/// What came of one directive of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The line it begins in, counted from 1.
    pub line: usize,
    /// The column it begins at, in bytes, counted from 1.
    pub column: usize,
    /// What kind of directive it is.
    pub directive: Directive,
    /// Whether it passed.
    pub verdict: Verdict,
}

/// A kind of directive. Displays as the keyword in the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Directive {
    /// Defines a module and makes an instance of it.
    Module,
    /// Defines a module.
    ModuleDefinition,
    /// Makes an instance of a module that was defined.
    ModuleInstance,
    /// Makes an instance available to imports.
    Register,
    /// Calls a function.
    Invoke,
    /// The results must be these.
    AssertReturn,
    /// There must be a trap.
    AssertTrap,
    /// There must be an exception that nobody catches.
    AssertException,
    /// The stack must be used up.
    AssertExhaustion,
    /// There must be a suspension that nobody handles.
    AssertSuspension,
    /// The module must not be valid.
    AssertInvalid,
    /// The module must not be readable.
    AssertMalformed,
    /// A custom section of the module must not be valid.
    AssertInvalidCustom,
    /// A custom section of the module must not be readable.
    AssertMalformedCustom,
    /// The module must not find what it imports.
    AssertUnlinkable,
    /// Runs directives in a thread.
    Thread,
    /// Waits for a thread.
    Wait,
    /// Not in the script: the check of the whole heap when the script has ended.
    Verify,
}

impl Directive {
    /// Whether the specification counts it as an assertion.
    #[must_use]
    pub fn is_assertion(self) -> bool {
        self.keyword().starts_with("assert_")
    }

    /// The keyword in the script.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Directive::Module => "module",
            Directive::ModuleDefinition => "module definition",
            Directive::ModuleInstance => "module instance",
            Directive::Register => "register",
            Directive::Invoke => "invoke",
            Directive::AssertReturn => "assert_return",
            Directive::AssertTrap => "assert_trap",
            Directive::AssertException => "assert_exception",
            Directive::AssertExhaustion => "assert_exhaustion",
            Directive::AssertSuspension => "assert_suspension",
            Directive::AssertInvalid => "assert_invalid",
            Directive::AssertMalformed => "assert_malformed",
            Directive::AssertInvalidCustom => "assert_invalid_custom",
            Directive::AssertMalformedCustom => "assert_malformed_custom",
            Directive::AssertUnlinkable => "assert_unlinkable",
            Directive::Thread => "thread",
            Directive::Wait => "wait",
            Directive::Verify => "verify",
        }
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// Whether a directive passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Passed,
    /// It did not.
    Failed(Difference),
    /// It was not decided, for the reason given: this engine does not support what it is about.
    Skipped(String),
}

/// What a directive wanted, and what came instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the script wants.
    pub wanted: String,
    /// What came.
    pub came: String,
    /// The line of the directive whose failure this one follows from, if it does.
    pub cause: Option<usize>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wanted {}, came {}", self.wanted, self.came)
    }
}

/// How many directives passed and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that passed.
    pub passed: u64,
    /// Those that did not.
    pub failed: u64,
    /// Those that were not decided.
    pub skipped: u64,
}

impl Tally {
    /// Counts one more directive.
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped(_) => self.skipped += 1,
        }
    }

    /// All that were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.passed + self.failed + self.skipped
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Why a directive did not pass.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// What it wants did not come.
    Failed(Difference),
    /// It cannot be decided.
    Skipped(String),
}

impl Stop {
    /// Another thing came than was wanted.
    pub(super) fn failed(wanted: impl Into<String>, came: impl Into<String>) -> Stop {
        Stop::Failed(Difference { wanted: wanted.into(), came: came.into(), cause: None })
    }

    /// The thing wanted is what line `line` failed to make.
    pub(super) fn follows(wanted: &str, line: usize) -> Stop {
        let came = format!("none: what line {line} makes failed");
        Stop::Failed(Difference { wanted: wanted.to_owned(), came, cause: Some(line) })
    }

    /// What it is about is not supported.
    pub(super) fn skipped(reason: impl Into<String>) -> Stop {
        Stop::Skipped(reason.into())
    }
}

/// The result of a part of a directive.
pub(super) type Step<T = ()> = Result<T, Stop>;

impl From<Step> for Verdict {
    fn from(step: Step) -> Verdict {
        match step {
            Ok(()) => Verdict::Passed,
            Err(Stop::Failed(difference)) => Verdict::Failed(difference),
            Err(Stop::Skipped(reason)) => Verdict::Skipped(reason),
        }
    }
}
