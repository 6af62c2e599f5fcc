//! Allocation: the fast path in the window, then one ladder: refill, collect, grow, fail.

use core::num::NonZeroU32;
use core::ops::Range;
use std::any::Any;

use super::{GcHeap, grow};
use crate::collector::{Collector, CycleKind, HeapParts, Reason, RefillError};
use crate::error::{Corruption, CorruptionKind, Error, Misuse, OutOfMemory, OutOfMemoryKind, Result};
use crate::memory::{self, Growth, ResourceKind};
use crate::object::{self, OBJECT_ALIGN, OBJECT_BYTES_MIN, ObjectType, VMGcHeader, WORD_OFFSET};
use crate::space::{GRANULE_BYTES, LargeRun, Window};
use crate::trace::RootSource;

impl GcHeap {
    /// Takes `bytes` bytes (a multiple of 8, at least 8, at most the block table's `small_bytes_max`) from the window and
    /// stores `header`; `None` if the window has no room for them. The rest of the object is zero.
    ///
    /// This is the sequence that compiled code may inline: add, compare, store.
    #[inline(always)]
    pub fn try_allocate(&mut self, header: VMGcHeader, bytes: u32) -> Option<NonZeroU32> {
        self.try_allocate_object(header, bytes).map(|(at, _)| at)
    }

    /// The window that [`GcHeap::try_allocate`] takes objects from.
    #[inline]
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// Takes note that compiled code has allocated up to `cursor` in the window, as [`GcHeap::try_allocate`] would.
    ///
    /// # Errors
    /// If that is not a place in the rest of the window; the heap is damaged then.
    #[inline]
    pub fn advance_window(&mut self, cursor: u32) -> Result<()> {
        let Window { cursor: from, limit } = self.window;
        if from <= cursor && cursor <= limit && cursor.is_multiple_of(OBJECT_ALIGN) {
            self.window.cursor = cursor;
            Ok(())
        } else {
            Err(self.damaged_by(Corruption::new(CorruptionKind::BadWindow, cursor)))
        }
    }

    /// Objects of more bytes are never in the window. 512 at least, and the same for as long as the heap lives.
    #[inline]
    #[must_use]
    pub fn small_bytes_max(&self) -> u32 {
        self.blocks.small_bytes_max()
    }

    /// The same for objects of any size: a large one is never in the window, even where that has room for it.
    #[inline(always)]
    pub(super) fn try_allocate_sized(&mut self, header: VMGcHeader, bytes: u64) -> Option<NonZeroU32> {
        let bytes = u32::try_from(bytes).ok().filter(|&bytes| bytes <= self.blocks.small_bytes_max())?;
        self.try_allocate(header, bytes)
    }

    /// As [`GcHeap::try_allocate`], with the object's bytes, to be initialised: one range check for all that is written.
    /// References need no barrier there.
    #[inline(always)]
    pub fn try_allocate_object(&mut self, header: VMGcHeader, bytes: u32) -> Option<(NonZeroU32, &mut [u8])> {
        let at = self.window.take(bytes)?;
        let start = at as usize;
        let object = self.memory.bytes_mut().get_mut(start..start.wrapping_add(bytes as usize))?;
        object::store_u32(object, 0, header.bits())?;
        Some((NonZeroU32::new(at)?, object))
    }

    /// Allocates an object of `bytes` bytes (a multiple of 8, at least 8), all zero behind its `header`. A safe point.
    ///
    /// # Errors
    /// Out of memory, or the heap is damaged.
    #[inline(always)]
    pub fn allocate(&mut self, header: VMGcHeader, bytes: u64, roots: &mut dyn RootSource) -> Result<NonZeroU32> {
        match self.try_allocate_sized(header, bytes) {
            Some(at) => Ok(at),
            None => self.allocate_slow(header, bytes, roots),
        }
    }

    /// Allocates a struct, all fields zero.
    ///
    /// A safe point: everything that holds references must be in `roots`, and references held elsewhere are stale
    /// afterwards.
    ///
    /// # Errors
    /// Out of memory, or the heap is damaged.
    #[inline(always)]
    pub fn allocate_struct(&mut self, ty: &ObjectType, roots: &mut dyn RootSource) -> Result<NonZeroU32> {
        let Some(layout) = ty.as_struct() else { return Err(wrong_kind(ty, "struct")) };
        self.allocate(ty.header(), u64::from(layout.size), roots)
    }

