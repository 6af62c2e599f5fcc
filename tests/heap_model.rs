//! Random programs on a heap and on a model of it: the graphs agree after each collection, whatever the collector, the
//! memory and the limits are.
//!
//! A failure prints the settings and the program, shrunk; both can be read again by their `FromStr`.

use proptest::prelude::*;
use tumulus::collector::BuiltinCollector;
use tumulus::testkit::program::program;
use tumulus::testkit::{Bytes, Numbers, Op, Program, Settings, Swarm, find_counterexample, property, run};

/// From the least to a size that no program here fills, with blocks of 4 KiB and of 32 KiB, whole and odd.
const MAXIMA: [u64; 9] =
    [16 << 10, 20_001, 64 << 10, (64 << 10) + 4095, 300_000, 1 << 20, (1 << 20) + 3 * 4096, (2 << 20) - 1, 64 << 20];

/// Nothing, less than a granule, odd, and the usual 64 KiB.
const INITIAL: [u64; 4] = [0, 1000, 13_001, 64 << 10];

fn settings() -> impl Strategy<Value = Settings> {
    (
        proptest::sample::select(&[Bytes::Mapped, Bytes::Vec, Bytes::Pool][..]),
        proptest::sample::select(&MAXIMA[..]),
        proptest::sample::select(&INITIAL[..]),
        proptest::sample::select(&[0, 1, 7][..]),
    )
        .prop_map(|(bytes, max_bytes, initial_bytes, zeal)| Settings {
            bytes,
            initial_bytes,
            zeal,
            ..Settings::checked(max_bytes)
        })
}

proptest! {
    #![proptest_config(property(1200))]

    #[test]
    fn a_heap_does_as_its_model(
        collector in proptest::sample::select(&BuiltinCollector::ALL[..]),
        settings in settings(),
        program in program(120),
    ) {
        let outcome = run(collector.create(), &settings, &program);
        prop_assert!(outcome.is_ok(), "{}, on {collector}, {settings}:\n{program}", outcome.unwrap_err());
    }
}

/// Each program under every combination of settings. Where nothing is refused, all end with the same graph.
#[test]
fn every_combination_of_settings_gives_the_same_graph() {
    let mut numbers = Numbers::new(0x7475_6d75_6c75_7321);
    for _ in 0..4 {
        let program = Program::random(&mut numbers, &Swarm::ALL, 80);
        let mut graph = None;
        for max_bytes in MAXIMA {
            for initial_bytes in INITIAL {
                for collector in BuiltinCollector::ALL {
                    for (bytes, zeal) in [(Bytes::Mapped, 0), (Bytes::Mapped, 7), (Bytes::Vec, 0), (Bytes::Vec, 1)] {
                        let settings = Settings { bytes, initial_bytes, zeal, ..Settings::checked(max_bytes) };
                        if let Err(found) = find_counterexample(&|| collector.create(), &settings, &program) {
                            panic!("{found}");
                        }
                        let outcome = run(collector.create(), &settings, &program).expect("it just ran");
                        if outcome.refused == 0 {
                            let first = graph.get_or_insert_with(|| outcome.graph.clone());
                            assert_eq!(first, &outcome.graph, "{collector}, {settings}\n{program}");
                        }
                        if collector.traits().collects && zeal == 1 {
                            assert!(outcome.stats.collections > 0, "zeal did not collect: {collector}, {settings}");
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
        program.extend((0..15).map(|into| Op::Struct { kind: 1, into, from: 0, seed: round }));
        program.push(Op::Array { kind: 7, length: 400, into: 3 });
        program.push(Op::Clear);
    }
    let program = Program(program);
    for collector in BuiltinCollector::ALL.into_iter().filter(|kind| kind.traits().collects) {
        for bytes in [Bytes::Mapped, Bytes::Vec] {
            let settings = Settings { bytes, ..Settings::checked(16 << 10) };
            assert_eq!(run(collector.create(), &settings, &program).expect("as on the model").refused, 0);
        }
    }
}
