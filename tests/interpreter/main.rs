//! The interpreter, seen from outside: modules in text form, what their functions return, and how they fail.
//!
//! One topic a file. The specification's own test suite covers the instructions one by one; here is what it leaves
//! open or what this interpreter's internal code could get wrong.

mod calls;
mod control;
mod exceptions;
mod failures;
mod fuel;
mod large;
mod linking;
mod loading;
mod memories;
mod numerics;
mod objects;
mod vectors;

use tumulus::collector::BuiltinCollector;
use tumulus::error::Result;
use tumulus::heap::HeapConfig;
use tumulus::store::{Config, Engine, Store, Val};
use tumulus::wasm::{Instance, Module};

/// An instance of a module without imports, in a store of its own.
struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(text: &str) -> Guest {
        Guest::with(&Config::new(), text)
    }

    fn with(config: &Config, text: &str) -> Guest {
        let engine = Engine::new(config).expect("valid settings");
        let module = Module::new(&engine, text).expect("a valid module");
        let mut store = Store::new(&engine, ());
        store.set_fuel(u64::MAX);
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        Guest { store, instance }
    }

    /// The results of the exported function `name`.
    fn call(&mut self, name: &str, args: &[Val]) -> Result<Vec<Val>> {
        let func = self.instance.get_func(&mut self.store, name).expect("an exported function");
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        func.call(&mut self.store, args, &mut results)?;
        Ok(results)
    }

    /// The only result of a function, an `i32`.
    fn i32(&mut self, name: &str, args: &[i32]) -> i32 {
        let args: Vec<Val> = args.iter().map(|&arg| Val::I32(arg)).collect();
        self.call(name, &args).expect("no failure")[0].i32().expect("an i32")
    }
}

/// Settings that collect at every allocation, verify each collection and overwrite what is freed.
fn zealous() -> Config {
    let mut config = Config::new();
    let heap = HeapConfig { zeal: 1.try_into().ok(), verify: true, poison: true, ..HeapConfig::default() };
    config.collector(BuiltinCollector::Copying).heap(heap);
    config
}
