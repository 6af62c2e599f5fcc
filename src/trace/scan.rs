//! Scanning what waits in a work list: the loop that all traces share.

use super::work_list::{Part, Task, WorkList};
use super::{Budget, Progress, Tracer};
use crate::error::Corruption;
use crate::object::{self, RecentType, RefSlots, SmallObject, TypeTable, VMGcHeader};

/// References scanned before the next object of the work list gets its turn, so that a large array is no long step.
const SLICE_REFS: u32 = 4096;

/// A trace: what it does with each object, once, and with each slot.
pub(super) trait Scan<'t> {
    fn bytes(&self) -> &[u8];

    fn types(&self) -> &'t TypeTable;

    fn work(&mut self) -> &mut WorkList;

    /// The trace, as weak entries see it.
    fn tracer(&mut self) -> &mut dyn Tracer;

    /// Takes the task that is next: one of those being fetched if what waits is likely to be far from the cache. That mixes
    /// up the order of what is moved, which is that of the references otherwise: children behind their parents.
    ///
    /// A trace may scan what comes before it by itself, at the cost of what is `left` of the budget.
    fn next(&mut self, left: &mut u64) -> Result<Option<Task>, Corruption>;

    /// Bytes of the objects scanned in this cycle.
    fn scanned_bytes(&self) -> u64;

    /// Called once for each object that is scanned, before its slots: its header, its size, and whether it can have any.
    fn enter(&mut self, at: u32, header: VMGcHeader, size: u32, has_refs: bool) -> Result<(), Corruption>;

    /// Called for each slot that holds a reference; `slot` is an offset in the heap that was found to be inside.
    fn slot(&mut self, slot: u32) -> Result<(), Corruption>;

    /// Scans what waits, and what is added meanwhile, until there is nothing left or `budget` is spent.
    fn scan_all(&mut self, budget: Budget) -> Result<Progress, Corruption> {
        // At least one object, so that steps of no budget come to an end too.
        let mut left = budget.0.max(1);
        let mut recent = RecentType::default();
        while left > 0
            && let Some(task) = self.next(&mut left)?
        {
            left = left.saturating_sub(self.scan_inline(task, &mut recent)?);
        }
        Ok(if self.work().is_empty() { Progress::Done } else { Progress::More })
    }

    /// Scans an object, or a slice of one, and tells what it cost in work units.
    #[inline(never)]
    fn scan(&mut self, task: Task) -> Result<u64, Corruption> {
        self.scan_inline(task, &mut RecentType::default())
    }

    /// The same where it is called, for the loop that scans most.
    #[inline(always)]
    fn scan_inline(&mut self, task: Task, recent: &mut RecentType) -> Result<u64, Corruption> {
        let at = task.object;
        match task.part() {
            Part::Words(bits) => return self.scan_words(at, bits.into()),
            Part::Whole => {
                if let Some(SmallObject { header, size, ref_bits }) =
                    object::decode_small(self.bytes(), self.types(), at, recent)
                {
                    self.enter(at, header, size, ref_bits != 0)?;
                    return self.scan_words(at, ref_bits);
                }
            }
            Part::After(_) => {}
        }
        self.scan_slice(task)
    }

    /// Scans the words of `bits`.
    #[inline(always)]
    fn scan_words(&mut self, at: u32, mut bits: u64) -> Result<u64, Corruption> {
        let mut cost = 1;
        while bits != 0 {
            self.slot(at + 4 * bits.trailing_zeros())?;
            bits &= bits - 1;
            cost += 1;
        }
        Ok(cost)
    }

    /// Scans an array or a large struct, or a slice of one.
    #[inline(never)]
    fn scan_slice(&mut self, task: Task) -> Result<u64, Corruption> {
        let at = task.object;
        let info = object::decode(self.bytes(), self.types(), at)?;
        let done = match task.part() {
            Part::After(done) => done,
            Part::Whole | Part::Words(_) => {
                self.enter(at, info.header, info.size, info.has_refs())?;
                0
            }
        };
        let slots = info.ref_slots(self.types()).skip_refs(done);
        if slots.clone().skip_refs(SLICE_REFS).next().is_some() {
            // The rest waits below the children, or those of a large array would fill the list; a grey bit could not say
            // where to go on.
            self.scan_later(Task::after(at, done.saturating_add(SLICE_REFS)))?;
        }
        let mut scanned = 0_u64;
        for offset in slots.take(SLICE_REFS as usize) {
            self.slot(at + offset)?;
            scanned += 1;
        }
        Ok(1 + scanned / 2)
    }

    /// Queues a part of an object; if the list is full it is scanned at once.
    #[inline(never)]
    fn scan_later(&mut self, task: Task) -> Result<(), Corruption> {
        if self.work().push_part(task) {
            return Ok(());
        }
        let slots = self.slots_of(task)?;
        self.scan_slots(task.object, slots)
    }

    /// The references of an object that are still to be scanned.
    fn slots_of(&self, task: Task) -> Result<RefSlots<'t>, Corruption> {
        let done = match task.part() {
            Part::Words(bits) => return Ok(RefSlots::Bitmap(bits.into())),
            Part::Whole => 0,
            Part::After(done) => done,
        };
        Ok(object::decode(self.bytes(), self.types(), task.object)?.ref_slots(self.types()).skip_refs(done))
    }

    fn scan_slots(&mut self, at: u32, slots: RefSlots<'_>) -> Result<(), Corruption> {
        for offset in slots {
            self.slot(at + offset)?;
        }
        Ok(())
    }
}
