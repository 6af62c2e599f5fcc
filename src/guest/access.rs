//! From a guest pointer to the bytes: the one place where they are checked and touched.
//!
//! Every access goes through [`locate`] and then, if the memory is unshared, through [`check_readable`] or
//! [`check_writable`], or it borrows the region. Numbers take a short way past these while nothing is borrowed:
//! [`quick`], which is one test for the alignment and one for the bounds, the borrows and the thread together, because
//! to a thread that must not access a byte the memory has none.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::slice;

use super::memory::UNBORROWED_UNIT;
use super::{AddressWidth, GuestError, GuestMemory, Region};
use crate::memory::piece_bytes;

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
    if !region.start.is_multiple_of(align.into()) || !in_address_space::<W>(region) {
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

/// Where `N` bytes from a multiple of `N` on lie, if they can be accessed without another question.
///
/// It is kept to one comparison, because that is what loops of independent accesses are made of.
#[inline]
fn quick<const N: usize, W: AddressWidth>(memory: &dyn GuestMemory, start: W::Offset) -> Option<NonNull<[u8; N]>> {
    const { assert!(N.is_power_of_two() && N <= UNBORROWED_UNIT) };
    let start: u64 = start.into();
    let cells = memory.unborrowed();
    debug_assert!(cells.len().is_multiple_of(UNBORROWED_UNIT));
    if !start.is_multiple_of(N as u64) || start >= cells.len() as u64 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below a length")]
    let start = start as usize;
    // SAFETY: `start` is inside the cells.
    let first = unsafe { NonNull::from(cells).cast::<u8>().add(start) };
    // The number of cells and `start` are multiples of `N`, so `N` of them are there.
    Some(first.cast())
}

/// Reads `N` bytes from a multiple of `N` on.
#[inline]
pub(super) fn load<const N: usize, W: AddressWidth>(
    memory: &dyn GuestMemory,
    start: W::Offset,
) -> Result<[u8; N], GuestError> {
    match quick::<N, W>(memory, start) {
        // SAFETY: `N` initialised bytes, and an array of bytes needs no alignment. The memory is unshared, and no guard
        // writes to them, nor can it before this is over: by the contract of `GuestMemory` no other thread gets a
        // region now.
        Some(bytes) => Ok(unsafe { bytes.read() }),
        None => load_among_others::<N, W>(memory, start),
    }
}

/// The same in a memory that is shared, or of which something is borrowed, or where it ends.
#[cold]
#[inline(never)]
fn load_among_others<const N: usize, W: AddressWidth>(
    memory: &dyn GuestMemory,
    start: W::Offset,
) -> Result<[u8; N], GuestError> {
    let region = Region::new(start.into(), N as u64);
    let cells = locate::<W>(memory, region, align_of_number::<N>())?;
    let mut bytes = [0; N];
    // SAFETY: `cells` are those of `region`, and `bytes` are as many of our own.
    unsafe { copy_out(memory, region, cells, bytes.as_mut_ptr()) }?;
    Ok(bytes)
}

/// Writes `N` bytes to a multiple of `N` on.
#[inline]
pub(super) fn store<const N: usize, W: AddressWidth>(
    memory: &dyn GuestMemory,
    start: W::Offset,
    bytes: [u8; N],
) -> Result<(), GuestError> {
    match quick::<N, W>(memory, start) {
        Some(target) => {
            // SAFETY: `N` bytes that may be written through, for which an array of bytes needs no alignment. The memory
            // is unshared, and no guard reads or writes them, nor can it before this is over: by the contract of
            // `GuestMemory` no other thread gets a region now.
            unsafe { target.write(bytes) };
            Ok(())
        }
        None => store_among_others::<N, W>(memory, start, bytes),
    }
}

/// The same in a memory that is shared, or of which something is borrowed, or where it ends.
#[cold]
#[inline(never)]
fn store_among_others<const N: usize, W: AddressWidth>(
    memory: &dyn GuestMemory,
    start: W::Offset,
    bytes: [u8; N],
) -> Result<(), GuestError> {
    let region = Region::new(start.into(), N as u64);
    let cells = locate::<W>(memory, region, align_of_number::<N>())?;
    // SAFETY: `cells` are those of `region`, as many as `bytes`, which nobody else knows.
    unsafe { copy_in(memory, region, bytes.as_ptr(), cells) }
}

/// A number of `N` bytes is aligned to its size.
const fn align_of_number<const N: usize>() -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "asserted in the line before")]
    const {
        assert!(N <= UNBORROWED_UNIT);
        N as u32
    }
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
    unsafe { copy(cells.as_ptr().cast::<u8>(), target, cells.len()) };
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
    unsafe { copy(source, target, cells.len()) };
    Ok(())
}

/// Copies `len` bytes, in pieces where that is faster.
///
/// # Safety
/// As for [`ptr::copy_nonoverlapping`].
unsafe fn copy(source: *const u8, target: *mut u8, len: usize) {
    let piece = piece_bytes(len, source.addr().abs_diff(target.addr()));
    if piece == len {
        // SAFETY: by the caller's promise.
        return unsafe { ptr::copy_nonoverlapping(source, target, len) };
    }
    for start in (0..len).step_by(piece) {
        // SAFETY: inside of what the caller promised, since `start` is below `len`.
        let source = unsafe { source.add(start) };
        // SAFETY: likewise.
        let target = unsafe { target.add(start) };
        // SAFETY: it ends where the whole does, at the latest.
        unsafe { ptr::copy_nonoverlapping(source, target, piece.min(len - start)) };
    }
}
