//! What traces share: where objects may lie, and how one is moved or armed.

use crate::error::{Corruption, CorruptionKind};
use crate::memory::copy_within;
use crate::object::{self, VMGcHeader};
use crate::space::BlockTable;

/// Small objects are at most an eighth of a block and lie in one block.
#[inline]
pub(super) fn check_fits_block(blocks: &BlockTable, at: u32, size: u32) -> Result<(), Corruption> {
    if size > blocks.small_bytes_max() || !fits_block(blocks.block_bytes(), at, size) {
        return Err(Corruption::new(CorruptionKind::BadSize, at));
    }
    Ok(())
}

/// Whether `size` bytes at `at`, no more than a block has, lie in one block.
#[inline(always)]
pub(super) fn fits_block(block_bytes: u32, at: u32, size: u32) -> bool {
    (at & (block_bytes - 1)) + size <= block_bytes
}

/// Large objects lie at the start of their run.
pub(super) fn check_fits_run(blocks: &BlockTable, at: u32, size: u32) -> Result<(), Corruption> {
    match blocks.large_at(at) {
        Some(run) if size <= run.bytes => Ok(()),
        _ => Err(Corruption::new(CorruptionKind::BadSize, at)),
    }
}

/// Sets the LOG bit of an object that has references, in its header.
#[inline]
pub(super) fn arm(bytes: &mut [u8], at: u32, header: VMGcHeader) {
    if !header.is_log() {
        let armed = object::store_u32(bytes, at as usize, header.with_log(true).bits());
        debug_assert!(armed.is_some(), "decode found the object inside the heap");
    }
}

/// Where the object at `at` says that it moved to, if it does. Not checked in any way.
#[inline]
pub(super) fn forwarded(bytes: &[u8], at: u32) -> Option<u32> {
    object::load_u32(bytes, at as usize).map(VMGcHeader::from_bits).and_then(VMGcHeader::forwarded_to)
}

/// Copies an object and leaves a forwarding word in its old place. Both places are inside the heap: the caller decoded
/// the one and took the other.
#[inline]
pub(super) fn move_object(bytes: &mut [u8], from: u32, to: u32, size: u32) {
    if size < SMALL_MOVE_BYTES {
        let moved = move_small(bytes, from, to, size);
        debug_assert!(moved.is_some(), "both places are inside the heap");
    } else {
        copy_within(bytes, from as usize..(from + size) as usize, to as usize);
        let stored = leave_forwarding(bytes, from, to);
        debug_assert!(stored.is_some(), "decode found the object inside the heap");
    }
}

/// The same for less than [`SMALL_MOVE_BYTES`] bytes; `None` if a place is not inside the heap.
#[inline(always)]
pub(super) fn move_small(bytes: &mut [u8], from: u32, to: u32, size: u32) -> Option<()> {
    copy_small(bytes, from as usize, to as usize, size)?;
    leave_forwarding(bytes, from, to)
}

#[inline(always)]
fn leave_forwarding(bytes: &mut [u8], from: u32, to: u32) -> Option<()> {
    object::store_u32(bytes, from as usize, VMGcHeader::forwarding(to).bits())
}

/// Objects below so many bytes are moved through registers.
pub(super) const SMALL_MOVE_BYTES: u32 = 64;

/// Copies less than 64 bytes, a multiple of 8, through registers: most objects are so small that a call of `memmove` takes
/// longer. As numbers, or the compiler makes that call of it.
#[inline(always)]
fn copy_small(bytes: &mut [u8], mut from: usize, mut to: usize, size: u32) -> Option<()> {
    if size & 32 != 0 {
        let [low, high] = [from, from + 16].map(|at| object::load(bytes, at).map(u128::from_le_bytes));
        object::store(bytes, to, low?.to_le_bytes())?;
        object::store(bytes, to + 16, high?.to_le_bytes())?;
        (from, to) = (from + 32, to + 32);
    }
    if size & 16 != 0 {
        object::store(bytes, to, u128::from_le_bytes(object::load(bytes, from)?).to_le_bytes())?;
        (from, to) = (from + 16, to + 16);
    }
    if size & 8 != 0 {
        object::store(bytes, to, u64::from_le_bytes(object::load(bytes, from)?).to_le_bytes())?;
    }
    Some(())
}