    /// Allocates a struct, whose fields `init` writes, at the offsets of the type's layout.
    ///
    /// A safe point like [`GcHeap::allocate_struct`], which comes before `init`: the references that it writes are to be
    /// taken from the roots, which it is given for that. The fastest way to make a struct: one range check for all of it.
    ///
    /// # Errors
    /// Out of memory, or the heap is damaged; `init` is not called then.
    #[inline(always)]
    pub fn allocate_struct_with<R: RootSource>(
        &mut self,
        ty: &ObjectType,
        roots: &mut R,
        init: impl FnOnce(&mut [u8], &mut R),
    ) -> Result<NonZeroU32> {
        let Some(layout) = ty.as_struct() else { return Err(wrong_kind(ty, "struct")) };
        if layout.size <= self.blocks.small_bytes_max()
            && let Some((at, object)) = self.try_allocate_object(ty.header(), layout.size)
        {
            init(object, roots);
            return Ok(at);
        }
        let at = self.allocate_slow(ty.header(), u64::from(layout.size), roots)?;
        init(self.object_mut(at.get(), layout.size)?, roots);
        Ok(at)
    }

    /// Allocates an array of `length` elements, all zero, its length stored. A safe point.
    ///
    /// # Errors
    /// Out of memory, or the heap is damaged.
    #[inline]
    pub fn allocate_array(&mut self, ty: &ObjectType, length: u32, roots: &mut dyn RootSource) -> Result<NonZeroU32> {
        let Some(layout) = ty.as_array() else { return Err(wrong_kind(ty, "array")) };
        let at = self.allocate(ty.header(), layout.size_for_len(length), roots)?;
        // No safe point since the header was stored.
        self.store(at.get(), WORD_OFFSET, length.to_le_bytes())?;
        Ok(at)
    }

    /// Allocates an extern object with `payload` behind it. A safe point.
    ///
    /// The payload is dropped when the object dies: it is handed out by [`GcHeap::take_dead_payloads`] then.
    ///
    /// # Errors
    /// Out of memory, or the heap is damaged. The payload is dropped then.
    pub fn allocate_extern(
        &mut self,
        payload: Box<dyn Any + Send + Sync>,
        roots: &mut dyn RootSource,
    ) -> Result<NonZeroU32> {
        self.allocate_extern_holding(payload, 0, roots)
    }

    /// The same for a payload that holds `external_bytes` bytes outside the heap: pacing takes them as allocated, and
    /// the limiter is asked for them ([`ResourceKind::External`]).
    ///
    /// # Errors
    /// As for [`GcHeap::allocate_extern`], and if the limiter still refuses after a collection.
    pub fn allocate_extern_holding(
        &mut self,
        payload: Box<dyn Any + Send + Sync>,
        external_bytes: u64,
        roots: &mut dyn RootSource,
    ) -> Result<NonZeroU32> {
        let externs = &self.weak.externs;
        if external_bytes > 0 || !externs.has_room() || externs.is_pacing_due() {
            self.make_room_outside(external_bytes, roots)?;
        }
        let at = match self.try_allocate(VMGcHeader::EXTERN, OBJECT_BYTES_MIN) {
            Some(at) => at,
            None => self.allocate_slow(VMGcHeader::EXTERN, u64::from(OBJECT_BYTES_MIN), roots)?,
        };
        let Ok(id) = self.weak.externs.insert(payload, external_bytes, at.get()) else {
            return Err(self.no_room_outside(OutOfMemoryKind::HeapFull).into());
        };
        self.store(at.get(), WORD_OFFSET, id.as_raw_u32().to_le_bytes())?;
        Ok(at)
    }

    /// Makes room for a host value that holds `external_bytes`, after a collection if new ones have taken so much that
    /// one is due. A safe point.
    #[cold]
    #[inline(never)]
    fn make_room_outside(&mut self, external_bytes: u64, roots: &mut dyn RootSource) -> Result<()> {
        let mut roots = Some(roots);
        let bytes = u64::from(OBJECT_BYTES_MIN);
        if self.weak.externs.is_pacing_due() {
            self.weak.externs.note_paced();
            // A refusal of what the cycle needs is no refusal of the value.
            if !self.collector.pretenures() {
                self.collect_or_refusal(CycleKind::Minor, Reason::Pacing, bytes, &mut roots)?;
            }
            if self.pacer.is_due(&self.counters()) {
                self.collect_or_refusal(CycleKind::Full, Reason::Pacing, bytes, &mut roots)?;
            }
        }
        let is_denied = external_bytes > 0 && self.declare(external_bytes).is_err();
        if self.weak.externs.is_full() || is_denied {
            // Payloads of the dead hold ids, and what they declared, until a collection finds them.
            self.collect_or_refusal(CycleKind::Full, Reason::Exhausted, bytes, &mut roots)?;
        }
        if is_denied {
            self.declare(external_bytes)?;
        }
        self.weak.externs.reserve().map_err(|_| self.no_room_outside(OutOfMemoryKind::Host))?;
        Ok(())
    }

