//! Runs a program on a heap and on the model, and compares the two after each collection.
//!
//! ```text
//!   search       many programs; the first that fails, shrunk and as text
//!   compare      a walk through both graphs at once
//!   allocate     making objects, and whether a refusal was right
//!   access       fields and elements, one and many
//!   tables       roots that are written through the heap
//!   weak         weak references, ephemerons, registrations for finalisation
//! ```

mod access;
mod allocate;
mod compare;
mod search;
mod tables;
mod weak;

use core::fmt;

pub use search::{Counterexample, find_counterexample};
pub(super) use search::{failure, search};

use self::weak::Weaks;
use super::model::{Model, Value};
use super::payload::Tally;
use super::program::{EPHEMERON_TABLES, Op, Program, ROOTS, TABLES, WEAKS};
use super::roots::Roots;
use super::settings::Settings;
use super::world::{Slot, World};
use crate::collector::{Collector, CycleKind};
use crate::error::Result;
use crate::heap::{GcHeap, HeapStats, PauseTimes};
use crate::object::VMGcRef;
use crate::trace::{Budget, Progress};

/// Where heap and model first differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The number of the operation; that of all operations at the end.
    pub at: usize,
    /// What was found, and what the model has.
    pub what: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {}: {}", self.at, self.what)
    }
}

impl std::error::Error for Mismatch {}

/// What a run came to, for comparing runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The reachable graph in words that do not depend on offsets, in the order of a walk from the roots.
    pub graph: Vec<String>,
    /// Allocations that were refused.
    pub refused: u64,
    /// The heap's counters at the end, the pauses set to 0.
    pub stats: HeapStats,
    /// The heap's bytes at the end.
    pub bytes: Vec<u8>,
}

/// Runs `program` on a heap made as `settings` say, on which `collector` works.
///
/// # Errors
/// If heap and model ever differ, or the heap fails where it must not.
///
/// # Panics
/// If the settings make no sense.
pub fn run(collector: Box<dyn Collector>, settings: &Settings, program: &Program) -> Result<Outcome, Mismatch> {
    let mut runner = Runner::new(collector, settings);
    let Program(ops) = program;
    for (at, op) in ops.iter().enumerate() {
        runner
            .apply(op)
            .and_then(|()| runner.after())
            .map_err(|what| Mismatch { at, what: format!("`{op}`: {what}") })?;
    }
    runner.finish().map_err(|what| Mismatch { at: ops.len(), what: format!("at the end: {what}") })
}

/// What is wrong, if something is.
pub(super) type Checked<T = ()> = Result<T, String>;

/// That `condition` holds.
pub(super) fn holds(condition: bool, what: impl FnOnce() -> String) -> Checked {
    if condition { Ok(()) } else { Err(what()) }
}

/// That the heap has what the model has.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, heap: T, model: T) -> Checked {
    holds(heap == model, || format!("{what}: the heap has {heap:?}, the model {model:?}"))
}

/// That an operation of the heap succeeded.
pub(super) fn done<T, E: fmt::Display>(what: &str, result: Result<T, E>) -> Checked<T> {
    result.map_err(|error| format!("{what}: {error}"))
}

/// A heap and its model.
#[derive(Debug)]
struct Runner {
    settings: Settings,
    world: World,
    heap: GcHeap,
    model: Model,
    roots: Roots,
    weaks: Weaks,
    tally: Tally,
    /// Collections after which the graphs were compared.
    compared: u64,
    refused: u64,
}

fn raw_of_i31(value: u32) -> u32 {
    VMGcRef::from_i31(value).as_raw_u32()
}

impl Runner {
    fn new(collector: Box<dyn Collector>, settings: &Settings) -> Runner {
        let world = World::new();
        let mut heap = world.heap(collector, settings);
        Runner {
            weaks: Weaks::new(&mut heap),
            heap,
            model: Model::new(ROOTS, TABLES),
            roots: Roots::new(),
            tally: Tally::default(),
            compared: 0,
            refused: 0,
            settings: *settings,
            world,
        }
    }

