//! Collectors around collectors: what one does is watched or changed, and the rest is passed on.
//!
//! A wrapper implements [`Wrap`] and says what it does differently; it is a [`Collector`] then.

mod audit;

use core::ops::Range;

pub use audit::BarrierAuditor;

use crate::collector::{Audit, Collector, CollectorTraits, Cycle, HeapParts, RefillError, Request};
use crate::error::{Corruption, OutOfMemory};
use crate::memory::TableSource;
use crate::object::VMGcRef;
use crate::space::{BlockTable, LargeRun, Window};
use crate::trace::{Budget, Progress};

/// A collector that is another one but for the methods that it overrides, which are those of [`Collector`].
#[expect(missing_docs, reason = "each method is documented in `Collector`")]
#[expect(clippy::missing_errors_doc, reason = "each method is documented in `Collector`")]
pub trait Wrap: Send {
    /// The collector inside.
    fn inner(&self) -> &dyn Collector;

    /// The collector inside, to be called.
    fn inner_mut(&mut self) -> &mut dyn Collector;

    fn traits(&self) -> CollectorTraits {
        self.inner().traits()
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.inner_mut().cover(blocks, bytes, source)
    }

    fn retire(&mut self, parts: &mut HeapParts<'_>, window: Window) {
        self.inner_mut().retire(parts, window);
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        self.inner_mut().refill(parts, bytes)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        self.inner_mut().allocate_large(parts, bytes)
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        self.inner_mut().log(parts, object)
    }

    fn log_card(&mut self, parts: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        self.inner_mut().log_card(parts, array, card)
    }

    fn log_roots(&mut self, parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        self.inner_mut().log_roots(parts, slots)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.inner_mut().begin(parts, request)
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        self.inner_mut().step(cycle, budget)
    }

    fn audit(&self, audit: &mut Audit<'_>) {
        self.inner().audit(audit);
    }
}

impl<W: Wrap> Collector for W {
    fn traits(&self) -> CollectorTraits {
        Wrap::traits(self)
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        Wrap::cover(self, blocks, bytes, source)
    }

    fn retire(&mut self, parts: &mut HeapParts<'_>, window: Window) {
        Wrap::retire(self, parts, window);
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        Wrap::refill(self, parts, bytes)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        Wrap::allocate_large(self, parts, bytes)
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        Wrap::log(self, parts, object)
    }

    fn log_card(&mut self, parts: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        Wrap::log_card(self, parts, array, card)
    }

    fn log_roots(&mut self, parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        Wrap::log_roots(self, parts, slots)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        Wrap::begin(self, parts, request)
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        Wrap::step(self, cycle, budget)
    }

    fn audit(&self, audit: &mut Audit<'_>) {
        Wrap::audit(self, audit);
    }
}
