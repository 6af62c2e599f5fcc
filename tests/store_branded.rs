//! References without handles: what a closure in which nothing collects can do, and when it has to be left.

use std::num::NonZeroU32;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Error, Misuse, OutOfMemoryKind};
use tumulus::heap::HeapConfig;
use tumulus::store::{
    AnyRef, ArrayRef, ArrayRefPre, Branded, BrandedHeap, Config, Engine, EqRef, Func, I31, Rooted, Store, StructRef,
    StructRefPre,
};
use tumulus::types::{
    ArrayType, FieldType, FuncType, HeapType, Mutability, RefType, StorageType, StructType, SubType, ValType,
};

fn store_of(collector: BuiltinCollector, heap: HeapConfig) -> Store<()> {
    Store::new(&Engine::new(Config::new().collector(collector).heap(heap)).unwrap(), ())
}

fn store() -> Store<()> {
    Store::new(&Engine::default(), ())
}

fn field(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage.into())
}

fn struct_pre(store: &mut Store<()>, fields: &[FieldType]) -> StructRefPre {
    let ty = store.engine().types().register(vec![SubType::new(StructType::new(fields.to_vec()))]).unwrap().get(0);
    StructRefPre::new(store, &ty).unwrap()
}

fn array_pre(store: &mut Store<()>, element: FieldType) -> ArrayRefPre {
    let ty = store.engine().types().register(vec![SubType::new(ArrayType::new(element))]).unwrap().get(0);
    ArrayRefPre::new(store, &ty).unwrap()
}

fn misuse<T: std::fmt::Debug>(result: Result<T, Error>) -> Misuse {
    match result.unwrap_err().into_cause() {
        Cause::Misuse(misuse) => misuse,
        other => panic!("{other:?}"),
    }
}

type Cell = (i64, Option<Rooted<StructRef>>);

/// A list is built in pieces: the closure is left when the store has to collect, with what is done as a root.
#[test]
fn what_is_built_in_pieces_survives_the_collections_between() {
    for collector in BuiltinCollector::ALL {
        for zeal in [None, NonZeroU32::new(7)] {
            let heap = HeapConfig {
                initial_bytes: 256 << 10,
                max_bytes: 8 << 20,
                zeal,
                verify: true,
                poison: true,
                ..HeapConfig::default()
            };
            let mut store = store_of(collector, heap);
            let pre = struct_pre(&mut store, &[field(ValType::I64), field(RefType::STRUCTREF)]);
            let (cells, number) = (pre.typed::<Cell>().unwrap(), pre.field::<i64>(0).unwrap());
            let next = pre.field::<Option<Rooted<StructRef>>>(1).unwrap();
            let (mut list, mut made, mut rounds) = (None::<Rooted<StructRef>>, 0, 0);
            while made < 20_000 {
                rounds += 1;
                list = BrandedHeap::enter(&mut store, |heap| {
                    let mut newest = list.map(|list| heap.unroot(&list).unwrap());
                    while made < 20_000
                        && let Some(cell) = heap.create(&cells, (made, newest)).unwrap()
                    {
                        newest = Some(cell);
                        made += 1;
                        // As much garbage as what stays.
                        let _garbage = heap.create(&cells, (0, None)).unwrap();
                    }
                    newest.map(|cell| heap.root(cell).unwrap())
                });
                store.gc().unwrap();
                assert!(rounds < 1000, "{collector}: a collection makes room");
            }
            let sum = BrandedHeap::enter(&mut store, |heap| {
                let (mut at, mut sum) = (list.map(|list| heap.unroot(&list).unwrap()), 0);
                while let Some(cell) = at {
                    sum += heap.get(&number, cell).unwrap();
                    at = heap.get(&next, cell).unwrap();
                }
                sum
            });
            assert_eq!(sum, 19_999 * 20_000 / 2, "{collector}");
        }
    }
}

