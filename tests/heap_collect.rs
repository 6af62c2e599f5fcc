//! What collections, growth, exhaustion and the extern payloads do, condition by condition. The ids (A4, R18, ...) are
//! those of failures that other implementations had.

mod support;

use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use support::Numbers;
use support::fixture::{Fixture, LEFT, RIGHT};
use support::program::program;
use support::runner::{Payload, Tally, final_state};
use support::world::{BYTES, Bytes, EMPTY, INTS, LONGS, NODE, PAIR, REFS, SHORTS, Settings, VAST, VECTORS, WIDE};
use tumulus::collector::BuiltinCollector::{self, Copying, Null};
use tumulus::error::{OutOfMemory, OutOfMemoryKind, Result, Trap};
use tumulus::heap::HeapStats;
use tumulus::object::VMGcHeader;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn checked(collector: BuiltinCollector, max_bytes: u64) -> Fixture {
    Fixture::new(&Settings { checked: true, ..Settings::new(collector, max_bytes) })
}

fn refusal<T>(result: Result<T>) -> OutOfMemory {
    match result {
        Ok(_) => panic!("not refused"),
        Err(error) => *error.out_of_memory().unwrap_or_else(|| panic!("{error}")),
    }
}

// The graph.

/// R18: a chain of three, then a list of a million nodes, on a stack that no recursion would survive; B11: all of it
/// freed.
#[test]
fn r18_b11_a_list_of_a_million_nodes_needs_no_stack() {
    let run = || {
        let mut fixture = Fixture::new(&Settings::new(Copying, 64 * MIB));
        assert_eq!(fixture.push_list(3).0, 3);
        fixture.collect();
        assert_eq!(fixture.list_length(fixture.roots[0]), 3);
        assert!(fixture.push_list(1_000_000).1.is_none());
        for _ in 0..2 {
            fixture.collect();
            assert_eq!(fixture.list_length(fixture.roots[1]), 1_000_000);
        }
        assert_eq!(fixture.heap.stats().live_bytes, 16 * 1_000_003);
        fixture.roots[1] = 0;
        fixture.collect();
        assert_eq!(fixture.heap.stats().live_bytes, 48);
    };
    // 128 KiB hold no million of frames.
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(run).expect("a thread");
    thread.join().expect("no overflow");
}

/// R18 the other way: a tree of arrays, each reference followed to its end.
#[test]
fn r18_wide_arrays_of_arrays_survive_whole() {
    let mut fixture = checked(Copying, 64 * MIB);
    let top = fixture.array(REFS, 10_000).expect("room");
    fixture.roots.push(top);
    for index in 0..10_000 {
        let element = fixture.array(LONGS, index % 7).expect("room");
        fixture.write(fixture.roots[0], 8 + 4 * index, element);
    }
    fixture.collect();
    for index in 0..10_000 {
        let element = fixture.read(fixture.roots[0], 8 + 4 * index);
        assert_eq!(fixture.heap.array_len(element).expect("an array"), index % 7);
    }
}

#[test]
fn cycles_are_collected() {
    let mut fixture = checked(Copying, MIB);
    // A ring of pairs, each of which also refers to itself.
    let first = fixture.pair(0, 0).expect("room");
    fixture.roots.push(first);
    let mut last = first;
    for _ in 0..100 {
        last = fixture.pair(last, 0).expect("room");
        fixture.write(last, RIGHT, last);
    }
    fixture.write(fixture.roots[0], LEFT, last);
    // A large array that refers to itself and to the ring, which refers to it.
    let large = fixture.array(REFS, 3000).expect("room");
    for index in [0, 1, 2999] {
        fixture.write(large, 8 + 4 * index, if index == 1 { fixture.roots[0] } else { large });
    }
    fixture.write(fixture.roots[0], RIGHT, large);
    fixture.collect();
    assert_eq!(fixture.heap.stats().live_bytes, 101 * 16 + 12_008);
    let large = fixture.read(fixture.roots[0], RIGHT);
    assert_eq!([0, 1, 2999].map(|i| fixture.read(large, 8 + 4 * i)), [large, fixture.roots[0], large]);
    fixture.roots.clear();
    fixture.collect();
    let stats = fixture.heap.stats();
    assert_eq!((stats.live_bytes, stats.used_bytes), (0, 0));
}

