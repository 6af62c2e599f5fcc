//! Structs and arrays in the hands of the host: values, types, casts, fields, bulk access.

use std::num::NonZeroU32;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Error, Misuse};
use tumulus::heap::HeapConfig;
use tumulus::memory::MemoryType;
use tumulus::store::{
    AnyRef, ArrayRef, ArrayRefPre, Config, Engine, EqRef, ExternRef, Func, I31, Memory, RootScope, Rooted, Store,
    StructRef, StructRefPre, Val,
};
use tumulus::types::{
    ArrayType, FieldType, FuncType, HeapType, Mutability, RefType, RegisteredType, StorageType, StructType, SubType,
    ValType,
};

fn store() -> Store<()> {
    Store::new(&Engine::default(), ())
}

fn misuse<T: std::fmt::Debug>(result: Result<T, Error>) -> Misuse {
    match result.unwrap_err().into_cause() {
        Cause::Misuse(misuse) => misuse,
        other => panic!("{other:?}"),
    }
}

fn is_mismatch<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(misuse(result), Misuse::TypeMismatch { .. })
}

fn var(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage.into())
}

fn struct_type(engine: &Engine, fields: impl IntoIterator<Item = FieldType>) -> RegisteredType {
    engine.types().register(vec![SubType::new(StructType::new(fields))]).unwrap().get(0)
}

fn array_type(engine: &Engine, element: FieldType) -> RegisteredType {
    engine.types().register(vec![SubType::new(ArrayType::new(element))]).unwrap().get(0)
}

fn array_pre(store: &mut Store<()>, element: FieldType) -> ArrayRefPre {
    let ty = array_type(store.engine(), element);
    ArrayRefPre::new(store, &ty).unwrap()
}

/// A struct type whose second field is a reference to itself, and a subtype with one field more.
fn list_types(engine: &Engine) -> (RegisteredType, RegisteredType) {
    let next = HeapType::Rec { index: 0, kind: tumulus::types::CompositeKind::Struct };
    let fields = [var(ValType::I32), var(RefType::new(true, next))];
    let longer = fields.into_iter().chain([var(ValType::F64)]);
    let group =
        vec![SubType::new(StructType::new(fields)).open(), SubType::new(StructType::new(longer)).extending(next)];
    let group = engine.types().register(group).unwrap();
    (group.get(0), group.get(1))
}

#[test]
fn every_field_type_goes_in_and_comes_out() {
    let mut store = store();
    let refs = [RefType::ANYREF, RefType::EXTERNREF, RefType::FUNCREF].map(var);
    let numbers = [ValType::I64, ValType::F32, ValType::F64, ValType::V128].map(var);
    let fields = [StorageType::I8, StorageType::I16].map(var).into_iter().chain(numbers).chain(refs);
    let ty = struct_type(store.engine(), fields);
    let ty = StructRefPre::new(&mut store, &ty).unwrap();
    let func = Func::wrap(&mut store, || 7).unwrap();
    let host = ExternRef::new(&mut store, "host").unwrap();
    let small = AnyRef::from_i31(&mut store, I31::wrapping_i32(-3)).unwrap();
    let values = [
        Val::I32(0x1FF),
        Val::I32(-1),
        Val::I64(i64::MIN),
        Val::from(-0.5_f32),
        Val::from(f64::MAX),
        Val::V128((u128::MAX - 5).into()),
        small.into(),
        host.into(),
        Val::FuncRef(Some(func)),
    ];
    let object = StructRef::new(&mut store, &ty, &values).unwrap();
    store.gc().unwrap();
    let came = object.fields(&mut store).unwrap();
    // Packed fields keep the low bits and are zero-extended.
    assert_eq!((came[0].i32(), came[1].i32()), (Some(0xFF), Some(0xFFFF)));
    assert_eq!((came[2].i64(), came[3].f32(), came[4].f64()), (Some(i64::MIN), Some(-0.5), Some(f64::MAX)));
    assert_eq!(came[5].v128(), Some((u128::MAX - 5).into()));
    let (Val::AnyRef(Some(small)), Val::ExternRef(Some(again)), Val::FuncRef(Some(func))) = (came[6], came[7], came[8])
    else {
        panic!("{came:?}")
    };
    assert_eq!(small.as_i31(&store).unwrap().map(I31::get_i32), Some(-3));
    assert!(Rooted::ref_eq(&store, &host, &again).unwrap());
    assert_eq!(func.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 7);
    store.verify().unwrap();
}