    fn apply(&mut self, op: &Op) -> Checked {
        let root = |number: u8| usize::from(number) % ROOTS;
        let table = |number: u8| usize::from(number) % TABLES;
        let weak = |number: u8| usize::from(number) % WEAKS;
        let ephemerons = |number: u8| usize::from(number) % EPHEMERON_TABLES;
        match *op {
            Op::Struct { kind, into, from, seed } => self.new_struct(kind, root(into), root(from), seed),
            Op::Array { kind, length, into } => self.new_array(kind, length, root(into)),
            Op::Extern { into } => self.new_extern(root(into)),
            Op::I31 { value, into } => {
                self.set_root(root(into), Value::I31(value & 0x7FFF_FFFF), raw_of_i31(value));
                Ok(())
            }
            Op::SetRef { object, slot, value } => self.set_ref(object, slot, root(value)),
            Op::SetNumber { object, slot, seed } => self.set_number(object, slot, seed),
            Op::Get { object, slot, into } => self.get(object, slot, root(into)),
            Op::Fill { array, first, count, value } => self.fill(array, first, count, root(value)),
            Op::Copy { target, source, to, from, count } => self.copy(target, source, to, from, count),
            Op::Write { array, first, count, seed } => self.write(array, first, count, seed),
            Op::Drop { root: gone } => {
                self.set_root(root(gone), Value::Null, 0);
                Ok(())
            }
            Op::Dup { root: from, into } => {
                self.set_root(root(into), self.model.roots[root(from)], self.roots.slots[root(from)]);
                Ok(())
            }
            Op::Garbage { kind, count } => self.garbage(kind, count),
            Op::GrowTable { table: number, count, value } => self.grow_table(table(number), count, root(value)),
            Op::SetTable { table: number, index, value } => self.set_table(table(number), index, root(value)),
            Op::GetTable { table: number, index, into } => self.get_table(table(number), index, root(into)),
            Op::FillTable { table: number, first, count, value } => {
                self.fill_table(table(number), first, count, root(value))
            }
            Op::CopyTable { table: number, to, from, count } => self.copy_table(table(number), to, from, count),
            Op::ClearTable { table: number } => self.clear_table(table(number)),
            Op::Collect => self.collect(CycleKind::Full),
            Op::Minor => self.collect(CycleKind::Minor),
            Op::Step { minor, budget, steps } => {
                let kind = if minor % 2 == 1 { CycleKind::Minor } else { CycleKind::Full };
                self.collect_in_steps(kind, Budget(budget.into()), steps)
            }
            Op::Clear => {
                self.forget_roots()?;
                self.collect(CycleKind::Full)
            }
            Op::Weak { value, into } => self.new_weak(root(value), weak(into)),
            Op::GetWeak { weak: number, into } => self.get_weak(weak(number), root(into)),
            Op::Ephemeron { table, key, value } => self.insert_ephemeron(ephemerons(table), root(key), root(value)),
            Op::GetEphemeron { table, key, into } => self.get_ephemeron(ephemerons(table), root(key), root(into)),
            Op::RemoveEphemeron { table, key } => self.remove_ephemeron(ephemerons(table), root(key)),
            Op::ClearEphemerons { table } => self.clear_ephemerons(ephemerons(table)),
            Op::Register { object } => self.register(root(object)),
            Op::Finalize { into } => {
                if let Some((value, raw)) = self.take_finalizable()? {
                    self.set_root(root(into), value, raw);
                }
                Ok(())
            }
            Op::Unregister { registration } => self.unregister(registration),
        }
    }

    fn set_root(&mut self, root: usize, value: Value, raw: u32) {
        self.model.roots[root] = value;
        self.roots.slots[root] = raw;
    }

    /// Forgets whatever keeps an object alive.
    fn forget_roots(&mut self) -> Checked {
        (0..ROOTS).for_each(|root| self.set_root(root, Value::Null, 0));
        (0..TABLES).try_for_each(|table| self.clear_table(table))?;
        (0..EPHEMERON_TABLES).try_for_each(|table| self.clear_ephemerons(table))?;
        // What waits may keep alive what is registered.
        self.take_all_finalizable()?;
        if !self.model.registered.is_empty() {
            // The next collection would keep it for its finaliser.
            self.collect(CycleKind::Full)?;
            self.take_all_finalizable()?;
        }
        Ok(())
    }

