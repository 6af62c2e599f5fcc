//! What collections, growth, exhaustion and the extern payloads do, condition by condition, in what goes beyond the
//! conformance kit: exact places, exact counts, forged ids. The ids (A4, A8, ...) are those of failures that other
//! implementations had.

use tumulus::collector::BuiltinCollector::{self, Copying, Null};
use tumulus::error::{OutOfMemory, OutOfMemoryKind, Result, Trap};
use tumulus::heap::HeapStats;
use tumulus::object::VMGcHeader;
use tumulus::testkit::fixture::Fixture;
use tumulus::testkit::world::{BYTES, EMPTY, LONGS, PAIR, REFS, VAST, VECTORS};
use tumulus::testkit::{Bytes, Numbers, Payload, Settings, Tally};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

fn checked(collector: BuiltinCollector, max_bytes: u64) -> Fixture {
    Fixture::new(collector.create(), &Settings::checked(max_bytes))
}

fn refusal<T>(result: Result<T>) -> OutOfMemory {
    match result {
        Ok(_) => panic!("not refused"),
        Err(error) => *error.out_of_memory().unwrap_or_else(|| panic!("{error}")),
    }
}

// The graph.

/// Large objects are marked where they lie and freed when nothing leads to them; small ones move.
#[test]
fn large_objects_stay_where_they_are_until_they_die() {
    for max_bytes in [MIB, 64 * MIB] {
        let settings = Settings { initial_bytes: MIB, ..Settings::checked(max_bytes) };
        let mut fixture = Fixture::new(Copying.create(), &settings);
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
            let mut fixture = Fixture::new(collector.create(), &Settings::new(max_bytes));
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
                assert_eq!((oom.limit, oom.in_use), (Settings::new(max_bytes).limit(), 0));
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

/// A4, A9: half of 4 GiB of references, and the largest object there can be, of which only what is used is touched.
#[test]
fn a4_a9_objects_near_four_gibibytes() {
    let mut fixture = Fixture::new(Copying.create(), &Settings::new(1 << 32));
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

    let mut fixture = Fixture::new(Copying.create(), &Settings::new(1 << 32));
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
            let settings = Settings { bytes, ..Settings::new(max_bytes) };
            let mut fixture = Fixture::new(collector.create(), &settings);
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
                _ => settings.promise() - 16,
            };
            assert!(live >= promise && live > 0, "{live} of {promise} bytes: {settings:?}");
            // No thrashing on the way: one for each doubling above 32 MiB, and the last.
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

/// Growth is by half at least, so that a memory which moves does so seldom; and it stops at the maximum.
#[test]
fn growth_is_geometric_and_never_beyond_the_maximum() {
    let settings = Settings { bytes: Bytes::Vec, ..Settings::new(8 * MIB + 12_345) };
    let mut fixture = Fixture::new(Null.create(), &settings);
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
    let settings = Settings::new(8 * MIB);
    let mut fixture = Fixture::new(Copying.create(), &settings);
    let promise = settings.promise();
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

// Extern payloads.

fn payload_of(fixture: &Fixture, object: u32) -> Option<u64> {
    let payload = fixture.heap.extern_payload(object).ok()?;
    payload.downcast_ref::<Payload>().map(|payload| payload.number)
}

fn new_extern(fixture: &mut Fixture, tally: &Tally) -> Result<u32> {
    fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).map(u32::from)
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
    let mut fixture = Fixture::new(Copying.create(), &Settings::new(MIB));
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