/// L2, R15: numbers that look like references are neither followed nor changed, and an array has as many edges as it
/// has elements.
#[test]
fn l2_r15_numbers_are_not_followed_and_every_element_is() {
    let mut fixture = checked(Copying, MIB);
    let refs = fixture.array(REFS, 97).expect("room");
    fixture.roots.push(refs);
    for index in 0..97 {
        let pair = fixture.pair(index << 1 | 1, 0).expect("room");
        fixture.write(fixture.roots[0], 8 + 4 * index, pair);
    }
    let dead = fixture.pair(0, 0).expect("room");
    let word = dead.to_le_bytes();
    for (kind, value) in [(BYTES, &word[..1]), (SHORTS, &word[..2]), (INTS, &word[..])] {
        let array = fixture.array(kind, 64).expect("room");
        let layout = fixture.layout(kind);
        fixture.heap.array_fill(&layout, array, 0, value, 64).expect("in bounds");
        fixture.roots.push(array);
    }
    fixture.collect();
    let arrays = 8 + 97 * 4 + 4 + 72 + 136 + 264;
    assert_eq!(fixture.heap.stats().live_bytes, arrays + 97 * 16);
    for index in 0..97 {
        let pair = fixture.read(fixture.roots[0], 8 + 4 * index);
        assert_eq!(fixture.read(pair, LEFT), index << 1 | 1);
    }
    let layout = fixture.layout(INTS);
    let ints = fixture.heap.array_read(&layout, fixture.roots[3], 0, 64).expect("in bounds");
    assert!(ints.chunks(4).all(|element| element == word));
}

/// Large objects are marked where they lie and freed when nothing leads to them; small ones move.
#[test]
fn large_objects_stay_where_they_are_until_they_die() {
    for max_bytes in [MIB, 64 * MIB] {
        let settings = Settings { initial_bytes: MIB, checked: true, ..Settings::new(Copying, max_bytes) };
        let mut fixture = Fixture::new(&settings);
        for kind in [VAST, PAIR] {
            let object = fixture.structure(kind).expect("room");
            fixture.roots.push(object);
        }
        let array = fixture.array(BYTES, 100_000).expect("room");
        fixture.roots.push(array);
        fixture.heap.array_fill(&fixture.layout(BYTES), array, 0, &[7], 100_000).expect("in bounds");
        let before = fixture.roots.clone();
        fixture.collect();
        assert_eq!((fixture.roots[0], fixture.roots[2]), (before[0], before[2]));
        assert_ne!(fixture.roots[1], before[1]);
        let bytes = fixture.heap.array_read(&fixture.layout(BYTES), array, 0, 100_000).expect("in bounds");
        assert!(bytes.iter().all(|&byte| byte == 7));
        let used = fixture.heap.stats().used_bytes;
        fixture.roots[2] = 0;
        fixture.collect();
        assert_eq!(used - fixture.heap.stats().used_bytes, 100_008_u64.next_multiple_of(4096));
        // The room is reused, and zero again.
        let again = fixture.array(BYTES, 100_000).expect("room");
        assert_eq!(again, array);
        let bytes = fixture.heap.array_read(&fixture.layout(BYTES), again, 0, 100_000).expect("in bounds");
        assert!(bytes.iter().all(|&byte| byte == 0));
    }
}

/// A struct that is too large for a block does not go into one, even if the window has room for it just then.
#[test]
fn a_large_struct_is_never_in_a_block() {
    for (max_bytes, kind) in [(MIB, WIDE), (64 * MIB, VAST)] {
        let mut fixture = checked(Copying, max_bytes);
        fixture.roots.push(0);
        fixture.roots[0] = fixture.structure(PAIR).expect("room");
        let large = fixture.structure(kind).expect("room");
        assert!(large.is_multiple_of(4096), "{large:#x}");
        fixture.roots.push(large);
        fixture.collect();
        assert_eq!(fixture.roots[1], large);
    }
}

/// What is freed is poisoned, so that a stale reference cannot be taken for an object.
#[test]
fn freed_objects_are_poisoned() {
    let mut fixture = checked(Copying, MIB);
    let small = fixture.node().expect("room");
    let large = fixture.array(LONGS, 1000).expect("room");
    fixture.collect();
    for stale in [small, large] {
        assert_eq!(fixture.heap.header(stale).expect("inside the heap").bits(), 0xF8F8_F8F8);
        fixture.roots = vec![stale];
        assert!(fixture.heap.verify(&mut fixture.roots).is_err());
    }
}

