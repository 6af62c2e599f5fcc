//! From a guest pointer to the bytes: the one place where they are checked and touched.
//!
//! Every access goes through [`locate`] and then, if the memory is unshared, through [`check_readable`] or
//! [`check_writable`], or it borrows the region. While nothing is borrowed that makes one test each for the alignment,
//! the bounds and the tracker's count.

use core::cell::UnsafeCell;
use core::{ptr, slice};

use super::{AddressWidth, GuestError, GuestMemory, Region};

/// The cells of `region`, which starts at a multiple of `align` and lies in what `W` can address.
#[inline]
pub(super) fn locate<W: AddressWidth>(
    memory: &dyn GuestMemory,
    region: Region,
    align: u32,
) -> Result<&[UnsafeCell<u8>], GuestError> {
    match cells::<W>(memory, region, align) {
        Some(cells) => Ok(cells),
        None => Err(refusal::<W>(memory, region, align)),
    }
}

#[inline]
fn cells<W: AddressWidth>(memory: &dyn GuestMemory, region: Region, align: u32) -> Option<&[UnsafeCell<u8>]> {
    let align = u64::from(align);
    if !region.start.is_multiple_of(align) {
        return None;
    }
    // An aligned region of that many bytes cannot reach across a power of two, so for numbers this compiles to nothing.
    if region.len > align && !in_address_space::<W>(region) {
        return None;
    }
    let start = usize::try_from(region.start).ok()?;
    let len = usize::try_from(region.len).ok()?;
    memory.base().get(start..start.checked_add(len)?)
}

fn in_address_space<W: AddressWidth>(region: Region) -> bool {
    match region.len.checked_sub(1) {
        Some(before) => region.start.checked_add(before).is_some_and(|last| last <= W::LAST),
        None => true,
    }
}

/// Why `region` has no cells. The gravest reason comes first.
#[cold]
fn refusal<W: AddressWidth>(memory: &dyn GuestMemory, region: Region, align: u32) -> GuestError {
    let size = memory.base().len() as u64;
    if !in_address_space::<W>(region) {
        GuestError::PtrOverflow(region)
    } else if region.end().is_none_or(|end| end > size) {
        GuestError::PtrOutOfBounds(region)
    } else {
        GuestError::PtrNotAligned(region, align)
    }
}

/// Refuses to read `region` of an unshared memory if somebody may be writing it.
#[inline]
fn check_readable(memory: &dyn GuestMemory, region: Region) -> Result<(), GuestError> {
    if memory.has_outstanding_borrows() { check_readable_among_borrows(memory, region) } else { Ok(()) }
}

#[cold]
fn check_readable_among_borrows(memory: &dyn GuestMemory, region: Region) -> Result<(), GuestError> {
    if memory.is_mut_borrowed(region) { Err(GuestError::PtrBorrowed(region)) } else { Ok(()) }
}

/// Refuses to write `region` of an unshared memory if somebody may be reading or writing it.
#[inline]
fn check_writable(memory: &dyn GuestMemory, region: Region) -> Result<(), GuestError> {
    if memory.has_outstanding_borrows() { check_writable_among_borrows(memory, region) } else { Ok(()) }
}

#[cold]
fn check_writable_among_borrows(memory: &dyn GuestMemory, region: Region) -> Result<(), GuestError> {
    let borrowed = memory.is_mut_borrowed(region) || memory.is_shared_borrowed(region);
    if borrowed { Err(GuestError::PtrBorrowed(region)) } else { Ok(()) }
}

/// Finds out whether a read of `region` would be refused.
pub(super) fn check_read<W: AddressWidth>(
    memory: &dyn GuestMemory,
    region: Region,
    align: u32,
) -> Result<(), GuestError> {
    locate::<W>(memory, region, align)?;
    if memory.is_shared_memory() { Ok(()) } else { check_readable(memory, region) }
}

/// Finds out whether a write of `region` would be refused.
pub(super) fn check_write<W: AddressWidth>(
    memory: &dyn GuestMemory,
    region: Region,
    align: u32,
) -> Result<(), GuestError> {
    locate::<W>(memory, region, align)?;
    if memory.is_shared_memory() { Ok(()) } else { check_writable(memory, region) }
}

