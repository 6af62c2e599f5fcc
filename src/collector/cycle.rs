//! What a collector is given for a step of a collection, and what it reports.

use core::fmt;

use super::HeapParts;
use crate::trace::{Evacuation, RootCategory, RootSource, WeakEntries};

/// Why a collection was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Enough was allocated since the last one.
    Pacing,
    /// An allocation found no room and the heap cannot grow.
    Exhausted,
    /// The embedder asked for it.
    Explicit,
    /// Zeal: every n-th allocation collects.
    Zeal,
}

/// A collection under way: the heap, the roots and the weak entries.
pub struct Cycle<'a> {
    /// The heap.
    pub parts: HeapParts<'a>,
    /// Every reference outside the heap.
    pub roots: &'a mut dyn RootSource,
    /// Entries to be told which objects survived, before their old places are reused.
    pub weak: &'a mut dyn WeakEntries,
    /// What the cycle did so far.
    pub report: &'a mut CycleReport,
}

impl fmt::Debug for Cycle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cycle").field("report", &self.report).finish_non_exhaustive()
    }
}

/// What a cycle did, in numbers that depend on nothing but the operations before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleReport {
    /// Bytes of objects that were moved.
    pub copied_bytes: u64,
    /// Objects that were moved.
    pub copied_objects: u64,
    /// Bytes of objects that were marked where they lie.
    pub marked_bytes: u64,
    /// Bytes of all objects that the cycle left alive.
    pub live_bytes: u64,
    /// Non-null root slots seen, by category (in the order of [`RootCategory::ALL`]).
    pub roots: [u64; RootCategory::ALL.len()],
}

impl CycleReport {
    /// The report of a cycle that was one evacuation of everything.
    #[must_use]
    pub fn from_evacuation(done: &Evacuation) -> CycleReport {
        let Evacuation { copied_bytes, copied_objects, marked_bytes, roots } = *done;
        CycleReport { copied_bytes, copied_objects, marked_bytes, live_bytes: copied_bytes + marked_bytes, roots }
    }
}