    /// That there is no entry for another host value.
    #[cold]
    fn no_room_outside(&self, kind: OutOfMemoryKind) -> OutOfMemory {
        OutOfMemory {
            kind,
            asked: u64::from(OBJECT_BYTES_MIN),
            in_use: self.weak.externs.len() as u64,
            limit: u64::from(object::HostId::INDEX_LIMIT),
            largest_free: 0,
        }
    }

    /// Asks the limiter for bytes that a host value holds.
    fn declare(&self, bytes: u64) -> Result<(), OutOfMemory> {
        let current = self.weak.externs.external_bytes();
        let growth = |desired| Growth { kind: ResourceKind::External, current, desired, maximum: None };
        match current.checked_add(bytes) {
            Some(desired) => self.limiter.grow(&growth(desired), || Ok(())),
            // More than can be counted.
            None => Err(growth(u64::MAX).refused(OutOfMemoryKind::TooLarge)),
        }
    }

    /// Allocates where the window has no room. A safe point.
    ///
    /// # Errors
    /// Out of memory, the heap is damaged, or `bytes` is no multiple of 8 or none at all.
    #[cold]
    #[inline(never)]
    pub fn allocate_slow(&mut self, header: VMGcHeader, bytes: u64, roots: &mut dyn RootSource) -> Result<NonZeroU32> {
        self.allocate_beyond(header, bytes, Some(roots))
    }

    /// Allocates as [`GcHeap::allocate_struct`] and its kin do if that needs no collection, and is no safe point; `None`
    /// if one is due, or is what may still find room.
    ///
    /// # Errors
    /// As for [`GcHeap::allocate_slow`]; out of memory only if no collection can help.
    #[inline]
    pub fn allocate_without_collecting(&mut self, header: VMGcHeader, bytes: u64) -> Result<Option<NonZeroU32>> {
        match self.try_allocate_sized(header, bytes) {
            Some(at) => Ok(Some(at)),
            None => self.allocate_slow_without_collecting(header, bytes),
        }
    }

    #[cold]
    #[inline(never)]
    fn allocate_slow_without_collecting(&mut self, header: VMGcHeader, bytes: u64) -> Result<Option<NonZeroU32>> {
        match self.allocate_beyond(header, bytes, None) {
            Ok(at) => Ok(Some(at)),
            Err(error) => match error.out_of_memory() {
                Some(refused) if refused.kind != OutOfMemoryKind::TooLarge && self.collector.traits().collects => {
                    Ok(None)
                }
                _ => Err(error),
            },
        }
    }

    /// Allocates where the window has no room; collects only if there are `roots`.
    fn allocate_beyond(
        &mut self,
        header: VMGcHeader,
        bytes: u64,
        mut roots: Option<&mut dyn RootSource>,
    ) -> Result<NonZeroU32> {
        self.refuse_if_damaged()?;
        if bytes < u64::from(OBJECT_BYTES_MIN) || !bytes.is_multiple_of(u64::from(OBJECT_ALIGN)) {
            return Err(Misuse::Setting(format!("an object of {bytes} bytes")).into());
        }
        if !self.attached {
            self.attach()?;
        }
        if let Some(roots) = roots.as_deref_mut() {
            self.zeal(roots)?;
        }
        let at = match u32::try_from(bytes) {
            Ok(bytes) if bytes <= self.blocks.small_bytes_max() => self.allocate_small(bytes, roots)?,
            _ => self.allocate_large(bytes, roots)?,
        };
        // Operands were roots until here; the header is stored with no safe point before the object's first write.
        self.store(at, 0, header.bits().to_le_bytes()).map_err(|corruption| self.damaged_by(corruption))?;
        NonZeroU32::new(at).ok_or_else(|| self.damaged_by(Corruption::new(CorruptionKind::BadWindow, 0)))
    }

