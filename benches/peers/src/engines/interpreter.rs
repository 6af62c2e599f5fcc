//! This crate's interpreter with default settings.

use tumulus::collector::BuiltinCollector;
use tumulus::store::{Config, Engine, Store, TypedFunc};
use tumulus::wasm::{Instance, Module};

use crate::table::{Run, Told, Workload};

struct Interpreted {
    store: Store<()>,
    run: TypedFunc<i32, i64>,
}

impl Run for Interpreted {
    fn round(&mut self, n: u32) -> wasmtime::Result<i64> {
        self.run.call(&mut self.store, n as i32).map_err(wasmtime::Error::from)
    }

    fn told(&mut self) -> Told {
        Told { pause_max: Some(self.store.heap_stats().times.longest) }
    }
}

/// The program's module in a new store.
///
/// # Errors
/// If it is refused.
pub fn start(workload: Workload, collector: BuiltinCollector) -> wasmtime::Result<Box<dyn Run>> {
    let mut config = Config::new();
    config.collector(collector);
    let engine = Engine::new(&config).map_err(wasmtime::Error::from)?;
    let module = Module::new(&engine, workload.wat()).map_err(wasmtime::Error::from)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).map_err(wasmtime::Error::from)?;
    let run = instance.get_func(&mut store, "run").expect("every program has it");
    let run = run.typed(&store).map_err(wasmtime::Error::from)?;
    Ok(Box::new(Interpreted { store, run }))
}
