//! Bugs that were found in the heap and its collectors, each with a test that fails without its fix.

use tumulus::collector::BuiltinCollector::{Generational, MarkRegion, RefCount};
use tumulus::collector::{BuiltinCollector, CycleKind, Pacer};
use tumulus::error::OutOfMemoryKind;
use tumulus::heap::GcHeap;
use tumulus::root::{OwnedRoots, RootArray};
use tumulus::space::BlockTable;
use tumulus::testkit::fixture::Fixture;
use tumulus::testkit::world::{BYTES, PAIR};
use tumulus::testkit::{Settings, Tally};
use tumulus::trace::{Budget, Progress, RootCategory, RootSource, RootVisitor};

const MIB: u64 = 1 << 20;

fn collecting() -> impl Iterator<Item = BuiltinCollector> {
    BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects)
}

/// A cycle that was driven by steps of no budget never ended: no step did anything.
#[test]
fn steps_of_no_budget_end_a_cycle() {
    for collector in collecting() {
        let mut fixture = Fixture::new(collector.create(), &Settings::checked(MIB));
        fixture.push_list(500);
        let started = fixture.heap.start_collection(CycleKind::Full, &mut fixture.roots).expect("memory for a cycle");
        let mut cycle = started.expect("a heap with objects");
        let ends = (0..10_000).any(|_| cycle.step(Budget(0)).expect("a sound heap") == Progress::Done);
        assert!(ends, "{collector}");
    }
}

/// The copying collector's report said that its cycle took no step.
#[test]
fn every_cycle_counts_its_steps() {
    for collector in collecting() {
        let mut fixture = Fixture::new(collector.create(), &Settings::checked(MIB));
        fixture.push_list(10);
        fixture.collect();
        assert_eq!(fixture.heap.stats().last_cycle.steps, 1, "{collector}");
    }
}

/// What a full cycle promoted before it was given up was in no counter, so that pacing knew nothing of it.
#[test]
fn what_a_cycle_promoted_counts_if_it_is_given_up() {
    let mut fixture = Fixture::new(BuiltinCollector::Generational.create(), &Settings::checked(4 * MIB));
    fixture.push_list(1000);
    let started = fixture.heap.start_collection(CycleKind::Full, &mut fixture.roots).expect("memory for a cycle");
    let mut cycle = started.expect("a heap with objects");
    assert_eq!(cycle.step(Budget(1)).expect("a sound heap"), Progress::More);
    assert_eq!(cycle.report().promoted_bytes, 16_000);
    let stats = fixture.heap.stats();
    assert_eq!((stats.collections, stats.promoted_bytes), (0, 16_000));
    fixture.collect();
    assert_eq!(fixture.heap.stats().promoted_bytes, 16_000, "once");
}

/// Two host values that declared more than 2^64 bytes together made the sum wrap around, or panic.
#[test]
fn declared_bytes_that_cannot_be_counted_are_refused() {
    for collector in collecting() {
        let tally = Tally::default();
        let mut fixture = Fixture::new(collector.create(), &Settings::checked(MIB));
        let new = |fixture: &mut Fixture, bytes| {
            fixture.heap.allocate_extern_holding(tally.payload().1, bytes, &mut fixture.roots)
        };
        let first = new(&mut fixture, u64::MAX - 1).expect("room");
        fixture.roots.push(first.get());
        let second = new(&mut fixture, 1).expect("room");
        fixture.roots.push(second.get());
        let refused = new(&mut fixture, 1).expect_err("more than can be counted");
        assert_eq!(refused.out_of_memory().map(|refusal| refusal.kind), Some(OutOfMemoryKind::TooLarge));
        assert_eq!(fixture.heap.stats().external_bytes, u64::MAX);
        fixture.roots.clear();
        new(&mut fixture, u64::MAX).expect("room, after a collection");
        assert_eq!(fixture.heap.stats().external_bytes, u64::MAX, "{collector}");
        fixture.pair(0, 0).expect("room");
    }
}

/// Handles of a store, and nothing else.
struct Handles<'a>(&'a mut OwnedRoots);

impl RootSource for Handles<'_> {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), tumulus::error::Corruption> {
        self.0.visit(visitor)
    }
}

/// The verifier took away the roots of dropped handles, and no collector heard of it: what they led to, and all that
/// stood in slots near them, had a count too many from then on.
#[test]
fn verification_takes_no_roots_away() {
    for collector in collecting() {
        let tally = Tally::default();
        let mut heap = Fixture::new(collector.create(), &Settings::new(MIB)).heap;
        let mut owned = OwnedRoots::new(RootCategory::Owned);
        let handle = |heap: &mut GcHeap, owned: &mut OwnedRoots| {
            let object = heap.allocate_extern(tally.payload().1, &mut Handles(owned)).expect("room");
            owned.insert(heap, object.get()).expect("a sound heap").expect("a slot")
        };
        let (first, second) = (handle(&mut heap, &mut owned), handle(&mut heap, &mut owned));
        heap.collect_minor(&mut Handles(&mut owned)).expect("a sound heap");
        drop(first);
        heap.verify(&mut Handles(&mut owned)).expect("a sound heap");
        heap.collect_minor(&mut Handles(&mut owned)).expect("a sound heap");
        drop(second);
        heap.collect_minor(&mut Handles(&mut owned)).expect("a sound heap");
        drop(heap.take_dead_payloads());
        // What generational promoted waits for a full collection.
        let expected = if collector == BuiltinCollector::Generational { [0, 0] } else { [1, 1] };
        assert_eq!(tally.counts(), expected, "{collector}");
    }
}

