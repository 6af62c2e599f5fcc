//! The mark-region collector: objects stay where they are, and the room between them is reused by the line.
//!
//! A cycle marks what lives in side tables and notes the lines it lies on; what no live object touches is free. Windows
//! are runs of free lines. Sweeping costs by blocks, not by objects. Blocks that are mostly empty are evacuated on the
//! way when the last cycle left the heap fragmented; evacuation is optional, so that a cycle needs no reserve.

use super::{Audit, Collector, CollectorTraits, Cycle, CycleReport, HeapParts, Reason, RefillError};
use crate::error::{Corruption, OutOfMemory};
use crate::space::{Block, BlockTable, LINE_BYTES, LargeRun, LineTable, TableRefused, Window};
use crate::trace::{Budget, Marked, Marker, Marking, Progress};

pub(super) const TRAITS: CollectorTraits = CollectorTraits {
    name: "mark_region",
    summary: "marks in side tables and reuses free lines; moves only what lies in sparse blocks",
    collects: true,
    collects_cycles: true,
    moves: true,
    uses_log: false,
    hears_roots: false,
};

/// A block is sparse if at most one in this many of its lines holds something.
const SPARSE_DIVISOR: u32 = 4;

/// Marks what lives and reuses the rest.
#[derive(Debug, Default)]
pub struct MarkRegion {
    /// Made when the heap's block size is known.
    tables: Option<Tables>,
    /// No free run of lines is left below this offset.
    cursor: u32,
    /// A piece of a block that was handed out and came back.
    leftover: Window,
    /// Whether the open cycle has shown the roots to the marker.
    rooted: bool,
    /// Whether the next cycle evacuates sparse blocks.
    fragmented: bool,
}

#[derive(Debug)]
struct Tables {
    /// The lines that hold something: live objects of the last cycle, and all that was handed out since.
    lines: LineTable,
    marking: Marking,
}

impl MarkRegion {
    /// A collector of an empty heap.
    #[must_use]
    pub fn new() -> MarkRegion {
        MarkRegion::default()
    }

    /// The next free run of lines with room for `bytes` bytes, from `from` on.
    fn free_run(lines: &LineTable, blocks: &BlockTable, from: u32, bytes: u32) -> Option<Window> {
        let mut next = Some(from);
        while let Some(at) = next {
            // The block that `from` lies in counts from there on.
            let start = if blocks.block_at(at).is_some() { at } else { blocks.next_used(at)? };
            if let Some(run) = blocks.block_at(start).and_then(|block| lines.free_run(block, start, bytes)) {
                return Some(Window { cursor: run.start, limit: run.end });
            }
            next = blocks.next_used(blocks.used_end(start));
        }
        None
    }

    /// Room in lines between survivors. What is larger than a line takes a fresh block first, so that holes are not
    /// passed over for its sake.
    fn find(&mut self, blocks: &mut BlockTable, bytes: u32) -> Option<Window> {
        let Tables { lines, .. } = self.tables.as_mut()?;
        let whole = |block: Block| Window { cursor: block.start, limit: block.end };
        let window = if bytes <= LINE_BYTES {
            match Self::free_run(lines, blocks, self.cursor, bytes) {
                Some(window) => {
                    self.cursor = window.limit;
                    window
                }
                None => {
                    let block = blocks.take_block()?;
                    self.cursor = self.cursor.max(block.end);
                    whole(block)
                }
            }
        } else {
            match blocks.take_block() {
                Some(block) => whole(block),
                None => Self::free_run(lines, blocks, 0, bytes)?,
            }
        };
        lines.occupy(window.cursor, window.room());
        Some(window)
    }

    /// Tags the sparse blocks, as many as their live objects find room elsewhere.
    fn choose_evacuated(blocks: &mut BlockTable, lines: &LineTable) {
        // A destination is filled to seven eighths at least.
        let mut room = blocks.free_blocks() as u64 * 7 / 8 * u64::from(blocks.block_bytes());
        let mut next = blocks.next_used(0);
        while let Some(start) = next {
            let Some(block) = blocks.block_at(start) else {
                next = blocks.next_used(blocks.used_end(start));
                continue;
            };
            let occupied = lines.occupied(start);
            let bytes = u64::from(occupied * LINE_BYTES);
            if occupied <= lines.lines() / SPARSE_DIVISOR && bytes <= room {
                room -= bytes;
                blocks.set_tag(start, true);
            }
            next = blocks.next_used(block.end);
        }
    }

