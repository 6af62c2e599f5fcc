//! Owners of slots: who has one keeps its slot from being given to anybody else.
//!
//! Slots come in chunks. What says whether their owners were dropped is shared with these, so that one can be dropped on
//! any thread and after the store: that sets a flag, which the store looks for at its next convenience. No owner takes an
//! allocation or a lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Slots whose flags lie side by side.
pub(super) const CHUNK_SLOTS: usize = 128;

#[derive(Debug)]
struct Chunk {
    /// For each slot whether its owner was dropped.
    released: [AtomicBool; CHUNK_SLOTS],
    /// Whether that may be so for any. Set after the flag of the slot, and cleared before those are looked at.
    any: AtomicBool,
}

impl Chunk {
    fn new() -> Chunk {
        Chunk { released: [const { AtomicBool::new(false) }; CHUNK_SLOTS], any: AtomicBool::new(false) }
    }
}

/// Segments of 1, 2, 4 chunks and so on hold more slots than 32 bits can number.
const SEGMENTS: usize = 26;

/// The flags of one table's slots. Segments come as they are needed and stay where they are, since owners look at them;
/// a shared place for each chunk would do as well, but its memory could not be refused.
#[derive(Debug, Default)]
struct Flags([OnceLock<Vec<Chunk>>; SEGMENTS]);

impl Flags {
    /// The segment that a chunk is in, and its place there.
    fn place(chunk: usize) -> (usize, usize) {
        let segment = (chunk + 1).ilog2() as usize;
        (segment, chunk + 1 - (1 << segment))
    }

    #[inline]
    fn chunk(&self, chunk: usize) -> Option<&Chunk> {
        let (segment, place) = Flags::place(chunk);
        self.0.get(segment)?.get()?.get(place)
    }

    /// Makes sure that there is such a chunk; `false` if the host has no memory for it.
    fn reserve(&self, chunk: usize) -> bool {
        let (segment, _) = Flags::place(chunk);
        let Some(segment_chunks) = self.0.get(segment) else { return false };
        if segment_chunks.get().is_none() {
            let mut chunks = Vec::new();
            if chunks.try_reserve_exact(1 << segment).is_err() {
                return false;
            }
            chunks.extend((0..1 << segment).map(|_| Chunk::new()));
            // Only the table makes segments, and has this one not made yet.
            let _ = segment_chunks.set(chunks);
        }
        true
    }
}

/// The owner of one slot. Dropping it releases that.
#[derive(Debug)]
pub struct OwnedSlot {
    flags: Arc<Flags>,
    slot: u32,
}

impl Drop for OwnedSlot {
    #[inline]
    fn drop(&mut self) {
        let slot = self.slot as usize;
        let Some(chunk) = self.flags.chunk(slot / CHUNK_SLOTS) else { return };
        if let Some(released) = chunk.released.get(slot % CHUNK_SLOTS) {
            released.store(true, Ordering::Release);
        }
        chunk.any.store(true, Ordering::Release);
    }
}

/// The slots of one table, by whether they have owners.
#[derive(Debug, Default)]
pub(super) struct Owners {
    flags: Arc<Flags>,
    /// How many chunks of slots there are.
    chunks: usize,
    /// Slots without an owner. Always has room for all.
    free: Vec<u32>,
}

impl Owners {
    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.chunks * CHUNK_SLOTS
    }

    /// How many of them are owned, those included whose owners were dropped since the last [`Owners::reclaim`].
    pub(super) fn len(&self) -> usize {
        self.slots() - self.free.len()
    }

    /// A slot without an owner, and an owner for it; `None` if all have one.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(usize, OwnedSlot)> {
        let slot = self.free.pop()?;
        Some((slot as usize, OwnedSlot { flags: Arc::clone(&self.flags), slot }))
    }

    /// The slot of an owner; `None` if that is one of another table.
    #[inline]
    pub(super) fn slot_of(&self, owner: &OwnedSlot) -> Option<usize> {
        if Arc::ptr_eq(&self.flags, &owner.flags) { Some(owner.slot as usize) } else { None }
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
        if room_for_all.is_err() || !self.flags.reserve(self.chunks) {
            return false;
        }
        self.chunks += 1;
        self.free.extend((first..end).rev());
        true
    }

    /// Gives each slot whose owner was dropped to `release`, and then to whoever takes one next.
    ///
    /// # Errors
    /// The first error of `release`; that slot has no owner ever again.
    pub(super) fn reclaim<E>(&mut self, mut release: impl FnMut(usize) -> Result<(), E>) -> Result<(), E> {
        for (index, first) in (0..self.chunks).zip((0..).step_by(CHUNK_SLOTS)) {
            let Some(chunk) = self.flags.chunk(index) else { continue };
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
