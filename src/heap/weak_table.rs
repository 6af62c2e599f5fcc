//! Weak references: where an object lies, as long as it lives.
//!
//! An entry keeps nothing alive. It is cleared at the end of the very cycle that finds its object dead, before the
//! object's place is used again, so that no entry ever leads to another object.

use super::GcHeap;
use crate::error::{Corruption, OutOfMemory, OutOfMemoryKind, Result};
use crate::object::{self, VMGcRef};
use crate::trace::{Tracer, WeakScope};

/// Weak references by id.
#[derive(Debug, Default)]
pub(super) struct WeakTable {
    entries: Vec<Entry>,
    /// Ids that can be used again. Always has room for all.
    free: Vec<u32>,
    /// Ids whose objects may have been born since the last cycle. Always has room for all.
    born: Vec<u32>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The raw reference; 0 once the object is dead, and while the id is free.
    target: u32,
    is_in_born: bool,
}

impl WeakTable {
    /// The id of a new entry for the raw reference.
    pub(super) fn insert(&mut self, raw: u32) -> Result<u32, OutOfMemory> {
        let WeakTable { entries, free, born } = self;
        let id = match free.pop() {
            Some(id) => id,
            None => {
                let count = entries.len() + 1;
                let reserved = entries.try_reserve(1).and_then(|()| free.try_reserve(count - free.len()));
                let reserved = reserved.and_then(|()| born.try_reserve(count - born.len()));
                let id = u32::try_from(entries.len()).ok().filter(|_| reserved.is_ok());
                let id = id.ok_or_else(|| no_memory(entries.len()))?;
                entries.push(Entry::default());
                id
            }
        };
        if let Some(entry) = entries.get_mut(id as usize) {
            entry.target = raw;
            if !core::mem::replace(&mut entry.is_in_born, true) {
                born.push(id);
            }
        }
        Ok(id)
    }

    /// Entries that are not free, those whose objects died included.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// The raw reference of the entry `id`; `None` if its object is dead, or the entry free.
    #[inline]
    pub(super) fn target(&self, id: u32) -> Option<u32> {
        self.entries.get(id as usize).map(|entry| entry.target).filter(|&target| target != 0)
    }

    /// Gives up the entry `id`, which must not be used from here on.
    pub(super) fn release(&mut self, id: u32) {
        let WeakTable { entries, free, .. } = self;
        let is_any_used = free.len() < entries.len();
        if let Some(entry) = entries.get_mut(id as usize).filter(|_| is_any_used) {
            entry.target = 0;
            free.push(id);
        }
    }

    /// Asks for each object in `scope` where it is now. Those that are dead are given to `dead`, with their ids.
    pub(super) fn process(
        &mut self,
        scope: WeakScope,
        tracer: &dyn Tracer,
        dead: &mut dyn FnMut(u32, u32),
    ) -> Result<(), Corruption> {
        let WeakTable { entries, born, .. } = self;
        let mut process = |id: usize, entry: &mut Entry| {
            if entry.target != 0 && entry.target & VMGcRef::I31_TAG == 0 {
                let target = tracer.survivor(entry.target)?.unwrap_or(0);
                let before = core::mem::replace(&mut entry.target, target);
                if target == 0 {
                    // There are no more entries than ids.
                    dead(u32::try_from(id).unwrap_or(u32::MAX), before);
                }
            }
            Ok(())
        };
        match scope {
            WeakScope::Young => {
                born.sort_unstable();
                let mut born = born.iter().map(|&id| id as usize);
                born.try_for_each(|id| entries.get_mut(id).map_or(Ok(()), |entry| process(id, entry)))
            }
            WeakScope::All => entries.iter_mut().enumerate().try_for_each(|(id, entry)| process(id, entry)),
        }
    }

    /// Notes that a cycle decided on everything born until now.
    pub(super) fn end_cycle(&mut self) {
        for id in self.born.drain(..) {
            if let Some(entry) = self.entries.get_mut(id as usize) {
                entry.is_in_born = false;
            }
        }
    }
}

impl GcHeap {
    /// The id of a new weak reference to what the raw reference leads to. An `i31` never dies.
    ///
    /// # Errors
    /// If the reference leads to no object, or the host has no memory.
    pub fn new_weak(&mut self, raw: u32) -> Result<u32> {
        self.check_reference(raw)?;
        Ok(self.weak.handles.insert(raw)?)
    }

    /// The raw reference to what the weak reference `id` leads to; `None` if that is dead, or there is no such id.
    ///
    /// Root it before the next safe point.
    #[inline]
    #[must_use]
    pub fn weak_target(&self, id: u32) -> Option<u32> {
        self.weak.handles.target(id)
    }

    /// Gives up the weak reference `id`, which must not be used from here on.
    pub fn release_weak(&mut self, id: u32) {
        self.weak.handles.release(id);
    }

    /// Checks that a reference which something outside the heap is to hold leads to an object, or is an `i31`.
    pub(super) fn check_reference(&self, raw: u32) -> Result<(), Corruption> {
        if raw & VMGcRef::I31_TAG == 0 {
            object::decode(self.memory.bytes(), &self.types, raw)?;
        }
        Ok(())
    }
}

/// The host has no memory for one entry more than `in_use`.
#[cold]
pub(super) fn no_memory(in_use: usize) -> OutOfMemory {
    let (in_use, limit) = (in_use as u64, u64::from(u32::MAX));
    OutOfMemory { kind: OutOfMemoryKind::Host, asked: 1, in_use, limit, largest_free: 0 }
}
