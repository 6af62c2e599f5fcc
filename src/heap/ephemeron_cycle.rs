//! What a cycle does with ephemerons.
//!
//! One pass over the pairs, in index order, shows the values of keys that are alive; the others wait. From there on the
//! trace tells of each object that it finds alive, and the pairs that wait for it are found by their key. So each pair
//! is looked at a fixed number of times, however long a chain they form.

use super::ephemerons::{Ephemerons, NONE, PairState};
use crate::error::Corruption;
use crate::object::VMGcRef;
use crate::trace::{RootCategory, Tracer, WeakScope};

impl Ephemerons {
    /// Forgets what a cycle that was given up found.
    pub(super) fn begin_cycle(&mut self) {
        self.looked_at = 0;
        if self.waiting > 0 || self.ready != NONE {
            for pair in self.pairs.iter_mut().filter(|pair| pair.state != PairState::Free) {
                pair.state = PairState::AtRest;
            }
        }
        (self.waiting, self.ready) = (0, NONE);
    }

    /// Whether a pair waits for its key to be found alive.
    pub(super) fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Shows the values of those keys that are alive, and has the other pairs wait. Tells whether anything was shown.
    pub(super) fn look_at_keys(&mut self, scope: WeakScope, tracer: &mut dyn Tracer) -> Result<bool, Corruption> {
        let mut from = 0;
        while let Some(id) = self.next_orphan(&mut from) {
            self.remove_in_cycle(id, tracer)?;
        }
        let mut shown = false;
        self.each_in(scope, |ephemerons, id| {
            ephemerons.looked_at += 1;
            let Some(key) = ephemerons.pair(id).map(|pair| pair.key) else { return Ok(()) };
            match survivor(key, tracer)? {
                Some(place) => {
                    ephemerons.move_key(id, place);
                    shown |= ephemerons.show(id, tracer)?;
                }
                None => {
                    if let Some(pair) = ephemerons.pair_mut(id) {
                        pair.state = PairState::Waiting;
                        ephemerons.waiting += 1;
                    }
                }
            }
            Ok(())
        })?;
        // What was shown may be the key of a pair that was already looked at.
        Ok(self.show_ready(tracer)? || shown)
    }

    /// Shows the values of pairs whose keys were found alive after all. Tells whether there were any.
    pub(super) fn show_ready(&mut self, tracer: &mut dyn Tracer) -> Result<bool, Corruption> {
        let mut shown = false;
        while let Some(pair) = self.pairs.get_mut(self.ready as usize) {
            let id = core::mem::replace(&mut self.ready, pair.next_ready);
            pair.state = PairState::AtRest;
            let key = pair.key;
            match survivor(key, tracer)? {
                Some(place) => {
                    self.move_key(id, place);
                    shown |= self.show(id, tracer)?;
                }
                None => self.remove_in_cycle(id, tracer)?,
            }
        }
        Ok(shown)
    }

    /// Removes the pairs that wait in vain.
    pub(super) fn remove_waiting(&mut self, scope: WeakScope, tracer: &mut dyn Tracer) -> Result<(), Corruption> {
        if self.waiting == 0 {
            return Ok(());
        }
        self.waiting = 0;
        self.each_in(scope, |ephemerons, id| {
            let waits = ephemerons.pair(id).is_some_and(|pair| pair.state == PairState::Waiting);
            if waits { ephemerons.remove_in_cycle(id, tracer) } else { Ok(()) }
        })
    }

    /// Notes that the object that lay at `at` before the cycle is alive.
    pub(super) fn reached(&mut self, at: u32) {
        if self.waiting == 0 {
            return;
        }
        let mut next = self.first_in_bucket(at);
        while let Some(pair) = self.pairs.get_mut(next as usize) {
            let id = core::mem::replace(&mut next, pair.next_in_bucket);
            if pair.key == at && pair.state == PairState::Waiting {
                (pair.state, pair.next_ready) = (PairState::Ready, self.ready);
                self.ready = id;
                self.waiting -= 1;
            }
        }
    }

    /// Ends a cycle that decided on everything born until now.
    pub(super) fn end_cycle(&mut self) {
        for id in self.born.drain(..) {
            if let Some(pair) = self.pairs.get_mut(id as usize) {
                pair.is_in_born = false;
            }
        }
    }

    /// Shows a pair's value, unless the collector knows it and does not want to see it. Tells whether it was shown.
    fn show(&mut self, id: u32, tracer: &mut dyn Tracer) -> Result<bool, Corruption> {
        let Some(pair) = self.pairs.get_mut(id as usize) else { return Ok(false) };
        if pair.armed && !tracer.wants_unwritten() {
            return Ok(false);
        }
        let before = pair.value;
        pair.armed |= tracer.visit_chunk(RootCategory::Ephemerons, core::slice::from_mut(&mut pair.value))?;
        // It may be the key of a pair that waits.
        if before & VMGcRef::I31_TAG == 0 {
            self.reached(before);
        }
        Ok(true)
    }

    /// Removes a pair in the course of a cycle.
    fn remove_in_cycle(&mut self, id: u32, tracer: &mut dyn Tracer) -> Result<(), Corruption> {
        if let Some(pair) = self.pair(id).filter(|pair| pair.armed) {
            tracer.overwritten(&[pair.value])?;
        }
        self.remove(id);
        Ok(())
    }

    /// Calls `each` with the pairs in `scope`, in index order.
    fn each_in(
        &mut self,
        scope: WeakScope,
        mut each: impl FnMut(&mut Ephemerons, u32) -> Result<(), Corruption>,
    ) -> Result<(), Corruption> {
        let count = match scope {
            WeakScope::Young => {
                self.born.sort_unstable();
                self.born.len()
            }
            WeakScope::All => self.pairs.len(),
        };
        for place in 0..count {
            let id = match scope {
                WeakScope::Young => self.born.get(place).copied(),
                WeakScope::All => u32::try_from(place).ok(),
            };
            if let Some(id) = id.filter(|&id| self.pair(id).is_some_and(|pair| pair.state != PairState::Free)) {
                each(self, id)?;
            }
        }
        Ok(())
    }
}

/// Where a key is now. An `i31` never dies.
fn survivor(key: u32, tracer: &dyn Tracer) -> Result<Option<u32>, Corruption> {
    if key & VMGcRef::I31_TAG == 0 { tracer.survivor(key) } else { Ok(Some(key)) }
}
