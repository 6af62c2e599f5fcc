//! What do the bulk operations on arrays cost beside the same on a plain slice? Byte arrays of 64 KiB beside
//! `copy_within`, `fill` and `copy_from_slice`, and arrays of 16,384 references, which are as long.

mod support {
    pub(crate) mod cpu_time;
    pub(crate) mod heaps;
}

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use support::cpu_time::CpuTime;
use support::heaps::heap_of;
use tumulus::collector::BuiltinCollector;
use tumulus::heap::GcHeap;
use tumulus::object::{GcArrayLayout, ObjectType};
use tumulus::testkit::world::mutable;
use tumulus::types::{ArrayType, FieldType, RefType, StorageType, SubType};

const BYTES: usize = 64 << 10;
/// How many elements of `bytes` bytes they are.
const fn elements(bytes: u32) -> u32 {
    (64 << 10) / bytes
}

/// Two arrays of 64 KiB. After a collection, those of references are old.
struct Arrays {
    heap: GcHeap,
    ty: Arc<ObjectType>,
    roots: [u32; 2],
}

impl Arrays {
    fn new(element: FieldType) -> Arrays {
        let (mut heap, [ty]) =
            heap_of(BuiltinCollector::Generational, 1 << 30, [SubType::new(ArrayType::new(element))]);
        let length = elements(ty.as_array().unwrap().elem_size);
        let mut roots = [0; 2];
        for i in 0..2 {
            roots[i] = heap.allocate_array(&ty, length, &mut roots).unwrap().get();
        }
        heap.collect(&mut roots).unwrap();
        // Or the host has one page of zeros for all that was never written, and reading that is slower.
        let bytes = elements(1) as usize;
        for array in roots {
            heap.array_write(ty.as_array().unwrap(), array, 0, &vec![0; bytes]).unwrap();
        }
        Arrays { heap, ty, roots }
    }

    /// The heap, the layout of the arrays, both of them, and the length of each.
    fn parts(&mut self) -> (&mut GcHeap, &GcArrayLayout, [u32; 2], u32) {
        let layout = self.ty.as_array().unwrap();
        (&mut self.heap, layout, self.roots, elements(layout.elem_size))
    }
}

/// Elements of both kinds, and the bytes of the one to fill with.
fn kinds() -> [(&'static str, FieldType, &'static [u8]); 2] {
    [("bytes", mutable(StorageType::I8), &[7]), ("references", mutable(RefType::ANYREF), &[7, 0, 0, 0])]
}

fn copy(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("copy 64 KiB from one array to another");
    group.throughput(Throughput::Bytes(BYTES as u64));
    group.bench_function("copy_within", |bencher| {
        let mut both = vec![1_u8; 2 * BYTES];
        bencher.iter(|| black_box(&mut both).copy_within(..BYTES, BYTES));
    });
    for (name, element, _) in kinds() {
        group.bench_function(name, |bencher| {
            let mut arrays = Arrays::new(element);
            let (heap, layout, [source, target], length) = arrays.parts();
            bencher.iter(|| heap.array_copy(layout, (target, 0), (source, 0), black_box(length)).unwrap());
        });
    }
    group.finish();
}

/// What strings do all the time. Some processors take twenty times as long for it.
fn copy_unaligned(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("copy 64 KiB to a place that lies otherwise in its line");
    group.throughput(Throughput::Bytes(BYTES as u64));
    group.bench_function("copy_within", |bencher| {
        let mut both = vec![1_u8; 2 * BYTES];
        bencher.iter(|| black_box(&mut both).copy_within(..BYTES - 1, BYTES + 1));
    });
    group.bench_function("bytes", |bencher| {
        let mut arrays = Arrays::new(mutable(StorageType::I8));
        let (heap, layout, [source, target], length) = arrays.parts();
        bencher.iter(|| heap.array_copy(layout, (target, 1), (source, 0), black_box(length - 1)).unwrap());
    });
    group.finish();
}

fn fill(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("fill 64 KiB of an array");
    group.throughput(Throughput::Bytes(BYTES as u64));
    group.bench_function("fill, bytes", |bencher| {
        let mut bytes = vec![1_u8; BYTES];
        bencher.iter(|| black_box(&mut bytes).fill(black_box(7)));
    });
    group.bench_function("fill, words", |bencher| {
        let mut words = vec![1_u32; BYTES / 4];
        bencher.iter(|| black_box(&mut words).fill(black_box(7)));
    });
    for (name, element, value) in kinds() {
        group.bench_function(name, |bencher| {
            let mut arrays = Arrays::new(element);
            let (heap, layout, [_, target], length) = arrays.parts();
            bencher.iter(|| heap.array_fill(layout, target, 0, black_box(value), length).unwrap());
        });
    }
    group.finish();
}

/// What `array.init_data` does, and `array.new_data` once its array is allocated.
fn write(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("write 64 KiB of a data segment to an array");
    group.throughput(Throughput::Bytes(BYTES as u64));
    let segment = vec![2_u8; BYTES];
    group.bench_function("copy_from_slice", |bencher| {
        let mut bytes = vec![1_u8; BYTES];
        bencher.iter(|| black_box(&mut bytes).copy_from_slice(black_box(&segment)));
    });
    group.bench_function("bytes", |bencher| {
        let mut arrays = Arrays::new(mutable(StorageType::I8));
        let (heap, layout, [_, target], _) = arrays.parts();
        bencher.iter(|| heap.array_write(layout, target, 0, black_box(&segment)).unwrap());
    });
    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = copy, copy_unaligned, fill, write }
criterion_main!(benches);
