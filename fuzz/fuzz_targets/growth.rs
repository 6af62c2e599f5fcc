//! Memories of every kind as they are made, grown, written to and dropped, beside plain vectors.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tumulus::memory::MemoryImage;
use tumulus::testkit::Numbers;
use tumulus::testkit::oracle::growth::{Subject, image, run_beside_model, subjects};

static IMAGES: LazyLock<[MemoryImage; 3]> = LazyLock::new(|| [image(1, 1), image(4097, 2), image(70_001, 4)]);

thread_local! {
    // The static buffer is leaked, and so made once.
    static SUBJECTS: Vec<Subject> = subjects();
}

fuzz_target!(|bytes: &[u8]| {
    let mut numbers = Numbers::of_bytes(bytes);
    SUBJECTS.with(|subjects| {
        let subject = &subjects[numbers.index(subjects.len())];
        run_beside_model(subject, &*IMAGES, &mut numbers);
    });
});
