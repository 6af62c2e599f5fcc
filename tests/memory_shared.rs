//! Shared memory: bounds, alignment, and threads that hammer it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tumulus::error::{Cause, Error, Misuse, OutOfMemoryKind, Trap};
use tumulus::memory::{
    AtomicNumber, Growth, Limiter, MemoryAccessError, MemoryCreator, MemoryType, PoolConfig, PoolMemoryCreator,
    ResourceKind, ResourceLimiter, RmwOp, StaticBufferCreator, VecMemoryCreator, WaitResult,
};
use tumulus::provenance::VMMemoryDefinition;
use tumulus::store::{Config, Engine, Memory, SharedMemory, Store};

const PAGE: usize = 65_536;

fn memory(minimum: u32, maximum: u32) -> SharedMemory {
    SharedMemory::new(&Engine::default(), MemoryType::shared(minimum, maximum)).unwrap()
}

/// The maximum that a refused growth told.
fn limit_of(error: &Error) -> (OutOfMemoryKind, u64) {
    let error = error.out_of_memory().unwrap();
    (error.kind, error.limit)
}

/// An engine whose memories come from `creator`.
fn engine_with(creator: Arc<dyn MemoryCreator>) -> Engine {
    Engine::new(Config::new().memory_creator(creator)).unwrap()
}

/// A shared memory of single-byte pages.
fn bytes(minimum: u64, maximum: u64) -> SharedMemory {
    let ty = MemoryType::builder().shared(true).page_size_log2(0).min(minimum).max(Some(maximum)).build().unwrap();
    SharedMemory::new(&Engine::default(), ty).unwrap()
}

fn contents(memory: &SharedMemory) -> Vec<u8> {
    let mut buffer = vec![0xCC; memory.data_size()];
    memory.read(0, &mut buffer).unwrap();
    buffer
}

/// S13: a shared memory is made of a shared type and nothing else, and no other memory of it. That its bytes are no
/// `&[u8]` is a test of the documentation that must not compile.
#[test]
fn s13_shared_and_unshared_do_not_mix() {
    fn check<T: Clone + Send + Sync>() {}
    check::<SharedMemory>();
    let engine = Engine::default();
    let setting = |error: &Error, words: &str| matches!(error.cause(), Cause::Misuse(Misuse::Setting(text)) if text.contains(words));
    for ty in [MemoryType::new(1, Some(1)), MemoryType::new64(1, Some(1))] {
        assert!(setting(&SharedMemory::new(&engine, ty).unwrap_err(), "unshared"));
    }
    let error = Memory::new(Store::new(&engine, ()), MemoryType::shared(1, 1)).unwrap_err();
    assert!(setting(&error, "shared type"), "{error}");
}

/// A shared memory never moves, so a creator gives one of a shared type only with all of its maximum reserved.
#[test]
fn a_shared_type_needs_a_reservation_that_covers_the_maximum() {
    let shared = MemoryType::shared(1, 2);
    let make = |maximum, reserved| VecMemoryCreator.new_memory(shared, PAGE, maximum, reserved, 0).is_ok();
    assert!(make(Some(2 * PAGE), Some(2 * PAGE)));
    assert!(!make(Some(2 * PAGE), Some(PAGE)) && !make(Some(2 * PAGE), None) && !make(None, Some(2 * PAGE)));
}

#[test]
fn types_that_cannot_be_are_refused() {
    let engine = Engine::default();
    assert!(SharedMemory::new(&engine, MemoryType::shared(2, 1)).is_err());
    assert!(SharedMemory::new(&engine, MemoryType::shared(0, 65_537)).is_err());
    let ty = MemoryType::builder().shared(true).memory64(true).max(Some(1 << 48)).build().unwrap();
    let error = SharedMemory::new(&engine, ty).unwrap_err();
    assert_eq!(limit_of(&error).0, OutOfMemoryKind::TooLarge);
    assert_eq!(memory(0, 0).data_size(), 0);
    #[cfg(target_os = "linux")]
    assert_eq!(memory(0, 65_536).grow(65_536).unwrap(), 0);
}

