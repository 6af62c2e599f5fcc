//! What keeps nothing alive by itself: weak references, ephemerons, registrations for finalisation.
//!
//! The model does not know when a collection finds an object dead, so it is told: what the heap gave up is given up in the
//! model too, after a check that it was not reachable there. After a full collection nothing else may be left.

use std::collections::BTreeSet;

use super::{Checked, Runner, done, holds, same};
use crate::heap::{EphemeronTable, GcHeap};
use crate::testkit::model::Value;
use crate::testkit::program::{EPHEMERON_TABLES, WEAKS};

/// The heap's side of it.
#[derive(Debug)]
pub(super) struct Weaks {
    /// Ids of the weak references of a program.
    handles: [Option<u32>; WEAKS],
    tables: Vec<EphemeronTable>,
    /// For each ephemeron of the model a weak reference to its key, which tells whether the key was found dead.
    probes: [Vec<u32>; EPHEMERON_TABLES],
}

impl Weaks {
    pub(super) fn new(heap: &mut GcHeap) -> Weaks {
        let tables = (0..EPHEMERON_TABLES).map(|_| heap.new_ephemeron_table().expect("memory of the host"));
        Weaks { handles: [None; WEAKS], tables: tables.collect(), probes: Default::default() }
    }
}

impl Runner {
    pub(super) fn new_weak(&mut self, root: usize, into: usize) -> Checked {
        let (value, raw) = self.root(root);
        if value == Value::Null {
            return Ok(());
        }
        let id = done("making of a weak reference", self.heap.new_weak(raw))?;
        if let Some(old) = self.weaks.handles[into].replace(id) {
            self.heap.release_weak(old);
        }
        self.model.weaks[into] = value;
        Ok(())
    }

    pub(super) fn get_weak(&mut self, weak: usize, into: usize) -> Checked {
        let target = self.weaks.handles[weak].and_then(|id| self.heap.weak_target(id));
        if let Some(raw) = target {
            self.set_root(into, self.model.weaks[weak], raw);
        }
        Ok(())
    }

    /// Where the key stands among the model's pairs.
    fn pair_of(&self, table: usize, key: Value) -> Option<usize> {
        self.model.ephemerons[table].iter().position(|&(known, _)| known == key)
    }

    pub(super) fn insert_ephemeron(&mut self, table: usize, key: usize, value: usize) -> Checked {
        let ((key, key_raw), (value, value_raw)) = (self.root(key), self.root(value));
        if key == Value::Null {
            return Ok(());
        }
        let before = self.heap.insert_ephemeron(&self.weaks.tables[table], key_raw, value_raw);
        let before = done("adding an ephemeron", before)?;
        let known = self.pair_of(table, key);
        same("an ephemeron of a key", before.is_some(), known.is_some())?;
        match known {
            Some(pair) => self.model.ephemerons[table][pair].1 = value,
            None => {
                self.weaks.probes[table].push(done("making of a weak reference", self.heap.new_weak(key_raw))?);
                self.model.ephemerons[table].push((key, value));
            }
        }
        Ok(())
    }

    pub(super) fn get_ephemeron(&mut self, table: usize, key: usize, into: usize) -> Checked {
        let (key, key_raw) = self.root(key);
        let found = done("look-up of a key", self.heap.ephemeron_value(&self.weaks.tables[table], key_raw))?;
        let known = self.pair_of(table, key);
        same("an ephemeron of a key", found.is_some(), known.is_some())?;
        if let (Some(raw), Some(pair)) = (found, known) {
            self.set_root(into, self.model.ephemerons[table][pair].1, raw);
        }
        Ok(())
    }

    pub(super) fn remove_ephemeron(&mut self, table: usize, key: usize) -> Checked {
        let (key, key_raw) = self.root(key);
        let removed = done("taking out a key", self.heap.remove_ephemeron(&self.weaks.tables[table], key_raw))?;
        let known = self.pair_of(table, key);
        same("an ephemeron of a key", removed.is_some(), known.is_some())?;
        known.into_iter().for_each(|pair| self.forget_pair(table, pair));
        Ok(())
    }

    pub(super) fn clear_ephemerons(&mut self, table: usize) -> Checked {
        self.weaks.tables[table] = done("making of a table of ephemerons", self.heap.new_ephemeron_table())?;
        (0..self.model.ephemerons[table].len()).rev().for_each(|pair| self.forget_pair(table, pair));
        Ok(())
    }

    fn forget_pair(&mut self, table: usize, pair: usize) {
        self.model.ephemerons[table].remove(pair);
        self.heap.release_weak(self.weaks.probes[table].remove(pair));
    }

    pub(super) fn register(&mut self, root: usize) -> Checked {
        let (value, raw) = self.root(root);
        if value != Value::Null {
            let id = done("registration", self.heap.register_finalizer(raw))?;
            let before = self.model.registered.insert(id, value);
            holds(before.is_none(), || format!("the registration {id} was given twice"))?;
        }
        Ok(())
    }

    pub(super) fn unregister(&mut self, registration: u8) -> Checked {
        let count = self.model.registered.len().max(1);
        let Some(&id) = self.model.registered.keys().nth(usize::from(registration) % count) else { return Ok(()) };
        same("taking back a registration", self.heap.unregister_finalizer(id), true)?;
        self.model.registered.remove(&id);
        same("taking it back again", self.heap.unregister_finalizer(id), false)
    }

