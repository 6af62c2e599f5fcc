//! Counting references: what is reached for the first time is scanned, what nothing leads to any more dies.
//!
//! Counts change only here, at the end of an epoch or in a recount of everything. Increments come first, so that a count
//! which falls to 0 afterwards is that of garbage. Neither direction recurses, and both are bounded: each object is
//! counted for the first time once and dies once, and the sizes add up to no more than what is in use, or the heap's
//! bytes are damaged.

use super::cards::CardPass;
use super::relocate::{arm, check_fits_block, check_fits_run};
use super::scan::Scan;
use super::weak::settle;
use super::work_list::{Task, WorkList};
use super::{Budget, Progress, RootCategory, RootVisitor, Tracer, WeakEntries, WeakScope};
use crate::canary::is_seeded;
use crate::error::{Corruption, CorruptionKind, OutOfMemory};
use crate::memory::TableSource;
use crate::object::{self, TypeTable, VMGcHeader, VMGcRef};
use crate::space::{BitTable, BlockTable, CountTable, GRANULE_BYTES, Table, TableList};

/// Objects that stacks and scopes lead to which are remembered for the next epoch; more have stuck counts.
const TEMPORARY_MAX: usize = 64 << 10;

/// Overwritten references that an epoch remembers; more make everything be counted anew. Enough for a large array of which
/// each card is written to once: where they do not fit, every few stores end an epoch.
const OVERWRITTEN_MAX: usize = 4 << 20;

/// What counting knows from one epoch to the next. Needs no host memory once it covers the heap.
#[derive(Debug)]
pub struct Counting {
    counts: CountTable,
    /// Objects to be scanned; between epochs those whose references are being overwritten.
    work: WorkList,
    /// References that were counted in the last epoch and have been overwritten since.
    overwritten: TableList<1>,
    /// Objects that slots which are not armed led to in this epoch: each has one count for all of those together.
    temporary: TableList<1>,
    is_temporary: BitTable,
    /// The same of the epoch before.
    expired: TableList<1>,
    is_expired: BitTable,
    /// Whether counts are wrong until everything is counted anew.
    must_recount: bool,
    /// Bytes of the objects that were remembered.
    remembered_bytes: u64,
    /// Blocks in which lines may have become free, each once.
    touched: TableList<1>,
    /// By block: zero if not.
    is_touched: Table<1>,
    /// The binary logarithm of a block's bytes.
    block_shift: u32,
    report: Counted,
}

/// What counting found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Bytes of objects that were counted for the first time.
    pub born_bytes: u64,
    /// Bytes of objects that died.
    pub dead_bytes: u64,
    /// Bytes of objects that were scanned, living or dead.
    pub scanned_bytes: u64,
    /// Bytes of large arrays that were looked at because parts of them were overwritten.
    pub carded_bytes: u64,
    /// Root slots seen, null ones and `i31`s left out, by category.
    pub roots: [u64; RootCategory::ALL.len()],
}

impl Counting {
    /// The counting of an empty heap whose blocks have `block_bytes` bytes.
    #[must_use]
    pub fn new(block_bytes: u32) -> Counting {
        Counting {
            counts: CountTable::new(),
            work: WorkList::new(),
            overwritten: TableList::new(),
            temporary: TableList::new(),
            is_temporary: BitTable::new(),
            expired: TableList::new(),
            is_expired: BitTable::new(),
            must_recount: false,
            remembered_bytes: 0,
            touched: TableList::new(),
            is_touched: Table::new(),
            block_shift: block_bytes.ilog2(),
            report: Counted::default(),
        }
    }