    fn take_all_finalizable(&mut self) -> Checked {
        while self.take_finalizable()?.is_some() {}
        Ok(())
    }

    /// Where a field or an element lies.
    fn slot(&self, number: usize, cell: usize) -> Slot {
        let described = &self.world.kinds[self.model.objects[number].kind.expect("not an extern object")];
        if described.is_array {
            let first = described.slots[0];
            let index = u32::try_from(cell).expect("arrays have fewer than 2^32 elements");
            Slot { offset: first.offset + first.width * index, ..first }
        } else {
            described.slots[cell]
        }
    }

    fn collect(&mut self, kind: CycleKind) -> Checked {
        let before = self.heap.stats().collections;
        let collected = match kind {
            CycleKind::Full => self.heap.collect(&mut self.roots),
            CycleKind::Minor => self.heap.collect_minor(&mut self.roots),
        };
        done("collection", collected)?;
        self.after_collection(before, kind)
    }

    /// Begins a collection and drops it after `steps` steps, if it is not done by then.
    fn collect_in_steps(&mut self, kind: CycleKind, budget: Budget, steps: u8) -> Checked {
        let before = self.heap.stats().collections;
        let started = done("beginning of a collection", self.heap.start_collection(kind, &mut self.roots))?;
        let Some(mut collection) = started else { return Ok(()) };
        let mut progress = Progress::More;
        for _ in 0..steps {
            progress = done("step of a collection", collection.step(budget))?;
        }
        if progress == Progress::Done { self.after_collection(before, kind) } else { Ok(()) }
    }

    /// Checks the numbers of a collection that was asked for. After a full one exactly what is reachable is left.
    fn after_collection(&mut self, before: u64, kind: CycleKind) -> Checked {
        let stats = self.heap.stats();
        let traits = self.heap.collector().traits();
        // A heap without objects need not collect, and one that never collects does not.
        if stats.allocated_bytes == 0 || !traits.collects {
            return Ok(());
        }
        same("collections", stats.collections, before + 1)?;
        let is_exact = kind == CycleKind::Full && traits.collects_cycles;
        self.sync(is_exact)?;
        let reachable = self.model.reachable();
        let objects = || reachable.iter().map(|&number| &self.model.objects[number]);
        let live: u64 = objects().map(|object| object.size).sum();
        let externs = objects().filter(|object| object.kind.is_none()).count() as u64;
        if is_exact {
            same("live bytes", stats.live_bytes, live)?;
            same("payloads", stats.extern_payloads, externs)
        } else {
            holds(stats.live_bytes >= live, || format!("{} live bytes, {live} reachable", stats.live_bytes))?;
            holds(stats.extern_payloads >= externs, || format!("{} of {externs} payloads", stats.extern_payloads))
        }
    }

    /// What must hold after every operation.
    fn after(&mut self) -> Checked {
        let HeapStats { used_bytes, committed_bytes, committed_bytes_max, collections, .. } = self.heap.stats();
        let limit = self.settings.limit();
        holds(used_bytes <= committed_bytes && committed_bytes <= committed_bytes_max, || {
            format!("{used_bytes} bytes used, {committed_bytes} committed, {committed_bytes_max} at most")
        })?;
        holds(committed_bytes <= limit, || format!("{committed_bytes} bytes committed, the limit is {limit}"))?;
        self.sync(false)?;
        if collections != self.compared {
            self.compared = collections;
            self.compare()?;
        }
        Ok(())
    }

    fn finish(mut self) -> Checked<Outcome> {
        done("verification", self.heap.verify(&mut self.roots))?;
        let graph = self.graph()?;
        let stats = HeapStats { times: PauseTimes::default(), ..self.heap.stats() };
        let outcome = Outcome { graph, refused: self.refused, stats, bytes: self.heap.bytes().to_vec() };
        let Runner { heap, tally, .. } = self;
        drop(heap);
        let counts = tally.counts();
        holds(counts.iter().all(|&drops| drops == 1), || format!("every payload is dropped once, not {counts:?}"))?;
        Ok(outcome)
    }
}
