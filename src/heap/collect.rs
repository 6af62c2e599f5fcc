//! Driving a collection from its beginning to its end.

use std::any::Any;
use std::time::Instant;

use super::GcHeap;
use crate::collector::{Cycle, CycleReport, HeapParts, Reason};
use crate::error::Result;
use crate::trace::{Budget, Progress, RootSource};

impl GcHeap {
    /// Collects garbage now. References held anywhere but in `roots` are stale afterwards.
    ///
    /// Does nothing if the collector never collects.
    ///
    /// # Errors
    /// If memory that the cycle needs is refused (nothing is changed then), or the heap is damaged.
    pub fn collect(&mut self, roots: &mut dyn RootSource) -> Result<()> {
        self.collect_for(Reason::Explicit, roots)
    }

    pub(super) fn collect_for(&mut self, reason: Reason, roots: &mut dyn RootSource) -> Result<()> {
        self.refuse_if_damaged()?;
        if !self.attached || !self.collector.traits().collects {
            return Ok(());
        }
        let started = Instant::now();
        self.retire();
        let (collector, mut parts) = self.split();
        collector.begin(&mut parts, reason)?;
        let mut report = CycleReport::default();
        let GcHeap { memory, types, blocks, collector, externs, limiter, config, .. } = self;
        let parts = HeapParts { memory, blocks, types, limiter, poison: config.poison };
        let mut cycle = Cycle { parts, roots, weak: externs, report: &mut report };
        loop {
            match collector.step(&mut cycle, Budget::UNLIMITED) {
                Ok(Progress::More) => {}
                Ok(Progress::Done) => break,
                Err(corruption) => return Err(self.damaged_by(corruption)),
            }
        }
        self.note_cycle(report, started);
        if self.config.verify { self.verify(roots) } else { Ok(()) }
    }

    fn note_cycle(&mut self, report: CycleReport, started: Instant) {
        self.pacer.collected(report.live_bytes);
        let pause = started.elapsed();
        let committed = u64::from(self.blocks.committed_bytes());
        let stats = &mut self.stats;
        stats.collections += 1;
        stats.allocated_bytes_at_collection = stats.allocated_bytes;
        stats.live_bytes = report.live_bytes;
        stats.copied_bytes += report.copied_bytes;
        stats.committed_bytes_max = stats.committed_bytes_max.max(committed);
        stats.last_cycle = report;
        stats.pause_total += pause;
        stats.pause_max = stats.pause_max.max(pause);
    }

    /// The payloads whose extern objects died. Drop them when nothing borrows the heap: they may run any code.
    #[must_use]
    pub fn take_dead_payloads(&mut self) -> Vec<Box<dyn Any + Send + Sync>> {
        self.externs.take_dead()
    }

    /// Whether [`GcHeap::take_dead_payloads`] has anything to give.
    #[inline]
    #[must_use]
    pub fn has_dead_payloads(&self) -> bool {
        self.externs.has_dead()
    }
}
