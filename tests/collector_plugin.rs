//! A collector of the tests' own behind a heap: what it is told and when, and what a broken one cannot do.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use tumulus::collector::{
    BuiltinCollector, Collector, CollectorFactory, CollectorTraits, Cycle, CycleKind, HeapParts, Reason, RefillError,
    Request,
};
use tumulus::error::{Corruption, CorruptionKind, OutOfMemory, OutOfMemoryKind, Trap};
use tumulus::memory::TableSource;
use tumulus::object::{VMGcHeader, VMGcRef, load_u32, store_u32};
use tumulus::root::RootArray;
use tumulus::space::{BlockTable, CardCursor, LargeRun, Window};
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{BYTES, INTS, REFS, VAST};
use tumulus::testkit::{Bytes, Settings};
use tumulus::trace::{Budget, Progress, RootCategory, RootSource, RootVisitor};

/// What the heap called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Cover(u32),
    Retire(Window),
    Refill(u32),
    Large(u64),
    Log(u32),
    /// The array, and the offset of the card.
    Card(u32, u32),
    /// How many slots the chunk has, and the first of them.
    Roots(usize, u32),
    Begin(Request),
    Step,
}

/// What the collector does wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// The window is not as `refill` must give it.
    Window(fn(Window) -> Window),
    /// The run of a large object is not as `allocate_large` must give it.
    Large(fn(LargeRun) -> LargeRun),
    /// Every refill gives the same window.
    SameWindow,
    /// Calls fail with what a damaged heap gives.
    Refill,
    Log,
    Root,
    Step,
    /// The memory for a cycle is refused.
    Begin,
}

const DAMAGE: Corruption = Corruption { what: CorruptionKind::Overlap, at: 0x40 };

const DENIED: OutOfMemory =
    OutOfMemory { kind: OutOfMemoryKind::Denied, asked: 1, in_use: 2, limit: 3, largest_free: 4 };

#[derive(Clone, Debug)]
struct Shared {
    calls: Arc<Mutex<Vec<Call>>>,
    fault: Arc<Mutex<Fault>>,
}

impl Shared {
    fn new(fault: Fault) -> Shared {
        Shared { calls: Arc::default(), fault: Arc::new(Mutex::new(fault)) }
    }

    fn set_fault(&self, fault: Fault) {
        *self.fault.lock().expect("no panic inside") = fault;
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().expect("no panic inside")
    }

    fn note(&self, call: Call) {
        self.calls.lock().expect("no panic inside").push(call);
    }

    /// The calls since the last time.
    fn take(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().expect("no panic inside"))
    }

    /// The calls of barriers since the last time.
    fn barriers(&self) -> Vec<Call> {
        self.take().into_iter().filter(|call| matches!(call, Call::Log(_) | Call::Card(..) | Call::Roots(..))).collect()
    }
}

/// Frees nothing. Each cycle sets LOG on what the roots lead to, and arms the chunks of roots.
struct Arming {
    shared: Shared,
    /// Steps of the open cycle still to be done.
    steps: u32,
}

impl Collector for Arming {
    fn traits(&self) -> CollectorTraits {
        CollectorTraits {
            name: "arming",
            summary: "sets LOG",
            collects_cycles: false,
            uses_log: true,
            ..CollectorTraits::FULL
        }
    }

    fn cover(&mut self, _blocks: &BlockTable, bytes: u32, _source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.shared.note(Call::Cover(bytes));
        Ok(())
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        self.shared.note(Call::Retire(window));
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        self.shared.note(Call::Refill(bytes));
        if let (Fault::SameWindow, Some(block)) = (self.shared.fault(), parts.blocks.block_at(8)) {
            return Ok(Window { cursor: block.start, limit: block.end });
        }
        let block = parts.blocks.take_block().ok_or(RefillError::NoRoom)?;
        let window = Window { cursor: block.start, limit: block.end };
        match self.shared.fault() {
            Fault::Window(spoil) => Ok(spoil(window)),
            Fault::Refill => Err(RefillError::Corruption(DAMAGE)),
            _ => Ok(window),
        }
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        self.shared.note(Call::Large(bytes));
        let run = parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom)?;
        match self.shared.fault() {
            Fault::Large(spoil) => Ok(spoil(run)),
            _ => Ok(run),
        }
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        self.shared.note(Call::Log(object.as_raw_u32()));
        if matches!(self.shared.fault(), Fault::Log) { Err(DAMAGE) } else { parts.clear_log(object) }
    }

    fn log_card(&mut self, _: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        assert_eq!(card.len(), 4096);
        self.shared.note(Call::Card(array.as_raw_u32(), card.start));
        if matches!(self.shared.fault(), Fault::Log) { Err(DAMAGE) } else { Ok(()) }
    }

    fn log_roots(&mut self, _parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        self.shared.note(Call::Roots(slots.len(), slots[0]));
        if matches!(self.shared.fault(), Fault::Root) { Err(DAMAGE) } else { Ok(()) }
    }

    fn begin(&mut self, _parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.shared.note(Call::Begin(request));
        self.steps = 3;
        if matches!(self.shared.fault(), Fault::Begin) { Err(DENIED) } else { Ok(()) }
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, _budget: Budget) -> Result<Progress, Corruption> {
        self.shared.note(Call::Step);
        if matches!(self.shared.fault(), Fault::Step) {
            return Err(DAMAGE);
        }
        self.steps -= 1;
        if self.steps > 0 {
            return Ok(Progress::More);
        }
        cycle.roots.visit_roots(&mut ArmingRoots(cycle.parts.memory.bytes_mut()))?;
        let mut cards = CardCursor::default();
        while cycle.parts.blocks.take_card(&mut cards).is_some() {}
        Ok(Progress::Done)
    }
}

