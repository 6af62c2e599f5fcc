//! Unshared memories for guest pointers to work on: bytes that are the host's own for now.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ptr::NonNull;

use super::{BorrowHandle, BorrowTracker, GuestError, GuestMemory, HomeThread, Region};
use crate::error::Misuse;
use crate::provenance::SendSyncPtr;

/// A guest's memory, or the payload of a GC array of bytes, for as long as the host has it to itself.
///
/// Whoever owns the bytes makes one with [`GuestBytes::new`] and keeps the tracker beside the bytes. The exclusive
/// borrows show that nothing else reads or writes the bytes, that they do not move, and that the tracker is theirs.
///
/// It belongs to the thread that made it. On another thread all of it counts as borrowed, so accesses are refused with
/// [`GuestError::PtrBorrowed`], until that thread [claims](GuestBytes::claim) it. Guards may be used and dropped
/// anywhere.
///
/// ```
/// use tumulus::guest::{BorrowTracker, GuestBytes, GuestError, GuestMemory};
///
/// let (mut bytes, mut tracker) = ([0; 16], BorrowTracker::new());
/// let guest = GuestBytes::new(&mut bytes, &mut tracker);
/// guest.ptr::<u32>(4).write(0x0403_0201)?;
/// assert_eq!(*guest.ptr::<[u8]>((4, 4)).as_slice()?.unwrap(), [1, 2, 3, 4]);
/// assert_eq!(bytes[4..8], [1, 2, 3, 4]);
/// # Ok::<(), GuestError>(())
/// ```
#[derive(Debug)]
pub struct GuestBytes<'a> {
    bytes: SendSyncPtr<[u8]>,
    /// Serves these bytes and no others; its home is the same.
    tracker: &'a mut BorrowTracker,
    home: HomeThread,
    exclusive: PhantomData<&'a mut [u8]>,
}

impl<'a> GuestBytes<'a> {
    /// Makes `bytes` accessible to guest pointers, and this thread their home.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a mut [u8], tracker: &'a mut BorrowTracker) -> GuestBytes<'a> {
        tracker.claim(bytes.len());
        GuestBytes { bytes: NonNull::from(bytes).into(), tracker, home: HomeThread::current(), exclusive: PhantomData }
    }

    /// The tracker of the bytes.
    #[inline]
    #[must_use]
    pub fn tracker(&self) -> &BorrowTracker {
        self.tracker
    }

    /// Makes this thread the home, after the memory was moved here from another one.
    ///
    /// ```
    /// use tumulus::guest::{BorrowTracker, GuestBytes, GuestMemory};
    ///
    /// let (mut bytes, mut tracker) = ([7; 4], BorrowTracker::new());
    /// let mut guest = GuestBytes::new(&mut bytes, &mut tracker);
    /// std::thread::scope(|scope| {
    ///     scope.spawn(move || {
    ///         assert!(guest.ptr::<u8>(0).read().is_err());
    ///         guest.claim();
    ///         assert_eq!(guest.ptr::<u8>(0).read(), Ok(7));
    ///     });
    /// });
    /// ```
    #[inline]
    pub fn claim(&mut self) {
        // `&mut self`: no pointer and no guard is left, and nobody is in the middle of an access.
        self.tracker.claim(self.bytes.as_non_null().len());
        self.home = HomeThread::current();
    }

    /// The first `len` bytes, which are no more than there are.
    #[inline]
    fn cells(&self, len: usize) -> &[UnsafeCell<u8>] {
        let bytes = self.bytes.as_non_null();
        debug_assert!(len <= bytes.len());
        let cells = NonNull::slice_from_raw_parts(bytes.cast::<UnsafeCell<u8>>(), len);
        // SAFETY: the bytes are borrowed for `'a`, which outlives `self`, and a cell of a byte has a byte's layout.
        // While `self` exists they are accessed through cells only, or by guards through pointers that come from them.
        unsafe { cells.as_ref() }
    }
}

