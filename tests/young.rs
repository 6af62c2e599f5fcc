//! What minor collections cost and what they find: young objects, remembered ones, cards, root chunks, counts.

use std::mem;

use tumulus::collector::BuiltinCollector::{self, Generational, RefCount};
use tumulus::collector::{CycleKind, CycleReport};
use tumulus::error::Corruption;
use tumulus::root::RootArray;
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{PAIR, REFS};
use tumulus::testkit::{Settings, Tally};
use tumulus::trace::{Budget, Progress, RootCategory, RootSource, RootVisitor};

const MIB: u64 = 1 << 20;
const WITH_MINOR: [BuiltinCollector; 2] = [Generational, RefCount];

fn fixture(collector: BuiltinCollector, max_bytes: u64) -> Fixture {
    Fixture::new(collector.create(), &Settings::new(max_bytes))
}

fn minor(fixture: &mut Fixture) -> CycleReport {
    fixture.heap.collect_minor(&mut fixture.roots).expect("a sound heap");
    let report = fixture.heap.stats().last_cycle;
    assert_eq!(report.kind, CycleKind::Minor);
    fixture.verify();
    report
}

fn garbage(fixture: &mut Fixture, count: u32) {
    for _ in 0..count {
        fixture.structure(PAIR).expect("room");
    }
}

#[test]
fn a_minor_collection_costs_nothing_where_nothing_survives_and_nothing_was_written() {
    for collector in WITH_MINOR {
        for old in [0, 100_000] {
            let mut fixture = fixture(collector, 256 * MIB);
            fixture.push_list(old);
            garbage(&mut fixture, 1);
            minor(&mut fixture);
            for young in [10, 100_000] {
                garbage(&mut fixture, young);
                let report = minor(&mut fixture);
                assert_eq!(report.work_bytes(), 0, "{collector}: {old} old, {young} young");
                assert_eq!(report.live_bytes, 16 * u64::from(old));
            }
        }
    }
}

/// B12: the only reference to a young object is in an old one.
#[test]
fn an_old_object_that_is_written_to_is_scanned_once() {
    for collector in WITH_MINOR {
        let mut fixture = fixture(collector, 64 * MIB);
        fixture.push_list(1000);
        minor(&mut fixture);
        let head = fixture.roots[0];
        for round in 0..3 {
            for number in 0..5 {
                let young = fixture.pair(number << 1 | 1, 0).expect("room");
                fixture.write(head, LEFT, young);
            }
            let report = minor(&mut fixture);
            // The head, and the last of the pairs; where counts tell, the pair that dies for it as well.
            let dead = if collector == RefCount && round > 0 { 16 } else { 0 };
            assert_eq!(report.scanned_bytes, 32 + dead, "{collector}");
            let survivor = fixture.read(head, LEFT);
            assert_eq!(fixture.read(survivor, LEFT), 4 << 1 | 1);
        }
    }
}

#[test]
fn of_a_large_array_the_parts_that_were_written_to_are_scanned() {
    for collector in WITH_MINOR {
        let mut fixture = fixture(collector, 64 * MIB);
        let array = fixture.array(REFS, 100_000).expect("room");
        fixture.roots.push(array);
        minor(&mut fixture);
        for round in 0..3 {
            // Three parts of 4 KiB, one of them twice.
            for element in [5, 9, 50_000, 99_999] {
                let young = fixture.pair(element << 1 | 1, 0).expect("room");
                fixture.write(array, 8 + 4 * element, young);
            }
            let report = minor(&mut fixture);
            assert_eq!(report.carded_bytes, 3 * 4096, "{collector}, round {round}");
            for element in [5, 9, 50_000, 99_999] {
                let survivor = fixture.read(array, 8 + 4 * element);
                assert_eq!(fixture.read(survivor, LEFT), element << 1 | 1);
            }
        }
        garbage(&mut fixture, 10);
        assert_eq!(minor(&mut fixture).carded_bytes, 0);
        // Bulk writes are writes.
        let young = fixture.pair(77, 0).expect("room");
        let layout = fixture.layout(REFS);
        fixture.heap.array_fill(&layout, array, 0, &young.to_le_bytes(), 100_000).expect("in bounds");
        assert_eq!(minor(&mut fixture).carded_bytes, 98 * 4096, "{collector}");
        let survivor = fixture.read(array, 8);
        assert_eq!((fixture.read(survivor, LEFT), fixture.read(array, 8 + 4 * 99_999)), (77, survivor));
    }
}

