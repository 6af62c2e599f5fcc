//! A collector's account of itself, for the verifier.

use crate::error::{Corruption, CorruptionKind};
use crate::space::BlockTable;

/// Collects the first broken invariant of a collector.
#[derive(Debug)]
pub struct Audit<'a> {
    /// The heap's blocks, to hold the collector's own tables against.
    pub blocks: &'a BlockTable,
    found: Option<Corruption>,
}

impl<'a> Audit<'a> {
    /// An audit that has found nothing yet.
    #[must_use]
    pub fn new(blocks: &'a BlockTable) -> Audit<'a> {
        Audit { blocks, found: None }
    }

    /// Notes that `what` must hold of the heap at offset `at`.
    pub fn check(&mut self, holds: bool, what: &'static str, at: u32) {
        if !holds && self.found.is_none() {
            self.found = Some(Corruption::new(CorruptionKind::Verify(what), at));
        }
    }

    /// The first invariant that did not hold.
    ///
    /// # Errors
    /// If there is one.
    pub fn finish(self) -> Result<(), Corruption> {
        self.found.map_or(Ok(()), Err)
    }
}

/// No block or large object carries the collector's flag between cycles.
pub(super) fn check_untagged(audit: &mut Audit<'_>) {
    let blocks = audit.blocks;
    let mut at = 0;
    while let Some(start) = blocks.walk(&mut at) {
        audit.check(!blocks.granule_at(start).is_tagged(), "a block is still tagged after the cycle", start);
    }
}
