//! Memories of a store: the ways of access that implementers know, and what each of them refuses.

#![expect(unsafe_code, reason = "the raw views, and a creator of the test's own")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Error, Misuse, OutOfMemoryKind};
use tumulus::guest::{GuestError, GuestMemory};
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::{
    Growth, LinearMemory, MappedMemoryCreator, MemoryCreator, MemoryType, PoolConfig, PoolMemoryCreator, ResourceKind,
    ResourceLimiter, StaticBufferCreator, StoreLimits, default_creator,
};
use tumulus::store::{Config, Engine, ExternRef, Func, Memory, Store, Table, TableType, Val};
use tumulus::types::{ArrayType, FieldType, Mutability, RefType, StorageType, SubType};
use tumulus::wasm::{Instance, Module};

const PAGE: usize = 64 << 10;
/// The last byte of a memory of three pages.
const LAST: i32 = (3 << 16) - 1;
/// Half of the last `u64` of a memory of one page.
const HALFWAY_OUT: u32 = (1 << 16) - 4;

fn store_with(creator: impl MemoryCreator + 'static) -> Store<()> {
    let mut config = Config::new();
    config.memory_creator(Arc::new(creator));
    Store::new(&Engine::new(&config).unwrap(), ())
}

fn misuse(error: &Error) -> &Misuse {
    match error.cause() {
        Cause::Misuse(misuse) => misuse,
        other => panic!("{other:?}"),
    }
}

/// A module that exports its memory, found by name, grown by the host and seen by the guest.
#[test]
fn a_modules_memory_is_found_read_written_and_grown() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = r#"(module
        (memory (export "mem") 1 3)
        (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "size") (result i32) (memory.size)))"#;
    let module = Module::new(&engine, text).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let memory = instance.get_memory(&mut store, "mem").unwrap();
    assert!(instance.get_memory(&mut store, "load").is_none());
    assert_eq!((memory.size(&store), memory.data_size(&store)), (1, PAGE));
    assert_eq!((memory.page_size(&store), memory.page_size_log2(&store)), (65_536, 16));

    memory.write(&mut store, 10, &[42]).unwrap();
    let load = instance.get_func(&mut store, "load").unwrap().typed::<i32, i32>(&store).unwrap();
    assert_eq!(load.call(&mut store, 10).unwrap(), 42);
    memory.data_mut(&mut store)[11] = 7;
    assert_eq!(load.call(&mut store, 11).unwrap(), 7);

    assert_eq!(memory.grow(&mut store, 2).unwrap(), 1);
    let size = instance.get_func(&mut store, "size").unwrap().typed::<(), i32>(&store).unwrap();
    assert_eq!(size.call(&mut store, ()).unwrap(), 3);
    assert_eq!(load.call(&mut store, LAST).unwrap(), 0);
    let error = memory.grow(&mut store, 1).unwrap_err();
    let refused = error.out_of_memory().unwrap();
    assert_eq!((refused.kind, refused.limit), (OutOfMemoryKind::TooLarge, 3 * PAGE as u64));
    assert_eq!(memory.size(&store), 3);
}

/// Bytes and embedder's data at once, as a host function needs them.
#[test]
fn a_host_function_borrows_memory_and_data_at_once() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, Vec::<u8>::new());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    memory.write(&mut store, 0, b"hello").unwrap();
    let take = Func::wrap(&mut store, move |mut caller: tumulus::store::Caller<'_, Vec<u8>>, at: u32, len: u32| {
        let (bytes, seen) = memory.data_and_store_mut(&mut caller);
        seen.extend_from_slice(&bytes[at as usize..(at + len) as usize]);
        bytes[at as usize] = b'J';
    })
    .unwrap();
    take.call(&mut store, &[Val::I32(0), Val::I32(5)], &mut []).unwrap();
    assert_eq!(store.data(), b"hello");
    assert_eq!(memory.data(&store)[..5], *b"Jello");
}

/// What must not be done with a raw view, done in the safe way: look again after everything that may grow.
#[test]
fn the_base_may_move_beyond_the_reservation_and_nothing_keeps_the_old_one() {
    let mut store = store_with(MovingCreator);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    memory.data_mut(&mut store).fill(9);
    let mut moved = false;
    for pages in 1..40 {
        let before = memory.data_ptr(&store);
        assert_eq!(memory.grow(&mut store, 1).unwrap(), pages);
        moved |= before != memory.data_ptr(&store);
        assert!(memory.data(&store)[..PAGE].iter().all(|&byte| byte == 9));
        assert_eq!(memory.data_ptr(&store), memory.data(&store).as_ptr().cast_mut());
    }
    assert!(moved, "a memory without a reservation moves");
}

