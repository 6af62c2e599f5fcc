//! Layouts of random structs, beside a first fit by hand.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::oracle::{layout, of_bytes};

fuzz_target!(|bytes: &[u8]| {
    if let Some(definitions) = of_bytes(&layout::definitions(), bytes) {
        layout::layouts_extend_those_of_their_supertypes(&definitions);
        layout::a_collector_follows_the_references_of_the_layout(&definitions);
    }
});