#[test]
fn wrong_values_counts_indices_and_mutability_are_told() {
    let mut store = store();
    let constant = FieldType::new(Mutability::Const, ValType::I32.into());
    let ty = struct_type(store.engine(), [constant, var(RefType::new(false, HeapType::Any))]);
    let pre = StructRefPre::new(&mut store, &ty).unwrap();
    let count = Misuse::WrongCount { what: "fields", wanted: 2, given: 1 };
    assert_eq!(misuse(StructRef::new(&mut store, &pre, &[Val::I32(0)])), count);
    assert!(is_mismatch(StructRef::new(&mut store, &pre, &[Val::I32(0), Val::AnyRef(None)])));
    assert!(is_mismatch(StructRef::new_default(&mut store, &pre)));
    assert!(is_mismatch(ArrayRefPre::new(&mut store, &ty)));
    let small = AnyRef::from_i31(&mut store, I31::default()).unwrap();
    let object = StructRef::new(&mut store, &pre, &[Val::I32(0), small.into()]).unwrap();
    assert_eq!(misuse(object.set_field(&mut store, 0, Val::I32(1))), Misuse::Immutable("the field"));
    assert!(is_mismatch(object.set_field(&mut store, 1, Val::I32(1))));
    assert_eq!(misuse(object.field(&mut store, 2)), Misuse::OutOfRange { what: "field", index: 2, len: 2 });

    let pre = array_pre(&mut store, var(ValType::I64));
    let array = ArrayRef::new(&mut store, &pre, Val::I64(5), 3).unwrap();
    let range = |index| Misuse::OutOfRange { what: "array", index, len: 3 };
    assert_eq!(misuse(array.get(&mut store, 3)), range(3));
    assert_eq!(misuse(array.fill(&mut store, 2, Val::I64(0), 2)), range(4));
    assert_eq!(misuse(array.fill(&mut store, u32::MAX, Val::I64(0), u32::MAX)), range(2 * u64::from(u32::MAX)));
    assert!(is_mismatch(array.set(&mut store, 0, Val::I32(1))));
    assert!(is_mismatch(ArrayRef::new_fixed(&mut store, &pre, &[Val::F64(0)])));
    store.verify().unwrap();
}

/// S3: types of another engine are refused, whatever their numbers; prepared types and fields belong to a store.
#[test]
fn s3_types_of_another_engine_and_prepared_forms_of_another_store_are_refused() {
    let (mut one, mut other) = (store(), store());
    let ty = struct_type(one.engine(), [var(ValType::I32)]);
    let _same_index = struct_type(other.engine(), [var(RefType::ANYREF)]);
    assert_eq!(misuse(StructRefPre::new(&mut other, &ty)), Misuse::ForeignEngine);
    assert!(other.engine().object_type(&ty).is_none());

    let mut sibling = Store::new(one.engine(), ());
    let pre = StructRefPre::new(&mut one, &ty).unwrap();
    let field = pre.field::<i32>(0).unwrap();
    assert_eq!(misuse(StructRef::new_default(&mut sibling, &pre)), Misuse::ForeignHandle);
    let own = StructRefPre::new(&mut sibling, &ty).unwrap();
    let object = StructRef::new_default(&mut sibling, &own).unwrap();
    assert_eq!(misuse(field.get(&mut sibling, &object)), Misuse::ForeignHandle);
    assert_eq!(misuse(object.field(&mut one, 0)), Misuse::ForeignHandle);
}

