//! What does a minor collection cost: for each byte that survives, and in itself, with little and with much that is young,
//! that is old, that stands in a table or in frames that did not change? The generational collector, a nursery of up to
//! 4 MiB filled with structs of two references.

mod support {
    pub(crate) mod cpu_time;
    pub(crate) mod heaps;
}

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use support::cpu_time::CpuTime;
use support::heaps::{heap_of, references};
use tumulus::collector::BuiltinCollector;
use tumulus::heap::GcHeap;
use tumulus::object::ObjectType;
use tumulus::store::{Engine, Store};
use tumulus::wasm::{Instance, Module};

/// Bytes of a pair.
const PAIR_BYTES: u64 = 16;
/// Pairs that the nursery holds when it is collected; a little less than all, so that it is not collected earlier.
const YOUNG: u32 = (4 << 20) / 16 - 4096;
/// Lists that survivors are linked to, so that they are neither all roots nor one long chain.
const LISTS: usize = 64;

struct Nursery {
    heap: GcHeap,
    pair: Arc<ObjectType>,
    /// The lists of young survivors, and then what is old.
    roots: Vec<u32>,
}

impl Nursery {
    /// An empty nursery in a heap with a list of `old_bytes` bytes in old space.
    fn new(old_bytes: u64) -> Nursery {
        let (heap, [pair]) = heap_of(BuiltinCollector::Generational, 1 << 30, [references::<2>()]);
        let mut nursery = Nursery { heap, pair, roots: vec![0; LISTS + 1] };
        for _ in 0..old_bytes / PAIR_BYTES {
            nursery.cons(LISTS);
        }
        nursery.heap.collect(&mut nursery.roots).unwrap();
        assert_eq!(nursery.heap.stats().live_bytes, old_bytes);
        nursery
    }

    /// Puts a new pair before a list.
    fn cons(&mut self, list: usize) {
        let at = self.heap.allocate_struct(&self.pair, &mut self.roots).unwrap().get();
        self.heap.store(at, 4, self.roots[list].to_le_bytes()).unwrap();
        self.roots[list] = at;
    }

    /// Puts so many pairs in the nursery, of which `percent` in a hundred survive.
    fn fill(&mut self, young: u32, percent: u32) {
        for i in 0..young {
            if i % 100 < percent {
                self.cons(i as usize % LISTS);
            } else {
                self.heap.allocate_struct(&self.pair, &mut self.roots).unwrap();
            }
        }
    }

    /// The time of a minor collection of so many young pairs, of which `percent` in a hundred survive.
    fn minor(&mut self, young: u32, percent: u32) -> Duration {
        self.fill(young, percent);
        let before = self.heap.stats();
        let start = CpuTime::now();
        self.heap.collect_minor(&mut self.roots).unwrap();
        let time = CpuTime::now() - start;
        let after = self.heap.stats();
        assert_eq!(after.collections, before.collections + 1, "the nursery was collected too early");
        assert_eq!(after.promoted_bytes - before.promoted_bytes, survivors(young, percent) * PAIR_BYTES);
        time
    }

    /// Lets the survivors die, so that the next ones find the same room.
    fn forget(&mut self) {
        self.roots[..LISTS].fill(0);
        self.heap.collect(&mut self.roots).unwrap();
    }
}

/// How many of so many pairs survive.
fn survivors(young: u32, percent: u32) -> u64 {
    (0..young).filter(|i| i % 100 < percent).count() as u64
}

fn surviving(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("a minor collection, of which survive");
    group.sample_size(20);
    for percent in [1, 10, 50, 90] {
        group.throughput(Throughput::Bytes(survivors(YOUNG, percent) * PAIR_BYTES));
        group.bench_function(BenchmarkId::from_parameter(format!("{percent} %")), |bencher| {
            let mut nursery = Nursery::new(0);
            let mut round = || {
                let time = nursery.minor(YOUNG, percent);
                nursery.forget();
                time
            };
            bencher.iter_custom(|rounds| (0..rounds).map(|_| round()).sum());
        });
    }
    group.finish();
}

fn nothing_surviving(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("a minor collection without survivors, beside old objects of");
    group.sample_size(20);
    for old_mib in [0, 64] {
        group.bench_function(BenchmarkId::from_parameter(format!("{old_mib} MiB")), |bencher| {
            let mut nursery = Nursery::new(old_mib << 20);
            bencher.iter_custom(|rounds| (0..rounds).map(|_| nursery.minor(YOUNG, 0)).sum());
        });
    }
    group.finish();
}

fn nursery_size(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("a minor collection without survivors, of a nursery filled to a");
    group.sample_size(20);
    for part in [16, 4, 1] {
        group.bench_function(BenchmarkId::from_parameter(format!("{part}th")), |bencher| {
            let mut nursery = Nursery::new(0);
            bencher.iter_custom(|rounds| (0..rounds).map(|_| nursery.minor(YOUNG / part, 0)).sum());
        });
    }
    group.finish();
}

/// A module in a store, with a table and with functions that allocate what dies at once.
struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new() -> Guest {
        let engine = Engine::default();
        let module = Module::new(&engine, include_str!("minor.wat")).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Guest { store, instance }
    }

    fn call(&mut self, name: &str, arguments: [i32; 2]) {
        let func = self.instance.get_func(&mut self.store, name).unwrap();
        let func = func.typed::<(i32, i32), ()>(&self.store).unwrap();
        func.call(&mut self.store, (arguments[0], arguments[1])).unwrap();
    }

    /// The mean pause of the minor collections during a call, but for the first, which sees what changed before: the
    /// pauses of twice as many less those of once as many.
    fn mean_pause(&mut self, name: &str, first: i32) -> Duration {
        let mut pauses = |objects: i32| {
            let before = self.store.heap_stats();
            self.call(name, [first, objects]);
            let after = self.store.heap_stats();
            let minors = after.minor_collections - before.minor_collections;
            assert_eq!(after.collections - before.collections, minors, "only minor collections");
            (after.times.total - before.times.total, minors)
        };
        let (few, fewer) = pauses(2 << 20);
        let (many, more) = pauses(8 << 20);
        many.saturating_sub(few) / u32::try_from(more - fewer).unwrap()
    }
}

fn unchanged(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("a minor collection without survivors, beside an unchanged table of");
    group.sample_size(10);
    for entries in [0, 1_000_000] {
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            let mut guest = Guest::new();
            guest.call("fill", [entries, 0]);
            guest.store.gc().unwrap();
            bencher.iter_custom(|rounds| (0..rounds).map(|_| guest.mean_pause("churn", 0)).sum());
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("a minor collection without survivors, above unchanged frames");
    group.sample_size(10);
    for depth in [0, 20_000] {
        group.bench_function(BenchmarkId::from_parameter(depth), |bencher| {
            let mut guest = Guest::new();
            bencher.iter_custom(|rounds| (0..rounds).map(|_| guest.mean_pause("deep", depth)).sum());
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = CpuTime::criterion();
    targets = surviving, nothing_surviving, nursery_size, unchanged
}
criterion_main!(benches);
