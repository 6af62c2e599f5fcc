//! Every map, protect and advise call fails in turn: nothing has changed then, the error says so, and what was taken
//! is returned.
#![cfg(target_os = "linux")]

mod memory_support;

use memory_support::{PAGE, Request, image, pool, subjects};
use tumulus::error::{Cause, OutOfMemoryKind};
use tumulus::memory::faults::{with_fault, with_faults};
use tumulus::memory::mappings::access;
use tumulus::memory::{LocalMemory, MappedMemoryCreator, MemoryImage, MemoryType, PoolConfig, PoolMemoryCreator};
use tumulus::store::{Engine, SharedMemory};

/// Does `body` with each of its calls failing, until none is left to fail; tells how many there were.
fn each_call(mut body: impl FnMut(usize) -> bool) -> usize {
    (0..100).find(|&nth| !body(nth)).expect("an end to the calls")
}

#[test]
fn creation_fails_whole_or_does_without() {
    let image = image(10_000, 1);
    let requests = [
        Request::of(0),
        Request::of(100_000),
        Request { reserved: Some(200_000), ..Request::of(PAGE) },
        Request::of(100_000).image(&image),
    ];
    for subject in subjects() {
        for request in &requests {
            each_call(|nth| {
                let (made, failed) = with_fault(nth, || request.local(&*subject.creator));
                match made {
                    // A copy took the place of a mapped image, or no huge pages that of huge ones.
                    Ok(memory) => assert!(memory.bytes() == request.contents(), "{}", subject.name),
                    Err(refusal) => assert!(failed && refusal.contains("cannot"), "{}: {refusal}", subject.name),
                }
                failed
            });
            assert!(request.local(&*subject.creator).unwrap().bytes() == request.contents(), "{}", subject.name);
        }
    }
}

#[test]
fn growth_fails_whole() {
    let image = image(10_000, 1);
    for subject in subjects() {
        for request in [Request::of(50_000), Request::of(50_000).image(&image)] {
            for new_size in [50_001, 60_000, 200_000] {
                each_call(|nth| {
                    let mut memory = request.local(&*subject.creator).unwrap();
                    memory.bytes_mut()[20_000..].fill(3);
                    let before = (memory.base_ptr(), memory.byte_size(), memory.byte_capacity());
                    let contents = memory.bytes().to_vec();
                    let (grown, failed) = with_fault(nth, || memory.grow_to(new_size));
                    if let Err(error) = grown {
                        assert_eq!((error.kind, error.in_use), (OutOfMemoryKind::Host, 50_000));
                        assert_eq!((memory.base_ptr(), memory.byte_size(), memory.byte_capacity()), before);
                        memory.grow_to(new_size).unwrap();
                    }
                    assert!(memory.bytes()[..50_000] == contents, "{}", subject.name);
                    assert!(memory.bytes()[50_000..].iter().all(|&byte| byte == 0), "{}", subject.name);
                    failed
                });
            }
        }
    }
}

#[test]
fn a_discard_that_fails_changes_no_byte_but_to_zero() {
    for subject in subjects() {
        each_call(|nth| {
            let mut memory = Request::of(PAGE).local(&*subject.creator).unwrap();
            memory.bytes_mut().fill(3);
            let (done, failed) = with_fault(nth, || memory.discard(10..60_000));
            assert!(!(done && failed), "{}", subject.name);
            let (left, rest) = memory.bytes().split_at(10);
            assert!(left.iter().chain(&rest[59_990..]).all(|&byte| byte == 3), "{}", subject.name);
            assert!(rest[..59_990].iter().all(|&byte| byte == 0 || byte == 3 && !done), "{}", subject.name);
            failed
        });
    }
}