/// The new length was added up without a check.
#[test]
fn a_root_array_does_not_grow_beyond_what_can_be_counted() {
    let mut heap = Fixture::new(BuiltinCollector::RefCount.create(), &Settings::new(MIB)).heap;
    let mut array = RootArray::new();
    assert!(array.grow(&mut heap, 3, 0).expect("a sound heap"));
    assert!(!array.grow(&mut heap, usize::MAX, 0).expect("a sound heap"));
    assert_eq!(array.len(), 3);
}

/// While blocks were held each search for a free one began at the same place, however many had been taken.
#[test]
fn blocks_that_were_held_can_be_taken_afterwards() {
    let mut blocks = BlockTable::new(64 * MIB);
    blocks.reserve(MIB, &tumulus::memory::TableSource::default()).expect("memory");
    blocks.commit(MIB);
    blocks.hold(64 << 10..128 << 10);
    let taken: Vec<_> = std::iter::from_fn(|| blocks.take_block()).map(|block| block.start).collect();
    assert!(taken.len() == 30 && taken.iter().all(|start| !(64 << 10..128 << 10).contains(start)), "{taken:?}");
    blocks.release_block(32 << 10);
    assert_eq!(blocks.take_block().map(|block| block.start), Some(32 << 10));
    blocks.end_hold();
    let freed: Vec<_> = std::iter::from_fn(|| blocks.take_block()).map(|block| block.start).collect();
    assert_eq!(freed, [64 << 10, 96 << 10]);
}

/// What epochs freed was not taken off what a recount waits for: lists without cycles were recounted every 32 MiB of births.
#[test]
fn what_epochs_have_freed_is_no_reason_for_a_recount() {
    let mut fixture = Fixture::new(RefCount.create(), &Settings::new(1 << 30));
    for round in 0..20 {
        fixture.push_list(200_000);
        fixture.heap.collect_minor(&mut fixture.roots).expect("sound");
        fixture.roots.clear();
        fixture.heap.collect_minor(&mut fixture.roots).expect("sound");
        let stats = fixture.heap.stats();
        assert_eq!(stats.live_bytes, 0, "an epoch has freed it");
        assert_eq!(stats.collections, stats.minor_collections, "recount in round {round}");
    }
}

/// What the minor part of a full collection promoted was counted once more if the collection was given up and objects were
/// born old from then on.
#[test]
fn what_a_collection_that_is_given_up_promoted_is_counted_once() {
    for gives_up in [false, true] {
        let mut fixture = Fixture::new(Generational.create(), &Settings::new(1 << 30));
        fixture.roots.push(0);
        let mut has_given_up = !gives_up;
        let allocated = loop {
            fixture.roots[0] = fixture.pair(3, fixture.roots[0]).expect("room");
            let stats = fixture.heap.stats();
            if stats.collections > stats.minor_collections {
                break stats.allocated_bytes;
            }
            if !has_given_up && stats.allocated_bytes > 8_000_000 {
                has_given_up = true;
                let started = fixture.heap.start_collection(CycleKind::Full, &mut fixture.roots).expect("sound");
                assert_eq!(started.expect("objects").step(Budget(0)).expect("sound"), Progress::More);
            }
        };
        assert!(allocated >= Pacer::GROWN_MIN, "{gives_up}: {allocated} of {}", Pacer::GROWN_MIN);
    }
}

/// The first line of a heap was not poisoned.
#[test]
fn all_free_lines_of_a_block_that_is_kept_are_poisoned() {
    let mut kept = 0;
    for collector in [MarkRegion, RefCount, Generational] {
        let mut fixture = Fixture::new(collector.create(), &Settings::checked(64 << 20));
        for _ in 0..60 {
            fixture.roots = vec![fixture.structure(PAIR).expect("room")];
        }
        assert!((768..1024).contains(&fixture.roots[0]), "{collector}");
        fixture.collect();
        if fixture.roots[0] < 4096 {
            kept += 1;
            assert!(fixture.heap.bytes()[8..768].iter().all(|&byte| byte == 0xF8), "{collector}");
        }
    }
    assert!(kept > 0, "some collector moves nothing");
}

/// A large object that was refused was told of a free run of its own size: granule 0 was part of it.
#[test]
fn what_is_refused_is_larger_than_the_largest_free_run() {
    let settings = Settings { initial_bytes: 64 << 10, ..Settings::new(64 << 10) };
    let mut fixture = Fixture::new(MarkRegion.create(), &settings);
    let kept = fixture.array(BYTES, (8 << 10) - 8).expect("room");
    fixture.roots.push(kept);
    let error = fixture.array(BYTES, (56 << 10) - 8).expect_err("all but one granule");
    let refused = error.out_of_memory().expect("no room");
    assert!(refused.largest_free < refused.asked, "{refused:?}");
}
