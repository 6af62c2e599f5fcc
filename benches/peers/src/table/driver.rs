//! Runs the measurements in turn and prints what they give.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::child::ChildArguments;
use super::external::{Externals, output_within};
use super::output::{Cell, Results};
use super::report::{Report, median};
use super::{Engine, Scale, Workload};

/// What is to be compared.
#[derive(Args, Clone, Debug)]
pub struct TableArguments {
    /// Engines, all if not given.
    #[arg(long, value_delimiter = ',')]
    engine: Vec<Engine>,
    /// Programs, all if not given.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<Workload>,
    /// Processes for each engine and program.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Rounds of a program in each process.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of processor time after which a process begins no further round.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Seconds of processor time after which a process is given up.
    #[arg(long, default_value_t = 60)]
    timeout: u64,
    /// A tenth of the work, in a single process each.
    #[arg(long)]
    quick: bool,
    /// The size of the programs, in place of their own; to be used with one program.
    #[arg(long)]
    size: Option<u32>,
    /// Node, version 22 or later.
    #[arg(long, env = "NODE", default_value = "node")]
    node: PathBuf,
    /// Java; its compiler is expected in the same folder.
    #[arg(long, env = "JAVA", default_value = "java")]
    java: PathBuf,
    /// Where the results go as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// Measures and prints the tables.
///
/// # Errors
/// If two engines disagree about a checksum, or nothing can be measured at all.
pub fn print(arguments: &TableArguments) -> wasmtime::Result<()> {
    let engines = if arguments.engine.is_empty() { Engine::ALL.to_vec() } else { arguments.engine.clone() };
    let workloads = if arguments.workload.is_empty() { Workload::ALL.to_vec() } else { arguments.workload.clone() };
    let (scale, runs) = if arguments.quick { (Scale::Quick, 1) } else { (Scale::Full, arguments.runs) };
    let externals = Externals::find(&engines, &arguments.node, &arguments.java)?;
    let mut results = Results::new(engines.clone(), workloads.clone());
    for &workload in &workloads {
        // What failed once is not tried again.
        let mut open: Vec<Engine> = engines.iter().copied().filter(|engine| engine.has(workload)).collect();
        for run in 0..runs {
            open.retain(|&engine| {
                let child = ChildArguments {
                    engine,
                    workload,
                    size: arguments.size.unwrap_or(workload.size(scale)),
                    rounds: arguments.rounds,
                    seconds: arguments.seconds,
                };
                let measured = measure(&externals, &child, Duration::from_secs(arguments.timeout));
                let told = match &measured {
                    Ok(report) => format!("{:.0} ms", median(&report.cpu_ms)),
                    Err(error) => error.clone(),
                };
                eprintln!("{workload}: {engine}, run {} of {runs}: {told}", run + 1);
                let is_ok = measured.is_ok();
                results.add(engine, workload, measured);
                is_ok
            });
        }
    }
    println!("{results}");
    if let Some(path) = &arguments.json {
        std::fs::write(path, results.to_json())?;
    }
    results.check().map_err(wasmtime::Error::msg)
}

fn measure(externals: &Externals, child: &ChildArguments, limit: Duration) -> Cell {
    let mut command = externals.command(child)?;
    Report::from_lines(&output_within(&mut command, limit)?)
}
