//! Random modules on Tumulus, with every collector, and on Wasmtime: the same results, traps, globals and memories.
//!
//! ```text
//! tumulus-differential [SECONDS [SEED]]     search; 60 seconds from seed 0
//! tumulus-differential FILE.wasm [SEED]     compare what one module does
//! ```
//!
//! The exit code is 1 if something differs; the module is saved then, with the line that compares it again.

mod modules;
mod on_tumulus;
mod on_wasmtime;
mod outcome;
mod smith;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tumulus::collector::BuiltinCollector;
use tumulus::testkit::Numbers;

use self::outcome::{Answer, Outcome};

/// What a search came to so far with the modules of one generator.
#[derive(Debug, Default)]
struct Counts {
    modules: u64,
    /// Calls that returned, on Wasmtime.
    returned: u64,
    trapped: u64,
    thrown: u64,
    /// Calls whose end depends on how much room there is: nothing after them is compared.
    exhausted: u64,
    /// Collections on Tumulus.
    collections: u64,
}

#[derive(Debug, Default)]
struct Totals {
    own: Counts,
    smith: Counts,
}

impl Totals {
    /// Those of the generator that makes the module of this seed.
    fn of(&mut self, seed: u64) -> &mut Counts {
        if is_own(seed) { &mut self.own } else { &mut self.smith }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize| args.get(place).map(|text| text.parse::<u64>());
    let (Ok(seed), first) = (number(1).unwrap_or(Ok(0)), number(0)) else {
        eprintln!("usage: tumulus-differential [SECONDS|FILE.wasm [SEED]]");
        return ExitCode::from(2);
    };
    let mut totals = Totals::default();
    let result = match first {
        Some(Err(_)) => replay(&args[0], seed, totals.of(seed)),
        Some(Ok(seconds)) => search(seconds, seed, &mut totals),
        None => search(60, seed, &mut totals),
    };
    println!("{totals:?}");
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::FAILURE
        }
    }
}

fn replay(path: &str, seed: u64, counts: &mut Counts) -> Result<(), String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let wasm = wat::parse_bytes(&bytes).map_err(|error| format!("{path}: {error}"))?;
    compare(&wasm, seed, counts)
}

fn search(seconds: u64, seed: u64, totals: &mut Totals) -> Result<(), String> {
    let (started, mut shown) = (Instant::now(), Instant::now());
    let mut numbers = Numbers::new(seed);
    while started.elapsed() < Duration::from_secs(seconds) {
        let seed = numbers.next();
        let Some(wasm) = generate(seed) else { continue };
        compare(&wasm, seed, totals.of(seed)).map_err(|what| {
            let path = format!("differs-{seed}.wasm");
            let saved = std::fs::write(&path, &wasm);
            format!("{what}\n{path} ({saved:?}), seed {seed}: tumulus-differential {path} {seed}")
        })?;
        if shown.elapsed() > Duration::from_secs(60) {
            println!("{} s: {totals:?}", started.elapsed().as_secs());
            shown = Instant::now();
        }
    }
    Ok(())
}

/// The module of a seed: of the own generator, or of `wasm-smith`'s.
fn generate(seed: u64) -> Option<Vec<u8>> {
    if is_own(seed) {
        let text = modules::random(&mut Numbers::new(seed));
        Some(wat::parse_str(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}")))
    } else {
        smith::random(&mut Numbers::new(seed))
    }
}

fn is_own(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

/// Runs the module everywhere.
fn compare(wasm: &[u8], seed: u64, counts: &mut Counts) -> Result<(), String> {
    let Some((calls, wanted)) = on_wasmtime::run(wasm, seed) else { return Ok(()) };
    counts.modules += 1;
    for answer in &wanted.answers {
        match answer {
            Answer::Returned(_) => counts.returned += 1,
            Answer::Trapped(_) => counts.trapped += 1,
            Answer::Thrown => counts.thrown += 1,
            Answer::Exhausted => counts.exhausted += 1,
        }
    }
    for collector in BuiltinCollector::ALL {
        let (found, collections) =
            on_tumulus::run(wasm, collector, &calls, seed).map_err(|error| format!("{collector}: {error}"))?;
        counts.collections += collections;
        Outcome::same(&found, &wanted).map_err(|what| format!("{collector}: {what}"))?;
    }
    Ok(())
}
