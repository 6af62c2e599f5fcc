//! Wasmtime with each of its collectors.

use wasmtime::{Collector, Config, Engine, Instance, Module, Result, Store, TypedFunc};

use crate::table::{Run, Workload};

/// How Wasmtime is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Its default: the copying collector, a heap that grows.
    Copying,
    /// The copying collector in a heap of 1 GiB from the start.
    CopyingLarge,
    /// Deferred reference counting.
    Drc,
    /// Nothing is freed.
    Null,
}

impl Setting {
    /// Its name in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Setting::Copying => "copying",
            Setting::CopyingLarge => "copying-1g",
            Setting::Drc => "drc",
            Setting::Null => "null",
        }
    }

    /// An engine that is set up so.
    ///
    /// # Errors
    /// If Wasmtime refuses the settings.
    pub fn engine(self) -> Result<Engine> {
        let mut config = Config::new();
        config.wasm_gc(true).wasm_function_references(true);
        match self {
            Setting::Copying => config.collector(Collector::Copying),
            Setting::CopyingLarge => config.collector(Collector::Copying).gc_heap_initial_size(1 << 30),
            Setting::Drc => config.collector(Collector::DeferredReferenceCounting),
            Setting::Null => config.collector(Collector::Null),
        };
        Engine::new(&config)
    }
}

struct Compiled {
    store: Store<()>,
    run: TypedFunc<i32, i64>,
}

impl Run for Compiled {
    fn round(&mut self, n: u32) -> Result<i64> {
        self.run.call(&mut self.store, n as i32)
    }
}

/// The program, compiled, in a new store.
///
/// # Errors
/// If the module is refused.
pub fn start(workload: Workload, setting: Setting) -> Result<Box<dyn Run>> {
    let engine = setting.engine()?;
    let module = Module::new(&engine, workload.wat())?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func(&mut store, "run")?;
    Ok(Box::new(Compiled { store, run }))
}