// Limits.

/// A4, A5, A6: lengths whose sizes wrapped elsewhere are too large for every heap, with the true size in the error.
#[test]
fn a4_a5_a6_sizes_that_wrapped_elsewhere_are_too_large() {
    for collector in BuiltinCollector::ALL {
        for max_bytes in [16 * KIB, MIB, 1 << 32] {
            let mut fixture = Fixture::new(&Settings::new(collector, max_bytes));
            for (kind, length, size) in [
                (REFS, 1_073_741_817, 4_294_967_280_u64),
                (REFS, u32::MAX, 17_179_869_192),
                (BYTES, 4_294_967_262, 4_294_967_272),
                (BYTES, u32::MAX, 4_294_967_304),
                (LONGS, 536_870_911, 4_294_967_296),
                (VECTORS, 268_435_455, 4_294_967_288),
                (VECTORS, u32::MAX, 68_719_476_728),
            ] {
                let oom = refusal(fixture.array(kind, length));
                assert_eq!((oom.kind, oom.asked), (OutOfMemoryKind::TooLarge, size), "{kind} {length}");
                assert_eq!((oom.limit, oom.in_use), (fixture_limit(max_bytes), 0));
            }
            // A17: a size of 2^51 pages.
            for size in [1 << 63, (1 << 51) * 4096, u64::MAX - 7] {
                let header = fixture.world.ty(PAIR).header();
                let oom = refusal(fixture.heap.allocate_slow(header, size, &mut fixture.roots));
                assert_eq!((oom.kind, oom.asked), (OutOfMemoryKind::TooLarge, size));
            }
            assert_eq!(fixture.heap.stats().committed_bytes, 0);
            fixture.pair(0, 0).expect("room");
        }
    }
}

fn fixture_limit(max_bytes: u64) -> u64 {
    Settings::new(Null, max_bytes).limit()
}

/// A4, A9: half of 4 GiB of references, and the largest object there can be, of which only what is used is touched.
#[test]
fn a4_a9_objects_near_four_gibibytes() {
    let mut fixture = Fixture::new(&Settings::new(Copying, 1 << 32));
    let array = fixture.array(REFS, 536_870_911).expect("2 GiB of address space");
    fixture.roots.push(array);
    let layout = fixture.layout(REFS);
    fixture.heap.array_fill(&layout, array, 536_870_909, &9_u32.to_le_bytes(), 2).expect("in bounds");
    let end = u64::from(array) + layout.elem_offset(536_870_911);
    assert_eq!(fixture.heap.bytes()[usize::try_from(end - 4).expect("64 bits")..][..4], 9_u32.to_le_bytes());
    assert_eq!(fixture.heap.bytes()[usize::try_from(end).expect("64 bits")..][..4], [0; 4]);
    let beyond = fixture.heap.array_fill(&layout, array, 536_870_910, &[0; 4], 2);
    assert_eq!(beyond.expect_err("out of bounds").trap(), Some(Trap::ArrayOutOfBounds));
    drop(fixture);

    let mut fixture = Fixture::new(&Settings::new(Copying, 1 << 32));
    let length = u32::MAX - 8191 - 8;
    let array = fixture.array(BYTES, length).expect("4 GiB of address space");
    fixture.roots.push(array);
    let layout = fixture.layout(BYTES);
    assert_eq!(layout.size_for_len(length), (1 << 32) - 8192);
    fixture.heap.array_fill(&layout, array, length - 1, &[5], 1).expect("in bounds");
    fixture.heap.collect(&mut fixture.roots).expect("a sound heap");
    assert_eq!((fixture.roots[0], fixture.heap.stats().live_bytes), (4096, (1 << 32) - 8192));
    assert_eq!(fixture.heap.bytes().last(), Some(&5));
    // Nothing else fits.
    assert_eq!(refusal(fixture.pair(0, 0)).kind, OutOfMemoryKind::HeapFull);
}

