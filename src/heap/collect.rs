//! Driving a collection from its beginning to its end, in one go or in steps.

use core::fmt;
use std::any::Any;
use std::time::Instant;

use super::{CollectionEvent, GcHeap, HeapConfig, PauseTimes};
use crate::collector::{Cycle, CycleKind, CycleReport, HeapParts, Pacer, Reason, Request};
use crate::error::Result;
use crate::memory::TableSource;
use crate::space::GRANULE_BYTES;
use crate::trace::{Budget, Progress, RootSource};

impl GcHeap {
    /// Collects all garbage now. References held anywhere but in `roots` are stale afterwards.
    ///
    /// Does nothing if the collector never collects.
    ///
    /// # Errors
    /// If memory that the cycle needs is refused (nothing is changed then), or the heap is damaged.
    pub fn collect(&mut self, roots: &mut dyn RootSource) -> Result<()> {
        self.collect_for(CycleKind::Full, Reason::Explicit, 0, roots)
    }

    /// The same for young objects only, if the collector has such cycles; otherwise for all.
    ///
    /// # Errors
    /// As for [`GcHeap::collect`].
    pub fn collect_minor(&mut self, roots: &mut dyn RootSource) -> Result<()> {
        self.collect_for(CycleKind::Minor, Reason::Explicit, 0, roots)
    }

