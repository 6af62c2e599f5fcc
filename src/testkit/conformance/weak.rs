//! Weak references, ephemerons, and objects that are finalised.

use std::collections::BTreeSet;

use super::{Case, MIB, Subject, To};
use crate::heap::{EphemeronTable, GcHeap};
use crate::testkit::fixture::{Fixture, LEFT, RIGHT};
use crate::testkit::payload::Tally;
use crate::testkit::world::{REFS, VAST};
use crate::trace::RootCategory;

pub(super) const CASES: &[Case] = &[
    Case::new("weak references lead to their objects and nowhere else", To::All, weak_references),
    Case::new("a key keeps its value alive, and the table neither", To::All, keys_and_values),
    Case::new("chains of ephemerons are followed to their ends", To::All, chains),
    Case::new("no ephemeron keeps its own key alive, nor do several together", To::CollectingCycles, circles),
    Case::new("ephemerons are right at every age of key and value", To::All, ages),
    Case::new("an object that is finalised is whole, and handed out once", To::Collecting, finalised_once),
    Case::new("what waits to be finalised is alive until it is taken", To::Collecting, waits),
    Case::new("what a finaliser is given may be kept, and given again", To::Collecting, resurrected),
];

/// A list of `length` pairs whose head is no root.
fn list(fixture: &mut Fixture, length: u32) -> u32 {
    assert!(fixture.push_list(length).1.is_none(), "room for {length} pairs");
    fixture.roots.pop().expect("the head was pushed")
}

fn table(fixture: &mut Fixture) -> EphemeronTable {
    fixture.heap.new_ephemeron_table().expect("memory of the host")
}

fn insert(heap: &mut GcHeap, table: &EphemeronTable, key: u32, value: u32) {
    heap.insert_ephemeron(table, key, value).expect("two objects");
}

fn value_of(fixture: &Fixture, table: &EphemeronTable, key: u32) -> Option<u32> {
    fixture.heap.ephemeron_value(table, key).expect("a table of this heap")
}

fn count(fixture: &Fixture, table: &EphemeronTable) -> usize {
    fixture.heap.ephemeron_count(table).expect("a table of this heap")
}

/// Collects young objects, or all each third time.
fn collect(fixture: &mut Fixture, round: u32) {
    let Fixture { heap, roots, .. } = fixture;
    let collected = if round % 3 == 2 { heap.collect(roots) } else { heap.collect_minor(roots) };
    collected.expect("a sound heap");
    fixture.verify();
}

fn weak_references(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    let mut ids = Vec::new();
    for number in 0..60_u32 {
        let object = list(&mut fixture, number + 1);
        ids.push(fixture.heap.new_weak(object).expect("an object"));
        fixture.roots.push(object);
        collect(&mut fixture, number);
    }
    ids.push(fixture.heap.new_weak(5).expect("an i31"));
    for keep in [60, 30, 0] {
        fixture.roots.truncate(keep);
        fixture.collect();
        for (number, &id) in ids[..60].iter().enumerate() {
            let target = fixture.heap.weak_target(id);
            match fixture.roots.get(number) {
                Some(&root) => assert_eq!(target, Some(root), "weak reference {number} with {keep} roots"),
                None if subject.traits.collects => assert_eq!(target, None, "weak reference {number} is cleared"),
                None => {}
            }
        }
    }
    assert_eq!(fixture.heap.weak_target(ids[60]), Some(5), "an i31 never dies");
}

fn keys_and_values(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    let table = table(&mut fixture);
    for number in 0..40 {
        // Some keys and values are large.
        let key = if number % 8 == 3 { fixture.structure(VAST).expect("room") } else { list(&mut fixture, 1) };
        fixture.roots.push(key);
        let value = list(&mut fixture, number + 1);
        let value = if number % 8 == 5 {
            fixture.roots.push(value);
            let array = fixture.array(REFS, 3000).expect("room");
            let value = fixture.roots.pop().expect("it was pushed");
            fixture.write(array, 8 + 4 * 2999, value);
            array
        } else {
            value
        };
        insert(&mut fixture.heap, &table, fixture.roots[number as usize], value);
        if number % 7 == 0 {
            collect(&mut fixture, number);
        }
    }
    insert(&mut fixture.heap, &table, 7, 0);
    for keep in [40, 40, 17, 0] {
        fixture.roots.truncate(keep);
        fixture.collect();
        for number in 0..keep {
            let value = value_of(&fixture, &table, fixture.roots[number]).expect("its key is alive");
            let value = if number % 8 == 5 { fixture.read(value, 8 + 4 * 2999) } else { value };
            assert_eq!(fixture.list_length(value) as usize, number + 1, "value {number} of {keep}");
        }
        if subject.traits.collects {
            assert_eq!(count(&fixture, &table), keep + 1, "pairs of living keys, and that of an i31");
            let shown = fixture.heap.stats().last_cycle.roots[RootCategory::Ephemerons as usize];
            assert_eq!(shown, keep as u64, "values that living keys keep");
        }
    }
    assert_eq!(value_of(&fixture, &table, 7), Some(0));
    if subject.traits.collects {
        assert_eq!(fixture.heap.stats().live_bytes, 0, "bytes live without keys");
    }
}

