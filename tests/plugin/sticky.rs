//! A collector as somebody else would write one: `Sticky`, generational without moving anything.
//!
//! Marks stick: an object that survived a cycle stays marked and is old. A minor cycle marks from the roots and from the
//! old objects that were written to since the last cycle, of which the LOG bit tells; a full one forgets all marks first.
//! What is free is handed out again by the line. What waits to be scanned is a bit in a table, so that no cycle needs
//! memory of the host. CONTRIBUTING.md walks through this file.

use tumulus::collector::{Collector, CollectorTraits, Cycle, CycleKind, HeapParts, RefillError, Request};
use tumulus::error::{Corruption, CorruptionKind, OutOfMemory};
use tumulus::memory::TableSource;
use tumulus::object::{self, ObjectInfo, VMGcRef};
use tumulus::space::{BitTable, BlockTable, CardCursor, LargeRun, LineTable, Window};
use tumulus::trace::{Budget, Progress, RootCategory, RootVisitor, Tracer, WeakScope};

/// Bytes handed out between two cycles.
const NURSERY_BYTES: u32 = 1 << 20;

/// The tables beside the heap: made when the size of its blocks is known.
struct Tables {
    /// Objects that live, as far as that is known: between cycles, the old ones.
    marked: BitTable,
    /// Marked objects to be scanned. None lies below `grey_from`.
    grey: BitTable,
    grey_from: u32,
    /// Lines in use.
    lines: LineTable,
    /// Roots seen in the open cycle.
    roots: [u64; RootCategory::ALL.len()],
}

#[derive(Default)]
pub(crate) struct Sticky {
    tables: Option<Tables>,
    /// Bytes of the windows handed out since the last cycle.
    young_bytes: u32,
    /// What the open cycle decides on, if one is open.
    open: Option<CycleKind>,
    /// Whether the open cycle has seen the roots.
    rooted: bool,
}

impl Tables {
    /// Marks the object that a slot leads to.
    fn reach(&mut self, raw: u32) {
        if raw != 0 && raw & 1 == 0 && self.marked.set(raw) {
            self.scan_again(raw);
        }
    }

    /// Has an object scanned if it is marked: one that is not is young, and scanned anyway if it lives.
    fn scan_again(&mut self, at: u32) {
        if self.marked.get(at) {
            self.grey.set(at);
            self.grey_from = self.grey_from.min(at);
        }
    }

    /// Marks what the object at `at` leads to and makes it old.
    fn scan(&mut self, parts: &mut HeapParts<'_>, at: u32) -> Result<ObjectInfo, Corruption> {
        let info = object::decode(parts.memory.bytes(), parts.types, at)?;
        let large = parts.blocks.large_at(at).map(|run| run.bytes);
        let room = parts.blocks.block_at(at).map(|block| block.end - at).or(large);
        if room.is_none_or(|room| info.size > room) {
            return Err(Corruption::new(CorruptionKind::FreeSpace, at));
        }
        let bytes = parts.memory.bytes_mut();
        let old = info.header.with_log(true).bits();
        object::store_u32(bytes, at as usize, old).ok_or(Corruption::new(CorruptionKind::OutOfBounds, at))?;
        for offset in info.ref_slots(parts.types) {
            self.reach(object::load_u32(bytes, (at + offset) as usize).unwrap_or(0));
        }
        Ok(info)
    }

    /// Frees what is not marked, and gives the bytes of what is.
    fn sweep(&mut self, parts: &mut HeapParts<'_>) -> Result<u64, Corruption> {
        self.lines.clear();
        let mut live_bytes = 0;
        let mut pass = 0;
        while let Some(start) = parts.blocks.walk(&mut pass) {
            let block = parts.blocks.block_at(start);
            let places = block.map_or(start..start + 8, |block| block.start..block.end);
            let mut is_empty = true;
            for at in places.step_by(8).filter(|&at| self.marked.get(at)) {
                let size = object::decode(parts.memory.bytes(), parts.types, at)?.size;
                live_bytes += u64::from(size);
                is_empty = false;
                if block.is_some() {
                    self.lines.occupy(at, size);
                }
            }
            match block {
                Some(block) if !is_empty => parts.poison_free_lines(block, &self.lines),
                Some(_) => parts.release_block(start),
                None if is_empty => parts.release_large(start),
                None => {}
            }
        }
        Ok(live_bytes)
    }
}

