//! Without a command: one program on every collector, side by side.

use std::io::Write;
use std::time::{Duration, Instant};

use tumulus::collector::BuiltinCollector;
use tumulus::error::Error;
use tumulus::heap::HeapStats;
use tumulus::store::{Config, Engine, Store};
use tumulus::wasm::{Instance, Module};

use super::failure::Failure;
use super::size::ByteSize;
use super::table::{Align, Table, short_duration};

/// Builds, counts and drops binary trees.
const PROGRAM: &str = include_str!("../../tests/programs/binary_trees.wat");

/// The depth of the largest trees: about a second for all collectors together.
const DEPTH: i32 = 16;

/// What one run came to.
struct Outcome {
    result: i64,
    wall: Duration,
    stats: HeapStats,
}

/// Runs the built-in program on every collector, verifies each heap and compares the results.
pub(super) fn demo(out: &mut impl Write) -> Result<(), Failure> {
    writeln!(out, "Binary trees up to depth {}, a WebAssembly GC program, on every collector:\n", DEPTH + 1)?;
    let mut table =
        Table::new([Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right]);
    table.row(["collector", "result", "wall time", "collections", "longest pause", "peak committed", "allocated"]);
    let mut results = Vec::new();
    for collector in BuiltinCollector::ALL {
        let Outcome { result, wall, stats } = run(collector)
            .map_err(|error| Failure::from(error).with_help(&format!("the collector was `{collector}`")))?;
        let longest = if stats.collections == 0 { "none".to_owned() } else { short_duration(stats.times.longest) };
        table.row([
            collector.to_string(),
            result.to_string(),
            short_duration(wall),
            stats.collections.to_string(),
            longest,
            ByteSize(stats.committed_bytes_max).to_string(),
            ByteSize(stats.allocated_bytes).to_string(),
        ]);
        results.push(result);
    }
    writeln!(out, "{table}")?;
    if results.iter().any(|result| *result != results[0]) {
        return Err(Failure::Failed("the collectors do not agree on the result".to_owned()));
    }
    writeln!(out, "All results agree, and every heap was verified after its run.\n")?;
    writeln!(out, "Next, a program of your own: tumulus run FILE.wat [ARG...] --stats")?;
    Ok(writeln!(out, "All commands and options:    tumulus --help")?)
}

fn run(collector: BuiltinCollector) -> Result<Outcome, Error> {
    let engine = Engine::new(Config::new().collector(collector))?;
    let module = Module::new(&engine, PROGRAM)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let function = instance.get_func(&mut store, "run").expect("the built-in program exports `run`");
    let function = function.typed::<i32, i64>(&store)?;
    let started = Instant::now();
    let result = function.call(&mut store, DEPTH)?;
    let wall = started.elapsed();
    store.verify()?;
    Ok(Outcome { result, wall, stats: store.heap_stats() })
}
