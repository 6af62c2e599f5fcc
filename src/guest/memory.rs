//! What a guest's memory has to offer so that guest pointers can work on it.

use core::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{BorrowHandle, GuestError, GuestPtr, GuestPtr64, Pointee, Region, Wasm64};

/// What the number of bytes in [`GuestMemory::unborrowed`] is a multiple of: the size of the widest number, so that a
/// number whose first byte is among them is there as a whole.
pub(super) const UNBORROWED_UNIT: usize = 16;

/// The memory of a guest as the host sees it: bytes, and which regions of them are borrowed.
///
/// [`GuestBytes`](super::GuestBytes) is the implementation over bytes that only the host can reach meanwhile, and
/// [`SharedMemory`](crate::memory::SharedMemory) the one that other threads reach too. The trait is for those who have
/// another kind of memory, and they will mostly wrap one of the two.
///
/// # Safety
/// Guest pointers read and write the bytes, and turn regions that were granted into `&[T]` and `&mut [T]`, on the
/// strength of this:
///
/// - **Base.** While the memory is borrowed, every call of [`base`](GuestMemory::base) gives the same start, and at
///   least the length that an earlier one gave. The bytes are initialised, and the cells allow to read and write them.
///   [`is_shared_memory`](GuestMemory::is_shared_memory) always gives the same answer.
/// - **Unborrowed.** [`unborrowed`](GuestMemory::unborrowed) gives the first bytes of `base`, a multiple of 16 of them,
///   and none to a thread to which [`has_outstanding_borrows`](GuestMemory::has_outstanding_borrows) answers `true`.
/// - **Unshared memory.** While it is borrowed, nothing reads or writes the bytes but guest pointers, their guards, and
///   code that keeps the same rules: to read takes a region with no byte borrowed exclusively, to write takes one with
///   no byte borrowed at all, or else the borrow itself. What the methods say is true of all handles that were given
///   out and not taken back by `mut_unborrow` or `shared_unborrow`; a handle ends the one borrow that it was given out
///   for, and nothing else ever does. What happens before a handle is taken back also happens before the region is
///   found free.
/// - **Unshared memory, threads.** Between the answer that a region is free and the access to it, no other thread may
///   get or access the region. An implementation sees to that: at any time at most one thread finds regions free and
///   gets them (see [`HomeThread`](super::HomeThread)). To all others `has_outstanding_borrows` and `is_mut_borrowed`
///   answer `true`, and both kinds of borrow are refused.
/// - **Shared memory.** Others may read and write the bytes at any time, but only atomically, and in units of the size
///   that [`read_shared`](GuestMemory::read_shared) and [`write_shared`](GuestMemory::write_shared) use. No region is
///   ever granted.
pub unsafe trait GuestMemory: Send + Sync {
    /// All bytes of the memory.
    fn base(&self) -> &[UnsafeCell<u8>];

    /// The bytes that may be read and written without a further question, always a multiple of 16 of them: those of
    /// [`base`](GuestMemory::base) from the first on, or none at all if the memory is shared, if anything is borrowed, or
    /// for a thread that finds no region free.
    ///
    /// Every access to a number looks here first, and asks the other methods only if this is not enough.
    #[inline]
    fn unborrowed(&self) -> &[UnsafeCell<u8>] {
        if self.is_shared_memory() || self.has_outstanding_borrows() {
            return &[];
        }
        let base = self.base();
        &base[..base.len() / UNBORROWED_UNIT * UNBORROWED_UNIT]
    }

    /// Whether anything is borrowed: `false` is the quick answer to all the questions below.
    fn has_outstanding_borrows(&self) -> bool;

    /// Whether a byte of `region` is borrowed exclusively, so that the region must not be read.
    fn is_mut_borrowed(&self, region: Region) -> bool;

    /// Whether a byte of `region` is borrowed by readers, so that the region must not be written.
    fn is_shared_borrowed(&self, region: Region) -> bool;

    /// Borrows `region` exclusively. It need not be inside the memory.
    ///
    /// # Errors
    /// [`GuestError::PtrBorrowed`] if a byte of it is borrowed, [`GuestError::BorrowTrackerFull`] if there are no
    /// handles left.
    fn mut_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError>;

    /// Borrows `region` for reading. It need not be inside the memory.
    ///
    /// # Errors
    /// [`GuestError::PtrBorrowed`] if a byte of it is borrowed exclusively, [`GuestError::BorrowTrackerFull`] if there
    /// are no handles left.
    fn shared_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError>;

    /// Ends an exclusive borrow. A handle that is spent, or of another kind or memory, does nothing.
    fn mut_unborrow(&self, handle: BorrowHandle);

    /// Ends a shared borrow. A handle that is spent, or of another kind or memory, does nothing.
    fn shared_unborrow(&self, handle: BorrowHandle);

