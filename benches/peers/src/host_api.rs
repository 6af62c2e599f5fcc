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
    AnyRef, ArrayRef, ArrayRefPre, BrandedHeap, ExternRef, RootScope, Rooted, Store, StructRef, StructRefPre, Val,
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

/// One run of a column: [`SCOPES`] times [`OPERATIONS`] operations.
type Column<'a> = (&'static str, Box<dyn FnMut() + 'a>);

/// One question.
struct Row<'a> {
    name: &'static str,
    columns: Vec<Column<'a>>,
}

/// The fastest run of each column in nanoseconds an operation.
fn measure(row: &mut Row<'_>) -> Vec<f64> {
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
    for mut row in rows()?.into_iter().filter(|row| row.name.contains(wanted)) {
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

/// A store of Wasmtime's with the types that are measured.
fn their_store() -> wasmtime::Result<(theirs::Store<()>, theirs::StructType, theirs::ArrayType)> {
    use theirs::{FieldType, Mutability, StorageType, ValType};
    let mut config = theirs::Config::new();
    config.wasm_gc(true).wasm_function_references(true);
    let engine = theirs::Engine::new(&config)?;
    let number = FieldType::new(Mutability::Var, StorageType::ValType(ValType::I32));
    let reference = FieldType::new(Mutability::Var, StorageType::ValType(ValType::Ref(theirs::RefType::ANYREF)));
    let pair = theirs::StructType::new(&engine, [number, reference])?;
    let bytes = theirs::ArrayType::new(&engine, FieldType::new(Mutability::Var, StorageType::I8));
    Ok((theirs::Store::new(&engine, ()), pair, bytes))
}

fn ours<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("no operation here fails")
}

/// A store of this crate's with the same types.
fn our_store() -> (Store<()>, StructRefPre, ArrayRefPre) {
    let mut store = Store::new(&tumulus::store::Engine::default(), ());
    let pair = our_pair(&store);
    let pair = ours(StructRefPre::new(&mut store, &pair));
    let bytes = our_type(&store, ArrayType::new(FieldType::new(Mutability::Var, StorageType::I8)));
    let bytes = ours(ArrayRefPre::new(&mut store, &bytes));
    (store, pair, bytes)
}

fn our_pair(store: &Store<()>) -> RegisteredType {
    let number = FieldType::new(Mutability::Var, ValType::I32.into());
    let reference = FieldType::new(Mutability::Var, RefType::ANYREF.into());
    our_type(store, StructType::new([number, reference]))
}

fn our_type(store: &Store<()>, ty: impl Into<tumulus::types::CompositeType>) -> RegisteredType {
    ours(store.engine().types().register(vec![SubType::new(ty.into())])).get(0)
}

/// A heap without a store, with the same types.
fn our_heap() -> (GcHeap, Arc<ObjectType>, Arc<ObjectType>) {
    let (store, pair, bytes) = our_store();
    let engine = store.engine();
    let object = |ty: &RegisteredType| engine.object_type(ty).expect("a type with objects");
    let (pair, bytes) = (object(pair.ty()), object(bytes.ty()));
    let collector = tumulus::collector::BuiltinCollector::default().create();
    let creator = Arc::new(tumulus::memory::MappedMemoryCreator::default());
    let mut heap = ours(GcHeap::new(HeapConfig::default(), collector, creator));
    heap.register_type(&pair);
    heap.register_type(&bytes);
    (heap, pair, bytes)
}

/// The same operations in each of so many scopes of Wasmtime's.
fn in_their_scopes(
    store: &mut theirs::Store<()>,
    mut operation: impl FnMut(&mut theirs::RootScope<&mut theirs::Store<()>>),
) {
    for _ in 0..SCOPES {
        let mut scope = theirs::RootScope::new(&mut *store);
        for _ in 0..OPERATIONS {
            operation(&mut scope);
        }
    }
}

/// The same operations in each of so many scopes of this crate's.
fn in_our_scopes(store: &mut Store<()>, mut operation: impl FnMut(&mut RootScope<&mut Store<()>>)) {
    for _ in 0..SCOPES {
        let mut scope = RootScope::new(&mut *store);
        for _ in 0..OPERATIONS {
            operation(&mut scope);
        }
    }
}

fn in_no_scope(mut operation: impl FnMut()) {
    for _ in 0..SCOPES * OPERATIONS {
        operation();
    }
}

fn rows() -> wasmtime::Result<Vec<Row<'static>>> {
    Ok(vec![
        struct_new()?,
        field_get()?,
        ref_get()?,
        field_set()?,
        ref_set()?,
        bytes_from_slice()?,
        numbers_from_slice()?,
        extern_new()?,
        owned_root()?,
        scoped_root()?,
        call()?,
    ])
}