#[test]
fn an_allocation_that_would_collect_says_so_and_one_that_no_collection_helps_is_an_error() {
    let heap = HeapConfig { initial_bytes: 256 << 10, max_bytes: 1 << 20, ..HeapConfig::default() };
    for collector in BuiltinCollector::ALL {
        let mut store = store_of(collector, heap.clone());
        let bytes = array_pre(&mut store, field(StorageType::I8));
        let before = store.heap_stats().collections;
        let outcome = BrandedHeap::enter(&mut store, |heap| {
            for _ in 0..10_000 {
                match heap.create_array(&bytes, 1000) {
                    Ok(Some(_)) => {}
                    other => return other.map(|_| ()),
                }
            }
            panic!("{collector}: 10 MB in 1 MiB")
        });
        assert_eq!(store.heap_stats().collections, before, "{collector}");
        if collector == BuiltinCollector::Null {
            let error = outcome.unwrap_err();
            assert_eq!(error.out_of_memory().map(|refused| refused.kind), Some(OutOfMemoryKind::HeapFull));
            continue;
        }
        outcome.unwrap();
        store.gc().unwrap();
        let made = BrandedHeap::enter(&mut store, |heap| heap.create_array(&bytes, 1000).unwrap().is_some());
        assert!(made, "{collector}: there is room after a collection");
        let too_large = BrandedHeap::enter(&mut store, |heap| heap.create_array(&bytes, 2 << 20).map(|_| ()));
        let refused = too_large.unwrap_err().out_of_memory().map(|refused| refused.kind);
        assert_eq!(refused, Some(OutOfMemoryKind::TooLarge), "{collector}");
    }
}

/// B12 once more: an old object keeps a young one that only a branded reference stored.
#[test]
fn branded_writes_tell_the_collector() {
    for collector in BuiltinCollector::ALL {
        let mut store = store_of(collector, HeapConfig { verify: true, poison: true, ..HeapConfig::default() });
        let pre = struct_pre(&mut store, &[field(ValType::I64), field(RefType::STRUCTREF)]);
        let refs = array_pre(&mut store, field(RefType::ANYREF));
        let (cells, number) = (pre.typed::<Cell>().unwrap(), pre.field::<i64>(0).unwrap());
        let (next, elements) =
            (pre.field::<Option<Rooted<StructRef>>>(1).unwrap(), refs.elements::<Option<Rooted<AnyRef>>>().unwrap());
        let old = cells.create(&mut store, (1, None)).unwrap();
        let array = ArrayRef::new_default(&mut store, &refs, 40_000).unwrap();
        for _ in 0..3 {
            store.gc().unwrap();
        }
        BrandedHeap::enter(&mut store, |heap| {
            let (old, array) = (heap.unroot(&old).unwrap(), heap.unroot(&array).unwrap());
            let young = heap.create(&cells, (2, None)).unwrap().expect("room after a collection");
            let other = heap.create(&cells, (3, None)).unwrap().expect("room after a collection");
            heap.set(&next, old, Some(young)).unwrap();
            heap.set_elem(&elements, array, 39_999, Some(other.to_anyref())).unwrap();
        });
        for _ in 0..3 {
            for _ in 0..1000 {
                let mut scope = tumulus::store::RootScope::new(&mut store);
                cells.create(&mut scope, (9, None)).unwrap();
            }
            store.gc().unwrap();
        }
        let young = next.get(&mut store, &old).unwrap().unwrap();
        assert_eq!(number.get(&mut store, &young).unwrap(), 2, "{collector}");
        let other = elements.get(&mut store, &array, 39_999).unwrap().unwrap();
        let other = other.as_struct(&store).unwrap().unwrap();
        assert_eq!(number.get(&mut store, &other).unwrap(), 3, "{collector}");
    }
}

