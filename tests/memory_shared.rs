//! Shared memory: bounds, alignment, and threads that hammer it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use tumulus::error::{Cause, Misuse, OutOfMemoryKind, Trap};
use tumulus::memory::{
    AtomicNumber, MappedMemoryCreator, MemoryCreator, MemoryType, RmwOp, SharedMemory, VecMemoryCreator, WaitResult,
};
use tumulus::provenance::VMMemoryDefinition;

const PAGE: u64 = 65_536;

fn memory(minimum: u32, maximum: u32) -> SharedMemory {
    SharedMemory::new(MemoryType::shared(minimum, maximum)).unwrap()
}

/// A shared memory of single-byte pages.
fn bytes(minimum: u64, maximum: u64) -> SharedMemory {
    let ty = MemoryType::builder().shared(true).page_size_log2(0).min(minimum).max(Some(maximum)).build().unwrap();
    SharedMemory::new(ty).unwrap()
}

fn contents(memory: &SharedMemory) -> Vec<u8> {
    let mut buffer = vec![0xCC; memory.data_size()];
    memory.read(0, &mut buffer).unwrap();
    buffer
}

/// S13: a shared memory is made of a shared type and nothing else, and no other memory of it.
#[test]
fn s13_shared_and_unshared_do_not_mix() {
    fn check<T: Clone + Send + Sync>() {}
    check::<SharedMemory>();
    for ty in [MemoryType::new(1, Some(1)), MemoryType::new64(1, Some(1))] {
        let error = SharedMemory::new(ty).unwrap_err();
        assert!(matches!(error.cause(), Cause::Misuse(Misuse::Setting(text)) if text.contains("unshared")));
    }
    let shared = MemoryType::shared(1, 1);
    assert!(MappedMemoryCreator::default().new_memory(shared, 65_536, None, None, 0).is_err());
    assert!(VecMemoryCreator.new_memory(shared, 65_536, None, None, 0).is_err());
}

#[test]
fn types_that_cannot_be_are_refused() {
    assert!(SharedMemory::new(MemoryType::shared(2, 1)).is_err());
    assert!(SharedMemory::new(MemoryType::shared(0, 65_537)).is_err());
    let ty = MemoryType::builder().shared(true).memory64(true).max(Some(1 << 48)).build().unwrap();
    let error = SharedMemory::new(ty).unwrap_err();
    assert!(error.out_of_memory().is_some_and(|error| error.kind == OutOfMemoryKind::TooLarge));
    assert_eq!(SharedMemory::new(MemoryType::shared(0, 0)).unwrap().data_size(), 0);
    #[cfg(target_os = "linux")]
    assert_eq!(memory(0, 65_536).grow(65_536), Ok(0));
}

#[test]
fn growth_is_seen_by_all_and_moves_nothing() {
    let memory = memory(1, 3);
    let clone = memory.clone();
    let base = memory.data().as_ptr();
    memory.write(PAGE - 2, &[1, 2]).unwrap();
    assert_eq!(memory.grow(0), Ok(1));
    assert_eq!(clone.grow(1), Ok(1));
    assert_eq!((memory.size(), memory.data_size(), memory.data().as_ptr()), (2, 2 * 65_536, base));
    assert_eq!(memory.data().len(), 2 * 65_536);
    let VMMemoryDefinition { base: defined, current_length } = clone.definition();
    assert_eq!(defined.as_ptr().cast_const(), base.cast::<u8>());
    assert_eq!(current_length.load(Ordering::Acquire), 2 * 65_536);
    for delta in [2, u64::from(u32::MAX), u64::MAX, u64::MAX / PAGE] {
        let error = memory.grow(delta).unwrap_err();
        assert_eq!((error.kind, error.limit, memory.size()), (OutOfMemoryKind::TooLarge, 3 * PAGE, 2));
    }
    assert_eq!(memory.grow(1), Ok(2));
    assert!(contents(&memory)[65_536..].iter().all(|&byte| byte == 0));
    assert!(SharedMemory::same(&memory, &clone) && !SharedMemory::same(&memory, &bytes(0, 0)));
}

#[test]
fn copies_are_whole_or_nothing() {
    for size in [0, 1, 7, 8, 9, 31] {
        let memory = bytes(size, size);
        let before = contents(&memory);
        for offset in 0..=size + 2 {
            for len in 0..=size + 2 {
                let fits = offset + len <= size;
                let expected = if fits { Ok(()) } else { Err(Trap::MemoryOutOfBounds) };
                let mut buffer = vec![9; usize::try_from(len).unwrap()];
                assert_eq!(memory.read(offset, &mut buffer), expected);
                assert!(buffer.iter().all(|&byte| byte == if fits { 0 } else { 9 }));
                assert_eq!(memory.write(offset, &buffer), expected);
                assert_eq!(memory.fill(offset, 0, len), expected);
                assert_eq!(memory.copy_within(offset, 0, len), expected.and(memory.read(0, &mut buffer)));
                assert_eq!(contents(&memory), before);
            }
        }
        for offset in [u64::MAX, u64::MAX - 7, 1 << 32] {
            assert_eq!(memory.write(offset, &[1; 8]), Err(Trap::MemoryOutOfBounds));
            assert_eq!(memory.read(offset, &mut [0; 0]), Err(Trap::MemoryOutOfBounds));
            assert_eq!(memory.fill(1, 1, offset), Err(Trap::MemoryOutOfBounds));
            assert_eq!(memory.copy_within(0, 1, offset), Err(Trap::MemoryOutOfBounds));
            assert_eq!(memory.atomic_load::<u8>(offset), Err(Trap::MemoryOutOfBounds));
        }
    }
}

/// Bytes, filled and copied at random, beside a `Vec<u8>`.
#[test]
fn copies_fills_and_moves_do_as_a_vec() {
    const SIZE: u64 = 1501;
    let memory = bytes(SIZE, SIZE);
    let mut model = contents(&memory);
    let mut state = 1_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let index = |number: u64| usize::try_from(number).unwrap();
    for step in 0..5000_u64 {
        let byte = step.to_le_bytes()[0];
        let (a, b) = (below(SIZE), below(SIZE));
        let longest = if step % 2 == 0 { 20 } else { SIZE };
        let len = below((SIZE - a.max(b)).min(longest) + 1);
        let range = index(a)..index(a + len);
        match below(3) {
            0 => {
                let bytes: Vec<u8> = (0..len).map(|i| byte.wrapping_add(i.to_le_bytes()[0])).collect();
                memory.write(a, &bytes).unwrap();
                model[range].copy_from_slice(&bytes);
            }
            1 => {
                memory.fill(a, byte, len).unwrap();
                model[range].fill(byte);
            }
            _ => {
                memory.copy_within(b, a, len).unwrap();
                model.copy_within(range, index(b));
            }
        }
        let mut part = vec![0; index(len)];
        memory.read(b, &mut part).unwrap();
        assert_eq!(part, model[index(b)..index(b + len)], "step {step}");
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
                    memory.write(6 + u64::from(id), &[round.to_le_bytes()[0]]).unwrap();
                    let mut own = [0];
                    memory.read(6 + u64::from(id), &mut own).unwrap();
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
    assert_eq!(memory.atomic_wait32(PAGE, 0, short), Err(Trap::MemoryOutOfBounds));
    assert_eq!(memory.atomic_wait64(PAGE, 0, short), Err(Trap::MemoryOutOfBounds));
    assert_eq!(memory.atomic_notify(PAGE, 0), Err(Trap::MemoryOutOfBounds));
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
    const COUNTER: u64 = 129;
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
