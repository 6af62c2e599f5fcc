//! What the tests of the heap share: types, a model heap, programs over both, and a generator of numbers.
//!
//! ```text
//!   runner       applies a program to a heap and to the model and compares the two
//!   fixture      a heap and its roots for tests that need no model
//!   program      operations as data, and how random ones are made
//!   model        the same heap without offsets, windows or a collector
//!   world        the types, and heaps that know them
//! ```

#![allow(dead_code, reason = "each test file uses its part of this module")]

pub(crate) mod fixture;
pub(crate) mod model;
pub(crate) mod program;
pub(crate) mod runner;
pub(crate) mod world;

use proptest::test_runner::{Config, RngSeed};

/// The settings of a property test: the same cases at every run.
///
/// `PROPTEST_CASES` and `PROPTEST_RNG_SEED` replace the number of cases and the seed, to search further.
pub(crate) fn property(cases: u32) -> Config {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cases = number("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(cases);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or(0x7475_6d75_6c75_7321);
    Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() }
}

/// A generator of numbers that gives the same ones on every machine (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    /// The row of numbers of this seed.
    pub(crate) fn new(seed: u64) -> Numbers {
        Numbers(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(((self.next() >> 32) * u64::from(limit)) >> 32).expect("below limit")
    }

    /// The next `N` bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}