/// A root array as a source of roots.
struct Table(RootArray);

impl RootSource for Table {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.0.visit(RootCategory::Tables, visitor)
    }
}

#[test]
fn an_unchanged_table_of_a_million_is_not_looked_at() {
    for collector in WITH_MINOR {
        let mut fixture = fixture(collector, 64 * MIB);
        let mut table = Table(RootArray::new());
        let pair = fixture.structure(PAIR).expect("room");
        assert_eq!(table.0.grow(&mut fixture.heap, 1_000_000, pair), Ok(true));
        let seen = |fixture: &mut Fixture, table: &mut Table| {
            fixture.heap.collect_minor(table).expect("sound");
            fixture.heap.stats().last_cycle.roots[RootCategory::Tables as usize]
        };
        assert_eq!(seen(&mut fixture, &mut table), 1_000_000);
        garbage(&mut fixture, 1000);
        assert_eq!(seen(&mut fixture, &mut table), 0, "{collector}");
        let young = fixture.heap.allocate_struct(&fixture.world.ty(PAIR), &mut table).expect("room").get();
        table.0.set(&mut fixture.heap, 500_000, young).expect("in range").expect("sound");
        assert_eq!(seen(&mut fixture, &mut table), 128, "{collector}: the chunk that was written to");
        let survivor = table.0.get(500_000).expect("in range");
        assert_eq!(fixture.heap.header(survivor).expect("inside").with_log(false), fixture.world.ty(PAIR).header());
        fixture.heap.verify(&mut table).expect("sound");
    }
}

#[test]
fn high_survival_ends_the_moving() {
    let mut fixture = fixture(Generational, 1 << 30);
    // A list that only grows: the first nursery is moved, those that follow are left where they lie.
    let mut copied = 0;
    for _ in 0..5 {
        let before = fixture.heap.stats().copied_bytes;
        fixture.roots.push(0);
        for number in 0..300_000 {
            let rest = *fixture.roots.last().expect("a root");
            let head = fixture.pair(number << 1 | 1, rest).expect("room");
            *fixture.roots.last_mut().expect("a root") = head;
        }
        copied = fixture.heap.stats().copied_bytes - before;
    }
    assert_eq!(copied, 0);
    assert!(fixture.heap.stats().copied_bytes > 0);
    for list in 0..5 {
        assert_eq!(fixture.list_length(fixture.roots[list]), 300_000);
    }
    fixture.collect();
}

/// A heap without any free block goes on in the free lines of old ones.
#[test]
fn a_fragmented_heap_is_used_to_its_last_line() {
    for collector in WITH_MINOR {
        let mut fixture = fixture(collector, 256 << 10);
        // Lists of which every eighth object survives: all blocks stay, with free lines between.
        let (made, full) = fixture.push_list(20_000);
        assert!(full.is_some() && made > 10_000, "{collector}: {made}");
        let mut at = fixture.roots[0];
        let mut kept = Vec::new();
        while at != 0 {
            kept.push(at);
            at = fixture.read(at, RIGHT);
        }
        fixture.roots.clear();
        for &pair in kept.iter().step_by(64) {
            fixture.write(pair, RIGHT, 0);
            fixture.roots.push(pair);
        }
        drop(mem::take(&mut kept));
        fixture.collect();
        let (made, _) = fixture.push_list(20_000);
        assert!(made > 8_000, "{collector}: {made}");
        fixture.verify();
    }
}

