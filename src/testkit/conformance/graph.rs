//! What references lead to survives, and nothing else does.

use std::thread;

use super::{Case, MIB, Subject, To};
use crate::testkit::fixture::{Fixture, LEFT, RIGHT};
use crate::testkit::settings::Settings;
use crate::testkit::world::{BYTES, INTS, LONGS, PAIR, REFS, SPARSE};

pub(super) const CASES: &[Case] = &[
    Case::new("every reference of an object is followed, and no number is (L2, R15)", To::All, references_only),
    Case::new("sharing and cycles keep their shape", To::All, shape),
    Case::new("what nothing leads to dies", To::Collecting, garbage_dies),
    Case::new("cycles that nothing leads to die", To::CollectingCycles, cycles_die),
    Case::new("what only an old object leads to survives (B12)", To::Collecting, old_to_young),
    Case::new("what was overwritten dies (B10)", To::Collecting, overwritten_dies),
    Case::new("wide arrays of arrays survive whole (R18)", To::All, wide),
    Case::new("a list of a million nodes needs no stack (R18, B11)", To::All, deep),
];

fn references_only(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(4 * MIB);
    // References in more words than a bitmap covers.
    let sparse = fixture.structure(SPARSE).expect("room");
    let array = fixture.array(REFS, 97).expect("room");
    fixture.roots.extend([sparse, array]);
    let offsets: Vec<_> = {
        let slots = &fixture.world.kinds[SPARSE].slots;
        slots.iter().filter(|slot| slot.wanted.is_some()).map(|slot| slot.offset).collect()
    };
    let places: Vec<_> = offsets.iter().map(|&offset| (0, offset)).chain((0..97).map(|i| (1, 8 + 4 * i))).collect();
    for (number, &(root, offset)) in (0..).zip(&places) {
        let pair = fixture.pair(number << 1 | 1, 0).expect("room");
        fixture.write(fixture.roots[root], offset, pair);
    }
    // Numbers that are the offsets of objects, which die for all that.
    let dead = fixture.pair(0, 0).expect("room");
    for (kind, width) in [(BYTES, 1), (INTS, 4), (LONGS, 8)] {
        let ints = fixture.array(kind, 64).expect("room");
        let layout = fixture.layout(kind);
        let word = u64::from(dead).to_le_bytes();
        fixture.heap.array_fill(&layout, ints, 0, &word[..width], 64).expect("in bounds");
        fixture.roots.push(ints);
    }
    let numbers = fixture.heap.bytes()[fixture.roots[3] as usize + 8..][..256].to_vec();
    for _ in 0..3 {
        fixture.collect();
        for (number, &(root, offset)) in (0..).zip(&places) {
            let pair = fixture.read(fixture.roots[root], offset);
            assert_eq!(fixture.read(pair, LEFT), number << 1 | 1, "reference {number}");
        }
        assert!(fixture.heap.bytes()[fixture.roots[3] as usize + 8..][..256] == numbers[..], "a number was changed");
    }
    if subject.traits.collects {
        let size = |kind: usize, length| fixture.world.kinds[kind].size(length);
        let arrays = size(REFS, 97) + size(BYTES, 64) + size(INTS, 64) + size(LONGS, 64);
        let pairs = places.len() as u64 * size(PAIR, 0);
        assert_eq!(fixture.heap.stats().live_bytes, size(SPARSE, 0) + arrays + pairs, "live bytes");
    }
}

/// A ring of pairs, each of which refers to itself on the right, and a large array in the ring; the root is in it.
fn ring(fixture: &mut Fixture, pairs: u32) {
    let first = fixture.pair(0, 0).expect("room");
    fixture.roots.push(first);
    let root = fixture.roots.len() - 1;
    let mut held = first;
    for _ in 1..pairs {
        fixture.roots.push(held);
        held = fixture.pair(held, 0).expect("room");
        fixture.write(held, RIGHT, held);
        fixture.roots.pop();
    }
    fixture.roots.push(held);
    let array = fixture.array(REFS, 3000).expect("room");
    let (last, first) = (fixture.roots.pop().expect("was pushed"), fixture.roots[root]);
    fixture.write(array, 8, last);
    fixture.write(array, 8 + 4 * 2999, array);
    fixture.write(first, LEFT, array);
    fixture.write(first, RIGHT, first);
}

