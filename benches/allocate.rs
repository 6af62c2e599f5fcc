//! What does it cost to allocate and initialise a struct of two references, 16 bytes with its header, that dies at
//! once, its share of the collections included? Beside bumpalo storing the same words; where the type is looked at for its
//! size, and where the size is a constant, as it is in compiled code.

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

/// 4 MiB of objects an iteration, so that the arena goes through as much memory as a nursery does.
const OBJECTS: u32 = 256 << 10;

fn allocate(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("allocate and initialise a pair");
    group.throughput(Throughput::Elements(u64::from(OBJECTS)));

    group.bench_function("bumpalo", |bencher| {
        let mut bump = Bump::with_capacity(8 << 20);
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
                    let at = heap.allocate_struct_with(&pair, &mut roots, |object, _| init(object, i));
                    black_box(at.unwrap());
                }
            });
        });
        group.bench_function(format!("heap, {collector}, of known size"), |bencher| {
            let (mut heap, [pair]) = heap_of(collector, 4 << 30, [references::<2>()]);
            let (header, mut roots) = (pair.header(), [0_u32]);
            bencher.iter(|| {
                for i in 0..OBJECTS {
                    let at = match heap.try_allocate_object(header, 16) {
                        Some((at, object)) => {
                            init(object, i);
                            at
                        }
                        None => {
                            let at = heap.allocate_slow(header, 16, &mut roots).unwrap();
                            init(heap.object_mut(at.get(), 16).unwrap(), i);
                            at
                        }
                    };
                    black_box(at);
                }
            });
        });
    }

    group.finish();
}

/// Stores two references, which are numbers of 31 bits.
#[inline(always)]
fn init(object: &mut [u8], i: u32) {
    object[4..8].copy_from_slice(&(i << 1 | 1).to_le_bytes());
    object[8..12].copy_from_slice(&(i << 1 | 1).to_le_bytes());
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = allocate }
criterion_main!(benches);
