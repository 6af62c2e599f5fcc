//! Wasmtime running on memories of this crate: an adapter between the two published creator interfaces, which have
//! the same names and meanings.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tumulus::memory::{LinearMemory, MappedMemoryCreator, MemoryCreator, PoolConfig, PoolMemoryCreator};

/// Gives Wasmtime the memories of a creator of this crate, and counts them.
pub struct HostMemory<C> {
    creator: C,
    made: Arc<AtomicUsize>,
}

impl<C: MemoryCreator> HostMemory<C> {
    /// An adapter for `creator`.
    pub fn new(creator: C) -> HostMemory<C> {
        HostMemory { creator, made: Arc::default() }
    }

    /// Counts the memories that were made.
    pub fn made(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.made)
    }
}

// SAFETY: the trait asks for exactly the reservation and the inaccessible guard that it passes, for zeroed memory and a
// base that is aligned to pages and never null; `tumulus::memory::MemoryCreator` promises the same of the same
// arguments, and they are handed on unchanged.
unsafe impl<C: MemoryCreator> wasmtime::MemoryCreator for HostMemory<C> {
    fn new_memory(
        &self,
        ty: wasmtime::MemoryType,
        minimum: usize,
        maximum: Option<usize>,
        reserved_size_in_bytes: Option<usize>,
        guard_size_in_bytes: usize,
    ) -> Result<Box<dyn wasmtime::LinearMemory>, String> {
        let ty = tumulus::memory::MemoryType::builder()
            .min(ty.minimum())
            .max(ty.maximum())
            .memory64(ty.is_64())
            .page_size_log2(ty.page_size_log2())
            .build()
            .map_err(|error| error.to_string())?;
        let memory = self.creator.new_memory(ty, minimum, maximum, reserved_size_in_bytes, guard_size_in_bytes)?;
        self.made.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Adapted(memory)))
    }
}

struct Adapted(Box<dyn LinearMemory>);

// SAFETY: every method hands on to the one of the same name and meaning of a trait with the same promises: growth
// inside the capacity does not move the base, new bytes are zero, and the memory lives as long as the value.
unsafe impl wasmtime::LinearMemory for Adapted {
    fn byte_size(&self) -> usize {
        self.0.byte_size()
    }

    fn byte_capacity(&self) -> usize {
        self.0.byte_capacity()
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        self.0.grow_to(new_size).map_err(wasmtime::Error::from)
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.as_ptr()
    }
}

/// What one run told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The module's checksum.
    pub checksum: i32,
    /// How long the run took, in microseconds.
    pub micros: u128,
    /// How many memories came from this crate.
    pub memories: usize,
}

/// Who supplies Wasmtime's memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supplier {
    /// Wasmtime itself.
    Wasmtime,
    /// A mapping of this crate for each memory.
    Mapped,
    /// Slots of a pool of this crate.
    Pool,
}

impl Supplier {
    /// All of them.
    pub const ALL: [Supplier; 3] = [Supplier::Wasmtime, Supplier::Mapped, Supplier::Pool];
}

/// Runs the module on Wasmtime once, with the memories of `supplier`, in a store of its own.
pub fn run(supplier: Supplier) -> wasmtime::Result<Outcome> {
    let mut config = wasmtime::Config::new();
    config.wasm_gc(true).wasm_function_references(true);
    let made = match supplier {
        Supplier::Wasmtime => Arc::default(),
        Supplier::Mapped => supply(&mut config, MappedMemoryCreator::default()),
        Supplier::Pool => {
            let pool = PoolConfig { slots: 4, guard_size: 32 << 20, ..PoolConfig::default() };
            supply(&mut config, PoolMemoryCreator::new(pool).map_err(wasmtime::Error::from)?)
        }
    };
    let engine = wasmtime::Engine::new(&config)?;
    let module = wasmtime::Module::new(&engine, include_str!("host_memory.wat"))?;
    let started = Instant::now();
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let checksum = instance.get_typed_func::<(), i32>(&mut store, "run")?.call(&mut store, ())?;
    Ok(Outcome { checksum, micros: started.elapsed().as_micros(), memories: made.load(Ordering::Relaxed) })
}

fn supply(config: &mut wasmtime::Config, creator: impl MemoryCreator + 'static) -> Arc<AtomicUsize> {
    let host = HostMemory::new(creator);
    let made = host.made();
    config.with_host_memory(Arc::new(host));
    made
}
