//! Owners of slots: who has one keeps its slot from being given to anybody else.
//!
//! Slots come in chunks. An owner shares its chunk with the store, so that it can be dropped on any thread and after
//! the store: that sets a flag, which the store looks for at its next convenience. No owner takes an allocation or a
//! lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Slots whose flags lie side by side.
pub(super) const CHUNK_SLOTS: usize = 128;

#[derive(Debug)]
struct Chunk {
    /// For each slot whether its owner was dropped.
    released: [AtomicBool; CHUNK_SLOTS],
    /// Whether that may be so for any. Set after the flag of the slot, and cleared before those are looked at.
    any: AtomicBool,
}

/// The owner of one slot. Dropping it releases that.
#[derive(Debug)]
pub struct OwnedSlot {
    chunk: Arc<Chunk>,
    slot: u32,
}

impl Drop for OwnedSlot {
    #[inline]
    fn drop(&mut self) {
        if let Some(released) = self.chunk.released.get(self.slot as usize % CHUNK_SLOTS) {
            released.store(true, Ordering::Release);
        }
        self.chunk.any.store(true, Ordering::Release);
    }
}

/// The slots of one table, by whether they have owners.
#[derive(Debug, Default)]
pub(super) struct Owners {
    chunks: Vec<Arc<Chunk>>,
    /// Slots without an owner. Always has room for all.
    free: Vec<u32>,
}

impl Owners {
    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.chunks.len() * CHUNK_SLOTS
    }

    /// How many of them are owned, those included whose owners were dropped since the last [`Owners::reclaim`].
    pub(super) fn len(&self) -> usize {
        self.slots() - self.free.len()
    }

    /// A slot without an owner, and an owner for it; `None` if all have one.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(usize, OwnedSlot)> {
        let slot = self.free.pop()?;
        let chunk = Arc::clone(self.chunks.get(slot as usize / CHUNK_SLOTS)?);
        Some((slot as usize, OwnedSlot { chunk, slot }))
    }

    /// The slot of an owner; `None` if that is one of another table.
    #[inline]
    pub(super) fn slot_of(&self, owner: &OwnedSlot) -> Option<usize> {
        let slot = owner.slot as usize;
        let chunk = self.chunks.get(slot / CHUNK_SLOTS)?;
        if Arc::ptr_eq(chunk, &owner.chunk) { Some(slot) } else { None }
    }

    /// Whether so few slots have no owner that to look for dropped owners again would cost each of them much.
    pub(super) fn is_short(&self) -> bool {
        self.free.len() <= self.slots() / 4
    }

    /// Adds a chunk of slots without owners; `false` if there would be more than 2^32 slots, or the host has no memory.
    pub(super) fn grow(&mut self) -> bool {
        let start = self.slots();
        let (Ok(first), Ok(end)) = (u32::try_from(start), u32::try_from(start + CHUNK_SLOTS)) else { return false };
        let room_for_all = self.free.try_reserve(start + CHUNK_SLOTS - self.free.len());
        if room_for_all.is_err() || self.chunks.try_reserve(1).is_err() {
            return false;
        }
        let released = [const { AtomicBool::new(false) }; CHUNK_SLOTS];
        self.chunks.push(Arc::new(Chunk { released, any: AtomicBool::new(false) }));
        self.free.extend((first..end).rev());
        true
    }

    /// Gives each slot whose owner was dropped to `release`, and then to whoever takes one next.
    ///
    /// # Errors
    /// The first error of `release`; that slot has no owner ever again.
    pub(super) fn reclaim<E>(&mut self, mut release: impl FnMut(usize) -> Result<(), E>) -> Result<(), E> {
        for (chunk, first) in self.chunks.iter().zip((0..).step_by(CHUNK_SLOTS)) {
            if !chunk.any.load(Ordering::Relaxed) || !chunk.any.swap(false, Ordering::Acquire) {
                continue;
            }
            for (released, slot) in chunk.released.iter().zip(first..) {
                if released.load(Ordering::Acquire) {
                    released.store(false, Ordering::Relaxed);
                    release(slot as usize)?;
                    self.free.push(slot);
                }
            }
        }
        Ok(())
    }
}
