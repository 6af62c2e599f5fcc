//! An array of root slots: the references of tables, globals, element segments and handles of the host.
//!
//! Slots are kept in chunks. A collector that does not want to see what nobody wrote to arms the chunks that it was
//! shown: the next overwrite in one is logged then, once, and the chunk shown again. That is what the LOG bit is to
//! objects. Chunks are born unarmed.

use core::ops::Range;

use crate::error::Corruption;
use crate::heap::GcHeap;
use crate::provenance::VMRootArray;
use crate::trace::{RootCategory, RootVisitor};

/// Slots that are armed together.
pub const CHUNK_SLOTS: usize = 128;

/// References outside the heap, by index. Every overwrite is logged if a collector asked for that.
///
/// ```
/// use std::sync::Arc;
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::heap::{GcHeap, HeapConfig};
/// use tumulus::memory::VecMemoryCreator;
/// use tumulus::root::RootArray;
///
/// let collector = BuiltinCollector::default().create();
/// let mut heap = GcHeap::new(HeapConfig::default(), collector, Arc::new(VecMemoryCreator))?;
/// let mut table = RootArray::new();
/// assert!(table.grow(&mut heap, 1000, 0)?, "the host has memory for them");
/// // An `i31` is a reference like any other.
/// assert!(table.set(&mut heap, 3, 15).is_some() && table.set(&mut heap, 1000, 15).is_none());
/// assert!(table.fill(&mut heap, 10..20, 17).is_some() && table.copy_within(&mut heap, 3..4, 19).is_some());
/// assert_eq!((table.get(3), table.get(18), table.get(19)), (Some(15), Some(17), Some(15)));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct RootArray {
    slots: Vec<u32>,
    /// For each chunk whether it is armed.
    armed: Vec<bool>,
    /// How many are.
    armed_count: usize,
}

impl RootArray {
    /// An array without slots.
    #[must_use]
    pub fn new() -> RootArray {
        RootArray::default()
    }

