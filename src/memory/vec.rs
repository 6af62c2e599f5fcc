//! Linear memory on an ordinary allocation: for hosts without mappings, for small memories, and for tests that want
//! the base to move.
//!
//! Builds on `Vec` alone. There is no guard, and nothing can be given back before the memory is dropped.

use core::ptr::NonNull;
use std::collections::TryReserveError;

use crate::error::OutOfMemory;
use crate::memory::linear::{HOST_LIMIT, Request, Word, capacity_after_move, check_growth, grow_by, refused_by_host};
use crate::memory::try_box::try_box;
use crate::memory::{LinearMemory, MemoryCreator, MemoryType};
use crate::provenance::SendSyncPtr;

/// A linear memory on a `Vec`, whose base may move whenever it outgrows its capacity.
#[derive(Debug)]
pub struct VecMemory {
    /// The words that `byte_size` takes, and room for more.
    words: Vec<Word>,
    /// Of `words`, taken with `as_mut_ptr` after the last change of its capacity.
    base: SendSyncPtr<u8>,
    byte_size: usize,
    byte_limit: usize,
}

impl VecMemory {
    /// A memory of `minimum` bytes that may grow up to `maximum` bytes, and up to `reserved` bytes without moving.
    ///
    /// # Errors
    /// The minimum is above the maximum, or there is not enough memory.
    pub fn new(minimum: usize, maximum: Option<usize>, reserved: usize) -> Result<VecMemory, OutOfMemory> {
        let byte_limit = maximum.unwrap_or(HOST_LIMIT).min(HOST_LIMIT);
        check_growth(0, minimum, byte_limit)?;
        let capacity = reserved.max(minimum);
        let mut words = Vec::new();
        words
            .try_reserve_exact(capacity.div_ceil(Word::BYTES))
            .map_err(|_| refused_by_host(0, capacity, byte_limit))?;
        words.resize(minimum.div_ceil(Word::BYTES), Word::ZERO);
        Ok(VecMemory { base: base_of(&mut words), words, byte_size: minimum, byte_limit })
    }
}

fn base_of(words: &mut Vec<Word>) -> SendSyncPtr<u8> {
    NonNull::new(words.as_mut_ptr().cast::<u8>()).expect("a vector's pointer is never null").into()
}

// SAFETY: the base is that of a vector of 16-byte words: aligned so, not null, and behind a pointer, so that moving the
// value does not move it. The vector has as many words as the size needs, all initialised; only `grow_to` touches it, to
// add words behind those that there are, and takes the base anew where that has moved them. The size only grows, after
// everything that may fail; a `Vec` keeps its contents and, within its capacity, its place. New words are zero, and so
// are the bytes beyond the size in the last word, since nothing may write there before the size covers them. A guard is
// never given.
unsafe impl LinearMemory for VecMemory {
    #[inline]
    fn byte_size(&self) -> usize {
        self.byte_size
    }

    #[inline]
    fn byte_capacity(&self) -> usize {
        // A vector's allocation is at most `isize::MAX` bytes, so the product fits.
        self.words.capacity() * Word::BYTES
    }

    fn grow_to(&mut self, new_size: usize) -> Result<(), OutOfMemory> {
        let VecMemory { words, base, byte_size, byte_limit } = self;
        let limit = *byte_limit;
        grow_by(byte_size, new_size, limit, || {
            let needed = new_size.div_ceil(Word::BYTES);
            if needed > words.capacity() {
                let capacity = capacity_after_move(words.capacity(), needed, limit.div_ceil(Word::BYTES));
                words.try_reserve_exact(capacity - words.len())?;
                *base = base_of(words);
            }
            words.resize(needed, Word::ZERO);
            Ok::<_, TryReserveError>(())
        })
    }

    #[inline]
    fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }
}

/// Makes each memory on a `Vec` of its own; refuses to be asked for a guard.
///
/// ```
/// use std::sync::Arc;
/// use tumulus::memory::{MemoryCreator, MemoryType, VecMemoryCreator};
/// use tumulus::store::{Config, Engine, Memory, Store};
///
/// let mut config = Config::new();
/// config.memory_creator(Arc::new(VecMemoryCreator)).memory_reservation(0);
/// let mut store = Store::new(&Engine::new(&config)?, ());
/// let memory = Memory::new(&mut store, MemoryType::new(1, None))?;
/// memory.write(&mut store, 10, b"kept").expect("inside");
/// memory.grow(&mut store, 100)?;
/// assert_eq!(&memory.data(&store)[10..15], b"kept\0", "wherever it is now");
/// assert!(VecMemoryCreator.new_memory(MemoryType::new(1, None), 65_536, None, None, 4096).is_err(), "no guard");
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct VecMemoryCreator;