#[test]
fn a_dropped_handle_and_all_that_hung_on_it_are_freed_without_a_trace() {
    let mut fixture = fixture(RefCount, 64 * MIB);
    let tally = Tally::default();
    let payload = tally.payload().1;
    let external = fixture.heap.allocate_extern(payload, &mut fixture.roots).expect("room").get();
    fixture.roots.push(external);
    // B11: a list of a million is freed without recursion.
    let (made, _) = fixture.push_list(1_000_000);
    minor(&mut fixture);
    let before = fixture.heap.stats();
    fixture.roots.clear();
    let report = minor(&mut fixture);
    assert_eq!((made, report.live_bytes), (1_000_000, 0));
    assert!(fixture.heap.stats().used_bytes < before.used_bytes / 100);
    assert_eq!(tally.counts(), [0]);
    drop(fixture.heap.take_dead_payloads());
    assert_eq!(tally.counts(), [1]);
    assert_eq!(fixture.heap.stats().collections, before.collections + 1);
}

#[test]
fn what_old_objects_lose_dies_at_the_end_of_the_epoch() {
    let mut fixture = fixture(RefCount, 64 * MIB);
    let holder = fixture.pair(0, 0).expect("room");
    fixture.roots.push(holder);
    for _ in 0..10 {
        let child = fixture.pair(3, 5).expect("room");
        fixture.write(holder, LEFT, child);
        assert_eq!(minor(&mut fixture).live_bytes, 32, "the child of the round before is dead");
        // Only what it held when the epoch began counts, and what it holds when it ends.
        for _ in 0..100 {
            let other = fixture.pair(7, 9).expect("room");
            fixture.write(holder, LEFT, other);
        }
        fixture.write(holder, LEFT, 0);
        assert_eq!(minor(&mut fixture).live_bytes, 16);
    }
}

#[test]
fn cycles_wait_for_a_full_collection() {
    let mut fixture = fixture(RefCount, 64 * MIB);
    for _ in 0..100 {
        let first = fixture.pair(0, 0).expect("room");
        fixture.roots.push(first);
        let second = fixture.pair(first, 0).expect("room");
        fixture.write(first, LEFT, second);
        fixture.write(first, RIGHT, first);
        minor(&mut fixture);
        fixture.roots.clear();
    }
    assert_eq!(minor(&mut fixture).live_bytes, 3200);
    fixture.collect();
    assert_eq!(fixture.heap.stats().live_bytes, 0);
}

/// Counts of two bits stick; what they cannot free a recount does.
#[test]
fn counts_that_stuck_are_made_right_by_a_full_collection() {
    let mut fixture = fixture(RefCount, 64 * MIB);
    let shared = fixture.pair(1, 1).expect("room");
    fixture.roots.push(shared);
    for _ in 0..10 {
        let holder = fixture.pair(shared, shared).expect("room");
        fixture.roots.push(holder);
    }
    minor(&mut fixture);
    fixture.roots.clear();
    assert_eq!(minor(&mut fixture).live_bytes, 16, "all but what is stuck");
    fixture.collect();
    assert_eq!(fixture.heap.stats().live_bytes, 0);
}

/// More overwrites in an epoch than can be noted: everything is counted anew.
#[test]
fn an_epoch_with_too_many_overwrites_is_a_recount() {
    let mut fixture = fixture(RefCount, 64 * MIB);
    let array = fixture.array(REFS, 1_000_000).expect("room");
    fixture.roots.push(array);
    let pair = fixture.pair(1, 1).expect("room");
    let layout = fixture.layout(REFS);
    fixture.heap.array_fill(&layout, array, 0, &pair.to_le_bytes(), 1_000_000).expect("in bounds");
    minor(&mut fixture);
    fixture.heap.array_fill(&layout, array, 0, &[0; 4], 1_000_000).expect("in bounds");
    fixture.heap.collect_minor(&mut fixture.roots).expect("sound");
    let report = fixture.heap.stats().last_cycle;
    assert_eq!((report.kind, report.live_bytes), (CycleKind::Full, 4_000_008));
    fixture.verify();
}