/// Passes every request on without its reservation, so that growth moves the memory.
struct MovingCreator;

// SAFETY: asks for a reservation of 0 bytes instead of the one that is asked for. That breaks the promise about growth in
// place, on which nothing in this crate's safety or this test relies; everything else is the creator's own.
unsafe impl MemoryCreator for MovingCreator {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        _reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        // A mapping is replaced while it exists, so that it moves for certain; an allocation may grow in its place.
        default_creator().new_memory(ty, minimum, maximum, Some(0), guard)
    }
}

/// A15: the record that compiled code reads follows the memory when it moves.
#[test]
fn the_record_for_compiled_code_follows_growth() {
    let mut store = store_with(MovingCreator);
    let memory = Memory::new(&mut store, MemoryType::new(0, None)).unwrap();
    let record = memory.definition(&store);
    for _ in 0..20 {
        memory.grow(&mut store, 1).unwrap();
        // SAFETY: the store is alive, and nothing grows its memory here.
        let seen = unsafe { memory.data_unchecked() };
        assert_eq!((seen.as_ptr(), seen.len()), (memory.data(&store).as_ptr(), memory.data_size(&store)));
    }
    assert_eq!(record, memory.definition(&store), "the record itself never moves");
}

/// The raw views, within their contract: no growth, no other access while they live.
#[test]
fn raw_views_see_the_same_bytes() {
    let mut store = Store::new(&Engine::default(), ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    // SAFETY: the store is alive, and nothing else touches its memory while the slice is used.
    let bytes = unsafe { memory.data_unchecked_mut() };
    bytes[3] = 5;
    // SAFETY: as above.
    assert_eq!(unsafe { memory.data_unchecked() }[3], 5);
    assert_eq!(memory.data(&store)[3], 5);
}

#[test]
fn guest_pointers_work_on_a_stores_memory() {
    let mut store = Store::new(&Engine::default(), 1_u32);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let (guest, data) = memory.guest(&mut store);
    guest.ptr::<u32>(8).write(*data + 41).unwrap();
    let out_of_bounds = guest.ptr::<u64>(HALFWAY_OUT).read().unwrap_err();
    assert!(matches!(out_of_bounds, GuestError::PtrOutOfBounds(_) | GuestError::PtrNotAligned(..)), "{out_of_bounds}");
    assert_eq!(memory.data(&store)[8], 42);
}

/// A guard that is forgotten keeps its region borrowed: growth and guests are refused from then on.
#[test]
fn a_forgotten_guard_refuses_growth_and_guests() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let text = r#"(module (memory (export "mem") 1) (func (export "run")))"#;
    let instance = Instance::new(&mut store, &Module::new(&engine, text).unwrap(), &[]).unwrap();
    let memory = instance.get_memory(&mut store, "mem").unwrap();
    let run = instance.get_func(&mut store, "run").unwrap();
    {
        let (guest, ()) = memory.guest(&mut store);
        drop(guest.ptr::<[u8]>((0, 4)).as_slice_mut().unwrap());
    }
    run.call(&mut store, &[], &mut []).unwrap();
    memory.grow(&mut store, 1).unwrap();
    {
        let (guest, ()) = memory.guest(&mut store);
        std::mem::forget(guest.ptr::<[u8]>((0, 4)).as_slice_mut().unwrap());
    }
    assert_eq!(*misuse(&memory.grow(&mut store, 1).unwrap_err()), Misuse::Borrowed);
    assert_eq!(*misuse(&run.call(&mut store, &[], &mut []).unwrap_err()), Misuse::Borrowed);
}

/// One creator serves memories and the GC heap: here the slots of a pool, which come back with the store.
#[test]
fn a_pool_serves_memories_and_the_heap() {
    let pool = PoolMemoryCreator::new(PoolConfig { slots: 3, slot_size: 64 << 20, ..PoolConfig::default() }).unwrap();
    for round in 0..10 {
        let mut store = store_with(pool.clone());
        let memory = Memory::new(&mut store, MemoryType::new(2, Some(100))).unwrap();
        assert!(memory.data(&store).iter().all(|&byte| byte == 0), "round {round}: another tenant's bytes");
        memory.data_mut(&mut store).fill(0xAA);
        for i in 0..1000 {
            ExternRef::new(&mut store, i).unwrap();
        }
        store.gc().unwrap();
        store.verify().unwrap();
        let description = memory.description(&store);
        assert_eq!((description.reservation_asked, description.reservation), (100 * PAGE, 64 << 20), "the slot's size");
        drop(store);
        assert_eq!(pool.free_slots(), 3);
    }
}

