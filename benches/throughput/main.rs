//! Which collector lets programs run fastest, given 1.5, 2, 3 and 6 times the memory that they need?
//!
//! Three programs in a steady state, 16 MiB of each alive: binary trees, a splay tree with churn, and lists that are
//! replaced by new ones. They use the heap as compiled code would: raw references in local variables, and a stack of
//! those that must survive an allocation. Collectors that do not manage with so little memory are named as such. At the
//! end stands a table of medians, as multiples of the fastest of each row.

#[path = "../support"]
mod support {
    pub(crate) mod collectors;
    pub(crate) mod cpu_time;
    pub(crate) mod heaps;
}
mod lists;
mod machine;
mod splay;
mod table;
mod trees;

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode};
use support::collectors::FREEING;
use support::cpu_time::CpuTime;
use tumulus::collector::BuiltinCollector;
use tumulus::error::{Error, Result};

use self::lists::Lists;
use self::machine::Program;
use self::splay::Splay;
use self::table::Table;
use self::trees::Trees;

/// What a heap may grow to, in tenths of what lives.
const TENTHS: [u64; 4] = [15, 20, 30, 60];

/// Bytes that live when a program has reached its steady state.
fn live_bytes<P: Program>() -> Result<u64> {
    let mut program = P::start(BuiltinCollector::MarkRegion, 1 << 30)?;
    program.run()?;
    let machine = program.machine();
    machine.heap.collect(&mut machine.stack)?;
    Ok(machine.heap.stats().live_bytes)
}

/// A program that has reached its steady state; `None` if the collector does not manage with so little memory.
fn started<P: Program>(collector: BuiltinCollector, max_bytes: u64) -> Result<Option<P>> {
    let mut program = match P::start(collector, max_bytes) {
        Ok(program) => program,
        Err(error) => return if_full(error),
    };
    match program.run() {
        Ok(()) => Ok(Some(program)),
        Err(error) => if_full(error),
    }
}

fn if_full<P>(error: Error) -> Result<Option<P>> {
    if error.out_of_memory().is_some() { Ok(None) } else { Err(error) }
}

fn measure<P: Program>(criterion: &mut Criterion<CpuTime>, table: &mut Table) -> Result<()> {
    let live_bytes = live_bytes::<P>()?;
    for tenths in TENTHS {
        let multiple = format!("{}.{}x", tenths / 10, tenths % 10);
        let max_bytes = live_bytes * tenths / 10;
        let mut group = criterion.benchmark_group(format!("{} at {multiple}", P::NAME));
        group.sample_size(10).sampling_mode(SamplingMode::Flat);
        group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(1));
        for collector in FREEING {
            let mut times = Vec::new();
            if let Some(mut program) = started::<P>(collector, max_bytes)? {
                group.bench_function(BenchmarkId::from_parameter(collector), |bencher| {
                    bencher.iter_custom(|rounds| {
                        let start = CpuTime::now();
                        for _ in 0..rounds {
                            program.run().unwrap();
                        }
                        let time = CpuTime::now() - start;
                        times.push(time.as_secs_f64() / rounds as f64);
                        time
                    });
                });
            } else {
                println!("{} at {multiple}/{collector}: not with so little memory", P::NAME);
            }
            table.add(P::NAME, &multiple, times);
        }
        group.finish();
    }
    Ok(())
}

fn main() {
    let mut criterion = CpuTime::criterion().configure_from_args();
    let mut table = Table::new(FREEING.map(|collector| collector.to_string()));
    let measured = measure::<Trees>(&mut criterion, &mut table)
        .and_then(|()| measure::<Splay>(&mut criterion, &mut table))
        .and_then(|()| measure::<Lists>(&mut criterion, &mut table));
    measured.unwrap_or_else(|error| panic!("a program failed: {error}"));
    criterion.final_summary();
    println!("{table}");
}