/// A8: the first 8 bytes count as used, so what is used is never more than what there is; and none but them is lost.
#[test]
fn a8_a_heap_of_the_smallest_objects_is_used_to_the_last_byte() {
    let mut fixture = checked(Null, 16 * KIB);
    let mut count = 0;
    let oom = loop {
        match fixture.structure(EMPTY) {
            Ok(_) => count += 1,
            Err(error) => break *error.out_of_memory().expect("out of memory"),
        }
        let HeapStats { used_bytes, committed_bytes, .. } = fixture.heap.stats();
        assert!(used_bytes <= committed_bytes && committed_bytes <= 16 * KIB);
    };
    assert_eq!(count, 16 * 1024 / 8 - 1);
    let full =
        OutOfMemory { kind: OutOfMemoryKind::HeapFull, asked: 8, in_use: 16 * KIB, limit: 16 * KIB, largest_free: 0 };
    assert_eq!(oom, full);
    assert_eq!(fixture.heap.stats().allocated_bytes, count * 8);
}

/// A10, A12, A17: a heap reaches what its collector can promise before it says that it is full, says so with the right
/// numbers as often as it is asked, collects a bounded number of times on the way, and keeps what it has.
#[test]
fn a12_a17_a_full_heap_says_so_and_stays_of_use() {
    for (collector, bytes) in [(Null, Bytes::Mapped), (Copying, Bytes::Mapped), (Copying, Bytes::Vec)] {
        for max_bytes in [16 * KIB, 20_001, 64 * KIB, MIB, MIB + 3 * 4096, 3 * MIB, 64 * MIB] {
            let settings = Settings { bytes, ..Settings::new(collector, max_bytes) };
            let mut fixture = Fixture::new(&settings);
            let (count, error) = fixture.push_list(u32::MAX);
            let oom = *error.expect("a full heap").out_of_memory().expect("out of memory");
            let stats = fixture.heap.stats();
            assert_eq!((oom.kind, oom.asked), (OutOfMemoryKind::HeapFull, 16), "{settings:?}");
            assert_eq!((oom.limit, oom.in_use), (settings.limit(), stats.used_bytes), "{settings:?}");
            assert!(oom.to_string().contains("asked for 16 bytes"), "{oom}");

            // Near what the collector can promise.
            let (limit, block) = (settings.limit(), settings.block_bytes());
            let live = u64::from(count) * 16;
            let promise = match collector {
                // Blocks are whole; the first lacks 8 bytes, which costs it a pair.
                Null => limit / block * block - 16,
                _ => settings.copying_promise() - 16,
            };
            assert!(live >= promise && live > 0, "{live} of {promise} bytes: {settings:?}");
            // No thrashing on the way: one for each doubling above 8 MiB, and the last.
            assert!(stats.collections <= 4, "{} collections: {settings:?}", stats.collections);

            // Asked again it says the same, at most a collection each time.
            for _ in 0..20 {
                let again = refusal(fixture.pair(0, 0));
                assert_eq!((again.kind, again.asked, again.limit), (oom.kind, oom.asked, oom.limit));
                assert_eq!(again.in_use, fixture.heap.stats().used_bytes);
            }
            assert!(fixture.heap.stats().collections <= stats.collections + 20);
            fixture.verify();
            assert_eq!(fixture.list_length(fixture.roots[0]), count);

            // Recoverable.
            if collector != Null {
                fixture.roots.clear();
                fixture.pair(0, 0).expect("room, now that nothing lives");
                assert_eq!(fixture.push_list(count - 1).0, count - 1);
                fixture.collect();
            }
        }
    }
}

/// A18: arrays of a megabyte until the heap is full, three times.
#[test]
fn a18_megabyte_arrays_until_the_heap_is_full() {
    for collector in BuiltinCollector::ALL {
        let mut fixture = checked(collector, 64 * MIB);
        for round in 0..3 {
            let oom = loop {
                match fixture.array(BYTES, 1 << 20) {
                    Ok(array) => fixture.roots.push(array),
                    Err(error) => break *error.out_of_memory().expect("out of memory"),
                }
            };
            assert_eq!(oom.kind, OutOfMemoryKind::HeapFull);
            assert_eq!((oom.asked, oom.limit), (MIB + 8, 64 * MIB));
            assert!(oom.largest_free < MIB + 4096 + 4096 && oom.in_use + oom.largest_free <= oom.limit);
            // Growth left a gap below each of its steps, in which no array fits.
            let expected = if round > 0 && collector == Null { 0..1 } else { 60..64 };
            assert!(expected.contains(&fixture.roots.len()), "{collector}: {}", fixture.roots.len());
            fixture.verify();
            fixture.roots.clear();
        }
    }
}

