//! Scanning what waits in a work list: the loop that all traces share.

use super::work_list::{Task, WorkList};
use super::{Budget, Progress};
use crate::error::Corruption;
use crate::memory::prefetch;
use crate::object::{self, ObjectInfo, RefSlots, TypeTable};

/// Objects whose bytes are being fetched while others are scanned: a cache miss takes as long as scanning a few.
const FETCHING: usize = 8;

/// References scanned before the next object of the work list gets its turn, so that a large array is no long step.
const SLICE_REFS: u32 = 4096;

/// Tasks whose objects are being fetched: the one that was asked for first is scanned first.
#[derive(Default)]
struct Fetching {
    ring: [Task; FETCHING],
    /// The number of the first task, and of the next one, since the beginning.
    first: usize,
    next: usize,
}

impl Fetching {
    #[inline]
    fn has_room(&self) -> bool {
        self.next - self.first < FETCHING
    }

    #[inline]
    fn push(&mut self, task: Task) {
        if let Some(place) = self.ring.get_mut(self.next % FETCHING) {
            *place = task;
            self.next += 1;
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Task> {
        if self.first == self.next {
            return None;
        }
        let task = self.ring.get(self.first % FETCHING).copied();
        self.first += 1;
        task
    }
}

/// A trace: what it does with each object, once, and with each slot.
pub(super) trait Scan<'t> {
    fn bytes(&self) -> &[u8];

    fn types(&self) -> &'t TypeTable;

    fn work(&mut self) -> &mut WorkList;

    /// Whether what waits is likely to be far from the cache, so that fetching it ahead pays. It mixes up the order of
    /// what is moved, which is that of the references otherwise: children behind their parents.
    fn fetches_ahead(&self) -> bool;

    /// Bytes of the objects scanned in this cycle.
    fn scanned_bytes(&self) -> u64;

    /// Called once for each object that is scanned, before its slots.
    fn enter(&mut self, at: u32, info: &ObjectInfo) -> Result<(), Corruption>;

    /// Called for each slot that holds a reference; `slot` is an offset in the heap that was found to be inside.
    fn slot(&mut self, slot: u32) -> Result<(), Corruption>;

    /// Scans what waits, and what is added meanwhile, until there is nothing left or `budget` is spent.
    fn scan_all(&mut self, budget: Budget) -> Result<Progress, Corruption> {
        // At least one object, so that steps of no budget come to an end too.
        let mut left = budget.0.max(1);
        if !self.fetches_ahead() {
            while left > 0
                && let Some(task) = self.work().pop()
            {
                left = left.saturating_sub(self.scan(task)?);
            }
            return Ok(if self.work().is_empty() { Progress::Done } else { Progress::More });
        }
        let mut fetching = Fetching::default();
        while left > 0 {
            while fetching.has_room()
                && let Some(task) = self.work().pop()
            {
                prefetch(self.bytes(), task.object as usize);
                fetching.push(task);
            }
            let Some(task) = fetching.pop() else { break };
            left = left.saturating_sub(self.scan(task)?);
        }
        // What was being fetched when the budget ran out waits for the next step.
        while let Some(task) = fetching.pop() {
            if task.done == 0 { self.work().push(task) } else { self.scan_rest(task)? }
        }
        Ok(if self.work().is_empty() { Progress::Done } else { Progress::More })
    }

    /// Scans a slice of an object and tells what it cost in work units.
    #[inline]
    fn scan(&mut self, Task { object: at, done }: Task) -> Result<u64, Corruption> {
        let info = object::decode(self.bytes(), self.types(), at)?;
        if done == 0 {
            self.enter(at, &info)?;
        }
        let mut slots = info.ref_slots(self.types());
        if done > 0 {
            // Only arrays are scanned in slices, and theirs can be skipped in constant time.
            slots = slots.skip_refs(done);
        }
        let mut scanned = 0;
        for offset in slots.by_ref().take(SLICE_REFS as usize) {
            self.slot(at + offset)?;
            scanned += 1;
        }
        if scanned == SLICE_REFS && slots.next().is_some() {
            // The rest waits beside the children; a grey bit could not say where to go on.
            self.scan_rest(Task { object: at, done: done.saturating_add(SLICE_REFS) })?;
        }
        Ok(1 + u64::from(scanned) / 2)
    }

    /// Queues the rest of an array; if the list is full it is scanned at once.
    fn scan_rest(&mut self, rest: Task) -> Result<(), Corruption> {
        if self.work().push_rest(rest) {
            return Ok(());
        }
        let info = object::decode(self.bytes(), self.types(), rest.object)?;
        self.scan_slots(rest.object, info.ref_slots(self.types()).skip_refs(rest.done))
    }

    fn scan_slots(&mut self, at: u32, slots: RefSlots<'_>) -> Result<(), Corruption> {
        for offset in slots {
            self.slot(at + offset)?;
        }
        Ok(())
    }
}
