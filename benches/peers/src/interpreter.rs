//! The interpreter beside wasmi, on the same modules: arithmetic in loops, and loading; and beside Wasmtime, on structs
//! that die at once.

use std::hint::black_box;
use std::time::Instant;

use wasmtime::{Result, format_err};

#[path = "../../support/modules.rs"]
mod modules;

use modules::{CALLS, LOOPS, PAIRS, module_of};

const ROUNDS: usize = 15;

const LOADED_BYTES: usize = 5 << 20;

const PAIRS_MADE: i32 = 1 << 20;

/// An instance of each engine's, of one module, with a function to call by name.
struct Tumulus {
    store: tumulus::store::Store<()>,
    instance: tumulus::wasm::Instance,
}

struct Wasmi {
    store: wasmi::Store<()>,
    instance: wasmi::Instance,
}

impl Tumulus {
    fn new(text: &str) -> Result<Tumulus> {
        let engine = tumulus::store::Engine::default();
        let module = tumulus::wasm::Module::new(&engine, text)?;
        let mut store = tumulus::store::Store::new(&engine, ());
        let instance = tumulus::wasm::Instance::new(&mut store, &module, &[])?;
        Ok(Tumulus { store, instance })
    }

    fn call(&mut self, name: &str, arg: i32, results: &mut [tumulus::store::Val]) -> Result<()> {
        let func = self.instance.get_func(&mut self.store, name).ok_or_else(|| format_err!("no export {name}"))?;
        Ok(func.call(&mut self.store, &[tumulus::store::Val::I32(arg)], results)?)
    }
}

impl Wasmi {
    fn new(text: &str) -> Result<Wasmi> {
        let engine = wasmi::Engine::default();
        let module = wasmi::Module::new(&engine, wat::parse_str(text)?)?;
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Linker::new(&engine).instantiate_and_start(&mut store, &module)?;
        Ok(Wasmi { store, instance })
    }

    fn call(&mut self, name: &str, arg: i32) -> Result<i64> {
        let func = self.instance.get_typed_func::<i32, i64>(&self.store, name)?;
        Ok(func.call(&mut self.store, arg)?)
    }
}

/// The least time of a round in ms, each engine's. In turn, so that a change of the machine's speed meets all of them.
fn least<const N: usize>(mut engines: [&mut dyn FnMut() -> Result<()>; N]) -> Result<[f64; N]> {
    let mut least = [f64::MAX; N];
    for _ in 0..ROUNDS {
        for (least, engine) in least.iter_mut().zip(&mut engines) {
            let started = Instant::now();
            engine()?;
            *least = least.min(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok(least)
}

fn loops() -> Result<()> {
    println!("Arithmetic in loops (least of {ROUNDS}, ms):\n");
    println!("{:16} {:>8} {:>8} {:>6}", "", "wasmi", "Tumulus", "ratio");
    let (mut wasmi, mut tumulus) = (Wasmi::new(LOOPS)?, Tumulus::new(LOOPS)?);
    for (name, n) in CALLS {
        let mut checksum = 0;
        let mut results = [tumulus::store::Val::I64(0)];
        let [theirs, ours] = least([
            &mut || {
                checksum = wasmi.call(name, n)?;
                Ok(())
            },
            &mut || tumulus.call(name, n, &mut results),
        ])?;
        assert_eq!(results[0].i64(), Some(checksum), "{name}");
        println!("{name:16} {theirs:8.2} {ours:8.2} {:6.2}", ours / theirs);
    }
    Ok(())
}

fn loading() -> Result<()> {
    let binary = module_of(LOADED_BYTES);
    println!("\nLoading a module of {:.1} MB (least of {ROUNDS}, ms):\n", binary.len() as f64 / 1e6);
    let engine = tumulus::store::Engine::default();
    let [validated, ours] = least([
        &mut || {
            let features = wasmparser::WasmFeatures::WASM3;
            black_box(wasmparser::Validator::new_with_features(features).validate_all(&binary)?);
            Ok(())
        },
        &mut || {
            black_box(tumulus::wasm::Module::new(&engine, &binary)?);
            Ok(())
        },
    ])?;
    println!("wasmparser validates it {validated:8.2}");
    println!("Tumulus loads it        {ours:8.2}   ratio {:.2}", ours / validated);
    Ok(())
}

fn allocation() -> Result<()> {
    println!("\nMaking {PAIRS_MADE} structs of two references (least of {ROUNDS}, ns a struct):\n");
    let mut tumulus = Tumulus::new(PAIRS)?;
    let mut config = wasmtime::Config::new();
    config.wasm_gc(true).wasm_function_references(true).collector(wasmtime::Collector::Copying);
    let engine = wasmtime::Engine::new(&config)?;
    let module = wasmtime::Module::new(&engine, PAIRS)?;
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let func = instance.get_typed_func::<i32, ()>(&mut store, "allocate")?;
    let [theirs, ours] =
        least([&mut || func.call(&mut store, PAIRS_MADE), &mut || tumulus.call("allocate", PAIRS_MADE, &mut [])])?;
    let each = 1e6 / f64::from(PAIRS_MADE);
    println!("Wasmtime, compiled      {:8.2}", theirs * each);
    println!("Tumulus                 {:8.2}   ratio {:.2}", ours * each, ours / theirs);
    Ok(())
}

/// Prints all comparisons.
pub fn print() -> Result<()> {
    loops()?;
    loading()?;
    allocation()
}
