//! The pool: who gets which slot, what a slot holds then, and that no slot is ever lost.
#![cfg(target_os = "linux")]

mod memory_support;

use std::sync::Arc;

use memory_support::{KIB, LIMIT, PAGE, Request, image, pool};
use tumulus::collector::BuiltinCollector;
use tumulus::error::OutOfMemoryKind;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::faults::with_faults;
use tumulus::memory::mappings::{access, pages_present};
use tumulus::memory::{LocalMemory, MemoryCreator, MemoryType, PoolConfig, PoolMemoryCreator};
use tumulus::testkit::Numbers;

/// LIMIT in whole pages.
const SLOT: usize = LIMIT.next_multiple_of(4096);
const STRIDE: usize = SLOT + PAGE;

fn tenant(pool: &PoolMemoryCreator, minimum: usize) -> LocalMemory {
    Request::of(minimum).local(pool).unwrap()
}

/// The rights that the pool's memory says its slot has: the size up to its page's end and nothing else.
fn assert_rights(memory: &LocalMemory) {
    let base = memory.base_ptr().addr();
    let end = base + memory.byte_size().next_multiple_of(4096);
    if memory.byte_size() > 0 {
        assert_eq!(access(base..end), ["rw-p"]);
    }
    assert_eq!(access(end..base + STRIDE), ["---p"]);
}

/// S7: no slots, slots of no bytes, of one page, and of all there is.
#[test]
fn s7_slots_of_zero_one_and_all_pages() {
    let make = |slots, slot_size, guard_size| {
        PoolMemoryCreator::new(PoolConfig { slots, slot_size, guard_size, rewrite_max: 0 })
    };
    for guard in [0, 1, PAGE] {
        let none = make(0, PAGE, guard).unwrap();
        assert_eq!(Request::of(0).make(&none).err().unwrap(), "no free slot: all 0 are in use");

        let empty = make(3, 0, guard).unwrap();
        let memories: Vec<_> = (0..3).map(|_| tenant(&empty, 0)).collect();
        for memory in memories {
            assert!(!memory.base_ptr().is_null() && memory.bytes().is_empty());
            assert_eq!(memory.byte_capacity(), 0);
        }
        assert_eq!(empty.free_slots(), 3);
        assert!(Request::of(1).make(&empty).is_err());
        assert!(tenant(&empty, 0).grow_to(1).is_err());

        let single = make(2, 1, guard).unwrap();
        assert_eq!((single.config().slot_size, single.config().guard_size), (4096, guard.next_multiple_of(4096)));
        let mut memory = tenant(&single, 4096);
        memory.bytes_mut().fill(1);
        assert_eq!(memory.grow_to(4097).unwrap_err().limit, 4096);

        let wide = make(2, 1 << 32, guard).unwrap();
        let mut memory = tenant(&wide, 0);
        memory.grow_to(1 << 32).unwrap();
        *memory.bytes_mut().last_mut().unwrap() = 1;
        assert!(memory.grow_to((1 << 32) + 1).is_err());
        drop(memory);
        assert_eq!(tenant(&wide, 1 << 32).bytes()[(1 << 32) - 1], 0);
    }
    for (slots, slot_size, guard) in [
        (usize::MAX, PAGE, 0),
        (2, usize::MAX, 0),
        (1, usize::MAX - 4096, 0),
        (1, 1, usize::MAX),
        (2, isize::MAX as usize, 0),
        (1 << 40, 1 << 40, 1 << 40),
        (usize::MAX, 0, 0),
        (1, 1 << 62, 0),
    ] {
        assert!(make(slots, slot_size, guard).is_err(), "{slots} {slot_size} {guard}");
    }
}

/// What a tenant asks for and how far it grows.
fn tenancies() -> Vec<(Request, usize)> {
    let images = [image(10, 2), image(5000, 4), image(PAGE, 8)];
    let mut tenancies = Vec::new();
    for minimum in [0, 1, 4096, PAGE, SLOT] {
        for grown in [minimum, minimum + 1, PAGE + 77, SLOT] {
            if (minimum..=SLOT).contains(&grown) {
                tenancies.push((Request::of(minimum), grown));
            }
        }
    }
    for image in &images {
        for minimum in [image.len(), PAGE + 5] {
            for grown in [minimum, SLOT] {
                tenancies.push((Request { guard: PAGE, ..Request::of(minimum).image(image) }, grown));
            }
        }
    }
    tenancies
}

