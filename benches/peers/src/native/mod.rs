//! The programs against this crate's heap, as compiled code would use it: raw references in local variables, those
//! that must survive an allocation in a frame of slots, allocation in the window and the barrier's test in line,
//! object sizes and field offsets as constants, one range check for neighbouring fields.

mod casts;
mod fields;
mod gcbench;
mod list;
mod machine;
mod refarray;
mod rings;
mod splay;
mod strings;
mod trees;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;

pub use self::machine::{Machine, Shape, expect, field, pair, reference};
pub use self::trees::Trees;
use crate::table::Workload;

/// A program and the heap it runs in.
pub trait Program {
    /// Runs it in the size `n` and gives its checksum.
    fn run(&mut self, n: u32) -> i64;

    /// What it runs on.
    fn machine(&mut self) -> &mut Machine;
}

/// The program of `workload` in a new heap.
#[must_use]
pub fn start(workload: Workload, collector: BuiltinCollector, config: HeapConfig) -> Box<dyn Program> {
    let machine = Machine::new(collector, config);
    match workload {
        Workload::Trees => Box::new(trees::Trees::new(machine)),
        Workload::GcBench => Box::new(gcbench::GcBench::new(machine)),
        Workload::Splay => Box::new(splay::Splay::new(machine)),
        Workload::List => Box::new(list::List::new(machine)),
        Workload::RefArray => Box::new(refarray::RefArray::new(machine)),
        Workload::Rings => Box::new(rings::Rings::new(machine)),
        Workload::Strings => Box::new(strings::Strings::new(machine)),
        Workload::Fields => Box::new(fields::Fields::new(machine)),
        Workload::Casts => Box::new(casts::Casts::new(machine)),
    }
}