/// A collection in steps is the same collection, and one that is given up is none.
#[test]
fn steps_of_any_size_end_in_the_same_heap() {
    for collector in BuiltinCollector::ALL.into_iter().filter(|kind| kind.traits().collects) {
        let run = |budget: Option<u64>, abandon: bool| {
            let mut fixture = fixture(collector, 64 * MIB);
            fixture.push_list(20_000);
            fixture.push_list(5_000);
            fixture.roots.remove(0);
            garbage(&mut fixture, 10_000);
            let mut steps = 0;
            for round in 0..3 {
                let Fixture { heap, roots, .. } = &mut fixture;
                let mut collection = heap.start_collection(CycleKind::Full, roots).expect("sound").expect("one");
                let budget = budget.map_or(Budget::UNLIMITED, Budget);
                while collection.step(budget).expect("sound") == Progress::More {
                    steps += 1;
                    if abandon && round < 2 && steps % 7 == 6 {
                        break;
                    }
                }
            }
            fixture.verify();
            assert_eq!(fixture.list_length(fixture.roots[0]), 5_000);
            (steps, fixture.heap.stats().live_bytes)
        };
        let (whole, stepped, given_up) = (run(None, false), run(Some(100), false), run(Some(100), true));
        assert_eq!([whole.1, stepped.1, given_up.1], [80_000; 3], "{collector}");
        if collector != BuiltinCollector::Copying {
            assert!(stepped.0 > 50, "{collector}: {} steps", stepped.0);
        }
    }
}

/// What is free after a full collection and not needed soon goes back to the host, and is zero when it is used again.
#[test]
fn free_memory_goes_back_to_the_host() {
    for collector in BuiltinCollector::ALL.into_iter().filter(|kind| kind.traits().collects) {
        let mut fixture = fixture(collector, 256 * MIB);
        let (made, _) = fixture.push_list(4_000_000);
        assert_eq!(made, 4_000_000);
        fixture.collect();
        fixture.roots.clear();
        fixture.collect();
        let discarded = fixture.heap.stats().discarded_bytes;
        assert!(discarded > 40 * MIB, "{collector}: {discarded}");
        // Nothing more to give back.
        fixture.collect();
        assert_eq!(fixture.heap.stats().discarded_bytes, discarded, "{collector}");
        for _ in 0..100_000 {
            let pair = fixture.structure(PAIR).expect("room");
            assert_eq!((fixture.read(pair, LEFT), fixture.read(pair, RIGHT)), (0, 0), "{collector}");
        }
        let (made, _) = fixture.push_list(100_000);
        assert_eq!(fixture.list_length(fixture.roots[0]), made);
        fixture.collect();
    }
}

/// A large object for which there is room, but not in one piece: collectors that move make a piece of it.
#[test]
fn room_in_pieces_is_made_one_piece() {
    for collector in [BuiltinCollector::Copying, BuiltinCollector::MarkRegion, Generational] {
        let mut fixture = fixture(collector, 4 * MIB);
        // A pair in each block survives: nowhere are 64 KiB free in one piece.
        let mut kept = Vec::new();
        for number in 0..60_000_u32 {
            let pair = fixture.pair(number << 1 | 1, 0).expect("room");
            if number % 2_000 == 0 {
                fixture.roots.push(pair);
                kept.push(number);
            }
        }
        let array = fixture.array(REFS, 300_000).unwrap_or_else(|error| panic!("{collector}: {error}"));
        assert_eq!(fixture.heap.array_len(array).expect("inside"), 300_000);
        for (&root, &number) in fixture.roots.iter().zip(&kept) {
            assert_eq!(fixture.read(root, LEFT), number << 1 | 1, "{collector}");
        }
        fixture.verify();
    }
}

/// A list of a million pairs in a heap with room to spare; the collector has found that all of it survives.
fn all_survives() -> Fixture {
    let mut fixture = fixture(Generational, 256 * MIB);
    let (made, _) = fixture.push_list(1_000_000);
    assert_eq!(made, 1_000_000);
    assert!(fixture.heap.collector().pretenures());
    fixture
}

#[test]
fn while_all_survives_objects_are_born_old_and_minor_collections_end() {
    let mut fixture = all_survives();
    let stats = fixture.heap.stats();
    // Two nurseries of the sixteen were looked at before that was known, and one after each full collection.
    assert!(stats.minor_collections <= 4 + (stats.collections - stats.minor_collections), "{stats:?}");
    assert!(stats.copied_bytes <= 4 * MIB, "{stats:?}");
    assert_eq!(fixture.list_length(fixture.roots[0]), 1_000_000);
    // What was born old dies in full collections, which pacing asks for as if it had been promoted.
    fixture.roots.clear();
    let before = fixture.heap.stats();
    garbage(&mut fixture, 4_000_000);
    let after = fixture.heap.stats();
    assert!(after.collections - after.minor_collections > before.collections - before.minor_collections);
    assert!(!fixture.heap.collector().pretenures(), "nothing survives any more");
    assert!(after.minor_collections > before.minor_collections + 4);
    fixture.collect();
    assert_eq!(fixture.heap.stats().live_bytes, 0);
}