fn shape(subject: &Subject<'_>) {
    // A zeal that strikes while the ring is made.
    for zeal in [0, 13] {
        let mut fixture = subject.fixture_of(&Settings { zeal, ..subject.checked(4 * MIB) });
        ring(&mut fixture, 100);
        for _ in 0..4 {
            fixture.collect();
            let array = fixture.read(fixture.roots[0], LEFT);
            assert_eq!(fixture.read(array, 8 + 4 * 2999), array, "the array leads to itself");
            let mut pair = fixture.read(array, 8);
            for step in 1..100 {
                assert_eq!(fixture.read(pair, RIGHT), pair, "pair {step} leads to itself");
                pair = fixture.read(pair, LEFT);
            }
            assert_eq!(pair, fixture.roots[0], "the ring is closed");
        }
        if subject.traits.collects {
            assert_eq!(fixture.heap.stats().live_bytes, 100 * 16 + fixture.world.kinds[REFS].size(3000), "live bytes");
        }
    }
}

fn garbage_dies(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(4 * MIB);
    for round in 0..5 {
        assert!(fixture.push_list(500).1.is_none(), "no room for a short list");
        let large = fixture.array(REFS, 3000).expect("room");
        fixture.roots.push(large);
        // Some die young and some when they are old.
        (0..round).for_each(|_| fixture.collect());
        fixture.roots.clear();
        fixture.collect();
        let stats = fixture.heap.stats();
        assert_eq!((stats.live_bytes, stats.used_bytes), (0, 0), "bytes live and used, {round} collections survived");
    }
}

fn cycles_die(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(4 * MIB);
    for round in 0..4 {
        ring(&mut fixture, 50);
        (0..round).for_each(|_| fixture.collect());
        fixture.roots.clear();
        fixture.collect();
        let stats = fixture.heap.stats();
        assert_eq!((stats.live_bytes, stats.used_bytes), (0, 0), "bytes live and used, {round} collections survived");
    }
}

/// A way to store a reference into an object.
struct Store {
    name: &'static str,
    /// Where the reference is to be found then.
    offset: u32,
    /// Stores the second reference into the object that the first leads to, which is the root's.
    store: fn(&mut Fixture, u32, u32),
}

/// Only the first can be used on a pair.
const STORES: [Store; 6] = [
    Store { name: "a write", offset: 8, store: |fixture, old, young| fixture.write(old, 8, young) },
    Store { name: "a write further on", offset: 16, store: |fixture, old, young| fixture.write(old, 16, young) },
    Store {
        name: "a fill",
        offset: 12,
        store: |fixture, old, young| {
            let layout = fixture.layout(REFS);
            fixture.heap.array_fill(&layout, old, 1, &young.to_le_bytes(), 2).expect("in bounds");
        },
    },
    Store {
        name: "a write of words",
        offset: 12,
        store: |fixture, old, young| {
            let layout = fixture.layout(REFS);
            fixture.heap.array_write_words(&layout, old, 1, &[young, 0]).expect("in bounds");
        },
    },
    Store {
        name: "a write of bytes",
        offset: 8,
        store: |fixture, old, young| {
            let layout = fixture.layout(REFS);
            fixture.heap.array_write(&layout, old, 0, &young.to_le_bytes()).expect("in bounds");
        },
    },
    Store {
        name: "a copy",
        offset: 8,
        store: |fixture, _, young| {
            let layout = fixture.layout(REFS);
            fixture.roots.push(young);
            let source = fixture.array(REFS, 4).expect("room");
            let young = fixture.roots.pop().expect("was pushed");
            fixture.heap.array_fill(&layout, source, 0, &young.to_le_bytes(), 4).expect("in bounds");
            fixture.heap.array_copy(&layout, (fixture.roots[0], 0), (source, 1), 3).expect("in bounds");
        },
    },
];

