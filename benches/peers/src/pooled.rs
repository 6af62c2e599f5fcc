//! What does a heap from a pool cost: created, a thousand objects allocated in it, dropped? Here and on Wasmtime.

use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::{MemoryCreator, PoolConfig, PoolMemoryCreator};
use tumulus::object::ObjectType;
use tumulus::types::SubType;

use crate::native::{expect, pair};
use crate::table::{cpu_time, median};

/// Heaps made for one figure.
const HEAPS: u32 = 1000;
/// Objects in each.
const OBJECTS: i32 = 1000;
const RUNS: usize = 7;
/// What a heap may grow to.
const HEAP_BYTES: u64 = 4 << 20;

/// Measures and prints the comparison. In turn, so that a change of the machine's speed meets all.
///
/// # Errors
/// If an engine refuses its settings.
pub fn print() -> wasmtime::Result<()> {
    let mut theirs = Wasmtime::new()?;
    let mut ours: Vec<_> = BuiltinCollector::ALL.into_iter().map(Ours::new).collect::<Result<_, _>>()?;
    let (mut their_times, mut our_times) = (Vec::new(), vec![Vec::new(); ours.len()]);
    for _ in 0..RUNS {
        their_times.push(micros_each(|| theirs.round())?);
        for (ours, times) in ours.iter_mut().zip(&mut our_times) {
            times.push(micros_each(|| ours.round())?);
        }
    }
    let theirs = median(&their_times);
    println!(
        "A heap from a pool: created, {OBJECTS} objects of 16 bytes, dropped (median of {RUNS}, us of processor time):\n"
    );
    println!("| engine | us | ratio |\n| --- | --- | --- |\n| Wasmtime, pooled store | {theirs:.1} | 1.00 |");
    for (ours, times) in ours.iter().zip(&our_times) {
        let times = median(times);
        println!("| tumulus-{} | {times:.1} | {:.2} |", ours.collector, times / theirs);
    }
    Ok(())
}

fn micros_each(mut round: impl FnMut() -> wasmtime::Result<()>) -> wasmtime::Result<f64> {
    let before = cpu_time();
    for _ in 0..HEAPS {
        round()?;
    }
    Ok((cpu_time() - before).as_secs_f64() * 1e6 / f64::from(HEAPS))
}

/// A list of a thousand cells in a heap of this crate.
struct Ours {
    collector: BuiltinCollector,
    pool: Arc<dyn MemoryCreator>,
    cell: Arc<ObjectType>,
}

impl Ours {
    fn new(collector: BuiltinCollector) -> wasmtime::Result<Ours> {
        let slot_size = usize::try_from(HEAP_BYTES)?;
        let config = PoolConfig { slots: 16, slot_size, ..PoolConfig::default() };
        let pool = Arc::new(PoolMemoryCreator::new(config).map_err(wasmtime::Error::from)?);
        let engine = tumulus::store::Engine::default();
        let ty: SubType = pair();
        let group = engine.types().register(vec![ty]).map_err(wasmtime::Error::from)?;
        let cell = engine.object_type(&group.get(0)).expect("a struct type has objects");
        Ok(Ours { collector, pool, cell })
    }

    fn round(&mut self) -> wasmtime::Result<()> {
        let config = HeapConfig { max_bytes: HEAP_BYTES, initial_bytes: 64 << 10, ..HeapConfig::default() };
        let heap = GcHeap::new(config, self.collector.create(), self.pool.clone());
        let mut heap = heap.map_err(wasmtime::Error::from)?;
        heap.register_type(&self.cell);
        let mut roots = [0_u32];
        for i in 0..OBJECTS {
            let cell = expect(heap.allocate_struct(&self.cell, &mut roots)).get();
            let fresh = expect(heap.object_mut(cell, 16));
            fresh[4..8].copy_from_slice(&i.to_le_bytes());
            fresh[8..12].copy_from_slice(&roots[0].to_le_bytes());
            roots[0] = cell;
        }
        Ok(())
    }
}

/// The same list in a pooled store of Wasmtime, whose heap is made for it.
struct Wasmtime {
    engine: wasmtime::Engine,
    pre: wasmtime::InstancePre<()>,
}

impl Wasmtime {
    fn new() -> wasmtime::Result<Wasmtime> {
        let mut pool = wasmtime::PoolingAllocationConfig::default();
        pool.total_memories(16).total_core_instances(16).total_gc_heaps(16).max_memory_size(4 << 20);
        let mut config = wasmtime::Config::new();
        config.wasm_gc(true).wasm_function_references(true);
        config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
        let engine = wasmtime::Engine::new(&config)?;
        let module = wasmtime::Module::new(&engine, include_str!("../workloads/pooled.wat"))?;
        let pre = wasmtime::Linker::new(&engine).instantiate_pre(&module)?;
        Ok(Wasmtime { engine, pre })
    }

    fn round(&mut self) -> wasmtime::Result<()> {
        let mut store = wasmtime::Store::new(&self.engine, ());
        let instance = self.pre.instantiate(&mut store)?;
        instance.get_typed_func::<i32, ()>(&mut store, "run")?.call(&mut store, OBJECTS)
    }
}
