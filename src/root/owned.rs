//! Root slots that live as long as their owners: one shared list of released slots, no allocation per root.

use std::sync::{Arc, Mutex, PoisonError};

use super::RootArray;
use crate::error::Corruption;
use crate::heap::GcHeap;
use crate::trace::{RootCategory, RootVisitor};

/// Slots whose owners were dropped, to be freed by the store at its next convenience. Owners may be dropped on any
/// thread and after their store.
#[derive(Debug, Default)]
pub(super) struct Released(Mutex<Vec<u32>>);

impl Released {
    /// Gives each slot that was released since the last time to `take`.
    pub(super) fn drain(&self, take: impl FnMut(u32)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).for_each(take);
    }
}

/// The owner of one root slot, or of one weak reference. Dropping it releases that.
#[derive(Debug)]
pub struct OwnedSlot {
    released: Arc<Released>,
    slot: u32,
}

impl OwnedSlot {
    /// The owner of `slot`, which goes to `released` with it.
    pub(super) fn new(released: &Arc<Released>, slot: u32) -> OwnedSlot {
        OwnedSlot { released: Arc::clone(released), slot }
    }

    /// The slot, if it will go to `released`.
    #[inline]
    pub(super) fn slot_of(&self, released: &Arc<Released>) -> Option<u32> {
        Arc::ptr_eq(released, &self.released).then_some(self.slot)
    }
}

impl Drop for OwnedSlot {
    fn drop(&mut self) {
        self.released.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
    }
}

/// The owned roots of one store, of one category.
#[derive(Debug)]
pub struct OwnedRoots {
    category: RootCategory,
    slots: RootArray,
    free: Vec<u32>,
    released: Arc<Released>,
}

impl OwnedRoots {
    /// No roots.
    #[must_use]
    pub fn new(category: RootCategory) -> OwnedRoots {
        OwnedRoots { category, slots: RootArray::new(), free: Vec::new(), released: Arc::default() }
    }

    /// How many slots are owned, those released but not yet freed included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there are no roots.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Roots a raw reference until the owner is dropped; `None` if there are 2^32 roots, or no memory for more.
    ///
    /// # Errors
    /// If the collector found a reference that leads to no object.
    pub fn insert(&mut self, heap: &mut GcHeap, raw: u32) -> Result<Option<OwnedSlot>, Corruption> {
        if self.free.is_empty() {
            self.reclaim(|slots, slot| slots.set(heap, slot, 0).unwrap_or(Ok(())))?;
        }
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots.set(heap, slot as usize, raw).unwrap_or(Ok(()))?;
                slot
            }
            None => match u32::try_from(self.slots.len()) {
                // Room in `free` for all slots, so that a collection that frees them needs no memory.
                Ok(slot) if self.free.try_reserve(self.slots.len() + 1).is_ok() && self.slots.grow(heap, 1, raw)? => {
                    slot
                }
                _ => return Ok(None),
            },
        };
        Ok(Some(OwnedSlot::new(&self.released, slot)))
    }

    /// The raw reference that a handle roots; `None` if it is one of another store.
    #[inline]
    #[must_use]
    pub fn get(&self, handle: &OwnedSlot) -> Option<u32> {
        self.slots.get(handle.slot_of(&self.released)? as usize)
    }

    /// Frees the slots whose owners were dropped, after `clear` wrote null to each.
    fn reclaim(
        &mut self,
        mut clear: impl FnMut(&mut RootArray, usize) -> Result<(), Corruption>,
    ) -> Result<(), Corruption> {
        let mut released = self.released.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(slot) = released.pop() {
            clear(&mut self.slots, slot as usize)?;
            self.free.push(slot);
        }
        Ok(())
    }

    /// Shows all roots; to a collection those whose owners were dropped are none any more.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn visit(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        if visitor.may_release() {
            self.reclaim(|slots, slot| slots.set_in_visit(visitor, slot, 0))?;
        }
        self.slots.visit(self.category, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::BuiltinCollector;
    use crate::heap::HeapConfig;
    use crate::memory::VecMemoryCreator;

    fn heap() -> GcHeap {
        let collector = BuiltinCollector::default().create();
        GcHeap::new(HeapConfig::default(), collector, Arc::new(VecMemoryCreator)).unwrap()
    }

    #[test]
    fn slots_are_reused_only_after_their_owner_is_gone() {
        let (mut owned, mut heap) = (OwnedRoots::new(RootCategory::Owned), heap());
        let mut insert = |owned: &mut OwnedRoots, raw| owned.insert(&mut heap, raw).unwrap().unwrap();
        let first = insert(&mut owned, 8);
        let second = insert(&mut owned, 16);
        assert_eq!((owned.get(&first), owned.get(&second)), (Some(8), Some(16)));
        drop(first);
        let third = insert(&mut owned, 24);
        assert_eq!((owned.get(&second), owned.get(&third), owned.len()), (Some(16), Some(24), 2));
        assert_eq!(owned.slots.len(), 2);
    }

    #[test]
    fn a_handle_of_another_store_is_refused() {
        let (mut one, mut other) = (OwnedRoots::new(RootCategory::Owned), OwnedRoots::new(RootCategory::Owned));
        let mut heap = heap();
        let handle = one.insert(&mut heap, 8).unwrap().unwrap();
        let _same_slot = other.insert(&mut heap, 16).unwrap().unwrap();
        assert_eq!(other.get(&handle), None);
    }

    #[test]
    fn a_million_rounds_leave_memory_flat() {
        let (mut owned, mut heap) = (OwnedRoots::new(RootCategory::Owned), heap());
        for round in 0..1_000_000 {
            let handle = owned.insert(&mut heap, 8 * (round + 1)).unwrap().unwrap();
            assert_eq!(owned.get(&handle), Some(8 * (round + 1)));
        }
        assert!(owned.slots.len() <= 2, "{}", owned.slots.len());
    }
}
