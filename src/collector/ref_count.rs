//! Deferred and coalesced reference counting: an epoch costs what was born and lives, what was written to and what died.
//!
//! Old objects are logged once in an epoch, before the first overwrite of a reference in them, and the references they
//! held are noted; so are those of root chunks. At the epoch's end the references that they hold now are counted, then
//! those noted are taken away. What is new costs nothing unless it survives: with its first count its own references
//! count. References on stacks and in scopes count until the next epoch. Counts are few bits and stick at the largest;
//! what they cannot free, cycles too, a recount of everything does.

use super::audit::check_untagged;
use super::nursery::Nursery;
use super::{Audit, Collector, CollectorTraits, Cycle, CycleKind, CyclePhase, HeapParts, RefillError, Request};
use crate::error::{Corruption, OutOfMemory};
use crate::memory::TableSource;
use crate::object::{self, VMGcRef};
use crate::space::{BlockTable, GRANULE_BYTES, LargeRun, Room, TableList, Window};
use crate::trace::{Budget, Counter, Counting, Progress};

pub(super) const TRAITS: CollectorTraits = CollectorTraits {
    name: "ref_count",
    summary: "counts references, deferred and coalesced; traces only for cycles; moves nothing",
    uses_log: true,
    has_minor: true,
    ..CollectorTraits::FULL
};

/// Frees what nothing refers to any more.
#[derive(Debug)]
pub struct RefCount {
    /// Made when the heap's block size is known.
    tables: Option<Tables>,
    /// How much is handed out in an epoch.
    epoch: Nursery,
    /// A piece of a block that was handed out and came back.
    leftover: Window,
    /// Starts of all large objects.
    large: TableList<1>,
    /// Bytes of objects that are counted.
    live_bytes: u64,
    phase: Phase,
}

#[derive(Debug)]
struct Tables {
    counting: Counting,
    room: Room,
}

/// What the open cycle is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Epoch,
    /// The roots are not counted yet.
    RecountRoots,
    Recount,
}

impl RefCount {
    /// A collector of an empty heap.
    #[must_use]
    pub fn new() -> RefCount {
        RefCount {
            tables: None,
            epoch: Nursery::new(),
            leftover: Window::EMPTY,
            large: TableList::new(),
            live_bytes: 0,
            phase: Phase::Epoch,
        }
    }

    /// Whether an epoch's end might free something.
    fn is_due(&self, bytes: u64) -> bool {
        !self.epoch.admits(bytes) || self.tables.as_ref().is_some_and(|tables| tables.counting.is_nearly_full())
    }

    fn no_room(&self, blocks: &BlockTable) -> RefillError {
        let is_largest = blocks.committed_bytes() == blocks.limit_bytes();
        if is_largest && !self.epoch.is_unused() { RefillError::Due } else { RefillError::NoRoom }
    }

    /// Frees the room of what has no count, and ends the cycle.
    fn release(&mut self, parts: &mut HeapParts<'_>) {
        let Some(Tables { counting, room }) = &mut self.tables else { return };
        let lines_count = room.lines().lines();
        while let Some(start) = counting.take_touched() {
            let occupied = counting.counts().occupied_lines(start, lines_count);
            room.lines_mut().assign(start, occupied);
            match parts.blocks.block_at(start) {
                Some(_) if occupied == 0 => parts.release_block(start),
                Some(block) => parts.poison_free_lines(block, room.lines()),
                None => {}
            }
        }
        room.look_again();
        self.large.retain(|[start]| {
            let lives = counting.counts().get(start) > 0;
            if !lives {
                parts.release_large(start);
            }
            lives
        });
        self.epoch.restart(parts.blocks);
    }

    /// The end of an epoch: one step, since counts are wrong half way.
    fn end_epoch(&mut self, cycle: &mut Cycle<'_>) -> Result<(), Corruption> {
        let Some(Tables { counting, .. }) = &mut self.tables else { return Ok(()) };
        let Cycle { parts, roots, weak, report } = cycle;
        counting.begin_epoch();
        let mut counter = Counter::new(parts.memory.bytes_mut(), parts.types, parts.blocks, counting);
        roots.visit_roots(&mut counter)?;
        counter.count_cards()?;
        counter.drain()?;
        counter.expire()?;
        while counter.settle(*weak, Budget::UNLIMITED)? == Progress::More {}
        let counted = *counting.report();
        self.live_bytes = (self.live_bytes + counted.born_bytes).saturating_sub(counted.dead_bytes);
        report.kind = CycleKind::Minor;
        report.scanned_bytes = counted.scanned_bytes;
        report.carded_bytes = counted.carded_bytes;
        report.marked_bytes = counted.born_bytes;
        report.promoted_bytes = counted.born_bytes.saturating_sub(counted.dead_bytes);
        report.live_bytes = self.live_bytes;
        report.roots = counted.roots;
        report.end_phase(CyclePhase::Count);
        self.epoch.adapt(report);
        self.release(parts);
        Ok(())
    }