fn old_to_young(subject: &Subject<'_>) {
    for (number, Store { name, offset, store }) in STORES.into_iter().enumerate() {
        // A struct, a small array, a large one.
        for (kind, length) in [(PAIR, 0), (REFS, 4), (REFS, 9000)].into_iter().skip(usize::from(number > 0)) {
            for (age, zeal) in [(1, 0), (2, 3), (3, 0), (3, 1)] {
                let mut fixture = subject.fixture_of(&Settings { zeal, ..subject.checked(4 * MIB) });
                let new = if kind == PAIR { fixture.pair(0, 0) } else { fixture.array(kind, length) };
                fixture.roots.push(new.expect("room"));
                (0..age).for_each(|_| fixture.collect());
                for round in 0..4_u32 {
                    let young = fixture.pair(round << 1 | 1, 0).expect("room");
                    let old = fixture.roots[0];
                    store(&mut fixture, old, young);
                    // Collections of the heap's own choice, and ones that were asked for.
                    (0..10).for_each(|_| drop(fixture.node()));
                    (0..round).for_each(|_| fixture.collect());
                    let told = format!("{name} into an object of type {kind} that survived {age} collections");
                    let found = fixture.read(fixture.roots[0], offset);
                    assert_ne!(found, 0, "{told}: the reference is gone");
                    assert_eq!(fixture.read(found, LEFT), round << 1 | 1, "{told}");
                }
            }
        }
    }
}

fn overwritten_dies(subject: &Subject<'_>) {
    for length in [4, 9000] {
        let mut fixture = subject.fixture(4 * MIB);
        let array = fixture.array(REFS, length).expect("room");
        fixture.roots.push(array);
        for age in 0..4 {
            for index in 0..4 {
                let pair = fixture.pair(1, 0).expect("room");
                fixture.write(fixture.roots[0], 8 + 4 * index, pair);
            }
            (0..age).for_each(|_| fixture.collect());
            let (layout, array) = (fixture.layout(REFS), fixture.roots[0]);
            // With null, with an i31, and by a copy.
            fixture.heap.array_fill(&layout, array, 0, &[0; 4], 1).expect("in bounds");
            fixture.write(array, 12, 7);
            fixture.heap.array_copy(&layout, (array, 2), (array, 0), 2).expect("in bounds");
            fixture.collect();
            let array = fixture.world.kinds[REFS].size(length);
            assert_eq!(fixture.heap.stats().live_bytes, array, "after {age} collections that they survived");
        }
    }
}

fn wide(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(64 * MIB);
    let top = fixture.array(REFS, 20_000).expect("room");
    fixture.roots.push(top);
    for index in 0..20_000 {
        let element = fixture.array(LONGS, index % 7).expect("room");
        fixture.write(fixture.roots[0], 8 + 4 * index, element);
    }
    for _ in 0..2 {
        fixture.collect();
        for index in 0..20_000 {
            let element = fixture.read(fixture.roots[0], 8 + 4 * index);
            assert_eq!(fixture.heap.array_len(element).expect("an array"), index % 7, "element {index}");
        }
    }
}

fn deep(subject: &Subject<'_>) {
    let settings = Settings { promises: subject.promises, ..Settings::new(64 * MIB) };
    let mut fixture = subject.fixture_of(&settings);
    let collects = subject.traits.collects;
    let run = move || {
        // R18: a chain of three first.
        for length in [3, 1_000_000] {
            assert!(fixture.push_list(length).1.is_none(), "no room for a list of {length} nodes");
            for _ in 0..2 {
                fixture.heap.collect(&mut fixture.roots).expect("a sound heap");
                assert_eq!(fixture.list_length(fixture.roots[0]), length);
            }
            fixture.roots.clear();
            fixture.heap.collect(&mut fixture.roots).expect("a sound heap");
            assert!(!collects || fixture.heap.stats().live_bytes == 0, "a list that died is not freed");
        }
    };
    // A stack on which no million frames fit.
    let thread = thread::Builder::new().stack_size(256 << 10).spawn(run).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