/// S8 and I4: every kind of tenant after every kind, on the one slot there is, with the operating system helping and
/// with it refusing everything that the reset asks for: no byte of the first is there for the second.
#[test]
fn s8_i4_no_tenant_sees_another_whatever_the_two_ask_for() {
    const MARK: u8 = 0x0E;
    let tenancies = tenancies();
    for rewrite_max in [0, PAGE, usize::MAX] {
        for refused in [0..0, 0..usize::MAX] {
            let pool = pool(1, rewrite_max);
            for (first, first_grown) in &tenancies {
                for (second, second_grown) in &tenancies {
                    let mut memory = first.local(&pool).unwrap();
                    memory.grow_to(*first_grown).unwrap();
                    memory.bytes_mut().fill(MARK);
                    with_faults(refused.clone(), || drop(memory));
                    assert_eq!((pool.free_slots(), pool.retired_slots()), (1, 0));

                    let mut memory = second.local(&pool).unwrap();
                    let told = || format!("{first:?} to {first_grown}, {second:?} to {second_grown}, {rewrite_max}");
                    memory.grow_to(*second_grown).unwrap();
                    let (contents, rest) = memory.bytes().split_at(second.minimum);
                    assert!(contents == second.contents(), "{}", told());
                    assert!(rest.iter().all(|&byte| byte == 0), "{}", told());
                }
            }
        }
    }
}

/// I4: what the slot's last tenant could access beyond the new one's size is inaccessible again.
#[test]
fn i4_rights_are_those_of_the_new_tenant() {
    for rewrite_max in [0, usize::MAX] {
        let pool = pool(1, rewrite_max);
        for (request, grown) in tenancies() {
            // Without a guard nobody counts on what bytes beyond the size of such a memory do.
            let mut memory = Request { guard: PAGE, ..request }.local(&pool).unwrap();
            assert_rights(&memory);
            memory.grow_to(grown).unwrap();
            assert_rights(&memory);
        }
    }
}

/// A13: rounding to pages never goes beyond the slot, nor a request beyond the pool.
#[test]
fn a13_rounding_stays_inside_the_slot() {
    let pool = pool(2, 0);
    assert_eq!(pool.config().slot_size, SLOT);
    let neighbour = tenant(&pool, SLOT);
    let mut memory = tenant(&pool, SLOT - 1);
    assert_eq!(memory.byte_capacity(), SLOT);
    memory.grow_to(SLOT).unwrap();
    for beyond in [SLOT + 1, SLOT + 4096, usize::MAX - 4095, usize::MAX] {
        let error = memory.grow_to(beyond).unwrap_err();
        assert_eq!((error.kind, error.limit), (OutOfMemoryKind::TooLarge, SLOT as u64));
    }
    memory.bytes_mut().fill(1);
    assert_rights(&memory);
    assert!(neighbour.bytes().iter().all(|&byte| byte == 0));
    drop(memory);

    let refusal = |request: Request| request.make(&pool).err().unwrap();
    assert!(refusal(Request::of(SLOT + 1)).contains("a slot of the pool has"));
    assert!(refusal(Request { reserved: Some(SLOT + 1), ..Request::of(0) }).contains("a slot of the pool has"));
    assert!(refusal(Request { guard: PAGE + 1, ..Request::of(0) }).contains("a guard of 65537 bytes"));
    assert_eq!(pool.free_slots(), 1);
    let exact = Request { reserved: Some(SLOT), guard: PAGE, maximum: Some(usize::MAX), ..Request::of(0) };
    assert!(exact.make(&pool).is_ok());
}

#[test]
fn exhaustion_is_a_refusal_and_ends_with_a_drop() {
    let pool = pool(3, 0);
    let mut memories: Vec<_> = (0..3).map(|_| tenant(&pool, 10)).collect();
    let mut bases: Vec<_> = memories.iter().map(|memory| memory.base_ptr().addr()).collect();
    assert_eq!(Request::of(10).make(&pool).err().unwrap(), "no free slot: all 3 are in use");
    bases.sort_unstable();
    assert!(bases.windows(2).all(|pair| pair[1] - pair[0] == STRIDE), "slots overlap: {bases:x?}");
    memories.swap_remove(1);
    assert_eq!(pool.free_slots(), 1);
    tenant(&pool, 10);
    let clone = pool.clone();
    drop(pool);
    memories.clear();
    assert_eq!(clone.free_slots(), 3);
    // The last memory keeps the pool's address space.
    let mut last = tenant(&clone, 10);
    drop(clone);
    last.grow_to(PAGE).unwrap();
    last.bytes_mut().fill(1);
}

#[test]
fn the_slot_that_came_back_last_goes_out_first() {
    let pool = pool(4, 0);
    let base = |memory: &LocalMemory| memory.base_ptr();
    let [a, b, c] = [0; 3].map(|_| tenant(&pool, 10));
    let (first, second) = (base(&a), base(&b));
    drop(b);
    drop(a);
    let a = tenant(&pool, 10);
    let b = tenant(&pool, 10);
    assert_eq!((base(&a), base(&b)), (first, second));
    drop((a, b, c));

    // A slot that has the image already is preferred to a warmer one.
    let image = image(PAGE, 1);
    let with_image = Request::of(PAGE).image(&image);
    let [x, y] = [0; 2].map(|_| tenant(&pool, 10));
    let imaged = with_image.local(&pool).unwrap();
    let place = base(&imaged);
    drop(imaged);
    drop((x, y));
    let plain = tenant(&pool, 10);
    assert_ne!(base(&plain), place);
    assert_eq!(base(&with_image.local(&pool).unwrap()), place);
}

