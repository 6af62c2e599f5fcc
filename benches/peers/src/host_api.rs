//! The host's API beside Wasmtime's: objects made, read, written and rooted by the embedder, one at a time.
//!
//! Each row does the same work in each column: with Wasmtime, with checked dynamic values, with what was prepared and
//! typed once, with branded references, and with the calls of the heap below all of these. All columns of a row run in
//! turn, and the fastest of many short runs counts, so that a busy machine meets all of them.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::object::ObjectType;
use tumulus::store::{
    AnyRef, ArrayRef, ArrayRefPre, Branded, BrandedHeap, ExternRef, Func, RootScope, Rooted, Store, StructRef,
    StructRefPre, Val,
};
use tumulus::types::{
    ArrayType, FieldType, Mutability, RefType, RegisteredType, StorageType, StructType, SubType, ValType,
};

/// Operations in one scope, and between two looks at the clock.
const OPERATIONS: u32 = 64;
/// Scopes in one run.
const SCOPES: u32 = 16;
/// Runs of each column; the fastest counts.
const RUNS: u32 = 400;
/// Elements of the array that is made from a slice.
const ARRAY_BYTES: usize = 1024;

/// One way to do it: what it is called, and one run, which is [`SCOPES`] times [`OPERATIONS`] operations.
type Column = (&'static str, Box<dyn FnMut()>);

/// One question.
struct Row {
    name: &'static str,
    columns: Vec<Column>,
}

/// The fastest run of each column in nanoseconds an operation.
fn measure(row: &mut Row) -> Vec<f64> {
    let mut best = vec![f64::INFINITY; row.columns.len()];
    for _ in 0..RUNS {
        for ((_, run), best) in row.columns.iter_mut().zip(&mut best) {
            let started = Instant::now();
            run();
            let nanos = started.elapsed().as_nanos() as f64 / f64::from(SCOPES * OPERATIONS);
            *best = best.min(nanos);
        }
    }
    best
}

/// Measures the rows whose names contain `wanted` and prints nanoseconds an operation and how many times as fast as
/// Wasmtime that is.
pub fn print(wanted: &str) -> wasmtime::Result<()> {
    println!("{:30} {:>9}", "ns (times as fast)", "Wasmtime");
    for mut row in rows().into_iter().filter(|row| row.name.contains(wanted)) {
        let best = measure(&mut row);
        print!("{:30} {:9.1}", row.name, best[0]);
        for ((name, _), nanos) in row.columns.iter().zip(&best).skip(1) {
            print!("  {name} {nanos:.2} ({:.1}x)", best[0] / nanos);
        }
        println!();
    }
    Ok(())
}

mod theirs {
    pub(super) use wasmtime::*;
}

/// What an operation came to, as if it were used.
fn keep<T>(value: T) {
    black_box(value);
}

fn ours<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("no operation here fails")
}

/// What columns of Wasmtime's work on.
struct Theirs {
    pair: theirs::StructRefPre,
    bytes: theirs::ArrayRefPre,
    numbers: theirs::ArrayRefPre,
    /// A pair whose reference leads to another.
    object: theirs::Rooted<theirs::StructRef>,
}

fn their_store() -> (theirs::Store<()>, Theirs) {
    use theirs::{ArrayType, FieldType, Mutability, StorageType, ValType};
    let mut config = theirs::Config::new();
    config.wasm_gc(true).wasm_function_references(true);
    let engine = ours(theirs::Engine::new(&config));
    let mut store = theirs::Store::new(&engine, ());
    let number = FieldType::new(Mutability::Var, StorageType::ValType(ValType::I32));
    let reference = FieldType::new(Mutability::Var, StorageType::ValType(ValType::Ref(theirs::RefType::ANYREF)));
    let byte = FieldType::new(Mutability::Var, StorageType::I8);
    let pair = ours(theirs::StructType::new(&engine, [number.clone(), reference]));
    let pair = theirs::StructRefPre::new(&mut store, pair);
    let mut array = |element| theirs::ArrayRefPre::new(&mut store, ArrayType::new(&engine, element));
    let (bytes, numbers) = (array(byte), array(number));
    let null = [theirs::Val::I32(1), theirs::Val::AnyRef(None)];
    let inner = ours(theirs::StructRef::new(&mut store, &pair, &null)).to_anyref();
    let outer = [theirs::Val::I32(7), theirs::Val::AnyRef(Some(inner))];
    let object = ours(theirs::StructRef::new(&mut store, &pair, &outer));
    (store, Theirs { pair, bytes, numbers, object })
}

