//! What the collector is told and when.

use tumulus::collector::{BuiltinCollector, CycleKind, Reason, Request};
use tumulus::error::{Corruption, Trap};
use tumulus::object::VMGcRef;
use tumulus::root::RootArray;
use tumulus::testkit::Settings;
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{BYTES, INTS, REFS, VAST};
use tumulus::trace::{RootCategory, RootSource, RootVisitor};

use crate::arming::{Call, DAMAGE, Fault, Shared, plugged, settings};

#[test]
fn the_barrier_is_heard_once_for_each_object_until_it_is_armed_again() {
    let shared = Shared::new(Fault::None);
    let mut fixture = plugged(&shared, &settings());
    for _ in 0..3 {
        let pair = fixture.pair(0, 0).expect("room");
        fixture.roots.push(pair);
    }
    let [first, second, _] = fixture.roots[..] else { unreachable!("three roots") };
    fixture.write(first, LEFT, second);
    assert_eq!(shared.barriers(), [], "an object is born with LOG clear");
    for _ in 0..2 {
        fixture.collect();
        // Any overwrite, whatever the new value is.
        for (object, offset, value) in [(first, RIGHT, 0), (second, LEFT, 7)] {
            fixture.write(object, offset, value);
            fixture.write(object, offset, first);
            fixture.write(object, LEFT, second);
        }
        assert_eq!(shared.barriers(), [Call::Log(first), Call::Log(second)]);
    }
    assert_eq!((fixture.read(first, LEFT), fixture.read(first, RIGHT)), (second, first));
    fixture.verify();
}

#[test]
fn bulk_writes_of_references_are_heard_once_and_nothing_else_is() {
    let shared = Shared::new(Fault::None);
    let mut fixture = plugged(&shared, &settings());
    for kind in [REFS, REFS, INTS, BYTES] {
        let array = fixture.array(kind, 3000).expect("room");
        fixture.roots.push(array);
    }
    let node = fixture.node().expect("room");
    fixture.roots.push(node);
    let [target, source, ints, bytes, node] = fixture.roots[..] else { unreachable!("five roots") };
    let [refs, int, byte] = [REFS, INTS, BYTES].map(|kind| fixture.layout(kind));

    for case in 0..5 {
        fixture.collect();
        shared.take();
        let heap = &mut fixture.heap;
        let first = match case {
            // B10: a fill with null deletes edges too.
            0 => heap.array_fill(&refs, target, 5, &[0; 4], 3).map(|()| (5, 3)),
            1 => heap.array_fill(&refs, target, 0, &7_u32.to_le_bytes(), 3000).map(|()| (0, 3000)),
            // Only what is overwritten is heard of.
            2 => heap.array_copy(&refs, (target, 9), (source, 1), 2000).map(|()| (9, 2000)),
            3 => heap.array_write(&refs, target, 2, &[0; 8]).map(|()| (2, 2)),
            _ => heap.array_write_words(&refs, target, 2998, &[1, 3]).map(|()| (2998, 2)),
        };
        // Of a large array the parts of 4 KiB that are touched, each once.
        let (first, count): (u32, u32) = first.expect("in bounds");
        let cards = (8 + 4 * first) / 4096..(8 + 4 * (first + count)).div_ceil(4096);
        let expected: Vec<_> = cards.clone().map(|card| Call::Card(target, target + 4096 * card)).collect();
        assert_eq!(shared.barriers(), expected, "case {case}");
        heap.array_fill(&refs, target, first, &[0; 4], count).expect("in bounds");
        heap.write_ref(target, 8 + 4 * first, 0).expect("in bounds");
        assert_eq!(shared.barriers(), [], "case {case}: not armed");
        let all = heap.array_fill(&refs, target, 0, &[0; 4], 3000);
        all.expect("in bounds");
        assert_eq!(shared.barriers().len(), 3 - cards.len(), "case {case}: the others are still to be heard of");
    }

    fixture.collect();
    shared.take();
    let heap = &mut fixture.heap;
    // Nothing is overwritten.
    heap.array_fill(&refs, target, 3000, &[0; 4], 0).expect("an empty range");
    heap.array_copy(&refs, (target, 0), (source, 0), 0).expect("an empty range");
    heap.array_write_words(&refs, target, 0, &[]).expect("an empty range");
    for trap in [
        heap.array_fill(&refs, target, 2999, &[0; 4], 2),
        heap.array_copy(&refs, (target, 0), (source, 2999), 2),
        heap.array_copy(&refs, (target, 3001), (source, 0), 0),
    ] {
        assert_eq!(trap.expect_err("out of bounds").trap(), Some(Trap::ArrayOutOfBounds));
    }
    // Numbers.
    heap.array_fill(&int, ints, 0, &[1, 2, 3, 4], 3000).expect("in bounds");
    heap.array_copy(&byte, (bytes, 0), (bytes, 100), 100).expect("in bounds");
    heap.array_write(&byte, bytes, 0, &[1; 100]).expect("in bounds");
    heap.store(node, 16, [1; 8]).expect("inside the heap");
    heap.object_data(&VMGcRef::from_raw_u32(node).expect("an object"), 24).write_u64(16, 5);
    // Reads.
    heap.read_ref(target, 8).expect("inside the heap");
    heap.array_read(&refs, target, 0, 3000).expect("in bounds");
    assert_eq!(shared.barriers(), []);
    fixture.verify();
}

