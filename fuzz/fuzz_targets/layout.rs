//! Layouts of random structs, beside a first fit by hand.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::Numbers;
use tumulus::testkit::oracle::layout;

fuzz_target!(|bytes: &[u8]| {
    let definitions = layout::definitions(&mut Numbers::of_bytes(bytes));
    layout::layouts_extend_those_of_their_supertypes(&definitions);
    layout::a_collector_follows_the_references_of_the_layout(&definitions);
});
