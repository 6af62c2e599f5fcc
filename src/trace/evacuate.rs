//! Copying objects out of tagged blocks, breadth first (Cheney's scan), and marking large objects where they lie.
//!
//! Bounds: each object is copied once, because its old place then holds a forwarding word; the bytes copied add up
//! to no more than the tagged blocks hold, or the objects overlap and that is `Corruption`; each large object is
//! marked and scanned once. So no heap contents make an evacuation longer than a constant times the heap.

use core::ops::Range;

use super::in_place::check_total;
use super::relocate::{check_fits_block, forwarded, move_object};
use super::{RootCategory, RootVisitor, Tracer, WeakEntries, WeakScope};
use crate::canary::is_seeded;
use crate::error::{Corruption, CorruptionKind, OutOfMemory};
use crate::memory::{TableSource, prefetch};
use crate::object::{self, RecentType, SmallObject, TypeTable, VMGcRef};
use crate::space::{Block, BlockTable, GRANULE_BYTES, TableList, Window, lies_in_line};

/// How far ahead of the scan the objects that its slots lead to are fetched.
const AHEAD_BYTES: usize = 256;

/// The blocks that an evacuation fills, in the order of filling: the queue of Cheney's scan.
#[derive(Debug, Default)]
pub struct Destinations {
    /// Where the objects in each begin and end; the last of them ends at the cursor of `window`. They are dense.
    filled: TableList<2>,
    window: Window,
    /// Large objects marked but not yet scanned.
    large: TableList<1>,
}

impl Destinations {
    /// Makes sure that an evacuation into `count` blocks, and of the large objects that there are now, needs no memory on
    /// the way.
    ///
    /// # Errors
    /// If `source` has none.
    pub fn reserve(&mut self, count: usize, blocks: &BlockTable, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        let limit = |unit: u32| (source.heap_limit_bytes() / unit) as usize;
        self.filled.grow(count, limit(blocks.block_bytes()), source)?;
        self.large.grow(blocks.large_count(), limit(GRANULE_BYTES), source)
    }

    /// Where the last block has room left, as a window for the mutator; the queue is empty afterwards.
    pub fn finish(&mut self) -> Window {
        self.filled.clear();
        self.large.clear();
        core::mem::replace(&mut self.window, Window::EMPTY)
    }

    /// Room for `bytes` bytes, from a new block if need be.
    #[inline]
    fn take(&mut self, bytes: u32, blocks: &mut BlockTable) -> Option<u32> {
        match self.window.take(bytes) {
            Some(at) => Some(at),
            None => self.take_in_new_block(bytes, blocks),
        }
    }

    #[cold]
    fn take_in_new_block(&mut self, bytes: u32, blocks: &mut BlockTable) -> Option<u32> {
        let Block { start, end } = blocks.take_block()?;
        blocks.mark_dirty(start..end);
        if let Some([start, _]) = self.filled.last() {
            self.filled.replace_last([start, self.window.cursor]);
        }
        self.window = Window { cursor: start, limit: end };
        if self.filled.push([start, start]) { self.window.take(bytes) } else { None }
    }

    /// Where the objects in the block that was taken as number `index` begin, and where they end so far.
    #[inline]
    fn filled(&self, index: usize) -> Option<Range<u32>> {
        let [start, end] = self.filled.get(index)?;
        let is_last = index + 1 == self.filled.len();
        Some(start..if is_last { self.window.cursor } else { end })
    }
}

/// What an evacuation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evacuation {
    /// Bytes of objects copied.
    pub copied_bytes: u64,
    /// Objects copied.
    pub copied_objects: u64,
    /// Bytes of large objects marked.
    pub marked_bytes: u64,
    /// Root slots seen, null ones and `i31`s left out, by category.
    pub roots: [u64; RootCategory::ALL.len()],
}

/// How far Cheney's scan has come.
#[derive(Debug, Default)]
struct Place {
    /// Which of the blocks filled it is in.
    block: usize,
    /// Up to where; 0 at the block's start.
    at: u32,
}

/// An evacuation under way.
#[derive(Debug)]
pub struct Evacuator<'a> {
    bytes: &'a mut [u8],
    types: &'a TypeTable,
    blocks: &'a mut BlockTable,
    destinations: &'a mut Destinations,
    /// Bytes that the tagged blocks can hold: the bound of what may be copied.
    source_bytes: u64,
    /// Why an object could not be moved.
    failure: Option<Corruption>,
    /// Of what was scanned last, and of what was moved last.
    scanned: RecentType,
    moved: RecentType,
    done: Evacuation,
}

