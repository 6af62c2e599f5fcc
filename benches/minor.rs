//! What does a minor collection cost: for each byte that survives, and in itself, with little and with much that is old?
//! The generational collector, a nursery of 4 MiB filled with structs of two references.

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

    /// Fills the nursery with pairs of which `percent` in a hundred survive.
    fn fill(&mut self, percent: u32) {
        for i in 0..YOUNG {
            if i % 100 < percent {
                self.cons(i as usize % LISTS);
            } else {
                self.heap.allocate_struct(&self.pair, &mut self.roots).unwrap();
            }
        }
    }

    /// The time of a minor collection of a full nursery of which `percent` in a hundred survive.
    fn minor(&mut self, percent: u32) -> Duration {
        self.fill(percent);
        let before = self.heap.stats();
        let start = CpuTime::now();
        self.heap.collect_minor(&mut self.roots).unwrap();
        let time = CpuTime::now() - start;
        let after = self.heap.stats();
        assert_eq!(after.collections, before.collections + 1, "the nursery was collected too early");
        assert_eq!(after.promoted_bytes - before.promoted_bytes, survivors(percent) * PAIR_BYTES);
        time
    }

    /// Lets the survivors die, so that the next ones find the same room.
    fn forget(&mut self) {
        self.roots[..LISTS].fill(0);
        self.heap.collect(&mut self.roots).unwrap();
    }
}

/// How many pairs of a full nursery survive.
fn survivors(percent: u32) -> u64 {
    (0..YOUNG).filter(|i| i % 100 < percent).count() as u64
}

fn surviving(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("a minor collection, of which survive");
    group.sample_size(20);
    for percent in [1, 10, 50, 90] {
        group.throughput(Throughput::Bytes(survivors(percent) * PAIR_BYTES));
        group.bench_function(BenchmarkId::from_parameter(format!("{percent} %")), |bencher| {
            let mut nursery = Nursery::new(0);
            let mut round = || {
                let time = nursery.minor(percent);
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
            bencher.iter_custom(|rounds| (0..rounds).map(|_| nursery.minor(0)).sum());
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = surviving, nothing_surviving }
criterion_main!(benches);
