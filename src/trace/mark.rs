//! Marking objects where they lie, and evacuating those in tagged blocks on the way.
//!
//! Bounds: each object is marked once and scanned once; the sizes of all objects scanned add up to no more than the
//! blocks and large runs in use, or they overlap and that is `Corruption`. The work list has a fixed capacity: what does
//! not fit is noted in a grey bitmap and found again from there. Nothing here needs host memory while it runs.

use super::relocate::{check_fits_block, forwarded, move_object};
use super::{Budget, Progress, RootCategory, RootVisitor};
use crate::error::{Corruption, CorruptionKind};
use crate::memory::prefetch;
use crate::object::{self, ObjectInfo, TypeTable};
use crate::space::{BitTable, BlockTable, GRANULE_BYTES, LineTable, TableRefused, Window};

/// Objects that the work list holds before the grey bitmap takes the rest.
const WORK_LIST_MAX: usize = 32 << 10;

/// Objects whose bytes are being fetched while others are scanned: a cache miss takes as long as scanning a few.
const FETCHING: usize = 8;

/// References scanned before the next object of the work list gets its turn, so that a large array is no long step.
const SLICE_REFS: u32 = 4096;

/// An object to be scanned from a slot on.
#[derive(Clone, Copy, Debug, Default)]
struct Task {
    object: u32,
    /// How many of its references were scanned already.
    done: u32,
}

/// What a trace of a whole heap knows; it outlives the steps of a cycle.
#[derive(Debug)]
pub struct Marking {
    marked: BitTable,
    /// Marked objects that the work list had no room for.
    grey: BitTable,
    /// No grey object lies below this offset.
    grey_from: u32,
    /// The lines of live objects, as far as they are known.
    lines: LineTable,
    work: Vec<Task>,
    /// Room for objects that move.
    destination: Window,
    report: Marked,
}

/// What a marking found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Bytes of objects that live.
    pub live_bytes: u64,
    /// Bytes of objects that were moved.
    pub copied_bytes: u64,
    /// Objects that were moved.
    pub copied_objects: u64,
    /// Root slots seen, null ones and `i31`s left out, by category.
    pub roots: [u64; RootCategory::ALL.len()],
}

impl Marking {
    /// A marking of an empty heap whose blocks have `block_bytes` bytes.
    #[must_use]
    pub fn new(block_bytes: u32) -> Marking {
        Marking {
            marked: BitTable::new(),
            grey: BitTable::new(),
            grey_from: u32::MAX,
            lines: LineTable::new(block_bytes),
            work: Vec::new(),
            destination: Window::EMPTY,
            report: Marked::default(),
        }
    }

    /// Makes the tables cover a heap of `bytes` bytes.
    ///
    /// # Errors
    /// If the host has no memory for them.
    pub fn cover(&mut self, bytes: u32) -> Result<(), TableRefused> {
        self.marked.cover(bytes)?;
        self.grey.cover(bytes)?;
        self.lines.cover(bytes)?;
        // Never longer than there can be objects, so that a small heap has a small list.
        let objects = (bytes / object::OBJECT_BYTES_MIN) as usize;
        let capacity = objects.min(WORK_LIST_MAX);
        self.work.try_reserve_exact(capacity.saturating_sub(self.work.len())).map_err(|_| TableRefused)
    }

    /// Forgets everything, for a new cycle.
    pub fn restart(&mut self) {
        self.marked.clear();
        self.grey.clear();
        self.grey_from = u32::MAX;
        self.lines.clear();
        self.work.clear();
        self.destination = Window::EMPTY;
        self.report = Marked::default();
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> Marked {
        self.report
    }

    /// The lines of live objects, once all of them are known; `lines` takes their place.
    pub fn swap_lines(&mut self, lines: &mut LineTable) {
        core::mem::swap(&mut self.lines, lines);
    }

    fn push(&mut self, task: Task) {
        if self.work.len() < self.work.capacity() {
            self.work.push(task);
        } else if self.grey.set(task.object) {
            self.grey_from = self.grey_from.min(task.object);
        }
    }

    /// The next object to be scanned.
    fn pop(&mut self) -> Option<Task> {
        if self.work.is_empty() && self.grey_from != u32::MAX {
            let object = self.grey.take_next(self.grey_from);
            self.grey_from = object.unwrap_or(u32::MAX);
            return object.map(|object| Task { object, done: 0 });
        }
        self.work.pop()
    }
}

/// A marking at work on a heap.
#[derive(Debug)]
pub struct Marker<'a> {
    bytes: &'a mut [u8],
    types: &'a TypeTable,
    blocks: &'a mut BlockTable,
    marking: &'a mut Marking,
    /// Bytes of blocks and large runs in use: the bound of what may be found alive.
    used_bytes: u64,
}

