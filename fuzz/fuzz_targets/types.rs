//! Types made canonical, and subtyping, beside a brute-force reading of the specification.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::{Numbers, oracle};

fuzz_target!(|bytes: &[u8]| {
    oracle::types::check(&mut Numbers::of_bytes(bytes));
});
