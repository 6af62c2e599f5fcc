//! Every creator beside a plain `Vec<u8>`: growth, contents, and what a request may and may not have.
#![cfg(target_os = "linux")]

mod memory_support;

use memory_support::{KIB, LIMIT, PAGE, Request, image, subjects};
use tumulus::error::OutOfMemoryKind;
use tumulus::memory::mappings::pages_present;
use tumulus::memory::{LocalMemory, MappedMemory, MappedMemoryCreator, MemoryCreator, MemoryType, VecMemoryCreator};
use tumulus::testkit::Numbers;
use tumulus::testkit::oracle::growth::run_beside_model;

/// Sequences per creator.
const SEQUENCES: u64 = 1000;

#[test]
fn every_creator_does_as_a_vec() {
    let images = [image(1, 1), image(4096, 2), image(4097, 4), image(70_001, 8)];
    for subject in subjects() {
        for seed in 0..SEQUENCES {
            run_beside_model(&subject, &images, &mut Numbers::new(seed));
        }
    }
}

/// A14 and A15: the base is there at size 0 and with no reservation, and growth within the capacity keeps it.
#[test]
fn a14_a15_the_base_is_there_at_size_zero_and_stays_within_the_capacity() {
    for subject in subjects() {
        for reserved in [None, Some(0), Some(1), Some(PAGE), Some(LIMIT)] {
            for guard in [0, subject.guard] {
                let request = Request { reserved, guard, ..Request::of(0) };
                let mut memory = request.local(&*subject.creator).unwrap();
                let base = memory.base_ptr();
                assert!(!base.is_null() && base.addr().is_multiple_of(16), "{}", subject.name);
                assert!(guard == 0 || base.addr().is_multiple_of(4096), "{}", subject.name);
                assert!(memory.byte_capacity() >= reserved.unwrap_or(0), "{}", subject.name);
                for size in [1, memory.byte_capacity().min(LIMIT)] {
                    if size <= memory.byte_capacity() {
                        memory.grow_to(size).unwrap();
                        assert_eq!(memory.base_ptr(), base, "{}", subject.name);
                    }
                }
                // What is cached is right also where the base has moved.
                if subject.moves {
                    memory.grow_to(2 * LIMIT).unwrap();
                    *memory.bytes_mut().last_mut().unwrap() = 1;
                    let inner = memory.into_inner();
                    assert!(!inner.as_ptr().is_null() && inner.byte_size() == 2 * LIMIT);
                }
            }
        }
    }
}

/// S11: sizes beyond the address space are refused; nothing overflows and nothing is taken.
#[test]
fn s11_sizes_beyond_the_address_space_are_refused() {
    const HUGE: [usize; 5] = [usize::MAX, usize::MAX - 1, isize::MAX as usize, isize::MAX as usize + 1, 1 << 62];
    for subject in subjects() {
        let creator = &*subject.creator;
        for huge in HUGE {
            for request in [
                Request { minimum: huge, ..Request::of(0) },
                Request { reserved: Some(huge), ..Request::of(0) },
                Request { guard: huge, ..Request::of(0) },
                Request { reserved: Some(huge), guard: huge, ..Request::of(huge) },
            ] {
                let refusal = request.make(creator).err();
                assert!(refusal.is_some_and(|text| !text.is_empty()), "{}: {request:?}", subject.name);
            }
            let request = Request { maximum: Some(huge), ..Request::of(100) };
            let mut memory = request.local(creator).unwrap();
            memory.bytes_mut().fill(7);
            let error = memory.grow_to(huge).unwrap_err();
            assert!(matches!(error.kind, OutOfMemoryKind::TooLarge | OutOfMemoryKind::Host), "{}", subject.name);
            assert_eq!(memory.bytes(), [7; 100], "{}", subject.name);
        }
    }
}

#[test]
fn refusals_name_their_reason() {
    for subject in subjects() {
        let creator = &*subject.creator;
        let refusal = |request: Request| request.make(creator).err().unwrap();
        assert!(refusal(Request { maximum: Some(9), ..Request::of(10) }).contains("minimum of 10 bytes"));
        assert!(refusal(Request::of(10).image(&image(11, 1))).contains("an image of 11 bytes"), "{}", subject.name);
        let shared = creator.new_memory(MemoryType::shared(1, 1), 0, None, None, 0).err().unwrap();
        assert!(shared.contains("shared"), "{}", subject.name);
        // A refusal takes nothing: the next request is met.
        assert!(Request::of(10).make(creator).is_ok(), "{}", subject.name);
    }
}

/// Growth beyond the reservation copies what there is, and nothing that nobody touched.
#[test]
fn a_move_leaves_untouched_pages_untouched() {
    const SIZE: usize = 64 << 20;
    let mut memory = LocalMemory::new(Box::new(MappedMemory::new(SIZE, None, 0, 0).unwrap()));
    let touched = [0, 5 << 20, SIZE - 1];
    for at in touched {
        memory.bytes_mut()[at] = 9;
    }
    let before = memory.base_ptr();
    memory.grow_to(SIZE + 1).unwrap();
    let base = memory.base_ptr();
    assert_ne!(base, before);
    assert_eq!(pages_present(base.addr()..base.addr() + SIZE), touched.len());
    assert!(touched.iter().all(|&at| memory.bytes()[at] == 9));
    assert_eq!(memory.bytes().iter().filter(|&&byte| byte != 0).count(), touched.len());
}

/// The examples of an image: many memories from one, each with its own bytes from the first write on.
#[test]
fn memories_of_one_image_share_it_until_they_write() {
    let image = image(64 * KIB, 1);
    assert!(image.is_mapped());
    let request = Request::of(PAGE).image(&image);
    let creators: [Box<dyn MemoryCreator>; 3] =
        [Box::new(MappedMemoryCreator::default()), Box::new(memory_support::pool(20, 0)), Box::new(VecMemoryCreator)];
    for (creator, shares) in creators.iter().zip([true, true, false]) {
        let mut memories: Vec<_> = (0..20).map(|_| request.local(&**creator).unwrap()).collect();
        for memory in &memories {
            assert!(memory.bytes() == image.bytes());
            let base = memory.base_ptr().addr();
            assert!(!shares || pages_present(base..base + PAGE) == 0);
        }
        for (i, memory) in memories.iter_mut().enumerate() {
            memory.bytes_mut()[5000 * (i % 10)] = 0xFF;
            let base = memory.base_ptr().addr();
            assert!(!shares || pages_present(base..base + PAGE) == 1);
        }
        for (i, memory) in memories.iter().enumerate() {
            let differing = memory.bytes().iter().zip(image.bytes()).filter(|(a, b)| a != b).count();
            assert_eq!((differing, memory.bytes()[5000 * (i % 10)]), (1, 0xFF));
        }
        drop(memories);
        assert!(request.local(&**creator).unwrap().bytes() == image.bytes());
    }
}

/// A memory that began with an image is zero, not the image again, where it was discarded.
#[test]
fn what_was_an_images_is_zero_after_a_discard() {
    let image = image(50_000, 1);
    for subject in subjects() {
        let request = Request::of(2 * PAGE).image(&image);
        let mut memory = request.local(&*subject.creator).unwrap();
        if !memory.discard(100..PAGE) {
            continue;
        }
        assert!(memory.bytes()[..100] == image.bytes()[..100], "{}", subject.name);
        assert!(memory.bytes()[100..].iter().all(|&byte| byte == 0), "{}", subject.name);
        drop(memory);
        assert!(request.local(&*subject.creator).unwrap().bytes() == request.contents(), "{}", subject.name);
    }
}