// SAFETY: `VecMemory` has the minimum as its size and room for the reservation, or it is not made; a guard, which it
// cannot have, is refused.
unsafe impl MemoryCreator for VecMemoryCreator {
    fn new_memory(
        &self,
        ty: MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let request = Request::new(&ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?;
        let Request { minimum, maximum, reserved, .. } = request.without_guard("a memory on a Vec")?;
        Ok(try_box(VecMemory::new(minimum, maximum, reserved).map_err(|error| error.to_string())?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OutOfMemoryKind;
    use crate::memory::LocalMemory;

    #[test]
    fn any_size_has_an_aligned_base() {
        for size in [0, 1, 15, 16, 17, 65_535, 65_536] {
            let memory = VecMemory::new(size, None, 0).unwrap();
            assert_eq!(memory.byte_size(), size);
            assert!(memory.byte_capacity() >= size);
            assert!(!memory.as_ptr().is_null());
            assert_eq!(memory.as_ptr().addr() % 16, 0);
        }
    }

    #[test]
    fn growth_within_the_capacity_never_moves() {
        let mut memory = LocalMemory::new(Box::new(VecMemory::new(1, None, 10_000).unwrap()));
        let base = memory.base_ptr();
        assert!(memory.byte_capacity() >= 10_000);
        for size in [2, 17, 4096, 9999, 10_000] {
            memory.grow_to(size).unwrap();
            assert_eq!((memory.byte_size(), memory.base_ptr()), (size, base));
            *memory.bytes_mut().last_mut().unwrap() = 1;
        }
    }

    #[test]
    fn growth_beyond_it_reserves_half_as_much_again() {
        let mut memory = LocalMemory::new(Box::new(VecMemory::new(1600, None, 0).unwrap()));
        memory.bytes_mut().fill(7);
        memory.grow_to(1601).unwrap();
        assert!(memory.byte_capacity() >= 2400);
        assert!(memory.bytes()[..1600].iter().all(|&byte| byte == 7));
        assert_eq!(memory.bytes()[1600..], [0]);
    }

    #[test]
    fn bytes_beyond_an_odd_size_are_zero_when_they_come() {
        let mut memory = LocalMemory::new(Box::new(VecMemory::new(0, None, 0).unwrap()));
        for size in 1..200 {
            memory.grow_to(size).unwrap();
            assert_eq!(memory.bytes().last(), Some(&0));
            memory.bytes_mut().fill(0xEE);
        }
    }

    #[test]
    fn refusals_change_nothing() {
        let mut memory = VecMemory::new(10, Some(100), 0).unwrap();
        let error = memory.grow_to(101).unwrap_err();
        assert_eq!((error.kind, error.asked, error.limit), (OutOfMemoryKind::TooLarge, 101, 100));
        memory.grow_to(100).unwrap();

        let mut memory = VecMemory::new(10, None, 0).unwrap();
        let error = memory.grow_to(isize::MAX.unsigned_abs()).unwrap_err();
        assert_eq!((error.kind, error.in_use), (OutOfMemoryKind::Host, 10));
        assert_eq!(memory.grow_to(usize::MAX).unwrap_err().kind, OutOfMemoryKind::TooLarge);
        assert_eq!(memory.byte_size(), 10);
        memory.grow_to(11).unwrap();

        assert_eq!(VecMemory::new(6, Some(5), 0).unwrap_err().kind, OutOfMemoryKind::TooLarge);
        assert_eq!(VecMemory::new(0, None, usize::MAX).unwrap_err().kind, OutOfMemoryKind::Host);
    }

    #[test]
    fn the_creator_refuses_a_guard() {
        let ty = MemoryType::new(0, None);
        let refusal = VecMemoryCreator.new_memory(ty, 0, None, None, 1).err().unwrap();
        assert_eq!(refusal, "a guard of 1 bytes, which a memory on a Vec cannot have");
        let memory = VecMemoryCreator.new_memory(ty, 7, Some(9), Some(100), 0).unwrap();
        assert_eq!(memory.byte_size(), 7);
        assert!(memory.byte_capacity() >= 100);
        assert!(VecMemoryCreator.new_memory(ty, 8, Some(7), None, 0).is_err());
    }
}
