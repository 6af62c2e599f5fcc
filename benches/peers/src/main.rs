//! Prints how other engines do on the same work: `cargo run --release --manifest-path benches/peers/Cargo.toml`.

use tumulus_peers::{
    create, host_api,
    host_memory::{self, Supplier},
};

const RUNS: usize = 7;

fn main() -> wasmtime::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("host-api") => host_api::print(&std::env::args().nth(2).unwrap_or_default()),
        Some(other) => Err(wasmtime::Error::msg(format!("no comparison is called {other}"))),
        None => host_memories().and_then(|()| creation()),
    }
}

/// A store with a memory from a pool, on Wasmtime and here. In turn, so that a change of the machine's speed meets both.
fn creation() -> wasmtime::Result<()> {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        theirs.push(create::wasmtime()?);
        ours.push(create::tumulus()?);
    }
    theirs.sort_unstable();
    ours.sort_unstable();
    let (theirs, ours) = (theirs[RUNS / 2], ours[RUNS / 2]);
    println!("\nCreating a store with a memory of 1 MiB from a pool, touching 64 KiB, dropping both (median ns):\n");
    println!("Wasmtime {theirs:>8}\nTumulus  {ours:>8}   ratio {:.2}", ours as f64 / theirs as f64);
    Ok(())
}

fn host_memories() -> wasmtime::Result<()> {
    println!("Wasmtime running one module, its linear memory and its GC heap supplied by:\n");
    println!("{:10} {:>10} {:>12} {:>8} {:>9}", "supplier", "checksum", "median us", "ratio", "memories");
    // In turn, so that a change of the machine's speed meets all of them.
    let mut outcomes = [const { Vec::new() }; Supplier::ALL.len()];
    for _ in 0..RUNS {
        for (outcomes, supplier) in outcomes.iter_mut().zip(Supplier::ALL) {
            outcomes.push(host_memory::run(supplier)?);
        }
    }
    let median = |outcomes: &mut Vec<host_memory::Outcome>| {
        outcomes.sort_by_key(|outcome| outcome.micros);
        outcomes[RUNS / 2]
    };
    let medians = outcomes.each_mut().map(median);
    for (supplier, outcome) in Supplier::ALL.into_iter().zip(medians) {
        let ratio = outcome.micros as f64 / medians[0].micros as f64;
        let host_memory::Outcome { checksum, micros, memories } = outcome;
        println!("{:10} {checksum:>10} {micros:>12} {ratio:>8.2} {memories:>9}", format!("{supplier:?}"));
    }
    Ok(())
}