/// What roots lead to is marked.
impl RootVisitor for Tables {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        slots.iter().for_each(|&raw| self.reach(raw));
        self.roots[category as usize] += slots.iter().filter(|&&raw| raw != 0 && raw & 1 == 0).count() as u64;
        Ok(())
    }
}

/// What is marked lives, where it always was.
impl Tracer for Tables {
    fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption> {
        Ok(self.marked.get(at).then_some(at))
    }
}

impl Collector for Sticky {
    fn traits(&self) -> CollectorTraits {
        CollectorTraits {
            name: "sticky",
            summary: "generational, and moves nothing",
            uses_log: true,
            has_minor: true,
            ..CollectorTraits::FULL
        }
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        let tables = self.tables.get_or_insert_with(|| Tables {
            marked: BitTable::new(),
            grey: BitTable::new(),
            grey_from: u32::MAX,
            lines: LineTable::new(blocks.block_bytes()),
            roots: [0; RootCategory::ALL.len()],
        });
        tables.marked.cover(bytes, source)?;
        tables.grey.cover(bytes, source)?;
        tables.lines.cover(bytes, source)
    }

    fn retire(&mut self, _parts: &mut HeapParts<'_>, window: Window) {
        if let Some(tables) = &mut self.tables {
            tables.lines.vacate(window.cursor, window.room());
        }
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        let tables = self.tables.as_mut().ok_or(RefillError::NoRoom)?;
        if self.young_bytes > NURSERY_BYTES {
            return Err(RefillError::Due);
        }
        let run = tables.lines.next_run(parts.blocks, 0, bytes);
        let fresh = || parts.blocks.take_block().map(|block| Window { cursor: block.start, limit: block.end });
        let window = run.or_else(fresh).ok_or(RefillError::NoRoom)?;
        self.young_bytes += window.room();
        tables.lines.occupy(window.cursor, window.room());
        Ok(window)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        parts.blocks.take_large(bytes).ok_or(RefillError::NoRoom)
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        self.tables.iter_mut().for_each(|tables| tables.scan_again(object.as_raw_u32()));
        parts.clear_log(object)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        // Marks of a cycle that was given up are not to be relied on.
        let kind = if self.open.is_some() { CycleKind::Full } else { request.kind };
        let Some(tables) = &mut self.tables else { return Ok(()) };
        if kind == CycleKind::Full {
            tables.marked.clear();
            tables.grey.clear();
        }
        // Of large arrays parts are logged; here all of an array is scanned again.
        let mut cards = CardCursor::default();
        while let Some((array, _)) = parts.blocks.take_card(&mut cards) {
            tables.scan_again(array);
        }
        (self.open, self.rooted) = (Some(kind), false);
        Ok(())
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        let (Some(tables), Some(kind)) = (&mut self.tables, self.open) else { return Ok(Progress::Done) };
        let Cycle { parts, roots, weak, report } = cycle;
        if !self.rooted {
            tables.roots = [0; RootCategory::ALL.len()];
            roots.visit_roots(tables)?;
            self.rooted = true;
        }
        let mut left = budget.0;
        loop {
            while let Some(at) = tables.grey.take_next(tables.grey_from) {
                tables.grey_from = at;
                let size = u64::from(tables.scan(parts, at)?.size);
                // It may be the key of an ephemeron.
                weak.reached(at);
                report.marked_bytes += size;
                // Objects do not overlap: there are no more bytes of them than are in use.
                if report.marked_bytes > parts.blocks.used_bytes().into() {
                    return Err(Corruption::new(CorruptionKind::Overlap, at));
                }
                left = left.saturating_sub(size / 8);
                if left == 0 {
                    return Ok(Progress::More);
                }
            }
            tables.grey_from = u32::MAX;
            if !weak.keep(WeakScope::All, tables)? {
                break;
            }
        }
        report.roots = tables.roots;
        report.live_bytes = tables.sweep(parts)?;
        (report.scanned_bytes, report.kind) = (report.marked_bytes, kind);
        (self.open, self.young_bytes) = (None, 0);
        Ok(Progress::Done)
    }
}
