//! Linear memory in a buffer of the embedder's: for hosts that have set bytes aside, and want no other allocation.
//!
//! Builds on nothing. There is one buffer, so there is one memory at a time; its drop zeroes what it used and gives the
//! buffer back. No reservation beyond the buffer and no guard can be had.

use core::convert::Infallible;
use core::fmt;
use core::ptr::NonNull;
use core::slice;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::OutOfMemory;
use crate::memory::linear::{Request, Word, grow_by};
use crate::memory::try_box::try_box;
use crate::memory::{LinearMemory, MemoryCreator, MemoryType};
use crate::provenance::SendSyncPtr;

/// Makes memories in one buffer, one at a time. Clones share it.
///
/// ```
/// use tumulus::memory::{MemoryCreator, MemoryType, StaticBufferCreator};
///
/// let buffer: &'static mut [u8] = Box::leak(vec![0; 70_000].into_boxed_slice());
/// let creator = StaticBufferCreator::new(buffer);
/// let ty = MemoryType::new(1, None);
/// let memory = creator.new_memory(ty, 65_536, None, None, 0).unwrap();
/// assert_eq!(creator.new_memory(ty, 65_536, None, None, 0).err().unwrap(), "the buffer is in use");
/// drop(memory);
/// assert!(creator.new_memory(ty, 65_536, None, None, 0).is_ok());
/// ```
#[derive(Clone)]
pub struct StaticBufferCreator {
    /// The buffer, all zero, unless a memory has it.
    buffer: Arc<Mutex<Option<&'static mut [u8]>>>,
    capacity: usize,
}

impl StaticBufferCreator {
    /// Takes over `buffer` and zeroes it. Up to 15 bytes are left out at its start, so that memories are aligned.
    #[must_use]
    pub fn new(buffer: &'static mut [u8]) -> StaticBufferCreator {
        let unaligned = buffer.as_ptr().align_offset(Word::BYTES).min(buffer.len());
        let buffer = &mut buffer[unaligned..];
        buffer.fill(0);
        let capacity = buffer.len();
        StaticBufferCreator { buffer: Arc::new(Mutex::new(Some(buffer))), capacity }
    }

    /// How many bytes a memory can have.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }
}

impl fmt::Debug for StaticBufferCreator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticBufferCreator").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

// SAFETY: a memory has the buffer to itself, all zero; a minimum or a reservation that is longer is refused, and so is
// any guard.
unsafe impl MemoryCreator for StaticBufferCreator {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let request = Request::new(&ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?;
        let Request { minimum, maximum, reserved, .. } = request.without_guard("a memory in a buffer")?;
        let capacity = self.capacity;
        if reserved > capacity {
            return Err(format!("a memory of {reserved} bytes in a buffer of {capacity} bytes"));
        }
        let buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let buffer = buffer.ok_or("the buffer is in use")?;
        // An empty buffer may lie anywhere.
        let base = if capacity == 0 { SendSyncPtr::<Word>::dangling().as_non_null().cast() } else { start_of(buffer) };
        let byte_limit = maximum.unwrap_or(capacity).min(capacity);
        let creator = self.clone();
        Ok(try_box(StaticMemory { base: base.into(), byte_size: minimum, byte_limit, creator })?)
    }
}

fn start_of(buffer: &'static mut [u8]) -> NonNull<u8> {
    NonNull::from(buffer).cast()
}

/// A linear memory in the buffer.
struct StaticMemory {
    /// The start of the buffer, which is `creator.capacity` bytes long and in nobody else's hands.
    base: SendSyncPtr<u8>,
    byte_size: usize,
    byte_limit: usize,
    creator: StaticBufferCreator,
}

impl Drop for StaticMemory {
    fn drop(&mut self) {
        let StaticMemory { base, byte_size, ref creator, .. } = *self;
        // SAFETY: the buffer that `new_memory` took, for good, out of a `&'static mut`; whoever had the memory is gone.
        let buffer = unsafe { slice::from_raw_parts_mut(base.as_ptr(), creator.capacity) };
        buffer[..byte_size].fill(0);
        *creator.buffer.lock().unwrap_or_else(PoisonError::into_inner) = Some(buffer);
    }
}

// SAFETY: the base is the start of the buffer: aligned to 16 bytes, not null, outside this value, and there for ever.
// The bytes up to the size belong to this memory alone and are initialised. Only `grow_to` assigns the size, after its
// one check, and the base never moves. Bytes beyond the size are zero, since the creator zeroed them all and each drop
// what was used. A guard is never given.
unsafe impl LinearMemory for StaticMemory {
    #[inline]
    fn byte_size(&self) -> usize {
        self.byte_size
    }

    #[inline]
    fn byte_capacity(&self) -> usize {
        self.creator.capacity
    }

    fn grow_to(&mut self, new_size: usize) -> Result<(), OutOfMemory> {
        grow_by(&mut self.byte_size, new_size, self.byte_limit, || Ok::<_, Infallible>(()))
    }

    #[inline]
    fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OutOfMemoryKind;
    use crate::memory::LocalMemory;

    fn creator(bytes: Vec<u8>, from: usize) -> StaticBufferCreator {
        StaticBufferCreator::new(&mut Box::leak(bytes.into_boxed_slice())[from..])
    }

    fn memory(creator: &StaticBufferCreator, minimum: usize, maximum: Option<usize>) -> Result<LocalMemory, String> {
        creator.new_memory(MemoryType::new(0, None), minimum, maximum, None, 0).map(LocalMemory::new)
    }

    #[test]
    fn each_memory_finds_zeros() {
        let creator = creator(vec![0xFF; 1000], 0);
        for size in [1, creator.capacity(), 500] {
            let mut memory = memory(&creator, 0, None).unwrap();
            memory.grow_to(creator.capacity()).unwrap();
            assert!(memory.bytes().iter().all(|&byte| byte == 0));
            memory.bytes_mut()[..size].fill(0xEE);
        }
    }

    #[test]
    fn one_at_a_time() {
        let creator = creator(vec![0; 100], 0);
        let first = memory(&creator, 0, None).unwrap();
        assert_eq!(memory(&creator.clone(), 0, None).unwrap_err(), "the buffer is in use");
        drop(first);
        assert!(memory(&creator, 0, None).is_ok());
    }

    #[test]
    fn any_place_and_length_is_aligned_and_not_null() {
        for from in 0..=40 {
            let creator = creator(vec![1; 40], from);
            let memory = memory(&creator, creator.capacity(), None).unwrap();
            assert!(!memory.base_ptr().is_null() && memory.base_ptr().addr().is_multiple_of(16));
            assert!(creator.capacity() + 15 >= 40 - from);
        }
    }

    #[test]
    fn what_it_cannot_be_is_refused_and_takes_nothing() {
        let creator = creator(vec![0; 1016], 0);
        let ty = MemoryType::new(0, None);
        assert!(memory(&creator, 1017, None).unwrap_err().contains("a memory of 1017 bytes"));
        assert!(creator.new_memory(ty, 0, None, Some(1017), 0).is_err());
        assert!(creator.new_memory(ty, 0, None, None, 1).is_err());
        let mut memory = memory(&creator, 10, Some(50)).unwrap();
        let error = memory.grow_to(51).unwrap_err();
        assert_eq!((error.kind, error.limit, memory.byte_size()), (OutOfMemoryKind::TooLarge, 50, 10));
        memory.grow_to(50).unwrap();
    }
}
