//! What a heap lends to its collector.

use core::ops::Range;

use crate::error::{Corruption, CorruptionKind, OutOfMemory, OutOfMemoryKind};
use crate::memory::{Growth, LocalMemory, ResourceKind, TableSource};
use crate::object::{self, TypeTable, VMGcHeader, VMGcRef};
use crate::space::{Block, BlockTable, GRANULE_BYTES, LINE_BYTES, LineTable};

/// The parts of a heap that a collector works on, borrowed for one call.
#[derive(Debug)]
pub struct HeapParts<'a> {
    /// The heap's bytes: untrusted.
    pub memory: &'a mut LocalMemory,
    /// What lies where: trusted.
    pub blocks: &'a mut BlockTable,
    /// The types that objects may have.
    pub types: &'a TypeTable,
    /// Where side tables get their bytes, and who is asked before they or the heap grow.
    pub source: TableSource<'a>,
    /// Whether freed bytes are overwritten, so that a stale reference is found at once.
    pub poison: bool,
    /// Whether a collector that can move objects is to move as many as it can at each full cycle, so that a stale
    /// reference is found at once.
    pub move_all: bool,
}

/// What freed bytes are overwritten with: decodes to no object and is no `i31`.
const POISON: u8 = 0xF8;

impl HeapParts<'_> {
    /// Commits at least `bytes` bytes more.
    ///
    /// # Errors
    /// `HeapFull` if the heap's maximum does not allow it, `Denied` if the limiter does not, `Host` if the memory cannot
    /// be had. No more is committed then.
    pub fn grow(&mut self, bytes: u64) -> Result<(), OutOfMemory> {
        let committed = u64::from(self.blocks.committed_bytes());
        let limit = u64::from(self.blocks.limit_bytes());
        let target = self.grown(bytes);
        let full = self.refusal(OutOfMemoryKind::HeapFull, bytes);
        if target > limit {
            return Err(full);
        }
        if target == committed {
            // Nobody is asked for nothing.
            return Ok(());
        }
        // The table first: that it has room for more than is committed does no harm.
        let reserved = self.blocks.reserve(target, &self.source);
        reserved.map_err(|refused| OutOfMemory { kind: refused.kind, ..full })?;
        let growth = Growth { kind: ResourceKind::GcHeap, current: committed, desired: target, maximum: Some(limit) };
        self.source.limiter().grow(&growth, || {
            match usize::try_from(target) {
                Ok(size) if size > self.memory.byte_size() => {
                    let grown = self.memory.grow_to(size);
                    grown.map_err(|_| OutOfMemory { kind: OutOfMemoryKind::Host, ..full })?;
                }
                _ => {}
            }
            self.blocks.commit(target);
            Ok(())
        })
    }

    /// A refusal of `asked` bytes, with how full the heap is.
    #[must_use]
    pub fn refusal(&self, kind: OutOfMemoryKind, asked: u64) -> OutOfMemory {
        OutOfMemory {
            kind,
            asked,
            in_use: u64::from(self.blocks.used_bytes()),
            limit: u64::from(self.blocks.limit_bytes()),
            largest_free: u64::from(self.blocks.largest_free_bytes()),
        }
    }

    /// How many bytes are committed after a growth by `bytes`: whole granules.
    #[must_use]
    pub fn grown(&self, bytes: u64) -> u64 {
        (u64::from(self.blocks.committed_bytes()) + bytes).next_multiple_of(u64::from(GRANULE_BYTES))
    }

    /// Gives up a block, poisoned if the heap asks for that.
    pub fn release_block(&mut self, start: u32) {
        if let Some(block) = self.blocks.block_at(start) {
            self.release_blocks(block.start..block.end);
        }
    }

    /// Gives up blocks that lie one behind the other, as [`HeapParts::release_block`] does one. Does nothing if there is
    /// anything else in `run`.
    pub fn release_blocks(&mut self, run: Range<u32>) {
        if self.blocks.release_blocks(run.clone()) {
            self.poison(run.start, run.end);
        }
    }

    /// Gives up a large object's run, poisoned if the heap asks for that.
    pub fn release_large(&mut self, start: u32) {
        if let Some(run) = self.blocks.large_at(start) {
            self.poison(run.start, run.start + run.bytes);
            self.blocks.release_large(start);
        }
    }

    /// Clears the LOG bit of `object`: the collector needs to hear of no further overwrite.
    ///
    /// # Errors
    /// If `object` does not lead into the heap.
    pub fn clear_log(&mut self, object: &VMGcRef) -> Result<(), Corruption> {
        let at = object.as_raw_u32();
        let bytes = self.memory.bytes_mut();
        object::load_u32(bytes, at as usize)
            .and_then(|word| object::store_u32(bytes, at as usize, VMGcHeader::from_bits(word).with_log(false).bits()))
            .ok_or_else(|| Corruption::new(CorruptionKind::OutOfBounds, at))
    }

    /// Poisons the free lines of a block that is kept, if the heap asks for that.
    pub fn poison_free_lines(&mut self, block: Block, lines: &LineTable) {
        // The first block's first line is free as others are, though no object begins at the start of it.
        let mut from = block.start & !(LINE_BYTES - 1);
        while self.poison
            && let Some(run) = lines.free_run(block, from, 1)
        {
            self.poison(run.start, run.end);
            from = run.end;
        }
    }

    fn poison(&mut self, start: u32, end: u32) {
        if self.poison
            && let Some(bytes) = self.memory.bytes_mut().get_mut(start as usize..end as usize)
        {
            bytes.fill(POISON);
            // Also what was never handed out is written to now.
            self.blocks.mark_dirty(start..end);
        }
    }
}