#[test]
fn kinds_elements_and_views_are_checked_as_with_handles() {
    let mut store = store();
    let pre = struct_pre(&mut store, &[field(ValType::I64), field(RefType::STRUCTREF)]);
    let other = struct_pre(&mut store, &[field(ValType::I64)]);
    let words = array_pre(&mut store, field(StorageType::I16));
    let (cells, number) = (pre.typed::<Cell>().unwrap(), other.field::<i64>(0).unwrap());
    let elements = words.elements::<u16>().unwrap();
    let small = AnyRef::from_i31(&mut store, I31::wrapping_u32(5)).unwrap();
    BrandedHeap::enter(&mut store, |heap| {
        let cell = heap.create(&cells, (1, None)).unwrap().unwrap();
        let array = heap.create_array(&words, 3).unwrap().unwrap();
        assert!(matches!(misuse(heap.get(&number, cell)), Misuse::TypeMismatch { .. }));
        assert_eq!(heap.cast::<_, StructRef>(cell.to_anyref()).unwrap(), Some(cell));
        assert_eq!(heap.cast::<_, ArrayRef>(cell.to_anyref()).unwrap(), None);
        let small: Branded<'_, AnyRef> = heap.unroot(&small).unwrap();
        assert!(heap.cast::<_, EqRef>(small).unwrap().is_some());
        assert!(heap.cast::<_, StructRef>(small).unwrap().is_none());

        heap.set_elem(&elements, array, 2, 0xFFFF).unwrap();
        heap.view_mut::<u16>(array).unwrap().set(0, 7).unwrap();
        assert_eq!(heap.view::<u16>(array).unwrap().iter().collect::<Vec<_>>(), [7, 0, 0xFFFF]);
        assert_eq!((heap.len(array).unwrap(), heap.get_elem(&elements, array, 2).unwrap()), (3, 0xFFFF));
        let outside = Misuse::OutOfRange { what: "array", index: 3, len: 3 };
        assert_eq!(misuse(heap.get_elem(&elements, array, 3)), outside);
        assert_eq!(misuse(heap.set_elem(&elements, array, 3, 1)), outside);
    });
}

#[test]
fn typed_forms_of_another_store_or_type_are_refused() {
    let (mut one, mut two) = (store(), store());
    let [first, second] = [&mut one, &mut two].map(|store| struct_pre(store, &[field(ValType::I64)]));
    let object = StructRef::new_default(&mut two, &second).unwrap();
    let number = first.field::<i64>(0).unwrap();
    assert_eq!(misuse(number.get(&mut two, &object)), Misuse::ForeignHandle);
    assert_eq!(misuse(number.get(&mut one, &object)), Misuse::ForeignHandle);
    assert_eq!(misuse(first.typed::<(i64,)>().unwrap().create(&mut two, (1,))), Misuse::ForeignHandle);
    let branded = BrandedHeap::enter(&mut two, |heap| {
        let object = heap.unroot(&object).unwrap();
        heap.get(&number, object)
    });
    assert_eq!(misuse(branded), Misuse::ForeignHandle);
    assert!(matches!(misuse(first.typed::<(i32,)>()), Misuse::TypeMismatch { .. }));
    assert!(matches!(misuse(first.typed::<(i64, i64)>()), Misuse::WrongCount { wanted: 1, given: 2, .. }));
    let constant = struct_pre(&mut one, &[FieldType::new(Mutability::Const, ValType::I64.into())]);
    let object = constant.typed::<(i64,)>().unwrap().create(&mut one, (5,)).unwrap();
    let number = constant.field::<i64>(0).unwrap();
    assert_eq!(misuse(number.set(&mut one, &object, 6)), Misuse::Immutable("the field"));
    assert_eq!(number.get(&mut one, &object).unwrap(), 5);
}

