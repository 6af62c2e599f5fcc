//! Programs of a mutator on each collector, beside the model.
#![no_main]

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use tumulus::testkit::Case;

fuzz_target!(|bytes: &[u8]| {
    let Ok(case) = Case::sound(&mut Unstructured::new(bytes)) else { return };
    if let Err(found) = case.run() {
        panic!("{found}\n{case}");
    }
});
