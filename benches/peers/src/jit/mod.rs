//! Compiled code on this crate's heap: three programs by hand, against the contract of `tumulus::abi` alone, beside
//! Wasmtime compiling the same programs with the same code generator.

mod compiler;
mod emit;
mod program;
mod queue;
mod shapes;
mod trees;

use std::time::Duration;

pub use compiler::Compiler;
pub use emit::GUARD_BYTES;
pub use program::{Compiled, Program};
pub use queue::Queue;
use rustix::time::{ClockId, clock_gettime};
pub use shapes::Shapes;
pub use trees::Trees;
use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::store::Config;

const RUNS: usize = 5;

/// Who runs a program.
#[derive(Clone, Copy, Debug)]
enum Runner {
    Wasmtime(&'static str, wasmtime::Collector),
    Tumulus(BuiltinCollector),
    /// With a guard behind the heap in place of comparisons.
    Guarded(BuiltinCollector),
}

impl Runner {
    fn all() -> Vec<Runner> {
        use wasmtime::Collector;
        [
            ("copying", Collector::Copying),
            ("deferred counting", Collector::DeferredReferenceCounting),
            ("null", Collector::Null),
        ]
        .map(|(name, collector)| Runner::Wasmtime(name, collector))
        .into_iter()
        .chain(BuiltinCollector::ALL.map(Runner::Tumulus))
        .chain([Runner::Guarded(BuiltinCollector::default())])
        .collect()
    }

    fn name(self) -> String {
        match self {
            Runner::Wasmtime(name, _) => format!("Wasmtime, {name}"),
            Runner::Tumulus(collector) => format!("Tumulus, {collector}"),
            Runner::Guarded(collector) => format!("Tumulus, {collector}, guarded"),
        }
    }

    /// Runs a program once, in a store of its own, and gives the processor time of the run alone; what went wrong in its place.
    fn run<P: Program>(self, program: &P) -> Result<Duration, String> {
        let (result, time) = match self {
            Runner::Wasmtime(_, collector) => wasmtime_run(program, collector).map_err(|error| format!("{error:?}")),
            Runner::Tumulus(collector) => tumulus_run(program, collector, 0).map_err(|error| error.to_string()),
            Runner::Guarded(collector) => {
                tumulus_run(program, collector, GUARD_BYTES).map_err(|error| error.to_string())
            }
        }?;
        assert_eq!(result, program.expected(), "{program:?}: {}", self.name());
        Ok(time)
    }
}

fn wasmtime_run<P: Program>(program: &P, collector: wasmtime::Collector) -> wasmtime::Result<(u32, Duration)> {
    let mut config = wasmtime::Config::new();
    config.wasm_gc(true).wasm_function_references(true).collector(collector);
    let engine = wasmtime::Engine::new(&config)?;
    let module = wasmtime::Module::new(&engine, P::WAT)?;
    let mut store = wasmtime::Store::new(&engine, ());
    let instance = wasmtime::Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<(u32, u32, u32), u32>(&mut store, "run")?;
    let [a, b, c] = program.args();
    let started = cpu_time();
    let result = run.call(&mut store, (a, b, c))?;
    Ok((result, cpu_time() - started))
}

/// Processor time of this thread, on which all of this runs: others on the machine do not count.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("no thread has run for a negative time")
}

fn tumulus_run<P: Program>(
    program: &P,
    collector: BuiltinCollector,
    guard_bytes: usize,
) -> tumulus::error::Result<(u32, Duration)> {
    let heap = HeapConfig { guard_bytes, ..HeapConfig::default() };
    let mut compiled = Compiled::new::<P>(Config::new().collector(collector).heap(heap))?;
    let started = cpu_time();
    let result = compiled.run(program.args())?;
    Ok((result, cpu_time() - started))
}

/// Runs a program on all engines in turn, so that a change of the machine's speed meets all of them.
fn compare<P: Program>(program: P) {
    println!("\n{}, {program:?}:\n", P::NAME);
    println!("{:30} {:>9} {:>7}", "", "best ms", "ratio");
    let runners = Runner::all();
    let mut best = vec![Ok(Duration::MAX); runners.len()];
    for _ in 0..RUNS {
        for (best, &runner) in best.iter_mut().zip(&runners) {
            if let Ok(known) = *best {
                *best = runner.run(&program).map(|time| time.min(known));
            }
        }
    }
    // Wasmtime's fastest that frees anything.
    let base = best[..2].iter().flatten().min().copied();
    for (runner, best) in runners.iter().zip(best) {
        let name = runner.name();
        match (best, base) {
            (Ok(time), Some(base)) => {
                let (millis, ratio) = (time.as_secs_f64() * 1e3, time.as_secs_f64() / base.as_secs_f64());
                println!("{name:30} {millis:>9.1} {ratio:>7.2}");
            }
            (Ok(time), None) => println!("{name:30} {:>9.1}", time.as_secs_f64() * 1e3),
            (Err(error), _) => println!("{name:30} {}", error.lines().next().unwrap_or_default()),
        }
    }
}

/// Prints the times of all programs.
pub fn print() {
    println!("Programs compiled by Cranelift; a ratio is to Wasmtime's faster collector that frees.");
    compare(Trees { live_depth: 18, depth: 12, rounds: 1000 });
    compare(Queue { live: 100_000, rounds: 10_000_000 });
    compare(Shapes { length: 1 << 16, rounds: 10_000_000 });
}
