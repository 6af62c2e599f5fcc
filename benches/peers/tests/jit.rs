//! Programs compiled against the contract of `tumulus::abi` compute what they should, on every collector: at full speed,
//! under zeal with the verifier after each collection, and with moving and poisoning to show each stale reference.

use std::num::NonZeroU32;

use tumulus::collector::BuiltinCollector;
use tumulus::heap::HeapConfig;
use tumulus::store::Config;
use tumulus_peers::jit::{Compiled, Program, Queue, Shapes, Trees};

fn check<P: Program>(program: P, heap: &HeapConfig) {
    for collector in BuiltinCollector::ALL {
        let mut config = Config::new();
        config.collector(collector).heap(heap.clone());
        let mut compiled = Compiled::new::<P>(&config).unwrap();
        for _ in 0..2 {
            let result = compiled.run(program.args());
            assert_eq!(result.unwrap(), program.expected(), "{collector} {program:?}");
        }
        let store = compiled.store();
        store.verify().unwrap();
        assert!(heap.zeal.is_none() || !collector.traits().collects || store.heap_stats().collections > 0);
    }
}

#[test]
fn programs_run_on_every_collector() {
    let heap = HeapConfig::default();
    check(Trees { live_depth: 14, depth: 10, rounds: 200 }, &heap);
    check(Queue { live: 10_000, rounds: 300_000 }, &heap);
    check(Shapes { length: 1 << 14, rounds: 300_000 }, &heap);
}

#[test]
fn programs_run_under_zeal() {
    for zeal in [1, 3, 17] {
        let heap = HeapConfig {
            zeal: NonZeroU32::new(zeal),
            verify: true,
            poison: true,
            move_all: true,
            ..HeapConfig::default()
        };
        check(Trees { live_depth: 5, depth: 4, rounds: 20 }, &heap);
        check(Queue { live: 50, rounds: 500 }, &heap);
        // Large enough for cards.
        check(Shapes { length: 1 << 12, rounds: 500 }, &heap);
    }
}
