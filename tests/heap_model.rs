//! Random programs on a heap and on a model of it: the graphs agree after each collection, whatever the collector, the
//! memory and the limits are.
//!
//! A failure prints the settings and the program, shrunk; both are Rust as printed, for `support::runner::run`.

mod support;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::program::{Op, program};
use support::runner::run;
use support::world::{Bytes, Settings};
use tumulus::collector::BuiltinCollector;

/// From the least to a size that no program here fills, with blocks of 4 KiB and of 32 KiB, whole and odd.
const MAXIMA: [u64; 9] =
    [16 << 10, 20_001, 64 << 10, (64 << 10) + 4095, 300_000, 1 << 20, (1 << 20) + 3 * 4096, (2 << 20) - 1, 64 << 20];

/// Nothing, less than a granule, odd, and the usual 64 KiB.
const INITIAL: [u64; 4] = [0, 1000, 13_001, 64 << 10];

fn settings() -> impl Strategy<Value = Settings> {
    (
        proptest::sample::select(&BuiltinCollector::ALL[..]),
        proptest::sample::select(&[Bytes::Mapped, Bytes::Vec][..]),
        proptest::sample::select(&MAXIMA[..]),
        proptest::sample::select(&INITIAL[..]),
        proptest::sample::select(&[0, 1, 7][..]),
    )
        .prop_map(|(collector, bytes, max_bytes, initial_bytes, zeal)| Settings {
            collector,
            bytes,
            max_bytes,
            initial_bytes,
            zeal,
            checked: true,
        })
}

proptest! {
    #![proptest_config(support::property(1200))]

    #[test]
    fn a_heap_does_as_its_model(settings in settings(), program in program(120)) {
        run(&settings, &program);
    }
}

/// Each program under every combination of settings. Where nothing is refused, all end with the same graph.
#[test]
fn every_combination_of_settings_gives_the_same_graph() {
    let mut runner = TestRunner::new(support::property(1));
    for round in 0..4 {
        let program = program(80).new_tree(&mut runner).expect("a program").current();
        let mut graph = None;
        for max_bytes in MAXIMA {
            for initial_bytes in INITIAL {
                for collector in BuiltinCollector::ALL {
                    for (bytes, zeal) in [(Bytes::Mapped, 0), (Bytes::Mapped, 7), (Bytes::Vec, 0), (Bytes::Vec, 1)] {
                        let settings = Settings { collector, bytes, max_bytes, initial_bytes, zeal, checked: true };
                        let outcome = std::panic::catch_unwind(|| run(&settings, &program));
                        let outcome = outcome.unwrap_or_else(|_| panic!("round {round}: {settings:?}\n{program:?}"));
                        if outcome.refused == 0 {
                            let first = graph.get_or_insert_with(|| outcome.graph.clone());
                            assert_eq!(first, &outcome.graph, "round {round}: {settings:?}\n{program:?}");
                        }
                        if collector == BuiltinCollector::Copying && zeal == 1 && program.len() > 20 {
                            assert!(outcome.collections > 0, "zeal did not collect: {settings:?}");
                        }
                    }
                }
            }
        }
    }
}

/// A program that fills the smallest heap again and again: what was full is empty once its roots are gone.
#[test]
fn the_smallest_heap_is_of_use() {
    let mut program = Vec::new();
    for round in 0..40 {
        program.extend((0..16).map(|into| Op::Struct { kind: 1, into, from: 0, seed: round }));
        program.push(Op::Array { kind: 7, length: 400, into: 3 });
        program.push(Op::Clear);
    }
    for collector in [BuiltinCollector::Copying] {
        for bytes in [Bytes::Mapped, Bytes::Vec] {
            let settings = Settings { bytes, checked: true, ..Settings::new(collector, 16 << 10) };
            assert_eq!(run(&settings, &program).refused, 0);
        }
    }
}