/// What columns of this crate's work on: the same.
struct Ours {
    pair: StructRefPre,
    bytes: ArrayRefPre,
    numbers: ArrayRefPre,
    object: Rooted<StructRef>,
}

type Pair = (i32, Option<Rooted<AnyRef>>);

fn our_store() -> (Store<()>, Ours) {
    let mut store = Store::new(&tumulus::store::Engine::default(), ());
    let number = FieldType::new(Mutability::Var, ValType::I32.into());
    let reference = FieldType::new(Mutability::Var, RefType::ANYREF.into());
    let byte = FieldType::new(Mutability::Var, StorageType::I8);
    let types =
        [StructType::new([number, reference]).into(), ArrayType::new(byte).into(), ArrayType::new(number).into()];
    let [pair, bytes, numbers] = types
        .map(|ty: tumulus::types::CompositeType| ours(store.engine().types().register(vec![SubType::new(ty)])).get(0));
    let pair = ours(StructRefPre::new(&mut store, &pair));
    let [bytes, numbers] = [bytes, numbers].map(|ty| ours(ArrayRefPre::new(&mut store, &ty)));
    let inner = ours(StructRef::new(&mut store, &pair, &[Val::I32(1), Val::AnyRef(None)]));
    let object = ours(StructRef::new(&mut store, &pair, &[Val::I32(7), inner.to_anyref().into()]));
    (store, Ours { pair, bytes, numbers, object })
}

/// A heap without a store, and the same in it.
struct Raw {
    heap: GcHeap,
    pair: Arc<ObjectType>,
    bytes: Arc<ObjectType>,
    /// A pair, which is the root.
    object: [u32; 1],
}

fn our_heap() -> Raw {
    let (store, Ours { pair, bytes, .. }) = our_store();
    let object_type = |ty: &RegisteredType| store.engine().object_type(ty).expect("a type with objects");
    let (pair, bytes) = (object_type(pair.ty()), object_type(bytes.ty()));
    let collector = tumulus::collector::BuiltinCollector::default().create();
    let creator = Arc::new(tumulus::memory::MappedMemoryCreator::default());
    let mut heap = ours(GcHeap::new(HeapConfig::default(), collector, creator));
    heap.register_type(&pair);
    heap.register_type(&bytes);
    let mut object = [0];
    object[0] = ours(heap.allocate_struct(&pair, &mut object)).get();
    Raw { heap, pair, bytes, object }
}

/// Operations without a scope.
fn plain(name: &'static str, mut operation: impl FnMut() + 'static) -> Column {
    let run = move || {
        for _ in 0..SCOPES * OPERATIONS {
            operation();
        }
    };
    (name, Box::new(run))
}

/// Operations in Wasmtime's scopes, with what was prepared for them.
fn wasmtime<P: 'static>(
    prepare: impl FnOnce(&mut theirs::Store<()>, Theirs) -> P,
    mut operation: impl FnMut(&mut theirs::RootScope<&mut theirs::Store<()>>, &P) + 'static,
) -> Column {
    let (mut store, known) = their_store();
    let prepared = prepare(&mut store, known);
    let run = move || {
        for _ in 0..SCOPES {
            let mut scope = theirs::RootScope::new(&mut store);
            for _ in 0..OPERATIONS {
                operation(&mut scope, &prepared);
            }
        }
    };
    ("Wasmtime", Box::new(run))
}

/// The same in this crate's scopes.
fn scoped<P: 'static>(
    name: &'static str,
    prepare: impl FnOnce(&mut Store<()>, Ours) -> P,
    mut operation: impl FnMut(&mut RootScope<&mut Store<()>>, &P) + 'static,
) -> Column {
    let (mut store, known) = our_store();
    let prepared = prepare(&mut store, known);
    let run = move || {
        for _ in 0..SCOPES {
            let mut scope = RootScope::new(&mut store);
            for _ in 0..OPERATIONS {
                operation(&mut scope, &prepared);
            }
        }
    };
    (name, Box::new(run))
}