/// An object as large as the heap allows: refused while anything is in the way, had as soon as nothing is.
#[test]
fn the_largest_object_of_a_heap() {
    for max_bytes in [16 * KIB, 64 * KIB, 3 * MIB] {
        let mut fixture = checked(Copying, max_bytes);
        let length = u32::try_from(max_bytes - 4096 - 8).expect("a small heap");
        let oom = refusal(fixture.array(BYTES, length + 1));
        assert_eq!((oom.kind, oom.asked), (OutOfMemoryKind::TooLarge, max_bytes - 4096 + 8));
        let pair = fixture.pair(0, 0).expect("room");
        fixture.roots.push(pair);
        let oom = refusal(fixture.array(BYTES, length));
        assert_eq!((oom.kind, oom.asked), (OutOfMemoryKind::HeapFull, max_bytes - 4096));
        fixture.roots[0] = 0;
        fixture.roots[0] = fixture.array(BYTES, length).expect("room for one");
        assert_eq!(refusal(fixture.pair(0, 0)).kind, OutOfMemoryKind::HeapFull);
        fixture.roots[0] = 0;
        fixture.pair(0, 0).expect("room");
    }
}

/// A11: a heap that collects at each allocation collects once at each, also when it is full.
#[test]
fn a11_zeal_collects_once_at_each_allocation() {
    for (zeal, expected) in [(1, 200), (7, 28)] {
        let settings = Settings { zeal, checked: true, ..Settings::new(Copying, MIB) };
        let mut fixture = Fixture::new(&settings);
        assert!(fixture.push_list(200).1.is_none());
        assert_eq!(fixture.heap.stats().collections, expected);
        assert_eq!(fixture.list_length(fixture.roots[0]), 200);
    }
    let settings = Settings { zeal: 1, checked: true, ..Settings::new(Copying, 16 * KIB) };
    let mut fixture = Fixture::new(&settings);
    let (count, error) = fixture.push_list(u32::MAX);
    assert_eq!(error.expect("a full heap").out_of_memory().map(|oom| oom.kind), Some(OutOfMemoryKind::HeapFull));
    assert!(fixture.heap.stats().collections <= u64::from(count) + 2);
}

/// Growth is by half at least, so that a memory which moves does so seldom; and it stops at the maximum.
#[test]
fn growth_is_geometric_and_never_beyond_the_maximum() {
    let settings = Settings { bytes: Bytes::Vec, ..Settings::new(Null, 8 * MIB + 12_345) };
    let mut fixture = Fixture::new(&settings);
    let mut sizes = vec![0];
    while fixture.array(LONGS, 100).is_ok() {
        let committed = fixture.heap.stats().committed_bytes;
        if sizes.last() != Some(&committed) {
            sizes.push(committed);
        }
    }
    assert!(sizes.len() < 20, "{sizes:?}");
    assert!(sizes.windows(2).all(|pair| pair[1] >= (pair[0] * 3 / 2).min(settings.limit())), "{sizes:?}");
    assert_eq!(sizes.last(), Some(&settings.limit()));
}

/// A heap that is half full does not collect more often than what it allocates pays for.
#[test]
fn a_half_full_heap_does_not_thrash() {
    let settings = Settings::new(Copying, 8 * MIB);
    let mut fixture = Fixture::new(&settings);
    let promise = settings.copying_promise();
    let half = u32::try_from(promise / 2 / 16).expect("a small heap");
    assert!(fixture.push_list(half).1.is_none());
    let before = fixture.heap.stats();
    let churn = 20 * promise;
    for _ in 0..churn / 16 {
        fixture.pair(0, 0).expect("room");
    }
    let collections = fixture.heap.stats().collections - before.collections;
    // Each frees about half of the promise.
    assert!((30..=44).contains(&collections), "{collections}");
    assert_eq!(fixture.list_length(fixture.roots[0]), half);
}

/// A22, R19: ten thousand collections of the same graph leave memory where it was.
#[test]
fn a22_r19_memory_is_flat_over_many_collections() {
    let mut fixture = Fixture::new(&Settings::new(Copying, 64 * MIB));
    fixture.push_list(50);
    let mut first = None;
    for _ in 0..10_000 {
        let garbage = fixture.array(REFS, 2000).expect("room");
        fixture.write(garbage, 8, garbage);
        fixture.pair(0, 0).expect("room");
        fixture.heap.collect(&mut fixture.roots).expect("a sound heap");
        let HeapStats { committed_bytes, used_bytes, live_bytes, .. } = fixture.heap.stats();
        assert_eq!(
            *first.get_or_insert((committed_bytes, used_bytes, live_bytes)),
            (committed_bytes, used_bytes, live_bytes)
        );
    }
    fixture.verify();
}

