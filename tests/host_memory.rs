//! The host's memory: collections take none, and wherever some is taken it may be refused.

#![expect(unsafe_code, reason = "an allocator that counts and refuses, for these tests alone")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use tumulus::collector::{BuiltinCollector, CycleKind};
use tumulus::error::{Corruption, Error, OutOfMemoryKind, Result};
use tumulus::heap::{EphemeronTable, GcHeap, HeapConfig};
use tumulus::memory::faults::with_faults;
use tumulus::memory::{
    MappedMemoryCreator, MemoryCreator, PoolConfig, PoolMemoryCreator, StaticBufferCreator, VecMemoryCreator,
};
use tumulus::root::{OwnedRoots, RootArray, Scopes, WeakRoots};
use tumulus::testkit::fixture::{Fixture, LEFT};
use tumulus::testkit::world::{BYTES, NODE, PAIR, REFS, SPARSE, VAST, World};
use tumulus::testkit::{Settings, Tally};
use tumulus::trace::{Budget, RootCategory, RootSource, RootVisitor};

/// The system's allocator, which counts what this thread asks of it and may refuse it.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
    /// Which request is refused, counted as in `ASKED`.
    static REFUSED: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Counts a request; tells whether it is to be refused.
fn is_refused() -> bool {
    let number = ASKED.get();
    ASKED.set(number + 1);
    number == REFUSED.get()
}

// SAFETY: every call that is not refused goes to the system's allocator unchanged; a null pointer is a refusal; a `Cell`
// without a destructor is no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused() {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if is_refused() {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
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

/// A payload that takes no memory and counts its drops.
struct Counted;

thread_local! {
    static DROPPED: Cell<u32> = const { Cell::new(0) };
}

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

/// Everything that holds references, in every way there is.
struct Roots {
    slots: [u32; 4],
    table: RootArray,
    scopes: Scopes,
    owned: OwnedRoots,
    weaks: WeakRoots,
}

impl RootSource for Roots {
    fn visit_roots(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        visitor.visit(RootCategory::Embedder, &mut self.slots)?;
        self.table.visit(RootCategory::Tables, visitor)?;
        self.scopes.visit(visitor)?;
        self.owned.visit(visitor)
    }
}

/// Tries what may be refused, and if it is tries it again: the second time nothing is.
fn twice<T>(refusals: &mut u32, mut attempt: impl FnMut() -> Result<T>) -> T {
    match attempt() {
        Ok(value) => value,
        Err(error) => {
            assert_eq!(error.out_of_memory().map(|refused| refused.kind), Some(OutOfMemoryKind::Host), "{error}");
            *refusals += 1;
            attempt().expect("nothing is refused a second time")
        }
    }
}

/// What roots that were refused say.
fn refusal() -> Error {
    let kind = OutOfMemoryKind::Host;
    tumulus::error::OutOfMemory { kind, asked: 1, in_use: 0, limit: 0, largest_free: 0 }.into()
}

/// A life of a heap, small and complete; gives the length of its list and how often something was refused.
fn life(world: &World, heap: &mut GcHeap, roots: &mut Roots) -> (u32, u32) {
    let mut refusals = 0;
    let refusals = &mut refusals;
    for round in 0..600_u32 {
        let pair = twice(refusals, || heap.allocate_struct(&world.ty(PAIR), roots)).get();
        heap.write_ref(pair, LEFT, roots.slots[0]).expect("inside the heap");
        roots.slots[0] = pair;
        if round % 40 == 0 {
            let bytes = twice(refusals, || heap.allocate_array(&world.ty(BYTES), 10_000, roots)).get();
            roots.slots[1] = bytes;
            let external = twice(refusals, || heap.allocate_extern(Box::new(Counted), roots)).get();
            roots.slots[2] = external;
            let grown = || match roots.table.grow(heap, 30, external) {
                Ok(true) => Ok(()),
                Ok(false) => Err(refusal()),
                Err(found) => Err(found.into()),
            };
            twice(refusals, grown);
            let slot = twice(refusals, || roots.scopes.push(external).ok_or_else(refusal));
            assert_eq!(roots.scopes.get(slot), Some(external));
            let owner = twice(refusals, || roots.owned.insert(heap, external)?.ok_or_else(refusal));
            drop(owner);
            drop(twice(refusals, || roots.weaks.insert(heap, external)));
        }
        match round % 150 {
            70 => twice(refusals, || heap.collect_minor(roots)),
            120 => twice(refusals, || heap.verify(roots)),
            140 => twice(refusals, || heap.collect(roots)),
            149 => {
                let mut collection = twice(refusals, || match heap.start_collection(CycleKind::Full, roots) {
                    // Only one at a time: what is refused before it begins is all that can be.
                    Ok(collection) => Ok(collection.map(|mut collection| collection.step(Budget(10)))),
                    Err(error) => Err(error),
                });
                assert!(!matches!(collection.take(), Some(Err(_))));
                roots.slots[3] = 0;
            }
            _ => {}
        }
        drop(heap.take_dead_payloads());
        if round % 200 == 199 {
            roots.table.clear(heap).expect("a sound heap");
        }
    }
    let mut length = 0;
    let mut at = roots.slots[0];
    while at != 0 {
        length += 1;
        at = heap.read_ref(at, LEFT).expect("inside the heap");
    }
    (length, *refusals)
}