/// The same on a branded reference to an object.
fn branded<P: 'static>(
    prepare: impl FnOnce(&Ours) -> P,
    mut operation: impl for<'b> FnMut(&mut BrandedHeap<'b>, Branded<'b, StructRef>, &P) + 'static,
) -> Column {
    let (mut store, known) = our_store();
    let prepared = prepare(&known);
    let run = move || {
        BrandedHeap::enter(&mut store, |heap| {
            let object = ours(heap.unroot(&known.object));
            for _ in 0..SCOPES * OPERATIONS {
                operation(heap, black_box(object), &prepared);
            }
        });
    };
    ("branded", Box::new(run))
}

/// The same with the calls of the heap.
fn raw(mut operation: impl FnMut(&mut Raw) + 'static) -> Column {
    let mut heap = our_heap();
    plain("raw", move || operation(&mut heap))
}

fn row<const N: usize>(name: &'static str, columns: [Column; N]) -> Row {
    Row { name, columns: columns.into() }
}

fn rows() -> Vec<Row> {
    let mut rows = vec![struct_new()];
    rows.extend(access());
    rows.extend([bytes_from_slice(), numbers_from_slice(), extern_new(), owned_root(), scoped_root(), call()]);
    rows
}

fn struct_new() -> Row {
    let (mut store, known) = our_store();
    let cells = ours(known.pair.typed::<Pair>());
    let branded = move || {
        let mut left = SCOPES * OPERATIONS;
        while left > 0 {
            BrandedHeap::enter(&mut store, |heap| {
                while left > 0
                    && let Some(cell) = ours(heap.create(&cells, black_box((7, None))))
                {
                    keep(cell);
                    left -= 1;
                }
            });
            if left > 0 {
                ours(store.gc());
            }
        }
    };
    let wasmtime = wasmtime(
        |_, known| known.pair,
        |scope, pair| {
            let fields = [theirs::Val::I32(7), theirs::Val::AnyRef(None)];
            keep(ours(theirs::StructRef::new(scope, pair, black_box(&fields))));
        },
    );
    let checked = scoped(
        "checked",
        |_, known| known.pair,
        |scope, pair| {
            let fields = [Val::I32(7), Val::AnyRef(None)];
            keep(ours(StructRef::new(scope, pair, black_box(&fields))));
        },
    );
    let typed = scoped(
        "typed",
        |_, known| ours(known.pair.typed::<Pair>()),
        |scope, cells| keep(ours(cells.create(scope, black_box((7, None))))),
    );
    let raw = raw(|Raw { heap, pair, object, .. }| {
        let at = ours(heap.allocate_struct(pair, object)).get();
        ours(heap.store(at, 4, black_box(7_i32).to_le_bytes()));
        ours(heap.store(at, 8, black_box(0_u32).to_le_bytes()));
        keep(at);
    });
    row("struct of two fields", [wasmtime, checked, typed, ("branded", Box::new(branded)), raw])
}