    /// Begins a collection that the caller drives step by step. It may be dropped at any point: what it did so far is
    /// done again by the next one, and the heap is as usable as if it had not begun.
    ///
    /// `None` if there is nothing to do: the collector never collects, or the heap has no memory yet.
    ///
    /// # Errors
    /// As for [`GcHeap::collect`].
    pub fn start_collection<'a>(
        &'a mut self,
        kind: CycleKind,
        roots: &'a mut dyn RootSource,
    ) -> Result<Option<Collection<'a>>> {
        self.start(kind, Reason::Explicit, 0, roots)
    }

    pub(super) fn collect_for(
        &mut self,
        kind: CycleKind,
        reason: Reason,
        wanted_bytes: u64,
        roots: &mut dyn RootSource,
    ) -> Result<()> {
        if let Some(mut collection) = self.start(kind, reason, wanted_bytes, roots)? {
            while collection.step(Budget::UNLIMITED)? == Progress::More {}
        }
        Ok(())
    }

    fn start<'a>(
        &'a mut self,
        kind: CycleKind,
        reason: Reason,
        wanted_bytes: u64,
        roots: &'a mut dyn RootSource,
    ) -> Result<Option<Collection<'a>>> {
        self.refuse_if_damaged()?;
        let traits = self.collector.traits();
        if !self.attached || !traits.collects {
            return Ok(None);
        }
        let started = Instant::now();
        let kind = if traits.has_minor { kind } else { CycleKind::Full };
        self.retire();
        self.weak.begin_cycle();
        let used_bytes_before = u64::from(self.blocks.used_bytes());
        let (collector, mut parts) = self.split();
        collector.begin(&mut parts, Request { kind, reason, wanted_bytes })?;
        // What `begin` took counts as part of the first step.
        let report = CycleReport { kind, ..CycleReport::default() };
        let began = Began { reason, used_bytes: used_bytes_before };
        let times = PauseTimes::default();
        Ok(Some(Collection { heap: self, roots, began, report, times, started: Some(started), is_done: false }))
    }

    /// Counts what a step did: it counts also if its cycle is given up afterwards.
    fn note_step(&mut self, before: &CycleReport, after: &mut CycleReport) {
        let added = |count: fn(&CycleReport) -> u64| count(after).saturating_sub(count(before));
        let (work, promoted) = (added(CycleReport::work_bytes), added(|report| report.promoted_bytes));
        self.stats.copied_bytes += added(|report| report.copied_bytes);
        after.step_work_bytes_max = before.step_work_bytes_max.max(work);
        self.stats.promoted_bytes += promoted;
        self.stats.work_bytes += work;
        self.counters.minor_work_bytes += work;
        self.counters.grown_bytes = self.counters.grown_bytes.saturating_add(promoted);
        if promoted > 0 {
            // The cycle may be given up: what was promoted is not to be counted again as born old.
            self.charged_at_cycle = self.charged_bytes();
        }
    }

    /// Counts a cycle whose steps were counted.
    fn note_cycle(&mut self, reason: Reason, report: CycleReport) {
        let committed = u64::from(self.blocks.committed_bytes());
        let stats = &mut self.stats;
        stats.collections += 1;
        stats.minor_collections += u64::from(report.kind == CycleKind::Minor);
        stats.live_bytes = report.live_bytes;
        stats.committed_bytes_max = stats.committed_bytes_max.max(committed);
        stats.last_cycle = report;
        let held = self.weak.externs.held_bytes();
        match report.kind {
            CycleKind::Minor => {
                // What host values take outside counts with the object that names them. No sum of what was promoted: an
                // epoch of counting may free more than was born in it.
                let lives = report.live_bytes.saturating_add(held);
                self.counters.grown_bytes = lives.saturating_sub(self.counters.live_bytes);
            }
            CycleKind::Full => {
                // Who asks for a collection wants the memory back.
                let is_asked = reason == Reason::Explicit;
                self.counters.last_target_bytes = if is_asked { 0 } else { self.pacer.target_bytes(&self.counters) };
                self.counters.live_bytes = report.live_bytes.saturating_add(held);
                self.counters.full_work_bytes = report.work_bytes();
                (self.counters.minor_work_bytes, self.counters.grown_bytes) = (0, 0);
                self.charged_at_full = self.charged_bytes();
                self.give_back_free(is_asked);
            }
        }
        self.charged_at_cycle = self.charged_bytes();
    }

    /// Gives memory back to the host that is free and not needed for what comes next, or nearly all if that is asked for.
    fn give_back_free(&mut self, is_asked: bool) {
        let kept_max = if is_asked { Pacer::KEPT_WHEN_ASKED } else { u64::MAX };
        let mut keep = self.pacer.kept_free(&self.counters).min(kept_max);
        let mut from = 0;
        while let Some(run) = self.blocks.next_written_free(from) {
            from = run.end;
            // Of a run that is longer than what is to be kept, only the rest goes.
            let kept = u32::try_from(keep).unwrap_or(u32::MAX).min(run.end - run.start) & !(GRANULE_BYTES - 1);
            keep -= u64::from(kept);
            let rest = run.start + kept..run.end;
            if !rest.is_empty() && self.memory.discard(rest.start as usize..rest.end as usize) {
                self.stats.discarded_bytes += u64::from(rest.end - rest.start);
                self.blocks.mark_zero(rest);
            }
        }
    }

    /// The payloads whose extern objects died. Drop them when nothing borrows the heap: they may run any code.
    ///
    /// If the host has no memory for the list, it is empty, and the payloads wait for the next call.
    #[must_use]
    pub fn take_dead_payloads(&mut self) -> Vec<Box<dyn Any + Send + Sync>> {
        self.weak.externs.take_dead()
    }

    /// Whether [`GcHeap::take_dead_payloads`] has anything to give.
    #[inline]
    #[must_use]
    pub fn has_dead_payloads(&self) -> bool {
        self.weak.externs.has_dead()
    }
}

/// How things were when a collection began.
struct Began {
    reason: Reason,
    used_bytes: u64,
}