#[test]
fn handles_are_cast_by_what_they_lead_to() {
    let mut store = store();
    let (cell, longer) = list_types(store.engine());
    let (cell_pre, longer_pre) =
        (StructRefPre::new(&mut store, &cell).unwrap(), StructRefPre::new(&mut store, &longer).unwrap());
    let object = StructRef::new_default(&mut store, &longer_pre).unwrap().to_anyref();
    let plain = StructRef::new_default(&mut store, &cell_pre).unwrap();
    let bytes = array_pre(&mut store, var(StorageType::I8));
    let array: Rooted<EqRef> = ArrayRef::new_default(&mut store, &bytes, 4).unwrap().upcast();
    let small = AnyRef::from_i31(&mut store, I31::default()).unwrap();
    let host = ExternRef::new(&mut store, 1).unwrap();
    let internal = AnyRef::convert_extern(&mut store, &host).unwrap();

    let as_struct = object.as_struct(&store).unwrap().unwrap();
    assert_eq!(as_struct.ty(&store).unwrap(), longer);
    assert_eq!(object.ty(&store).unwrap(), longer.heap_type());
    assert!(object.matches_ty(&store, cell.heap_type()).unwrap() && object.is_eqref(&store).unwrap());
    assert!(!plain.matches_ty(&store, longer.heap_type()).unwrap());
    assert!(object.as_array(&store).unwrap().is_none() && object.as_i31(&store).unwrap().is_none());
    assert!(array.as_array(&store).unwrap().is_some() && !array.is_struct(&store).unwrap());
    assert!(small.is_i31(&store).unwrap() && small.as_eqref(&store).unwrap().is_some());
    assert!(internal.as_eqref(&store).unwrap().is_none() && !internal.is_struct(&store).unwrap());
    assert!(!host.matches_ty(&store, HeapType::Any).unwrap() && host.matches_ty(&store, HeapType::Extern).unwrap());
    assert!(host.cast::<AnyRef>(&store).unwrap().is_none());
}

/// A type that the heap has no objects of is known to the engine only; its subtypes' objects are instances even so.
#[test]
fn a_supertype_that_was_never_prepared_is_matched() {
    let mut store = store();
    let (cell, longer) = list_types(store.engine());
    let pre = StructRefPre::new(&mut store, &longer).unwrap();
    let object = StructRef::new_default(&mut store, &pre).unwrap();
    assert!(object.matches_ty(&store, cell.heap_type()).unwrap());
    // Its field is of the supertype.
    object.set_field(&mut store, 1, object.into()).unwrap();
    assert!(matches!(object.field(&mut store, 1).unwrap(), Val::AnyRef(Some(_))));
}

#[test]
fn typed_fields_serve_subtypes_and_refuse_the_rest() {
    let mut store = store();
    let (cell, longer) = list_types(store.engine());
    let cell_pre = StructRefPre::new(&mut store, &cell).unwrap();
    let longer_pre = StructRefPre::new(&mut store, &longer).unwrap();
    let (number, next) = (cell_pre.field::<u32>(0).unwrap(), cell_pre.field::<Option<Rooted<StructRef>>>(1).unwrap());
    let wide = longer_pre.field::<f64>(2).unwrap();
    assert!(is_mismatch(cell_pre.field::<i64>(0)));
    assert!(is_mismatch(cell_pre.field::<Option<Rooted<ArrayRef>>>(1)));
    assert!(cell_pre.field::<Option<Rooted<EqRef>>>(1).is_ok());
    assert!(matches!(misuse(cell_pre.field::<u32>(2)), Misuse::OutOfRange { what: "field", index: 2, len: 2 }));

    let tail = StructRef::new_default(&mut store, &longer_pre).unwrap();
    let head = StructRef::new(&mut store, &cell_pre, &[Val::I32(1), tail.into()]).unwrap();
    number.set(&mut store, &tail, 9).unwrap();
    wide.set(&mut store, &tail, 2.5).unwrap();
    next.set(&mut store, &tail, Some(head)).unwrap();
    store.gc().unwrap();
    let again = next.get(&mut store, &head).unwrap().unwrap();
    assert!(Rooted::ref_eq(&store, &again, &tail).unwrap());
    assert_eq!((number.get(&mut store, &again).unwrap(), wide.get(&mut store, &again).unwrap()), (9, 2.5));
    assert!(is_mismatch(wide.get(&mut store, &head)), "the supertype has no such field");
    let loose = cell_pre.field::<Option<Rooted<EqRef>>>(1).unwrap();
    let array = array_pre(&mut store, var(StorageType::I8));
    let array = ArrayRef::new_default(&mut store, &array, 0).unwrap();
    assert!(is_mismatch(loose.set(&mut store, &head, Some(array.upcast()))), "an array in a field of structs");
    loose.set(&mut store, &head, None).unwrap();
    assert!(next.get(&mut store, &head).unwrap().is_none());
}