    /// Frees what is dead, by the block and by the line.
    fn sweep(&mut self, parts: &mut HeapParts<'_>) {
        let Some(Tables { lines, marking }) = &mut self.tables else { return };
        marking.swap_lines(lines);
        let (mut used_lines, mut all_lines) = (0_u64, 0_u64);
        let mut next = parts.blocks.next_used(0);
        while let Some(start) = next {
            let end = parts.blocks.used_end(start);
            match parts.blocks.block_at(start) {
                Some(_) if lines.occupied(start) == 0 => parts.release_block(start),
                Some(block) => {
                    parts.blocks.set_tag(start, false);
                    used_lines += u64::from(lines.occupied(start));
                    all_lines += u64::from(lines.lines());
                    parts.poison_free_lines(block, lines);
                }
                None if parts.blocks.granule_at(start).is_tagged() => parts.blocks.set_tag(start, false),
                None => parts.release_large(start),
            }
            next = parts.blocks.next_used(end);
        }
        // Worth moving objects for if half of the lines in blocks that are kept are free.
        self.fragmented = 2 * used_lines < all_lines;
    }
}

impl Collector for MarkRegion {
    fn traits(&self) -> CollectorTraits {
        TRAITS
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32) -> Result<(), TableRefused> {
        let tables = self.tables.get_or_insert_with(|| Tables {
            lines: LineTable::new(blocks.block_bytes()),
            marking: Marking::new(blocks.block_bytes()),
        });
        tables.lines.cover(bytes)?;
        tables.marking.cover(bytes)
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        let kept = if window.room() > self.leftover.room() { window } else { self.leftover };
        let given_up = if kept == window { self.leftover } else { window };
        if let Some(tables) = &mut self.tables {
            tables.lines.vacate(given_up.cursor, given_up.room());
        }
        self.leftover = kept;
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        if self.leftover.room() >= bytes {
            return Ok(core::mem::replace(&mut self.leftover, Window::EMPTY));
        }
        self.find(parts.blocks, bytes).ok_or(RefillError::NoRoom)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, reason: Reason) -> Result<(), OutOfMemory> {
        let Some(Tables { lines, marking }) = &mut self.tables else { return Ok(()) };
        marking.restart();
        self.rooted = false;
        self.leftover = Window::EMPTY;
        // A cycle that was given up may have left tags behind.
        let mut next = parts.blocks.next_used(0);
        while let Some(start) = next {
            parts.blocks.set_tag(start, false);
            next = parts.blocks.next_used(parts.blocks.used_end(start));
        }
        if self.fragmented || reason == Reason::Exhausted {
            Self::choose_evacuated(parts.blocks, lines);
        }
        Ok(())
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        let Cycle { parts, roots, weak, report } = cycle;
        let Some(Tables { marking, .. }) = &mut self.tables else { return Ok(Progress::Done) };
        let mut marker = Marker::new(parts.memory.bytes_mut(), parts.types, parts.blocks, marking);
        if !self.rooted {
            roots.visit_roots(&mut marker)?;
            self.rooted = true;
        }
        // Once objects move the cycle is not left open.
        let budget = if marker.moves() { Budget::UNLIMITED } else { budget };
        if marker.drain(budget)? == Progress::More {
            return Ok(Progress::More);
        }
        weak.process(&mut |at| marker.survivor(at))?;
        let Marked { live_bytes, copied_bytes, copied_objects, roots } = marking.report();
        **report =
            CycleReport { copied_bytes, copied_objects, marked_bytes: live_bytes - copied_bytes, live_bytes, roots };
        self.sweep(parts);
        self.cursor = 0;
        Ok(Progress::Done)
    }

    fn audit(&self, audit: &mut Audit<'_>) {
        let blocks = audit.blocks;
        let mut next = blocks.next_used(0);
        while let Some(start) = next {
            audit.check(!blocks.granule_at(start).is_tagged(), "a block is still tagged after the cycle", start);
            next = blocks.next_used(blocks.used_end(start));
        }
    }
}