fn struct_new() -> wasmtime::Result<Row<'static>> {
    let (mut store, ty, _) = their_store()?;
    let pre = theirs::StructRefPre::new(&mut store, ty);
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            let fields = [theirs::Val::I32(7), theirs::Val::AnyRef(None)];
            black_box(theirs::StructRef::new(scope, &pre, black_box(&fields)).unwrap());
        });
    };
    let (mut store, pre, _) = our_store();
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            let fields = [Val::I32(7), Val::AnyRef(None)];
            black_box(ours(StructRef::new(scope, &pre, black_box(&fields))));
        });
    };
    let (mut store, pre, _) = our_store();
    let cells = ours(pre.typed::<(i32, Option<Rooted<AnyRef>>)>());
    let typed = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(cells.create(scope, black_box((7, None)))));
        });
    };
    let (mut store, pre, _) = our_store();
    let cells = ours(pre.typed::<(i32, Option<Rooted<AnyRef>>)>());
    let branded = move || {
        let mut left = SCOPES * OPERATIONS;
        while left > 0 {
            BrandedHeap::enter(&mut store, |heap| {
                while left > 0
                    && let Some(cell) = ours(heap.create(&cells, black_box((7, None))))
                {
                    black_box(cell);
                    left -= 1;
                }
            });
            if left > 0 {
                ours(store.gc());
            }
        }
    };
    let (mut heap, pair, _) = our_heap();
    let mut roots = [0_u32];
    let raw = move || {
        in_no_scope(|| {
            let at = ours(heap.allocate_struct(&pair, &mut roots)).get();
            ours(heap.store(at, 4, black_box(7_i32).to_le_bytes()));
            ours(heap.store(at, 8, black_box(0_u32).to_le_bytes()));
            black_box(at);
        });
    };
    Ok(Row {
        name: "struct of two fields",
        columns: vec![
            ("Wasmtime", Box::new(wasmtime)),
            ("checked", Box::new(checked)),
            ("typed", Box::new(typed)),
            ("branded", Box::new(branded)),
            ("raw", Box::new(raw)),
        ],
    })
}

fn their_object(
    store: &mut theirs::Store<()>,
    ty: theirs::StructType,
) -> wasmtime::Result<theirs::Rooted<theirs::StructRef>> {
    let pre = theirs::StructRefPre::new(&mut *store, ty);
    let inner = theirs::StructRef::new(&mut *store, &pre, &[theirs::Val::I32(1), theirs::Val::AnyRef(None)])?;
    let inner = theirs::Val::AnyRef(Some(inner.to_anyref()));
    theirs::StructRef::new(&mut *store, &pre, &[theirs::Val::I32(7), inner])
}

fn our_object(store: &mut Store<()>, pre: &StructRefPre) -> Rooted<StructRef> {
    let inner = ours(StructRef::new(&mut *store, pre, &[Val::I32(1), Val::AnyRef(None)]));
    ours(StructRef::new(store, pre, &[Val::I32(7), inner.to_anyref().into()]))
}

fn raw_object(heap: &mut GcHeap, pair: &ObjectType) -> u32 {
    let mut roots = [0_u32];
    roots[0] = ours(heap.allocate_struct(pair, &mut roots)).get();
    let at = ours(heap.allocate_struct(pair, &mut roots)).get();
    ours(heap.store(at, 4, 7_i32.to_le_bytes()));
    ours(heap.write_ref(at, 8, roots[0]));
    at
}