/// A life in a pool: a memory of one kind after another of another kind, grown and dropped.
fn life(pool: &PoolMemoryCreator, requests: &[Request]) -> Result<(), String> {
    for request in requests {
        let mut memory = request.local(pool)?;
        assert!(memory.bytes() == request.contents());
        let old_size = memory.byte_size();
        let grown = memory.grow_to(old_size + 50_000);
        assert!(memory.bytes()[old_size..].iter().all(|&byte| byte == 0));
        memory.bytes_mut().fill(7);
        grown.map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn a_pool_survives_the_failure_of_any_call_and_of_all_after_it() {
    let images = [image(10_000, 1), image(20_000, 2)];
    let requests = [
        Request::of(100_000),
        Request::of(30_000).image(&images[0]),
        Request::of(30_000).image(&images[1]),
        Request { guard: PAGE, ..Request::of(1) },
        Request { guard: PAGE, ..Request::of(30_000).image(&images[0]) },
    ];
    for rewrite_max in [0, usize::MAX] {
        for many in [false, true] {
            let calls = each_call(|nth| {
                let pool = pool(3, rewrite_max);
                let failing = nth..if many { usize::MAX } else { nth + 1 };
                let (_, calls) = with_faults(failing, || life(&pool, &requests));
                // No slot is forgotten. Those that may be unmapped are not used any more.
                assert_eq!(pool.free_slots() + pool.retired_slots(), 3);
                assert!(pool.retired_slots() <= if many { 3 } else { 1 });
                if pool.retired_slots() < 3 {
                    life(&pool, &requests).unwrap();
                } else {
                    let refusal = Request::of(1).make(&pool).err().unwrap();
                    assert_eq!(refusal, "no free slot: all 0 are in use, and 3 are retired");
                }
                calls > nth
            });
            assert!(calls >= 10, "{calls}");
        }
    }
}

#[test]
fn a_refused_protection_leaves_rights_that_are_known() {
    let pool = pool(1, usize::MAX);
    drop(Request::of(200_000).local(&pool).unwrap());
    // The smaller tenant's rights cannot be set; the slot is renewed, and is as good as new.
    let guarded = Request { guard: PAGE, ..Request::of(10) };
    let (made, failed) = with_fault(0, || guarded.local(&pool));
    assert!(failed && made.unwrap_err().contains("cannot prepare a slot"));
    assert_eq!((pool.free_slots(), pool.retired_slots()), (1, 0));
    let memory = guarded.local(&pool).unwrap();
    let base = memory.base_ptr().addr();
    assert_eq!(access(base + 4096..base + pool.config().slot_size), ["---p"]);
    drop(memory);
    // A growth that fails may have changed some rights: the next tenant finds them as they should be.
    let mut memory = Request::of(10).local(&pool).unwrap();
    assert!(with_fault(0, || memory.grow_to(100_000).is_err()).0);
    drop(memory);
    assert_eq!(access(base..base + pool.config().slot_size), ["---p"]);
    assert_eq!((pool.free_slots(), pool.retired_slots()), (1, 0));
}

/// A memory of bytes without a guard, such as a heap, whose user looks at the size: the access to pages that are overwritten
/// anyway is not taken away and given back.
#[test]
fn a_slot_is_used_again_without_a_call_of_the_system() {
    let pool = pool(1, usize::MAX);
    let life = || {
        let mut memory = Request::of(0).local(&pool).unwrap();
        memory.grow_to(200_000).unwrap();
        assert!(memory.bytes().iter().all(|&byte| byte == 0));
        memory.bytes_mut().fill(7);
    };
    let ((), first) = with_faults(usize::MAX..usize::MAX, life);
    let ((), second) = with_faults(usize::MAX..usize::MAX, life);
    assert_eq!((first, second), (1, 0));
    // Where a guard is asked for, nothing beyond the size is accessible.
    let memory = Request { guard: PAGE, ..Request::of(10) }.local(&pool).unwrap();
    let base = memory.base_ptr().addr();
    assert_eq!(access(base + 4096..base + pool.config().slot_size), ["---p"]);
}

/// A retired slot's address space is never returned, because it may be somebody else's by then.
#[test]
fn what_may_be_unmapped_is_not_unmapped_again() {
    let image = image(PAGE, 1);
    let pool = pool(2, 0);
    let memory = Request::of(PAGE).image(&image).local(&pool).unwrap();
    let base = memory.base_ptr().addr();
    drop(memory);
    let other = Request::of(PAGE).local(&pool).unwrap();
    // The only free slot has an image that has to go.
    assert!(with_fault(0, || Request::of(PAGE).make(&pool).is_err()).0);
    assert_eq!((pool.free_slots(), pool.retired_slots()), (0, 1));
    drop((other, pool));
    assert!(!access(base..base + PAGE).is_empty(), "the pool was unmapped");
}

#[test]
fn a_pool_or_an_image_that_cannot_be_made() {
    let config = PoolConfig { slots: 2, slot_size: PAGE, ..PoolConfig::default() };
    let (made, failed) = with_fault(0, || PoolMemoryCreator::new(config.clone()).err().unwrap());
    assert!(failed && made.out_of_memory().is_some_and(|error| error.kind == OutOfMemoryKind::Host));
    for nth in 0..2 {
        let (image, failed) = with_fault(nth, || MemoryImage::new(&[5; 5000]).unwrap());
        assert!(failed && !image.is_mapped());
        // A plain image works everywhere, by copying.
        let request = Request::of(PAGE).image(&image);
        let pool = PoolMemoryCreator::new(config.clone()).unwrap();
        for _ in 0..3 {
            let mut memory = request.local(&pool).unwrap();
            assert!(memory.bytes() == request.contents());
            memory.bytes_mut().fill(1);
        }
        assert!(request.local(&MappedMemoryCreator::default()).unwrap().bytes() == request.contents());
    }
}

#[test]
fn a_shared_memory_fails_whole() {
    let (engine, ty) = (Engine::default(), MemoryType::shared(1, 4));
    let calls = each_call(|nth| {
        let (made, failed) = with_fault(nth, || SharedMemory::new(&engine, ty));
        assert_eq!(made.is_err(), failed);
        assert!(made.err().is_none_or(|error| matches!(error.cause(), Cause::OutOfMemory(_))));
        failed
    });
    assert_eq!(calls, 2);
    let memory = SharedMemory::new(&engine, ty).unwrap();
    let (grown, failed) = with_fault(0, || memory.grow(1));
    let error = *grown.unwrap_err().out_of_memory().unwrap();
    assert!(failed && error.kind == OutOfMemoryKind::Host);
    assert_eq!((error.asked, error.in_use, error.limit), (65_536, 65_536, 4 * 65_536));
    assert_eq!(memory.size(), 1);
    assert_eq!(memory.grow(1).unwrap(), 1);
}

#[test]
fn local_memories_keep_their_bytes_through_a_failed_move() {
    let memory = Request::of(PAGE).make(&MappedMemoryCreator::default()).unwrap();
    let mut memory = LocalMemory::new(memory);
    memory.bytes_mut().fill(1);
    for nth in 0..2 {
        assert!(with_fault(nth, || memory.grow_to(1 << 20).is_err()).0);
        assert!(memory.bytes().iter().all(|&byte| byte == 1) && memory.byte_size() == PAGE);
    }
    memory.grow_to(1 << 20).unwrap();
    assert!(memory.bytes()[..PAGE].iter().all(|&byte| byte == 1));
}
