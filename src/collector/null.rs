//! The collector that never collects: windows until the limit.
//!
//! For tests, for short-lived instances, and as the floor in every benchmark.

use super::{Collector, CollectorTraits, Cycle, HeapParts, RefillError, Request};
use crate::canary::is_seeded;
use crate::error::{Corruption, OutOfMemory};
use crate::space::{LargeRun, Window};
use crate::trace::{Budget, Progress};

pub(super) const TRAITS: CollectorTraits = CollectorTraits {
    name: "null",
    summary: "never frees anything; for short runs and as a floor to measure against",
    collects: false,
    collects_cycles: false,
    ..CollectorTraits::FULL
};

/// Hands out room until there is no more.
#[derive(Debug, Default)]
pub struct Null(());

impl Null {
    /// A collector that never collects.
    #[must_use]
    pub fn new() -> Null {
        Null::default()
    }
}

impl Collector for Null {
    fn traits(&self) -> CollectorTraits {
        TRAITS
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, _bytes: u32) -> Result<Window, RefillError> {
        let block = parts.blocks.take_block().ok_or(RefillError::NoRoom)?;
        Ok(Window { cursor: block.start, limit: block.end })
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        let bytes = if is_seeded("null_short_run") { bytes / 2 } else { bytes };
        parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom)
    }

    fn begin(&mut self, _parts: &mut HeapParts<'_>, _request: Request) -> Result<(), OutOfMemory> {
        Ok(())
    }

    fn step(&mut self, _cycle: &mut Cycle<'_>, _budget: Budget) -> Result<Progress, Corruption> {
        Ok(Progress::Done)
    }
}
