//! An array of root slots: the references of tables, globals and element segments.

use core::ops::Range;

use crate::error::Corruption;
use crate::heap::GcHeap;
use crate::trace::{RootCategory, RootVisitor};

/// References outside the heap, by index. Every overwrite goes through the heap.
#[derive(Debug, Default)]
pub struct RootArray {
    slots: Vec<u32>,
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

    /// Writes a raw reference to slot `index`; `None` if there is no such slot.
    ///
    /// # Errors
    /// If the collector found a reference that leads to no object.
    #[inline]
    pub fn set(&mut self, heap: &mut GcHeap, index: usize, raw: u32) -> Option<Result<(), Corruption>> {
        self.slots.get_mut(index).map(|slot| heap.write_root(slot, raw))
    }

    /// Appends `count` slots that hold `raw`; `false` if the host has no memory for them.
    #[must_use]
    pub fn grow(&mut self, heap: &mut GcHeap, count: usize, raw: u32) -> bool {
        if self.slots.try_reserve(count).is_err() {
            return false;
        }
        let start = self.slots.len();
        self.slots.resize(start + count, 0);
        // New slots are written like any other; a slice that was just made cannot be out of range.
        self.fill(heap, start..start + count, raw).is_some_and(|written| written.is_ok())
    }

    /// Writes a raw reference to all slots of `range`; `None` if they are not all there.
    ///
    /// # Errors
    /// As for [`RootArray::set`].
    pub fn fill(&mut self, heap: &mut GcHeap, range: Range<usize>, raw: u32) -> Option<Result<(), Corruption>> {
        let slots = self.slots.get_mut(range)?;
        Some(slots.iter_mut().try_for_each(|slot| heap.write_root(slot, raw)))
    }

    /// Writes raw references from `start` on; `None` if the slots are not all there, and nothing is written then.
    ///
    /// # Errors
    /// As for [`RootArray::set`].
    pub fn write(&mut self, heap: &mut GcHeap, start: usize, raws: &[u32]) -> Option<Result<(), Corruption>> {
        let slots = self.slots.get_mut(start..start.checked_add(raws.len())?)?;
        Some(slots.iter_mut().zip(raws).try_for_each(|(slot, &raw)| heap.write_root(slot, raw)))
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
        let (start, count) = (source.start, source.len());
        self.slots.get(source)?;
        self.slots.get(target..target.checked_add(count)?)?;
        let mut copy = |i: usize| match (self.slots.get(start + i).copied(), self.slots.get_mut(target + i)) {
            (Some(raw), Some(slot)) => heap.write_root(slot, raw),
            _ => Ok(()),
        };
        // The direction in which no slot is overwritten before it was read.
        Some(if target <= start {
            (0..count).try_for_each(&mut copy)
        } else {
            (0..count).rev().try_for_each(&mut copy)
        })
    }

    /// Gives up all slots.
    ///
    /// # Errors
    /// As for [`RootArray::set`]; the slots are gone even so.
    pub fn clear(&mut self, heap: &mut GcHeap) -> Result<(), Corruption> {
        let mut slots = core::mem::take(&mut self.slots);
        slots.iter_mut().try_for_each(|slot| heap.write_root(slot, 0))
    }

    /// Shows all slots to a collection.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn visit(&mut self, category: RootCategory, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        visitor.visit(category, &mut self.slots)
    }
}