    /// Takes an object out of the queue; its number and place, if there was one.
    pub(super) fn take_finalizable(&mut self) -> Checked<Option<(Value, u32)>> {
        let taken = done("taking what is to be finalised", self.heap.take_finalizable())?;
        let known = self.model.pending.pop_front();
        same("the registration taken", taken.map(|(id, _)| id), known.map(|(id, _)| id))?;
        Ok(taken.zip(known).map(|((_, raw), (_, value))| (value, raw)))
    }

    /// Gives up in the model what the heap gave up. After a `full` collection, with nothing done since, that must be all
    /// that was not reachable.
    pub(super) fn sync(&mut self, full: bool) -> Checked {
        let waiting = self.heap.finalizable().take(self.model.pending.len()).map(|(id, _)| id);
        let known: Vec<_> = self.model.pending.iter().map(|&(id, _)| id).collect();
        same("registrations that wait", waiting.collect::<Vec<_>>(), known)?;
        let queued: Vec<_> = self.heap.finalizable().skip(self.model.pending.len()).map(|(id, _)| id).collect();
        let is_dead = |id: u32| self.heap.weak_target(id).is_none();
        let weaks = self.weaks.handles.iter().enumerate();
        let weaks: Vec<_> = weaks.filter(|(_, id)| id.is_some_and(is_dead)).map(|(weak, _)| weak).collect();
        let mut pairs = Vec::new();
        for (table, probes) in self.weaks.probes.iter().enumerate() {
            let dead = probes.iter().enumerate().filter(|&(_, &id)| is_dead(id));
            pairs.extend(dead.map(|(pair, _)| (table, pair)));
        }
        if full || !(queued.is_empty() && weaks.is_empty() && pairs.is_empty()) {
            self.give_up(full, &queued, &weaks, &pairs)?;
        }
        for (table, pairs) in self.weaks.tables.iter().zip(&self.model.ephemerons) {
            same("ephemerons of a table", self.heap.ephemeron_count(table).ok(), Some(pairs.len()))?;
        }
        let registered = self.heap.stats().finalizers_registered;
        same("objects registered", registered, self.model.registered.len() as u64)
    }

    fn give_up(&mut self, full: bool, queued: &[u32], weaks: &[usize], pairs: &[(usize, usize)]) -> Checked {
        // What is kept only for finalisers that were queued just now counts as dead.
        let reachable: BTreeSet<_> = self.model.reachable().into_iter().collect();
        let lives = |value: Value| !matches!(value, Value::Object(number) if !reachable.contains(&number));
        let died = |what: &str, value: Value| holds(!lives(value), || format!("{what} {value:?}, which is alive"));
        let mut queue = Vec::new();
        for &id in queued {
            let Some(value) = self.model.registered.remove(&id) else {
                return Err(format!("a registration {id} that was never made waits"));
            };
            died("finalisation of", value)?;
            queue.push((id, value));
        }
        for &weak in weaks {
            died("no weak reference to", self.model.weaks[weak])?;
            self.model.weaks[weak] = Value::Null;
            self.weaks.handles[weak].take().into_iter().for_each(|id| self.heap.release_weak(id));
        }
        for &(table, pair) in pairs.iter().rev() {
            died("no ephemeron of", self.model.ephemerons[table][pair].0)?;
            self.forget_pair(table, pair);
        }
        if full {
            let left = |what: &str, value: Value| holds(lives(value), || format!("{what} {value:?}, which is dead"));
            self.model.weaks.iter().try_for_each(|&value| left("a weak reference to", value))?;
            self.model.registered.values().try_for_each(|&value| left("no finalisation of", value))?;
            let mut pairs = self.model.ephemerons.iter().flatten();
            pairs.try_for_each(|&(key, _)| left("an ephemeron of", key))?;
        }
        self.model.pending.extend(queue);
        Ok(())
    }

    /// Checks the weak references to what `raw_of` knows, and gives what each key of that keeps alive in the heap: the
    /// table, its number among the model's pairs, and the raw reference.
    pub(super) fn check_weak(&self, raw_of: impl Fn(Value) -> Option<u32>) -> Checked<Vec<(usize, usize, u32)>> {
        for (&value, id) in self.model.weaks.iter().zip(self.weaks.handles) {
            if let (Some(raw), Some(id)) = (raw_of(value), id) {
                same("a weak reference", self.heap.weak_target(id), Some(raw))?;
            }
        }
        let mut kept = Vec::new();
        for (table, pairs) in self.model.ephemerons.iter().enumerate() {
            for (pair, &(key, _)) in pairs.iter().enumerate() {
                let Some(raw) = raw_of(key) else { continue };
                same("a key", self.heap.weak_target(self.weaks.probes[table][pair]), Some(raw))?;
                let value = done("look-up of a key", self.heap.ephemeron_value(&self.weaks.tables[table], raw))?;
                let value = value.ok_or_else(|| format!("table {table} has no ephemeron of {key:?}"))?;
                kept.push((table, pair, value));
            }
        }
        Ok(kept)
    }
}
