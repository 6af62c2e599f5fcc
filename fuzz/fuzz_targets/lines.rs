//! Room between survivors, beside an account of each line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::testkit::Numbers;
use tumulus::testkit::oracle::lines;

fuzz_target!(|bytes: &[u8]| lines::room_does_as_its_model(&mut Numbers::of_bytes(bytes)));