/// A store whose barrier failed did not happen.
#[test]
fn a_failed_barrier_leaves_the_slot_as_it_was() {
    let shared = Shared::new(Fault::None);
    let mut fixture = plugged(&shared, &settings());
    let (pair, array) = (fixture.pair(3, 5).expect("room"), fixture.array(REFS, 4).expect("room"));
    fixture.roots = vec![pair, array];
    fixture.collect();
    shared.set_fault(Fault::Log);
    assert_eq!(fixture.heap.write_ref(pair, LEFT, 9), Err(DAMAGE));
    let layout = fixture.layout(REFS);
    for failed in [
        fixture.heap.array_fill(&layout, array, 0, &9_u32.to_le_bytes(), 4),
        fixture.heap.array_write_words(&layout, array, 1, &[9]),
        fixture.heap.array_copy(&layout, (array, 1), (array, 0), 1),
    ] {
        assert_eq!(failed.expect_err("the barrier failed").corruption(), Some(DAMAGE));
    }
    assert_eq!((fixture.read(pair, LEFT), fixture.read(array, 8), fixture.read(array, 12)), (3, 0, 0));
}

/// Collectors that do not use LOG tolerate it on any object: the first overwrite clears it.
#[test]
fn collectors_without_log_clear_it() {
    for collector in BuiltinCollector::ALL {
        let mut fixture = Fixture::new(collector.create(), &Settings::new(64 << 10));
        let pair = fixture.pair(3, 5).expect("room");
        fixture.roots.push(pair);
        let logged = fixture.heap.header(pair).expect("inside").with_log(true);
        fixture.heap.store(pair, 0, logged.bits().to_le_bytes()).expect("inside");
        fixture.heap.collect(&mut fixture.roots).expect("LOG is no damage");
        let pair = fixture.roots[0];
        assert!(fixture.heap.header(pair).expect("inside").is_log());
        fixture.write(pair, LEFT, 9);
        assert!(!fixture.heap.header(pair).expect("inside").is_log());
        assert_eq!((fixture.read(pair, LEFT), fixture.read(pair, RIGHT)), (9, 5));
        fixture.verify();
    }
}

/// A root array as the only root.
struct Table(RootArray);

impl RootSource for Table {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.0.visit(RootCategory::Tables, visitor)
    }
}

