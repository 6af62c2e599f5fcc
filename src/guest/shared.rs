//! Guest pointers into a memory that other threads change meanwhile: copies, and no slices.

use core::cell::UnsafeCell;

use super::{BorrowHandle, GuestError, GuestMemory, Region};
use crate::memory::SharedMemory;

/// Any thread may use the pointers. A number that another thread writes meanwhile may be read half old and half new.
///
/// ```
/// use tumulus::guest::GuestMemory;
/// use tumulus::memory::MemoryType;
/// use tumulus::store::{Engine, SharedMemory};
///
/// # fn main() -> tumulus::error::Result<()> {
/// let memory = SharedMemory::new(&Engine::default(), MemoryType::shared(1, 1))?;
/// memory.ptr::<u16>(2).write(0x0201)?;
/// assert_eq!(memory.atomic_load::<u8>(3)?, 2);
/// assert_eq!(memory.ptr::<[u8]>((2, 2)).to_vec()?, [1, 2]);
/// assert!(memory.ptr::<[u8]>((2, 2)).as_slice()?.is_none());
/// # Ok(())
/// # }
/// ```
// SAFETY: a shared memory never moves and never shrinks. All its accesses are atomic and of one size, and so are those
// here, since they are its own. No region is granted.
unsafe impl GuestMemory for SharedMemory {
    #[inline]
    fn base(&self) -> &[UnsafeCell<u8>] {
        self.data()
    }

    #[inline]
    fn unborrowed(&self) -> &[UnsafeCell<u8>] {
        &[]
    }

    #[inline]
    fn has_outstanding_borrows(&self) -> bool {
        false
    }

    #[inline]
    fn is_mut_borrowed(&self, _region: Region) -> bool {
        false
    }

    #[inline]
    fn is_shared_borrowed(&self, _region: Region) -> bool {
        false
    }

    /// Refuses: the region is in everybody's hands.
    fn mut_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        Err(GuestError::PtrBorrowed(region))
    }

    /// Refuses: the region is in everybody's hands.
    fn shared_borrow(&self, region: Region) -> Result<BorrowHandle, GuestError> {
        Err(GuestError::PtrBorrowed(region))
    }

    fn mut_unborrow(&self, _handle: BorrowHandle) {}

    fn shared_unborrow(&self, _handle: BorrowHandle) {}

    #[inline]
    fn is_shared_memory(&self) -> bool {
        true
    }

    fn read_shared(&self, offset: u64, target: &mut [u8]) -> Result<(), GuestError> {
        let region = Region::new(offset, target.len() as u64);
        let out_of_bounds = || GuestError::PtrOutOfBounds(region);
        let offset = usize::try_from(offset).map_err(|_| out_of_bounds())?;
        self.read(offset, target).map_err(|_| out_of_bounds())
    }

    fn write_shared(&self, offset: u64, source: &[u8]) -> Result<(), GuestError> {
        let region = Region::new(offset, source.len() as u64);
        let out_of_bounds = || GuestError::PtrOutOfBounds(region);
        let offset = usize::try_from(offset).map_err(|_| out_of_bounds())?;
        self.write(offset, source).map_err(|_| out_of_bounds())
    }
}
