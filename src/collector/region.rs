//! What the collectors of regions share: full marking of blocks of lines, the choice of what to evacuate, sweeping.

use super::audit::check_untagged;
use super::{Audit, Cycle, CyclePhase, CycleReport, HeapParts, Reason, Request};
use crate::error::{Corruption, OutOfMemory};
use crate::memory::TableSource;
use crate::space::{BlockTable, LINE_BYTES, LineTable};
use crate::trace::{Budget, Marker, Marking, Progress, TraceKind};

/// A block is sparse if at most one in this many of its lines holds something.
const SPARSE_DIVISOR: u32 = 4;

/// Blocks of lines, and the full cycles over them.
#[derive(Debug)]
pub(super) struct Regions {
    pub(super) marking: Marking,
    /// Whether a full cycle began and did not end: blocks and large objects may carry tags.
    is_open: bool,
    /// Whether the open cycle has shown the roots to the marker.
    rooted: bool,
    /// Whether the next cycle evacuates sparse blocks.
    fragmented: bool,
}

impl Regions {
    /// The regions of an empty heap.
    pub(super) fn new(block_bytes: u32) -> Regions {
        Regions { marking: Marking::new(block_bytes), is_open: false, rooted: false, fragmented: false }
    }

    /// Makes the tables cover a heap of `bytes` bytes.
    pub(super) fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.marking.cover(bytes, source)
    }

    /// Begins a full cycle; `arms` tells whether survivors ask to be logged.
    pub(super) fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request, arms: bool) {
        self.marking.begin(TraceKind::Full { arms });
        (self.is_open, self.rooted) = (true, false);
        // A cycle that was given up may have left tags behind.
        clear_tags(parts.blocks);
        let lines = self.marking.room().lines();
        if parts.move_all {
            choose(parts.blocks, lines, lines.lines());
        } else if request.reason == Reason::Fragmented {
            choose_run(parts.blocks, lines, request.wanted_bytes);
        } else if self.fragmented || request.reason == Reason::Exhausted {
            choose(parts.blocks, lines, lines.lines() / SPARSE_DIVISOR);
        }
    }

    /// Does a part of the full cycle.
    pub(super) fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        let Cycle { parts, roots, weak, report } = cycle;
        let mut marker = Marker::new(parts.memory.bytes_mut(), parts.types, parts.blocks, &mut self.marking);
        if !self.rooted {
            roots.visit_roots(&mut marker)?;
            self.rooted = true;
        }
        // Once objects move the cycle is not left open.
        let budget = if marker.moves() { Budget::UNLIMITED } else { budget };
        if marker.settle(*weak, budget)? == Progress::More {
            return Ok(Progress::More);
        }
        let marked = self.marking.finish();
        report.add_full(&marked);
        report.end_phase(CyclePhase::Mark);
        self.sweep(parts);
        Ok(Progress::Done)
    }

    /// Frees what is dead, by the block and by the line. Everything that is left is old.
    fn sweep(&mut self, parts: &mut HeapParts<'_>) {
        parts.blocks.end_hold();
        let lines = self.marking.room().lines();
        let (mut used_lines, mut all_lines) = (0_u64, 0_u64);
        let mut at = 0;
        while let Some(start) = parts.blocks.walk(&mut at) {
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
        }
        // Worth moving objects for if half of the lines in blocks that are kept are free.
        self.fragmented = 2 * used_lines < all_lines;
        self.is_open = false;
    }

    /// Checks that nothing is tagged, unless a cycle was given up half way.
    pub(super) fn audit(&self, audit: &mut Audit<'_>) {
        if !self.is_open {
            check_untagged(audit);
        }
    }
}

fn clear_tags(blocks: &mut BlockTable) {
    blocks.end_hold();
    let mut at = 0;
    while let Some(start) = blocks.walk(&mut at) {
        blocks.set_tag(start, false);
    }
}