    fn zeal(&mut self, roots: &mut dyn RootSource) -> Result<()> {
        if let Some(zeal) = self.config.zeal {
            self.zeal_left -= 1;
            if self.zeal_left == 0 {
                self.zeal_left = zeal.get();
                self.zeal_cycles += 1;
                // Both kinds are to be seen, and minor ones between minor ones.
                let kind = if self.zeal_cycles.is_multiple_of(4) { CycleKind::Full } else { CycleKind::Minor };
                self.collect_for(kind, Reason::Zeal, 0, roots)?;
            }
        }
        Ok(())
    }

    fn allocate_small(&mut self, bytes: u32, roots: Option<&mut dyn RootSource>) -> Result<u32> {
        // Under zeal the window is hidden from the fast path and allocation comes here each time.
        if let Some(at) = self.hidden.take(bytes) {
            return Ok(at);
        }
        self.retire();
        let mut window = self.find_room(u64::from(bytes), roots, |collector, parts| collector.refill(parts, bytes))?;
        let block = self.blocks.block_at(window.cursor);
        let inside = block.is_some_and(|block| block.start <= window.cursor && window.limit <= block.end);
        if !inside || !window.cursor.is_multiple_of(OBJECT_ALIGN) || window.room() < bytes {
            return Err(self.damaged_by(Corruption::new(CorruptionKind::BadWindow, window.cursor)));
        }
        self.zero(window.cursor, window.limit);
        self.window_start = window.cursor;
        let at = window.take(bytes);
        if self.config.zeal.is_some() {
            self.hidden = window;
        } else {
            self.window = window;
        }
        at.ok_or_else(|| self.damaged_by(Corruption::new(CorruptionKind::BadWindow, window.cursor)))
    }

    fn allocate_large(&mut self, bytes: u64, roots: Option<&mut dyn RootSource>) -> Result<u32> {
        // Granule 0 never belongs to a large object.
        let limit = u64::from(self.blocks.limit_bytes().saturating_sub(GRANULE_BYTES));
        if bytes > limit {
            return Err(self.out_of_memory(OutOfMemoryKind::TooLarge, bytes).into());
        }
        let claimed = self.find_room(bytes, roots, |collector, parts| collector.allocate_large(parts, bytes))?.start;
        // How long the run is, the block table knows.
        let run = self.blocks.large_at(claimed).filter(|run| u64::from(run.bytes) >= bytes);
        let Some(LargeRun { start, bytes: room }) = run else {
            return Err(self.damaged_by(Corruption::new(CorruptionKind::BadWindow, claimed)));
        };
        self.zero(start, start + room);
        self.stats.allocated_bytes += bytes;
        Ok(start)
    }