fn chains(subject: &Subject<'_>) {
    const LINKS: usize = 300;
    let mut fixture = subject.fixture(4 * MIB);
    // The value of one key holds the next one: the order in which they stand in the table does not matter.
    for step in [1, LINKS - 1, 7] {
        let table = table(&mut fixture);
        for _ in 0..=LINKS {
            let key = fixture.pair(0, 0).expect("room");
            fixture.roots.push(key);
        }
        for link in 0..LINKS {
            let number = link * step % LINKS;
            // Each other time the value is the next key itself.
            let next = fixture.roots[number + 1];
            let value = if number.is_multiple_of(2) { next } else { fixture.pair(3, next).expect("room") };
            insert(&mut fixture.heap, &table, fixture.roots[number], value);
        }
        fixture.roots.truncate(1);
        for round in 0..4 {
            collect(&mut fixture, round);
            let mut key = fixture.roots[0];
            for number in 0..LINKS {
                let value = value_of(&fixture, &table, key).expect("all keys are alive");
                key = if number.is_multiple_of(2) { value } else { fixture.read(value, RIGHT) };
            }
            assert_eq!(value_of(&fixture, &table, key), None, "the last link has no value");
        }
        fixture.roots.clear();
        fixture.collect();
        if subject.traits.collects {
            assert_eq!((count(&fixture, &table), fixture.heap.stats().live_bytes), (0, 0), "a chain dies at once");
        }
    }
}

fn circles(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    let (one, other) = (table(&mut fixture), table(&mut fixture));
    for _ in 0..20 {
        // A key that is its own value, one whose value refers to it, and two in two tables that keep each other.
        let own = fixture.pair(0, 0).expect("room");
        fixture.roots.push(own);
        insert(&mut fixture.heap, &one, own, own);
        let key = fixture.pair(0, 0).expect("room");
        fixture.roots.push(key);
        let value = fixture.pair(fixture.roots[1], 0).expect("room");
        insert(&mut fixture.heap, &one, fixture.roots[1], value);
        let first = fixture.pair(0, 0).expect("room");
        fixture.roots.push(first);
        let second = fixture.pair(0, 0).expect("room");
        insert(&mut fixture.heap, &one, fixture.roots[2], second);
        insert(&mut fixture.heap, &other, second, fixture.roots[2]);
        for round in 0..2 {
            collect(&mut fixture, round);
            assert_eq!((count(&fixture, &one), count(&fixture, &other)), (3, 1), "pairs of living keys");
        }
        fixture.roots.clear();
        fixture.collect();
        assert_eq!((count(&fixture, &one), count(&fixture, &other)), (0, 0), "pairs of circles that nothing leads to");
        assert_eq!(fixture.heap.stats().live_bytes, 0);
    }
}

fn ages(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    let table = table(&mut fixture);
    // Collections between the making of key, value and pair, and after that; then the value is overwritten.
    for ages in 0..16_u32 {
        let [before_value, before_pair, before_end, value_first] = [0, 1, 2, 3].map(|bit| ages >> bit & 1 != 0);
        let first = list(&mut fixture, 2);
        fixture.roots.push(first);
        if before_value {
            collect(&mut fixture, 0);
        }
        let second = list(&mut fixture, 2);
        fixture.roots.push(second);
        if before_pair {
            collect(&mut fixture, 0);
        }
        let (key, value) = if value_first { (1, 0) } else { (0, 1) };
        insert(&mut fixture.heap, &table, fixture.roots[key], fixture.roots[value]);
        if before_end {
            collect(&mut fixture, 0);
        }
        // Only the key is left.
        fixture.roots = vec![fixture.roots[key]];
        for round in 0..4 {
            collect(&mut fixture, round);
            let value = value_of(&fixture, &table, fixture.roots[0]).expect("its key is alive");
            assert_eq!(fixture.list_length(value), 2, "ages {ages}, round {round}");
        }
        let fresh = list(&mut fixture, 5);
        insert(&mut fixture.heap, &table, fixture.roots[0], fresh);
        for round in 0..4 {
            collect(&mut fixture, round);
            let value = value_of(&fixture, &table, fixture.roots[0]).expect("its key is alive");
            assert_eq!(fixture.list_length(value), 5, "ages {ages}, round {round}, overwritten");
        }
        if subject.traits.collects {
            fixture.collect();
            assert_eq!(fixture.heap.stats().live_bytes, (2 + 5) * 16, "the value that was overwritten is dead");
        }
        let taken = fixture.heap.remove_ephemeron(&table, fixture.roots[0]).expect("a table of this heap");
        assert_eq!(taken.map(|value| fixture.list_length(value)), Some(5));
        // A young key that nothing leads to goes with its value.
        let (value, key) = (list(&mut fixture, 3), list(&mut fixture, 1));
        insert(&mut fixture.heap, &table, key, value);
        fixture.collect();
        if subject.traits.collects {
            assert_eq!((count(&fixture, &table), fixture.heap.stats().live_bytes), (0, 2 * 16));
        }
        fixture.roots.clear();
    }
}

