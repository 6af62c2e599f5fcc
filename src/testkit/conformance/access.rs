//! What the mutator reads and writes, on objects that have seen collections.

use super::{Case, MIB, Subject, To};
use crate::error::Trap;
use crate::heap::CastTarget;
use crate::testkit::fixture::{Fixture, LEFT, RIGHT};
use crate::testkit::world::{BYTES, INTS, KINDS, LONGS, NODE, PAIR, REFS, SHORTS, VECTORS};
use crate::types::{HeapType, RefType};

pub(super) const CASES: &[Case] = &[
    Case::new("bulk operations stay in their bounds (L9, L14, L15)", To::All, bounds),
    Case::new("copies that overlap are right in both directions (L16)", To::All, overlap),
    Case::new("references written in bulk are where they belong", To::All, references_in_bulk),
    Case::new("types are told apart, and fields of a supertype read through it (L1)", To::All, casts),
];

/// An array that has lived through a collection.
fn old_array(fixture: &mut Fixture, kind: usize, length: u32) -> u32 {
    let array = fixture.array(kind, length).expect("room");
    fixture.roots.push(array);
    fixture.collect();
    fixture.roots.pop().expect("was pushed")
}

fn bounds(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    for kind in [BYTES, SHORTS, INTS, LONGS, VECTORS, REFS] {
        let array = old_array(&mut fixture, kind, 10);
        let layout = fixture.layout(kind);
        let width = layout.elem_size as usize;
        // As references these are i31s.
        let value = [0x55; 16].get(..width).expect("an element has at most 16 bytes").to_vec();
        let heap = &mut fixture.heap;
        heap.array_fill(&layout, array, 3, &value, 4).expect("in bounds");
        heap.array_fill(&layout, array, 10, &value, 0).expect("an empty range at the end");
        for (index, element) in heap.array_read(&layout, array, 0, 10).expect("in bounds").chunks(width).enumerate() {
            let wanted = if (3..7).contains(&index) { &value[..] } else { &[0; 16][..width] };
            assert_eq!(element, wanted, "element {index} of type {kind}");
        }
        let before = heap.array_read(&layout, array, 0, 10).expect("in bounds").to_vec();
        for (first, count) in [(11, 0), (10, 1), (0, 11), (u32::MAX, 0), (1, u32::MAX), (u32::MAX, u32::MAX)] {
            for refused in [
                heap.array_fill(&layout, array, first, &value, count),
                heap.array_copy(&layout, (array, first), (array, 0), count),
                heap.array_copy(&layout, (array, 0), (array, first), count),
            ] {
                let error = refused.expect_err("out of bounds");
                assert_eq!(error.trap(), Some(Trap::ArrayOutOfBounds), "{first} {count}");
            }
        }
        assert_eq!(heap.array_read(&layout, array, 0, 10).expect("in bounds"), before, "something was written");
    }
}

fn overlap(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    for kind in [BYTES, SHORTS, INTS, LONGS, VECTORS, REFS] {
        let layout = fixture.layout(kind);
        let width = layout.elem_size as usize;
        for (to, from, count) in [(1, 0, 19), (0, 1, 19), (5, 0, 10), (0, 5, 10), (7, 7, 13), (0, 10, 10)] {
            let array = old_array(&mut fixture, kind, 20);
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

fn references_in_bulk(subject: &Subject<'_>) {
    // A small array and a large one.
    for length in [20, 5000] {
        let mut fixture = subject.fixture(4 * MIB);
        let layout = fixture.layout(REFS);
        for _ in 0..2 {
            let array = fixture.array(REFS, length).expect("room");
            fixture.roots.push(array);
        }
        fixture.collect();
        // Slots 2 and on hold the objects while they are made.
        for number in 0..10_u32 {
            let pair = fixture.pair(number << 1 | 1, 0).expect("room");
            fixture.roots.push(pair);
        }
        let (first, second, pairs) = (fixture.roots[0], fixture.roots[1], fixture.roots[2..].to_vec());
        let heap = &mut fixture.heap;
        heap.array_write_words(&layout, first, 0, &pairs).expect("in bounds");
        heap.array_copy(&layout, (first, 10), (first, 0), 10).expect("in bounds");
        heap.array_fill(&layout, second, length - 5, &pairs[7].to_le_bytes(), 5).expect("in bounds");
        heap.array_copy(&layout, (second, 0), (first, 8), 4).expect("in bounds");
        fixture.roots.truncate(2);
        for _ in 0..3 {
            fixture.collect();
            let number = |array: usize, index: u32| {
                let pair = fixture.read(fixture.roots[array], 8 + 4 * index);
                fixture.read(pair, LEFT) >> 1
            };
            assert!((0..20).all(|index| number(0, index) == index % 10), "references that were copied");
            assert!(
                (length - 5..length).all(|index| number(1, index) == 7),
                "references that an array was filled with"
            );
            assert_eq!([0, 1, 2, 3].map(|index| number(1, index)), [8, 9, 0, 1]);
        }
        if subject.traits.collects {
            let arrays = 2 * fixture.world.kinds[REFS].size(length);
            assert_eq!(fixture.heap.stats().live_bytes, arrays + 10 * 16, "live bytes");
        }
    }
}

fn casts(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    for kind in [PAIR, NODE, REFS, INTS] {
        let new = if kind < BYTES { fixture.structure(kind) } else { fixture.array(kind, 3) };
        fixture.roots.push(new.expect("room"));
    }
    let inner = fixture.pair(3, 5).expect("room");
    fixture.write(fixture.roots[1], LEFT, inner);
    fixture.write(fixture.roots[1], RIGHT, 7);
    let concrete = |fixture: &Fixture, kind: usize| {
        let ty = fixture.world.ty(kind).ty().clone();
        CastTarget::new(RefType::new(false, ty.heap_type()), Some(&ty))
    };
    for _ in 0..3 {
        fixture.collect();
        for (root, kind) in [PAIR, NODE, REFS, INTS].into_iter().enumerate() {
            let is = |target| fixture.heap.is_instance(fixture.roots[root], &target).expect("inside the heap");
            for other in 0..KINDS {
                let wanted = other == kind || (kind, other) == (NODE, PAIR);
                assert_eq!(is(concrete(&fixture, other)), wanted, "type {kind} as {other}");
            }
            for (ty, wanted) in [
                (HeapType::Struct, kind < BYTES),
                (HeapType::Array, kind >= BYTES),
                (HeapType::Eq, true),
                (HeapType::I31, false),
            ] {
                assert_eq!(is(CastTarget::new(RefType::new(false, ty), None)), wanted, "type {kind}");
            }
        }
        let node = fixture.roots[1];
        let inner = fixture.read(node, LEFT);
        assert_eq!((fixture.read(inner, LEFT), fixture.read(inner, RIGHT), fixture.read(node, RIGHT)), (3, 5, 7));
    }
}
