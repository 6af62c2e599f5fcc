//! What of a memory is reached without its store: the record that compiled code reads, and the raw views.
//!
//! A room of `unsafe` code. The record of a memory is made with it, lives as long as it and never moves, so that
//! compiled code and handles can keep its address; only the owner of the memory writes to it.

use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::Ordering;

use super::Memory;
use crate::memory::LocalMemory;
use crate::provenance::{VMMemoryDefinition, VmPtr};

/// The owner of a memory's record.
#[derive(Debug)]
pub(super) struct DefinitionOwner(VmPtr<VMMemoryDefinition>);

fn base_of(memory: &LocalMemory) -> NonNull<u8> {
    NonNull::new(memory.base_ptr()).expect("the base of a memory is never null")
}

impl DefinitionOwner {
    /// The record of `memory`.
    pub(super) fn new(memory: &LocalMemory) -> DefinitionOwner {
        let record = Box::new(VMMemoryDefinition::new(base_of(memory), memory.byte_size()));
        DefinitionOwner(VmPtr::from(NonNull::from(Box::leak(record))))
    }

    /// The record's address, which holds for as long as the memory lives.
    pub(super) fn address(&self) -> VmPtr<VMMemoryDefinition> {
        self.0
    }

    /// Writes where `memory` is now and how long.
    pub(super) fn update(&mut self, memory: &LocalMemory) {
        let record = self.0.as_ptr();
        // SAFETY: the record was made by `new` and is given up in `drop` only. No reference to it exists: handles keep
        // its address, and whoever reads through it promises that the memory does not grow meanwhile.
        unsafe { (*record).base = VmPtr::from(base_of(memory)) };
        // SAFETY: as above.
        let length = unsafe { &(*record).current_length };
        length.store(memory.byte_size(), Ordering::Release);
    }
}

impl Drop for DefinitionOwner {
    fn drop(&mut self) {
        // SAFETY: the record came from a `Box` in `new`, and this is its only owner. Whoever reads through its address
        // promises that the memory is alive.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
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
