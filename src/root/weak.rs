//! Weak references that live as long as their owners.

use std::sync::Arc;

use super::OwnedSlot;
use super::owned::Released;
use crate::error::Result;
use crate::heap::GcHeap;

/// The weak references of one store. What they lead to, the heap knows; here is who owns them.
#[derive(Debug, Default)]
pub struct WeakRoots {
    released: Arc<Released>,
}

impl WeakRoots {
    /// A weak reference to what the raw reference leads to, until its owner is dropped.
    ///
    /// # Errors
    /// If the reference leads to no object, or the host has no memory.
    pub fn insert(&mut self, heap: &mut GcHeap, raw: u32) -> Result<OwnedSlot> {
        self.released.drain(|id| heap.release_weak(id));
        let id = heap.new_weak(raw)?;
        Ok(OwnedSlot::new(&self.released, id))
    }

    /// The id in the heap of an owner's weak reference; `None` if the owner is one of another store.
    #[inline]
    #[must_use]
    pub fn id(&self, owner: &OwnedSlot) -> Option<u32> {
        owner.slot_of(&self.released)
    }
}
