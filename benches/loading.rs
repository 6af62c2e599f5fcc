//! Is loading linear in the module's size? Modules that are large in one direction each, at sizes that double: if it is,
//! the throughput in bytes of a group stays the same. `validation` is what `wasmparser` alone takes for the same bytes.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tumulus::store::{Engine, Store};
use tumulus::wasm::{Instance, Module};

/// How often the smallest module of a group is repeated.
const FACTORS: [usize; 4] = [1, 2, 4, 8];

/// A group: its name, and the fields of a module of a size.
type Shape = (&'static str, fn(usize) -> String);

const SHAPES: [Shape; 7] = [
    ("functions", |factor| {
        let body = "local.get 0 i32.const 3 i32.mul local.get 1 i32.add local.set 0
            (if (i32.lt_u (local.get 0) (i32.const 100)) (then (local.set 1 (i32.const 7))))"
            .repeat(5);
        format!("(func (param i32 i32) (result i32) {body} local.get 0)").repeat(1500 * factor)
    }),
    ("one function", |factor| {
        let body = "local.get 0 i32.const 3 i32.mul local.get 1 i32.add local.set 0
            (block (br_if 0 (i32.lt_u (local.get 0) (i32.const 100))) (local.set 1 (i32.const 7)))";
        format!("(func (param i32 i32) (result i32) {} local.get 0)", body.repeat(7500 * factor))
    }),
    ("types in groups", |factor| {
        let group = |number: usize| {
            let name = |member: usize| format!("$t{number}_{}", member % 50);
            let member = |member: usize| {
                let (own, next) = (name(member), name(member + 1));
                format!("(type {own} (struct (field (ref null {next})) (field (mut i32)) (field (ref null {own}))))")
            };
            // Groups differ by the width of a field, so that none is the same as another.
            let width = "(field i8)".repeat(number % 64) + &"(field i16)".repeat(number / 64);
            let members: String = (0..49).map(member).collect();
            format!("(rec {members} (type {} (struct {width})))", name(49))
        };
        (0..40 * factor).map(group).collect()
    }),
    ("globals that allocate", |factor| {
        let global = |number: usize| match number {
            0 => "(type $c (struct (field i32) (field (ref null $c))))
                  (global $g0 (ref $c) (struct.new $c (i32.const 0) (ref.null $c)))"
                .to_owned(),
            _ => format!(
                "(global $g{number} (ref $c) (struct.new $c (i32.const {number}) (global.get $g{})))",
                number - 1
            ),
        };
        (0..5000 * factor).map(global).collect()
    }),
    ("branches with many values", |factor| {
        let types = "i32 i64 f32 f64 ".repeat(250);
        let zeroes = "i32.const 0 i64.const 0 f32.const 0 f64.const 0 ".repeat(250);
        let branches = "local.get 0 br_if $out ".repeat(50);
        let body = format!("block $out (result {types}) {zeroes} {branches} end {}", "drop ".repeat(1000));
        format!("(func (param i32) {body})").repeat(factor)
    }),
    ("branch tables under many blocks", |factor| {
        let depth = 500;
        let labels: String = (0..depth).map(|depth| format!("{depth} ")).collect();
        let body = format!("{} local.get 0 br_table {labels} {}", "block ".repeat(depth), "end ".repeat(depth));
        format!("(func (param i32) {body})").repeat(40 * factor)
    }),
    ("segments", |factor| {
        let data = "(data \"0123456789abcdef0123456789abcdef\")".repeat(1000);
        let elements = "(elem func 0 0 0 0 0 0 0 0) (elem anyref (item (ref.i31 (i32.const 4))))".repeat(500);
        format!("(func) {}", (data + &elements).repeat(factor))
    }),
];

fn loading(criterion: &mut Criterion) {
    let engine = Engine::default();
    for (name, fields) in SHAPES {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        for factor in FACTORS {
            let binary = wat::parse_str(format!("(module {})", fields(factor))).expect("a valid module");
            group.throughput(Throughput::Bytes(binary.len() as u64));
            group.bench_with_input(BenchmarkId::new("load", factor), &binary, |bencher, binary| {
                // Types and layouts are not shared with the module before.
                bencher.iter_with_large_drop(|| Module::new(&Engine::default(), binary).expect("a valid module"));
            });
            group.bench_with_input(BenchmarkId::new("validation", factor), &binary, |bencher, binary| {
                bencher.iter(|| {
                    let features = wasmparser::WasmFeatures::WASM3;
                    wasmparser::Validator::new_with_features(features).validate_all(binary).expect("a valid module")
                });
            });
            let module = Module::new(&engine, &binary).expect("a valid module");
            group.bench_with_input(BenchmarkId::new("instantiate", factor), &module, |bencher, module| {
                bencher.iter_with_large_drop(|| {
                    let mut store = Store::new(&engine, ());
                    Instance::new(&mut store, module, &[]).expect("an instance");
                    store
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, loading);
criterion_main!(benches);
