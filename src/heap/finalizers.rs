//! Objects registered for finalisation, and those found dead that wait for it.
//!
//! The collection that finds a registered object dead queues it and keeps it, with all that it reaches, until it is
//! taken out of the queue: once for each time it was registered. What is done with it then is not known here.

use std::collections::VecDeque;

use super::GcHeap;
use super::weak_table::{WeakTable, no_memory};
use crate::error::{Corruption, OutOfMemory, Result};
use crate::trace::{RootCategory, Tracer, WeakScope};

/// Registered and queued objects.
#[derive(Debug, Default)]
pub(super) struct Finalizers {
    /// All of them by id; an id is in use until its object was taken out of the queue.
    registered: WeakTable,
    /// Objects that wait, the first first. This and the next always have room for all that are registered.
    objects: VecDeque<u32>,
    /// The ids of those.
    ids: VecDeque<u32>,
    /// How many of the first ones a collector asked to be told of when they are taken out.
    armed: usize,
    /// How many waited when the cycle began.
    waited: usize,
}

impl Finalizers {
    pub(super) fn begin_cycle(&mut self) {
        self.waited = self.objects.len();
    }

    /// Objects that are registered and were not found dead.
    pub(super) fn registered(&self) -> usize {
        self.registered.len() - self.objects.len()
    }

    /// The raw references to objects that wait.
    pub(super) fn pending(&self) -> &VecDeque<u32> {
        &self.objects
    }

    fn register(&mut self, raw: u32) -> Result<u32, OutOfMemory> {
        // As many as there are ids, one more included, whether they wait or not.
        let count = self.registered.len() + 1;
        let waiting = self.objects.len();
        let reserved = self.objects.try_reserve(count - waiting).and_then(|()| self.ids.try_reserve(count - waiting));
        reserved.map_err(|_| no_memory(waiting))?;
        self.registered.insert(raw)
    }

    /// Shows those that waited when the cycle began, as a chunk of roots is shown: until the collector asks to be told when
    /// it changes.
    pub(super) fn show_pending(&mut self, tracer: &mut dyn Tracer) -> Result<bool, Corruption> {
        let known = if tracer.wants_unwritten() { 0 } else { self.armed.min(self.waited) };
        match self.objects.make_contiguous().get_mut(known..self.waited) {
            None | Some([]) => Ok(false),
            Some(slots) => {
                if tracer.visit_chunk(RootCategory::Finalizers, slots)? {
                    self.armed = self.waited;
                }
                Ok(true)
            }
        }
    }

    /// Queues those registered objects in `scope` that are dead, and shows all that this cycle queued: a second trace of
    /// the same cycle finds those of the first no more alive than its own.
    pub(super) fn queue_dead(&mut self, scope: WeakScope, tracer: &mut dyn Tracer) -> Result<bool, Corruption> {
        let Finalizers { registered, objects, ids, waited, .. } = self;
        registered.process(scope, tracer, &mut |id, object| {
            objects.push_back(object);
            ids.push_back(id);
        })?;
        match objects.make_contiguous().get_mut(*waited..) {
            None | Some([]) => Ok(false),
            Some(slots) => tracer.visit(RootCategory::Finalizers, slots).map(|()| true),
        }
    }

    pub(super) fn end_cycle(&mut self) {
        self.registered.end_cycle();
    }
}

impl GcHeap {
    /// Registers the object that the raw reference leads to for finalisation and gives the registration's id. An `i31`
    /// is never dead.
    ///
    /// # Errors
    /// If the reference leads to no object, or the host has no memory.
    pub fn register_finalizer(&mut self, raw: u32) -> Result<u32> {
        self.check_reference(raw)?;
        Ok(self.weak.finalizers.register(raw)?)
    }

    /// Takes back the registration `id`, which may be given to another from now on. `false` if there is none whose object
    /// was not found dead: what waits in the queue stays there.
    pub fn unregister_finalizer(&mut self, id: u32) -> bool {
        let Finalizers { registered, .. } = &mut self.weak.finalizers;
        let is_registered = registered.target(id).is_some();
        if is_registered {
            registered.release(id);
        }
        is_registered
    }

    /// Takes the first object out of the queue of those that were registered and found dead: the registration's id, which
    /// may be given to another from now on, and the raw reference. `None` if none waits.
    ///
    /// Root the reference before the next safe point: nothing else may keep the object alive.
    ///
    /// # Errors
    /// If the collector finds that the reference leads to no object.
    pub fn take_finalizable(&mut self) -> Result<Option<(u32, u32)>, Corruption> {
        let Finalizers { registered, objects, ids, armed, .. } = &mut self.weak.finalizers;
        let (Some(object), Some(id)) = (objects.pop_front(), ids.pop_front()) else { return Ok(None) };
        registered.release(id);
        if *armed > 0 {
            *armed -= 1;
            self.log_roots(&[object])?;
        }
        Ok(Some((id, object)))
    }

    /// The registered objects that were found dead and not taken out of the queue yet, in its order: the registrations'
    /// ids and the raw references.
    pub fn finalizable(&self) -> impl ExactSizeIterator<Item = (u32, u32)> {
        let Finalizers { objects, ids, .. } = &self.weak.finalizers;
        ids.iter().copied().zip(objects.iter().copied())
    }
}
