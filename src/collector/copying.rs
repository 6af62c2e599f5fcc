//! The copying collector: two sets of blocks and Cheney's scan; large objects are marked where they lie.
//!
//! Small objects go into blocks; a cycle evacuates all that live into fresh blocks and frees the old ones. Growth
//! adds blocks and nothing has to be rebalanced. So that a cycle can never run out of room on its way, nor leave a
//! heap behind that the next cycle could not evacuate, the heap always has places for two copies of its objects in
//! their worst packing, and the blocks for the second are committed before anything moves.

use super::audit::check_untagged;
use super::{Audit, Collector, CollectorTraits, Cycle, CyclePhase, CycleReport, HeapParts, RefillError, Request};
use crate::error::{Corruption, OutOfMemory};
use crate::space::{BlockTable, LargeRun, Window};
use crate::trace::{Budget, Destinations, Evacuator, Progress};

pub(super) const TRAITS: CollectorTraits = CollectorTraits {
    name: "copying",
    summary: "evacuates all live objects into fresh blocks; simple, compact, needs room for a second copy",
    moves: true,
    ..CollectorTraits::FULL
};

/// Evacuates everything that lives.
#[derive(Debug, Default)]
pub struct Copying {
    destinations: Destinations,
    /// The largest piece of a block that is free: behind the survivors of the last cycle, or of a retired window.
    leftover: Window,
    /// Bytes of the objects in blocks, an open window counted as if it were full.
    object_bytes: u64,
}

impl Copying {
    /// A collector of an empty heap.
    #[must_use]
    pub fn new() -> Copying {
        Copying::default()
    }

    /// Blocks that objects of `bytes` bytes in all can take: an object is at most an eighth of a block, so that each
    /// block but the last is filled to seven eighths at least (the first of the heap too, which is 8 bytes short).
    fn blocks_for(bytes: u64, block_bytes: u32) -> usize {
        let blocks = (8 * bytes).div_ceil(7 * u64::from(block_bytes));
        usize::try_from(blocks).unwrap_or(usize::MAX / 4)
    }

    /// The most bytes of objects that can all be evacuated, and after that once more.
    fn most_bytes(blocks: &BlockTable) -> u64 {
        let places = blocks.used_blocks() + blocks.free_blocks() + blocks.growable_blocks();
        Self::bytes_of(places / 2, blocks)
    }

    /// The most bytes of objects that `count` blocks take in the worst packing: the inverse of `blocks_for`. A block's
    /// bytes are a multiple of 64.
    fn bytes_of(count: usize, blocks: &BlockTable) -> u64 {
        count as u64 * 7 * u64::from(blocks.block_bytes() / 8)
    }

    /// The most bytes of objects that can be evacuated, and after that once more, with what is committed, after
    /// `taken` free blocks more are used. A cycle may leave more blocks in use than it found: it packs anew.
    fn committed_bytes_for_copies(blocks: &BlockTable, taken: usize) -> u64 {
        let free = blocks.free_blocks().saturating_sub(taken);
        Self::bytes_of(free.min((blocks.used_blocks() + blocks.free_blocks()) / 2), blocks)
    }

    /// Whether all objects can be evacuated, and after that once more.
    fn has_reserve(&self, blocks: &BlockTable) -> bool {
        self.object_bytes <= Self::most_bytes(blocks)
    }

    /// Notes a free piece of a block, to be handed out later if it is the largest.
    fn keep(&mut self, piece: Window) {
        if piece.room() > self.leftover.room() {
            self.leftover = piece;
        }
    }
}