/// Fields read and written.
fn access() -> [Row; 4] {
    let number = |known: &Ours| ours(known.pair.field::<i32>(0));
    let reference = |known: &Ours| ours(known.pair.field::<Option<Rooted<AnyRef>>>(1));
    let their_ref = |object: &theirs::Rooted<theirs::StructRef>| theirs::Val::AnyRef(Some(object.to_anyref()));
    let read_number = row(
        "read a number",
        [
            wasmtime(|_, known| known.object, |scope, object| keep(black_box(object).field(scope, 0))),
            scoped(
                "checked",
                |_, known| known.object,
                |scope, object| {
                    keep(ours(black_box(object).field(scope, 0)));
                },
            ),
            scoped(
                "typed",
                move |_, known| (known.object, number(&known)),
                |scope, (object, field)| {
                    keep(ours(field.get(scope, black_box(object))));
                },
            ),
            branded(number, |heap, object, field| keep(ours(heap.get(field, object)))),
            raw(|Raw { heap, object, .. }| keep(ours(heap.load::<4>(black_box(object[0]), 4)))),
        ],
    );
    let read_reference = row(
        "read a reference",
        [
            wasmtime(|_, known| known.object, |scope, object| keep(black_box(object).field(scope, 1))),
            scoped(
                "checked",
                |_, known| known.object,
                |scope, object| {
                    keep(ours(black_box(object).field(scope, 1)));
                },
            ),
            scoped(
                "typed",
                move |_, known| (known.object, reference(&known)),
                |scope, (object, field)| {
                    keep(ours(field.get(scope, black_box(object))));
                },
            ),
            branded(reference, |heap, object, field| keep(ours(heap.get(field, object)))),
            raw(|Raw { heap, object, .. }| keep(ours(heap.read_ref(black_box(object[0]), 8)))),
        ],
    );
    let write_number = row(
        "write a number",
        [
            wasmtime(
                |_, known| known.object,
                |scope, object| {
                    ours(black_box(object).set_field(scope, 0, black_box(theirs::Val::I32(5))));
                },
            ),
            scoped(
                "checked",
                |_, known| known.object,
                |scope, object| {
                    ours(black_box(object).set_field(scope, 0, black_box(Val::I32(5))));
                },
            ),
            scoped(
                "typed",
                move |_, known| (known.object, number(&known)),
                |scope, (object, field)| {
                    ours(field.set(scope, black_box(object), black_box(5)));
                },
            ),
            branded(number, |heap, object, field| ours(heap.set(field, object, black_box(5)))),
            raw(|Raw { heap, object, .. }| ours(heap.store(black_box(object[0]), 4, black_box(5_i32).to_le_bytes()))),
        ],
    );
    let write_reference = row(
        "write a reference",
        [
            wasmtime(
                |_, known| known.object,
                move |scope, object| {
                    ours(black_box(object).set_field(scope, 1, black_box(their_ref(object))));
                },
            ),
            scoped(
                "checked",
                |_, known| known.object,
                |scope, object| {
                    ours(black_box(object).set_field(scope, 1, black_box(object.to_anyref().into())));
                },
            ),
            scoped(
                "typed",
                move |_, known| (known.object, reference(&known)),
                |scope, (object, field)| {
                    ours(field.set(scope, black_box(object), black_box(Some(object.to_anyref()))));
                },
            ),
            branded(reference, |heap, object, field| {
                ours(heap.set(field, object, black_box(Some(object.to_anyref()))));
            }),
            raw(|Raw { heap, object, .. }| ours(heap.write_ref(black_box(object[0]), 8, black_box(object[0])))),
        ],
    );
    [read_number, read_reference, write_number, write_reference]
}

fn bytes_from_slice() -> Row {
    let source = || (0..=u8::MAX).cycle().take(ARRAY_BYTES).collect::<Vec<u8>>();
    let layout = |ty: &ObjectType| *ty.as_array().expect("an array type");
    let bytes = source();
    row(
        "array of 1 KiB from bytes",
        [
            wasmtime(
                move |_, known| (known.bytes, source()),
                |scope, (ty, bytes)| {
                    keep(ours(theirs::ArrayRef::new_from_i8_slice(scope, ty, black_box(bytes))));
                },
            ),
            scoped(
                "typed",
                move |_, known| (known.bytes, source()),
                |scope, (ty, bytes)| {
                    keep(ours(ArrayRef::from_slice(scope, ty, black_box(bytes))));
                },
            ),
            raw(move |Raw { heap, bytes: ty, object, .. }| {
                let at = ours(heap.allocate_array(ty, ARRAY_BYTES as u32, object)).get();
                ours(heap.array_bytes_mut(&layout(ty), at)).copy_from_slice(black_box(&bytes));
                keep(at);
            }),
        ],
    )
}

