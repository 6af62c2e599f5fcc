//! Root slots that live as long as their owners: no allocation per root.

use super::RootArray;
use super::owner::{CHUNK_SLOTS, OwnedSlot, Owners};
use crate::error::Corruption;
use crate::heap::GcHeap;
use crate::trace::{RootCategory, RootVisitor};

/// The owned roots of one store, of one category.
///
/// ```
/// use std::sync::Arc;
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::heap::{GcHeap, HeapConfig};
/// use tumulus::memory::VecMemoryCreator;
/// use tumulus::root::OwnedRoots;
/// use tumulus::trace::RootCategory;
///
/// let collector = BuiltinCollector::default().create();
/// let mut heap = GcHeap::new(HeapConfig::default(), collector, Arc::new(VecMemoryCreator))?;
/// let mut owned = OwnedRoots::new(RootCategory::Owned);
/// let owner = owned.insert(&mut heap, 15)?.expect("room");
/// assert_eq!((owned.get(&owner), owned.len()), (Some(15), 1));
/// assert!(owned.set(&mut heap, &owner, 17).is_some() && owned.get(&owner) == Some(17));
/// drop(owner);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Debug)]
pub struct OwnedRoots {
    category: RootCategory,
    /// One for each slot of `owners`.
    slots: RootArray,
    owners: Owners,
}

impl OwnedRoots {
    /// No roots.
    #[must_use]
    pub fn new(category: RootCategory) -> OwnedRoots {
        OwnedRoots { category, slots: RootArray::new(), owners: Owners::default() }
    }

    /// How many slots are owned, those released but not yet freed included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owners.len()
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
    #[inline]
    pub fn insert(&mut self, heap: &mut GcHeap, raw: u32) -> Result<Option<OwnedSlot>, Corruption> {
        let (slot, owner) = match self.owners.take() {
            Some(taken) => taken,
            None => match self.take_more(heap)? {
                Some(taken) => taken,
                None => return Ok(None),
            },
        };
        self.slots.set(heap, slot, raw).unwrap_or(Ok(()))?;
        Ok(Some(owner))
    }

    /// Frees the slots whose owners were dropped, and adds slots if those are few.
    #[cold]
    #[inline(never)]
    fn take_more(&mut self, heap: &mut GcHeap) -> Result<Option<(usize, OwnedSlot)>, Corruption> {
        let OwnedRoots { slots, owners, .. } = self;
        owners.reclaim(|slot| slots.set(heap, slot, 0).unwrap_or(Ok(())))?;
        while owners.is_short() {
            // Slots that were added before owners were refused serve the next time.
            let missing = (owners.slots() + CHUNK_SLOTS).saturating_sub(slots.len());
            if !slots.grow(heap, missing, 0)? || !owners.grow() {
                break;
            }
        }
        Ok(owners.take())
    }

    /// The raw reference that a handle roots; `None` if it is one of another store.
    #[inline]
    #[must_use]
    pub fn get(&self, handle: &OwnedSlot) -> Option<u32> {
        self.slots.get(self.owners.slot_of(handle)?)
    }

    /// Writes a raw reference to the slot of a handle; `None` if that is one of another store.
    ///
    /// # Errors
    /// As for [`OwnedRoots::insert`]; nothing is written then.
    pub fn set(&mut self, heap: &mut GcHeap, handle: &OwnedSlot, raw: u32) -> Option<Result<(), Corruption>> {
        self.slots.set(heap, self.owners.slot_of(handle)?, raw)
    }

    /// Shows all roots; to a collection those whose owners were dropped are none any more.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn visit(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        let OwnedRoots { category, slots, owners } = self;
        if visitor.may_release() {
            owners.reclaim(|slot| slots.set_in_visit(visitor, slot, 0))?;
        }
        slots.visit(*category, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
        // The first one's is freed when slots become few.
        assert_eq!((owned.get(&second), owned.get(&third), owned.len()), (Some(16), Some(24), 3));
        assert!(owned.slots.len() <= 2 * CHUNK_SLOTS);
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
        assert!(owned.slots.len() <= 2 * CHUNK_SLOTS, "{}", owned.slots.len());
    }

    #[test]
    fn owners_may_be_dropped_anywhere_and_in_any_order() {
        let (mut owned, mut heap) = (OwnedRoots::new(RootCategory::Owned), heap());
        let mut live = Vec::new();
        let mut random = 1_u32;
        for round in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if random >> 30 == 0 || live.len() > 1000 {
                let dropped: Vec<_> = live.drain(..live.len() / 2).collect();
                std::thread::spawn(move || drop(dropped)).join().unwrap();
            }
            live.push((8 * (round + 1), owned.insert(&mut heap, 8 * (round + 1)).unwrap().unwrap()));
            let (raw, handle) = &live[random as usize % live.len()];
            assert_eq!(owned.get(handle), Some(*raw));
        }
        assert!(owned.slots.len() <= 4 * 1024, "{}", owned.slots.len());
        drop(owned);
        // The owners outlive their table.
        drop(live);
    }
}
