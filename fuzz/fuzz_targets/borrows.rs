//! The borrow checker of guest memory, beside a list of what is borrowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::Numbers;
use tumulus::testkit::oracle::borrows;

fuzz_target!(|bytes: &[u8]| {
    borrows::the_tracker_does_what_a_list_would(borrows::calls(&mut Numbers::of_bytes(bytes)));
});