    /// The retry ladder, for small and large objects alike: collect if that is due, then ask the collector, grow,
    /// collect, make room in one piece, and only then fail. Without `roots` it fails where it would collect.
    fn find_room<R>(
        &mut self,
        bytes: u64,
        mut roots: Option<&mut dyn RootSource>,
        mut attempt: impl FnMut(&mut dyn Collector, &mut HeapParts<'_>) -> Result<R, RefillError>,
    ) -> Result<R> {
        let mut rungs = Rungs { minor: true, full: true, fragmented: bytes > u64::from(self.blocks.small_bytes_max()) };
        if !self.collector.traits().collects {
            rungs = Rungs::default();
        }
        let mut refusal = None;
        if rungs.full && self.pacer.is_due(&self.counters()) {
            rungs.full = false;
            refusal = self.collect_or_refusal(CycleKind::Full, Reason::Pacing, bytes, &mut roots)?;
        }
        loop {
            let (collector, mut parts) = self.split();
            let growth_helps = match attempt(collector, &mut parts) {
                Ok(room) => return Ok(room),
                Err(RefillError::Corruption(corruption)) => return Err(self.damaged_by(corruption)),
                Err(RefillError::Due) if rungs.minor => {
                    rungs.minor = false;
                    let refused = self.collect_or_refusal(CycleKind::Minor, Reason::Pacing, bytes, &mut roots)?;
                    refusal = refused.or(refusal);
                    continue;
                }
                Err(RefillError::NoRoom | RefillError::Due) => true,
                Err(RefillError::Full) => false,
            };
            if growth_helps && self.grow_for(bytes, &mut refusal) {
                continue;
            }
            let is_in_pieces = || u64::from(self.blocks.limit_bytes() - self.blocks.used_bytes()) >= bytes;
            let reason = if core::mem::take(&mut rungs.full) {
                Reason::Exhausted
            } else if core::mem::take(&mut rungs.fragmented) && is_in_pieces() {
                Reason::Fragmented
            } else {
                let full = || self.out_of_memory(OutOfMemoryKind::HeapFull, bytes);
                return Err(refusal.unwrap_or_else(full).into());
            };
            if let Some(refused) = self.collect_or_refusal(CycleKind::Full, reason, bytes, &mut roots)? {
                refusal = Some(refused);
            }
        }
    }

    /// Collects; a refusal of the memory that the cycle needs is not the end of the ladder, which `bytes` is asked of.
    /// That there are no `roots` is.
    fn collect_or_refusal(
        &mut self,
        kind: CycleKind,
        reason: Reason,
        bytes: u64,
        roots: &mut Option<&mut dyn RootSource>,
    ) -> Result<Option<OutOfMemory>> {
        let Some(roots) = roots else { return Err(self.out_of_memory(OutOfMemoryKind::HeapFull, bytes).into()) };
        match self.collect_for(kind, reason, bytes, &mut **roots) {
            Ok(()) => Ok(None),
            Err(error) => match error.out_of_memory() {
                Some(&refused) => Ok(Some(OutOfMemory { asked: bytes, ..refused })),
                None => Err(error),
            },
        }
    }

    /// Commits more memory; tells whether there is more now.
    fn grow_for(&mut self, bytes: u64, refusal: &mut Option<OutOfMemory>) -> bool {
        let committed = u64::from(self.blocks.committed_bytes());
        let limit = u64::from(self.blocks.limit_bytes());
        let wanted = (bytes + u64::from(GRANULE_BYTES)).max(u64::from(self.blocks.block_bytes()));
        let growth = self.pacer.growth(wanted, committed, limit);
        if growth == 0 {
            return false;
        }
        let (collector, mut parts) = self.split();
        let least = wanted.min(growth);
        match grow(collector, &mut parts, growth).or_else(|_| grow(collector, &mut parts, least)) {
            Ok(()) => {
                let committed = u64::from(self.blocks.committed_bytes());
                self.stats.committed_bytes_max = self.stats.committed_bytes_max.max(committed);
                true
            }
            Err(refused) => {
                self.stats.refusals += 1;
                *refusal = Some(OutOfMemory { asked: bytes, ..refused });
                false
            }
        }
    }

    /// Ends the open window, so that byte counters are exact and the collector knows where its objects end.
    pub(super) fn retire(&mut self) {
        let window = if self.config.zeal.is_some() { self.hidden } else { self.window };
        if window != Window::EMPTY {
            self.stats.allocated_bytes = self.allocated_bytes();
            (self.window, self.hidden, self.window_start) = (Window::EMPTY, Window::EMPTY, 0);
            let (collector, mut parts) = self.split();
            collector.retire(&mut parts, window);
        }
    }

    /// Zeroes what is not known to be zero in `start..end`, which is being handed out: a run of granules at a time.
    fn zero(&mut self, start: u32, end: u32) {
        let mut run = start..start;
        while run.end < end {
            let granule_end = (run.end | (GRANULE_BYTES - 1)).saturating_add(1).min(end);
            if self.blocks.granule_at(run.end).is_zero() {
                self.fill_zero(run);
                run = granule_end..granule_end;
            } else {
                run.end = granule_end;
            }
        }
        self.fill_zero(run);
        self.blocks.mark_dirty(start..end);
    }

    fn fill_zero(&mut self, run: Range<u32>) {
        if let Some(bytes) = self.memory.bytes_mut().get_mut(run.start as usize..run.end as usize) {
            memory::zero(bytes);
        }
    }

    #[cold]
    pub(super) fn out_of_memory(&self, kind: OutOfMemoryKind, asked: u64) -> OutOfMemory {
        OutOfMemory {
            kind,
            asked,
            in_use: u64::from(self.blocks.used_bytes()),
            limit: u64::from(self.blocks.limit_bytes()),
            largest_free: u64::from(self.blocks.largest_free_bytes()),
        }
    }
}

/// What can still be tried to find room.
#[derive(Clone, Copy, Default)]
struct Rungs {
    minor: bool,
    full: bool,
    fragmented: bool,
}

#[cold]
fn wrong_kind(ty: &ObjectType, wanted: &str) -> Error {
    Misuse::TypeMismatch { wanted: wanted.to_owned(), given: ty.ty().composite().to_string() }.into()
}
