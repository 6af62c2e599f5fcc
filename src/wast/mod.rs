//! Scripts of the WebAssembly specification: modules, and what is to come of calling them.
//!
//! ```text
//!      runner       reads a script, runs its directives one after the other, checks the heap at the end
//!        |
//!     execute       what each directive wants, held against what came
//!     /     \
//!  world   values   instances by name, modules by name, imports; arguments and results as scripts write them
//!    |
//!   host            what scripts may import: `spectest`, and `tumulus` for collections
//! ```
//!
//! Builds on `wasm` and on the crate `wast`, which parses scripts. The format is described with the reference
//! interpreter: <https://github.com/WebAssembly/spec/tree/main/interpreter#scripts>.
//!
//! ```
//! use tumulus::store::Engine;
//! use tumulus::wast::{Runner, Tally};
//!
//! let script = r#"
//!     (module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
//!     (assert_return (invoke "add" (i32.const 2) (i32.const 3)) (i32.const 5))
//! "#;
//! let mut tally = Tally::default();
//! Runner::new(&Engine::default()).run(script, |outcome| tally.add(&outcome.verdict))?;
//! // The module, the assertion, and the check of the heap.
//! assert_eq!(tally, Tally { passed: 3, failed: 0, skipped: 0 });
//! # Ok::<(), tumulus::wast::ScriptError>(())
//! ```
//!
//! # Promises
//!
//! - Each directive has an outcome: it passed, it failed and the difference is told, or it was not decided and the
//!   reason is told. A directive that needs an instance which could not be made goes the way of that instance.
//! - Traps and linking errors are held against the kind that the script's text names; a module that is to be refused
//!   counts as refused whatever the words are.
//! - `assert_exhaustion` is about the stack, or about the heap if its text is `out of memory`.
//! - Every script has a store of its own, whose whole heap is verified when the script has ended.

#![forbid(unsafe_code)]

mod execute;
mod host;
mod outcome;
mod runner;
mod values;
mod world;

pub use outcome::{Difference, Directive, Outcome, Tally, Verdict};
pub use runner::{Runner, ScriptError};
