//! What of a memory is reached without its store: the record that compiled code reads, and the raw views.
//!
//! A room of `unsafe` code. The record of a memory is made with it, lives as long as it and never moves, so that
//! compiled code and handles can keep its address; only the owner of the memory writes to it.

use core::ptr::NonNull;
use core::slice;

use super::Memory;
use crate::memory::LocalMemory;
use crate::provenance::VMMemoryDefinition;

/// The record of a memory as it is now.
pub(super) fn definition_of(memory: &LocalMemory) -> VMMemoryDefinition {
    let base = NonNull::new(memory.base_ptr()).expect("the base of a memory is never null");
    VMMemoryDefinition::new(base, memory.byte_size())
}

impl Memory {
    /// The bytes, without the store.
    ///
    /// Prefer [`Memory::data`], whose borrow covers the store, so that the compiler sees to all of this.
    ///
    /// # Safety
    /// For as long as the slice lives: the store is alive, nothing grows this memory, nothing writes to it (a guest, a
    /// host function, [`Memory::write`]), and no exclusive slice of it exists.
    #[must_use]
    pub unsafe fn data_unchecked(&self) -> &[u8] {
        // SAFETY: the caller promises the same of the shared slice, except that there may be others like it.
        let (base, length) = unsafe { self.parts() };
        // SAFETY: `base` and `length` are those of the memory's bytes, which are initialised. The caller promises that
        // they stay there and unchanged for as long as the slice lives.
        unsafe { slice::from_raw_parts(base, length) }
    }

    /// The bytes to write to, without the store.
    ///
    /// Prefer [`Memory::data_mut`], whose borrow covers the store, so that the compiler sees to all of this.
    ///
    /// # Safety
    /// For as long as the slice lives: the store is alive, nothing grows this memory, nothing else reads or writes it
    /// (a guest, a host function, [`Memory::read`]), and no other slice of it exists.
    #[must_use]
    #[expect(clippy::mut_from_ref, reason = "the published older form; the caller vouches for what the borrow cannot")]
    pub unsafe fn data_unchecked_mut(&self) -> &mut [u8] {
        // SAFETY: the caller promises the same of the slice.
        let (base, length) = unsafe { self.parts() };
        // SAFETY: as in `data_unchecked`; the caller promises that nothing else accesses the bytes meanwhile.
        unsafe { slice::from_raw_parts_mut(base, length) }
    }

    /// Where the bytes are now and how many.
    ///
    /// # Safety
    /// The store is alive and nothing grows this memory during the call.
    unsafe fn parts(&self) -> (*mut u8, usize) {
        // SAFETY: the record lives as long as the store, which the caller promises is alive; it is written when the
        // memory grows only, which the caller promises it does not.
        let record = unsafe { &*self.definition.as_ptr() };
        (record.base.as_ptr(), record.length())
    }
}
