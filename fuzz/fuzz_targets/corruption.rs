//! Attacks on each collector: whatever the heap's bytes are, outcomes are those that the threat model allows.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use tumulus::testkit::Case;

fuzz_target!(|bytes: &[u8]| {
    let Ok(case) = Case::attack(&mut Unstructured::new(bytes)) else { return };
    if let Err(found) = case.run() {
        panic!("{found}\n{case}");
    }
});