/// B12 for objects that were born old: they do not ask to be logged until a full collection has passed.
#[test]
fn what_was_born_old_keeps_its_young_children() {
    let mut fixture = all_survives();
    let head = fixture.roots[0];
    fixture.heap.collect_minor(&mut fixture.roots).expect("a sound heap");
    assert_eq!(fixture.heap.stats().last_cycle.kind, CycleKind::Full, "nothing else tells what lives");
    assert!(!fixture.heap.collector().pretenures());
    for round in 0..3 {
        let young = fixture.pair(round << 1 | 1, 0).expect("room");
        fixture.write(head, LEFT, young);
        garbage(&mut fixture, 1000);
        minor(&mut fixture);
        let survivor = fixture.read(head, LEFT);
        assert_eq!(fixture.read(survivor, LEFT), round << 1 | 1);
    }
}

/// A full collection that is given up leaves things as they were.
#[test]
fn objects_stay_old_from_birth_until_a_full_collection_ends() {
    let mut fixture = all_survives();
    let head = fixture.roots[0];
    let mut collection =
        fixture.heap.start_collection(CycleKind::Full, &mut fixture.roots).expect("sound").expect("it collects");
    for _ in 0..10 {
        assert_eq!(collection.step(Budget(100)).expect("sound"), Progress::More);
    }
    // Given up here.
    assert!(fixture.heap.collector().pretenures());
    let young = fixture.pair(77 << 1 | 1, 0).expect("room");
    fixture.write(head, LEFT, young);
    garbage(&mut fixture, 100_000);
    fixture.collect();
    let survivor = fixture.read(head, LEFT);
    assert_eq!(fixture.read(survivor, LEFT), 77 << 1 | 1);
}

/// B12 for full collections after which objects stay old from birth: what those find does not ask to be logged. The last one
/// before minor collections sees to that.
#[test]
fn what_was_not_to_be_logged_is_before_there_are_minor_collections_again() {
    let mut fixture = fixture(Generational, 256 * MIB);
    // A list that lives, one of samples, where in the latter we are.
    fixture.roots = vec![0; 3];
    let (mut measured, mut unmeasured) = (0, 0);
    for made in 1.. {
        let before = (fixture.heap.collector().pretenures(), fixture.heap.stats().collections);
        let pair = fixture.pair(0, fixture.roots[0]).expect("room");
        fixture.roots[0] = if made % 1_000_000 == 0 { 0 } else { pair };
        if made % 20_000 == 0 {
            let sample = fixture.pair(0, fixture.roots[1]).expect("room");
            fixture.roots[1] = sample;
        }
        let after = (fixture.heap.collector().pretenures(), fixture.heap.stats().collections);
        unmeasured += u32::from(before.0 && after.0 && before.1 != after.1);
        if before.0 && !after.0 {
            children_of_samples_live(&mut fixture);
            measured += 1;
            if measured == 3 {
                break;
            }
        }
    }
    assert_eq!(unmeasured, 1 + 3);
}

fn children_of_samples_live(fixture: &mut Fixture) {
    let mut number = 0;
    fixture.roots[2] = fixture.roots[1];
    while fixture.roots[2] != 0 {
        number += 1;
        let young = fixture.pair(number << 1 | 1, 0).expect("room");
        fixture.write(fixture.roots[2], LEFT, young);
        fixture.roots[2] = fixture.read(fixture.roots[2], RIGHT);
    }
    garbage(fixture, 1000);
    minor(fixture);
    let mut sample = fixture.roots[1];
    for number in 1..=number {
        let child = fixture.read(sample, LEFT);
        assert_eq!(fixture.read(child, LEFT), number << 1 | 1);
        sample = fixture.read(sample, RIGHT);
    }
}