/// Falling back to a smaller reservation is done above the creator, and told.
#[test]
fn a_smaller_reservation_is_taken_and_told() {
    let buffer = Box::leak(vec![0_u8; 4 * PAGE].into_boxed_slice());
    let mut store = store_with(StaticBufferCreator::new(buffer));
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let description = memory.description(&store);
    assert!(description.reservation < description.reservation_asked, "{description:?}");
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    let error = memory.grow(&mut store, 100).unwrap_err();
    assert!(error.out_of_memory().is_some(), "{error}");
    assert_eq!(memory.size(&store), 2);
}

/// S11: a size beyond the address space is an error and nothing else.
#[test]
fn absurd_sizes_are_refused() {
    let mut store = Store::new(&Engine::default(), ());
    assert!(Memory::new(&mut store, MemoryType::new64(1 << 48, None)).is_err());
    assert!(Memory::new(&mut store, MemoryType::new64(1 << 47, None)).is_err());
    assert!(Memory::new(&mut store, MemoryType::new(2, Some(1))).is_err());
    let table = TableType::new(RefType::FUNCREF, u64::MAX, None);
    assert!(Table::new(&mut store, table, Val::FuncRef(None)).is_err());
    let memory = Memory::new(&mut store, MemoryType::new64(1, None)).unwrap();
    assert!(memory.grow(&mut store, u64::MAX).is_err());
    assert!(memory.grow(&mut store, 1 << 47).is_err());
    assert_eq!(memory.grow(&mut store, 0).unwrap(), 1);
}

/// Writes down what it is asked and told.
#[derive(Default)]
struct Log(Arc<Mutex<Vec<(Growth, bool)>>>);

impl ResourceLimiter for Log {
    fn growing(&mut self, growth: &Growth) -> bool {
        self.0.lock().unwrap().push((*growth, true));
        growth.desired <= 1 << 20
    }

    fn grow_failed(&mut self, growth: &Growth, _: &tumulus::error::OutOfMemory) {
        self.0.lock().unwrap().push((*growth, false));
    }
}

#[test]
fn the_limiter_is_asked_before_everything_that_grows() {
    let log = Log::default();
    let seen = Arc::clone(&log.0);
    let mut store = Store::new(&Engine::default(), ());
    store.limiter(log);
    let last = || seen.lock().unwrap().last().copied().unwrap();

    let memory = Memory::new(&mut store, MemoryType::new(2, Some(40))).unwrap();
    let maximum = Some(40 * PAGE as u64);
    let growth = Growth { kind: ResourceKind::LinearMemory, current: 0, desired: 2 * PAGE as u64, maximum };
    assert_eq!(last(), (growth, true));
    memory.grow(&mut store, 1).unwrap();
    assert_eq!(last(), (Growth { current: 2 * PAGE as u64, desired: 3 * PAGE as u64, ..growth }, true));
    let denied = memory.grow(&mut store, 30).unwrap_err();
    assert_eq!(denied.out_of_memory().unwrap().kind, OutOfMemoryKind::Denied);
    assert_eq!(memory.size(&store), 3);

    let ty = TableType::new(RefType::EXTERNREF, 3, Some(10));
    let table = Table::new(&mut store, ty, Val::ExternRef(None)).unwrap();
    let growth = Growth { kind: ResourceKind::Table, current: 0, desired: 3, maximum: Some(10) };
    assert_eq!(last(), (growth, true));
    table.grow(&mut store, 4, Val::ExternRef(None)).unwrap();
    assert_eq!(last(), (Growth { current: 3, desired: 7, ..growth }, true));

    // The heap asks for each of its tables, and then for its bytes. Above a MiB it is denied.
    seen.lock().unwrap().clear();
    ExternRef::new(&mut store, 0).unwrap();
    let kinds: Vec<_> = seen.lock().unwrap().iter().map(|(growth, _)| growth.kind).collect();
    let (&heap, tables) = kinds.split_last().unwrap();
    assert!(heap == ResourceKind::GcHeap && tables.iter().all(|&kind| kind == ResourceKind::SideTable));
    let growth = Growth { kind: heap, current: 0, desired: 1 << 20, maximum: Some((1 << 32) - 4096) };
    assert_eq!((last(), tables.len()), ((growth, true), 9));
    let error = (0..).find_map(|i| ExternRef::new(&mut store, i).err()).unwrap();
    assert_eq!(error.out_of_memory().unwrap().kind, OutOfMemoryKind::Denied);
    assert_eq!(last().0.kind, ResourceKind::GcHeap);
    assert!(last().0.desired > 1 << 20);
}

