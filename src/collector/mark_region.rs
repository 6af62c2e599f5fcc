//! The mark-region collector: objects stay where they are, and the room between them is reused by the line.
//!
//! A cycle marks what lives in side tables and notes the lines it lies on; what no live object touches is free. Windows
//! are runs of free lines. Sweeping costs by blocks, not by objects. Blocks that are mostly empty are evacuated on the
//! way when the last cycle left the heap fragmented; evacuation is optional, so that a cycle needs no reserve.

use super::region::Regions;
use super::{Audit, Collector, CollectorTraits, Cycle, HeapParts, RefillError, Request};
use crate::error::{Corruption, OutOfMemory};
use crate::memory::TableSource;
use crate::space::{BlockTable, LargeRun, Window};
use crate::trace::{Budget, Progress};

pub(super) const TRAITS: CollectorTraits = CollectorTraits {
    name: "mark_region",
    summary: "marks in side tables and reuses free lines; moves only what lies in sparse blocks",
    moves: true,
    ..CollectorTraits::FULL
};

/// Marks what lives and reuses the rest.
#[derive(Debug, Default)]
pub struct MarkRegion {
    /// Made when the heap's block size is known.
    regions: Option<Regions>,
    /// A piece of a block that was handed out and came back.
    leftover: Window,
}

impl MarkRegion {
    /// A collector of an empty heap.
    #[must_use]
    pub fn new() -> MarkRegion {
        MarkRegion::default()
    }
}

impl Collector for MarkRegion {
    fn traits(&self) -> CollectorTraits {
        TRAITS
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.regions.get_or_insert_with(|| Regions::new(blocks.block_bytes())).cover(bytes, source)
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        let kept = if window.room() > self.leftover.room() { window } else { self.leftover };
        let given_up = if kept == window { self.leftover } else { window };
        if let Some(Regions { marking, .. }) = &mut self.regions {
            marking.room_mut().give_back(given_up);
        }
        self.leftover = kept;
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        if self.leftover.room() >= bytes {
            return Ok(core::mem::replace(&mut self.leftover, Window::EMPTY));
        }
        let Some(Regions { marking, .. }) = &mut self.regions else { return Err(RefillError::NoRoom) };
        marking.room_mut().take(parts.blocks, bytes).ok_or(RefillError::NoRoom)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.leftover = Window::EMPTY;
        if let Some(regions) = &mut self.regions {
            regions.begin(parts, request, false);
        }
        Ok(())
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        match &mut self.regions {
            Some(regions) => regions.step(cycle, budget),
            None => Ok(Progress::Done),
        }
    }

    fn audit(&self, audit: &mut Audit<'_>) {
        if let Some(regions) = &self.regions {
            regions.audit(audit);
        }
    }
}