impl Collector for Copying {
    fn traits(&self) -> CollectorTraits {
        TRAITS
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        self.object_bytes -= u64::from(window.room());
        if self.leftover.cursor == window.limit {
            // What `refill` cut off this window.
            self.leftover.cursor = window.cursor;
        } else {
            self.keep(window);
        }
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        let headroom = Self::most_bytes(parts.blocks).saturating_sub(self.object_bytes);
        if headroom < u64::from(bytes) {
            return Err(RefillError::Full);
        }
        // The places of the copies are committed before the objects are made: later they might be refused, and then
        // there would be garbage that nothing can collect.
        let fits_leftover = self.leftover.room() >= bytes;
        let committed = Self::committed_bytes_for_copies(parts.blocks, usize::from(!fits_leftover));
        let headroom = headroom.min(committed.saturating_sub(self.object_bytes));
        if headroom < u64::from(bytes) {
            return Err(RefillError::NoRoom);
        }
        let piece = if fits_leftover {
            core::mem::replace(&mut self.leftover, Window::EMPTY)
        } else {
            let block = parts.blocks.take_block().ok_or(RefillError::NoRoom)?;
            Window { cursor: block.start, limit: block.end }
        };
        // Near its end a heap gives shorter windows, so that it is full only when its objects need all of it.
        let room = u32::try_from(headroom).unwrap_or(u32::MAX).min(piece.room());
        let window = Window { limit: piece.cursor + room, ..piece };
        self.keep(Window { cursor: window.limit, ..piece });
        self.object_bytes += u64::from(room);
        Ok(window)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        let run = parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom)?;
        let refusal = if !self.has_reserve(parts.blocks) {
            RefillError::Full
        } else if self.object_bytes > Self::committed_bytes_for_copies(parts.blocks, 0) {
            RefillError::NoRoom
        } else {
            return Ok(run);
        };
        parts.blocks.release_large(run.start);
        Err(refusal)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, _request: Request) -> Result<(), OutOfMemory> {
        let needed = Self::blocks_for(self.object_bytes, parts.blocks.block_bytes());
        let missing = needed.saturating_sub(parts.blocks.free_blocks());
        if missing > 0 {
            parts.grow(parts.blocks.bytes_to_add_blocks(missing))?;
        }
        let reserved = self.destinations.reserve(needed, parts.blocks, &parts.source);
        reserved.map_err(|refused| parts.refusal(refused.kind, refused.asked))
    }

    /// The whole cycle is one step: an evacuation is never left open.
    fn step(&mut self, cycle: &mut Cycle<'_>, _budget: Budget) -> Result<Progress, Corruption> {
        let Cycle { parts, roots, weak, report } = cycle;
        let mut at = 0;
        while let Some(start) = parts.blocks.walk(&mut at) {
            if parts.blocks.block_at(start).is_some() {
                parts.blocks.set_tag(start, true);
            }
        }
        let mut evacuator = Evacuator::new(
            parts.memory.bytes_mut(),
            parts.types,
            parts.blocks,
            &mut self.destinations,
            self.object_bytes,
        );
        roots.visit_roots(&mut evacuator)?;
        evacuator.settle(*weak)?;
        // What the heap noted of the cycle stays.
        let CycleReport { kind, steps, .. } = **report;
        **report = CycleReport { kind, steps, ..CycleReport::from_evacuation(&evacuator.finish()) };
        report.end_phase(CyclePhase::Copy);

        let mut at = 0;
        while let Some(start) = parts.blocks.walk(&mut at) {
            match (parts.blocks.block_at(start).is_some(), parts.blocks.granule_at(start).is_tagged()) {
                (true, true) => parts.release_block(start),
                (true, false) => {}
                (false, true) => parts.blocks.set_tag(start, false),
                (false, false) => parts.release_large(start),
            }
        }
        self.leftover = self.destinations.finish();
        self.object_bytes = report.copied_bytes;
        Ok(Progress::Done)
    }

    fn audit(&self, audit: &mut Audit<'_>) {
        audit.check(self.has_reserve(audit.blocks), "the copying collector lost its reserve", 0);
        check_untagged(audit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_covers_the_worst_packing() {
        for block_bytes in [4096, 32768] {
            // Every object as large as can be, and each block left when 8 bytes less than that are free in it.
            let filled = 7 * u64::from(block_bytes / 8);
            for blocks in 0..40 {
                assert_eq!(Copying::blocks_for(blocks * filled, block_bytes) as u64, blocks);
                assert_eq!(Copying::blocks_for(blocks * filled + 8, block_bytes) as u64, blocks + 1);
            }
        }
        for max_bytes in [16_u64 << 10, 1 << 20, 64 << 20] {
            let blocks = BlockTable::new(max_bytes);
            let (most, places) = (Copying::most_bytes(&blocks), blocks.growable_blocks());
            assert_eq!(2 * Copying::blocks_for(most, blocks.block_bytes()), places);
            assert!(2 * Copying::blocks_for(most + 8, blocks.block_bytes()) > places);
        }
    }
}