/// Every creator of the crate, through the engine: growth up to the maximum and not beyond, and the bytes go back.
#[test]
fn every_creator_makes_shared_memories() {
    let pool = PoolConfig { slots: 1, slot_size: 3 * PAGE, guard_size: PAGE, rewrite_max: usize::MAX };
    let pool = PoolMemoryCreator::new(pool).unwrap();
    let buffer = Box::leak(vec![0xAA; 3 * PAGE + 15].into_boxed_slice());
    let engines = [
        Engine::default(),
        engine_with(Arc::new(VecMemoryCreator)),
        engine_with(Arc::new(pool.clone())),
        engine_with(Arc::new(StaticBufferCreator::new(buffer))),
    ];
    for engine in &engines {
        for _ in 0..2 {
            let memory = SharedMemory::new(engine, MemoryType::shared(1, 3)).unwrap();
            let base = memory.data().as_ptr();
            for pages in 1..3 {
                assert_eq!(contents(&memory), vec![0; memory.data_size()]);
                assert_eq!(memory.grow(1).unwrap(), pages);
            }
            assert_eq!(limit_of(&memory.grow(1).unwrap_err()), (OutOfMemoryKind::TooLarge, 3 * PAGE as u64));
            assert_eq!(memory.data().as_ptr(), base);
            memory.fill(0, 7, 3 * PAGE).unwrap();
        }
    }
    // A maximum that the creator cannot have is refused at once, and takes nothing.
    for engine in &engines[2..] {
        let error = SharedMemory::new(engine, MemoryType::shared(1, 4)).unwrap_err();
        assert_eq!(limit_of(&error).0, OutOfMemoryKind::Host);
    }
    let memory = SharedMemory::new(&engines[2], MemoryType::shared(1, 1)).unwrap();
    assert_eq!(pool.free_slots(), 0);
    let clone = memory.clone();
    drop(memory);
    assert_eq!(pool.free_slots(), 0);
    drop(clone);
    assert_eq!(pool.free_slots(), 1);
}

/// The guard is the engine's setting: a creator that has none to give refuses.
#[test]
fn the_guard_is_the_engines() {
    let guarded = |creator| Engine::new(Config::new().memory_creator(creator).memory_guard_size(PAGE)).unwrap();
    let ty = MemoryType::shared(1, 1);
    assert!(SharedMemory::new(&guarded(Arc::new(VecMemoryCreator)), ty).is_err());
    let pool = PoolConfig { slots: 1, slot_size: PAGE, guard_size: PAGE, rewrite_max: 0 };
    assert!(SharedMemory::new(&guarded(Arc::new(PoolMemoryCreator::new(pool).unwrap())), ty).is_ok());
}

/// Writes down what it is asked and told; allows up to two pages.
struct TwoPages(Arc<Mutex<Vec<(u64, u64, bool)>>>);

impl ResourceLimiter for TwoPages {
    fn growing(&mut self, growth: &Growth) -> bool {
        assert_eq!((growth.kind, growth.maximum), (ResourceKind::LinearMemory, Some(4 * PAGE as u64)));
        self.0.lock().unwrap().push((growth.current, growth.desired, true));
        growth.desired <= 2 * PAGE as u64
    }

    fn grow_failed(&mut self, growth: &Growth, _: &tumulus::error::OutOfMemory) {
        self.0.lock().unwrap().push((growth.current, growth.desired, false));
    }
}

