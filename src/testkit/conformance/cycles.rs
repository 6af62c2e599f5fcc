//! How a cycle is driven: at every allocation, of young objects, in small steps, given up half way.

use super::{Case, KIB, MIB, Subject, To};
use crate::collector::CycleKind;
use crate::testkit::fixture::{Fixture, LEFT, RIGHT};
use crate::testkit::settings::Settings;
use crate::testkit::world::REFS;
use crate::trace::{Budget, Progress};

pub(super) const CASES: &[Case] = &[
    Case::new("zeal collects once at each allocation, also when the heap is full (A11)", To::Collecting, zeal),
    Case::new("minor cycles keep what lives and leave no trace of what they missed", To::Collecting, minor),
    Case::new("a cycle in small steps ends, and does the same", To::Collecting, small_steps),
    Case::new("a cycle that was given up half way harms nothing (I1, S10)", To::Collecting, abandoned),
];

fn zeal(subject: &Subject<'_>) {
    for (zeal, expected) in [(1, 200), (7, 28)] {
        let mut fixture = subject.fixture_of(&Settings { zeal, ..subject.checked(MIB) });
        assert!(fixture.push_list(200).1.is_none(), "room for a short list");
        assert_eq!(fixture.heap.stats().collections, expected, "collections with a zeal of {zeal}");
        assert_eq!(fixture.list_length(fixture.roots[0]), 200);
    }
    let mut fixture = subject.fixture_of(&Settings { zeal: 1, ..subject.checked(16 * KIB) });
    let (count, error) = fixture.push_list(u32::MAX);
    assert!(error.is_some_and(|error| error.out_of_memory().is_some()), "a full heap");
    let collections = fixture.heap.stats().collections;
    assert!(collections <= 3 * (u64::from(count) + 2), "{collections} collections for {count} pairs");
}

/// Lists, arrays that hold them, and a cycle; some of it dies.
fn mixed(fixture: &mut Fixture) {
    for _ in 0..4 {
        assert!(fixture.push_list(3000).1.is_none(), "room for a list");
        let array = fixture.array(REFS, 2500).expect("room");
        fixture.roots.push(array);
        let list = fixture.roots[fixture.roots.len() - 2];
        fixture.write(array, 8 + 4 * 2499, list);
        fixture.write(array, 8, array);
    }
    for root in [1, 4] {
        fixture.roots[root] = 0;
    }
}

/// Checks what [`mixed`] left.
fn is_mixed(fixture: &Fixture) {
    for (root, &held) in fixture.roots.iter().enumerate().filter(|&(_, &held)| held != 0) {
        if root % 2 == 0 {
            assert_eq!(fixture.list_length(held), 3000, "list {root}");
        } else {
            assert_eq!(fixture.read(held, 8), held, "array {root} leads to itself");
            assert_eq!(fixture.list_length(fixture.read(held, 8 + 4 * 2499)), 3000, "the list of array {root}");
        }
    }
}

/// What is alive of it, if cycles die.
fn mixed_bytes(fixture: &Fixture) -> u64 {
    4 * 3000 * 16 + 3 * fixture.world.kinds[REFS].size(2500)
}

fn minor(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(8 * MIB);
    mixed(&mut fixture);
    for round in 0..6_u32 {
        let pair = fixture.pair(round << 1 | 1, 0).expect("room");
        // The only reference to the new pair is in an object that is old by then.
        let array = fixture.roots[3];
        fixture.write(array, 8 + 4 * (1 + round), pair);
        fixture.heap.collect_minor(&mut fixture.roots).unwrap_or_else(|error| panic!("a minor collection: {error}"));
        is_mixed(&fixture);
        for earlier in 0..=round {
            let pair = fixture.read(fixture.roots[3], 8 + 4 * (1 + earlier));
            assert_eq!(fixture.read(pair, LEFT), earlier << 1 | 1, "pair {earlier} after {round} minor collections");
            assert_eq!(fixture.read(pair, RIGHT), 0);
        }
    }
    let minor_collections = fixture.heap.stats().minor_collections;
    assert_eq!(minor_collections > 0, subject.traits.has_minor, "minor collections are counted as such");
    fixture.collect();
    assert!(!subject.traits.collects_cycles || fixture.heap.stats().live_bytes == mixed_bytes(&fixture) + 6 * 16);
}

/// Steps at most `steps` times and tells whether the collection is done.
fn drive(fixture: &mut Fixture, kind: CycleKind, budget: u64, steps: u64) -> bool {
    let started = fixture.heap.start_collection(kind, &mut fixture.roots).expect("memory for a cycle");
    let mut collection = started.expect("there is something to collect");
    (0..steps).any(|_| {
        let progress = collection.step(Budget(budget)).unwrap_or_else(|error| panic!("a step: {error}"));
        progress == Progress::Done
    })
}

fn small_steps(subject: &Subject<'_>) {
    for budget in [1, 100] {
        for move_all in [false, true] {
            let mut fixture = subject.fixture_of(&Settings { move_all, ..subject.checked(8 * MIB) });
            mixed(&mut fixture);
            for round in 0..4 {
                let kind = if round == 1 { CycleKind::Minor } else { CycleKind::Full };
                let before = fixture.heap.stats().collections;
                // There is less work than bytes, and each step does some.
                let steps_max = 64 + fixture.heap.stats().committed_bytes;
                assert!(
                    drive(&mut fixture, kind, budget, steps_max),
                    "a cycle in steps of {budget} units does not end"
                );
                assert_eq!(fixture.heap.stats().collections, before + 1);
                is_mixed(&fixture);
            }
            let live = fixture.heap.stats().live_bytes;
            assert!(!subject.traits.collects_cycles || live == mixed_bytes(&fixture), "{live} bytes live");
        }
    }
}

fn abandoned(subject: &Subject<'_>) {
    for (budget, steps) in [(0, 0), (1, 1), (1, 30), (500, 2), (20_000, 1)] {
        let settings = subject.checked(8 * MIB);
        let mut fixture = subject.fixture_of(&settings);
        mixed(&mut fixture);
        for round in 0..6_u32 {
            let kind = if round % 3 == 1 { CycleKind::Minor } else { CycleKind::Full };
            drive(&mut fixture, kind, budget, steps);
            fixture.verify();
            is_mixed(&fixture);
            // The mutator goes on, and what it writes into old objects is not lost.
            for index in 0..50 {
                let pair = fixture.pair((round + index) << 1 | 1, 0).expect("room");
                let array = fixture.roots[3];
                fixture.write(array, 8 + 4 * (1 + index), pair);
            }
            if round % 2 == 0 {
                fixture.heap.collect_minor(&mut fixture.roots).unwrap_or_else(|error| panic!("collecting: {error}"));
            }
            is_mixed(&fixture);
            for index in 0..50 {
                let pair = fixture.read(fixture.roots[3], 8 + 4 * (1 + index));
                assert_eq!(fixture.read(pair, LEFT) >> 1, round + index, "a reference after a cycle was given up");
            }
        }
        fixture.collect();
        let live = fixture.heap.stats().live_bytes;
        assert!(!subject.traits.collects_cycles || live == mixed_bytes(&fixture) + 50 * 16, "{live} bytes live");
    }
}
