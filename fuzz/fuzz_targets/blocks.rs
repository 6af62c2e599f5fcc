//! Blocks and large runs, beside an account of each granule.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::Numbers;
use tumulus::testkit::oracle::blocks;

fuzz_target!(|bytes: &[u8]| {
    let mut numbers = Numbers::of_bytes(bytes);
    let max_bytes = blocks::maximum(&mut numbers);
    blocks::the_table_does_as_its_model(max_bytes, &blocks::calls(&mut numbers, 60), true);
});
