//! Programs compiled against the contract of `tumulus::abi` compute what they should, on every collector: at full speed,
//! under zeal with the verifier after each collection, and with moving and poisoning to show each stale reference.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use tumulus::collector::{
    BuiltinCollector, Collector, CollectorFactory, CollectorTraits, Cycle, HeapParts, RefillError, Request,
};
use tumulus::error::{Cause, Corruption, OutOfMemory};
use tumulus::heap::HeapConfig;
use tumulus::memory::TableSource;
use tumulus::object::VMGcRef;
use tumulus::space::{BlockTable, LargeRun, Window};
use tumulus::store::Config;
use tumulus::trace::{Budget, Progress};
use tumulus_peers::jit::{Compiled, GUARD_BYTES, Program, Queue, Shapes, Trees};

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
    // With comparisons, and with a guard in their place.
    for guard_bytes in [0, GUARD_BYTES] {
        let heap = HeapConfig { guard_bytes, ..HeapConfig::default() };
        check(Trees { live_depth: 14, depth: 10, rounds: 200 }, &heap);
        check(Queue { live: 10_000, rounds: 300_000 }, &heap);
        check(Shapes { length: 1 << 14, rounds: 300_000 }, &heap);
    }
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

/// A collector that works as another does, and spoils the heap's bytes after each cycle.
#[derive(Debug)]
struct Spoiler {
    inner: Box<dyn Collector>,
    state: u64,
}

impl Spoiler {
    fn number(&mut self) -> u32 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as u32
    }

    /// Overwrites a word among those in use, with a reference or with anything.
    fn spoil(&mut self, parts: &mut HeapParts<'_>) {
        let bytes = parts.memory.bytes_mut();
        let length = bytes.len() as u32;
        let (place, value) = (self.number(), self.number());
        let value = match value % 4 {
            0 => value,
            1 => length.wrapping_sub(value % 64),
            2 => value.wrapping_mul(8) % length,
            _ => value | 1 << 31,
        };
        // Most of what there is lies low.
        let place = (place % length.min(1 << 14) & !3) as usize;
        bytes[place..place + 4].copy_from_slice(&value.to_le_bytes());
    }
}

impl Collector for Spoiler {
    fn traits(&self) -> CollectorTraits {
        self.inner.traits()
    }

    fn cover(&mut self, blocks: &BlockTable, bytes: u32, source: &TableSource<'_>) -> Result<(), OutOfMemory> {
        self.inner.cover(blocks, bytes, source)
    }

    fn retire(&mut self, parts: &mut HeapParts<'_>, window: Window) {
        self.inner.retire(parts, window);
        self.spoil(parts);
    }

    fn refill(&mut self, parts: &mut HeapParts<'_>, bytes: u32) -> Result<Window, RefillError> {
        self.inner.refill(parts, bytes)
    }

    fn allocate_large(&mut self, parts: &mut HeapParts<'_>, bytes: u64) -> Result<LargeRun, RefillError> {
        self.inner.allocate_large(parts, bytes)
    }

    fn log(&mut self, parts: &mut HeapParts<'_>, object: &VMGcRef) -> Result<(), Corruption> {
        self.inner.log(parts, object)
    }

    fn log_card(&mut self, parts: &mut HeapParts<'_>, array: &VMGcRef, card: Range<u32>) -> Result<(), Corruption> {
        self.inner.log_card(parts, array, card)
    }

    fn log_roots(&mut self, parts: &mut HeapParts<'_>, slots: &[u32]) -> Result<(), Corruption> {
        self.inner.log_roots(parts, slots)
    }

    fn begin(&mut self, parts: &mut HeapParts<'_>, request: Request) -> Result<(), OutOfMemory> {
        self.inner.begin(parts, request)
    }

    fn step(&mut self, cycle: &mut Cycle<'_>, budget: Budget) -> Result<Progress, Corruption> {
        let progress = self.inner.step(cycle, budget)?;
        self.spoil(&mut cycle.parts);
        Ok(progress)
    }
}

/// Compiled code in a heap whose bytes change under it: it ends with a result, a trap, or an error. Loops of these
/// programs are counted, so that they end whatever they find.
#[test]
fn a_heap_that_is_spoilt_does_no_harm() {
    let mut failed = [0; BuiltinCollector::ALL.len()];
    for (failed, kind) in failed.iter_mut().zip(BuiltinCollector::ALL) {
        for seed in 0..60 {
            let create = move || Box::new(Spoiler { inner: kind.create(), state: seed }) as Box<dyn Collector>;
            let factory: CollectorFactory = Arc::new(create);
            let heap = HeapConfig { zeal: NonZeroU32::new(50), initial_bytes: 1 << 20, ..HeapConfig::default() };
            let mut config = Config::new();
            config.collector(factory).heap(heap);
            let outcomes = [
                Compiled::new::<Queue>(&config).unwrap().run(Queue { live: 300, rounds: 3000 }.args()),
                Compiled::new::<Shapes>(&config).unwrap().run(Shapes { length: 256, rounds: 3000 }.args()),
            ];
            for error in outcomes.into_iter().filter_map(Result::err) {
                *failed += 1;
                let is_known = matches!(error.cause(), Cause::Trap(_) | Cause::Corruption(_) | Cause::OutOfMemory(_));
                assert!(is_known, "{kind} {seed}: {error}");
            }
        }
    }
    // Null never has a cycle, and spoils only when a window is used up.
    assert!(failed[1..].iter().all(|&failed| failed > 60), "{failed:?}");
}
