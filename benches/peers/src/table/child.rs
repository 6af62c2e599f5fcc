//! One measurement: a few rounds of one program in one engine, in a process of its own.

use std::time::{Duration, Instant};

use clap::Args;
use rustix::time::{ClockId, clock_gettime};

use super::report::Report;
use super::{Engine, Workload};

/// What is to be measured.
#[derive(Args, Clone, Debug)]
pub struct ChildArguments {
    /// The engine.
    #[arg(long)]
    pub(super) engine: Engine,
    /// The program.
    #[arg(long)]
    pub(super) workload: Workload,
    /// How large it is.
    #[arg(long)]
    pub(super) size: u32,
    /// How often it is to be run.
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
    /// Seconds of processor time after which no further round begins.
    #[arg(long, default_value_t = 4)]
    pub(super) seconds: u64,
}

/// Measures and prints the report.
///
/// # Errors
/// If the engine has no such program, or it fails.
pub fn child(arguments: &ChildArguments) -> wasmtime::Result<()> {
    let &ChildArguments { engine, workload, size, rounds, seconds } = arguments;
    let started = || match engine.start(workload)? {
        Some(run) => Ok(run),
        None => Err(wasmtime::Error::msg(format!("{engine} has no program {workload}"))),
    };
    let begin = cpu_time();
    let mut report = Report::default();
    let mut run = started()?;
    for round in 0..rounds {
        if round > 0 && cpu_time() - begin >= Duration::from_secs(seconds) {
            break;
        }
        if round > 0 && engine.frees_nothing() {
            drop(run);
            run = started()?;
        }
        let (cpu, wall) = (cpu_time(), Instant::now());
        report.checksum = run.round(size)?;
        report.cpu_ms.push((cpu_time() - cpu).as_secs_f64() * 1e3);
        report.wall_ms.push(wall.elapsed().as_secs_f64() * 1e3);
    }
    report.peak_kib = peak_kib();
    print!("{}", report.with(run.told()).to_lines());
    Ok(())
}

/// The processor time of this process.
///
/// # Panics
/// Never: no process has run for a negative time.
#[must_use]
pub fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).expect("no process has run for a negative time")
}

/// The most memory that was resident in this process, in KiB; 0 where the system does not tell.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
