//! The kit's oracles, each for as many random cases as a test has time for; the fuzz targets go on from there.

use proptest::prelude::*;
use tumulus::testkit::{Numbers, oracle};

#[test]
fn s16_the_registry_agrees_with_the_oracle_on_random_type_graphs() {
    const ROUNDS: usize = 4_000;
    let (mut refused, mut equal, mut proper_subtypes) = (0, 0, 0);
    for seed in 0..ROUNDS as u64 {
        let seen = oracle::types::check(&mut Numbers::new(seed));
        refused += seen.refused;
        equal += seen.equal;
        proper_subtypes += seen.proper_subtypes;
    }
    assert!(refused > ROUNDS && equal > ROUNDS && proper_subtypes > ROUNDS, "{refused}, {equal}, {proper_subtypes}");
}

proptest! {
    #[test]
    fn the_borrow_tracker_does_what_a_list_would(calls in oracle::borrows::calls()) {
        oracle::borrows::the_tracker_does_what_a_list_would(calls);
    }
}