fn field_get() -> wasmtime::Result<Row<'static>> {
    let (mut store, ty, _) = their_store()?;
    let object = their_object(&mut store, ty)?;
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            black_box(black_box(&object).field(scope, 0).unwrap());
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(black_box(&object).field(scope, 0)));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<i32>(0));
    let typed = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(field.get(scope, black_box(&object))));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<i32>(0));
    let branded = move || {
        BrandedHeap::enter(&mut store, |heap| {
            let object = ours(heap.unroot(&object));
            in_no_scope(|| {
                black_box(ours(heap.get(&field, black_box(object))));
            });
        });
    };
    let (mut heap, pair, _) = our_heap();
    let object = raw_object(&mut heap, &pair);
    let raw = move || {
        in_no_scope(|| {
            black_box(ours(heap.load::<4>(black_box(object), 4)));
        });
    };
    Ok(Row {
        name: "read a number",
        columns: vec![
            ("Wasmtime", Box::new(wasmtime)),
            ("checked", Box::new(checked)),
            ("typed", Box::new(typed)),
            ("branded", Box::new(branded)),
            ("raw", Box::new(raw)),
        ],
    })
}

fn ref_get() -> wasmtime::Result<Row<'static>> {
    let (mut store, ty, _) = their_store()?;
    let object = their_object(&mut store, ty)?;
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            black_box(black_box(&object).field(scope, 1).unwrap());
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(black_box(&object).field(scope, 1)));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<Option<Rooted<AnyRef>>>(1));
    let typed = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(field.get(scope, black_box(&object))));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<Option<Rooted<AnyRef>>>(1));
    let branded = move || {
        BrandedHeap::enter(&mut store, |heap| {
            let object = ours(heap.unroot(&object));
            in_no_scope(|| {
                black_box(ours(heap.get(&field, black_box(object))));
            });
        });
    };
    let (mut heap, pair, _) = our_heap();
    let object = raw_object(&mut heap, &pair);
    let raw = move || {
        in_no_scope(|| {
            black_box(ours(heap.read_ref(black_box(object), 8)));
        });
    };
    Ok(Row {
        name: "read a reference",
        columns: vec![
            ("Wasmtime", Box::new(wasmtime)),
            ("checked", Box::new(checked)),
            ("typed", Box::new(typed)),
            ("branded", Box::new(branded)),
            ("raw", Box::new(raw)),
        ],
    })
}

fn field_set() -> wasmtime::Result<Row<'static>> {
    let (mut store, ty, _) = their_store()?;
    let object = their_object(&mut store, ty)?;
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            black_box(&object).set_field(scope, 0, black_box(theirs::Val::I32(5))).unwrap();
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            ours(black_box(&object).set_field(scope, 0, black_box(Val::I32(5))));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<i32>(0));
    let typed = move || {
        in_our_scopes(&mut store, |scope| {
            ours(field.set(scope, black_box(&object), black_box(5)));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<i32>(0));
    let branded = move || {
        BrandedHeap::enter(&mut store, |heap| {
            let object = ours(heap.unroot(&object));
            in_no_scope(|| {
                ours(heap.set(&field, black_box(object), black_box(5)));
            });
        });
    };
    let (mut heap, pair, _) = our_heap();
    let object = raw_object(&mut heap, &pair);
    let raw = move || {
        in_no_scope(|| {
            ours(heap.store(black_box(object), 4, black_box(5_i32).to_le_bytes()));
        });
    };
    Ok(Row {
        name: "write a number",
        columns: vec![
            ("Wasmtime", Box::new(wasmtime)),
            ("checked", Box::new(checked)),
            ("typed", Box::new(typed)),
            ("branded", Box::new(branded)),
            ("raw", Box::new(raw)),
        ],
    })
}

fn ref_set() -> wasmtime::Result<Row<'static>> {
    let (mut store, ty, _) = their_store()?;
    let object = their_object(&mut store, ty)?;
    let wasmtime = move || {
        let value = theirs::Val::AnyRef(Some(object.to_anyref()));
        in_their_scopes(&mut store, |scope| {
            black_box(&object).set_field(scope, 1, black_box(value)).unwrap();
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            ours(black_box(&object).set_field(scope, 1, black_box(object.to_anyref().into())));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<Option<Rooted<AnyRef>>>(1));
    let typed = move || {
        in_our_scopes(&mut store, |scope| {
            ours(field.set(scope, black_box(&object), black_box(Some(object.to_anyref()))));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let field = ours(pre.field::<Option<Rooted<AnyRef>>>(1));
    let branded = move || {
        BrandedHeap::enter(&mut store, |heap| {
            let object = ours(heap.unroot(&object));
            in_no_scope(|| {
                ours(heap.set(&field, black_box(object), black_box(Some(object.to_anyref()))));
            });
        });
    };
    let (mut heap, pair, _) = our_heap();
    let object = raw_object(&mut heap, &pair);
    let raw = move || {
        in_no_scope(|| {
            ours(heap.write_ref(black_box(object), 8, black_box(object)));
        });
    };
    Ok(Row {
        name: "write a reference",
        columns: vec![
            ("Wasmtime", Box::new(wasmtime)),
            ("checked", Box::new(checked)),
            ("typed", Box::new(typed)),
            ("branded", Box::new(branded)),
            ("raw", Box::new(raw)),
        ],
    })
}

fn bytes_from_slice() -> wasmtime::Result<Row<'static>> {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(ARRAY_BYTES).collect();
    let (mut store, _, ty) = their_store()?;
    let pre = theirs::ArrayRefPre::new(&mut store, ty);
    let source = bytes.clone();
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            black_box(theirs::ArrayRef::new_from_i8_slice(scope, &pre, black_box(&source)).unwrap());
        });
    };
    let (mut store, _, pre) = our_store();
    let source = bytes.clone();
    let typed = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(ArrayRef::from_slice(scope, &pre, black_box(&source))));
        });
    };
    let (mut heap, _, ty) = our_heap();
    let layout = *ty.as_array().expect("an array type");
    let mut roots = [0_u32];
    let raw = move || {
        in_no_scope(|| {
            let at = ours(heap.allocate_array(&ty, ARRAY_BYTES as u32, &mut roots)).get();
            ours(heap.array_bytes_mut(&layout, at)).copy_from_slice(black_box(&bytes));
            black_box(at);
        });
    };
    Ok(Row {
        name: "array of 1 KiB from bytes",
        columns: vec![("Wasmtime", Box::new(wasmtime)), ("typed", Box::new(typed)), ("raw", Box::new(raw))],
    })
}

