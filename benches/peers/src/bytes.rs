//! How many bytes do the objects of the programs take, here, on Wasmtime and in V8?
//!
//! The programs allocate the same objects everywhere, so that the bytes of all of them together compare those of one.
//! Here they are counted; on Wasmtime they are the pages that its copying collector's heap touches before its first
//! collection, in V8 what it calls used before the first one. The sizes are those of `--quick`.

use std::path::{Path, PathBuf};

use clap::Args;
use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;

use crate::engines::wasmtime_gc::{self, Setting};
use crate::table::{Scale, Workload};
use crate::{native, node};

/// What is to be measured.
#[derive(Args, Clone, Debug)]
pub struct BytesArguments {
    /// Node, version 22 or later.
    #[arg(long, env = "NODE", default_value = "node")]
    node: PathBuf,
}

/// The programs that allocate.
const WORKLOADS: [Workload; 7] = [
    Workload::Trees,
    Workload::GcBench,
    Workload::Splay,
    Workload::List,
    Workload::RefArray,
    Workload::Rings,
    Workload::Strings,
];

/// Measures and prints the bytes.
///
/// # Errors
/// If a program fails.
pub fn print(arguments: &BytesArguments) -> wasmtime::Result<()> {
    println!("Bytes that the programs allocate, in KiB, and the ratio of this crate's to the others:\n");
    println!("| program | here | Wasmtime copying | ratio | V8 | ratio |\n| --- | --- | --- | --- | --- | --- |");
    let (mut of_wasmtime, mut of_v8) = (Vec::new(), Vec::new());
    let mut skipped = None;
    for workload in WORKLOADS {
        let ours = ours(workload);
        let wasmtime = wasmtime(workload)?;
        let v8 = v8(&arguments.node, workload);
        print!("| {workload} | {:.0} | {:.0} | {:.2} |", ours / 1024.0, wasmtime / 1024.0, ours / wasmtime);
        of_wasmtime.push(ours / wasmtime);
        match v8 {
            Ok(v8) => {
                println!(" {:.0} | {:.2} |", v8 / 1024.0, ours / v8);
                of_v8.push(ours / v8);
            }
            Err(error) => {
                println!(" - | - |");
                skipped = Some(error);
            }
        }
    }
    let mean = |ratios: &[f64]| ratios.iter().sum::<f64>() / ratios.len() as f64;
    println!("| mean | | | {:.2} | | {:.2} |", mean(&of_wasmtime), mean(&of_v8));
    if let Some(error) = skipped {
        println!("\nv8: skipped: {error}");
    }
    Ok(())
}

fn ours(workload: Workload) -> f64 {
    let mut program = native::start(workload, BuiltinCollector::Generational, HeapConfig::default());
    program.run(workload.size(Scale::Quick));
    program.machine().heap.stats().allocated_bytes as f64
}

fn wasmtime(workload: Workload) -> wasmtime::Result<f64> {
    let mut run = wasmtime_gc::start(workload, Setting::CopyingLarge)?;
    let before = resident_bytes();
    run.round(workload.size(Scale::Quick))?;
    Ok(resident_bytes() - before)
}

/// Memory of this process that is resident now.
fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    1024.0 * line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN)
}

fn v8(node: &Path, workload: Workload) -> Result<f64, String> {
    let script = include_str!("../workloads/bytes.mjs");
    let young = "--min-semi-space-size=512 --max-semi-space-size=512";
    let printed = node::run(node, young, script, workload.wat(), &[workload.size(Scale::Quick)])?;
    printed.trim().parse().map_err(|_| "no number of bytes".to_owned())
}
