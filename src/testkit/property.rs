//! The settings of property tests.

use proptest::test_runner::{Config, RngSeed};

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
