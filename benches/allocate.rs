//! What does it cost to allocate and initialise a struct of two references, 16 bytes with its header, that dies at
//! once, its share of the collections included? Beside bumpalo storing the same words.

mod support {
    pub(crate) mod collectors;
    pub(crate) mod cpu_time;
    pub(crate) mod heaps;
}

use std::hint::black_box;

use bumpalo::Bump;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::collectors::FREEING;
use support::cpu_time::CpuTime;
use support::heaps::{heap_of, references};

/// 1 MiB of objects an iteration: inside a second-level cache, as short-lived objects are meant to be.
const OBJECTS: u32 = 64 << 10;

fn allocate(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("allocate and initialise a pair");
    group.throughput(Throughput::Elements(u64::from(OBJECTS)));

    group.bench_function("bumpalo", |bencher| {
        let mut bump = Bump::with_capacity(2 << 20);
        bencher.iter(|| {
            for i in 0..OBJECTS {
                let pair = bump.alloc([1_u32, i << 3, i, 0]);
                black_box(&*pair);
            }
            bump.reset();
        });
    });

    for collector in FREEING {
        group.bench_function(format!("heap, {collector}"), |bencher| {
            let (mut heap, [pair]) = heap_of(collector, 4 << 30, [references::<2>()]);
            let mut roots = [0_u32];
            bencher.iter(|| {
                for i in 0..OBJECTS {
                    let at = heap.allocate_struct(&pair, &mut roots).unwrap().get();
                    let object = heap.object_mut(at, 16).unwrap();
                    object[4..8].copy_from_slice(&(i << 1 | 1).to_le_bytes());
                    object[8..12].copy_from_slice(&(i << 1 | 1).to_le_bytes());
                    black_box(at);
                }
            });
        });
    }

    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = allocate }
criterion_main!(benches);
