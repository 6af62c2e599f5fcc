//! Weak references that live as long as their owners.

use core::convert::Infallible;

use super::owner::{CHUNK_SLOTS, OwnedSlot, Owners};
use crate::error::{OutOfMemory, OutOfMemoryKind, Result};
use crate::heap::GcHeap;

/// The weak references of one store. What they lead to, the heap knows; here is who owns them.
///
/// ```
/// use std::sync::Arc;
/// use tumulus::collector::BuiltinCollector;
/// use tumulus::heap::{GcHeap, HeapConfig};
/// use tumulus::memory::VecMemoryCreator;
/// use tumulus::root::WeakRoots;
///
/// let collector = BuiltinCollector::default().create();
/// let mut heap = GcHeap::new(HeapConfig::default(), collector, Arc::new(VecMemoryCreator))?;
/// let (mut roots, mut weak) = ([0_u32], WeakRoots::default());
/// roots[0] = heap.allocate_extern(Box::new("payload"), &mut roots)?.get();
/// let owner = weak.insert(&mut heap, roots[0])?;
/// let id = weak.id(&owner).expect("an owner of this store");
/// heap.collect(&mut roots)?;
/// assert_eq!(heap.weak_target(id), Some(roots[0]));
/// roots[0] = 0;
/// heap.collect(&mut roots)?;
/// assert_eq!(heap.weak_target(id), None);
/// # Ok::<(), tumulus::error::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct WeakRoots {
    /// For each slot of `owners` the id in the heap.
    ids: Vec<u32>,
    owners: Owners,
}

impl WeakRoots {
    /// A weak reference to what the raw reference leads to, until its owner is dropped.
    ///
    /// # Errors
    /// If the reference leads to no object, or the host has no memory.
    pub fn insert(&mut self, heap: &mut GcHeap, raw: u32) -> Result<OwnedSlot> {
        let id = heap.new_weak(raw)?;
        let taken = match self.owners.take() {
            Some(taken) => Some(taken),
            None => self.take_more(heap),
        };
        match taken.and_then(|(slot, owner)| Some((self.ids.get_mut(slot)?, owner))) {
            Some((place, owner)) => {
                *place = id;
                Ok(owner)
            }
            None => {
                heap.release_weak(id);
                let (in_use, limit) = (self.ids.len() as u64, u64::from(u32::MAX));
                Err(OutOfMemory { kind: OutOfMemoryKind::Host, asked: 1, in_use, limit, largest_free: 0 }.into())
            }
        }
    }

    /// Frees the references whose owners were dropped, and adds slots if those are few.
    #[cold]
    fn take_more(&mut self, heap: &mut GcHeap) -> Option<(usize, OwnedSlot)> {
        let WeakRoots { ids, owners } = self;
        let Ok(()) = owners.reclaim(|slot| {
            ids.get(slot).into_iter().for_each(|&id| heap.release_weak(id));
            Ok::<(), Infallible>(())
        });
        // No slot is given an owner before it has a place in the list.
        while owners.is_short() && ids.try_reserve(CHUNK_SLOTS).is_ok() && owners.grow() {
            ids.resize(owners.slots(), 0);
        }
        owners.take()
    }

    /// The id in the heap of an owner's weak reference; `None` if the owner is one of another store.
    #[inline]
    #[must_use]
    pub fn id(&self, owner: &OwnedSlot) -> Option<u32> {
        self.ids.get(self.owners.slot_of(owner)?).copied()
    }
}