impl<'a> Marker<'a> {
    /// Goes on with `marking` on this heap.
    #[must_use]
    pub fn new(
        bytes: &'a mut [u8],
        types: &'a TypeTable,
        blocks: &'a mut BlockTable,
        marking: &'a mut Marking,
    ) -> Marker<'a> {
        let used_bytes = u64::from(blocks.used_bytes());
        Marker { bytes, types, blocks, marking, used_bytes }
    }

    /// Whether blocks are tagged, so that objects move and the marking must not be left half done.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.blocks.tagged_blocks() > 0
    }

    /// Scans objects that were reached, and what is reachable from them, until all are done or `budget` is spent.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn drain(&mut self, budget: Budget) -> Result<Progress, Corruption> {
        let mut left = budget.0;
        // A ring: the object that was asked for first is scanned first, when its bytes have arrived.
        let mut fetching = [None; FETCHING];
        let mut turn = 0;
        let mut idle = 0;
        while idle < FETCHING && left > 0 {
            let next = self.marking.pop();
            if let Some(task) = next {
                prefetch(self.bytes, task.object as usize);
            }
            let Some(place) = fetching.get_mut(turn) else { break };
            if let Some(task) = core::mem::replace(place, next) {
                left = left.saturating_sub(self.scan(task)?);
            }
            idle = if next.is_some() { 0 } else { idle + 1 };
            turn = (turn + 1) % FETCHING;
        }
        // What was being fetched when the budget ran out waits for the next step.
        for task in fetching.into_iter().flatten() {
            if task.done == 0 { self.marking.push(task) } else { self.scan_rest(task)? }
        }
        let is_done = self.marking.work.is_empty() && self.marking.grey_from == u32::MAX;
        Ok(if is_done { Progress::Done } else { Progress::More })
    }

    /// Where the object at `at` is now, if it was reached; valid when [`Marker::drain`] is done.
    ///
    /// # Errors
    /// If a forwarding word is not sound.
    pub fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption> {
        let state = self.blocks.granule_at(at);
        if !state.is_block() {
            return Ok((state.is_large_start() && state.is_tagged()).then_some(at));
        }
        if self.marking.marked.get(at) {
            return Ok(Some(at));
        }
        match forwarded(self.bytes, at) {
            Some(target) if state.is_tagged() => self.forwarding_target(target, at).map(Some),
            _ => Ok(None),
        }
    }

    /// Scans a slice of an object and tells what it cost in work units.
    fn scan(&mut self, Task { object: at, done }: Task) -> Result<u64, Corruption> {
        let info = object::decode(self.bytes, self.types, at)?;
        if done == 0 {
            self.admit(at, &info)?;
        }
        let mut slots = info.ref_slots(self.types);
        if done > 0 {
            // Only arrays are scanned in slices, and theirs can be skipped in constant time.
            slots = slots.skip_refs(done);
        }
        let mut scanned = 0;
        for offset in slots.by_ref().take(SLICE_REFS as usize) {
            let slot = (at + offset) as usize;
            let raw = object::load_u32(self.bytes, slot).unwrap_or(0);
            let moved = self.reach(raw)?;
            if moved != raw {
                let stored = object::store_u32(self.bytes, slot, moved);
                debug_assert!(stored.is_some(), "decode found the object inside the heap");
            }
            scanned += 1;
        }
        if scanned == SLICE_REFS && slots.next().is_some() {
            // The rest waits beside the children; a grey bit could not say where to go on.
            self.scan_rest(Task { object: at, done: done.saturating_add(SLICE_REFS) })?;
        }
        Ok(1 + u64::from(scanned) / 2)
    }

    /// Queues the rest of an array; if the list is full it is scanned at once.
    fn scan_rest(&mut self, rest: Task) -> Result<(), Corruption> {
        if self.marking.work.len() < self.marking.work.capacity() {
            self.marking.work.push(rest);
            return Ok(());
        }
        let info = object::decode(self.bytes, self.types, rest.object)?;
        for offset in info.ref_slots(self.types).skip_refs(rest.done) {
            let slot = (rest.object + offset) as usize;
            let moved = self.reach(object::load_u32(self.bytes, slot).unwrap_or(0))?;
            let stored = object::store_u32(self.bytes, slot, moved);
            debug_assert!(stored.is_some(), "decode found the object inside the heap");
        }
        Ok(())
    }

    /// Checks that an object can lie where it was found and that all found so far fit beside each other, and notes
    /// its lines.
    #[inline]
    fn admit(&mut self, at: u32, info: &ObjectInfo) -> Result<(), Corruption> {
        let size = u64::from(info.size);
        if self.blocks.granule_at(at).is_block() {
            check_fits_block(self.blocks, at, info)?;
            self.marking.lines.occupy(at, info.size);
        } else if self.blocks.large_at(at).is_none_or(|run| run.bytes < info.size) {
            return Err(Corruption::new(CorruptionKind::BadSize, at));
        }
        self.marking.report.live_bytes += size;
        if self.marking.report.live_bytes > self.used_bytes {
            return Err(Corruption::new(CorruptionKind::Overlap, at));
        }
        Ok(())
    }

    /// The new value of a reference, after marking or moving what it leads to.
    #[inline]
    fn reach(&mut self, raw: u32) -> Result<u32, Corruption> {
        if raw == 0 || raw & 1 != 0 {
            return Ok(raw);
        }
        let state = self.blocks.granule_at(raw);
        if !state.is_block() {
            return self.reach_large(raw);
        }
        if raw & (object::OBJECT_ALIGN - 1) != 0 {
            return Err(Corruption::new(CorruptionKind::Misaligned, raw));
        }
        if state.is_tagged() {
            return self.evacuate(raw);
        }
        if self.marking.marked.set(raw) {
            self.marking.push(Task { object: raw, done: 0 });
        }
        Ok(raw)
    }

    #[cold]
    fn reach_large(&mut self, raw: u32) -> Result<u32, Corruption> {
        let state = self.blocks.granule_at(raw);
        if !raw.is_multiple_of(GRANULE_BYTES) || !state.is_large_start() {
            return Err(Corruption::new(CorruptionKind::FreeSpace, raw));
        }
        if !state.is_tagged() {
            self.blocks.set_tag(raw, true);
            self.marking.push(Task { object: raw, done: 0 });
        }
        Ok(raw)
    }

    /// Moves an object out of a tagged block, or marks it there if there is no room elsewhere.
    fn evacuate(&mut self, at: u32) -> Result<u32, Corruption> {
        if self.marking.marked.get(at) {
            return Ok(at);
        }
        if let Some(target) = forwarded(self.bytes, at) {
            return self.forwarding_target(target, at);
        }
        let info = object::decode(self.bytes, self.types, at)?;
        check_fits_block(self.blocks, at, &info)?;
        let Some(target) = self.take(info.size) else {
            self.marking.marked.set(at);
            self.marking.push(Task { object: at, done: 0 });
            return Ok(at);
        };
        move_object(self.bytes, at, target, info.size);
        self.marking.report.copied_bytes += u64::from(info.size);
        self.marking.report.copied_objects += 1;
        self.marking.marked.set(target);
        self.marking.push(Task { object: target, done: 0 });
        Ok(target)
    }

    /// Room for an object that moves, in a block that is not tagged.
    fn take(&mut self, bytes: u32) -> Option<u32> {
        if let Some(at) = self.marking.destination.take(bytes) {
            return Some(at);
        }
        let block = self.blocks.take_block()?;
        self.blocks.mark_dirty(block.start..block.end);
        self.used_bytes += u64::from(block.end - block.start);
        self.marking.destination = Window { cursor: block.start, limit: block.end };
        self.marking.destination.take(bytes)
    }

    /// One hop: a forwarding word leads to a marked object in a block that is not tagged.
    fn forwarding_target(&self, target: u32, at: u32) -> Result<u32, Corruption> {
        let state = self.blocks.granule_at(target);
        if state.is_block() && !state.is_tagged() && target & 7 == 0 && self.marking.marked.get(target) {
            Ok(target)
        } else {
            Err(Corruption::new(CorruptionKind::BadForwarding, at))
        }
    }
}

/// What roots lead to is marked, and roots to what moved are updated.
impl RootVisitor for Marker<'_> {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        let mut seen = 0;
        for slot in slots {
            if *slot != 0 && *slot & 1 == 0 {
                *slot = self.reach(*slot)?;
                seen += 1;
            }
        }
        if let Some(count) = self.marking.report.roots.get_mut(category as usize) {
            *count += seen;
        }
        Ok(())
    }
}