/// Wasmtime takes elements of other types than `i8` as values.
fn numbers_from_slice() -> wasmtime::Result<Row<'static>> {
    let numbers: Vec<i32> = (0..).take(ARRAY_BYTES / 4).collect();
    let (mut store, ..) = their_store()?;
    let number = theirs::StorageType::ValType(theirs::ValType::I32);
    let ty = theirs::ArrayType::new(store.engine(), theirs::FieldType::new(theirs::Mutability::Var, number));
    let pre = theirs::ArrayRefPre::new(&mut store, ty);
    let source = numbers.clone();
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            let values: Vec<_> = black_box(&source).iter().map(|&number| theirs::Val::I32(number)).collect();
            black_box(theirs::ArrayRef::new_fixed(scope, &pre, &values).unwrap());
        });
    };
    let (mut store, ..) = our_store();
    let ty = our_type(&store, ArrayType::new(FieldType::new(Mutability::Var, ValType::I32.into())));
    let pre = ours(ArrayRefPre::new(&mut store, &ty));
    let source = numbers.clone();
    let typed = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(ArrayRef::from_slice(scope, &pre, black_box(&source))));
        });
    };
    let (mut store, ..) = our_store();
    let ty = our_type(&store, ArrayType::new(FieldType::new(Mutability::Var, ValType::I32.into())));
    let pre = ours(ArrayRefPre::new(&mut store, &ty));
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            let values: Vec<_> = black_box(&numbers).iter().map(|&number| Val::I32(number)).collect();
            black_box(ours(ArrayRef::new_fixed(scope, &pre, &values)));
        });
    };
    Ok(Row {
        name: "array of 256 i32 from numbers",
        columns: vec![("Wasmtime", Box::new(wasmtime)), ("checked", Box::new(checked)), ("typed", Box::new(typed))],
    })
}

fn extern_new() -> wasmtime::Result<Row<'static>> {
    let (mut store, ..) = their_store()?;
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            black_box(theirs::ExternRef::new(scope, black_box(7_u64)).unwrap());
        });
    };
    let (mut store, ..) = our_store();
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            black_box(ours(ExternRef::new(scope, black_box(7_u64))));
        });
    };
    let (mut heap, ..) = our_heap();
    let mut roots = [0_u32];
    let raw = move || {
        in_no_scope(|| {
            black_box(ours(heap.allocate_extern(Box::new(black_box(7_u64)), &mut roots)));
            if heap.has_dead_payloads() {
                drop(heap.take_dead_payloads());
            }
        });
    };
    Ok(Row {
        name: "externref",
        columns: vec![("Wasmtime", Box::new(wasmtime)), ("checked", Box::new(checked)), ("raw", Box::new(raw))],
    })
}

