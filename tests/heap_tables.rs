//! Side tables from the embedder's own creator: all of them come from there, each growth of one is asked of the limiter,
//! and a refusal of any leaves the heap as usable as it was.

#![expect(unsafe_code, reason = "a creator of the tests' own, and an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tumulus::collector::BuiltinCollector;
use tumulus::error::{OutOfMemory, OutOfMemoryKind, Result};
use tumulus::heap::{GcHeap, HeapConfig, HeapStats, PauseTimes};
use tumulus::memory::{
    Growth, Limiter, LinearMemory, MappedMemoryCreator, MemoryCreator, MemoryType, ResourceKind, ResourceLimiter,
    StoreLimits,
};
use tumulus::store::{Config, Engine, ExternRef, Store};
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{BYTES, REFS, World};

/// Who refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Creator,
    Limiter,
}

/// What the creator and the limiter of a heap saw, and what they are to refuse.
#[derive(Debug)]
struct State {
    by: By,
    /// Which requests for a table or its growth are refused, counted from 0.
    refused: Range<usize>,
    requests: usize,
    /// Bytes that each table has or has reserved, by a number that it was given.
    tables: BTreeMap<usize, usize>,
    tables_made: usize,
    /// What the limiter was asked and allowed.
    growths: Vec<Growth>,
    /// What it was told to have failed.
    failed: Vec<(Growth, OutOfMemoryKind)>,
}

#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<State>>);