/// B12, R17: values given to constructors live over the allocation, and old objects keep young ones, on every
/// collector, collecting at every allocation.
#[test]
fn lists_and_arrays_survive_zeal_on_every_collector() {
    for collector in BuiltinCollector::ALL {
        let heap = HeapConfig { zeal: NonZeroU32::new(1), verify: true, ..HeapConfig::default() };
        let engine = Engine::new(Config::new().collector(collector).heap(heap)).unwrap();
        let mut store = Store::new(&engine, ());
        let (cell, _) = list_types(&engine);
        let cell = StructRefPre::new(&mut store, &cell).unwrap();
        let refs = array_type(&engine, var(RefType::STRUCTREF));
        let refs = ArrayRefPre::new(&mut store, &refs).unwrap();
        let (number, next) = (cell.field::<i32>(0).unwrap(), cell.field::<Option<Rooted<StructRef>>>(1).unwrap());

        // One old object, whose field is overwritten with ever younger lists.
        let holder = StructRef::new_default(&mut store, &cell).unwrap();
        for i in 0..40 {
            let mut scope = RootScope::new(&mut store);
            let rest = next.get(&mut scope, &holder).unwrap();
            let new = StructRef::new(&mut scope, &cell, &[Val::I32(i), rest.into()]).unwrap();
            next.set(&mut scope, &holder, Some(new)).unwrap();
        }
        let mut cells = Vec::new();
        let mut at = next.get(&mut store, &holder).unwrap();
        while let Some(cell) = at {
            cells.push(Val::from(cell));
            at = next.get(&mut store, &cell).unwrap();
        }
        assert_eq!(cells.len(), 40, "{collector}");
        let array = ArrayRef::new_fixed(&mut store, &refs, &cells).unwrap();
        let filled = ArrayRef::new(&mut store, &refs, cells[3], 5000).unwrap();
        store.gc().unwrap();
        let numbers: Vec<_> = array
            .elems(&mut store)
            .unwrap()
            .into_iter()
            .map(|val| match val {
                Val::AnyRef(Some(cell)) => {
                    let cell = cell.as_struct(&store).unwrap().unwrap();
                    number.get(&mut store, &cell).unwrap()
                }
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(numbers, (0..40).rev().collect::<Vec<_>>(), "{collector}");
        filled.copy_from_array(&mut store, 4990, &array, 30, 10).unwrap();
        store.gc().unwrap();
        let Val::AnyRef(Some(last)) = filled.get(&mut store, 4999).unwrap() else { panic!("a cell") };
        let last = last.as_struct(&store).unwrap().unwrap();
        assert_eq!(number.get(&mut store, &last).unwrap(), 0, "{collector}");
        store.verify().unwrap();
    }
}

#[test]
fn elements_are_seen_as_bytes_and_as_numbers() {
    let mut store = store();
    let words = array_pre(&mut store, var(ValType::I32));
    let array = ArrayRef::from_slice(&mut store, &words, &[1_u32, 0x0203_0405, u32::MAX]).unwrap();
    assert_eq!(array.bytes(&store).unwrap(), [1, 0, 0, 0, 5, 4, 3, 2, 255, 255, 255, 255]);
    assert_eq!(array.view::<i32, _>(&store).unwrap().iter().collect::<Vec<_>>(), [1, 0x0203_0405, -1]);
    assert!(is_mismatch(array.view::<f32, _>(&store)) && is_mismatch(array.view::<u8, _>(&store)));

    let mut view = array.view_mut::<u32, _>(&mut store).unwrap();
    view.map_in_place(|number| number.wrapping_add(1));
    view.set(0, 40).unwrap();
    assert!(view.set(3, 0).is_none() && view.set(usize::MAX, 0).is_none());
    view.range(1..3).unwrap().copy_from_slice(&[41, 42]).unwrap();
    assert!(view.range(2..4).is_none());
    assert!(matches!(misuse(view.copy_from_slice(&[0])), Misuse::WrongCount { wanted: 3, given: 1, .. }));
    let view = array.view::<u32, _>(&store).unwrap();
    assert_eq!((view.len(), view.get(2), view.get(3), view.get(usize::MAX / 2)), (3, Some(42), None, None));
    let mut two = [0; 2];
    view.copy_to_slice(1, &mut two).unwrap();
    assert_eq!(two, [41, 42]);
    assert!(view.copy_to_slice(2, &mut two).is_err() && view.copy_to_slice(usize::MAX, &mut two).is_err());

    // Unaligned, any width.
    array.store(&mut store, 1, 0x1122_3344_5566_7788_u64).unwrap();
    assert_eq!(array.load::<u16>(&store, 2).unwrap(), 0x6677);
    assert_eq!(array.load::<u64>(&store, 4).unwrap() >> 40, 0);
    let outside = |index| Misuse::OutOfRange { what: "byte of an array", index, len: 12 };
    assert_eq!(misuse(array.load::<u64>(&store, 5)), outside(5));
    assert_eq!(misuse(array.store(&mut store, 12, 0_u8)), outside(12));

    let constant = FieldType::new(Mutability::Const, ValType::I32.into());
    let constant = array_pre(&mut store, constant);
    let constant = ArrayRef::from_slice(&mut store, &constant, &[7_i32]).unwrap();
    assert_eq!(misuse(constant.bytes_mut(&mut store)), Misuse::Immutable("the array"));
    assert_eq!(constant.bytes(&store).unwrap(), [7, 0, 0, 0]);
    let refs = array_pre(&mut store, var(RefType::ANYREF));
    let refs = ArrayRef::new_default(&mut store, &refs, 2).unwrap();
    assert!(is_mismatch(refs.bytes(&store)) && is_mismatch(refs.bytes_mut(&mut store)));
    let funcs = array_pre(&mut store, var(RefType::FUNCREF));
    let funcs = ArrayRef::new_default(&mut store, &funcs, 2).unwrap();
    assert!(is_mismatch(funcs.bytes_mut(&mut store)), "ids of functions are no numbers either");
    assert!(is_mismatch(funcs.store(&mut store, 0, 1_u32)));
}

/// L14, L16: lengths of zero at and beyond the end, overlapping copies in both directions.
#[test]
fn elements_are_copied_between_arrays_and_memories() {
    let mut store = store();
    let bytes = array_pre(&mut store, var(StorageType::I8));
    let array = ArrayRef::from_slice(&mut store, &bytes, &[0_u8, 1, 2, 3, 4, 5, 6, 7]).unwrap();
    array.copy_from_array(&mut store, 2, &array, 0, 5).unwrap();
    assert_eq!(array.bytes(&store).unwrap(), [0, 1, 0, 1, 2, 3, 4, 7]);
    array.copy_from_array(&mut store, 0, &array, 2, 5).unwrap();
    assert_eq!(array.bytes(&store).unwrap(), [0, 1, 2, 3, 4, 3, 4, 7]);
    array.copy_from_array(&mut store, 8, &array, 8, 0).unwrap();
    assert!(array.copy_from_array(&mut store, 9, &array, 0, 0).is_err());
    assert!(array.copy_from_array(&mut store, 0, &array, 4, 5).is_err());
    let words = array_pre(&mut store, var(ValType::I32));
    let words = ArrayRef::new(&mut store, &words, Val::I32(-2), 3).unwrap();
    assert!(is_mismatch(array.copy_from_array(&mut store, 0, &words, 0, 1)));

    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    let size = memory.data_size(&store);
    words.copy_to_memory(&mut store, 1, &memory, size - 8, 2).unwrap();
    assert_eq!(&memory.data(&store)[size - 9..], [0, 254, 255, 255, 255, 254, 255, 255, 255]);
    array.copy_from_memory(&mut store, 0, &memory, size - 8, 8).unwrap();
    assert_eq!(array.bytes(&store).unwrap(), [254, 255, 255, 255, 254, 255, 255, 255]);
    assert!(array.copy_from_memory(&mut store, 0, &memory, size - 7, 8).is_err());
    assert!(matches!(misuse(array.copy_from_memory(&mut store, 1, &memory, 0, 8)), Misuse::OutOfRange { .. }));
    assert!(words.copy_to_memory(&mut store, 0, &memory, size - 3, 1).is_err());
    let refs = array_pre(&mut store, var(RefType::ANYREF));
    let refs = ArrayRef::new_default(&mut store, &refs, 2).unwrap();
    assert!(is_mismatch(refs.copy_from_memory(&mut store, 0, &memory, 0, 1)));
    assert!(is_mismatch(refs.copy_to_memory(&mut store, 0, &memory, 0, 1)));
}

#[test]
fn text_goes_in_and_comes_out() {
    let mut store = store();
    let (utf8, utf16) = (array_pre(&mut store, var(StorageType::I8)), array_pre(&mut store, var(StorageType::I16)));
    for text in ["", "plain", "h\u{e9}llo \u{1F600}"] {
        let narrow = ArrayRef::from_text(&mut store, &utf8, text).unwrap();
        let wide = ArrayRef::from_text(&mut store, &utf16, text).unwrap();
        assert_eq!(narrow.len(&store).unwrap() as usize, text.len());
        assert_eq!(wide.len(&store).unwrap() as usize, text.encode_utf16().count());
        assert_eq!(narrow.text(&store).unwrap().as_deref(), Some(text));
        assert_eq!(wide.text(&store).unwrap().as_deref(), Some(text));
    }
    let broken = ArrayRef::from_slice(&mut store, &utf8, b"a\xFFb").unwrap();
    assert_eq!((broken.text(&store).unwrap(), broken.text_lossy(&store).unwrap().as_str()), (None, "a\u{FFFD}b"));
    let broken = ArrayRef::from_slice(&mut store, &utf16, &[97_u16, 0xD800, 98]).unwrap();
    assert_eq!((broken.text(&store).unwrap(), broken.text_lossy(&store).unwrap().as_str()), (None, "a\u{FFFD}b"));
    let words = array_pre(&mut store, var(ValType::I32));
    assert!(is_mismatch(ArrayRef::from_text(&mut store, &words, "x")));
}

#[test]
fn functions_take_and_return_handles_of_every_kind() {
    let mut store = store();
    let ty = struct_type(store.engine(), [var(ValType::I32)]);
    let pre = StructRefPre::new(&mut store, &ty).unwrap();
    let same = Func::wrap(&mut store, |object: Option<Rooted<StructRef>>| object).unwrap();
    let structs = ValType::Ref(RefType::STRUCTREF);
    assert_eq!(same.ty(&store), FuncType::new([structs], [structs]));
    let typed = same.typed::<Option<Rooted<StructRef>>, Option<Rooted<AnyRef>>>(&store).unwrap();
    let object = StructRef::new(&mut store, &pre, &[Val::I32(3)]).unwrap();
    let back = typed.call(&mut store, Some(object)).unwrap().unwrap();
    assert_eq!(back.as_struct(&store).unwrap().unwrap().field(&mut store, 0).unwrap().i32(), Some(3));
    let small = AnyRef::from_i31(&mut store, I31::default()).unwrap();
    assert!(is_mismatch(same.call(&mut store, &[small.into()], &mut [Val::I32(0)])));
}

#[test]
fn host_values_are_changed_in_place() {
    let mut store = store();
    let counter = ExternRef::new(&mut store, 1_u32).unwrap();
    let value = counter.data_mut(&mut store).unwrap().unwrap().downcast_mut::<u32>().unwrap();
    *value += 41;
    assert_eq!(counter.data(&store).unwrap().unwrap().downcast_ref::<u32>(), Some(&42));
}
