//! This crate's heap with default settings.

use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;

use crate::native::{self, Program};
use crate::table::{Run, Told, Workload};

struct Native(Box<dyn Program>);

impl Run for Native {
    fn round(&mut self, n: u32) -> wasmtime::Result<i64> {
        Ok(self.0.run(n))
    }

    fn told(&mut self) -> Told {
        Told { pause_max: Some(self.0.machine().heap.stats().times.longest) }
    }
}

/// The program in a new heap.
#[must_use]
pub fn start(workload: Workload, collector: BuiltinCollector) -> Box<dyn Run> {
    Box::new(Native(native::start(workload, collector, HeapConfig::default())))
}