    /// A 32-bit pointer into this memory: an offset, or for slices and `str` an offset and a length.
    ///
    /// Nothing is checked until it is used.
    #[inline]
    fn ptr<'a, T>(&'a self, offset: T::Pointer) -> GuestPtr<'a, T>
    where
        Self: Sized,
        T: ?Sized + Pointee,
    {
        GuestPtr::new(self, offset)
    }

    /// A 64-bit pointer into this memory.
    ///
    /// Nothing is checked until it is used.
    #[inline]
    fn ptr64<'a, T>(&'a self, offset: T::Pointer) -> GuestPtr64<'a, T>
    where
        Self: Sized,
        T: ?Sized + Pointee<Wasm64>,
    {
        GuestPtr::new(self, offset)
    }

    /// Whether other threads may change the bytes meanwhile. If so, no slices are handed out, only copies.
    #[inline]
    fn is_shared_memory(&self) -> bool {
        false
    }

    /// Copies bytes of a shared memory from `offset` on. Each is read atomically, by itself unless a memory has larger
    /// units.
    ///
    /// # Errors
    /// [`GuestError::PtrOutOfBounds`] if the memory has not as many there, and [`GuestError::PtrBorrowed`] if it is
    /// unshared: its bytes are copied through guest pointers.
    fn read_shared(&self, offset: u64, target: &mut [u8]) -> Result<(), GuestError> {
        let cells = shared_cells(self, Region::new(offset, target.len() as u64))?;
        for (to, from) in target.iter_mut().zip(cells) {
            // SAFETY: a byte of a shared memory may be accessed through its cell, and everybody does so atomically, in
            // units of a byte as long as the implementation leaves this method as it is.
            *to = unsafe { AtomicU8::from_ptr(from.get()) }.load(Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies bytes into a shared memory from `offset` on. Each is written atomically, by itself unless a memory has
    /// larger units.
    ///
    /// # Errors
    /// As for [`GuestMemory::read_shared`].
    fn write_shared(&self, offset: u64, source: &[u8]) -> Result<(), GuestError> {
        let cells = shared_cells(self, Region::new(offset, source.len() as u64))?;
        for (from, to) in source.iter().zip(cells) {
            // SAFETY: as in `read_shared`.
            unsafe { AtomicU8::from_ptr(to.get()) }.store(*from, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The cells of `region` in a memory that must be shared.
fn shared_cells<M: ?Sized + GuestMemory>(memory: &M, region: Region) -> Result<&[UnsafeCell<u8>], GuestError> {
    if !memory.is_shared_memory() {
        return Err(GuestError::PtrBorrowed(region));
    }
    let range = usize::try_from(region.start).ok().zip(region.end().and_then(|end| usize::try_from(end).ok()));
    range.and_then(|(start, end)| memory.base().get(start..end)).ok_or(GuestError::PtrOutOfBounds(region))
}

/// Implements [`GuestMemory`] for a pointer to one.
macro_rules! guest_memory_behind {
    ($pointer:ty) => {
        // SAFETY: every answer is that of the memory behind the pointer, which is the same one for as long as the
        // pointer is borrowed.
        unsafe impl<T: ?Sized + GuestMemory> GuestMemory for $pointer {
            #[inline]
            fn base(&self) -> &[UnsafeCell<u8>] {
                (**self).base()
            }

            #[inline]
            fn unborrowed(&self) -> &[UnsafeCell<u8>] {
                (**self).unborrowed()
            }

            #[inline]
            fn has_outstanding_borrows(&self) -> bool {
                (**self).has_outstanding_borrows()
            }

            #[inline]
            fn is_mut_borrowed(&self, region: Region) -> bool {
                (**self).is_mut_borrowed(region)
            }

            #[inline]
            fn is_shared_borrowed(&self, region: Region) -> bool {
                (**self).is_shared_borrowed(region)
            }

            #[inline]
            fn mut_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
                (**self).mut_borrow(region)
            }

            #[inline]
            fn shared_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
                (**self).shared_borrow(region)
            }

            #[inline]
            fn mut_unborrow(&self, handle: BorrowHandle) {
                (**self).mut_unborrow(handle);
            }

            #[inline]
            fn shared_unborrow(&self, handle: BorrowHandle) {
                (**self).shared_unborrow(handle);
            }

            #[inline]
            fn is_shared_memory(&self) -> bool {
                (**self).is_shared_memory()
            }

            #[inline]
            fn read_shared(&self, offset: u64, target: &mut [u8]) -> Result<(), GuestError> {
                (**self).read_shared(offset, target)
            }

            #[inline]
            fn write_shared(&self, offset: u64, source: &[u8]) -> Result<(), GuestError> {
                (**self).write_shared(offset, source)
            }
        }
    };
}

guest_memory_behind!(&T);
guest_memory_behind!(&mut T);
guest_memory_behind!(Box<T>);
guest_memory_behind!(Arc<T>);
