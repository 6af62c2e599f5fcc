//! Memories of every kind as they are made, grown, written to and dropped, beside plain vectors.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tumulus::memory::MemoryImage;
use tumulus::testkit::Numbers;
use tumulus::testkit::oracle::growth::{Subject, image, run_beside_model, subjects};

static IMAGES: LazyLock<[MemoryImage; 3]> = LazyLock::new(|| [image(1, 1), image(4097, 2), image(70_001, 4)]);

/// Made once and never dropped: the static buffer of one of them could not be given back.
static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(subjects);

fuzz_target!(|bytes: &[u8]| {
    let mut numbers = Numbers::of_bytes(bytes);
    let subject = &SUBJECTS[numbers.index(SUBJECTS.len())];
    run_beside_model(subject, &*IMAGES, &mut numbers);
});