impl<'a> Evacuator<'a> {
    /// Begins to evacuate the tagged blocks, which hold at most `source_bytes` bytes of objects.
    #[must_use]
    pub fn new(
        bytes: &'a mut [u8],
        types: &'a TypeTable,
        blocks: &'a mut BlockTable,
        destinations: &'a mut Destinations,
        source_bytes: u64,
    ) -> Evacuator<'a> {
        let [scanned, moved] = [RecentType::default(); 2];
        let done = Evacuation::default();
        Evacuator { bytes, types, blocks, destinations, source_bytes, failure: None, scanned, moved, done }
    }

    /// Moves everything that was reached so far, with all that is reachable from it and what `weak` wants kept, and
    /// decides on the weak entries.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn settle(&mut self, weak: &mut dyn WeakEntries) -> Result<(), Corruption> {
        let mut place = Place::default();
        loop {
            if weak.is_watching() {
                self.drain(&mut place, &mut |raw| weak.reached(raw))?;
            } else {
                self.drain(&mut place, &mut |_| {})?;
            }
            if !weak.keep(WeakScope::All, self)? {
                return Ok(());
            }
        }
    }

    /// Scans what was copied or marked and not scanned yet, from `place` on. Tells of each reference that it follows what
    /// it was before.
    fn drain(&mut self, place: &mut Place, reached: &mut impl FnMut(u32)) -> Result<(), Corruption> {
        loop {
            match self.destinations.filled(place.block) {
                Some(block) if place.at < block.end => {
                    place.at = self.scan_dense(place.at.max(block.start)..block.end, reached)?;
                }
                Some(_) if place.block + 1 < self.destinations.filled.len() => {
                    place.block += 1;
                    place.at = 0;
                }
                _ => match self.destinations.large.pop() {
                    Some([large]) => {
                        self.scan(large, reached)?;
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    /// Ends the evacuation and tells what it did. The tagged blocks are still there, full of forwarding words.
    #[must_use]
    pub fn finish(self) -> Evacuation {
        self.done
    }

    /// Scans the objects in `run`, which are dense, and gives the offset behind them.
    fn scan_dense(&mut self, run: Range<u32>, reached: &mut impl FnMut(u32)) -> Result<u32, Corruption> {
        let mut at = run.start;
        while at < run.end {
            let small = object::decode_small(self.bytes, self.types, at, &mut self.scanned);
            let Some(SmallObject { size, mut ref_bits, .. }) = small else {
                at = self.scan(at, reached)?;
                continue;
            };
            while ref_bits != 0 {
                self.scan_slot((at + 4 * ref_bits.trailing_zeros()) as usize, reached)?;
                ref_bits &= ref_bits - 1;
            }
            at += size;
        }
        Ok(at)
    }

    /// Forwards the references of the object at `at` and gives the offset behind it.
    fn scan(&mut self, at: u32, reached: &mut impl FnMut(u32)) -> Result<u32, Corruption> {
        let info = object::decode(self.bytes, self.types, at)?;
        for offset in info.ref_slots(self.types) {
            self.scan_slot((at + offset) as usize, reached)?;
        }
        // Inside the heap, whose end is below 2^32.
        Ok(at + info.size)
    }

    #[inline(always)]
    fn scan_slot(&mut self, slot: usize, reached: &mut impl FnMut(u32)) -> Result<(), Corruption> {
        // Whatever is there, it is likely to be a reference to what is moved soon.
        if let Some(ahead) = object::load_u32(self.bytes, slot + AHEAD_BYTES) {
            prefetch(self.bytes, ahead as usize);
        }
        let raw = object::load_u32(self.bytes, slot).unwrap_or(0);
        if raw == 0 || raw & VMGcRef::I31_TAG != 0 {
            return Ok(());
        }
        let moved = self.forward(raw)?;
        if moved != raw {
            let stored = object::store_u32(self.bytes, slot, moved);
            debug_assert!(stored.is_some(), "decode found the object inside the heap");
        }
        reached(raw);
        Ok(())
    }

    /// The new value of a reference to an object, after moving or marking it.
    #[inline(always)]
    fn forward(&mut self, raw: u32) -> Result<u32, Corruption> {
        match self.try_forward(raw) {
            Some(place) => Ok(place),
            None => Err(self.failure.take().unwrap_or_else(|| Corruption::new(CorruptionKind::Overlap, raw))),
        }
    }

    /// The same as a function of its own, whose outcome fits into registers: a failure is left behind.
    #[inline(never)]
    fn try_forward(&mut self, raw: u32) -> Option<u32> {
        let state = self.blocks.granule_at(raw);
        let place = if state.is_block() {
            // A reference into a destination is left alone, so a slot may be presented twice.
            if state.is_tagged() { self.evacuate(raw) } else { Ok(raw) }
        } else {
            self.mark_large(raw)
        };
        match place {
            Ok(place) => Some(place),
            Err(found) => {
                self.failure = Some(found);
                None
            }
        }
    }

    #[inline(always)]
    fn evacuate(&mut self, at: u32) -> Result<u32, Corruption> {
        if at & (object::OBJECT_ALIGN - 1) != 0 {
            return Err(Corruption::new(CorruptionKind::Misaligned, at));
        }
        if let Some(target) = forwarded(self.bytes, at) {
            return self.forwarding_target(target, at);
        }
        let size = match object::decode_small(self.bytes, self.types, at, &mut self.moved) {
            Some(object) => object.size,
            None => object::decode(self.bytes, self.types, at)?.size,
        };
        self.admit(at, size)?;
        let Some(target) = self.destinations.take(size, self.blocks) else {
            return Err(Corruption::new(CorruptionKind::Overlap, at));
        };
        move_object(self.bytes, at, target, size);
        Ok(target)
    }

    /// Checks that an object of `size` bytes can lie where it was found, and that all found so far fit beside each other.
    #[inline(always)]
    fn admit(&mut self, at: u32, size: u32) -> Result<(), Corruption> {
        if !lies_in_line(at, size) {
            check_fits_block(self.blocks, at, size)?;
        }
        self.done.copied_bytes += u64::from(size);
        self.done.copied_objects += 1;
        check_total(self.done.copied_bytes, self.source_bytes, at)
    }

    fn forwarding_target(&self, target: u32, at: u32) -> Result<u32, Corruption> {
        let state = self.blocks.granule_at(target);
        let is_sound = target.is_multiple_of(object::OBJECT_ALIGN) && state.is_block() && !state.is_tagged();
        if is_sound || is_seeded("forwarding_unchecked") {
            Ok(target)
        } else {
            Err(Corruption::new(CorruptionKind::BadForwarding, at))
        }
    }

    #[cold]
    fn mark_large(&mut self, at: u32) -> Result<u32, Corruption> {
        let state = self.blocks.granule_at(at);
        if !at.is_multiple_of(GRANULE_BYTES) || !state.is_large_start() {
            return Err(Corruption::new(CorruptionKind::FreeSpace, at));
        }
        // Each object is measured once, however many references lead to it: that takes as long as it is large.
        if !state.is_tagged() {
            let run = self.blocks.large_at(at).ok_or_else(|| Corruption::new(CorruptionKind::FreeSpace, at))?;
            let info = object::decode(self.bytes, self.types, at)?;
            if info.size > run.bytes {
                return Err(Corruption::new(CorruptionKind::BadSize, at));
            }
            self.blocks.set_tag(at, true);
            self.done.marked_bytes += u64::from(info.size);
            if info.has_refs() && !is_seeded("copying_unscanned_large") && !self.destinations.large.push([at]) {
                return Err(Corruption::new(CorruptionKind::Overlap, at));
            }
        }
        Ok(at)
    }
}

/// Roots are forwarded where they stand.
impl RootVisitor for Evacuator<'_> {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        let mut seen = 0;
        for slot in slots {
            if *slot != 0 && *slot & 1 == 0 {
                *slot = self.forward(*slot)?;
                seen += 1;
            }
        }
        if let Some(count) = self.done.roots.get_mut(category as usize) {
            *count += seen;
        }
        Ok(())
    }
}

impl Tracer for Evacuator<'_> {
    fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption> {
        let state = self.blocks.granule_at(at);
        if !state.is_block() {
            return Ok((state.is_large_start() && state.is_tagged()).then_some(at));
        }
        if !state.is_tagged() {
            return Ok(Some(at));
        }
        match forwarded(self.bytes, at) {
            Some(target) => self.forwarding_target(target, at).map(Some),
            None => Ok(None),
        }
    }
}
