//! Bytes of a module, binary or text, into the loader; what loads is run on each collector, with fuel and limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Error};
use tumulus::heap::HeapConfig;
use tumulus::memory::StoreLimits;
use tumulus::store::{Config, Engine, Store, Val};
use tumulus::wasm::{Instance, Module};

const FUEL: u64 = 20_000;

/// What a guest can bring about: it traps, throws, or runs out of memory. Nothing it does damages its heap.
fn check(result: Result<(), Error>) {
    if let Err(error) = result {
        let is_allowed = matches!(error.cause(), Cause::Trap(_) | Cause::OutOfMemory(_) | Cause::Exception(_));
        assert!(is_allowed, "{error}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let collector = BuiltinCollector::ALL[bytes.len() % BuiltinCollector::ALL.len()];
    let mut config = Config::new();
    let heap = HeapConfig { initial_bytes: 0, max_bytes: 2 << 20, poison: true, ..HeapConfig::default() };
    config.collector(collector).heap(heap).consume_fuel(true).stack_slots_max(20_000);
    let engine = Engine::new(&config).expect("valid settings");
    let Ok(module) = Module::new(&engine, bytes) else { return };
    if module.imports().len() > 0 {
        return;
    }
    let mut store = Store::new(&engine, ());
    store.limiter(StoreLimits {
        memory_bytes_max: Some(4 << 20),
        table_elements_max: Some(10_000),
        ..StoreLimits::default()
    });
    store.set_fuel(FUEL);
    let instance = match Instance::new(&mut store, &module, &[]) {
        Ok(instance) => instance,
        Err(error) => {
            // A function that uses what is not supported is refused when it is to run.
            assert!(error.corruption().is_none(), "{error}");
            return;
        }
    };
    for export in instance.exports(&mut store) {
        let Some(function) = export.item().into_func() else { continue };
        let ty = function.ty(&store);
        let params: Option<Vec<_>> = ty.params().iter().map(|&param| Val::default_for_ty(param)).collect();
        let Some(params) = params else { continue };
        let mut results = vec![Val::I32(0); ty.results().len()];
        store.set_fuel(FUEL);
        match function.call(&mut store, &params, &mut results) {
            Err(error) if matches!(error.cause(), Cause::Misuse(_)) => {}
            result => check(result),
        }
    }
    check(store.gc());
    store.verify().expect("a sound heap");
});
