//! What do the checks of access cost: fields of structs and elements of arrays in a loop, read and written, and bulk copies,
//! beside raw pointers that do the same without any check?
//!
//! Each question has up to three answers: `each` checks every access against the heap's end, `view` checks the object once
//! and every access against the object or not at all, and `raw` is the twin that trusts everything.
#![expect(unsafe_code, reason = "the twins that trust everything, for this benchmark alone")]

mod support {
    pub(crate) mod heaps;
}

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use support::heaps::heap_of;
use tumulus::collector::BuiltinCollector;
use tumulus::heap::GcHeap;
use tumulus::object::{GcArrayLayout, ObjectType, VMGcRef};
use tumulus::testkit::world::mutable;
use tumulus::types::{ArrayType, StructType, SubType, ValType};

/// Structs that are visited in turn: 40 KiB, so that they come from the first or the second level of the cache.
const STRUCTS: u32 = 1024;
/// Bytes of a struct: the header and eight fields of 4 bytes, rounded up.
const STRUCT_BYTES: u32 = 40;
/// Where its eight fields lie.
const FIELDS: [u32; 8] = [4, 8, 12, 16, 20, 24, 28, 32];
/// Elements of an array.
const ELEMENTS: u32 = 8192;

struct Heap {
    heap: GcHeap,
    structs: Vec<u32>,
    /// The same, as what is known not to be null.
    references: Vec<VMGcRef>,
    /// Two arrays of numbers.
    arrays: [u32; 2],
    layout: GcArrayLayout,
}

fn heap() -> Heap {
    let fields = SubType::new(StructType::new([mutable(ValType::I32); 8]));
    let array = SubType::new(ArrayType::new(mutable(ValType::I32)));
    let (mut heap, [fields, array]): (_, [Arc<ObjectType>; 2]) =
        heap_of(BuiltinCollector::Null, 16 << 20, [fields, array]);
    let mut roots = Vec::new();
    let structs: Vec<_> = (0..STRUCTS).map(|_| heap.allocate_struct(&fields, &mut roots).unwrap().get()).collect();
    let references = structs.iter().map(|&at| VMGcRef::from_raw_u32(at).expect("not null")).collect();
    let arrays = [(); 2].map(|()| heap.allocate_array(&array, ELEMENTS, &mut roots).unwrap().get());
    let layout = *array.as_array().expect("an array type");
    Heap { heap, structs, references, arrays, layout }
}

/// Reads fields without looking whether they are there.
///
/// # Safety
/// All fields of `object` must be inside the heap that begins at `base`.
#[inline(always)]
unsafe fn read_raw(base: *const u8, object: u32, offset: u32) -> u32 {
    // SAFETY: the caller's promise.
    let place = unsafe { base.add(object as usize + offset as usize) };
    // SAFETY: as above; 4 bytes of no alignment in particular.
    u32::from_le(unsafe { place.cast::<u32>().read_unaligned() })
}

/// Writes fields without looking whether they are there.
///
/// # Safety
/// As for `read_raw`, and nobody else may look at the heap meanwhile.
#[inline(always)]
unsafe fn write_raw(base: *mut u8, object: u32, offset: u32, value: u32) {
    // SAFETY: the caller's promise.
    let place = unsafe { base.add(object as usize + offset as usize) };
    // SAFETY: as above.
    unsafe { place.cast::<u32>().write_unaligned(value.to_le()) };
}

fn read_fields(c: &mut Criterion) {
    let mut group = c.benchmark_group("read 8 fields of each struct");
    group.throughput(Throughput::Elements(u64::from(STRUCTS) * 8));
    let Heap { mut heap, structs, references, .. } = heap();
    group.bench_function("each", |b| {
        b.iter(|| {
            let mut sum = 0_u32;
            for &object in &structs {
                for offset in FIELDS {
                    sum = sum.wrapping_add(u32::from_le_bytes(heap.load(object, offset).expect("inside")));
                }
            }
            sum
        });
    });
    group.bench_function("view", |b| {
        b.iter(|| {
            let mut sum = 0_u32;
            for reference in &references {
                let data = heap.object_data(reference, STRUCT_BYTES);
                for offset in FIELDS {
                    sum = sum.wrapping_add(data.read_u32(offset));
                }
            }
            sum
        });
    });
    let base = heap.bytes().as_ptr();
    group.bench_function("raw", |b| {
        b.iter(|| {
            let mut sum = 0_u32;
            for &object in &structs {
                for offset in FIELDS {
                    // SAFETY: the objects are inside the heap, which does not grow.
                    sum = sum.wrapping_add(unsafe { read_raw(base, object, offset) });
                }
            }
            sum
        });
    });
    group.finish();
}