#[test]
fn references_of_a_wider_kind_are_checked_where_they_are_stored() {
    let mut store = store();
    let leaf = struct_pre(&mut store, &[field(ValType::I32)]);
    let named = RefType::new(true, leaf.ty().heap_type());
    let holder = struct_pre(&mut store, &[field(named)]);
    // What says less than the field may be stored if it is right.
    let wide = holder.field::<Option<Rooted<AnyRef>>>(0).unwrap();
    let holders = holder.typed::<(Option<Rooted<AnyRef>>,)>().unwrap();
    let right = StructRef::new_default(&mut store, &leaf).unwrap().to_anyref();
    let object = holders.create(&mut store, (Some(right),)).unwrap();
    assert!(matches!(misuse(wide.set(&mut store, &object, Some(object.to_anyref()))), Misuse::TypeMismatch { .. }));
    assert!(matches!(misuse(holders.create(&mut store, (Some(object.to_anyref()),))), Misuse::TypeMismatch { .. }));
    let held = wide.get(&mut store, &object).unwrap().unwrap();
    assert!(Rooted::ref_eq(&store, &held, &right).unwrap());
}

#[test]
fn functions_lie_in_fields_and_elements() {
    let mut store = store();
    let takes = store.engine().types().register(vec![SubType::new(FuncType::new([ValType::I32], []))]).unwrap().get(0);
    let precise = RefType::new(true, takes.heap_type());
    let pre = struct_pre(&mut store, &[field(RefType::FUNCREF), field(precise)]);
    let (any, exact) = (pre.field::<Option<Func>>(0).unwrap(), pre.field::<Option<Func>>(1).unwrap());
    let object = StructRef::new_default(&mut store, &pre).unwrap();
    assert_eq!(any.get(&mut store, &object).unwrap(), None);
    let nullary = Func::wrap(&mut store, || ()).unwrap();
    let unary = Func::wrap(&mut store, |_: i32| ()).unwrap();
    any.set(&mut store, &object, Some(nullary)).unwrap();
    exact.set(&mut store, &object, Some(unary)).unwrap();
    assert!(matches!(misuse(exact.set(&mut store, &object, Some(nullary))), Misuse::TypeMismatch { .. }));
    store.gc().unwrap();
    assert_eq!(any.get(&mut store, &object).unwrap(), Some(nullary));
    assert_eq!(exact.get(&mut store, &object).unwrap(), Some(unary));
    assert!(matches!(misuse(pre.field::<Option<Rooted<AnyRef>>>(0)), Misuse::TypeMismatch { .. }));
    let funcs = array_pre(&mut store, field(RefType::FUNCREF));
    let elements = funcs.elements::<Option<Func>>().unwrap();
    let array = ArrayRef::new_default(&mut store, &funcs, 2).unwrap();
    elements.set(&mut store, &array, 1, Some(unary)).unwrap();
    assert_eq!(elements.get(&mut store, &array, 1).unwrap(), Some(unary));
    let foreign = Func::wrap(&mut self::store(), || ()).unwrap();
    assert_eq!(misuse(elements.set(&mut store, &array, 0, Some(foreign))), Misuse::ForeignHandle);
}

#[test]
fn a_subtype_has_the_fields_of_its_supertype() {
    let mut store = store();
    let parent = SubType::new(StructType::new([field(ValType::I32)])).open();
    let child = SubType::new(StructType::new([field(ValType::I32), field(ValType::I64)]));
    let child = child.extending(HeapType::Rec { index: 0, kind: tumulus::types::CompositeKind::Struct });
    let group = store.engine().types().register(vec![parent, child]).unwrap();
    let parent = StructRefPre::new(&mut store, &group.get(0)).unwrap();
    let child = StructRefPre::new(&mut store, &group.get(1)).unwrap();
    let object = child.typed::<(i32, i64)>().unwrap().create(&mut store, (3, 4)).unwrap();
    assert_eq!(parent.field::<i32>(0).unwrap().get(&mut store, &object).unwrap(), 3);
    let other = StructRef::new_default(&mut store, &parent).unwrap();
    assert!(matches!(misuse(child.field::<i64>(1).unwrap().get(&mut store, &other)), Misuse::TypeMismatch { .. }));
}
