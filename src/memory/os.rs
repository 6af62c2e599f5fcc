//! The system calls, and nothing else: the only file that talks to the operating system about memory.
//!
//! Addresses and lengths are whole pages throughout. On Linux, address space is mapped without access and without a
//! claim on swap space, committed by giving access, and given back with Linux's own `DONTNEED` (the portable advice of
//! that name does nothing there). Elsewhere address space cannot be reserved, and the heap stands on a `Vec`.
//!
//! A call that puts a new mapping in the place of an old one may have removed the old one when it fails: nobody may
//! touch or unmap the place then, because another thread's mapping may lie there already.

#[cfg(all(target_os = "linux", not(miri)))]
pub(super) use linux::{
    discard, make_accessible, make_inaccessible, page_size, place_file, prefer_huge_pages, release, reserve,
    reserve_again, sealed_file, view,
};
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) use unsupported::{
    discard, make_accessible, make_inaccessible, page_size, place_file, prefer_huge_pages, release, reserve,
    reserve_again, sealed_file, view,
};

/// A file's bytes, mapped privately and only to be read.
pub(super) type View = memmap2::Mmap;

/// Never an error: faults are for tests.
#[cfg(all(not(any(test, feature = "testkit")), target_os = "linux", not(miri)))]
#[inline]
fn injected() -> std::io::Result<()> {
    Ok(())
}

#[cfg(all(any(test, feature = "testkit"), target_os = "linux", not(miri)))]
use crate::memory::faults::injected;

#[cfg(all(target_os = "linux", not(miri)))]
mod linux {
    use core::ptr::{self, NonNull};
    use std::fs::File;
    use std::io;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use rustix::mm::{self, Advice, MapFlags, MprotectFlags, ProtFlags};

    use super::{View, injected};

    /// Bytes in a page of the operating system: a power of two.
    #[inline]
    pub(in crate::memory) fn page_size() -> usize {
        rustix::param::page_size()
    }

    /// Reserves `bytes` of address space, a multiple of the page size and not 0, without access.
    pub(in crate::memory) fn reserve(bytes: usize) -> io::Result<NonNull<u8>> {
        injected()?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: with no address asked for, the kernel chooses pages that nothing uses.
        let base = unsafe { mm::mmap_anonymous(ptr::null_mut(), bytes, ProtFlags::empty(), flags) }?;
        NonNull::new(base.cast::<u8>()).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Puts pages back into the state of [`reserve`]: no access, and zero when they become accessible.
    ///
    /// # Safety
    /// `bytes` from `base`, not 0, are pages of one reservation, and no reference to them is alive. After a failure they
    /// are not touched or unmapped any more.
    pub(in crate::memory) unsafe fn reserve_again(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        injected()?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the pages are the caller's own, and there are no references to what they held.
        unsafe { mm::mmap_anonymous(base.as_ptr().cast(), bytes, ProtFlags::empty(), flags) }?;
        Ok(())
    }

    /// Puts the first `bytes` bytes of `file` at `base`, accessible and private: a page is copied when it is written.
    ///
    /// # Safety
    /// As for [`reserve_again`]. The file has that many bytes, rounded up to whole pages or not, and neither they nor
    /// its length change as long as the pages are mapped.
    pub(in crate::memory) unsafe fn place_file(base: NonNull<u8>, bytes: usize, file: &File) -> io::Result<()> {
        injected()?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the pages are the caller's own, there are no references to what they held, and the file stays.
        unsafe { mm::mmap(base.as_ptr().cast(), bytes, access, flags, file, 0) }?;
        Ok(())
    }

    /// Makes pages readable and writable.
    ///
    /// On failure they hold what they held; those that were accessible still are.
    ///
    /// # Safety
    /// `bytes` from `base` are pages of one reservation.
    pub(in crate::memory) unsafe fn make_accessible(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        injected()?;
        let access = MprotectFlags::READ | MprotectFlags::WRITE;
        // SAFETY: the pages are the caller's own, and more access takes nothing away from anybody.
        unsafe { mm::mprotect(base.as_ptr().cast(), bytes, access) }?;
        Ok(())
    }

    /// Takes the access to pages away; they keep what they hold. On failure any of them may be inaccessible.
    ///
    /// # Safety
    /// `bytes` from `base` are pages of one reservation, and no reference to them is alive.
    pub(in crate::memory) unsafe fn make_inaccessible(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        injected()?;
        // SAFETY: the pages are the caller's own, to which there are no references.
        unsafe { mm::mprotect(base.as_ptr().cast(), bytes, MprotectFlags::empty()) }?;
        Ok(())
    }

    /// Gives the memory behind pages back: those of a file read as in the file from now on, the others as zero. On
    /// failure that is so for some of them.
    ///
    /// # Safety
    /// `bytes` from `base` are accessible pages of one reservation, and no reference to them is alive.
    pub(in crate::memory) unsafe fn discard(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        injected()?;
        // SAFETY: private pages of the caller's, to which there are no references, become what they were at first.
        unsafe { mm::madvise(base.as_ptr().cast(), bytes, Advice::LinuxDontNeed) }?;
        Ok(())
    }

    /// Asks for huge pages behind these pages.
    ///
    /// # Safety
    /// `bytes` from `base` are pages of one reservation.
    pub(in crate::memory) unsafe fn prefer_huge_pages(base: NonNull<u8>, bytes: usize) -> io::Result<()> {
        injected()?;
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

    /// A file in memory without a name, which `fill` has written; nothing can change it or its length any more.
    pub(in crate::memory) fn sealed_file(fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
        injected()?;
        let file = File::from(memfd_create("tumulus image", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        fill(&file)?;
        fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(file)
    }

    /// The first `bytes` bytes of `file`, to be read.
    ///
    /// # Safety
    /// The file has that many bytes, and neither they nor its length change as long as the view exists.
    pub(in crate::memory) unsafe fn view(file: &File, bytes: usize) -> io::Result<View> {
        injected()?;
        // SAFETY: the file stays as it is, by the caller's contract.
        unsafe { memmap2::MmapOptions::new().len(bytes).map_copy_read_only(file) }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod unsupported {
    use core::ptr::NonNull;
    use std::fs::File;
    use std::io;

    use super::View;

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
    pub(in crate::memory) unsafe fn reserve_again(_base: NonNull<u8>, _bytes: usize) -> io::Result<()> {
        refusal()
    }

    /// Refuses.
    ///
    /// # Safety
    /// None: there are no reservations.
    pub(in crate::memory) unsafe fn place_file(_base: NonNull<u8>, _bytes: usize, _file: &File) -> io::Result<()> {
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
    pub(in crate::memory) unsafe fn make_inaccessible(_base: NonNull<u8>, _bytes: usize) -> io::Result<()> {
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

    /// Refuses.
    pub(in crate::memory) fn sealed_file(_fill: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
        refusal()
    }

    /// Refuses.
    ///
    /// # Safety
    /// None: nothing is mapped.
    pub(in crate::memory) unsafe fn view(_file: &File, _bytes: usize) -> io::Result<View> {
        refusal()
    }
}
