//! How long is a full collection beside a binary tree, in one go and by steps, and V8's of the same tree?
//!
//! Measured by processor time, which is that of the pause where a single thread collects and nobody else has the core;
//! of V8 with its threads it is more than the pause.

use std::path::{Path, PathBuf};

use clap::Args;
use tumulus::collector::{BuiltinCollector, CycleKind};
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::trace::{Budget, Progress, RootSource};

use crate::native::Trees;
use crate::node;
use crate::table::{cpu_time, median};

/// What is to be measured.
#[derive(Args, Clone, Debug)]
pub struct PausesArguments {
    /// Depth of the tree; a node takes 16 bytes, so that 23 makes 256 MiB.
    #[arg(long, default_value_t = 23)]
    depth: u32,
    /// Work units that a step may spend, of 8 bytes each.
    #[arg(long, default_value_t = 1 << 15)]
    budget: u64,
    /// Collections of each kind.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Node, version 22 or later.
    #[arg(long, env = "NODE", default_value = "node")]
    node: PathBuf,
}

/// Measures and prints the pauses.
///
/// # Errors
/// If a collection fails.
pub fn print(arguments: &PausesArguments) -> wasmtime::Result<()> {
    let PausesArguments { depth, budget, runs, ref node } = *arguments;
    println!(
        "A full collection beside a tree of {} nodes, median of {runs} in ms of processor time:\n",
        (2_u64 << depth) - 1
    );
    println!("| engine | in one go | longest step | steps |\n| --- | --- | --- | --- |");
    let collectors = BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects);
    for collector in collectors {
        let mut trees = Trees::start(collector, HeapConfig::default());
        trees.hold(depth);
        let (heap, roots) = trees.parts();
        // The first one promotes what is young.
        heap.collect(roots).map_err(wasmtime::Error::from)?;
        let (mut whole, mut longest, mut steps) = (Vec::new(), Vec::new(), 0);
        for _ in 0..runs {
            whole.push(stepped(heap, roots, Budget::UNLIMITED)?.0);
            let (step, count) = stepped(heap, roots, Budget(budget))?;
            longest.push(step);
            steps = count;
        }
        println!("| tumulus-{collector} | {:.1} | {:.2} | {steps} |", median(&whole), median(&longest));
    }
    for options in ["", "--single-threaded-gc"] {
        match v8(node, options, depth, runs) {
            Ok(pauses) => println!("| v8 {options} | {:.1} | - | - |", median(&pauses)),
            Err(error) => println!("\nv8 {options}: skipped: {error}"),
        }
    }
    Ok(())
}

/// A full collection by steps of that budget: the longest step in ms, and how many there were.
fn stepped(heap: &mut GcHeap, roots: &mut dyn RootSource, budget: Budget) -> wasmtime::Result<(f64, usize)> {
    let (mut longest, mut steps) = (0.0_f64, 0);
    let mut begin = cpu_time();
    let started = heap.start_collection(CycleKind::Full, roots).map_err(wasmtime::Error::from)?;
    let mut collection = started.expect("a heap with objects");
    loop {
        let progress = collection.step(budget).map_err(wasmtime::Error::from)?;
        longest = longest.max((cpu_time() - begin).as_secs_f64() * 1e3);
        steps += 1;
        if progress == Progress::Done {
            return Ok((longest, steps));
        }
        begin = cpu_time();
    }
}

fn v8(node: &Path, options: &str, depth: u32, runs: u32) -> Result<Vec<f64>, String> {
    let (script, wat) = (include_str!("../workloads/pauses.mjs"), include_str!("../workloads/pauses.wat"));
    let printed = node::run(node, &format!("--expose-gc {options}"), script, wat, &[depth, runs])?;
    printed.split_whitespace().map(|pause| pause.parse().map_err(|_| format!("no time: `{pause}`"))).collect()
}
