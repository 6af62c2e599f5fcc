//! The borrow checker of guest memory, beside a list of what is borrowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::oracle::{borrows, of_bytes};

fuzz_target!(|bytes: &[u8]| {
    if let Some(calls) = of_bytes(&borrows::calls(), bytes) {
        borrows::the_tracker_does_what_a_list_would(calls);
    }
});
