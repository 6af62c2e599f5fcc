//! Collections take no memory from the host: they must work when there is none.

#![expect(unsafe_code, reason = "an allocator that counts, for this test alone")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::EphemeronTable;
use tumulus::testkit::fixture::{Fixture, LEFT};
use tumulus::testkit::world::{NODE, REFS, SPARSE, VAST};
use tumulus::testkit::{Settings, Tally};

/// The system's allocator, which counts what this thread asks of it.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; a `Cell` without a destructor is no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A heap with a bit of everything, half of it garbage; more objects than any work list holds.
fn build(collector: BuiltinCollector) -> Fixture {
    let mut fixture = Fixture::new(collector.create(), &Settings::new(256 << 20));
    let tally = Tally::default();
    fixture.push_list(100_000);
    let array = fixture.array(REFS, 200_000).expect("room");
    fixture.roots.push(array);
    for number in 0..100_000_u32 {
        let kind = [NODE, SPARSE][number as usize % 2];
        let object = fixture.structure(kind).expect("room");
        fixture.write(fixture.roots[1], 8 + 4 * number, object);
        if number % 1000 == 0 {
            fixture.structure(VAST).expect("room");
            let external = fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room");
            fixture.write(fixture.roots[1], 8 + 4 * number, if number % 2000 == 0 { external.get() } else { 0 });
        }
    }
    fixture
}

/// Chains of ephemerons from one element of the array to another, and elements that are registered; some of both dead.
fn add_weak(fixture: &mut Fixture, table: &EphemeronTable) {
    for element in 0..2000 {
        let [key, value] = [element, element + 1].map(|element| fixture.read(fixture.roots[1], 8 + 4 * element));
        if key != 0 {
            fixture.heap.insert_ephemeron(table, key, value).expect("memory");
            fixture.heap.register_finalizer(key).expect("memory");
        }
        let (key, value) = (fixture.pair(1, 0).expect("room"), 0);
        fixture.heap.insert_ephemeron(table, key, value).expect("memory");
    }
}

#[test]
fn a_table_of_ephemerons_is_dropped_without_an_allocation() {
    let mut fixture = build(BuiltinCollector::default());
    let table = fixture.heap.new_ephemeron_table().expect("memory");
    add_weak(&mut fixture, &table);
    let before = ASKED.get();
    drop(table);
    fixture.heap.collect(&mut fixture.roots).expect("a sound heap");
    assert_eq!((ASKED.get() - before, fixture.heap.stats().ephemerons), (0, 0));
}

#[test]
fn a_collection_asks_the_host_for_nothing() {
    for collector in BuiltinCollector::ALL.into_iter().filter(|kind| kind.traits().collects) {
        let mut fixture = build(collector);
        let table = fixture.heap.new_ephemeron_table().expect("memory");
        add_weak(&mut fixture, &table);
        // The copying collector obtains its reserve before it begins; that is told apart by doing it twice.
        fixture.collect();
        for round in 0..6 {
            let young = fixture.pair(5, 7).expect("room");
            fixture.write(fixture.roots[1], 8 + 4 * round, young);
            let holder = fixture.read(fixture.roots[1], 8 + 4 * 50_001);
            fixture.write(holder, LEFT, young);
            fixture.heap.insert_ephemeron(&table, young, holder).expect("memory");
            fixture.heap.register_finalizer(young).expect("memory");
            if round == 4 {
                // Half of the keys and of what is registered dies, and is kept by its finaliser, with the first cycle.
                (0..1000).for_each(|place| fixture.write(fixture.roots[1], 8 + 4 * 2 * place, 0));
            }
            let Fixture { heap, roots, .. } = &mut fixture;
            let before = ASKED.get();
            let collected = if round % 2 == 0 { heap.collect(roots) } else { heap.collect_minor(roots) };
            let asked = ASKED.get() - before;
            collected.expect("a sound heap");
            assert_eq!(asked, 0, "{collector}, round {round}");
            fixture.verify();
        }
    }
}
