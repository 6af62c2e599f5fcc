//! The generational collector: young objects are collected often, old ones rarely.
//!
//! New objects come to lie in blocks flagged young. A minor cycle finds those of them that live, from the roots, from
//! old objects that were written to (told through the LOG bit, and of large arrays by cards) and from root chunks that
//! were written to, and makes them old: it moves them into free lines of old space or fresh blocks, or leaves them where
//! they lie if survival is high or there is no room; so it needs no reserve and cannot fail. It costs what survives and
//! what was written to. A full cycle is a minor one, after which nothing is young, and then a marking of everything.
//!
//! While nearly all new objects survive they are born old, in free lines between others. Such objects do not ask to be
//! logged before a full cycle has found them; so nothing is young until then, and there are no minor cycles.

use core::ops::Range;

use super::nursery::{Nursery, Promotion};
use super::region::Regions;
use super::{Audit, Collector, CollectorTraits, Cycle, CycleKind, CyclePhase, HeapParts, Reason, RefillError, Request};
use crate::canary::is_seeded;
use crate::error::{Corruption, CorruptionKind, OutOfMemory};
use crate::memory::TableSource;
use crate::object::VMGcRef;
use crate::space::{BlockTable, GRANULE_BYTES, LargeRun, LineTable, TableList, Window};
use crate::trace::{Budget, Marker, Progress, TraceKind};

pub(super) const TRAITS: CollectorTraits = CollectorTraits {
    name: "generational",
    summary: "collects young objects often and old ones rarely, the latter in place",
    moves: true,
    uses_log: true,
    has_minor: true,
    ..CollectorTraits::FULL
};

/// Windows in old blocks that are remembered at most before the next minor cycle.
const DIRECT_MAX: usize = 256;

/// Young blocks, and an old space of regions.
#[derive(Debug)]
pub struct Generational {
    /// Made when the heap's block size is known.
    regions: Option<Regions>,
    nursery: Nursery,
    /// Runs of young blocks, by where the first starts and the last ends.
    young: TableList<2>,
    /// Starts of young large objects.
    young_large: TableList<1>,
    /// A piece of a young block that was handed out and came back.
    leftover: Window,
    /// Pieces of old blocks that were filled with new objects, for want of free blocks: dense from the first number, an
    /// offset, to the second.
    direct: TableList<2>,
    /// Whether the open window is the last of `direct`.
    is_direct: bool,
    /// Whether growth was asked for since room was last found, and so was refused.
    asked_growth: bool,
    /// What the cycle that is open has still to do.
    phase: Phase,
    /// Bytes of old objects, as far as known.
    old_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Minor(Request),
    Full(Reason),
}

impl Generational {
    /// A collector of an empty heap.
    #[must_use]
    pub fn new() -> Generational {
        Generational {
            regions: None,
            nursery: Nursery::new(),
            young: TableList::new(),
            young_large: TableList::new(),
            leftover: Window::EMPTY,
            direct: TableList::new(),
            is_direct: false,
            asked_growth: false,
            phase: Phase::Full(Reason::Pacing),
            old_bytes: 0,
        }
    }

    /// Whether anything was born since the last cycle.
    fn has_young(&self) -> bool {
        !(self.young.is_empty() && self.young_large.is_empty() && self.direct.is_empty())
    }

    /// No room was found: a heap that can grow does, one that cannot looks at its young objects first.
    fn no_room(&mut self, blocks: &BlockTable) -> RefillError {
        if blocks.committed_bytes() == blocks.limit_bytes() && self.has_young() {
            return RefillError::Due;
        }
        self.asked_growth = true;
        RefillError::NoRoom
    }

    fn begin_full(&mut self, parts: &mut HeapParts<'_>, request: Request) {
        self.phase = Phase::Full(request.reason);
        if let Some(regions) = &mut self.regions {
            let arms = self.nursery.is_measured_after(request.reason == Reason::Explicit);
            regions.begin(parts, request, arms);
        }
    }

    /// Promotes what is young and lives, and frees the rest.
    fn minor(&mut self, cycle: &mut Cycle<'_>) -> Result<(), Corruption> {
        let Some(Regions { marking, .. }) = &mut self.regions else { return Ok(()) };
        let Cycle { parts, roots, weak, report } = cycle;
        marking.begin(TraceKind::Minor { in_place: self.nursery.promotion() == Promotion::InPlace });
        let mut marker = Marker::new(parts.memory.bytes_mut(), parts.types, parts.blocks, marking);
        for [start, end] in self.direct.iter() {
            marker.scan_dense(start, end)?;
        }
        self.direct.clear();
        marker.scan_cards()?;
        roots.visit_roots(&mut marker)?;
        while marker.settle(*weak, Budget::UNLIMITED)? == Progress::More {}
        let marked = marking.finish();
        report.add_minor(&marked, self.old_bytes);
        report.end_phase(CyclePhase::Minor);
        self.old_bytes = report.live_bytes;
        for [start, end] in self.young.iter() {
            end_youth(parts, marking.room().lines(), start..end);
        }
        for [start] in self.young_large.iter() {
            if parts.blocks.granule_at(start).is_tagged() {
                parts.blocks.set_tag(start, false);
                parts.blocks.set_young(start, false);
            } else {
                parts.release_large(start);
            }
        }
        self.young.clear();
        self.young_large.clear();
        self.nursery.adapt(report);
        self.nursery.restart(parts.blocks);
        Ok(())
    }
}