    /// Makes the tables cover a heap of `bytes` bytes.
    ///
    /// # Errors
    /// If `source` has no memory for one of them; those before it cover the heap then.
    pub fn cover(&mut self, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.counts.cover(bytes, source)?;
        self.work.cover(bytes, source)?;
        self.is_temporary.cover(bytes, source)?;
        self.is_expired.cover(bytes, source)?;
        let limit = source.heap_limit_bytes();
        for (list, most) in [
            (&mut self.overwritten, OVERWRITTEN_MAX),
            (&mut self.temporary, TEMPORARY_MAX),
            (&mut self.expired, TEMPORARY_MAX),
        ] {
            let capacity = |bytes: u32| most.min((bytes / object::OBJECT_BYTES_MIN) as usize);
            list.reserve(capacity(bytes), capacity(limit), source)?;
        }
        let blocks = |bytes: u32| (bytes >> self.block_shift) as usize + 1;
        self.touched.grow(blocks(bytes), blocks(limit), source)?;
        self.is_touched.grow(blocks(bytes), blocks(limit), source)
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> &CountTable {
        &self.counts
    }

    /// Whether only a recount can go on.
    #[must_use]
    pub fn must_recount(&self) -> bool {
        self.must_recount
    }

    /// Whether few more overwrites can be remembered before everything has to be counted anew.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.overwritten.len() > self.overwritten.capacity() / 4 * 3
    }

    /// Notes an object whose references are about to be overwritten; each is to be given to
    /// [`Counting::overwrite`] as well.
    pub fn remember(&mut self, object: u32, bytes: u32) {
        self.remembered_bytes += u64::from(bytes);
        self.work.push(object);
    }

    /// Notes that lines may become free in the block that `offset` lies in.
    #[inline]
    pub fn touch(&mut self, offset: u32) {
        let block = offset >> self.block_shift;
        if let Some(is_touched) = self.is_touched.elements_mut().get_mut(block as usize)
            && *is_touched == [0]
            && self.touched.push([block << self.block_shift])
        {
            *is_touched = [1];
        }
    }

    /// A block in which lines may have become free, each once.
    pub fn take_touched(&mut self) -> Option<u32> {
        let [start] = self.touched.pop()?;
        if let Some(is_touched) = self.is_touched.elements_mut().get_mut((start >> self.block_shift) as usize) {
            *is_touched = [0];
        }
        Some(start)
    }

    /// Notes a reference that is about to be overwritten and was counted in the last epoch.
    #[inline]
    pub fn overwrite(&mut self, raw: u32) {
        if raw != 0 && raw & VMGcRef::I31_TAG == 0 && !self.overwritten.push([raw]) {
            self.must_recount = true;
        }
    }

    /// Begins an epoch's end.
    pub fn begin_epoch(&mut self) {
        core::mem::swap(&mut self.temporary, &mut self.expired);
        core::mem::swap(&mut self.is_temporary, &mut self.is_expired);
        self.report = Counted::default();
    }

    /// Begins to count everything anew. Until that is done, only another recount can go on.
    pub fn begin_recount(&mut self) {
        self.counts.clear();
        self.work.clear();
        self.overwritten.clear();
        self.temporary.clear();
        self.is_temporary.clear();
        self.expired.clear();
        self.is_expired.clear();
        self.must_recount = true;
        self.remembered_bytes = 0;
        self.report = Counted::default();
    }

    /// Ends a recount.
    pub fn end_recount(&mut self) {
        self.must_recount = false;
        self.report.born_bytes = self.report.scanned_bytes;
    }

    /// What was found so far.
    #[must_use]
    pub fn report(&self) -> &Counted {
        &self.report
    }
}

/// Counting at work on a heap.
#[derive(Debug)]
pub struct Counter<'a> {
    bytes: &'a mut [u8],
    types: &'a TypeTable,
    blocks: &'a mut BlockTable,
    counting: &'a mut Counting,
    /// Whether objects are dying: what is scanned takes counts away.
    is_dying: bool,
    is_recount: bool,
    /// Bytes of blocks and large runs in use: the bound of what may be found alive, and of what may die.
    used_bytes: u64,
}