/// A growth that a large object in a block's place makes useless is followed by one that is not.
#[test]
fn a_large_object_in_a_half_committed_place_costs_the_reserve_nothing() {
    let mut fixture = checked(Copying, MIB + 3 * 4096);
    let pair = fixture.pair(0, 0).expect("room");
    fixture.roots.push(pair);
    for _ in 0..40 {
        let large = fixture.structure(VAST).expect("room");
        fixture.roots.push(large);
        fixture.collect();
    }
}

// Bulk operations.

/// L9, L14, L15: fills do fill, and only what they should.
#[test]
fn l9_l14_l15_fills_at_the_edges() {
    let mut fixture = checked(Null, MIB);
    for kind in [BYTES, SHORTS, INTS, LONGS, VECTORS] {
        let array = fixture.array(kind, 10).expect("room");
        let layout = fixture.layout(kind);
        let width = layout.elem_size as usize;
        let value = &Numbers::new(1).bytes::<16>()[..width];
        let heap = &mut fixture.heap;
        heap.array_fill(&layout, array, 3, value, 4).expect("in bounds");
        for (first, count) in [(0, 0), (10, 0), (9, 1), (0, 10)] {
            assert_eq!(heap.array_read(&layout, array, first, count).expect("in bounds").len(), count as usize * width);
        }
        let elements: Vec<_> = heap.array_read(&layout, array, 0, 10).expect("in bounds").chunks(width).collect();
        for (index, element) in elements.into_iter().enumerate() {
            assert_eq!(element, if (3..7).contains(&index) { value } else { &[0; 16][..width] });
        }
        heap.array_fill(&layout, array, 10, value, 0).expect("an empty range at the end");
        heap.array_copy(&layout, (array, 10), (array, 10), 0).expect("an empty range at the end");
        let before = heap.bytes().to_vec();
        let beyond =
            [(11, 0), (10, 1), (0, 11), (9, 2), (u32::MAX, 0), (u32::MAX, u32::MAX), (1, u32::MAX), (0, u32::MAX)];
        for (first, count) in beyond {
            let traps = [
                heap.array_fill(&layout, array, first, value, count),
                heap.array_copy(&layout, (array, first), (array, 0), count),
                heap.array_copy(&layout, (array, 0), (array, first), count),
                heap.array_read(&layout, array, first, count).map(|_| ()),
            ];
            for trap in traps {
                assert_eq!(trap.expect_err("out of bounds").trap(), Some(Trap::ArrayOutOfBounds), "{first} {count}");
            }
        }
        let write = heap.array_write(&layout, array, 8, &vec![1; 3 * width]);
        assert_eq!(write.expect_err("out of bounds").trap(), Some(Trap::ArrayOutOfBounds));
        let write = heap.array_write_words(&layout, array, 11, &[]);
        assert_eq!(write.expect_err("out of bounds").trap(), Some(Trap::ArrayOutOfBounds));
        assert_eq!(heap.bytes(), before, "nothing was written");
    }
}

/// L16: copies within an array, overlapping in both directions, for each width of elements.
#[test]
fn l16_overlapping_copies() {
    let mut fixture = checked(Null, MIB);
    for kind in [BYTES, SHORTS, INTS, LONGS, VECTORS, REFS] {
        let layout = fixture.layout(kind);
        let width = layout.elem_size as usize;
        for (to, from, count) in [(1, 0, 19), (0, 1, 19), (5, 0, 10), (0, 5, 10), (7, 7, 13), (0, 10, 10), (10, 0, 10)]
        {
            let array = fixture.array(kind, 20).expect("room");
            // As references these are i31s.
            let mut model: Vec<_> = (0..20 * width).map(|i| u8::try_from(i % 251).expect("a byte") | 1).collect();
            fixture.heap.array_write(&layout, array, 0, &model).expect("in bounds");
            fixture.heap.array_copy(&layout, (array, to), (array, from), count).expect("in bounds");
            let (to, from, count) = (to as usize * width, from as usize * width, count as usize * width);
            model.copy_within(from..from + count, to);
            assert_eq!(fixture.heap.array_read(&layout, array, 0, 20).expect("in bounds"), model);
        }
    }
}

// Extern payloads.

