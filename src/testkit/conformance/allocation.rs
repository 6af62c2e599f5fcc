//! New objects: zero, whole, apart from each other, of every size.

use super::{Case, KIB, MIB, Subject, To};
use crate::error::OutOfMemoryKind;
use crate::object::VMGcHeader;
use crate::testkit::world::{BYTES, KINDS, LONGS, NUMBERS, PAIR, REFS, VAST, VECTORS, WIDE};
use crate::testkit::{Fixture, Payload, Tally};

pub(super) const CASES: &[Case] = &[
    Case::new("new objects are zero, aligned and apart", To::All, new_objects),
    Case::new("objects keep their numbers", To::All, numbers_stay),
    Case::new("objects too large for a block have runs of their own", To::All, large_objects),
    Case::new("sizes that can never fit are refused with their numbers (A4, A5, A6, A17)", To::All, too_large),
    Case::new("bytes allocated are counted exactly", To::All, counted),
];

/// Heaps with blocks of 4 KiB and of 32 KiB.
const MAXIMA: [u64; 2] = [MIB, 64 * MIB];

/// Every struct type a few times, and arrays from empty ones to large ones.
fn one_of_each(fixture: &mut Fixture) -> Vec<(u32, usize, u32)> {
    let mut made = Vec::new();
    for round in 0..3 {
        for kind in 0..KINDS {
            for length in if kind < BYTES { 0..1 } else { 0..4 } {
                let length = [0, 1, 37, 2000][length as usize] + round;
                let new = if kind < BYTES { fixture.structure(kind) } else { fixture.array(kind, length) };
                let at = new.expect("room");
                fixture.roots.push(at);
                made.push((at, kind, length));
            }
        }
    }
    made
}

fn new_objects(subject: &Subject<'_>) {
    for max_bytes in MAXIMA {
        let mut fixture = subject.fixture(max_bytes);
        let mut places = Vec::new();
        for (at, kind, length) in one_of_each(&mut fixture) {
            assert!(at >= 8 && at.is_multiple_of(8), "an object at {at:#x}");
            let described = &fixture.world.kinds[kind];
            let header = fixture.heap.header(at).expect("inside the heap");
            assert_eq!(header.with_log(false), described.object.header(), "the header of a new object of type {kind}");
            let words = if described.is_array { 8 } else { 4 };
            let end = u64::from(at) + described.size(length);
            let bytes = &fixture.heap.bytes()[at as usize..usize::try_from(end).expect("inside the heap")];
            assert!(bytes[words.min(bytes.len())..].iter().all(|&byte| byte == 0), "a new object that is not zero");
            places.push((u64::from(at), end));
        }
        places.sort_unstable();
        assert!(places.is_sorted_by(|before, after| before.1 <= after.0), "objects overlap");
        fixture.verify();
    }
}

fn numbers_stay(subject: &Subject<'_>) {
    for max_bytes in MAXIMA {
        let mut fixture = subject.fixture(max_bytes);
        let made = one_of_each(&mut fixture);
        // Words that would be references if they were taken for some (L2, R15).
        let mut pattern = (0..).map(|number: u32| (number.wrapping_mul(24) % (64 << 10)).to_le_bytes());
        let mut wanted = Vec::new();
        for &(at, kind, length) in &made {
            if kind == NUMBERS || (BYTES..=VECTORS).contains(&kind) {
                let first = fixture.world.kinds[kind].slots[0].offset;
                let size = u32::try_from(fixture.world.kinds[kind].size(length)).expect("a small object");
                let words: Vec<u8> = pattern.by_ref().flatten().take((size - first) as usize).collect();
                fixture.heap.object_mut(at, size).expect("inside")[first as usize..].copy_from_slice(&words);
                wanted.push((first as usize, words));
            } else {
                wanted.push((0, Vec::new()));
            }
        }
        for round in 0..3 {
            fixture.collect();
            for (root, (first, words)) in fixture.roots.iter().zip(&wanted) {
                let start = *root as usize + first;
                assert!(fixture.heap.bytes()[start..][..words.len()] == words[..], "numbers changed in round {round}");
            }
            // Some garbage in between, so that what is free is used again.
            (0..200).for_each(|_| drop(fixture.node()));
        }
    }
}

fn large_objects(subject: &Subject<'_>) {
    for (max_bytes, kind) in [(MIB, WIDE), (64 * MIB, VAST)] {
        let mut fixture = subject.fixture(max_bytes);
        let pair = fixture.structure(PAIR).expect("room");
        fixture.roots.push(pair);
        for (kind, length) in [(kind, 0), (LONGS, 5000), (REFS, 9000)] {
            let new = if kind < BYTES { fixture.structure(kind) } else { fixture.array(kind, length) };
            let large = new.expect("room");
            assert!(large.is_multiple_of(4096), "a large object at {large:#x}");
            fixture.roots.push(large);
        }
        fixture.collect();
        if !subject.traits.collects {
            continue;
        }
        // One after the other dies, and its room is free then and zero when it is had again.
        while fixture.roots.len() > 1 {
            let used = fixture.heap.stats().used_bytes;
            fixture.roots.pop();
            fixture.collect();
            assert!(fixture.heap.stats().used_bytes < used, "a large object that died is not freed");
        }
        let again = fixture.array(LONGS, 5000).expect("room");
        let bytes = &fixture.heap.bytes()[again as usize + 8..][..40_000];
        assert!(bytes.iter().all(|&byte| byte == 0), "room that was used is not zero");
    }
}

fn too_large(subject: &Subject<'_>) {
    for max_bytes in [16 * KIB, MIB, 1 << 32] {
        let mut fixture = subject.fixture(max_bytes);
        let limit = subject.checked(max_bytes).limit();
        for (kind, length, size) in [
            (REFS, 1_073_741_817, 4_294_967_280_u64),
            (REFS, u32::MAX, 17_179_869_192),
            (BYTES, 4_294_967_262, 4_294_967_272),
            (LONGS, 536_870_911, 4_294_967_296),
            (VECTORS, u32::MAX, 68_719_476_728),
        ] {
            let error = fixture.array(kind, length).expect_err("no heap has such room");
            let oom = error.out_of_memory().expect("out of memory");
            assert_eq!((oom.kind, oom.asked, oom.limit), (OutOfMemoryKind::TooLarge, size, limit));
        }
        fixture.pair(0, 0).expect("room for what is small");
    }
}

fn counted(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(64 * MIB);
    let tally = Tally::default();
    let made = one_of_each(&mut fixture);
    let mut bytes: u64 = made.iter().map(|&(_, kind, length)| fixture.world.kinds[kind].size(length)).sum();
    assert_eq!(fixture.heap.stats().allocated_bytes, bytes);
    for number in 0..1000 {
        fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room");
        bytes += 8;
        assert_eq!(fixture.heap.stats().allocated_bytes, bytes, "after {number} extern objects");
    }
    let object = fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room").get();
    assert_eq!(fixture.heap.header(object).expect("inside the heap").with_log(false), VMGcHeader::EXTERN);
    let payload = fixture.heap.extern_payload(object).expect("a payload");
    assert_eq!(payload.downcast_ref::<Payload>().map(|payload| payload.number), Some(1000));
}
