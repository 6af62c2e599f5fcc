//! What do checks, growth, creation and borrow tracking of linear memories cost? Beside a plain slice, `mprotect` alone
//! and each other.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use tumulus::guest::{BorrowTracker, GuestBytes, GuestMemory, Region};
use tumulus::memory::{
    LinearMemory, MappedMemoryCreator, MemoryCreator, MemoryImage, MemoryType, PoolConfig, PoolMemoryCreator,
    VecMemoryCreator,
};
use tumulus::store::{Engine, Memory, Store};

const PAGE: usize = 64 << 10;
/// Words read or written in one iteration: 16 KiB, inside the first-level cache.
const WORDS: u32 = 4096;

/// A four-byte access with its bounds check, through a slice, a store's memory and a guest pointer.
fn access(criterion: &mut Criterion) {
    let mut store = Store::new(&Engine::default(), ());
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    // A walk with a stride, so that no version becomes one `memcpy`.
    let offset = |i: u32| i.wrapping_mul(68) & (4 * WORDS - 4);

    let mut group = criterion.benchmark_group("read 4 bytes");
    group.throughput(Throughput::Elements(u64::from(WORDS)));
    let plain = vec![1_u8; PAGE];
    group.bench_function("slice", |bencher| {
        let bytes = black_box(&plain[..]);
        bencher.iter(|| (0..WORDS).fold(0_u32, |sum, i| sum.wrapping_add(read(bytes, offset(i)))));
    });
    group.bench_function("Memory::data", |bencher| {
        bencher.iter(|| {
            let bytes = memory.data(&store);
            (0..WORDS).fold(0_u32, |sum, i| sum.wrapping_add(read(bytes, offset(i))))
        });
    });
    group.bench_function("Memory::read", |bencher| {
        bencher.iter(|| {
            (0..WORDS).fold(0_u32, |sum, i| {
                let mut buffer = [0; 4];
                memory.read(&store, offset(i) as usize, &mut buffer).unwrap();
                sum.wrapping_add(u32::from_le_bytes(buffer))
            })
        });
    });
    group.bench_function("GuestPtr", |bencher| {
        let (guest, ()) = memory.guest(&mut store);
        bencher.iter(|| (0..WORDS).fold(0_u32, |sum, i| sum.wrapping_add(guest.ptr::<u32>(offset(i)).read().unwrap())));
    });
    group.bench_function("GuestPtr, four at a time", |bencher| {
        let (guest, ()) = memory.guest(&mut store);
        let at = |i| guest.ptr::<u32>(offset(i)).read().unwrap();
        let four = |i| at(i).wrapping_add(at(i + 1)).wrapping_add(at(i + 2)).wrapping_add(at(i + 3));
        bencher.iter(|| (0..WORDS / 4).fold(0_u32, |sum, i| sum.wrapping_add(four(4 * i))));
    });
    group.bench_function("GuestPtr::as_slice, borrowed each time", |bencher| {
        let (guest, ()) = memory.guest(&mut store);
        bencher.iter(|| {
            let bytes = guest.ptr::<[u8]>((0, 4 * WORDS)).as_slice().unwrap().unwrap();
            (0..WORDS).fold(0_u32, |sum, i| sum.wrapping_add(read(&bytes, offset(i))))
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("write 4 bytes");
    group.throughput(Throughput::Elements(u64::from(WORDS)));
    let mut plain = plain;
    group.bench_function("slice", |bencher| {
        let bytes = black_box(&mut plain[..]);
        bencher.iter(|| (0..WORDS).for_each(|i| write(bytes, offset(i), i)));
    });
    group.bench_function("Memory::data_mut", |bencher| {
        bencher.iter(|| {
            let bytes = memory.data_mut(&mut store);
            (0..WORDS).for_each(|i| write(bytes, offset(i), i));
        });
    });
    group.bench_function("GuestPtr", |bencher| {
        let (guest, ()) = memory.guest(&mut store);
        bencher.iter(|| (0..WORDS).for_each(|i| guest.ptr::<u32>(offset(i)).write(i).unwrap()));
    });
    group.bench_function("GuestPtr, four at a time", |bencher| {
        let (guest, ()) = memory.guest(&mut store);
        let at = |i| guest.ptr::<u32>(offset(i)).write(i).unwrap();
        bencher.iter(|| (0..WORDS / 4).for_each(|i| (4 * i..4 * i + 4).for_each(at)));
    });
    group.bench_function("GuestPtr::as_slice_mut, borrowed each time", |bencher| {
        let (guest, ()) = memory.guest(&mut store);
        bencher.iter(|| {
            let mut bytes = guest.ptr::<[u8]>((0, 4 * WORDS)).as_slice_mut().unwrap().unwrap();
            (0..WORDS).for_each(|i| write(&mut bytes, offset(i), i));
        });
    });
    group.finish();
}

#[inline(always)]
fn read(bytes: &[u8], at: u32) -> u32 {
    let at = at as usize;
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[inline(always)]
fn write(bytes: &mut [u8], at: u32, value: u32) {
    let at = at as usize;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Growth by 64 KiB inside a reservation, against the system call that it consists of.
#[expect(unsafe_code, reason = "the system call alone, as the floor")]
fn grow(criterion: &mut Criterion) {
    const STEPS: usize = 256;
    let mut group = criterion.benchmark_group("grow by 64 KiB");
    group.throughput(Throughput::Elements(STEPS as u64));
    let total = STEPS * PAGE;

    group.bench_function("mprotect alone", |bencher| {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        bencher.iter_batched_ref(
            || {
                // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
                unsafe { mmap_anonymous(core::ptr::null_mut(), total, ProtFlags::empty(), flags) }.unwrap()
            },
            |base| {
                for step in 0..STEPS {
                    // SAFETY: the mapping has `STEPS` pieces of this size.
                    let piece = unsafe { base.byte_add(step * PAGE) };
                    // SAFETY: these pages are the mapping's, and nobody has a reference into it.
                    unsafe { mprotect(piece, PAGE, MprotectFlags::READ | MprotectFlags::WRITE) }.unwrap();
                }
                // SAFETY: the whole mapping, which nobody uses.
                unsafe { munmap(*base, total) }.unwrap();
            },
            BatchSize::PerIteration,
        );
    });
    let creators: [(&str, Box<dyn MemoryCreator>, usize); 3] = [
        ("mapped, inside the reservation", Box::new(MappedMemoryCreator::default()), total),
        ("Vec, inside its capacity", Box::new(VecMemoryCreator), total),
        ("Vec, moving", Box::new(VecMemoryCreator), 0),
    ];
    for (name, creator, reserved) in creators {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || creator.new_memory(MemoryType::new(0, None), 0, None, Some(reserved), 0).unwrap(),
                |mut memory| {
                    for step in 1..=STEPS {
                        memory.grow_to(step * PAGE).unwrap();
                    }
                    drop(memory);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Creating a memory of 1 MiB, touching 64 KiB of it and dropping it.
fn create(criterion: &mut Criterion) {
    const SIZE: usize = 16 * PAGE;
    let ty = MemoryType::new(16, Some(16));
    let image = MemoryImage::new(&vec![7; SIZE]).unwrap();
    let pool = PoolConfig { slots: 4, slot_size: SIZE, guard_size: PAGE, ..PoolConfig::default() };
    let decommitting = PoolConfig { rewrite_max: 0, ..pool.clone() };
    let overwriting = PoolConfig { rewrite_max: SIZE, ..pool };

    let mut group = criterion.benchmark_group("create, touch 64 KiB, drop");
    let mut measure = |name: &str, make: &dyn Fn() -> Box<dyn LinearMemory>| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut memory = tumulus::memory::LocalMemory::new(make());
                for byte in memory.bytes_mut()[..PAGE].iter_mut().step_by(4096) {
                    *byte = 1;
                }
                memory
            });
        });
    };
    let mapped = MappedMemoryCreator::default();
    measure("fresh mapping", &|| mapped.new_memory(ty, SIZE, Some(SIZE), Some(SIZE), PAGE).unwrap());
    let pool = PoolMemoryCreator::new(decommitting).unwrap();
    measure("pool, decommitting", &|| pool.new_memory(ty, SIZE, Some(SIZE), Some(SIZE), PAGE).unwrap());
    let pool = PoolMemoryCreator::new(overwriting).unwrap();
    measure("pool, overwriting", &|| pool.new_memory(ty, SIZE, Some(SIZE), Some(SIZE), PAGE).unwrap());
    measure("image of 1 MiB, mapped", &|| {
        mapped.new_memory_from_image(ty, SIZE, Some(SIZE), Some(SIZE), PAGE, &image).unwrap()
    });
    measure("image of 1 MiB, copied", &|| {
        VecMemoryCreator.new_memory_from_image(ty, SIZE, Some(SIZE), Some(SIZE), 0, &image).unwrap()
    });
    group.finish();
}

/// Borrowing and releasing a region while others are out.
fn borrow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("borrow and release");
    for outstanding in [0_u64, 1, 100, 10_000] {
        group.bench_function(BenchmarkId::new("with others out", outstanding), |bencher| {
            let mut tracker = BorrowTracker::new();
            let mut bytes = vec![0; 1 << 20];
            let guest = GuestBytes::new(&mut bytes, &mut tracker);
            let handles: Vec<_> =
                (0..outstanding).map(|i| guest.shared_borrow(Region::new(64 * i, 32)).unwrap()).collect();
            bencher.iter(|| {
                let handle = guest.mut_borrow(black_box(Region::new((1 << 20) - 64, 32))).unwrap();
                guest.mut_unborrow(handle);
            });
            for handle in handles {
                guest.shared_unborrow(handle);
            }
        });
    }
    group.finish();
}

criterion_group!(benches, access, grow, create, borrow);
criterion_main!(benches);