fn payload_of(fixture: &Fixture, object: u32) -> Option<u64> {
    let payload = fixture.heap.extern_payload(object).ok()?;
    payload.downcast_ref::<Payload>().map(|payload| payload.number)
}

fn new_extern(fixture: &mut Fixture, tally: &Tally) -> Result<u32> {
    fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).map(u32::from)
}

#[test]
fn a_payload_lives_as_long_as_its_object_and_is_dropped_once() {
    let tally = Tally::default();
    let mut fixture = checked(Copying, MIB);
    for _ in 0..10 {
        let object = new_extern(&mut fixture, &tally).expect("room");
        fixture.roots.push(object);
    }
    for (number, gone) in [(3, 1), (7, 2)] {
        fixture.roots[number] = 0;
        fixture.collect();
        // The heap has given it up, and it is for the caller to drop it.
        assert_eq!((fixture.heap.stats().extern_payloads, fixture.heap.has_dead_payloads()), (10 - gone, true));
        assert_eq!(tally.counts()[number], 0);
        drop(fixture.heap.take_dead_payloads());
        assert_eq!(tally.counts()[number], 1);
        assert!(!fixture.heap.has_dead_payloads());
    }
    for (number, &object) in fixture.roots.iter().enumerate().filter(|&(_, &object)| object != 0) {
        assert_eq!(payload_of(&fixture, object), Some(number as u64));
    }
    // One that waits to be dropped, and those alive: all go with the heap.
    fixture.roots[0] = 0;
    fixture.collect();
    drop(fixture);
    assert!(tally.counts().iter().all(|&drops| drops == 1), "{:?}", tally.counts());
}

#[test]
fn a_payload_whose_object_found_no_room_is_dropped_at_once() {
    let tally = Tally::default();
    let mut fixture = checked(Null, 16 * KIB);
    let refused = loop {
        if let Err(error) = new_extern(&mut fixture, &tally) {
            break error;
        }
    };
    assert_eq!(refused.out_of_memory().map(|oom| oom.kind), Some(OutOfMemoryKind::HeapFull));
    let counts = tally.counts();
    assert_eq!((counts.iter().sum::<u32>(), counts.last()), (1, Some(&1)));
    assert_eq!(counts.len(), 2048);
    drop(fixture);
    assert!(tally.counts().iter().all(|&drops| drops == 1));
}

/// Whatever id stands in an extern object, it names that object's payload or none.
#[test]
fn no_id_in_the_heap_leads_to_the_payload_of_another() {
    let tally = Tally::default();
    let mut fixture = checked(Copying, MIB);
    for _ in 0..4 {
        let object = new_extern(&mut fixture, &tally).expect("room");
        fixture.roots.push(object);
    }
    let ids: Vec<_> = fixture.roots.iter().map(|&object| fixture.read(object, 4)).collect();
    let mut numbers = Numbers::new(7);
    let forged = (0..4096).map(|_| u32::try_from(numbers.next() >> 32).expect("32 bits"));
    for id in (0..300).chain(forged).chain([u32::MAX, 1 << 22, 1 << 31]).chain(ids.clone()) {
        for (number, &own) in ids.iter().enumerate() {
            let object = fixture.roots[number];
            fixture.heap.store(object, 4, id.to_le_bytes()).expect("inside the heap");
            assert_eq!(payload_of(&fixture, object), (id == own).then_some(number as u64), "id {id:#x}");
            let agrees = fixture.heap.extern_payload_mut(object).is_ok();
            assert_eq!(agrees, id == own);
            fixture.heap.store(object, 4, own.to_le_bytes()).expect("inside the heap");
        }
    }
    // A second object with the bytes of the first, and something else that claims to be one.
    let copy = fixture.pair(0, 0).expect("room");
    let original = fixture.roots[0];
    for (header, id) in [(VMGcHeader::EXTERN.bits(), fixture.read(original, 4)), (0xFFFF_FF0C, 1), (0, 0)] {
        fixture.heap.store(copy, 0, header.to_le_bytes()).expect("inside the heap");
        fixture.heap.store(copy, 4, id.to_le_bytes()).expect("inside the heap");
        assert!(fixture.heap.extern_payload(copy).expect_err("not its payload").corruption().is_some());
    }
    for outside in [0, u32::MAX, u32::MAX - 3, 1 << 20] {
        assert!(fixture.heap.extern_payload(outside).is_err());
    }
    // The forged object is garbage, so the next collection does not mind it, and nobody lost a payload.
    fixture.collect();
    for (number, &object) in fixture.roots.iter().enumerate() {
        assert_eq!(payload_of(&fixture, object), Some(number as u64));
    }
    assert_eq!(tally.counts(), [0; 4]);
}

