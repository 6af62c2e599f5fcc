//! The kit's oracles, each for as many random cases as a test has time for; the fuzz targets go on from there.

use proptest::prelude::*;
use tumulus::testkit::{Numbers, any_numbers, oracle};

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
    fn the_borrow_tracker_does_what_a_list_would(mut numbers in any_numbers(1500)) {
        oracle::borrows::the_tracker_does_what_a_list_would(oracle::borrows::calls(&mut numbers));
    }

    #[test]
    fn room_between_survivors_is_found_as_line_by_line(mut numbers in any_numbers(500)) {
        oracle::lines::room_does_as_its_model(&mut numbers);
    }
}

/// A generator that did not end where a fuzzer's bytes did made three fuzz targets hang at their first input.
#[test]
fn cases_of_empty_and_short_bytes_end() {
    for bytes in [&[][..], &[0], &[0xFF], &[0; 7], &[0xFF; 9]] {
        let numbers = || Numbers::of_bytes(bytes);
        oracle::borrows::the_tracker_does_what_a_list_would(oracle::borrows::calls(&mut numbers()));
        let (max_bytes, calls) = (oracle::blocks::maximum(&mut numbers()), oracle::blocks::calls(&mut numbers(), 60));
        oracle::blocks::the_table_does_as_its_model(max_bytes, &calls, true);
        oracle::layout::layouts_extend_those_of_their_supertypes(&oracle::layout::definitions(&mut numbers()));
        oracle::lines::room_does_as_its_model(&mut numbers());
        oracle::types::check(&mut numbers());
        for subject in oracle::growth::subjects() {
            oracle::growth::run_beside_model(&subject, &[], &mut numbers());
        }
    }
}