#[test]
fn a_limiter_is_asked_before_all_growth() {
    let seen = Arc::default();
    let limiter = Limiter::new(TwoPages(Arc::clone(&seen)));
    let engine = Engine::default();
    let error = SharedMemory::with_limiter(&engine, MemoryType::shared(3, 4), limiter.clone()).unwrap_err();
    assert_eq!(limit_of(&error).0, OutOfMemoryKind::Denied);
    let memory = SharedMemory::with_limiter(&engine, MemoryType::shared(1, 4), limiter).unwrap();
    assert_eq!(memory.grow(0).unwrap(), 1);
    assert_eq!(memory.grow(1).unwrap(), 1);
    let denied = memory.grow(1).unwrap_err();
    let denied = denied.out_of_memory().unwrap();
    let page = PAGE as u64;
    assert_eq!((denied.kind, denied.asked, denied.in_use), (OutOfMemoryKind::Denied, page, 2 * page));
    assert_eq!(memory.size(), 2);
    assert!(memory.grow(9).is_err(), "beyond the maximum; not a question for the limiter");
    #[cfg(target_os = "linux")]
    {
        let small =
            SharedMemory::with_limiter(&engine, MemoryType::shared(1, 4), Limiter::new(TwoPages(Arc::clone(&seen))));
        let small = small.unwrap();
        assert!(tumulus::memory::faults::with_fault(0, || small.grow(1).is_err()).1);
        assert_eq!(
            seen.lock().unwrap().split_off(4),
            [(0, page, true), (page, 2 * page, true), (page, 2 * page, false)]
        );
    }
    assert_eq!(
        *seen.lock().unwrap(),
        [(0, 3 * page, true), (0, page, true), (page, 2 * page, true), (2 * page, 3 * page, true)]
    );
}

#[test]
fn growth_is_seen_by_all_and_moves_nothing() {
    let memory = memory(1, 3);
    let clone = memory.clone();
    let base = memory.data().as_ptr();
    memory.write(PAGE - 2, &[1, 2]).unwrap();
    assert_eq!(memory.grow(0).unwrap(), 1);
    assert_eq!(clone.grow(1).unwrap(), 1);
    assert_eq!((memory.size(), memory.data_size(), memory.data().as_ptr()), (2, 2 * 65_536, base));
    assert_eq!(memory.data().len(), 2 * 65_536);
    let VMMemoryDefinition { base: defined, current_length } = clone.definition();
    assert_eq!(defined.as_ptr().cast_const(), base.cast::<u8>());
    assert_eq!(current_length.load(Ordering::Acquire), 2 * 65_536);
    for delta in [2, u64::from(u32::MAX), u64::MAX, u64::MAX / PAGE as u64] {
        let error = memory.grow(delta).unwrap_err();
        assert_eq!((limit_of(&error), memory.size()), ((OutOfMemoryKind::TooLarge, 3 * PAGE as u64), 2));
    }
    assert_eq!(memory.grow(1).unwrap(), 2);
    assert!(contents(&memory)[65_536..].iter().all(|&byte| byte == 0));
    assert!(SharedMemory::same(&memory, &clone) && !SharedMemory::same(&memory, &bytes(0, 0)));
}

#[test]
fn copies_are_whole_or_nothing() {
    for size in [0, 1, 7, 8, 9, 31] {
        let memory = bytes(size as u64, size as u64);
        let before = contents(&memory);
        for offset in 0..=size + 2 {
            for length in 0..=size + 2 {
                let fits = offset + length <= size;
                let expected = if fits { Ok(()) } else { Err(MemoryAccessError { offset, length, size }) };
                let mut buffer = vec![9; length];
                assert_eq!(memory.read(offset, &mut buffer), expected);
                assert!(buffer.iter().all(|&byte| byte == if fits { 0 } else { 9 }));
                assert_eq!(memory.write(offset, &buffer), expected);
                assert_eq!(memory.fill(offset, 0, length), expected);
                assert_eq!(memory.copy_within(offset, 0, length).is_ok(), fits);
                assert_eq!(contents(&memory), before);
            }
        }
        for offset in [usize::MAX, usize::MAX - 7, 1 << 32] {
            let refused = |offset, length| Err(MemoryAccessError { offset, length, size });
            assert_eq!(memory.write(offset, &[1; 8]), refused(offset, 8));
            assert_eq!(memory.read(offset, &mut [0; 0]), refused(offset, 0));
            assert_eq!(memory.fill(1, 1, offset), refused(1, offset));
            assert_eq!(memory.copy_within(0, 1, offset), refused(1, offset));
            assert_eq!(memory.atomic_load::<u8>(offset as u64), Err(Trap::MemoryOutOfBounds));
        }
    }
}

