//! What does the host's API cost above the heap's own calls? One operation at a time on one object or into a nursery,
//! with checked dynamic values, with typed forms, with branded references, and with the heap alone.

mod support {
    pub(crate) mod collectors;
    pub(crate) mod cpu_time;
    pub(crate) mod heaps;
}

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use support::collectors::FREEING;
use support::cpu_time::CpuTime;
use support::heaps::{heap_of, references};
use tumulus::store::{AnyRef, BrandedHeap, Config, Engine, RootScope, Rooted, Store, StructRef, StructRefPre, Val};

/// Operations in one scope, and in one measured piece.
const OPERATIONS: u32 = 64;

type Pair = (Option<Rooted<AnyRef>>, Option<Rooted<AnyRef>>);

/// A store whose heap has a type of two references.
fn store_of() -> (Store<()>, StructRefPre) {
    let mut config = Config::new();
    config.collector(tumulus::collector::BuiltinCollector::default());
    let engine = Engine::new(&config).expect("valid settings");
    let ty = engine.types().register(vec![references::<2>()]).expect("a valid type").get(0);
    let mut store = Store::new(&engine, ());
    let pre = StructRefPre::new(&mut store, &ty).expect("a struct type of this engine");
    (store, pre)
}

fn create(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("64 structs of two references");
    group.bench_function("checked", |bencher| {
        let (mut store, pre) = store_of();
        bencher.iter(|| {
            let mut scope = RootScope::new(&mut store);
            for _ in 0..OPERATIONS {
                black_box(StructRef::new(&mut scope, &pre, &[Val::AnyRef(None), Val::AnyRef(None)]).unwrap());
            }
        });
    });
    group.bench_function("typed", |bencher| {
        let (mut store, pre) = store_of();
        let pairs = pre.typed::<Pair>().unwrap();
        bencher.iter(|| {
            let mut scope = RootScope::new(&mut store);
            for _ in 0..OPERATIONS {
                black_box(pairs.create(&mut scope, black_box((None, None))).unwrap());
            }
        });
    });
    group.bench_function("branded", |bencher| {
        let (mut store, pre) = store_of();
        let pairs = pre.typed::<Pair>().unwrap();
        bencher.iter(|| {
            let mut left = OPERATIONS;
            while left > 0 {
                BrandedHeap::enter(&mut store, |heap| {
                    while left > 0
                        && let Some(pair) = heap.create(&pairs, black_box((None, None))).unwrap()
                    {
                        black_box(pair);
                        left -= 1;
                    }
                });
                if left > 0 {
                    store.gc().unwrap();
                }
            }
        });
    });
    group.bench_function("heap", |bencher| {
        let (mut heap, [pair]) = heap_of(FREEING[2], 4 << 30, [references::<2>()]);
        let mut roots = [0_u32];
        bencher.iter(|| {
            for _ in 0..OPERATIONS {
                let at = heap.allocate_struct(&pair, &mut roots).unwrap().get();
                heap.store(at, 4, black_box(0_u32).to_le_bytes()).unwrap();
                heap.store(at, 8, black_box(0_u32).to_le_bytes()).unwrap();
                black_box(at);
            }
        });
    });
    group.finish();
}

fn access(criterion: &mut Criterion<CpuTime>) {
    let (mut store, pre) = store_of();
    let object = StructRef::new_default(&mut store, &pre).unwrap();
    let field = pre.field::<Option<Rooted<AnyRef>>>(0).unwrap();
    let (mut heap, [pair]) = heap_of(FREEING[2], 4 << 30, [references::<2>()]);
    let raw = heap.allocate_struct(&pair, &mut [0_u32]).unwrap().get();

    let mut group = criterion.benchmark_group("64 references read");
    group.bench_function("checked", |bencher| {
        bencher.iter(|| {
            let mut scope = RootScope::new(&mut store);
            for _ in 0..OPERATIONS {
                black_box(black_box(&object).field(&mut scope, 0).unwrap());
            }
        });
    });
    group.bench_function("typed", |bencher| {
        bencher.iter(|| {
            let mut scope = RootScope::new(&mut store);
            for _ in 0..OPERATIONS {
                black_box(field.get(&mut scope, black_box(&object)).unwrap());
            }
        });
    });
    group.bench_function("branded", |bencher| {
        bencher.iter(|| {
            BrandedHeap::enter(&mut store, |heap| {
                let object = heap.unroot(&object).unwrap();
                for _ in 0..OPERATIONS {
                    black_box(heap.get(&field, black_box(object)).unwrap());
                }
            });
        });
    });
    group.bench_function("heap", |bencher| {
        bencher.iter(|| {
            for _ in 0..OPERATIONS {
                black_box(heap.read_ref(black_box(raw), 4).unwrap());
            }
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("64 references written");
    group.bench_function("checked", |bencher| {
        let value = Val::from(object.to_anyref());
        bencher.iter(|| {
            for _ in 0..OPERATIONS {
                black_box(&object).set_field(&mut store, 0, black_box(value)).unwrap();
            }
        });
    });
    group.bench_function("typed", |bencher| {
        bencher.iter(|| {
            for _ in 0..OPERATIONS {
                field.set(&mut store, black_box(&object), black_box(Some(object.to_anyref()))).unwrap();
            }
        });
    });
    group.bench_function("branded", |bencher| {
        bencher.iter(|| {
            BrandedHeap::enter(&mut store, |heap| {
                let object = heap.unroot(&object).unwrap();
                for _ in 0..OPERATIONS {
                    heap.set(&field, black_box(object), black_box(Some(object.to_anyref()))).unwrap();
                }
            });
        });
    });
    group.bench_function("heap", |bencher| {
        bencher.iter(|| {
            for _ in 0..OPERATIONS {
                heap.write_ref(black_box(raw), 4, black_box(raw)).unwrap();
            }
        });
    });
    group.finish();
}

fn roots(criterion: &mut Criterion<CpuTime>) {
    let (mut store, pre) = store_of();
    let object = StructRef::new_default(&mut store, &pre).unwrap();
    let mut group = criterion.benchmark_group("roots");
    group.bench_function("64 owned ones made, then dropped", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                let made: [_; OPERATIONS as usize] =
                    std::array::from_fn(|_| object.to_owned_rooted(&mut store).unwrap());
                black_box(made)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("64 scopes with one", |bencher| {
        let owned = object.to_owned_rooted(&mut store).unwrap();
        bencher.iter(|| {
            for _ in 0..OPERATIONS {
                let mut scope = RootScope::new(&mut store);
                black_box(owned.to_rooted(&mut scope).unwrap());
            }
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = CpuTime::criterion(); targets = create, access, roots }
criterion_main!(benches);
