//! Several threads: the home of an unshared memory, guards that travel, and shared memory.

use core::cell::UnsafeCell;
use core::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;

use crate::guest::{
    BorrowHandle, BorrowTracker, GuestBytes, GuestCow, GuestError, GuestMemory, GuestPtr, GuestSlice, GuestSliceMut,
    GuestStr, GuestStrCow, GuestStrMut, HomeThread, HostMemory, Region,
};
use crate::memory::{Limiter, MemoryType, SharedMemory, VecMemoryCreator};

const _: () = {
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<BorrowTracker>();
    send_sync::<BorrowHandle>();
    send_sync::<HomeThread>();
    send_sync::<GuestError>();
    send_sync::<HostMemory>();
    send_sync::<GuestBytes<'static>>();
    send_sync::<Box<dyn GuestMemory>>();
    send_sync::<GuestPtr<'static, u32>>();
    send_sync::<GuestPtr<'static, str>>();
    send_sync::<GuestSlice<'static, u8>>();
    send_sync::<GuestSliceMut<'static, u8>>();
    send_sync::<GuestStr<'static>>();
    send_sync::<GuestStrMut<'static>>();
    send_sync::<GuestCow<'static, u8>>();
    send_sync::<GuestStrCow<'static>>();
};

/// A shared memory of one page that may grow to `maximum`.
fn shared(maximum: u32) -> SharedMemory {
    SharedMemory::from_creator(&VecMemoryCreator, MemoryType::shared(1, maximum), 0, Limiter::default()).unwrap()
}

#[test]
fn to_other_threads_all_of_an_unshared_memory_is_borrowed() {
    let mut memory = HostMemory::from(vec![1; 8]);
    let mut guest = memory.guest();
    thread::scope(|scope| {
        scope.spawn(|| {
            let refusal = GuestError::PtrBorrowed(Region::new(0, 1));
            assert_eq!(guest.ptr::<u8>(0).read(), Err(refusal.clone()));
            assert_eq!(guest.ptr::<u8>(0).write(2), Err(refusal.clone()));
            assert_eq!(guest.ptr::<[u8]>((0, 1)).to_vec(), Err(refusal.clone()));
            assert_eq!(guest.ptr::<[u8]>((0, 1)).copy_from_slice(&[2]), Err(refusal.clone()));
            assert_eq!(guest.ptr::<[u8]>((0, 1)).as_slice().unwrap_err(), refusal);
            assert_eq!(guest.ptr::<[u8]>((0, 1)).as_slice_mut().unwrap_err(), refusal);
            assert!(guest.has_outstanding_borrows() && !guest.tracker().has_outstanding());
        });
    });
    assert_eq!(guest.ptr::<u8>(0).read(), Ok(1));
    // It can move to another thread for good.
    thread::scope(|scope| {
        scope.spawn(|| {
            guest.claim();
            guest.ptr::<u8>(0).write(2).unwrap();
        });
    });
    assert!(guest.ptr::<u8>(0).read().is_err());
    guest.claim();
    assert_eq!(guest.ptr::<u8>(0).read(), Ok(2));
}

#[test]
fn a_guard_can_be_used_and_dropped_on_another_thread() {
    let mut memory = HostMemory::new(64);
    let guest = memory.guest();
    for round in 1..=100 {
        let (done, ptr) = (AtomicBool::new(false), guest.ptr::<[u8]>((8, 32)));
        let mut writer = ptr.as_slice_mut().unwrap().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                writer.fill(round);
                drop(writer);
                done.store(true, Ordering::Release);
            });
            // The home thread sees the region as borrowed until it is free, and then all that was written.
            loop {
                let finished = done.load(Ordering::Acquire);
                match guest.ptr::<u8>(39).read() {
                    Ok(byte) => break assert_eq!(byte, round),
                    Err(error) => assert_eq!(error, GuestError::PtrBorrowed(Region::new(39, 1))),
                }
                assert!(!finished, "the guard is gone, but not its borrow");
                thread::yield_now();
            }
        });
    }
}

/// Only the home's borrows close the quick way, so no other thread may borrow; its releases reopen it with the next
/// look.
#[test]
fn the_quick_way_is_closed_while_anything_is_borrowed() {
    let mut memory = HostMemory::new(40);
    let guest = memory.guest();
    let open = || guest.unborrowed().len();
    assert_eq!(open(), 32, "whole units of 16 bytes");
    let first = guest.ptr::<[u8]>((0, 4)).as_slice().unwrap().unwrap();
    let second = guest.ptr::<[u8]>((8, 4)).as_slice_mut().unwrap().unwrap();
    assert_eq!(open(), 0);
    drop(second);
    assert_eq!(open(), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let region = Region::new(16, 4);
            assert_eq!(guest.tracker().shared_borrow(region), Err(GuestError::PtrBorrowed(region)));
            assert_eq!(guest.tracker().mut_borrow(region), Err(GuestError::PtrBorrowed(region)));
            drop(first);
            assert_eq!(open(), 0, "to another thread");
        });
    });
    assert!(!guest.has_outstanding_borrows());
    assert_eq!(open(), 32);
    std::mem::forget(guest.ptr::<[u8]>((0, 4)).as_slice_mut().unwrap());
    let guest = memory.guest();
    assert_eq!(guest.unborrowed().len(), 0, "what was forgotten stays borrowed");
    assert!(guest.ptr::<u8>(3).write(1).is_err() && guest.ptr::<u8>(4).write(1).is_ok());
}

