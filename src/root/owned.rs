//! Root slots that live as long as their owners: one shared list of released slots, no allocation per root.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Corruption;
use crate::trace::{RootCategory, RootVisitor};

/// Slots whose owners were dropped, to be freed by the store at its next convenience. Owners may be dropped on any
/// thread and after their store.
#[derive(Debug, Default)]
struct Released(Mutex<Vec<u32>>);

/// The owner of one root slot. Dropping it releases the slot.
#[derive(Debug)]
pub struct OwnedSlot {
    released: Arc<Released>,
    slot: u32,
}

impl Drop for OwnedSlot {
    fn drop(&mut self) {
        self.released.0.lock().unwrap_or_else(PoisonError::into_inner).push(self.slot);
    }
}

/// The owned roots of one store.
#[derive(Debug, Default)]
pub struct OwnedRoots {
    slots: Vec<u32>,
    free: Vec<u32>,
    released: Arc<Released>,
}

impl OwnedRoots {
    /// No roots.
    #[must_use]
    pub fn new() -> OwnedRoots {
        OwnedRoots::default()
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

    /// Roots a raw reference until the owner is dropped; `None` if there are 2^32 roots.
    pub fn insert(&mut self, raw: u32) -> Option<OwnedSlot> {
        if self.free.is_empty() {
            self.reclaim();
        }
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(0);
                slot
            }
        };
        *self.slots.get_mut(slot as usize)? = raw;
        Some(OwnedSlot { released: Arc::clone(&self.released), slot })
    }

    /// The raw reference that a handle roots; `None` if it is one of another store.
    #[inline]
    #[must_use]
    pub fn get(&self, handle: &OwnedSlot) -> Option<u32> {
        if Arc::ptr_eq(&self.released, &handle.released) { self.slots.get(handle.slot as usize).copied() } else { None }
    }

    /// Frees the slots whose owners were dropped.
    pub fn reclaim(&mut self) {
        let mut released = self.released.0.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in released.drain(..) {
            if let Some(raw) = self.slots.get_mut(slot as usize) {
                *raw = 0;
                self.free.push(slot);
            }
        }
    }

    /// Shows all roots to a collection; those whose owners were dropped are none any more.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn visit(&mut self, visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        self.reclaim();
        visitor.visit(RootCategory::Owned, &mut self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_reused_only_after_their_owner_is_gone() {
        let mut owned = OwnedRoots::new();
        let first = owned.insert(8).unwrap();
        let second = owned.insert(16).unwrap();
        assert_eq!((owned.get(&first), owned.get(&second)), (Some(8), Some(16)));
        drop(first);
        let third = owned.insert(24).unwrap();
        assert_eq!((owned.get(&second), owned.get(&third), owned.len()), (Some(16), Some(24), 2));
        assert_eq!(owned.slots.len(), 2);
    }

    #[test]
    fn a_handle_of_another_store_is_refused() {
        let (mut one, mut other) = (OwnedRoots::new(), OwnedRoots::new());
        let handle = one.insert(8).unwrap();
        let _same_slot = other.insert(16).unwrap();
        assert_eq!(other.get(&handle), None);
    }

    #[test]
    fn a_million_rounds_leave_memory_flat() {
        let mut owned = OwnedRoots::new();
        for round in 0..1_000_000 {
            let handle = owned.insert(8 * (round + 1)).unwrap();
            assert_eq!(owned.get(&handle), Some(8 * (round + 1)));
        }
        assert!(owned.slots.len() <= 2, "{}", owned.slots.len());
    }
}