fn write_fields(c: &mut Criterion) {
    let mut group = c.benchmark_group("write 8 fields of each struct");
    group.throughput(Throughput::Elements(u64::from(STRUCTS) * 8));
    let Heap { mut heap, structs, references, .. } = heap();
    group.bench_function("each", |b| {
        b.iter(|| {
            for &object in &structs {
                for offset in FIELDS {
                    heap.store(object, offset, (object ^ offset).to_le_bytes()).expect("inside");
                }
            }
        });
    });
    group.bench_function("view", |b| {
        b.iter(|| {
            for reference in &references {
                let mut data = heap.object_data(reference, STRUCT_BYTES);
                for offset in FIELDS {
                    data.write_u32(offset, reference.as_raw_u32() ^ offset);
                }
            }
        });
    });
    let base = heap.bytes_mut().as_mut_ptr();
    group.bench_function("raw", |b| {
        b.iter(|| {
            for &object in &structs {
                for offset in FIELDS {
                    // SAFETY: the objects are inside the heap, which does not grow and is not looked at.
                    unsafe { write_raw(base, object, offset, object ^ offset) };
                }
            }
            black_box(base);
        });
    });
    group.finish();
}

fn elements(c: &mut Criterion) {
    let mut group = c.benchmark_group("sum the elements of an array");
    group.throughput(Throughput::Elements(u64::from(ELEMENTS)));
    let Heap { heap, arrays: [array, _], layout, .. } = heap();
    group.bench_function("each", |b| {
        b.iter(|| {
            (0..ELEMENTS).fold(0_u32, |sum, index| {
                let element = heap.load(array, 8 + 4 * index).expect("inside");
                sum.wrapping_add(u32::from_le_bytes(element))
            })
        });
    });
    group.bench_function("view", |b| {
        b.iter(|| {
            let bytes = heap.array_read(&layout, array, 0, ELEMENTS).expect("inside");
            bytes.as_chunks().0.iter().fold(0_u32, |sum, element| sum.wrapping_add(u32::from_le_bytes(*element)))
        });
    });
    let base = heap.bytes().as_ptr();
    group.bench_function("raw", |b| {
        b.iter(|| {
            (0..ELEMENTS).fold(0_u32, |sum, index| {
                // SAFETY: the array is inside the heap, which does not grow.
                sum.wrapping_add(unsafe { read_raw(base, array, 8 + 4 * index) })
            })
        });
    });
    group.finish();
}

fn copies(c: &mut Criterion) {
    let mut group = c.benchmark_group("copy elements between arrays");
    let Heap { mut heap, arrays: [to, from], layout, .. } = heap();
    for count in [16_u32, 256, ELEMENTS] {
        group.throughput(Throughput::Bytes(4 * u64::from(count)));
        group.bench_function(BenchmarkId::new("checked", count), |b| {
            b.iter(|| heap.array_copy(&layout, (to, 0), (from, 0), black_box(count)).expect("inside"));
        });
        let base = heap.bytes_mut().as_mut_ptr();
        group.bench_function(BenchmarkId::new("raw", count), |b| {
            b.iter(|| {
                let bytes = 4 * black_box(count) as usize;
                // SAFETY: both arrays are inside the heap.
                let source = unsafe { base.add(from as usize + 8) };
                // SAFETY: as above.
                let target = unsafe { base.add(to as usize + 8) };
                // SAFETY: so many bytes of each; arrays may be the same in general, so that this is a move.
                unsafe { source.copy_to(target, bytes) };
            });
        });
    }
    group.finish();
}

fn configured() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = configured();
    targets = read_fields, write_fields, elements, copies
}
criterion_main!(benches);