/// Tags the blocks of which at most `lines_max` lines hold something, as many as their objects find room elsewhere.
fn choose(blocks: &mut BlockTable, lines: &LineTable, lines_max: u32) {
    // A destination is filled to seven eighths at least. Free lines between others are room for small objects only, so
    // half of them is counted on.
    let mut holes = 0_u64;
    let mut at = 0;
    while let Some(start) = blocks.walk(&mut at) {
        if blocks.block_at(start).is_some() {
            holes += u64::from(lines.lines() - lines.occupied(start));
        }
    }
    let fresh = blocks.free_blocks() as u64 * 7 / 8 * u64::from(blocks.block_bytes());
    let mut room = fresh + holes * u64::from(LINE_BYTES) / 2;
    let mut at = 0;
    while let Some(start) = blocks.walk(&mut at) {
        if blocks.block_at(start).is_some() {
            let occupied = lines.occupied(start);
            let bytes = u64::from(occupied * LINE_BYTES);
            // Its own free lines are no room for what moves out of it.
            let own = u64::from(lines.lines() - occupied) * u64::from(LINE_BYTES) / 2;
            if occupied <= lines_max && bytes + own <= room {
                room -= bytes + own;
                blocks.set_tag(start, true);
            }
        }
    }
}

/// Tags the blocks of the run that has room for `bytes` bytes and holds the fewest, and keeps its free blocks free.
fn choose_run(blocks: &mut BlockTable, lines: &LineTable, bytes: u64) {
    let block_bytes = blocks.block_bytes();
    let length = bytes.div_ceil(u64::from(block_bytes));
    // The lines held in the run that ends at the block looked at, and how many blocks it has so far. Granule 0 never
    // belongs to a large object, so the first block is none of them.
    let (mut held, mut count) = (0_u64, 0_u64);
    let mut best: Option<(u64, u32)> = None;
    let mut at = block_bytes;
    while at < blocks.committed_bytes() && blocks.committed_bytes() - at >= block_bytes {
        if !blocks.is_free_or_block(at) {
            (held, count) = (0, 0);
        } else {
            held += u64::from(lines.occupied(at));
            count += 1;
            if count > length {
                held -= u64::from(lines.occupied(at - block_bytes * u32::try_from(length).unwrap_or(0)));
                count -= 1;
            }
            if count == length && best.is_none_or(|(least, _)| held < least) {
                best = Some((held, at + block_bytes));
            }
        }
        at += block_bytes;
    }
    let Some((_, end)) = best else { return };
    let start = end - block_bytes * u32::try_from(length).unwrap_or(0);
    blocks.hold(start..end);
    for at in (start..end).step_by(block_bytes as usize) {
        if blocks.block_at(at).is_some() {
            blocks.set_tag(at, true);
        }
    }
}

impl CycleReport {
    /// Adds what a full trace found.
    fn add_full(&mut self, marked: &crate::trace::Marked) {
        self.copied_bytes += marked.copied_bytes;
        self.copied_objects += marked.copied_objects;
        // Unsound bytes can make an object smaller between the move and the scan of it.
        self.marked_bytes += marked.live_bytes.saturating_sub(marked.copied_bytes);
        self.scanned_bytes += marked.scanned_bytes;
        self.live_bytes = marked.live_bytes;
        self.roots = marked.roots;
    }

    /// Adds what a minor trace found, in a heap whose older objects took `old_bytes` bytes.
    pub(super) fn add_minor(&mut self, marked: &crate::trace::Marked, old_bytes: u64) {
        self.copied_bytes += marked.copied_bytes;
        self.copied_objects += marked.copied_objects;
        self.marked_bytes += marked.live_bytes - marked.copied_bytes;
        self.scanned_bytes += marked.scanned_bytes;
        self.carded_bytes += marked.carded_bytes;
        self.promoted_bytes += marked.live_bytes;
        self.live_bytes = old_bytes + marked.live_bytes;
        self.roots = marked.roots;
    }
}