/// What a refusal tells is in bytes, also of a table, whose limiter counts elements.
#[test]
fn refusals_tell_bytes_whatever_the_limiter_counts() {
    let mut store = Store::new(&Engine::default(), ());
    let limits =
        StoreLimits { memory_bytes_max: Some(2 * PAGE as u64), table_elements_max: Some(5), ..StoreLimits::default() };
    store.limiter(limits);
    let numbers = |error: Error| {
        let error = *error.out_of_memory().unwrap();
        (error.kind, error.asked, error.in_use, error.limit)
    };
    let page = PAGE as u64;
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(9))).unwrap();
    let denied = memory.grow(&mut store, 2).unwrap_err();
    assert_eq!(numbers(denied), (OutOfMemoryKind::Denied, 2 * page, page, 9 * page));
    let too_large = memory.grow(&mut store, 9).unwrap_err();
    assert_eq!(numbers(too_large), (OutOfMemoryKind::TooLarge, 10 * page, page, 9 * page));

    let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 2, Some(9)), Val::FuncRef(None)).unwrap();
    let denied = table.grow(&mut store, 4, Val::FuncRef(None)).unwrap_err();
    assert_eq!(numbers(denied), (OutOfMemoryKind::Denied, 16, 8, 36));
    let too_large = table.grow(&mut store, 8, Val::FuncRef(None)).unwrap_err();
    assert_eq!(numbers(too_large), (OutOfMemoryKind::TooLarge, 40, 8, 36));
    assert_eq!(table.grow(&mut store, 3, Val::FuncRef(None)).unwrap(), 2);
}

/// After a denial the same allocation succeeds once references were dropped or the limit was raised.
#[test]
fn a_denied_heap_goes_on_when_it_may_grow() {
    let mut store = Store::new(&Engine::default(), ());
    store.limiter(StoreLimits { heap_bytes_max: Some(2 << 20), ..StoreLimits::default() });
    let error = (0..).find_map(|i| ExternRef::new(&mut store, i).err()).unwrap();
    assert_eq!(error.out_of_memory().unwrap().kind, OutOfMemoryKind::Denied);
    store.limiter(StoreLimits::default());
    ExternRef::new(&mut store, "fits now").unwrap();
    store.verify().unwrap();
}