fn owned_root() -> wasmtime::Result<Row<'static>> {
    let (mut store, ty, _) = their_store()?;
    let object = their_object(&mut store, ty)?;
    let wasmtime = move || {
        in_their_scopes(&mut store, |scope| {
            drop(black_box(black_box(&object).to_owned_rooted(scope).unwrap()));
        });
    };
    let (mut store, pre, _) = our_store();
    let object = our_object(&mut store, &pre);
    let checked = move || {
        in_our_scopes(&mut store, |scope| {
            drop(black_box(ours(black_box(&object).to_owned_rooted(scope))));
        });
    };
    Ok(Row {
        name: "owned root made and dropped",
        columns: vec![("Wasmtime", Box::new(wasmtime)), ("checked", Box::new(checked))],
    })
}

fn scoped_root() -> wasmtime::Result<Row<'static>> {
    let (mut store, ty, _) = their_store()?;
    let object = their_object(&mut store, ty)?.to_owned_rooted(&mut store)?;
    let wasmtime = move || {
        for _ in 0..SCOPES * OPERATIONS {
            let mut scope = theirs::RootScope::new(&mut store);
            black_box(black_box(&object).to_rooted(&mut scope));
        }
    };
    let (mut store, pre, _) = our_store();
    let object = ours(our_object(&mut store, &pre).to_owned_rooted(&mut store));
    let checked = move || {
        for _ in 0..SCOPES * OPERATIONS {
            let mut scope = RootScope::new(&mut store);
            black_box(ours(black_box(&object).to_rooted(&mut scope)));
        }
    };
    let (mut store, pre, _) = our_store();
    let object = ours(our_object(&mut store, &pre).to_owned_rooted(&mut store));
    let branded = move || {
        for _ in 0..SCOPES * OPERATIONS {
            BrandedHeap::enter(&mut store, |heap| {
                black_box(ours(heap.unroot_owned(black_box(&object))));
            });
        }
    };
    Ok(Row {
        name: "scope with one root",
        columns: vec![("Wasmtime", Box::new(wasmtime)), ("checked", Box::new(checked)), ("branded", Box::new(branded))],
    })
}

const IDENTITY: &str = r#"(module (func (export "same") (param i32) (result i32) local.get 0))"#;

fn call() -> wasmtime::Result<Row<'static>> {
    let (mut store, ..) = their_store()?;
    let module = theirs::Module::new(store.engine(), IDENTITY)?;
    let instance = theirs::Instance::new(&mut store, &module, &[])?;
    let func = instance.get_typed_func::<i32, i32>(&mut store, "same")?;
    let wasmtime = move || {
        in_no_scope(|| {
            black_box(func.call(&mut store, black_box(7)).unwrap());
        });
    };
    let (mut store, ..) = our_store();
    let module = ours(tumulus::wasm::Module::new(store.engine(), IDENTITY));
    let instance = ours(tumulus::wasm::Instance::new(&mut store, &module, &[]));
    let func = instance.get_func(&mut store, "same").expect("the module exports it");
    let (mut checked_store, checked_func) = (store, func);
    let checked = move || {
        in_no_scope(|| {
            let mut results = [Val::I32(0)];
            ours(checked_func.call(&mut checked_store, &[Val::I32(black_box(7))], &mut results));
            black_box(results);
        });
    };
    let (mut store, ..) = our_store();
    let module = ours(tumulus::wasm::Module::new(store.engine(), IDENTITY));
    let instance = ours(tumulus::wasm::Instance::new(&mut store, &module, &[]));
    let func = instance.get_func(&mut store, "same").expect("the module exports it");
    let func = ours(func.typed::<i32, i32>(&store));
    let typed = move || {
        in_no_scope(|| {
            black_box(ours(func.call(&mut store, black_box(7))));
        });
    };
    Ok(Row {
        name: "call of a guest function",
        columns: vec![("Wasmtime", Box::new(wasmtime)), ("checked", Box::new(checked)), ("typed", Box::new(typed))],
    })
}
