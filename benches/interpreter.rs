//! What does the interpreter take for arithmetic in loops and for a struct that dies at once, how much of that is the
//! heap, and how long does it take to load a module, beside validating it?

mod support {
    pub(crate) mod cpu_time;
    pub(crate) mod heaps;
    pub(crate) mod modules;
}

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::cpu_time::CpuTime;
use support::heaps::{heap_of, references};
use support::modules::{CALLS, LOOPS, PAIRS, module_of};
use tumulus::collector::BuiltinCollector;
use tumulus::store::{Engine, Store, Val};
use tumulus::wasm::{Instance, Module};

const LOADED_BYTES: usize = 5 << 20;

/// 1 MiB of objects an iteration, as in the benchmark of allocation.
const OBJECTS: u32 = 64 << 10;

/// A store with an instance of the module `text`.
fn instance(text: &str) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, text).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    (store, instance)
}

fn loops(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("arithmetic in loops");
    for (name, n) in CALLS {
        let (mut store, instance) = instance(LOOPS);
        let func = instance.get_func(&mut store, name).unwrap();
        group.bench_function(name, |bencher| {
            let mut results = [Val::I64(0)];
            bencher.iter(|| func.call(&mut store, &[Val::I32(n)], &mut results).unwrap());
        });
    }
    group.finish();
}

fn load(criterion: &mut Criterion<CpuTime>) {
    let binary = module_of(LOADED_BYTES);
    let mut group = criterion.benchmark_group("load a module");
    group.throughput(Throughput::Bytes(binary.len() as u64)).sample_size(20);
    group.bench_function("wasmparser validates it", |bencher| {
        let features = wasmparser::WasmFeatures::WASM3;
        bencher.iter(|| wasmparser::Validator::new_with_features(features).validate_all(&binary).unwrap());
    });
    let engine = Engine::default();
    group.bench_function("Module::new", |bencher| bencher.iter(|| Module::new(&engine, &binary).unwrap()));
    group.finish();
}

fn allocate(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("allocate and initialise a pair");
    group.throughput(Throughput::Elements(u64::from(OBJECTS)));
    group.bench_function("heap", |bencher| {
        let (mut heap, [pair]) = heap_of(BuiltinCollector::default(), 4 << 30, [references::<2>()]);
        let mut roots = [0_u32];
        bencher.iter(|| {
            for _ in 0..OBJECTS {
                let at = heap.allocate_struct(&pair, &mut roots).unwrap().get();
                let object = heap.object_mut(at, 16).unwrap();
                object[4..8].copy_from_slice(&0_u32.to_le_bytes());
                object[8..12].copy_from_slice(&0_u32.to_le_bytes());
                black_box(at);
            }
        });
    });
    group.bench_function("interpreter", |bencher| {
        let (mut store, instance) = instance(PAIRS);
        let func = instance.get_func(&mut store, "allocate").unwrap();
        bencher.iter(|| func.call(&mut store, &[Val::I32(OBJECTS.cast_signed())], &mut []).unwrap());
    });
    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = loops, load, allocate }
criterion_main!(benches);