/// Reads `N` bytes.
#[inline]
pub(super) fn load<const N: usize, W: AddressWidth>(
    memory: &dyn GuestMemory,
    start: W::Offset,
    align: u32,
) -> Result<[u8; N], GuestError> {
    let region = Region::new(start.into(), N as u64);
    let cells = locate::<W>(memory, region, align)?;
    if memory.is_shared_memory() {
        let mut bytes = [0; N];
        return memory.read_shared(region.start, &mut bytes).map(|()| bytes);
    }
    check_readable(memory, region)?;
    // SAFETY: `cells` are `N` initialised bytes, and an array of bytes needs no alignment. The memory is unshared, and
    // no guard writes to the region, nor can it before this is over: by the contract of `GuestMemory` no other thread
    // gets a region now.
    Ok(unsafe { cells.as_ptr().cast::<[u8; N]>().read() })
}

/// Writes `N` bytes.
#[inline]
pub(super) fn store<const N: usize, W: AddressWidth>(
    memory: &dyn GuestMemory,
    start: W::Offset,
    align: u32,
    bytes: [u8; N],
) -> Result<(), GuestError> {
    let region = Region::new(start.into(), N as u64);
    let cells = locate::<W>(memory, region, align)?;
    if memory.is_shared_memory() {
        return memory.write_shared(region.start, &bytes);
    }
    check_writable(memory, region)?;
    let target = UnsafeCell::raw_get(cells.as_ptr()).cast::<[u8; N]>();
    // SAFETY: `cells` are `N` bytes that may be written through, for which an array of bytes needs no alignment. The
    // memory is unshared, and no guard reads or writes the region, nor can it before this is over: by the contract of
    // `GuestMemory` no other thread gets a region now.
    unsafe { target.write(bytes) };
    Ok(())
}

/// Copies the bytes of `region`, which `cells` are, to `target`.
///
/// # Safety
/// `cells` come from `locate` for `memory` and `region`. As many bytes can be written at `target`, and nobody else
/// has access to them.
pub(super) unsafe fn copy_out(
    memory: &dyn GuestMemory,
    region: Region,
    cells: &[UnsafeCell<u8>],
    target: *mut u8,
) -> Result<(), GuestError> {
    if memory.is_shared_memory() {
        // SAFETY: as many bytes can be written there, by the caller's promise.
        unsafe { ptr::write_bytes(target, 0, cells.len()) };
        // SAFETY: they have just been initialised, and nobody else knows them.
        let target = unsafe { slice::from_raw_parts_mut(target, cells.len()) };
        return memory.read_shared(region.start, target);
    }
    check_readable(memory, region)?;
    // SAFETY: the source as in `load`, the target by the caller's promise, which also keeps the two apart.
    unsafe { ptr::copy_nonoverlapping(cells.as_ptr().cast::<u8>(), target, cells.len()) };
    Ok(())
}

/// Copies from `source` to the bytes of `region`, which `cells` are.
///
/// # Safety
/// `cells` come from `locate` for `memory` and `region`. As many initialised bytes can be read at `source`, and nobody
/// writes them meanwhile.
pub(super) unsafe fn copy_in(
    memory: &dyn GuestMemory,
    region: Region,
    source: *const u8,
    cells: &[UnsafeCell<u8>],
) -> Result<(), GuestError> {
    if memory.is_shared_memory() {
        // SAFETY: as many initialised bytes can be read there and nobody writes them, by the caller's promise.
        let source = unsafe { slice::from_raw_parts(source, cells.len()) };
        return memory.write_shared(region.start, source);
    }
    check_writable(memory, region)?;
    let target = UnsafeCell::raw_get(cells.as_ptr());
    // SAFETY: the target as in `store`, the source by the caller's promise. They may touch the same memory only if the
    // source is a guard's region, and that is not writable.
    unsafe { ptr::copy_nonoverlapping(source, target, cells.len()) };
    Ok(())
}
