//! Creating a store with a memory of 1 MiB from a pool, touching 64 KiB of it and dropping both.

use std::sync::Arc;
use std::time::Instant;

use tumulus::memory::{PoolConfig, PoolMemoryCreator};

const PAGES: u32 = 16;
const TOUCHED: usize = 64 << 10;

/// Memories made for one figure.
const ROUNDS: u32 = 2000;

fn touch(bytes: &mut [u8]) {
    for byte in bytes[..TOUCHED].iter_mut().step_by(4096) {
        *byte = 1;
    }
}

fn nanos_each(mut round: impl FnMut() -> wasmtime::Result<()>) -> wasmtime::Result<u128> {
    let started = Instant::now();
    for _ in 0..ROUNDS {
        round()?;
    }
    Ok(started.elapsed().as_nanos() / u128::from(ROUNDS))
}

/// Nanoseconds a round on Wasmtime's pooling allocator.
pub fn wasmtime() -> wasmtime::Result<u128> {
    let mut pool = wasmtime::PoolingAllocationConfig::default();
    pool.total_memories(4).max_memory_size(1 << 20).total_core_instances(4);
    let mut config = wasmtime::Config::new();
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
    let engine = wasmtime::Engine::new(&config)?;
    let module = wasmtime::Module::new(&engine, format!("(module (memory (export \"m\") {PAGES} {PAGES}))"))?;
    nanos_each(|| {
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
        let memory = instance.get_memory(&mut store, "m").expect("the module exports it");
        touch(memory.data_mut(&mut store));
        Ok(())
    })
}

/// Nanoseconds a round on this crate's pool.
pub fn tumulus() -> wasmtime::Result<u128> {
    let pool = PoolConfig { slots: 4, slot_size: 1 << 20, rewrite_max: 0, ..PoolConfig::default() };
    let pool = PoolMemoryCreator::new(pool).map_err(wasmtime::Error::from)?;
    let mut config = tumulus::store::Config::new();
    config.memory_creator(Arc::new(pool));
    let engine = tumulus::store::Engine::new(&config).map_err(wasmtime::Error::from)?;
    let ty = tumulus::memory::MemoryType::new(PAGES, Some(PAGES));
    nanos_each(|| {
        let mut store = tumulus::store::Store::new(&engine, ());
        let memory = tumulus::store::Memory::new(&mut store, ty).map_err(wasmtime::Error::from)?;
        touch(memory.data_mut(&mut store));
        Ok(())
    })
}
