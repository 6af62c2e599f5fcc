//! Every program of `tests/programs` on every collector and under every strain, with the results of another engine
//! (V8; see `expected.txt`).

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::memory::VecMemoryCreator;
use tumulus::store::{Config, Engine, Store};
use tumulus::wasm::{Instance, Module};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// One line of `expected.txt`.
struct Case {
    file: String,
    size: String,
    argument: i32,
    result: i64,
}

fn cases(size: &str) -> Vec<Case> {
    let text = fs::read_to_string(folder().join("expected.txt")).unwrap();
    let cases: Vec<Case> = text
        .lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [file, size, argument, result] = words[..] else { panic!("{line}") };
            let (argument, result) = (argument.parse().unwrap(), result.parse().unwrap());
            Case { file: file.to_owned(), size: size.to_owned(), argument, result }
        })
        .filter(|case| case.size == size)
        .collect();
    let programs = fs::read_dir(folder())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "wat"));
    assert_eq!(cases.len(), programs.count(), "each program has a line of size {size}");
    cases
}

/// Runs every program of one size on every collector.
fn run_all(size: &str, configure: impl Fn(&mut Config, &mut HeapConfig)) {
    run_some(size, configure, |_, _| true);
}

/// Runs every large program on one collector, each collector having its share; `turn` shifts whose is which.
fn run_in_turn(turn: usize, configure: impl Fn(&mut Config, &mut HeapConfig)) {
    let count = BuiltinCollector::ALL.len();
    run_some("large", configure, |program, collector| (program + turn) % count == collector);
}

/// Runs those programs of one size on those collectors, by number, that are chosen.
fn run_some(size: &str, configure: impl Fn(&mut Config, &mut HeapConfig), is_chosen: impl Fn(usize, usize) -> bool) {
    for (number, collector) in BuiltinCollector::ALL.into_iter().enumerate() {
        let (mut config, mut heap) = (Config::new(), HeapConfig::default());
        configure(config.collector(collector), &mut heap);
        let engine = Engine::new(config.heap(heap)).unwrap();
        let chosen = cases(size).into_iter().enumerate().filter(|(program, _)| is_chosen(*program, number));
        for (_, Case { file, argument, result, .. }) in chosen {
            let module = Module::new(&engine, fs::read(folder().join(&file)).unwrap()).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_func(&mut store, "run").unwrap().typed::<i32, i64>(&store).unwrap();
            let got = run.call(&mut store, argument).unwrap_or_else(|error| panic!("{file} on {collector}: {error}"));
            assert_eq!(got, result, "{file} {argument} on {collector}");
            store.verify().unwrap_or_else(|error| panic!("{file} on {collector}: {error}"));
            store.gc().unwrap();
            store.verify().unwrap();
        }
    }
}

#[test]
fn large_sizes_with_the_default_settings() {
    run_all("large", |_, _| {});
}

#[test]
fn large_sizes_verified_after_each_collection() {
    run_in_turn(0, |_, heap| (heap.verify, heap.poison) = (true, true));
}

#[test]
fn large_sizes_from_64_kib_on() {
    run_in_turn(1, |_, heap| heap.initial_bytes = 64 << 10);
}

#[test]
fn large_sizes_in_a_vec_that_moves() {
    run_in_turn(2, |config, heap| {
        config.memory_creator(Arc::new(VecMemoryCreator));
        (heap.initial_bytes, heap.reserve_bytes) = (64 << 10, Some(0));
    });
}

#[test]
fn small_sizes_with_a_collection_at_every_allocation() {
    run_all("small", |_, heap| {
        heap.zeal = NonZeroU32::new(1);
        (heap.initial_bytes, heap.max_bytes) = (64 << 10, 4 << 20);
        (heap.verify, heap.poison) = (true, true);
    });
}

#[test]
fn small_sizes_with_a_collection_at_every_seventh_allocation_in_tiny_blocks() {
    run_all("small", |_, heap| {
        heap.zeal = NonZeroU32::new(7);
        (heap.initial_bytes, heap.max_bytes) = (0, 1 << 20);
        (heap.verify, heap.poison) = (true, true);
    });
}

#[test]
fn small_sizes_with_zeal_in_a_vec_that_moves() {
    run_all("small", |config, heap| {
        config.memory_creator(Arc::new(VecMemoryCreator));
        heap.zeal = NonZeroU32::new(3);
        (heap.initial_bytes, heap.reserve_bytes) = (4096, Some(0));
        (heap.verify, heap.poison) = (true, true);
    });
}

#[test]
fn programs_that_trap_say_why() {
    let traps = folder().join("traps");
    let expected = fs::read_to_string(traps.join("expected.txt")).unwrap();
    assert!(expected.lines().count() >= 8);
    for collector in BuiltinCollector::ALL {
        let engine = Engine::new(Config::new().collector(collector)).unwrap();
        for line in expected.lines() {
            let (file, message) = line.split_once(' ').unwrap();
            let module = Module::new(&engine, fs::read(traps.join(file)).unwrap()).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let run = instance.get_func(&mut store, "run").unwrap();
            let mut results = vec![tumulus::store::Val::I32(0); run.ty(&store).results().len()];
            let error = run.call(&mut store, &[], &mut results).unwrap_err();
            assert_eq!(error.trap().expect(file).to_string(), message.trim(), "{file}");
            assert!(!error.call_stack().is_empty(), "{file}");
            store.verify().unwrap();
        }
    }
}
