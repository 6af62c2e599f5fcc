//! Blocks and large runs, beside an account of each granule.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::oracle::{blocks, of_bytes};

fuzz_target!(|bytes: &[u8]| {
    let strategy = (blocks::maximum(), blocks::calls(60));
    if let Some((max_bytes, calls)) = of_bytes(&strategy, bytes) {
        blocks::the_table_does_as_its_model(max_bytes, &calls, true);
    }
});