/// A warm slot of the same kind is handed out and taken back with no system call, or with the one that gives back.
#[test]
fn a_warm_slot_costs_no_calls() {
    let image = image(PAGE, 1);
    for request in [Request::of(PAGE), Request::of(PAGE).image(&image)] {
        for (rewrite_max, calls) in [(usize::MAX, 0), (0, 1)] {
            let pool = pool(2, rewrite_max);
            let cycle = || {
                let mut memory = request.local(&pool).unwrap();
                memory.bytes_mut()[..100].fill(1);
                memory.base_ptr().addr()
            };
            let base = cycle();
            assert_eq!(with_faults(0..0, cycle), (base, calls), "{request:?} {rewrite_max}");
            let kept = pages_present(base..base + PAGE);
            assert_eq!(kept, if calls == 0 { 1 } else { 0 }, "{request:?} {rewrite_max}");
        }
    }
}

/// Resetting does not make pages present that nobody touched.
#[test]
fn overwriting_touches_no_untouched_page() {
    let pool = pool(1, usize::MAX);
    let mut memory = tenant(&pool, SLOT);
    memory.bytes_mut()[100_000] = 1;
    let base = memory.base_ptr().addr();
    drop(memory);
    assert_eq!(pages_present(base..base + SLOT), 1);
}

#[test]
fn threads_share_a_pool() {
    let pool = pool(3, 50_000);
    let image = image(5000, 3);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (pool, image) = (&pool, &image);
            scope.spawn(move || {
                let mut numbers = Numbers::new(seed);
                for _ in 0..2000 {
                    let request = Request::of(5000 + numbers.index(100_000));
                    let request = if numbers.index(2) == 0 { request.image(image) } else { request };
                    // With four threads and three slots, some are refused.
                    let Ok(mut memory) = request.local(pool) else { continue };
                    assert!(memory.bytes() == request.contents());
                    memory.grow_to(request.minimum + numbers.index(100_000)).unwrap();
                    assert!(memory.bytes()[request.minimum..].iter().all(|&byte| byte == 0));
                    memory.bytes_mut().fill(u8::try_from(seed + 1).unwrap());
                }
            });
        }
    });
    assert_eq!((pool.free_slots(), pool.retired_slots()), (3, 0));
}

/// I3: a growth that fails leaves the slot as good as any.
#[test]
fn i3_a_pool_is_whole_after_running_out_of_memory() {
    let pool = pool(1, 0);
    let mut memory = tenant(&pool, PAGE);
    memory.bytes_mut().fill(5);
    assert_eq!(memory.grow_to(SLOT + 1).unwrap_err().kind, OutOfMemoryKind::TooLarge);
    assert_eq!(with_faults(0..1, || memory.grow_to(SLOT).unwrap_err().kind).0, OutOfMemoryKind::Host);
    assert!(memory.bytes().iter().all(|&byte| byte == 5) && memory.byte_size() == PAGE);
    memory.grow_to(SLOT).unwrap();
    memory.bytes_mut().fill(6);
    drop(memory);
    let mut memory = tenant(&pool, 1);
    assert_rights(&memory);
    memory.grow_to(SLOT).unwrap();
    assert!(memory.bytes().iter().all(|&byte| byte == 0));
}

/// I2 and I3: GC heaps live in slots; one that cannot be made or that fills up returns its slot.
#[test]
fn i2_heaps_return_their_slots() {
    let config = PoolConfig { slots: 2, slot_size: 1 << 20, guard_size: 0, rewrite_max: 64 * KIB };
    let pool = PoolMemoryCreator::new(config).unwrap();
    let config = HeapConfig { initial_bytes: 64 << 10, max_bytes: 1 << 20, verify: true, ..HeapConfig::default() };
    let make =
        |config: &HeapConfig| GcHeap::new(config.clone(), BuiltinCollector::Copying.create(), Arc::new(pool.clone()));
    for _ in 0..5 {
        let mut heaps = [make(&config).unwrap(), make(&config).unwrap()];
        for heap in &mut heaps {
            heap.collect(&mut [0; 0]).unwrap();
        }
        drop(heaps);
        assert_eq!(pool.free_slots(), 2);
    }
    // A heap whose settings are refused, and heaps whose every call fails in turn.
    assert!(make(&HeapConfig { max_bytes: 1, ..config.clone() }).is_err());
    assert_eq!(pool.free_slots(), 2);
    for nth in 0..10 {
        with_faults(nth..nth + 1, || make(&config).map(|mut heap| heap.collect(&mut [0; 0])).is_ok());
        assert_eq!(pool.free_slots() + pool.retired_slots(), 2);
    }
    assert_eq!(pool.free_slots(), 2);
}

#[test]
fn a_pool_is_told_about_in_its_debug_form() {
    let pool = pool(2, 0);
    let _memory = tenant(&pool, 0);
    let text = format!("{pool:?}");
    assert!(text.contains("slots: 2") && text.contains("free_slots: 1") && text.contains("retired_slots: 0"), "{text}");
    let ty = MemoryType::new(0, None);
    assert!(pool.new_memory(ty, 0, None, None, 0).is_ok());
}