#[test]
fn shared_memory_is_copied_and_never_sliced() {
    let memory = shared(2);
    let region = Region::new(0, 4);
    assert!(memory.is_shared_memory());
    memory.ptr::<[u8]>((0, 4)).copy_from_slice(b"text").unwrap();
    assert!(memory.ptr::<[u8]>((0, 4)).as_slice().unwrap().is_none());
    assert!(memory.ptr::<[u8]>((0, 4)).as_slice_mut().unwrap().is_none());
    assert!(memory.ptr::<str>((0, 4)).as_str().unwrap().is_none());
    assert!(memory.ptr::<str>((0, 4)).as_str_mut().unwrap().is_none());
    assert!(matches!(memory.ptr::<str>((0, 4)).as_cow(), Ok(GuestStrCow::Copied(text)) if text == "text"));
    assert!(matches!(memory.ptr::<[u16]>((0, 2)).as_cow(), Ok(GuestCow::Copied(copy)) if copy.len() == 2));
    assert_eq!(memory.shared_borrow(region), Err(GuestError::PtrBorrowed(region)));
    assert_eq!(memory.mut_borrow(region), Err(GuestError::PtrBorrowed(region)));
    assert!(!memory.has_outstanding_borrows() && !memory.is_mut_borrowed(region) && !memory.is_shared_borrowed(region));

    // The rules of pointers hold there too.
    memory.ptr::<u8>(1).write(0xff).unwrap();
    assert!(matches!(memory.ptr::<str>((0, 4)).as_cow(), Err(GuestError::InvalidUtf8(..))));
    assert_eq!(memory.ptr::<u32>(65_536).read(), Err(GuestError::PtrOutOfBounds(Region::new(65_536, 4))));
    assert_eq!(memory.ptr::<u32>(2).read(), Err(GuestError::PtrNotAligned(Region::new(2, 4), 4)));
    assert_eq!(memory.read_shared(65_535, &mut [0; 2]), Err(GuestError::PtrOutOfBounds(Region::new(65_535, 2))));
    assert_eq!(memory.write_shared(u64::MAX, &[0; 2]), Err(GuestError::PtrOutOfBounds(Region::new(u64::MAX, 2))));
    // A pointer sees the growth that happened since it was made.
    let later = memory.ptr::<u32>(65_536);
    memory.grow(1).unwrap();
    assert_eq!(later.write(5), Ok(()));
    assert_eq!(later.read(), Ok(5));
}

#[test]
fn two_threads_work_on_a_shared_memory() {
    const ROUNDS: u32 = 5_000;
    let byte_of = |round: u32| u8::try_from(round % 251).unwrap();
    let memory = Arc::new(shared(16));
    let writer = Arc::clone(&memory);
    let thread = thread::spawn(move || {
        for round in 1..=ROUNDS {
            let byte = byte_of(round);
            writer.ptr::<[u8]>((64, 32)).copy_from_slice(&[byte; 32]).unwrap();
            writer.ptr::<[u8; 4]>(3).write([byte; 4]).unwrap();
            if round % 500 == 0 {
                let _ = writer.grow(1);
            }
        }
        writer.atomic_store::<u32>(0, 1).unwrap();
    });
    while memory.atomic_load::<u32>(128).unwrap() == 0 {
        // Each byte is one that was written, though they need not be of one round.
        assert!(memory.ptr::<[u8]>((64, 32)).to_vec().unwrap().iter().all(|&byte| byte < 251));
        assert_eq!(memory.ptr::<u32>(60).read(), Ok(0));
        if memory.ptr::<u8>(0).read() == Ok(1) {
            memory.ptr::<u32>(128).write(1).unwrap();
        }
    }
    thread.join().unwrap();
    assert_eq!(memory.ptr::<[u8]>((64, 32)).to_vec(), Ok(vec![byte_of(ROUNDS); 32]));
}

/// A shared memory as an embedder might have it, of atomic bytes.
struct AtomicBytes(Vec<AtomicU8>);

// SAFETY: the bytes stay in place, and safe code only accesses them atomically, one by one. No region is granted.
unsafe impl GuestMemory for AtomicBytes {
    fn base(&self) -> &[UnsafeCell<u8>] {
        // SAFETY: an atomic byte has the layout of a byte, and may be changed through a shared reference.
        unsafe { slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len()) }
    }

    fn has_outstanding_borrows(&self) -> bool {
        false
    }

    fn is_mut_borrowed(&self, _region: Region) -> bool {
        false
    }

    fn is_shared_borrowed(&self, _region: Region) -> bool {
        false
    }

    fn mut_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        Err(GuestError::PtrBorrowed(region))
    }

    fn shared_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        Err(GuestError::PtrBorrowed(region))
    }

    fn mut_unborrow(&self, _handle: BorrowHandle) {}

    fn shared_unborrow(&self, _handle: BorrowHandle) {}

    fn is_shared_memory(&self) -> bool {
        true
    }
}

#[test]
fn a_shared_memory_of_ones_own_is_copied_byte_by_byte() {
    let memory: Arc<dyn GuestMemory> = Arc::new(AtomicBytes((0..16).map(AtomicU8::new).collect()));
    thread::scope(|scope| {
        scope.spawn(|| memory.ptr::<u64>(8).write(u64::MAX).unwrap());
        scope.spawn(|| memory.ptr::<u64>(0).write(1).unwrap());
    });
    assert_eq!(memory.ptr::<[u64]>((0, 2)).to_vec(), Ok(vec![1, u64::MAX]));
    assert_eq!(memory.ptr::<[u8]>((12, 5)).to_vec(), Err(GuestError::PtrOutOfBounds(Region::new(12, 5))));
    assert_eq!(memory.read_shared(15, &mut [0; 2]), Err(GuestError::PtrOutOfBounds(Region::new(15, 2))));
    assert_eq!(memory.write_shared(17, &[]), Err(GuestError::PtrOutOfBounds(Region::new(17, 0))));
    assert_eq!(memory.write_shared(16, &[]), Ok(()));
}