/// A heap's life on one creator, with what `during` lets fail; gives what the life gave, what `during` counted, and how many
/// payloads were dropped.
fn try_life(
    world: &World,
    collector: BuiltinCollector,
    creator: &Arc<dyn MemoryCreator>,
    during: impl FnOnce(&mut dyn FnMut() -> (u32, u32)) -> ((u32, u32), u64),
) -> (u32, u32, u64, u32) {
    let config = HeapConfig { initial_bytes: 16 << 10, max_bytes: 4 << 20, ..HeapConfig::default() };
    let mut heap = GcHeap::new(config, collector.create(), Arc::clone(creator)).expect("valid settings");
    for kind in [PAIR, BYTES] {
        heap.register_type(&world.ty(kind));
    }
    let mut roots = Roots {
        slots: [0; 4],
        table: RootArray::new(),
        scopes: Scopes::new(),
        owned: OwnedRoots::new(RootCategory::Owned),
        weaks: WeakRoots::default(),
    };
    let before = DROPPED.with(Cell::get);
    let ((length, refusals), counted) = during(&mut || life(world, &mut heap, &mut roots));
    heap.verify(&mut roots).expect("a sound heap");
    drop(heap);
    (length, refusals, counted, DROPPED.with(Cell::get) - before)
}

/// Lets each of the things that `during` counts fail in turn: the operation says so, nothing is lost, the same operation works
/// the next time, and every payload is dropped once.
fn each_fails_in_turn(
    collector: BuiltinCollector,
    creator: &Arc<dyn MemoryCreator>,
    mut during: impl FnMut(Option<u64>, &mut dyn FnMut() -> (u32, u32)) -> ((u32, u32), u64),
) -> (u64, u32) {
    let world = World::new();
    let (length, refusals, count, dropped) = try_life(&world, collector, creator, |life| during(None, life));
    assert_eq!((length, refusals), (600, 0));
    let mut told = 0;
    for nth in 0..count {
        let (length, refusals, _, dropped_then) = try_life(&world, collector, creator, |life| during(Some(nth), life));
        assert_eq!(length, 600, "{collector}, number {nth}");
        // A payload whose allocation was refused is dropped then, and another is made.
        assert!((dropped..=dropped + refusals).contains(&dropped_then), "{collector}, number {nth}: {dropped_then}");
        told += refusals;
    }
    (count, told)
}

fn creators() -> [Arc<dyn MemoryCreator>; 4] {
    let config = PoolConfig { slots: 1, slot_size: 4 << 20, guard_size: 0, ..PoolConfig::default() };
    [
        Arc::new(MappedMemoryCreator::default()),
        Arc::new(VecMemoryCreator),
        Arc::new(PoolMemoryCreator::new(config).expect("address space")),
        Arc::new(StaticBufferCreator::new(Box::leak(vec![0; 4 << 20].into_boxed_slice()))),
    ]
}

#[test]
fn any_request_for_memory_may_be_refused() {
    for collector in BuiltinCollector::ALL {
        for creator in creators() {
            let (count, told) = each_fails_in_turn(collector, &creator, |nth, life| {
                let before = ASKED.get();
                REFUSED.set(nth.map_or(u64::MAX, |nth| before + nth));
                let lived = life();
                REFUSED.set(u64::MAX);
                (lived, ASKED.get() - before)
            });
            assert!(count > 10, "{collector}: {count} requests");
            // Much of what is refused is asked for in another way, or later.
            assert!(told > 0, "{collector}: no refusal was told");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn any_call_of_the_operating_system_may_fail() {
    for collector in BuiltinCollector::ALL {
        for creator in [&creators()[0], &creators()[2]] {
            let (count, _) = each_fails_in_turn(collector, creator, |nth, life| {
                let nth = nth.map_or(usize::MAX, |nth| usize::try_from(nth).expect("few calls"));
                let (lived, calls) = with_faults(nth..nth.saturating_add(1), life);
                (lived, calls as u64)
            });
            assert!(count > 1, "{collector}: {count} calls");
        }
    }
}