    /// The number of slots.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no slots.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The raw reference in slot `index`, if there is such a slot.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<u32> {
        self.slots.get(index).copied()
    }

    /// All raw references.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.slots
    }

    /// Where the slots and the bytes of the chunks are, for compiled code: until the array grows or is given up.
    #[must_use]
    pub fn record(&mut self) -> VMRootArray {
        VMRootArray::new(self.slots.as_mut_ptr(), self.armed.as_mut_ptr().cast(), self.slots.len())
    }

    /// Tells the collector that slot `index` is about to be overwritten, if it asked for that; `None` if there is no
    /// such slot. There must be no safe point between this and the store.
    ///
    /// # Errors
    /// If the collector found a reference that leads to no object.
    #[inline]
    pub fn barrier(&mut self, heap: &mut GcHeap, index: usize) -> Option<Result<(), Corruption>> {
        if index >= self.slots.len() {
            return None;
        }
        if self.armed_count == 0 {
            return Some(Ok(()));
        }
        Some(self.log(&(index..index + 1), &mut |chunk| heap.log_roots(chunk)))
    }

    /// Writes a raw reference to slot `index`; `None` if there is no such slot.
    ///
    /// # Errors
    /// If the collector found a reference that leads to no object; nothing is written then.
    #[inline]
    pub fn set(&mut self, heap: &mut GcHeap, index: usize, raw: u32) -> Option<Result<(), Corruption>> {
        let logged = self.barrier(heap, index)?;
        let slot = self.slots.get_mut(index)?;
        Some(logged.map(|()| *slot = raw))
    }

    /// Appends `count` slots that hold `raw`; `false` if the host has no memory for them, and nothing is changed then.
    ///
    /// # Errors
    /// As for [`RootArray::set`].
    pub fn grow(&mut self, heap: &mut GcHeap, count: usize, raw: u32) -> Result<bool, Corruption> {
        let start = self.slots.len();
        let Some(end) = start.checked_add(count) else { return Ok(false) };
        let chunks = end.div_ceil(CHUNK_SLOTS);
        let more_chunks = chunks.saturating_sub(self.armed.len());
        if self.slots.try_reserve(count).is_err() || self.armed.try_reserve(more_chunks).is_err() {
            return Ok(false);
        }
        // The last chunk gets slots that it did not have when it was armed.
        self.log(&(start..end), &mut |chunk| heap.log_roots(chunk))?;
        self.slots.resize(end, raw);
        self.armed.resize(chunks, false);
        Ok(true)
    }

    /// Writes a raw reference to all slots of `range`; `None` if they are not all there.
    ///
    /// # Errors
    /// As for [`RootArray::set`].
    pub fn fill(&mut self, heap: &mut GcHeap, range: Range<usize>, raw: u32) -> Option<Result<(), Corruption>> {
        self.slots.get(range.clone())?;
        let logged = self.log(&range, &mut |chunk| heap.log_roots(chunk));
        Some(logged.map(|()| self.slots.get_mut(range).unwrap_or_default().fill(raw)))
    }

    /// Writes raw references from `start` on; `None` if the slots are not all there, and nothing is written then.
    ///
    /// # Errors
    /// As for [`RootArray::set`].
    pub fn write(&mut self, heap: &mut GcHeap, start: usize, raws: &[u32]) -> Option<Result<(), Corruption>> {
        let range = start..start.checked_add(raws.len())?;
        self.slots.get(range.clone())?;
        let logged = self.log(&range, &mut |chunk| heap.log_roots(chunk));
        Some(logged.map(|()| {
            for (slot, &raw) in self.slots.get_mut(range).unwrap_or_default().iter_mut().zip(raws) {
                *slot = raw;
            }
        }))
    }

    /// Copies the slots of `source` to `target` and on, as if through a copy; `None` if they are not all there.
    ///
    /// # Errors
    /// As for [`RootArray::set`].
    pub fn copy_within(
        &mut self,
        heap: &mut GcHeap,
        source: Range<usize>,
        target: usize,
    ) -> Option<Result<(), Corruption>> {
        let range = target..target.checked_add(source.len())?;
        self.slots.get(source.clone())?;
        self.slots.get(range.clone())?;
        let logged = self.log(&range, &mut |chunk| heap.log_roots(chunk));
        Some(logged.map(|()| self.slots.copy_within(source, target)))
    }

    /// Gives up all slots.
    ///
    /// # Errors
    /// As for [`RootArray::set`]; the slots are gone even so.
    pub fn clear(&mut self, heap: &mut GcHeap) -> Result<(), Corruption> {
        let mut cleared = core::mem::take(self);
        cleared.log(&(0..cleared.len()), &mut |chunk| heap.log_roots(chunk))
    }

    /// Shows the slots to a collection: all, or those in chunks that are not armed.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn visit(&mut self, category: RootCategory, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        let wants_armed = visitor.wants_unwritten();
        if self.armed_count == self.armed.len() && !wants_armed {
            return Ok(());
        }
        for (slots, armed) in self.slots.chunks_mut(CHUNK_SLOTS).zip(&mut self.armed) {
            if wants_armed || !*armed {
                let arms = visitor.visit_chunk(category, slots)?;
                self.armed_count += usize::from(arms && !*armed);
                *armed |= arms;
            }
        }
        Ok(())
    }

    /// Writes to a slot in the course of a visit, before it is shown.
    pub(super) fn set_in_visit(
        &mut self,
        visitor: &mut dyn RootVisitor,
        index: usize,
        raw: u32,
    ) -> Result<(), Corruption> {
        self.log(&(index..index + 1), &mut |chunk| visitor.overwritten(chunk))?;
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = raw;
        }
        Ok(())
    }

    /// Logs the armed chunks that `range` touches, which are not armed afterwards.
    fn log(
        &mut self,
        range: &Range<usize>,
        log: &mut dyn FnMut(&[u32]) -> Result<(), Corruption>,
    ) -> Result<(), Corruption> {
        if self.armed_count == 0 || range.is_empty() {
            return Ok(());
        }
        let first = range.start / CHUNK_SLOTS;
        let count = range.end.div_ceil(CHUNK_SLOTS) - first;
        for (chunk, armed) in self.armed.iter_mut().enumerate().skip(first).take(count) {
            if *armed {
                let slots = self.slots.chunks(CHUNK_SLOTS).nth(chunk).unwrap_or_default();
                log(slots)?;
                *armed = false;
                self.armed_count -= 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the slots shown and arms them.
    struct Arming {
        shown: usize,
        logged: Vec<u32>,
    }

    impl RootVisitor for Arming {
        fn visit(&mut self, _category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
            self.shown += slots.len();
            Ok(())
        }

        fn visit_chunk(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<bool, Corruption> {
            self.visit(category, slots).map(|()| true)
        }

        fn wants_unwritten(&self) -> bool {
            false
        }

        fn overwritten(&mut self, slots: &[u32]) -> Result<(), Corruption> {
            self.logged.extend(slots);
            Ok(())
        }
    }

    fn shown(array: &mut RootArray) -> usize {
        let mut visitor = Arming { shown: 0, logged: Vec::new() };
        array.visit(RootCategory::Tables, &mut visitor).unwrap();
        visitor.shown
    }

    #[test]
    fn what_nobody_wrote_to_is_shown_once() {
        let mut array = RootArray { slots: vec![8; 1000], armed: vec![false; 8], armed_count: 0 };
        assert_eq!((shown(&mut array), shown(&mut array)), (1000, 0));
        let mut visitor = Arming { shown: 0, logged: Vec::new() };
        array.set_in_visit(&mut visitor, 130, 16).unwrap();
        array.set_in_visit(&mut visitor, 131, 24).unwrap();
        assert_eq!(visitor.logged, [8; 128], "the chunk as it was, once");
        assert_eq!((shown(&mut array), shown(&mut array)), (128, 0));
        array.set_in_visit(&mut visitor, 999, 16).unwrap();
        assert_eq!(shown(&mut array), 1000 - 7 * 128, "the last chunk is a short one");
        let mut all = 0;
        let mut every = |_: RootCategory, slots: &mut [u32]| {
            all += slots.len();
            Ok(())
        };
        array.visit(RootCategory::Tables, &mut every).unwrap();
        assert_eq!((all, array.armed_count), (1000, 8), "who wants all is shown all, and changes nothing");
    }
}