struct ArmingRoots<'a>(&'a mut [u8]);

impl RootVisitor for ArmingRoots<'_> {
    fn visit(&mut self, _: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        for &object in slots.iter().filter(|&&raw| raw != 0 && raw & 1 == 0) {
            let header = VMGcHeader::from_bits(load_u32(self.0, object as usize).expect("a root in the heap"));
            store_u32(self.0, object as usize, header.with_log(true).bits()).expect("a root in the heap");
        }
        Ok(())
    }

    fn visit_chunk(&mut self, _: RootCategory, _: &mut [u32]) -> Result<bool, Corruption> {
        Ok(true)
    }
}

/// A heap behind which the tests' collector stands.
fn plugged(shared: &Shared, settings: &Settings) -> Fixture {
    let for_factory = shared.clone();
    let factory: CollectorFactory = Arc::new(move || Box::new(Arming { shared: for_factory.clone(), steps: 0 }));
    Fixture::new(factory(), &Settings { bytes: Bytes::Vec, ..*settings })
}

fn settings() -> Settings {
    Settings::new(256 << 10)
}

// The barrier.

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

// The order of calls.

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

// Broken collectors.

#[test]
fn bad_windows_are_refused() {
    let spoiled: [fn(Window) -> Window; 12] = [
        |window| Window { cursor: window.cursor + 4, ..window },
        |window| Window { cursor: window.cursor + 1, ..window },
        |window| Window { limit: window.limit + 8, ..window },
        |window| Window { limit: u32::MAX, ..window },
        |window| Window { cursor: window.cursor - 8, ..window },
        |window| Window { cursor: window.limit, limit: window.limit + 4096 },
        |window| Window { cursor: window.limit, ..window },
        |window| Window { cursor: window.limit, limit: window.cursor },
        |window| Window { limit: window.cursor + 8, ..window },
        |_| Window { cursor: 0, limit: 4096 },
        |_| Window { cursor: 0xFFFF_F000, limit: 0xFFFF_FFF8 },
        |_| Window::EMPTY,
    ];
    for (number, spoil) in spoiled.into_iter().enumerate() {
        let shared = Shared::new(Fault::Window(spoil));
        let mut fixture = plugged(&shared, &settings());
        let error = fixture.pair(0, 0).expect_err("a bad window");
        let corruption = error.corruption().unwrap_or_else(|| panic!("window {number}: {error}"));
        assert_eq!(corruption.what, CorruptionKind::BadWindow, "window {number}");
        assert_stays_damaged(&shared, &mut fixture, corruption);
    }
}

#[test]
fn bad_runs_for_large_objects_are_refused() {
    let spoiled: [fn(LargeRun) -> LargeRun; 6] = [
        |run| LargeRun { start: run.start + 8, ..run },
        |run| LargeRun { start: run.start + 4096, ..run },
        |run| LargeRun { start: run.start - 4096, ..run },
        |run| LargeRun { start: 0, ..run },
        |run| LargeRun { start: u32::MAX, ..run },
        |run| LargeRun { start: 0xFFFF_F000, ..run },
    ];
    for (number, spoil) in spoiled.into_iter().enumerate() {
        let shared = Shared::new(Fault::Large(spoil));
        let mut fixture = plugged(&shared, &settings());
        let error = fixture.array(BYTES, 9000).expect_err("a bad run");
        let corruption = error.corruption().unwrap_or_else(|| panic!("run {number}: {error}"));
        assert_eq!(corruption.what, CorruptionKind::BadWindow, "run {number}");
        assert_stays_damaged(&shared, &mut fixture, corruption);
    }
}

