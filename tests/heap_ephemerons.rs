//! Ephemerons and finalisation at the level of the heap: what they cost, in steps, on damaged bytes.

use tumulus::collector::{BuiltinCollector, CycleKind};
use tumulus::error::{Cause, Misuse};
use tumulus::heap::EphemeronTable;
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::{Numbers, Settings};
use tumulus::trace::{Budget, Progress, RootCategory};

const MIB: u64 = 1 << 20;

fn collecting() -> impl Iterator<Item = BuiltinCollector> {
    BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects)
}

/// A chain of `length` pairs in the order that costs most: each value is the key of the pair that stands before it in
/// the table. Its first key is the root.
fn chain(collector: BuiltinCollector, length: u32) -> (Fixture, EphemeronTable) {
    let mut fixture = Fixture::new(collector.create(), &Settings::new(64 * MIB));
    let table = fixture.heap.new_ephemeron_table().unwrap();
    fixture.roots.push(0);
    for number in 0..length {
        let key = fixture.pair(number << 1 | 1, 0).unwrap();
        let value = if number == 0 { 0 } else { fixture.roots[0] };
        fixture.roots[0] = key;
        fixture.heap.insert_ephemeron(&table, key, value).unwrap();
    }
    (fixture, table)
}

fn chain_length(fixture: &Fixture, table: &EphemeronTable) -> u32 {
    let (mut key, mut length) = (fixture.roots[0], 0);
    while key != 0 {
        length += 1;
        key = fixture.heap.ephemeron_value(table, key).unwrap().expect("its key is alive");
    }
    length
}

/// However they hang together, each pair is looked at once, and each object scanned once.
#[test]
fn a_chain_costs_in_proportion_to_its_length() {
    for collector in collecting() {
        let mut work = Vec::new();
        for length in [10_000, 20_000] {
            let (mut fixture, table) = chain(collector, length);
            for _ in 0..2 {
                fixture.heap.collect(&mut fixture.roots).unwrap();
                assert_eq!(fixture.heap.stats().live_bytes, 16 * u64::from(length), "{collector}");
            }
            let cycle = fixture.heap.stats().last_cycle;
            assert_eq!(cycle.ephemerons, u64::from(length), "{collector}");
            assert_eq!(cycle.roots[RootCategory::Ephemerons as usize], u64::from(length) - 1, "{collector}");
            assert_eq!(chain_length(&fixture, &table), length, "{collector}");
            work.push(cycle.work_bytes());
        }
        assert_eq!(2 * work[0], work[1], "{collector}");
    }
}

/// What nothing wrote to costs a minor cycle nothing.
#[test]
fn old_pairs_are_not_looked_at_by_minor_cycles() {
    let (mut fixture, table) = chain(BuiltinCollector::Generational, 5000);
    fixture.heap.collect(&mut fixture.roots).unwrap();
    let key = fixture.pair(1, 0).unwrap();
    fixture.roots.push(key);
    fixture.heap.insert_ephemeron(&table, key, key).unwrap();
    fixture.heap.collect_minor(&mut fixture.roots).unwrap();
    assert_eq!(fixture.heap.stats().last_cycle.ephemerons, 1);
    fixture.heap.collect_minor(&mut fixture.roots).unwrap();
    assert_eq!(fixture.heap.stats().last_cycle.work_bytes(), 0);
    assert_eq!(chain_length(&fixture, &table), 5000);
}

/// A budget holds while ephemerons are followed, and a cycle may be given up at any step of that.
#[test]
fn steps_follow_ephemerons_a_part_at_a_time() {
    for collector in collecting() {
        let (mut fixture, table) = chain(collector, 500);
        let dead = fixture.pair(3, 0).unwrap();
        fixture.heap.register_finalizer(dead).unwrap();
        let mut steps = 0;
        for give_up in (0..).step_by(37) {
            let started = fixture.heap.start_collection(CycleKind::Full, &mut fixture.roots).unwrap();
            let mut cycle = started.expect("a heap with objects");
            let ended = (0..give_up).any(|_| cycle.step(Budget(1)).unwrap() == Progress::Done);
            steps = cycle.report().steps;
            assert_eq!(chain_length(&fixture, &table), 500, "{collector}, given up after {give_up} steps");
            if ended {
                break;
            }
        }
        // Copying, and what a minor cycle moves, cannot stop half way; marking can.
        if matches!(collector, BuiltinCollector::MarkRegion | BuiltinCollector::RefCount) {
            assert!(steps > 500, "{collector}: {steps} steps");
        }
        assert_eq!(fixture.heap.finalizable().len(), 1, "{collector}");
        fixture.collect();
        assert_eq!(chain_length(&fixture, &table), 500, "{collector}");
        assert_eq!(fixture.heap.stats().live_bytes, 501 * 16, "{collector}");
    }
}

