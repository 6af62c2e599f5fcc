//! A collector whose heap is damaged while it is at work.

use core::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Damage, Target};
use crate::collector::{Collector, Cycle, HeapParts, RefillError, Request};
use crate::error::{Corruption, OutOfMemory};
use crate::object::VMGcRef;
use crate::space::{LargeRun, Window};
use crate::testkit::world::World;
use crate::testkit::wrap::Wrap;
use crate::trace::{Budget, Progress};

/// Damages that wait, each for so many calls of the collector.
#[derive(Debug, Default)]
struct Plan {
    waiting: Vec<(u8, Damage)>,
    known: Vec<u32>,
    world: World,
}

/// Plans the damages of a [`Saboteur`]'s heap. Clones share the plan.
#[derive(Clone, Debug, Default)]
pub struct Plot(Arc<Mutex<Plan>>);

impl Plot {
    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans `damage` for after `calls` calls; objects are those that `known` leads to.
    pub fn add(&self, calls: u8, damage: Damage, known: &[u32]) {
        let mut plan = self.lock();
        plan.waiting.push((calls, damage));
        plan.known = known.to_vec();
    }

    fn call(&self, parts: &mut HeapParts<'_>) {
        let Plan { waiting, known, world } = &mut *self.lock();
        waiting.retain_mut(|(calls, damage)| {
            let waits = *calls > 0;
            if waits {
                *calls -= 1;
            } else {
                damage.apply(&mut Target { bytes: parts.memory.bytes_mut(), known, roots: &mut [], world });
            }
            waits
        });
    }
}

/// Damages its heap as it was told to, before the collector inside does what it is called for.
#[derive(Debug)]
pub struct Saboteur {
    inner: Box<dyn Collector>,
    plot: Plot,
}

impl Saboteur {
    /// The saboteur of the heap that `inner` collects, and what its damages are planned with.
    #[must_use]
    pub fn new(inner: Box<dyn Collector>) -> (Saboteur, Plot) {
        let plot = Plot::default();
        (Saboteur { inner, plot: plot.clone() }, plot)
    }
}

impl Wrap for Saboteur {
    fn inner(&self) -> &dyn Collector {
        &*self.inner
    }

    fn inner_mut(&mut self) -> &mut dyn Collector {
        &mut *self.inner
    }

    fn retire(&mut self, parts: &mut HeapParts<'_>, window: Window) {
        self.plot.call(parts);
        self.inner.retire(parts, window);
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        self.plot.call(parts);
        self.inner.refill(parts, bytes)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        self.plot.call(parts);
        self.inner.allocate_large(parts, bytes)
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        self.plot.call(parts);
        self.inner.log(parts, object)
    }

    fn log_card(&mut self, parts: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        self.plot.call(parts);
        self.inner.log_card(parts, array, card)
    }

    fn log_roots(&mut self, parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        self.plot.call(parts);
        self.inner.log_roots(parts, slots)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.plot.call(parts);
        self.inner.begin(parts, request)
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        self.plot.call(&mut cycle.parts);
        self.inner.step(cycle, budget)
    }
}