/// Bytes, filled and copied at random, beside a `Vec<u8>`.
#[test]
fn copies_fills_and_moves_do_as_a_vec() {
    const SIZE: usize = 1501;
    let memory = bytes(SIZE as u64, SIZE as u64);
    let mut model = contents(&memory);
    let mut state = 1_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    for step in 0..5000_u32 {
        let byte = step.to_le_bytes()[0];
        let (a, b) = (below(SIZE), below(SIZE));
        let longest = if step % 2 == 0 { 20 } else { SIZE };
        let len = below((SIZE - a.max(b)).min(longest) + 1);
        match below(3) {
            0 => {
                let bytes: Vec<u8> = (0..len).map(|i| byte.wrapping_add(i.to_le_bytes()[0])).collect();
                memory.write(a, &bytes).unwrap();
                model[a..a + len].copy_from_slice(&bytes);
            }
            1 => {
                memory.fill(a, byte, len).unwrap();
                model[a..a + len].fill(byte);
            }
            _ => {
                memory.copy_within(b, a, len).unwrap();
                model.copy_within(a..a + len, b);
            }
        }
        let mut part = vec![0; len];
        memory.read(b, &mut part).unwrap();
        assert_eq!(part, model[b..b + len], "step {step}");
    }
    assert_eq!(contents(&memory), model);
}

/// Every operation on every place of a word, beside plain numbers.
fn numbers_of<N: AtomicNumber + PartialEq + std::fmt::Debug>() {
    let memory = bytes(24, 24);
    let mask = u64::MAX >> (64 - 8 * N::BYTES);
    for address in (0..24).step_by(usize::try_from(N::BYTES).unwrap()) {
        let (old, operand) = (0xFEDC_BA98_7654_3210_u64, 0x8899_AABB_CCDD_EEFF_u64);
        for (op, new) in [
            (RmwOp::Add, old.wrapping_add(operand)),
            (RmwOp::Sub, old.wrapping_sub(operand)),
            (RmwOp::And, old & operand),
            (RmwOp::Or, old | operand),
            (RmwOp::Xor, old ^ operand),
            (RmwOp::Xchg, operand),
        ] {
            memory.fill(0, 0x5A, 24).unwrap();
            memory.atomic_store(address, N::truncated(old)).unwrap();
            assert_eq!(memory.atomic_rmw(op, address, N::truncated(operand)), Ok(N::truncated(old)), "{op:?}");
            assert_eq!(memory.atomic_load(address), Ok(N::truncated(new)), "{op:?}");
            let bytes = contents(&memory);
            let place = usize::try_from(address).unwrap()..usize::try_from(address + N::BYTES).unwrap();
            assert_eq!(bytes[place.clone()], (new & mask).to_le_bytes()[..place.len()]);
            let others = bytes.iter().enumerate().filter(|(i, _)| !place.contains(i));
            assert!(others.map(|(_, &byte)| byte).all(|byte| byte == 0x5A), "{op:?} at {address}");
        }
        memory.atomic_store(address, N::truncated(5)).unwrap();
        assert_eq!(memory.atomic_cmpxchg(address, N::truncated(6), N::truncated(7)), Ok(N::truncated(5)));
        assert_eq!(memory.atomic_cmpxchg(address, N::truncated(5), N::truncated(7)), Ok(N::truncated(5)));
        assert_eq!(memory.atomic_load(address), Ok(N::truncated(7)));
    }
    let expect = |address: u64, trap: Trap| {
        assert_eq!(memory.atomic_load::<N>(address), Err(trap), "{address}");
        assert_eq!(memory.atomic_store(address, N::truncated(1)), Err(trap));
        assert_eq!(memory.atomic_rmw(RmwOp::Or, address, N::truncated(1)), Err(trap));
        assert_eq!(memory.atomic_cmpxchg(address, N::truncated(0), N::truncated(1)), Err(trap));
    };
    expect(24, Trap::MemoryOutOfBounds);
    expect(u64::MAX - N::BYTES + 1, Trap::MemoryOutOfBounds);
    for address in (0..24).chain([u64::MAX]).filter(|address| !address.is_multiple_of(N::BYTES)) {
        expect(address, Trap::UnalignedAtomic);
    }
}

