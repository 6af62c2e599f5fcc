//! A collector whose cycles go in small steps, and are given up half way if that is wanted.
//!
//! The heap drives a cycle to its end with as much budget as it needs. Behind this wrapper the collector inside gets
//! little at a time, as if an embedder drove it so, and sees its cycle begin anew, as if the driver had been dropped.

use super::Wrap;
use crate::collector::{Collector, Cycle, HeapParts, Reason};
use crate::error::{Corruption, CorruptionKind, OutOfMemory};
use crate::trace::{Budget, Progress};

/// Gives each step a small budget.
#[derive(Debug)]
pub struct Stepping {
    inner: Box<dyn Collector>,
    budget: Budget,
    /// After how many steps each cycle is given up once.
    abandon_after: Option<u64>,
    reason: Reason,
    /// Steps of the open cycle.
    steps: u64,
}

impl Stepping {
    /// Steps of `budget` work units each.
    #[must_use]
    pub fn new(inner: Box<dyn Collector>, budget: u64) -> Stepping {
        Stepping { inner, budget: Budget(budget), abandon_after: None, reason: Reason::Explicit, steps: 0 }
    }

    /// Each cycle is given up after `steps` steps, if it is not done by then, and begins anew.
    #[must_use]
    pub fn abandoning_after(mut self, steps: u64) -> Stepping {
        self.abandon_after = Some(steps);
        self
    }
}

impl Wrap for Stepping {
    fn inner(&self) -> &dyn Collector {
        &*self.inner
    }

    fn inner_mut(&mut self) -> &mut dyn Collector {
        &mut *self.inner
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, reason: Reason) -> Result<(), OutOfMemory> {
        (self.reason, self.steps) = (reason, 0);
        self.inner.begin(parts, reason)
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, _budget: Budget) -> Result<Progress, Corruption> {
        let progress = self.inner.step(cycle, self.budget)?;
        self.steps += 1;
        if progress == Progress::More && self.abandon_after == Some(self.steps) {
            let begun = self.inner.begin(&mut cycle.parts, self.reason);
            begun.map_err(|_| broken("a cycle that was given up cannot begin again"))?;
        }
        // There is less work than bytes, and each step does some.
        if self.steps > 64 + u64::from(cycle.parts.blocks.committed_bytes()) {
            return Err(broken("a cycle does not end"));
        }
        Ok(progress)
    }
}

fn broken(what: &'static str) -> Corruption {
    Corruption::new(CorruptionKind::Verify(what), 0)
}