/// A collection under way. While it lives, nothing else happens to the heap.
///
/// ```
/// use std::sync::Arc;
/// use tumulus::collector::{BuiltinCollector, CycleKind};
/// use tumulus::heap::{GcHeap, HeapConfig};
/// use tumulus::memory::VecMemoryCreator;
/// use tumulus::store::Engine;
/// use tumulus::trace::{Budget, Progress};
/// use tumulus::types::{FieldType, Mutability, RefType, StructType, SubType};
///
/// let engine = Engine::default();
/// let next = FieldType::new(Mutability::Var, RefType::ANYREF.into());
/// let group = engine.types().register(vec![SubType::new(StructType::new([next]))])?;
/// let cell = engine.object_type(&group.get(0)).expect("a struct type has objects");
/// let collector = BuiltinCollector::MarkRegion.create();
/// let mut heap = GcHeap::new(HeapConfig::default(), collector, Arc::new(VecMemoryCreator))?;
/// heap.register_type(&cell);
/// let mut list = [0];
/// for _ in 0..100 {
///     let new = heap.allocate_struct(&cell, &mut list)?.get();
///     heap.write_ref(new, 4, list[0])?;
///     list[0] = new;
/// }
///
/// // A little at a time; one that is dropped half way is as if it had not begun.
/// let mut given_up = heap.start_collection(CycleKind::Full, &mut list)?.expect("there is something to do");
/// assert_eq!(given_up.step(Budget(10))?, Progress::More);
/// drop(given_up);
/// let mut collection = heap.start_collection(CycleKind::Full, &mut list)?.expect("there is something to do");
/// while collection.step(Budget(10))? == Progress::More {}
/// assert!(collection.report().steps > 1);
/// drop(collection);
/// assert_eq!((heap.stats().collections, heap.stats().live_bytes), (1, 800));
/// # Ok::<(), tumulus::error::Error>(())
/// ```
pub struct Collection<'a> {
    heap: &'a mut GcHeap,
    roots: &'a mut dyn RootSource,
    began: Began,
    report: CycleReport,
    times: PauseTimes,
    /// When the step that is next began, if that was before it.
    started: Option<Instant>,
    is_done: bool,
}

impl Collection<'_> {
    /// Does about as much of the collection as `budget` allows; an evacuation that is begun is completed. Done once
    /// and for all when it says so.
    ///
    /// # Errors
    /// If the heap is damaged.
    pub fn step(&mut self, budget: Budget) -> Result<Progress> {
        if self.is_done {
            return Ok(Progress::Done);
        }
        let started = self.started.take().unwrap_or_else(Instant::now);
        self.heap.refuse_if_damaged()?;
        let before = self.report;
        self.report.steps += 1;
        let GcHeap { memory, types, blocks, collector, weak, creator, limiter, config, .. } = &mut *self.heap;
        let source = TableSource::new(&**creator, limiter, blocks.limit_bytes());
        let HeapConfig { poison, move_all, .. } = *config;
        let parts = HeapParts { memory, blocks, types, source, poison, move_all };
        let mut cycle = Cycle { parts, roots: &mut *self.roots, weak, report: &mut self.report };
        let progress = match collector.step(&mut cycle, budget) {
            Ok(progress) => progress,
            Err(corruption) => return Err(self.heap.damaged_by(corruption)),
        };
        self.report.ephemerons = self.heap.weak.ephemerons.looked_at;
        self.heap.note_step(&before, &mut self.report);
        let pause = started.elapsed();
        self.times.add(pause);
        self.heap.stats.times.add(pause);
        if progress == Progress::Done {
            self.is_done = true;
            self.heap.note_cycle(self.began.reason, self.report);
            self.tell();
            if self.heap.config.verify {
                self.heap.verify(self.roots)?;
            }
        }
        Ok(progress)
    }

    /// Tells the observer that the collection is done.
    fn tell(&mut self) {
        let GcHeap { blocks, stats, observer, .. } = &mut *self.heap;
        observer.tell(&CollectionEvent {
            number: stats.collections,
            reason: self.began.reason,
            report: self.report,
            used_bytes_before: self.began.used_bytes,
            used_bytes_after: u64::from(blocks.used_bytes()),
            committed_bytes: u64::from(blocks.committed_bytes()),
            times: self.times,
        });
    }

    /// What the collection did so far.
    #[must_use]
    pub fn report(&self) -> &CycleReport {
        &self.report
    }
}

impl fmt::Debug for Collection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collection").field("report", &self.report).finish_non_exhaustive()
    }
}
