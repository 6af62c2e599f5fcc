//! Everything of a heap that names objects without keeping them alive, and the order in which a cycle decides on it.
//!
//! ```text
//!   1  objects that wait for their finalisers are kept, with what they reach
//!   2  values of ephemerons are kept whose keys are alive, and so on until no more keys are found alive
//!   3  the other ephemerons go, and weak references to what is dead are cleared
//!   4  registered objects that are dead join those that wait for their finalisers, and are kept
//!   5  payloads of extern objects that are still dead are queued to be dropped
//! ```
//!
//! So whatever a finaliser is handed, nothing weak leads there any more, and all that it reaches is whole.

use super::ephemerons::Ephemerons;
use super::extern_table::ExternTable;
use super::finalizers::Finalizers;
use super::weak_table::WeakTable;
use crate::error::Corruption;
use crate::trace::{Tracer, WeakEntries, WeakScope};

/// The weak entries of a heap. No cycle takes memory of the host for them.
#[derive(Default)]
pub(super) struct WeakTables {
    pub(super) externs: ExternTable,
    pub(super) handles: WeakTable,
    pub(super) ephemerons: Ephemerons,
    pub(super) finalizers: Finalizers,
    stage: Stage,
}

/// What comes next in a cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Pending,
    Keys,
    Values,
    Payloads,
}

impl WeakTables {
    /// Begins a cycle, also after one that was given up half way: what that one decided holds, and the rest is asked
    /// anew.
    pub(super) fn begin_cycle(&mut self) {
        self.ephemerons.begin_cycle();
        self.finalizers.begin_cycle();
        self.stage = Stage::Pending;
    }
}

impl WeakEntries for WeakTables {
    fn keep(&mut self, scope: WeakScope, tracer: &mut dyn Tracer) -> Result<bool, Corruption> {
        let WeakTables { externs, handles, ephemerons, finalizers, stage } = self;
        if *stage == Stage::Pending {
            *stage = Stage::Keys;
            if finalizers.show_pending(tracer)? {
                return Ok(true);
            }
        }
        if *stage == Stage::Keys {
            *stage = Stage::Values;
            if ephemerons.look_at_keys(scope, tracer)? {
                return Ok(true);
            }
        }
        if *stage == Stage::Values {
            if ephemerons.show_ready(tracer)? {
                return Ok(true);
            }
            *stage = Stage::Payloads;
            ephemerons.remove_waiting(scope, tracer)?;
            handles.process(scope, tracer, &mut |_, _| ())?;
            if finalizers.queue_dead(scope, tracer)? {
                return Ok(true);
            }
        }
        externs.process(scope, tracer)?;
        handles.end_cycle();
        ephemerons.end_cycle();
        finalizers.end_cycle();
        *stage = Stage::Pending;
        Ok(false)
    }

    fn is_watching(&self) -> bool {
        self.stage == Stage::Values && self.ephemerons.has_waiting()
    }

    fn reached(&mut self, at: u32) {
        self.ephemerons.reached(at);
    }
}
