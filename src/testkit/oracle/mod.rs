//! Parts of the crate beside something simpler that must come to the same: for tests and for fuzz targets.
//!
//! ```text
//!   types        canonical types and subtyping, beside a brute-force reading of the specification
//!   layout       layouts of structs, beside a first fit by hand
//!   blocks       the block table, beside an account of each granule
//!   borrows      the tracker of borrows, beside a list
//!   growth       memories of every kind, beside plain vectors
//! ```

pub mod blocks;
pub mod borrows;
pub mod growth;
pub mod layout;
pub mod types;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// The value of `strategy` that a fuzzer's bytes choose; `None` if they choose none.
pub fn of_bytes<S: Strategy>(strategy: &S, bytes: &[u8]) -> Option<S::Value> {
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, bytes);
    let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng);
    strategy.new_tree(&mut runner).ok().map(|tree| tree.current())
}