/// Old values of a counting collector: overwritten, taken out, their table dropped, their keys dead.
#[test]
fn values_that_are_given_up_die_without_a_full_cycle() {
    let mut fixture = Fixture::new(BuiltinCollector::RefCount.create(), &Settings::checked(4 * MIB));
    let [kept, dropped] = [0; 2].map(|_| fixture.heap.new_ephemeron_table().unwrap());
    let mut probes = Vec::new();
    for _ in 0..4 {
        let key = fixture.pair(1, 0).unwrap();
        fixture.roots.push(key);
        let value = fixture.pair(3, 0).unwrap();
        probes.push(fixture.heap.new_weak(value).unwrap());
        let table = if probes.len() == 3 { &dropped } else { &kept };
        fixture.heap.insert_ephemeron(table, key, value).unwrap();
    }
    for _ in 0..3 {
        fixture.heap.collect_minor(&mut fixture.roots).unwrap();
        fixture.verify();
    }
    assert!(probes.iter().all(|&id| fixture.heap.weak_target(id).is_some()));
    fixture.heap.insert_ephemeron(&kept, fixture.roots[0], 5).unwrap();
    fixture.heap.remove_ephemeron(&kept, fixture.roots[1]).unwrap().expect("a value");
    drop(dropped);
    fixture.roots[3] = 0;
    // A key's death is seen by one cycle, and that of its value by the next.
    for _ in 0..4 {
        fixture.heap.collect_minor(&mut fixture.roots).unwrap();
        fixture.verify();
    }
    assert!(probes.iter().all(|&id| fixture.heap.weak_target(id).is_none()));
    assert_eq!(fixture.heap.stats().live_bytes, 3 * 16);
    assert_eq!(fixture.heap.stats().ephemerons, 1);
}

#[test]
fn tables_of_other_heaps_are_refused() {
    let heap = || Fixture::new(BuiltinCollector::default().create(), &Settings::checked(MIB));
    let (mut one, mut other) = (heap(), heap());
    let table = one.heap.new_ephemeron_table().unwrap();
    let _same_index = other.heap.new_ephemeron_table().unwrap();
    let foreign = |cause: Cause| matches!(cause, Cause::Misuse(Misuse::ForeignHandle));
    assert!(foreign(other.heap.insert_ephemeron(&table, 5, 7).unwrap_err().into_cause()));
    assert!(foreign(other.heap.remove_ephemeron(&table, 5).unwrap_err().into_cause()));
    assert_eq!(other.heap.ephemeron_value(&table, 5), Err(Misuse::ForeignHandle));
    assert_eq!(other.heap.ephemeron_count(&table), Err(Misuse::ForeignHandle));
    assert!(one.heap.insert_ephemeron(&table, 0, 7).is_err(), "null is no key");
    assert!(one.heap.insert_ephemeron(&table, 8, 7).is_err(), "nor is free space");
    assert_eq!(one.heap.insert_ephemeron(&table, 5, 7).unwrap(), None);
    assert_eq!(one.heap.insert_ephemeron(&table, 5, 9).unwrap(), Some(7));
    // Its place goes to the next table, and nothing of it with that.
    drop(table);
    let tables: Vec<_> = (0..100).map(|_| one.heap.new_ephemeron_table().unwrap()).collect();
    assert!(tables.iter().all(|table| one.heap.ephemeron_value(table, 5) == Ok(None)));
}

/// Whatever the bytes of the heap are, a collection ends, and pairs lead to objects of this heap or nowhere.
#[test]
fn damaged_bytes_do_no_harm_outside() {
    let mut numbers = Numbers::new(10);
    for collector in collecting() {
        for _ in 0..60 {
            let mut fixture = Fixture::new(collector.create(), &Settings::new(MIB));
            let table = fixture.heap.new_ephemeron_table().unwrap();
            for _ in 0..40 {
                let (left, right) = (fixture.roots.last().copied().unwrap_or(0), numbers.below(100) << 1 | 1);
                let object = fixture.pair(left, right).unwrap();
                fixture.heap.insert_ephemeron(&table, object, left | u32::from(left == 0)).unwrap();
                fixture.heap.register_finalizer(object).unwrap();
                fixture.roots.push(object);
            }
            fixture.roots.truncate(5);
            if numbers.below(2) == 0 {
                fixture.collect();
            }
            for _ in 0..=numbers.below(8) {
                let (at, word) = (8 + 4 * numbers.below(200) as usize, numbers.below(u32::MAX).to_le_bytes());
                fixture.heap.bytes_mut()[at..at + 4].copy_from_slice(&word);
            }
            for _ in 0..3 {
                let Fixture { heap, roots, .. } = &mut fixture;
                // An error that says so, or a graph that happens to make sense.
                let _ = heap.collect_minor(roots).and_then(|()| heap.collect(roots));
                while let Ok(Some((_, object))) = fixture.heap.take_finalizable() {
                    let _ = (fixture.heap.read_ref(object, LEFT), fixture.heap.read_ref(object, RIGHT));
                }
            }
        }
    }
}