    /// A part of a recount of everything.
    fn recount(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        let Some(Tables { counting, .. }) = &mut self.tables else { return Ok(Progress::Done) };
        let Cycle { parts, roots, weak, report } = cycle;
        let mut counter = Counter::new(parts.memory.bytes_mut(), parts.types, parts.blocks, counting);
        if self.phase == Phase::RecountRoots {
            roots.visit_roots(&mut counter)?;
            counter.count_cards()?;
            self.phase = Phase::Recount;
        }
        if counter.settle(*weak, budget)? == Progress::More {
            return Ok(Progress::More);
        }
        counting.end_recount();
        let counted = *counting.report();
        self.live_bytes = counted.born_bytes;
        report.kind = CycleKind::Full;
        report.scanned_bytes = counted.scanned_bytes;
        report.marked_bytes = counted.born_bytes;
        report.live_bytes = counted.born_bytes;
        report.roots = counted.roots;
        report.end_phase(CyclePhase::Recount);
        let mut at = 0;
        while let Some(start) = parts.blocks.walk(&mut at) {
            if parts.blocks.block_at(start).is_some() {
                counting.touch(start);
            }
        }
        self.release(parts);
        Ok(Progress::Done)
    }
}

impl Default for RefCount {
    fn default() -> RefCount {
        RefCount::new()
    }
}

impl Collector for RefCount {
    fn traits(&self) -> CollectorTraits {
        TRAITS
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        if self.tables.is_none() {
            self.epoch.restart(blocks);
        }
        let block_bytes = blocks.block_bytes();
        let tables = self
            .tables
            .get_or_insert_with(|| Tables { counting: Counting::new(block_bytes), room: Room::new(block_bytes) });
        tables.counting.cover(bytes, source)?;
        tables.room.cover(bytes, source)?;
        let granules = |bytes: u32| (bytes / GRANULE_BYTES) as usize;
        self.large.grow(granules(bytes), granules(source.heap_limit_bytes()), source)
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        if window.room() > self.leftover.room() {
            self.leftover = window;
        }
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        if self.leftover.room() >= bytes {
            return Ok(core::mem::replace(&mut self.leftover, Window::EMPTY));
        }
        if self.is_due(u64::from(bytes)) {
            return Err(RefillError::Due);
        }
        let refusal = self.no_room(parts.blocks);
        let Some(Tables { counting, room }) = &mut self.tables else { return Err(refusal) };
        let window = room.take(parts.blocks, bytes).ok_or(refusal)?;
        counting.touch(window.cursor);
        self.epoch.take(u64::from(window.room()));
        Ok(window)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        if self.is_due(bytes) {
            return Err(RefillError::Due);
        }
        let run = parts.blocks.take_large(bytes).ok_or_else(|| self.no_room(parts.blocks))?;
        let noted = self.large.push([run.start]);
        debug_assert!(noted, "`cover` made room for an object in each granule");
        self.epoch.take(u64::from(run.bytes));
        Ok(run)
    }

    /// Notes the references that the object held, which were counted when its bit was set.
    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        let at = object.as_raw_u32();
        let info = object::decode(parts.memory.bytes(), parts.types, at)?;
        parts.clear_log(object)?;
        // A bit that was set in a new object without a reason is no harm: nothing in it was counted.
        if let Some(Tables { counting, .. }) = &mut self.tables
            && counting.counts().get(at) > 0
        {
            counting.remember(at, info.size);
            for offset in info.ref_slots(parts.types) {
                counting.overwrite(object::load_u32(parts.memory.bytes(), (at + offset) as usize).unwrap_or(0));
            }
        }
        Ok(())
    }

    fn log_card(
        &mut self,
        parts: &mut HeapParts<'_>,
        array: &VMGcRef,
        card: core::ops::Range<u32>,
    ) -> Result<(), Corruption> {
        let at = array.as_raw_u32();
        let info = object::decode(parts.memory.bytes(), parts.types, at)?;
        if let Some(Tables { counting, .. }) = &mut self.tables
            && counting.counts().get(at) > 0
        {
            for offset in info.ref_elements(card.start.saturating_sub(at)..card.end.saturating_sub(at)) {
                counting.overwrite(object::load_u32(parts.memory.bytes(), (at + offset) as usize).unwrap_or(0));
            }
        }
        Ok(())
    }

    fn log_roots(&mut self, _parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        if let Some(Tables { counting, .. }) = &mut self.tables {
            for &raw in slots {
                counting.overwrite(raw);
            }
        }
        Ok(())
    }

    fn begin(&mut self, _parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.leftover = Window::EMPTY;
        let Some(Tables { counting, .. }) = &mut self.tables else { return Ok(()) };
        self.phase = Phase::Epoch;
        if request.kind == CycleKind::Full || counting.must_recount() {
            counting.begin_recount();
            self.phase = Phase::RecountRoots;
        }
        Ok(())
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        if self.phase == Phase::Epoch {
            return self.end_epoch(cycle).map(|()| Progress::Done);
        }
        self.recount(cycle, budget)
    }

    fn audit(&self, audit: &mut Audit<'_>) {
        check_untagged(audit);
    }
}
