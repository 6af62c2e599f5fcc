//! The settings of property tests, and numbers for them.

use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, RngSeed};

use super::Numbers;

/// Settings under which a property test tries the same cases at every run.
///
/// The environment variables `PROPTEST_CASES` and `PROPTEST_RNG_SEED` replace the number of cases and the seed, to
/// search further.
#[must_use]
pub fn property(cases: u32) -> Config {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let cases = number("PROPTEST_CASES").and_then(|cases| u32::try_from(cases).ok()).unwrap_or(cases);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or(0x7475_6d75_6c75_7321);
    Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() }
}

/// Numbers of up to `bytes_max` bytes, as a fuzz target has them. Of a failing case, proptest leaves out and lowers bytes.
pub fn any_numbers(bytes_max: usize) -> impl Strategy<Value = Numbers> {
    proptest::collection::vec(any::<u8>(), 0..=bytes_max).prop_map(|bytes| Numbers::of_bytes(&bytes))
}