fn finalised_once(subject: &Subject<'_>) {
    for rounds in 0..4 {
        let tally = Tally::default();
        let mut fixture = subject.fixture(MIB);
        let table = table(&mut fixture);
        // The object leads to a list and to a host value, and is a key.
        let external = fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room").get();
        fixture.roots.push(external);
        let tail = list(&mut fixture, 10);
        let object = fixture.pair(fixture.roots[0], tail).expect("room");
        fixture.roots = vec![object];
        let tail = fixture.read(object, RIGHT);
        let id = fixture.heap.register_finalizer(object).expect("an object");
        let weaks = [object, tail].map(|object| fixture.heap.new_weak(object).expect("an object"));
        insert(&mut fixture.heap, &table, object, tail);
        insert(&mut fixture.heap, &table, tail, object);
        for round in 0..rounds {
            collect(&mut fixture, round);
            assert_eq!(fixture.heap.finalizable().len(), 0, "it is alive");
        }
        fixture.roots.clear();
        fixture.collect();
        let waiting: Vec<_> = fixture.heap.finalizable().collect();
        let [(waiting, object)] = waiting[..] else { panic!("one object waits, not {waiting:?}") };
        assert_eq!(waiting, id);
        assert_eq!(
            weaks.map(|id| fixture.heap.weak_target(id)),
            [None; 2],
            "nothing weak leads to what was found dead"
        );
        assert_eq!(count(&fixture, &table), 0, "nor keys an ephemeron");
        assert_eq!(fixture.heap.take_finalizable().expect("sound"), Some((id, object)));
        assert_eq!(fixture.list_length(fixture.read(object, RIGHT)), 10, "all that it reaches is whole (I10)");
        assert!(fixture.heap.extern_payload(fixture.read(object, LEFT)).is_ok());
        fixture.heap.take_dead_payloads().into_iter().for_each(drop);
        assert_eq!(tally.counts(), [0], "and so is its host value");
        // Nobody kept it.
        fixture.collect();
        drop(fixture.heap.take_dead_payloads());
        assert_eq!((fixture.heap.finalizable().len(), tally.counts()), (0, vec![1]), "it is handed out once");
        if subject.traits.collects_cycles {
            assert_eq!(fixture.heap.stats().live_bytes, 0);
        }
    }
}

fn waits(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    for number in 0..50_u32 {
        let object = list(&mut fixture, number + 1);
        fixture.heap.register_finalizer(object).expect("an object");
        collect(&mut fixture, 2 + number);
    }
    let bytes: u64 = (1..=50).map(|length| 16 * length).sum();
    for round in 0..7 {
        collect(&mut fixture, round);
        let waiting: Vec<_> = fixture.heap.finalizable().collect();
        assert_eq!(waiting.len(), 50);
        for (number, (_, object)) in (0..).zip(waiting) {
            assert_eq!(
                fixture.list_length(object),
                number + 1,
                "round {round}: they wait in the order in which they died"
            );
        }
        if round % 3 == 2 {
            let stats = fixture.heap.stats();
            assert_eq!(stats.last_cycle.roots[RootCategory::Finalizers as usize], 50, "roots of their own category");
            assert_eq!((stats.live_bytes, stats.finalizers_pending, stats.finalizers_registered), (bytes, 50, 0));
        }
    }
    while fixture.heap.take_finalizable().expect("sound").is_some() {}
    fixture.collect();
    assert_eq!(fixture.heap.stats().live_bytes, 0, "nothing keeps them any more");
}

fn resurrected(subject: &Subject<'_>) {
    let mut fixture = subject.fixture(MIB);
    let object = list(&mut fixture, 20);
    // Twice, so that it is handed out twice.
    let twice = |fixture: &mut Fixture, object| {
        BTreeSet::from([0; 2].map(|_| fixture.heap.register_finalizer(object).expect("an object")))
    };
    let mut ids = twice(&mut fixture, object);
    for round in 0..6 {
        fixture.collect();
        let taken: Vec<_> = core::iter::from_fn(|| fixture.heap.take_finalizable().expect("sound")).collect();
        let taken_ids: BTreeSet<_> = taken.iter().map(|&(id, _)| id).collect();
        assert_eq!((taken.len(), &taken_ids), (2, &ids), "round {round}: once for each registration");
        let (_, object) = taken[0];
        assert!(taken.iter().all(|&(_, other)| other == object), "it is one object");
        fixture.roots.push(object);
        for round in 0..4 {
            collect(&mut fixture, round);
            assert_eq!(fixture.list_length(fixture.roots[0]), 20, "it is as alive as any other");
            assert_eq!(fixture.heap.finalizable().len(), 0);
        }
        let object = fixture.roots[0];
        ids = twice(&mut fixture, object);
        fixture.roots.clear();
    }
}