/// How long a run is, the heap knows from its own account.
#[test]
fn the_length_that_a_collector_claims_is_not_believed() {
    let claims: [fn(LargeRun) -> LargeRun; 4] = [
        |run| LargeRun { bytes: 0, ..run },
        |run| LargeRun { bytes: 4096, ..run },
        |run| LargeRun { bytes: u32::MAX, ..run },
        |run| LargeRun { bytes: run.bytes + 4096, ..run },
    ];
    for claim in claims {
        let shared = Shared::new(Fault::None);
        let mut fixture = plugged(&shared, &settings());
        let neighbour = fixture.array(BYTES, 5000).expect("room");
        fixture.roots.push(neighbour);
        let layout = fixture.layout(BYTES);
        fixture.heap.array_fill(&layout, neighbour, 0, &[7], 5000).expect("in bounds");
        shared.set_fault(Fault::Large(claim));
        let large = fixture.array(BYTES, 9000).expect("room");
        assert!(fixture.heap.array_read(&layout, large, 0, 9000).expect("in bounds").iter().all(|&byte| byte == 0));
        let bytes = fixture.heap.array_read(&layout, neighbour, 0, 5000).expect("in bounds");
        assert!(bytes.iter().all(|&byte| byte == 7), "the neighbour was overwritten");
        fixture.verify();
    }
}

/// A collector that hands out the same room twice spoils its own heap: the verifier says so, and nothing panics.
#[test]
fn room_that_is_handed_out_twice_spoils_the_heap_and_nothing_else() {
    let shared = Shared::new(Fault::SameWindow);
    let mut fixture = plugged(&shared, &settings());
    let mut spoiled = false;
    for _ in 0..2000 {
        match fixture.pair(0, 0) {
            Ok(pair) => fixture.roots.push(pair),
            Err(error) => {
                spoiled |= error.corruption().is_some();
                break;
            }
        }
    }
    let overlap = fixture.heap.verify(&mut fixture.roots);
    fixture.roots.sort_unstable();
    let twice = fixture.roots.windows(2).any(|pair| pair[0] == pair[1]);
    assert!(spoiled || twice || overlap.is_err());
    let _ = fixture.heap.collect(&mut fixture.roots);
}

#[test]
fn what_a_collector_says_of_damage_is_final() {
    for fault in [Fault::Refill, Fault::Step] {
        let shared = Shared::new(Fault::None);
        let mut fixture = plugged(&shared, &settings());
        if matches!(fault, Fault::Step) {
            fixture.pair(0, 0).expect("room");
        }
        shared.set_fault(fault);
        let error = match fault {
            Fault::Refill => fixture.pair(0, 0).expect_err("damaged"),
            _ => fixture.heap.collect(&mut fixture.roots).expect_err("damaged"),
        };
        assert_eq!(error.corruption(), Some(DAMAGE));
        shared.set_fault(Fault::None);
        assert_stays_damaged(&shared, &mut fixture, DAMAGE);
    }
}

/// A cycle that cannot begin is refused, and the heap goes on.
#[test]
fn a_cycle_that_cannot_begin_changes_nothing() {
    let shared = Shared::new(Fault::Begin);
    let mut fixture = plugged(&shared, &settings());
    let pair = fixture.pair(3, 5).expect("room");
    fixture.roots.push(pair);
    let error = fixture.heap.collect(&mut fixture.roots).expect_err("denied");
    assert_eq!((error.out_of_memory(), fixture.heap.damage()), (Some(&DENIED), None));
    assert_eq!(fixture.heap.stats().collections, 0);
    let again = fixture.pair(pair, 0).expect("room");
    assert_eq!(fixture.read(fixture.read(again, LEFT), RIGHT), 5);
    shared.set_fault(Fault::None);
    fixture.collect();
}

/// After damage collections and allocations give it again, without a word to the collector or a byte touched.
fn assert_stays_damaged(shared: &Shared, fixture: &mut Fixture, corruption: Corruption) {
    assert_eq!(fixture.heap.damage(), Some(corruption));
    shared.take();
    let bytes = fixture.heap.bytes().to_vec();
    for _ in 0..2 {
        let errors = [
            fixture.pair(0, 0).err(),
            fixture.array(REFS, 3).err(),
            fixture.array(BYTES, 100_000).err(),
            fixture.heap.allocate_extern(Box::new(()), &mut fixture.roots).err(),
            fixture.heap.collect(&mut fixture.roots).err(),
        ];
        for error in errors {
            assert_eq!(error.and_then(|error| error.corruption()), Some(corruption));
        }
    }
    assert_eq!((shared.take(), fixture.heap.bytes() == bytes), (vec![], true));
}