impl<'a> Counter<'a> {
    /// Goes on with `counting` on this heap.
    #[must_use]
    pub fn new(
        bytes: &'a mut [u8],
        types: &'a TypeTable,
        blocks: &'a mut BlockTable,
        counting: &'a mut Counting,
    ) -> Counter<'a> {
        let used_bytes = u64::from(blocks.used_bytes());
        let is_recount = counting.must_recount;
        Counter { bytes, types, blocks, counting, is_dying: false, is_recount, used_bytes }
    }

    /// Counts what was remembered and what is reached from there.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn drain(&mut self) -> Result<(), Corruption> {
        while self.scan_all(Budget::UNLIMITED)? == Progress::More {}
        Ok(())
    }

    /// Counts what was reached, and what is reached from there, and what `weak` wants kept, until all is counted or
    /// `budget` is spent; the weak entries are decided on when it is done. Comes after [`Counter::expire`] at an epoch's
    /// end: what has died since its beginning can be kept still.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn settle(&mut self, weak: &mut dyn WeakEntries, budget: Budget) -> Result<Progress, Corruption> {
        let before = self.counting.report.scanned_bytes;
        let progress = settle(self, weak, WeakScope::All, budget)?;
        let Counted { born_bytes, scanned_bytes, .. } = &mut self.counting.report;
        *born_bytes += *scanned_bytes - before;
        Ok(progress)
    }

    /// Counts the references in those parts of large arrays that were overwritten. In a recount their arrays are scanned
    /// as a whole, and the cards only taken away.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn count_cards(&mut self) -> Result<(), Corruption> {
        let mut cards = CardPass::default();
        loop {
            // An array that was never counted is scanned as a whole if it lives.
            let is_counted = |_: &BlockTable, at| !self.is_recount && self.counting.counts.get(at) > 0;
            let next = cards.next(self.bytes, self.types, self.blocks, is_counted)?;
            let Some((at, slots)) = next else { return Ok(()) };
            self.counting.report.carded_bytes += u64::from(GRANULE_BYTES);
            self.scan_slots(at, slots)?;
        }
    }

    /// Takes away what was counted in the last epoch and is no more; all that still counts must have been counted.
    ///
    /// # Errors
    /// If the heap's bytes are not sound.
    pub fn expire(&mut self) -> Result<(), Corruption> {
        self.is_dying = true;
        let Counting { report, remembered_bytes, .. } = &mut *self.counting;
        report.born_bytes = report.scanned_bytes.saturating_sub(core::mem::take(remembered_bytes));
        while let Some([raw]) = self.counting.overwritten.pop() {
            self.forget(raw)?;
            if is_seeded("ref_count_twice") {
                self.forget(raw)?;
            }
        }
        while let Some([raw]) = self.counting.expired.pop() {
            self.counting.is_expired.unset(raw);
            // If slots still lead there, its count was taken over.
            if !self.counting.is_temporary.get(raw) {
                self.forget(raw)?;
            }
        }
        while self.scan_all(Budget::UNLIMITED)? == Progress::More {}
        self.is_dying = false;
        Ok(())
    }

    /// One reference less to what lies at `raw`.
    #[inline]
    fn forget(&mut self, raw: u32) -> Result<(), Corruption> {
        if raw & (object::OBJECT_ALIGN - 1) != 0 {
            return Err(Corruption::new(CorruptionKind::Misaligned, raw));
        }
        if self.counting.counts.decrement(raw) == 1 {
            self.counting.work.push(raw);
        }
        Ok(())
    }

    /// One reference more to what lies at `raw`; tells what its count was.
    #[inline(always)]
    fn count(&mut self, raw: u32) -> Result<u8, Corruption> {
        let state = self.blocks.granule_at(raw);
        if raw & (object::OBJECT_ALIGN - 1) != 0 {
            return Err(Corruption::new(CorruptionKind::Misaligned, raw));
        }
        let is_place = state.is_block() || (state.is_large_start() && raw.is_multiple_of(GRANULE_BYTES));
        if !is_place {
            return Err(Corruption::new(CorruptionKind::FreeSpace, raw));
        }
        let before = self.counting.counts.increment(raw);
        if before == 0 {
            self.counting.work.push(raw);
        }
        Ok(before)
    }

    /// One count for all slots that lead to `raw` and are not armed; that of the last epoch is taken over.
    fn count_temporary(&mut self, raw: u32) -> Result<(), Corruption> {
        if !self.counting.is_expired.get(raw) {
            self.count(raw)?;
        }
        let Counting { counts, temporary, is_temporary, .. } = &mut *self.counting;
        if temporary.push([raw]) {
            is_temporary.set(raw);
        } else if is_temporary.set(raw) {
            // It cannot be taken away again.
            counts.stick(raw);
            is_temporary.unset(raw);
        }
        Ok(())
    }

    fn count_slots(&mut self, category: RootCategory, slots: &[u32], is_temporary: bool) -> Result<(), Corruption> {
        let mut seen = 0;
        for &raw in slots.iter().filter(|&&raw| raw != 0 && raw & VMGcRef::I31_TAG == 0) {
            seen += 1;
            if !is_temporary {
                self.count(raw)?;
            } else if !self.counting.is_temporary.get(raw) {
                self.count_temporary(raw)?;
            }
        }
        if let Some(count) = self.counting.report.roots.get_mut(category as usize) {
            *count += seen;
        }
        Ok(())
    }
}

