//! The system calls, and nothing else: the only file that talks to the operating system about memory.
//!
//! Addresses and lengths are whole pages throughout. On Linux, address space is mapped without access and without a
//! claim on swap space, committed by giving access, and given back with Linux's own `DONTNEED` (the portable advice of
//! that name does nothing there). Elsewhere address space cannot be reserved, and the heap stands on a `Vec`.

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use linux::{discard, make_accessible, page_size, prefer_huge_pages, release, reserve};
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) use unsupported::{discard, make_accessible, page_size, prefer_huge_pages, release, reserve};

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use core::ptr::{self, NonNull};
    use std::io;

    use rustix::mm::{self, Advice, MapFlags, MprotectFlags, ProtFlags};

    /// Bytes in a page of the operating system: a power of two.
    #[inline]
    pub(in crate::memory) fn page_size() -> usize {
        rustix::param::page_size()
    }

    /// Reserves `bytes` of address space, a multiple of the page size and not 0, without access.
    pub(in crate::memory) fn reserve(bytes: usize) -> io::Result<NonNull<u8>> {
        #[cfg(test)]
        super::faults::injected()?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: with no address asked for, the kernel chooses pages that nothing uses.
        let base = unsafe { mm::mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::empty(), flags) }?;
        NonNull::new(base.cast::<u8>()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Makes pages readable and writable. On failure none of them has changed.
    ///
    /// # Safety
    /// `bytes` from `base` are pages of one reservation.
    pub(in crate::memory) unsafe fn make_accessible(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        #[cfg(test)]
        super::faults::injected()?;
        let access = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the pages are the caller's own, and more access takes nothing away from anybody.
        unsafe { mm::mprotect(base.as_ptr().cast(), bytes, access) }?;
        Ok(())
    }

    /// Gives the memory behind pages back; they read as zero from now on.
    ///
    /// # Safety
    /// `bytes` from `base` are accessible pages of one reservation, and no reference to them is alive.
    pub(in crate::memory) unsafe fn discard(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        #[cfg(test)]
        super::faults::injected()?;
        // SAFETY: private anonymous pages of the caller's, to which there are no references, become zero.
        unsafe { mm::madvise(base.as_ptr().cast(), bytes, Advice::LinuxDontNeed) }?;
        Ok(())
    }

    /// Asks for huge pages behind these pages.
    ///
    /// # Safety
    /// `bytes` from `base` are pages of one reservation.
    pub(in crate::memory) unsafe fn prefer_huge_pages(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        #[cfg(test)]
        super::faults::injected()?;
        // SAFETY: the pages are the caller's own; the advice changes neither their contents nor the access to them.
        unsafe { mm::madvise(base.as_ptr().cast(), bytes, Advice::LinuxHugepage) }?;
        Ok(())
    }

    /// Returns a reservation to the operating system.
    ///
    /// # Safety
    /// `base` and `bytes` are those of a whole reservation, and nothing uses it any more.
    pub(in crate::memory) unsafe fn release(base: NonNull<u8>, bytes: usize) {
        // The kernel refuses only if it had merged this mapping with a neighbour and has no room for the record of
        // the split. Nobody can act on that; the address space stays taken, and so stays harmless.
        // SAFETY: nothing uses the pages, by the caller's contract.
        let _ = unsafe { mm::munmap(base.as_ptr().cast(), bytes) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod unsupported {
    use core::ptr::NonNull;
    use std::io;

    fn refusal<T>() -> io::Result<T> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "address space cannot be reserved on this target"))
    }

    /// Bytes in a page: a stand-in, as nothing is ever mapped.
    #[inline]
    pub(in crate::memory) fn page_size() -> usize {
        4096
    }

    /// Refuses.
    pub(in crate::memory) fn reserve(_bytes: usize) -> io::Result<NonNull<u8>> {
        refusal()
    }

    /// Refuses.
    ///
    /// # Safety
    /// None: there are no reservations.
    pub(in crate::memory) unsafe fn make_accessible(_base: NonNull<u8>, _bytes: usize) -> io::Result<()> {
        refusal()
    }

    /// Refuses.
    ///
    /// # Safety
    /// None: there are no reservations.
    pub(in crate::memory) unsafe fn discard(_base: NonNull<u8>, _bytes: usize) -> io::Result<()> {
        refusal()
    }

    /// Refuses.
    ///
    /// # Safety
    /// None: there are no reservations.
    pub(in crate::memory) unsafe fn prefer_huge_pages(_base: NonNull<u8>, _bytes: usize) -> io::Result<()> {
        refusal()
    }

    /// Does nothing.
    ///
    /// # Safety
    /// None: there are no reservations.
    pub(in crate::memory) unsafe fn release(_base: NonNull<u8>, _bytes: usize) {}
}

/// Makes a system call of the current thread fail, so that tests see what is left behind.
#[cfg(all(test, target_os = "linux", not(miri)))]
pub(super) mod faults {
    use core::cell::Cell;
    use std::io;

    thread_local! {
        static CALLS_UNTIL_FAULT: Cell<Option<usize>> = const { Cell::new(None) };
    }

    /// Runs `body` with the call number `nth` (from 0) inside it failing; tells whether there was such a call.
    pub(in crate::memory) fn with_fault<T>(nth: usize, body: impl FnOnce() -> T) -> (T, bool) {
        CALLS_UNTIL_FAULT.set(Some(nth));
        let result = body();
        let failed = CALLS_UNTIL_FAULT.replace(None).is_none();
        (result, failed)
    }

    /// An error if the current call is the one to fail.
    pub(super) fn injected() -> io::Result<()> {
        match CALLS_UNTIL_FAULT.get() {
            None => Ok(()),
            Some(0) => {
                CALLS_UNTIL_FAULT.set(None);
                Err(io::ErrorKind::OutOfMemory.into())
            }
            Some(calls) => {
                CALLS_UNTIL_FAULT.set(Some(calls - 1));
                Ok(())
            }
        }
    }
}