#[test]
fn the_first_write_to_a_chunk_of_roots_is_heard_until_it_is_armed_again() {
    let shared = Shared::new(Fault::None);
    let mut fixture = plugged(&shared, &settings());
    fixture.pair(0, 0).expect("room");
    let heap = &mut fixture.heap;
    let mut table = Table(RootArray::new());
    assert_eq!(table.0.grow(heap, 300, 9), Ok(true));
    table.0.fill(heap, 0..300, 11).expect("in range").expect("sound");
    assert_eq!(shared.barriers(), [], "chunks are born unarmed");

    heap.collect(&mut table).expect("sound");
    table.0.set(heap, 1, 16).expect("in range").expect("sound");
    table.0.set(heap, 0, 24).expect("in range").expect("sound");
    assert_eq!(shared.barriers(), [Call::Roots(128, 11)], "the chunk as it was, once");
    table.0.write(heap, 127, &[1, 3]).expect("in range").expect("sound");
    assert_eq!(shared.barriers(), [Call::Roots(128, 11)], "the second chunk");
    table.0.fill(heap, 0..300, 5).expect("in range").expect("sound");
    assert_eq!(shared.barriers(), [Call::Roots(44, 11)], "the rest");

    heap.collect(&mut table).expect("sound");
    // Out of range is not heard of and changes nothing.
    let array = &mut table.0;
    assert!(array.set(heap, 300, 1).is_none() && array.fill(heap, 299..301, 1).is_none());
    assert!(array.write(heap, 299, &[1, 1]).is_none() && array.write(heap, usize::MAX, &[1]).is_none());
    assert!(array.copy_within(heap, 299..301, 0).is_none() && array.copy_within(heap, 0..2, 299).is_none());
    assert!(array.copy_within(heap, 0..2, usize::MAX).is_none());
    assert_eq!((shared.barriers(), array.as_slice()), (vec![], &[5; 300][..]));
    array.copy_within(heap, 0..0, 300).expect("an empty range").expect("sound");
    assert_eq!(shared.barriers(), []);
    // What a collector refuses is not written.
    shared.set_fault(Fault::Root);
    assert_eq!(array.set(heap, 0, 40), Some(Err(DAMAGE)));
    assert_eq!((array.get(0), array.grow(heap, 4, 40)), (Some(5), Err(DAMAGE)));
    assert_eq!(array.len(), 300);
    shared.set_fault(Fault::None);
    shared.take();
    // A chunk that gets more slots is shown again.
    assert_eq!(array.grow(heap, 100, 7), Ok(true));
    assert_eq!(shared.barriers(), [Call::Roots(44, 5)]);
    array.clear(heap).expect("sound");
    assert_eq!(shared.barriers(), [Call::Roots(128, 5); 2]);
    assert!(array.is_empty());
}

#[test]
fn copies_within_roots_are_as_if_through_a_copy() {
    let mut fixture = Fixture::new(BuiltinCollector::Null.create(), &Settings::new(64 << 10));
    let (heap, mut array) = (&mut fixture.heap, RootArray::new());
    assert_eq!(array.grow(heap, 4, 9), Ok(true));
    array.write(heap, 1, &[16, 24, 0]).expect("in range").expect("sound");
    array.copy_within(heap, 0..3, 1).expect("in range").expect("sound");
    assert_eq!(array.as_slice(), [9, 9, 16, 24]);
    array.copy_within(heap, 2..4, 0).expect("in range").expect("sound");
    assert_eq!(array.as_slice(), [16, 24, 16, 24]);
}

#[test]
fn calls_come_in_the_order_that_the_trait_promises() {
    let shared = Shared::new(Fault::None);
    let mut fixture = plugged(&shared, &Settings { zeal: 0, ..settings() });
    assert_eq!(shared.take(), [], "nothing before the first allocation");
    let mut ends = Vec::new();
    for number in 0..2000 {
        let object = if number % 500 == 499 { fixture.structure(VAST) } else { fixture.pair(0, 0) };
        let object = object.expect("room");
        if number % 500 != 499 {
            ends.push(object + 16);
        }
        if number % 700 == 699 {
            fixture.collect();
        }
    }
    let calls = shared.take();
    assert!(matches!(calls[..2], [Call::Cover(0), Call::Refill(16)]), "{:?}", &calls[..2]);
    // What the open window is: known once something was refilled and not retired.
    let (mut open, mut committed, mut steps) = (false, 0, 0);
    for call in calls {
        match call {
            Call::Cover(bytes) => {
                assert!(bytes == 0 || bytes > committed, "{bytes} after {committed}");
                committed = bytes;
            }
            Call::Retire(window) => {
                assert!(open, "a window is retired once");
                open = false;
                assert!(ends.contains(&window.cursor), "the cursor is where the objects end");
            }
            // More than one in a row if there was no room.
            Call::Refill(bytes) => {
                assert!(!open || bytes == 16, "the open window is retired first");
                open = true;
            }
            Call::Begin(request) => {
                assert!(!open);
                assert_eq!(request, Request { kind: CycleKind::Full, reason: Reason::Explicit, wanted_bytes: 0 });
                steps = 3;
            }
            Call::Step => {
                assert!(steps > 0);
                steps -= 1;
            }
            Call::Large(bytes) => assert!(bytes > 4096),
            Call::Log(_) | Call::Card(..) | Call::Roots(..) => panic!("nothing was overwritten"),
        }
    }
    assert_eq!(steps, 0);
}