/// Makes the young blocks of `run` old, or frees them where no line holds a survivor: all at once, if none did.
fn end_youth(parts: &mut HeapParts<'_>, lines: &LineTable, run: Range<u32>) {
    if !lines.is_any_occupied(run.clone()) {
        return parts.release_blocks(run);
    }
    let mut start = run.start;
    while let Some(block) = parts.blocks.block_at(start).filter(|_| start < run.end) {
        if lines.occupied(start) > 0 {
            parts.blocks.set_young(start, false);
            parts.poison_free_lines(block, lines);
        } else {
            parts.release_blocks(block.start..block.end);
        }
        start = block.end;
    }
}

impl Default for Generational {
    fn default() -> Generational {
        Generational::new()
    }
}

impl Collector for Generational {
    fn traits(&self) -> CollectorTraits {
        TRAITS
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        if self.regions.is_none() {
            self.nursery.restart(blocks);
        }
        self.direct.grow(DIRECT_MAX, DIRECT_MAX, source)?;
        let regions = self.regions.get_or_insert_with(|| Regions::new(blocks.block_bytes()));
        let count = |bytes: u32, unit: u32| (bytes / unit) as usize;
        let (limit, block_bytes) = (source.heap_limit_bytes(), blocks.block_bytes());
        self.young.grow(count(bytes, block_bytes), count(limit, block_bytes), source)?;
        self.young_large.grow(count(bytes, GRANULE_BYTES), count(limit, GRANULE_BYTES), source)?;
        regions.cover(bytes, source)
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        let was_direct = core::mem::take(&mut self.is_direct);
        if was_direct && let Some([start, _]) = self.direct.last() {
            self.direct.replace_last([start, window.cursor]);
        }
        if (was_direct || self.pretenures())
            && let Some(Regions { marking, .. }) = &mut self.regions
        {
            marking.room_mut().give_back(window);
        } else if window.room() > self.leftover.room() {
            self.leftover = window;
        }
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        if self.leftover.room() >= bytes {
            return Ok(core::mem::replace(&mut self.leftover, Window::EMPTY));
        }
        if self.pretenures() {
            let Some(Regions { marking, .. }) = &mut self.regions else { return Err(RefillError::NoRoom) };
            return marking.room_mut().take(parts.blocks, bytes).ok_or(RefillError::NoRoom);
        }
        let block_bytes = u64::from(parts.blocks.block_bytes());
        if !self.nursery.admits(block_bytes) || self.direct.len() == DIRECT_MAX {
            return Err(RefillError::Due);
        }
        if let Some(block) = parts.blocks.take_block() {
            parts.blocks.set_young(block.start, true);
            match self.young.last() {
                Some([start, end]) if end == block.start => self.young.replace_last([start, block.end]),
                _ => {
                    let noted = self.young.push([block.start, block.end]);
                    debug_assert!(noted, "`cover` made room for all blocks");
                }
            }
            self.nursery.take(block_bytes);
            self.asked_growth = false;
            return Ok(Window { cursor: block.start, limit: block.end });
        }
        // Without free blocks, and with no hope of more, new objects go between old ones.
        let is_last_resort = self.asked_growth || parts.blocks.committed_bytes() == parts.blocks.limit_bytes();
        if is_last_resort
            && let Some(Regions { marking, .. }) = &mut self.regions
            && let Some(window) = marking.room_mut().take(parts.blocks, bytes)
        {
            self.is_direct = self.direct.push([window.cursor, window.limit]);
            debug_assert!(self.is_direct, "a minor cycle is due before there are too many");
            return Ok(window);
        }
        Err(self.no_room(parts.blocks))
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        if self.pretenures() {
            return parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom);
        }
        if !self.nursery.admits(bytes) {
            return Err(RefillError::Due);
        }
        let Some(run) = parts.blocks.take_large(bytes) else { return Err(self.no_room(parts.blocks)) };
        parts.blocks.set_young(run.start, true);
        let noted = self.young_large.push([run.start]);
        debug_assert!(noted, "`cover` made room for an object in each granule");
        self.nursery.take(u64::from(run.bytes));
        self.asked_growth = false;
        Ok(run)
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        parts.clear_log(object)?;
        let at = object.as_raw_u32();
        let state = parts.blocks.granule_at(at);
        if state.is_free() || state.is_large_rest() {
            return Err(Corruption::new(CorruptionKind::FreeSpace, at));
        }
        // Young objects are scanned if they live; a bit that was set in one without a reason is no harm.
        let is_of_use = !state.is_young() && !self.pretenures() && !is_seeded("generational_forgets");
        if let Some(Regions { marking, .. }) = self.regions.as_mut().filter(|_| is_of_use) {
            marking.remember(at);
        }
        Ok(())
    }

    fn pretenures(&self) -> bool {
        self.nursery.promotion() == Promotion::AtBirth
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.leftover = Window::EMPTY;
        self.phase = Phase::Minor(request);
        if self.pretenures() {
            // Whatever was asked for: only a full cycle tells what lives.
            self.begin_full(parts, request);
        }
        Ok(())
    }

    /// The minor cycle is one step; the marking that follows in a full one takes as many as it is given.
    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        if let Phase::Minor(request) = self.phase {
            self.minor(cycle)?;
            if request.kind == CycleKind::Minor {
                return Ok(Progress::Done);
            }
            self.begin_full(&mut cycle.parts, request);
            if budget != Budget::UNLIMITED {
                return Ok(Progress::More);
            }
        }
        cycle.report.kind = CycleKind::Full;
        let Some(regions) = &mut self.regions else { return Ok(Progress::Done) };
        let progress = regions.step(cycle, budget)?;
        if progress == Progress::Done {
            self.old_bytes = cycle.report.live_bytes;
            self.nursery.end_full_cycle(self.phase == Phase::Full(Reason::Explicit));
            self.nursery.restart(cycle.parts.blocks);
        }
        Ok(progress)
    }

    fn audit(&self, audit: &mut Audit<'_>) {
        if let Some(regions) = &self.regions {
            regions.audit(audit);
        }
    }
}