#[test]
fn numbers_of_all_widths_in_all_places() {
    numbers_of::<u8>();
    numbers_of::<u16>();
    numbers_of::<u32>();
    numbers_of::<u64>();
}

#[test]
fn a_word_that_the_memory_ends_in_is_used_up_to_the_end() {
    let memory = bytes(5, 9);
    memory.atomic_store(4, 0xAB_u8).unwrap();
    memory.write(0, &[1, 2, 3, 4]).unwrap();
    assert_eq!(memory.atomic_load::<u32>(4), Err(Trap::MemoryOutOfBounds));
    assert_eq!(memory.atomic_load::<u64>(0), Err(Trap::MemoryOutOfBounds));
    memory.grow(4).unwrap();
    assert_eq!(contents(&memory), [1, 2, 3, 4, 0xAB, 0, 0, 0, 0]);
}

/// Threads that grow, count, and write beside one another's bytes.
#[test]
fn threads_hammer_growth_and_atomics() {
    const ROUNDS: u32 = 20_000;
    const MAXIMUM: u32 = 200;
    let memory = memory(1, MAXIMUM);
    let grown = AtomicU32::new(0);
    thread::scope(|scope| {
        for id in 0..2_u8 {
            let (memory, grown) = (memory.clone(), &grown);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    // The counters share a word with the bytes of the threads.
                    memory.atomic_rmw(RmwOp::Add, 0, 1_u32).unwrap();
                    memory.atomic_rmw(RmwOp::Sub, 4, 1_u16).unwrap();
                    memory.write(6 + usize::from(id), &[round.to_le_bytes()[0]]).unwrap();
                    let mut own = [0];
                    memory.read(6 + usize::from(id), &mut own).unwrap();
                    assert_eq!(own, [round.to_le_bytes()[0]], "another thread's write hit this one's byte");
                    while let old = memory.atomic_load::<u64>(8).unwrap()
                        && memory.atomic_cmpxchg(8, old, old + 3).unwrap() != old
                    {}
                    if round % 64 == 0 && memory.grow(1).is_ok() {
                        grown.fetch_add(1, Ordering::Relaxed);
                    }
                    // Whatever the length is now, the last byte is there.
                    let last = memory.data_size() as u64 - 1;
                    memory.atomic_rmw(RmwOp::Or, last, 0x80_u8).unwrap();
                }
            });
        }
    });
    assert_eq!(memory.atomic_load::<u32>(0), Ok(2 * ROUNDS));
    assert_eq!(memory.atomic_load::<u16>(4).map(u32::from), Ok((2 * ROUNDS).wrapping_neg() & 0xFFFF));
    assert_eq!(memory.atomic_load::<u64>(8), Ok(6 * u64::from(ROUNDS)));
    assert_eq!(memory.size(), u64::from(grown.into_inner() + 1));
    assert_eq!(memory.size(), u64::from(MAXIMUM));
}

#[test]
fn waiting_and_notifying() {
    let memory = memory(1, 1);
    let short = Some(Duration::from_millis(1));
    assert_eq!(memory.atomic_wait32(8, 1, None), Ok(WaitResult::Mismatch));
    assert_eq!(memory.atomic_wait64(8, 1, None), Ok(WaitResult::Mismatch));
    assert_eq!(memory.atomic_wait32(8, 0, short), Ok(WaitResult::TimedOut));
    assert_eq!(memory.atomic_wait64(8, 0, Some(Duration::ZERO)), Ok(WaitResult::TimedOut));
    assert_eq!(memory.atomic_notify(8, u32::MAX), Ok(0));
    for address in [1, 2, 3] {
        assert_eq!(memory.atomic_wait32(address, 0, short), Err(Trap::UnalignedAtomic));
        assert_eq!(memory.atomic_notify(address, 1), Err(Trap::UnalignedAtomic));
    }
    assert_eq!(memory.atomic_wait64(4, 0, short), Err(Trap::UnalignedAtomic));
    assert_eq!(memory.atomic_wait32(PAGE as u64, 0, short), Err(Trap::MemoryOutOfBounds));
    assert_eq!(memory.atomic_wait64(PAGE as u64, 0, short), Err(Trap::MemoryOutOfBounds));
    assert_eq!(memory.atomic_notify(PAGE as u64, 0), Err(Trap::MemoryOutOfBounds));
}

