//! A collector that moves all that it can, at every cycle.
//!
//! The copying collector does so anyway. One that composes [`Marker`](crate::trace::Marker) moves what lies in tagged
//! blocks, which it chooses; behind this wrapper all blocks are tagged, and there is room for the copies. Together with
//! zeal and poison ([`Settings`](crate::testkit::Settings)) a reference that was not updated leads to poison at the next
//! allocation.

use super::Wrap;
use crate::collector::{Collector, HeapParts, Reason};
use crate::error::OutOfMemory;

/// Tags every block when a cycle begins.
#[derive(Debug)]
pub struct MoveAll {
    inner: Box<dyn Collector>,
}

impl MoveAll {
    /// Moves all that `inner` can move. For collectors to which a tagged block is one to be evacuated; others are
    /// left as they are if they say that they do not move.
    #[must_use]
    pub fn new(inner: Box<dyn Collector>) -> MoveAll {
        MoveAll { inner }
    }

    /// Commits room for a copy of every block. Moving is optional, so that what is refused here is no failure.
    fn make_room(&mut self, parts: &mut HeapParts<'_>) {
        let missing = parts.blocks.used_blocks().saturating_sub(parts.blocks.free_blocks());
        let bytes = parts.blocks.bytes_to_add_blocks(missing.min(parts.blocks.growable_blocks()));
        let covered = u32::try_from(parts.grown(bytes)).unwrap_or(u32::MAX).min(parts.blocks.limit_bytes());
        if bytes > 0 && self.inner.cover(parts.blocks, covered).is_ok() {
            let _optional = parts.grow(bytes);
        }
    }
}

impl Wrap for MoveAll {
    fn inner(&self) -> &dyn Collector {
        &*self.inner
    }

    fn inner_mut(&mut self) -> &mut dyn Collector {
        &mut *self.inner
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, reason: Reason) -> Result<(), OutOfMemory> {
        if self.inner.traits().moves {
            self.make_room(parts);
        }
        self.inner.begin(parts, reason)?;
        if self.inner.traits().moves {
            let mut next = parts.blocks.next_used(0);
            while let Some(start) = next {
                next = parts.blocks.next_used(parts.blocks.used_end(start));
                if parts.blocks.block_at(start).is_some() {
                    parts.blocks.set_tag(start, true);
                }
            }
        }
        Ok(())
    }
}