// SAFETY: the base and the length are those of a slice that is borrowed exclusively for `'a`, so all accesses go
// through this value; they never change. The tracker, which serves these bytes alone, refuses what conflicts, gives no
// handle twice and orders releases before borrows. What it gives as open is whole units, and none while it has lent a
// region. Only on the home thread is a region ever found free, and the home changes under `&mut self` only, when no
// access is going on.
unsafe impl GuestMemory for GuestBytes<'_> {
    #[inline]
    fn base(&self) -> &[UnsafeCell<u8>] {
        self.cells(self.bytes.as_non_null().len())
    }

    #[inline]
    fn unborrowed(&self) -> &[UnsafeCell<u8>] {
        if !self.home.is_current() {
            return &[];
        }
        // SAFETY: this is the home of the memory and so that of its tracker.
        self.cells(unsafe { self.tracker.open_bytes() })
    }

    #[inline]
    fn has_outstanding_borrows(&self) -> bool {
        !self.home.is_current() || self.tracker.has_outstanding_at_home()
    }

    #[inline]
    fn is_mut_borrowed(&self, region: Region) -> bool {
        !self.home.is_current() || self.tracker.is_mut_borrowed(region)
    }

    #[inline]
    fn is_shared_borrowed(&self, region: Region) -> bool {
        self.tracker.is_shared_borrowed(region)
    }

    fn mut_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        self.tracker.mut_borrow(region)
    }

    fn shared_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        self.tracker.shared_borrow(region)
    }

    fn mut_unborrow(&self, handle: BorrowHandle) {
        self.tracker.mut_unborrow(handle);
    }

    fn shared_unborrow(&self, handle: BorrowHandle) {
        self.tracker.shared_unborrow(handle);
    }
}

/// Bytes that the host owns, with their tracker: the smallest owner of a guest memory, for tests and examples.
///
/// It shows what an owner does: the tracker lives beside the bytes and outlives every guard, even a forgotten one, and
/// the bytes do not move while anything is borrowed.
///
/// ```
/// use tumulus::error::Misuse;
/// use tumulus::guest::{GuestError, GuestMemory, HostMemory};
///
/// let mut memory = HostMemory::new(8);
/// std::mem::forget(memory.guest().ptr::<[u8]>((0, 4)).as_slice_mut()?);
/// assert_eq!(memory.grow_to(16), Err(Misuse::Borrowed));
/// assert!(memory.guest().ptr::<u8>(3).read().is_err());
/// assert_eq!(memory.guest().ptr::<u8>(4).read(), Ok(0));
/// # Ok::<(), GuestError>(())
/// ```
#[derive(Debug, Default)]
pub struct HostMemory {
    bytes: Vec<u8>,
    tracker: BorrowTracker,
}

impl HostMemory {
    /// `len` bytes, all zero.
    #[must_use]
    pub fn new(len: usize) -> HostMemory {
        HostMemory::from(vec![0; len])
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, to be changed.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The memory for guest pointers to work on. Its home is this thread.
    #[must_use]
    pub fn guest(&mut self) -> GuestBytes<'_> {
        GuestBytes::new(&mut self.bytes, &mut self.tracker)
    }

    /// Which regions are borrowed; after [`HostMemory::guest`] has ended, by forgotten guards.
    #[must_use]
    pub fn tracker(&self) -> &BorrowTracker {
        &self.tracker
    }

    /// Grows the memory to `len` bytes; the new ones are zero. Fewer than there are is no change.
    ///
    /// # Errors
    /// [`Misuse::Borrowed`] if a region is borrowed. Nothing has changed then.
    pub fn grow_to(&mut self, len: usize) -> Result<(), Misuse> {
        if self.tracker.has_outstanding() {
            return Err(Misuse::Borrowed);
        }
        if len > self.bytes.len() {
            self.bytes.resize(len, 0);
        }
        Ok(())
    }
}

impl From<Vec<u8>> for HostMemory {
    fn from(bytes: Vec<u8>) -> Self {
        HostMemory { bytes, tracker: BorrowTracker::new() }
    }
}