/// A forged object that is reached is found by the verifier, and still no payload is dropped twice.
#[test]
fn a_forged_extern_object_is_corruption_and_costs_nobody_a_payload() {
    let tally = Tally::default();
    let mut fixture = Fixture::new(&Settings::new(Copying, MIB));
    let (first, second) = (new_extern(&mut fixture, &tally), new_extern(&mut fixture, &tally));
    fixture.roots = vec![first.expect("room"), second.expect("room")];
    let id = fixture.read(fixture.roots[0], 4);
    fixture.heap.store(fixture.roots[1], 4, id.to_le_bytes()).expect("inside the heap");
    for _ in 0..3 {
        fixture.heap.collect(&mut fixture.roots).expect("ids are not the collector's business");
        assert_eq!((payload_of(&fixture, fixture.roots[0]), payload_of(&fixture, fixture.roots[1])), (Some(0), None));
        assert!(fixture.heap.take_dead_payloads().is_empty());
    }
    assert!(fixture.heap.verify(&mut fixture.roots).is_err());
    drop(fixture);
    assert_eq!(tally.counts(), [1, 1]);
}

/// An entry is used again under other ids, and retires when there are no more; no old id finds a new payload.
#[test]
fn ids_are_not_used_twice() {
    let tally = Tally::default();
    let mut fixture = Fixture::new(&Settings::new(Copying, 64 * KIB));
    let mut seen = std::collections::HashSet::new();
    for number in 0..3000 {
        let object = new_extern(&mut fixture, &tally).expect("room");
        let id = fixture.read(object, 4);
        assert!(seen.insert(id), "id {id:#x} twice");
        assert_eq!(payload_of(&fixture, object), Some(number));
        for old in seen.iter().take(5).filter(|&&old| old != id) {
            fixture.heap.store(object, 4, old.to_le_bytes()).expect("inside the heap");
            assert_eq!(payload_of(&fixture, object), None);
        }
        fixture.heap.collect(&mut fixture.roots).expect("a sound heap");
        drop(fixture.heap.take_dead_payloads());
    }
    assert_eq!(fixture.heap.stats().extern_payloads, 0);
    assert!(tally.counts().iter().all(|&drops| drops == 1));
}

// Determinism and settings.

/// The same operations give the same bytes and the same counters, on every kind of memory.
#[test]
fn the_same_operations_give_the_same_heap() {
    let mut runner = TestRunner::new(support::property(1));
    for _ in 0..20 {
        let program = program(200).new_tree(&mut runner).expect("a program").current();
        for collector in BuiltinCollector::ALL {
            for max_bytes in [64 * KIB, 64 * MIB] {
                let state = |bytes| {
                    let settings = Settings { bytes, zeal: 5, ..Settings::new(collector, max_bytes) };
                    let (bytes, stats) = final_state(&settings, &program);
                    (bytes, HeapStats { pause_total: Duration::ZERO, pause_max: Duration::ZERO, ..stats })
                };
                let first = state(Bytes::Mapped);
                assert!(first == state(Bytes::Mapped), "{collector} {max_bytes}");
                assert!(first == state(Bytes::Vec), "{collector} {max_bytes} on a Vec");
            }
        }
    }
}

/// Types are told apart in structs of subtypes after they moved (L1): what a pair has lies where a pair has it.
#[test]
fn l1_the_fields_of_a_supertype_are_read_through_it() {
    let mut fixture = checked(Copying, MIB);
    let node = fixture.node().expect("room");
    fixture.roots.push(node);
    let left = fixture.pair(3, 5).expect("room");
    fixture.write(fixture.roots[0], LEFT, left);
    fixture.write(fixture.roots[0], RIGHT, 7);
    fixture.collect();
    let node = fixture.roots[0];
    assert_eq!(fixture.heap.header(node).expect("inside").ty(), fixture.world.ty(NODE).ty().index());
    let left = fixture.read(node, LEFT);
    assert_eq!((fixture.read(left, LEFT), fixture.read(left, RIGHT), fixture.read(node, RIGHT)), (3, 5, 7));
}
