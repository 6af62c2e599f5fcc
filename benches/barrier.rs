//! What does the barrier cost when an old object is made to refer to a young one: where there is nothing to remember,
//! and where every store is remembered? Structs of two references, and an array of a million; beside a plain store.

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
use tumulus::space::GRANULE_BYTES;
use tumulus::testkit::world::mutable;
use tumulus::types::{ArrayType, RefType, SubType};

/// The collectors that ask to be told of stores.
const TOLD: [BuiltinCollector; 2] = [BuiltinCollector::Generational, BuiltinCollector::RefCount];

/// Stores an iteration.
const STORES: u32 = 64 << 10;
/// Structs that are stored to in turn where nothing is remembered: 16 KiB, inside the first-level cache.
const STRUCTS: u32 = 1024;
/// Elements of the large array.
const ELEMENTS: u32 = 1 << 20;

/// A heap with old objects, and a young one to refer to.
struct Heap {
    heap: GcHeap,
    pair: Arc<ObjectType>,
    /// What is old, and then what is young.
    roots: Vec<u32>,
}

impl Heap {
    fn with_structs(collector: BuiltinCollector, count: u32) -> Heap {
        let (mut heap, [pair]) = heap_of(collector, 1 << 30, [references::<2>()]);
        let mut roots = Vec::new();
        for _ in 0..count {
            let at = heap.allocate_struct(&pair, &mut roots).unwrap().get();
            roots.push(at);
        }
        roots.push(0);
        let mut heap = Heap { heap, pair, roots };
        heap.grow_old();
        heap
    }

    fn with_array(collector: BuiltinCollector) -> Heap {
        let array = SubType::new(ArrayType::new(mutable(RefType::ANYREF)));
        let (mut heap, [pair, array]) = heap_of(collector, 1 << 30, [references::<2>(), array]);
        let mut roots = Vec::new();
        let at = heap.allocate_array(&array, ELEMENTS, &mut roots).unwrap().get();
        roots.extend([at, 0]);
        let mut heap = Heap { heap, pair, roots };
        heap.grow_old();
        heap
    }

    /// Makes everything old and nothing remembered, and then one young object.
    fn grow_old(&mut self) {
        self.heap.collect_minor(&mut self.roots).unwrap();
        let young = self.heap.allocate_struct(&self.pair, &mut self.roots).unwrap().get();
        *self.roots.last_mut().unwrap() = young;
    }

    /// Stores the young object into the left field of each of the first `STRUCTS` structs in turn.
    fn store_to_structs(&mut self, mut store: impl FnMut(&mut GcHeap, u32, u32, u32)) {
        let young = self.roots[self.roots.len() - 1];
        for i in 0..STORES {
            store(&mut self.heap, self.roots[(i % STRUCTS) as usize], 4, young);
        }
    }

    /// Stores the young object into elements of the array that lie far from each other.
    fn store_to_array(&mut self, mut store: impl FnMut(&mut GcHeap, u32, u32, u32)) {
        let (array, young) = (self.roots[0], self.roots[1]);
        for i in 0..STORES {
            store(&mut self.heap, array, 8 + i.wrapping_mul(4 * 7919) % (4 * ELEMENTS), young);
        }
    }

    /// The time of one store to each struct, each of which is remembered.
    fn remember_structs(&mut self) -> Duration {
        self.grow_old();
        let (young, old) = self.roots.split_last().unwrap();
        let start = CpuTime::now();
        for &at in old {
            with_barrier(&mut self.heap, at, 4, *young);
        }
        CpuTime::now() - start
    }

    /// The time of one store to each card of the array, each of which is remembered.
    fn remember_cards(&mut self) -> Duration {
        self.grow_old();
        let (array, young) = (self.roots[0], self.roots[1]);
        let start = CpuTime::now();
        for offset in (8..4 * ELEMENTS).step_by(GRANULE_BYTES as usize) {
            with_barrier(&mut self.heap, array, offset, young);
        }
        CpuTime::now() - start
    }
}

fn plain(heap: &mut GcHeap, object: u32, offset: u32, value: u32) {
    heap.store(object, offset, value.to_le_bytes()).unwrap();
}

fn with_barrier(heap: &mut GcHeap, object: u32, offset: u32, value: u32) {
    heap.write_ref(object, offset, value).unwrap();
}

fn into_structs(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("store a reference into a struct");
    group.throughput(Throughput::Elements(u64::from(STORES)));
    group.bench_function("plain", |bencher| {
        let mut heap = Heap::with_structs(BuiltinCollector::Generational, STRUCTS);
        bencher.iter(|| heap.store_to_structs(plain));
    });
    group.bench_function("barrier, nothing to remember", |bencher| {
        let mut heap = Heap::with_structs(BuiltinCollector::Generational, STRUCTS);
        bencher.iter(|| heap.store_to_structs(with_barrier));
    });
    for collector in TOLD {
        group.bench_function(BenchmarkId::new("barrier, each remembered", collector), |bencher| {
            let mut heap = Heap::with_structs(collector, STORES);
            bencher.iter_custom(|rounds| (0..rounds).map(|_| heap.remember_structs()).sum());
        });
    }
    group.finish();
}

fn into_an_array(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("store a reference into an array of a million");
    group.throughput(Throughput::Elements(u64::from(STORES)));
    group.bench_function("plain", |bencher| {
        let mut heap = Heap::with_array(BuiltinCollector::Generational);
        bencher.iter(|| heap.store_to_array(plain));
    });
    group.bench_function("barrier, card known", |bencher| {
        let mut heap = Heap::with_array(BuiltinCollector::Generational);
        bencher.iter(|| heap.store_to_array(with_barrier));
    });
    group.throughput(Throughput::Elements(u64::from(4 * ELEMENTS / GRANULE_BYTES)));
    for collector in TOLD {
        group.bench_function(BenchmarkId::new("barrier, each card remembered", collector), |bencher| {
            let mut heap = Heap::with_array(collector);
            bencher.iter_custom(|rounds| (0..rounds).map(|_| heap.remember_cards()).sum());
        });
    }
    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = into_structs, into_an_array }
criterion_main!(benches);