impl Shared {
    fn new(by: By, refused: Range<usize>) -> Shared {
        Shared(Arc::new(Mutex::new(State {
            by,
            refused,
            requests: 0,
            tables: BTreeMap::new(),
            tables_made: 0,
            growths: Vec::new(),
            failed: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this request is one that is to be refused, if `by` is who refuses.
    fn refuses(&self, by: By) -> bool {
        let mut state = self.state();
        state.requests += usize::from(state.by == by);
        state.by == by && state.refused.contains(&(state.requests - 1))
    }

    /// A heap whose memory comes from here, with everything else that a fixture has.
    fn fixture(&self, collector: BuiltinCollector, granularity: usize) -> Fixture {
        let config = HeapConfig { initial_bytes: 0, max_bytes: 16 << 20, ..HeapConfig::default() };
        let creator = Arc::new(Tables { shared: self.clone(), granularity });
        let mut heap = GcHeap::new(config, collector.create(), creator).expect("valid settings");
        heap.set_limiter(Limiter::new(self.clone()));
        let world = World::new();
        world.kinds.iter().for_each(|kind| heap.register_type(&kind.object));
        Fixture { world, heap, roots: vec![0, 0] }
    }
}

/// Makes heaps, and tables that are watched, as mappings. Sizes of tables are multiples of a granularity.
struct Tables {
    shared: Shared,
    granularity: usize,
}

// SAFETY: all memories are those of `MappedMemoryCreator`, of the minimum that is asked for or more.
unsafe impl MemoryCreator for Tables {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        MappedMemoryCreator::default().new_memory(ty, minimum, maximum, reserved, guard)
    }

    fn new_table_memory(
        &self,
        minimum: usize,
        maximum: usize,
        reserved: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if self.shared.refuses(By::Creator) {
            return Err("refused on purpose".to_owned());
        }
        assert!(minimum <= reserved && 0 < reserved && reserved <= maximum, "{minimum}, {reserved}, {maximum}");
        let ty = MemoryType::builder().memory64(true).page_size_log2(0).build().expect("bytes");
        let [size, limit, reserved] = [minimum, maximum, reserved].map(|size| size.next_multiple_of(self.granularity));
        let memory = MappedMemoryCreator::default().new_memory(ty, size, Some(limit), Some(reserved), 0)?;
        let mut state = self.shared.state();
        let number = state.tables_made;
        state.tables_made += 1;
        state.tables.insert(number, reserved);
        Ok(Box::new(Watched { memory, number, shared: self.shared.clone(), granularity: self.granularity }))
    }
}

/// The memory of a table.
struct Watched {
    memory: Box<dyn LinearMemory>,
    number: usize,
    shared: Shared,
    granularity: usize,
}

// SAFETY: all is passed on to a memory that keeps the contract; a refusal is made before it is asked.
unsafe impl LinearMemory for Watched {
    fn byte_size(&self) -> usize {
        self.memory.byte_size()
    }

    fn byte_capacity(&self) -> usize {
        self.memory.byte_capacity()
    }

    fn grow_to(&mut self, new_size: usize) -> Result<(), OutOfMemory> {
        let size = new_size.next_multiple_of(self.granularity);
        if size > self.byte_size() && self.shared.refuses(By::Creator) {
            // Any kind will do: to the heap it is a refusal by the host.
            let in_use = self.byte_size() as u64;
            return Err(OutOfMemory { kind: OutOfMemoryKind::TooLarge, asked: 1, in_use, limit: 0, largest_free: 0 });
        }
        self.memory.grow_to(size)?;
        if let Some(held) = self.shared.state().tables.get_mut(&self.number) {
            *held = size.max(*held);
        }
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.memory.as_ptr()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.shared.state().tables.remove(&self.number);
    }
}

impl ResourceLimiter for Shared {
    fn growing(&mut self, growth: &Growth) -> bool {
        let is_refused = growth.kind == ResourceKind::SideTable && self.refuses(By::Limiter);
        if !is_refused {
            self.state().growths.push(*growth);
        }
        !is_refused
    }

    fn grow_failed(&mut self, growth: &Growth, error: &OutOfMemory) {
        self.state().failed.push((*growth, error.kind));
    }
}

/// One step of work that makes a heap grow: a list in the first root, and now and then a large array in the second.
fn step(fixture: &mut Fixture, number: u32) -> Result<()> {
    if number.is_multiple_of(1000) {
        fixture.heap.collect(&mut fixture.roots)?;
    }
    if number.is_multiple_of(64) {
        let array = fixture.array(REFS, 4000)?;
        fixture.roots[1] = fixture.pair(array, fixture.roots[1])?;
    }
    fixture.array(BYTES, 100)?;
    fixture.roots[0] = fixture.pair(number << 1 | 1, fixture.roots[0])?;
    Ok(())
}

/// What `steps` steps leave behind.
#[track_caller]
fn check(fixture: &mut Fixture, steps: u32) {
    assert_eq!(fixture.list_length(fixture.roots[0]), steps);
    let mut arrays = 0;
    let mut link = fixture.roots[1];
    while link != 0 {
        assert_eq!(fixture.heap.array_len(fixture.read(link, LEFT)).expect("an array"), 4000);
        link = fixture.read(link, RIGHT);
        arrays += 1;
    }
    // A step that was done twice may have left two.
    assert!(arrays >= steps.div_ceil(64));
    fixture.verify();
}

const STEPS: u32 = 2500;

/// Refuses each request in turn, and each with all after it, until the heap says that it has no memory.
fn refuse_each(by: By, kind: OutOfMemoryKind) {
    for collector in BuiltinCollector::ALL {
        for is_lasting in [false, true] {
            let mut errors = 0;
            let requests = (0..).find(|&nth| {
                let shared = Shared::new(by, nth..if is_lasting { usize::MAX } else { nth + 1 });
                let mut fixture = shared.fixture(collector, 1);
                for number in 0..STEPS {
                    if let Err(error) = step(&mut fixture, number) {
                        let refusal = error.out_of_memory().unwrap_or_else(|| panic!("{collector} {nth}: {error}"));
                        assert_eq!((refusal.kind, fixture.heap.damage()), (kind, None), "{collector} {nth}");
                        assert_eq!(refusal.limit, 16 << 20, "the heap's own numbers");
                        check(&mut fixture, number);
                        errors += 1;
                        shared.state().refused = 0..0;
                        step(&mut fixture, number).unwrap_or_else(|error| panic!("{collector} {nth}: {error}"));
                    }
                }
                check(&mut fixture, STEPS);
                let was_reached = shared.state().requests > nth;
                drop(fixture);
                assert!(shared.state().tables.is_empty(), "{collector} {nth}");
                !was_reached
            });
            assert!(requests.is_some_and(|requests| requests > 3), "{collector}: the heap grew {requests:?} times");
            assert!(errors > 0 || !is_lasting, "{collector}: nothing was refused for good");
        }
    }
}

#[test]
fn any_table_or_growth_may_be_refused_by_the_creator() {
    refuse_each(By::Creator, OutOfMemoryKind::Host);
}

#[test]
fn any_table_or_growth_may_be_denied_by_the_limiter() {
    refuse_each(By::Limiter, OutOfMemoryKind::Denied);
}

/// The limiter is asked with the true sizes: what it allowed adds up to what there is.
#[test]
fn what_the_limiter_allowed_is_what_there_is() {
    for collector in BuiltinCollector::ALL {
        let shared = Shared::new(By::Creator, 20..22);
        let mut fixture = shared.fixture(collector, 1);
        for number in 0..STEPS {
            if step(&mut fixture, number).is_err() {
                step(&mut fixture, number).expect("two requests are refused");
            }
        }
        let state = shared.state();
        let grown = |kind| -> u64 {
            let allowed = state.growths.iter().filter(|growth| growth.kind == kind);
            let failed = state.failed.iter().map(|(growth, _)| growth).filter(|growth| growth.kind == kind);
            let by = |growth: &Growth| growth.desired - growth.current;
            allowed.map(by).sum::<u64>() - failed.map(by).sum::<u64>()
        };
        assert_eq!(grown(ResourceKind::SideTable), state.tables.values().sum::<usize>() as u64, "{collector}");
        assert_eq!(grown(ResourceKind::GcHeap), fixture.heap.stats().committed_bytes, "{collector}");
        for growth in &state.growths {
            assert!(growth.current < growth.desired && Some(growth.desired) <= growth.maximum, "{growth:?}");
        }
        let is_refusal =
            |(growth, kind): &(Growth, _)| growth.kind == ResourceKind::SideTable && *kind == OutOfMemoryKind::Host;
        assert!(state.failed.iter().all(is_refusal), "{collector}");
        // How many tables a collector has.
        let tables = match collector {
            BuiltinCollector::Null => 1,
            BuiltinCollector::Copying => 3,
            BuiltinCollector::MarkRegion => 6,
            BuiltinCollector::Generational => 9,
            _ => 13,
        };
        assert_eq!(state.tables.len(), tables, "{collector}");
        // Tables are asked for before the heap that they cover.
        assert_eq!(state.growths[0].kind, ResourceKind::SideTable);
        let first = |growth: &&Growth| growth.current == 0;
        let failed = state.failed.iter().map(|(growth, _)| growth).filter(first).count();
        assert_eq!(state.growths.iter().filter(first).count(), tables + 1 + failed, "{collector}");
    }
}

/// A creator that gives more than it is asked for changes nothing that a heap does.
#[test]
fn what_a_heap_does_depends_on_no_size_of_a_table() {
    for collector in BuiltinCollector::ALL {
        let run = |granularity| {
            let mut fixture = Shared::new(By::Creator, 0..0).fixture(collector, granularity);
            (0..STEPS).for_each(|number| step(&mut fixture, number).expect("room"));
            check(&mut fixture, STEPS);
            let stats = fixture.heap.stats();
            (HeapStats { times: PauseTimes::default(), ..stats }, fixture.roots)
        };
        assert_eq!(run(1), run(1 << 20), "{collector}");
    }
}

/// Counts what each thread has of the process's allocator.
struct Counting;

thread_local! {
    /// Bytes that are allocated, and the most that ever were.
    static BYTES_HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    let (held, most) = BYTES_HELD.get();
    BYTES_HELD.set((held + bytes, most.max(held + bytes)));
}

// SAFETY: all is passed on to the system's allocator, which keeps the contract; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Nothing that grows with a heap comes from anywhere else than its creator.
#[test]
fn a_heap_takes_nothing_else_from_the_host() {
    for collector in BuiltinCollector::ALL {
        let shared = Shared::new(By::Creator, 0..0);
        let mut fixture = shared.fixture(collector, 1);
        fixture.heap.set_limiter(Limiter::default());
        fixture.roots.reserve(10);
        let before = BYTES_HELD.get().0;
        BYTES_HELD.set((before, before));
        let (length, refusal) = fixture.push_list(300_000);
        assert!(length == 300_000 && refusal.is_none(), "{collector}: {length} {refusal:?}");
        for _ in 0..100 {
            fixture.roots[1] = fixture.array(REFS, 10_000).expect("room");
        }
        for array in [fixture.roots[1], fixture.roots[2]] {
            fixture.write(array, 8, fixture.roots[2]);
        }
        for _ in 0..3 {
            fixture.heap.collect_minor(&mut fixture.roots).expect("sound");
            fixture.heap.collect(&mut fixture.roots).expect("sound");
        }
        let taken = BYTES_HELD.get().1 - before;
        assert!(fixture.heap.stats().committed_bytes > 8 << 20, "{collector}");
        assert!(taken < 4 << 10, "{collector}: {taken} bytes");
    }
}

/// The limit of a store holds for each table by itself; the heap stays as small as that makes it.
#[test]
fn a_store_may_limit_its_side_tables() {
    for collector in BuiltinCollector::ALL {
        let mut store = Store::new(&Engine::new(Config::new().collector(collector)).expect("valid"), ());
        let limit = |bytes| StoreLimits { side_table_bytes_max: Some(bytes), ..StoreLimits::default() };
        store.limiter(limit(512));
        let error = (0..1_000_000).find_map(|number| ExternRef::new(&mut store, number).err());
        // 512 granules are 2 MiB, and other tables cover less with so few bytes.
        let error = error.expect("8 MiB are more than 512 bytes of any table cover");
        assert_eq!(error.out_of_memory().map(|refusal| refusal.kind), Some(OutOfMemoryKind::Denied), "{collector}");
        assert!(store.heap_stats().committed_bytes <= 2 << 20, "{collector}");
        store.limiter(limit(16 << 20));
        ExternRef::new(&mut store, "fits now").unwrap_or_else(|error| panic!("{collector}: {error}"));
        store.verify().unwrap_or_else(|error| panic!("{collector}: {error}"));
    }
}