/// I1 of threads: a wait without a timeout can be ended from outside, whenever it began, and leaves nothing behind.
#[test]
fn i1_a_wait_is_interrupted() {
    let memory = memory(1, 1);
    let stop = AtomicBool::new(true);
    assert_eq!(memory.atomic_wait32_interruptible(8, 0, None, &stop), Err(Trap::Interrupt));
    assert_eq!(memory.atomic_wait64_interruptible(8, 1, None, &stop), Ok(WaitResult::Mismatch));
    assert_eq!(memory.atomic_wait64_interruptible(4, 0, None, &stop), Err(Trap::UnalignedAtomic));
    for _ in 0..500 {
        stop.store(false, Ordering::Relaxed);
        thread::scope(|scope| {
            let waiting = [
                scope.spawn(|| memory.atomic_wait32_interruptible(8, 0, None, &stop)),
                scope.spawn(|| memory.atomic_wait64_interruptible(16, 0, None, &stop)),
            ];
            stop.store(true, Ordering::Relaxed);
            memory.wake_interrupted();
            assert_eq!(waiting.map(|thread| thread.join().unwrap()), [Err(Trap::Interrupt); 2]);
        });
    }
    assert_eq!(memory.atomic_notify(8, u32::MAX), Ok(0));
    stop.store(false, Ordering::Relaxed);
    let short = Some(Duration::from_millis(1));
    assert_eq!(memory.atomic_wait32_interruptible(8, 0, short, &stop), Ok(WaitResult::TimedOut));
}

/// Two threads pass a number to and fro: a lost wake-up would leave both waiting.
#[test]
fn no_wake_up_is_lost() {
    const ROUNDS: u32 = 20_000;
    let memory = memory(1, 1);
    thread::scope(|scope| {
        for parity in 0..2 {
            let memory = memory.clone();
            scope.spawn(move || {
                for round in (parity..ROUNDS).step_by(2) {
                    loop {
                        let now = memory.atomic_load::<u32>(0).unwrap();
                        if now == round {
                            break;
                        }
                        let patience = Some(Duration::from_secs(60));
                        let woken = memory.atomic_wait32(0, now, patience).unwrap();
                        assert_ne!(woken, WaitResult::TimedOut, "round {round}");
                    }
                    memory.atomic_store(0, round + 1).unwrap();
                    memory.atomic_notify(0, 1).unwrap();
                }
            });
        }
    });
    assert_eq!(memory.atomic_load::<u32>(0), Ok(ROUNDS));
}

/// A mutex of the guests, on compare and exchange, wait and notify, around a plain counter.
#[test]
fn a_lock_made_of_atomics_holds() {
    const ROUNDS: u32 = 5000;
    const LOCK: u64 = 64;
    const COUNTER: usize = 129;
    let memory = memory(1, 1);
    let inside = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            let (memory, inside) = (memory.clone(), &inside);
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    while memory.atomic_cmpxchg(LOCK, 0_u32, 1).unwrap() != 0 {
                        let woken = memory.atomic_wait32(LOCK, 1, Some(Duration::from_secs(60))).unwrap();
                        assert_ne!(woken, WaitResult::TimedOut, "a lost wake-up");
                    }
                    assert!(!inside.swap(true, Ordering::Relaxed));
                    let mut counter = [0; 4];
                    memory.read(COUNTER, &mut counter).unwrap();
                    memory.write(COUNTER, &(u32::from_le_bytes(counter) + 1).to_le_bytes()).unwrap();
                    inside.store(false, Ordering::Relaxed);
                    memory.atomic_store(LOCK, 0_u32).unwrap();
                    memory.atomic_notify(LOCK, 1).unwrap();
                }
            });
        }
    });
    let mut counter = [0; 4];
    memory.read(COUNTER, &mut counter).unwrap();
    assert_eq!(u32::from_le_bytes(counter), 4 * ROUNDS);
}