/// Reservation and guard are settings; a memory moves if it has no room, and says what it got.
#[test]
fn reservation_and_guard_are_settings() {
    let mut config = Config::new();
    config.memory_reservation(3 * PAGE as u64).memory_guard_size(PAGE);
    let mut store = Store::new(&Engine::new(&config).unwrap(), ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let description = memory.description(&store);
    assert_eq!((description.reservation_asked, description.reservation, description.guard), (3 * PAGE, 3 * PAGE, PAGE));
    let base = memory.data_ptr(&store);
    memory.grow(&mut store, 2).unwrap();
    assert_eq!(memory.data_ptr(&store), base, "growth inside the reservation does not move");
    memory.data_mut(&mut store)[3 * PAGE - 1] = 9;
    memory.grow(&mut store, 200).unwrap();
    assert_eq!(memory.data(&store)[3 * PAGE - 1], 9);
    assert_eq!(store.heap_reserved_bytes(), 0);
    ExternRef::new(&mut store, 1).unwrap();
    assert_eq!(store.heap_reserved_bytes(), 4 << 30);
}

/// A13 and A15: a reservation below the minimum, also none at all, is the minimum; growth moves the memory then, and
/// everything that names the base follows it.
#[test]
fn a13_a15_a_reservation_below_the_minimum_is_the_minimum() {
    for reservation in [0, 1, PAGE as u64, 2 * PAGE as u64 - 1] {
        let mut store = Store::new(&Engine::new(Config::new().memory_reservation(reservation)).unwrap(), ());
        let memory = Memory::new(&mut store, MemoryType::new(2, None)).unwrap();
        let description = memory.description(&store);
        assert_eq!((description.reservation_asked, description.reservation), (2 * PAGE, 2 * PAGE));
        memory.data_mut(&mut store).fill(3);
        for pages in 2..20 {
            assert_eq!(memory.grow(&mut store, 1).unwrap(), pages);
            assert!(memory.data(&store)[..2 * PAGE].iter().all(|&byte| byte == 3));
            assert!(memory.data(&store)[2 * PAGE..].iter().all(|&byte| byte == 0));
            // SAFETY: the store is alive, and nothing grows or writes its memory while the slice is used.
            let seen = unsafe { memory.data_unchecked() };
            assert_eq!((seen.as_ptr(), seen.len()), (memory.data(&store).as_ptr(), memory.data_size(&store)));
        }
    }
}

/// The failure rule: with a store that is not its own, a memory's methods with an error of their own kind or with none
/// panic, and growth is a misuse. None of them ever reaches the memory of the same number.
#[test]
fn a_memory_of_another_store_is_never_an_index_into_this_one() {
    let (mut one, mut other) = (Store::new(&Engine::default(), ()), Store::new(&Engine::default(), ()));
    let memory = Memory::new(&mut one, MemoryType::new(1, None)).unwrap();
    let same_number = Memory::new(&mut other, MemoryType::new(1, None)).unwrap();
    type Use<'a> = (&'a str, &'a dyn Fn(&mut Store<()>));
    let uses: [Use<'_>; 12] = [
        ("ty", &|store| assert_eq!(memory.ty(store), MemoryType::new(1, None))),
        ("size", &|store| assert_eq!(memory.size(store), 1)),
        ("page_size", &|store| assert_eq!(memory.page_size(store), PAGE as u64)),
        ("page_size_log2", &|store| assert_eq!(memory.page_size_log2(store), 16)),
        ("description", &|store| assert_eq!(memory.description(store).guard, 0)),
        ("data_ptr", &|store| assert!(!memory.data_ptr(store).is_null())),
        ("data_size", &|store| assert_eq!(memory.data_size(store), PAGE)),
        ("data", &|store| assert!(!memory.data(&*store).is_empty())),
        ("data_mut", &|store| memory.data_mut(store).fill(9)),
        ("guest", &|store| memory.guest(store).0.ptr::<u8>(0).write(9).unwrap()),
        ("read", &|store| memory.read(store, 0, &mut [0]).unwrap()),
        ("write", &|store| memory.write(store, 0, &[9]).unwrap()),
    ];
    for (name, used) in uses {
        let outcome = catch_unwind(AssertUnwindSafe(|| used(&mut other)));
        let panic = outcome.expect_err(name);
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("a memory of this store"), "{name}: {text}");
        used(&mut one);
    }
    assert_eq!(*misuse(&memory.grow(&mut other, 1).unwrap_err()), Misuse::ForeignHandle);
    assert!(same_number.data(&other).iter().all(|&byte| byte == 0) && same_number.size(&other) == 1);
}

/// The same guest pointers work on the elements of a GC array of bytes.
#[test]
fn guest_pointers_work_on_an_array_of_bytes() {
    let engine = Engine::default();
    let bytes = FieldType::new(Mutability::Var, StorageType::I8);
    let group = engine.types().register(vec![SubType::new(ArrayType::new(bytes))]).unwrap();
    let ty = engine.object_type(&group.get(0)).unwrap();
    let layout = *ty.as_array().unwrap();
    let creator = Arc::new(MappedMemoryCreator::default());
    let mut heap = GcHeap::new(HeapConfig::default(), BuiltinCollector::Copying.create(), creator).unwrap();
    heap.register_type(&ty);
    let mut roots = [0_u32];
    roots[0] = heap.allocate_array(&ty, 16, &mut roots).unwrap().get();
    {
        let guest = heap.array_guest(&layout, roots[0]).unwrap();
        guest.ptr::<u32>(4).write(0x0403_0201).unwrap();
        assert_eq!(*guest.ptr::<[u8]>((4, 4)).as_slice().unwrap().unwrap(), [1, 2, 3, 4]);
        let beyond = guest.ptr::<u32>(16).read().unwrap_err();
        assert!(matches!(beyond, GuestError::PtrOutOfBounds(_)), "{beyond}");
        std::mem::forget(guest.ptr::<[u8]>((0, 16)).as_slice_mut().unwrap());
    }
    heap.collect(&mut roots).unwrap();
    // What was forgotten concerned the view that is gone.
    let guest = heap.array_guest(&layout, roots[0]).unwrap();
    assert_eq!(guest.ptr::<u32>(4).read().unwrap(), 0x0403_0201);
}
