//! What tests need: of this crate, of embedders, and of those who write collectors.
//!
//! Builds on everything up to `root`; nothing builds on it but tests, fuzz targets and benchmarks.
//!
//! ```text
//!   case         a program or an attack with all that its run depends on
//!   corrupt      attacks: what must hold whatever the heap's bytes are
//!   conformance  one call that tells whether a collector is right, case by case
//!   wrap         collectors around collectors: a barrier auditor, and whatever a test wants to change
//!   oracle       parts of the crate beside something simpler: types, layouts, blocks, lines, borrows, growth
//!   runner       runs a program on a heap and on the model and compares the two
//!   program      operations as data: random ones, as text, shrunk
//!   model        a heap without offsets, windows or a collector
//!   fixture      a heap and its roots for tests that write out what they do
//!   world        the types, and heaps that know them; settings: how a heap is made
//! ```
//!
//! What the room promises: the same seed gives the same program on every machine, and the same program under the same
//! settings the same run. Every failure carries the text that repeats it.

#![forbid(unsafe_code)]

mod case;
pub mod conformance;
pub mod corrupt;
pub mod fixture;
pub mod model;
mod numbers;
pub mod oracle;
mod payload;
pub mod program;
mod property;
mod roots;
pub mod runner;
mod settings;
mod text;
pub mod world;
pub mod wrap;

use std::any::Any;

pub use case::Case;
pub use fixture::Fixture;
pub use numbers::Numbers;
pub use payload::{Payload, Tally};
pub use program::{Op, OpKind, Operation, Program, ROOTS, Swarm, TABLES};
pub use property::{any_numbers, property};
pub use roots::Roots;
pub use runner::{Counterexample, Mismatch, Outcome, find_counterexample, run};
pub use settings::{Bytes, Settings};
pub use text::NotUnderstood;
pub use world::World;

/// What a panic said.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