/// Wasmtime takes elements of other types than `i8` as values.
fn numbers_from_slice() -> Row {
    let source = || (0..).take(ARRAY_BYTES / 4).collect::<Vec<i32>>();
    row(
        "array of 256 i32 from numbers",
        [
            wasmtime(
                move |_, known| (known.numbers, source()),
                |scope, (ty, numbers)| {
                    let values: Vec<_> = black_box(numbers).iter().map(|&number| theirs::Val::I32(number)).collect();
                    keep(ours(theirs::ArrayRef::new_fixed(scope, ty, &values)));
                },
            ),
            scoped(
                "checked",
                move |_, known| (known.numbers, source()),
                |scope, (ty, numbers)| {
                    let values: Vec<_> = black_box(numbers).iter().map(|&number| Val::I32(number)).collect();
                    keep(ours(ArrayRef::new_fixed(scope, ty, &values)));
                },
            ),
            scoped(
                "typed",
                move |_, known| (known.numbers, source()),
                |scope, (ty, numbers)| {
                    keep(ours(ArrayRef::from_slice(scope, ty, black_box(numbers))));
                },
            ),
        ],
    )
}

fn extern_new() -> Row {
    row(
        "externref",
        [
            wasmtime(|_, _| (), |scope, ()| keep(ours(theirs::ExternRef::new(scope, black_box(7_u64))))),
            scoped("checked", |_, _| (), |scope, ()| keep(ours(ExternRef::new(scope, black_box(7_u64))))),
            raw(|Raw { heap, object, .. }| {
                keep(ours(heap.allocate_extern(Box::new(black_box(7_u64)), object)));
                if heap.has_dead_payloads() {
                    drop(heap.take_dead_payloads());
                }
            }),
        ],
    )
}

fn owned_root() -> Row {
    row(
        "owned root made and dropped",
        [
            wasmtime(
                |_, known| known.object,
                |scope, object| {
                    keep(ours(black_box(object).to_owned_rooted(scope)));
                },
            ),
            scoped(
                "checked",
                |_, known| known.object,
                |scope, object| {
                    keep(ours(black_box(object).to_owned_rooted(scope)));
                },
            ),
        ],
    )
}

fn scoped_root() -> Row {
    let (mut store, known) = their_store();
    let object = ours(known.object.to_owned_rooted(&mut store));
    let wasmtime = plain("Wasmtime", move || {
        let mut scope = theirs::RootScope::new(&mut store);
        keep(black_box(&object).to_rooted(&mut scope));
    });
    let (mut store, known) = our_store();
    let object = ours(known.object.to_owned_rooted(&mut store));
    let checked = plain("checked", move || {
        let mut scope = RootScope::new(&mut store);
        keep(ours(black_box(&object).to_rooted(&mut scope)));
    });
    let (mut store, known) = our_store();
    let object = ours(known.object.to_owned_rooted(&mut store));
    let branded = plain("branded", move || {
        BrandedHeap::enter(&mut store, |heap| keep(ours(heap.unroot_owned(black_box(&object)))));
    });
    row("scope with one root", [wasmtime, checked, branded])
}

const IDENTITY: &str = r#"(module (func (export "same") (param i32) (result i32) local.get 0))"#;

fn our_func() -> (Store<()>, Func) {
    let (mut store, _) = our_store();
    let module = ours(tumulus::wasm::Module::new(store.engine(), IDENTITY));
    let instance = ours(tumulus::wasm::Instance::new(&mut store, &module, &[]));
    let func = instance.get_func(&mut store, "same").expect("the module exports it");
    (store, func)
}

fn call() -> Row {
    let (mut store, _) = their_store();
    let module = ours(theirs::Module::new(store.engine(), IDENTITY));
    let instance = ours(theirs::Instance::new(&mut store, &module, &[]));
    let func = ours(instance.get_typed_func::<i32, i32>(&mut store, "same"));
    let wasmtime = plain("Wasmtime", move || keep(ours(func.call(&mut store, black_box(7)))));
    let (mut store, func) = our_func();
    let checked = plain("checked", move || {
        let mut results = [Val::I32(0)];
        ours(func.call(&mut store, &[Val::I32(black_box(7))], &mut results));
        keep(results);
    });
    let (mut store, func) = our_func();
    let func = ours(func.typed::<i32, i32>(&store));
    let typed = plain("typed", move || keep(ours(func.call(&mut store, black_box(7)))));
    row("call of a guest function", [wasmtime, checked, typed])
}