impl<'a> Scan<'a> for Counter<'a> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    #[inline]
    fn types(&self) -> &'a TypeTable {
        self.types
    }

    #[inline]
    fn work(&mut self) -> &mut WorkList {
        &mut self.counting.work
    }

    fn tracer(&mut self) -> &mut dyn Tracer {
        self
    }

    fn scanned_bytes(&self) -> u64 {
        self.counting.report.scanned_bytes
    }

    #[inline(always)]
    fn next(&mut self, _left: &mut u64) -> Result<Option<Task>, Corruption> {
        Ok(self.counting.work.pop_fetched(self.bytes))
    }

    /// Accounts for an object that lives for the first time, was written to, or dies.
    #[inline]
    fn enter(&mut self, at: u32, header: VMGcHeader, size: u32, has_refs: bool) -> Result<(), Corruption> {
        let is_small = self.blocks.granule_at(at).is_block();
        if is_small {
            check_fits_block(self.blocks, at, size)?;
            self.counting.counts.set_rest(at, size, !self.is_dying);
        } else {
            check_fits_run(self.blocks, at, size)?;
        }
        let report = &mut self.counting.report;
        report.scanned_bytes += u64::from(size);
        if self.is_dying {
            report.dead_bytes += u64::from(size);
            self.counting.touch(at);
        } else if has_refs {
            // What was written to has its bit clear, and so has what is new; the latter was never armed.
            arm(self.bytes, at, header);
        }
        // Living objects, those written to, dying ones and those kept after all: each kind fits into what is in use.
        if self.counting.report.scanned_bytes > 4 * self.used_bytes {
            return Err(Corruption::new(CorruptionKind::Overlap, at));
        }
        Ok(())
    }

    #[inline(always)]
    fn slot(&mut self, slot: u32) -> Result<(), Corruption> {
        let raw = object::load_u32(self.bytes, slot as usize).unwrap_or(0);
        if raw == 0 || raw & VMGcRef::I31_TAG != 0 {
            return Ok(());
        }
        if self.is_dying { self.forget(raw) } else { self.count(raw).map(|_| ()) }
    }
}

/// References in slots that are not armed count until the next epoch, those in chunks until they are overwritten.
impl RootVisitor for Counter<'_> {
    fn visit(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<(), Corruption> {
        self.count_slots(category, slots, true)
    }

    fn visit_chunk(&mut self, category: RootCategory, slots: &mut [u32]) -> Result<bool, Corruption> {
        self.count_slots(category, slots, false).map(|()| true)
    }

    fn wants_unwritten(&self) -> bool {
        self.is_recount
    }

    fn overwritten(&mut self, slots: &[u32]) -> Result<(), Corruption> {
        if !self.is_recount {
            for &raw in slots {
                self.counting.overwrite(raw);
            }
        }
        Ok(())
    }
}

/// What counts lives, and stays where it is.
impl Tracer for Counter<'_> {
    fn survivor(&self, at: u32) -> Result<Option<u32>, Corruption> {
        Ok((self.counting.counts.get(at) > 0).then_some(at))
    }
}
