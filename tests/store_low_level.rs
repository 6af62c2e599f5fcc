//! Objects by reference and layout, without handles: values, barriers, bounds, and what a wrong claim does.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse};
use tumulus::heap::HeapConfig;
use tumulus::object::{GcArrayLayout, GcStructLayout, VMGcRef};
use tumulus::store::{
    AnyRef, ArrayRef, ArrayRefPre, AsContextMut, AutoAssertNoGc, Config, Engine, Func, GcStore, I31, RootScope, Rooted,
    Store, StructRef, StructRefPre, Val,
};
use tumulus::testkit::Numbers;
use tumulus::types::{ArrayType, FieldType, FuncType, Mutability, RefType, StorageType, StructType, SubType, ValType};

fn store(config: &Config) -> Store<()> {
    Store::new(&Engine::new(config).unwrap(), ())
}

fn var(storage: impl Into<StorageType>) -> FieldType {
    FieldType::new(Mutability::Var, storage.into())
}

fn struct_pre(store: &mut Store<()>, fields: &[FieldType]) -> (StructRefPre, GcStructLayout) {
    let ty = StructType::new(fields.iter().copied());
    let ty = store.engine().types().register(vec![SubType::new(ty)]).unwrap().get(0);
    (StructRefPre::new(store, &ty).unwrap(), GcStructLayout::new(fields, None))
}

fn array_pre(store: &mut Store<()>, element: FieldType) -> (ArrayRefPre, GcArrayLayout) {
    let ty = store.engine().types().register(vec![SubType::new(ArrayType::new(element))]).unwrap().get(0);
    (ArrayRefPre::new(store, &ty).unwrap(), GcArrayLayout::new(element))
}

const PACKED: StorageType = StorageType::I16;
const ANY: StorageType = StorageType::Val(ValType::Ref(RefType::ANYREF));
const FUNC: StorageType = StorageType::Val(ValType::Ref(RefType::FUNCREF));

#[test]
fn fields_are_read_and_written_by_layout() {
    let mut store = store(&Config::new());
    let (ty, layout) = struct_pre(&mut store, &[PACKED, ANY, FUNC, ValType::I64.into()].map(var));
    let func = Func::wrap(&mut store, || 1).unwrap();
    let small = AnyRef::from_i31(&mut store, I31::wrapping_u32(5)).unwrap();
    let object = GcStore::new(&mut store).alloc_struct(&ty).unwrap();
    let mut no_gc = AutoAssertNoGc::new(&mut store);
    let values = [Val::I32(-1), small.into(), Val::FuncRef(Some(func)), Val::I64(-2)];
    let types = [PACKED, ANY, FUNC, ValType::I64.into()];
    for (field, (ty, value)) in types.iter().zip(values).enumerate() {
        object.initialize_field(&mut no_gc, &layout, ty, field, value).unwrap();
    }
    let came: Vec<_> = (0..4).map(|field| object.read_field(&mut no_gc, &layout, &types[field], field)).collect();
    assert_eq!((came[0].i32(), came[3].i64()), (Some(0xFFFF), Some(-2)));
    assert!(matches!(came[2], Val::FuncRef(Some(same)) if same == func));
    let Val::AnyRef(Some(small)) = came[1] else { panic!("{came:?}") };
    let wrong = object.write_field(&mut no_gc, &layout, &ANY, 1, Val::I32(0)).unwrap_err();
    assert!(matches!(wrong.cause(), Cause::Misuse(Misuse::TypeMismatch { .. })));
    assert_eq!(small.as_i31(&store).unwrap(), Some(I31::wrapping_u32(5)));
    let mut gc = GcStore::new(&mut store);
    assert_eq!(gc.struct_data(&object, layout.size).read_u16(layout.fields[0].offset), 0xFFFF);
    assert_eq!(gc.header(object.as_gc_ref()).unwrap().ty(), ty.ty().index());
    let mut slot = Some(object.clone(&mut gc).into());
    gc.write_gc_ref(&mut slot, None);
    assert_eq!(slot, None);
    assert_eq!(gc.expose_gc_ref_to_wasm(object.into()).get() % 8, 0);
}

/// I5: a function id from a field is checked for its type on the way out.
#[test]
fn function_ids_are_checked_where_they_come_out() {
    let mut store = store(&Config::new());
    let unit = FuncType::new([], []);
    let unit = store.engine().types().register(vec![SubType::new(unit)]).unwrap().get(0);
    let wanted = StorageType::from(RefType::new(true, unit.heap_type()));
    let (ty, layout) = struct_pre(&mut store, &[var(FUNC)]);
    let (typed, _) = struct_pre(&mut store, &[var(wanted)]);
    let func = Func::wrap(&mut store, || 1).unwrap();
    let object = StructRef::new(&mut store, &ty, &[Val::FuncRef(Some(func))]).unwrap();
    let refused = StructRef::new(&mut store, &typed, &[Val::FuncRef(Some(func))]).unwrap_err();
    assert!(matches!(refused.cause(), Cause::Misuse(Misuse::TypeMismatch { .. })));
    let mut no_gc = AutoAssertNoGc::new(&mut store);
    let raw = no_gc.gc_ref(&object).unwrap().into_structref_unchecked();
    assert!(matches!(raw.read_field(&mut no_gc, &layout, &FUNC, 0), Val::FuncRef(Some(_))));
    assert!(matches!(raw.read_field(&mut no_gc, &layout, &wanted, 0), Val::FuncRef(None)), "of another type");
    // An id that names no function.
    GcStore::new(&mut store).struct_data(&raw, layout.size).write_u32(layout.fields[0].offset, 0xFFFF_FFFF);
    assert!(object.field(&mut store, 0).unwrap_err().corruption().is_some());
    let mut no_gc = AutoAssertNoGc::new(&mut store);
    assert!(matches!(raw.read_field(&mut no_gc, &layout, &FUNC, 0), Val::FuncRef(None)));
}

#[test]
fn stale_and_foreign_handles_in_values_are_errors() {
    let (mut store, mut other) = (store(&Config::new()), store(&Config::new()));
    let (ty, layout) = struct_pre(&mut store, &[var(ANY)]);
    let object = GcStore::new(&mut store).alloc_struct(&ty).unwrap();
    let stale = AnyRef::from_i31(RootScope::new(&mut store), I31::default()).unwrap();
    let foreign = AnyRef::from_i31(&mut other, I31::default()).unwrap();
    let mut no_gc = AutoAssertNoGc::new(&mut store);
    for (handle, misuse) in [(stale, Misuse::StaleHandle), (foreign, Misuse::ForeignHandle)] {
        let error = object.write_field(&mut no_gc, &layout, &ANY, 0, handle.into()).unwrap_err();
        assert!(matches!(error.cause(), Cause::Misuse(given) if *given == misuse), "{error}");
        assert!(no_gc.gc_ref(&handle).is_err());
    }
    assert!(matches!(object.read_field(&mut no_gc, &layout, &ANY, 0), Val::AnyRef(None)));
}

/// B12: an old array that gets a young element by reference and layout keeps it, on every collector, zeal on.
#[test]
fn writes_by_layout_go_through_the_barrier() {
    for collector in BuiltinCollector::ALL {
        let heap = HeapConfig { zeal: NonZeroU32::new(3), verify: true, ..HeapConfig::default() };
        let mut store = store(Config::new().collector(collector).heap(heap));
        let (cell, cell_layout) = struct_pre(&mut store, &[var(ValType::I32)]);
        let (cells, layout) = array_pre(&mut store, var(ANY));
        let array = ArrayRef::new_default(&mut store, &cells, 3000).unwrap();
        for i in 0..60 {
            let mut scope = RootScope::new(&mut store);
            let new = StructRef::new(&mut scope, &cell, &[Val::I32(i)]).unwrap();
            let mut no_gc = AutoAssertNoGc::new(scope.as_context_mut());
            let raw = no_gc.gc_ref(&array).unwrap().into_arrayref_unchecked();
            raw.write_elem(&mut no_gc, &layout, &ANY, 50 * i.cast_unsigned(), new.into()).unwrap();
        }
        store.gc().unwrap();
        let mut no_gc = AutoAssertNoGc::new(&mut store);
        let raw = no_gc.gc_ref(&array).unwrap().into_arrayref_unchecked();
        assert_eq!(raw.len(&mut no_gc), 3000);
        let i32 = ValType::I32.into();
        for i in 0..60 {
            let Val::AnyRef(Some(handle)) = raw.read_elem(&mut no_gc, &layout, &ANY, 50 * i) else { panic!("a cell") };
            let object = no_gc.gc_ref(&handle).unwrap().into_structref_unchecked();
            let number = object.read_field(&mut no_gc, &cell_layout, &i32, 0);
            assert_eq!(number.i32(), Some(i.cast_signed()), "{collector}");
        }
        store.verify().unwrap();
    }
}

#[test]
fn a_reference_can_be_rooted_and_a_wrong_one_is_found_where_it_is_used() {
    let mut store = store(&Config::new());
    let (ty, _) = struct_pre(&mut store, &[var(ValType::I32)]);
    let object = GcStore::new(&mut store).alloc_struct(&ty).unwrap();
    let mut no_gc = AutoAssertNoGc::new(&mut store);
    let handle: Rooted<StructRef> = no_gc.root(object.as_gc_ref()).unwrap();
    let nowhere: Rooted<StructRef> = no_gc.root(&VMGcRef::from_raw_u32(0xFFFF_FFF8).unwrap()).unwrap();
    let odd: Rooted<StructRef> = no_gc.root(&VMGcRef::from_i31(8)).unwrap();
    assert_eq!(handle.field(&mut store, 0).unwrap().i32(), Some(0));
    assert!(nowhere.field(&mut store, 0).unwrap_err().corruption().is_some());
    assert!(odd.field(&mut store, 0).unwrap_err().corruption().is_some());
    assert!(store.gc().unwrap_err().corruption().is_some(), "the root leads nowhere");
}

#[test]
#[should_panic(expected = "field 1 of a struct of 1")]
fn a_field_that_is_none_panics() {
    let mut store = store(&Config::new());
    let (ty, layout) = struct_pre(&mut store, &[var(ValType::I32)]);
    let object = GcStore::new(&mut store).alloc_struct(&ty).unwrap();
    let _ = object.read_field(&mut AutoAssertNoGc::new(&mut store), &layout, &ValType::I32.into(), 1);
}

#[test]
#[should_panic(expected = "access up to byte 12 of an object of 8 bytes")]
fn a_wider_type_than_the_field_panics() {
    let mut store = store(&Config::new());
    let (ty, layout) = struct_pre(&mut store, &[var(ValType::I32)]);
    let object = GcStore::new(&mut store).alloc_struct(&ty).unwrap();
    let mut no_gc = AutoAssertNoGc::new(&mut store);
    let _ = object.write_field(&mut no_gc, &layout, &ValType::I64.into(), 0, Val::I64(0));
}

#[test]
#[should_panic(expected = "element 2 of an array of 2")]
fn an_element_that_is_none_panics() {
    let mut store = store(&Config::new());
    let (ty, layout) = array_pre(&mut store, var(PACKED));
    let array = GcStore::new(&mut store).alloc_array(&ty, 2).unwrap();
    let _ = array.read_elem(&mut AutoAssertNoGc::new(&mut store), &layout, &PACKED, 2);
}

/// A reference to an object, into one, past the committed bytes, to the end of the address space, or an odd one.
fn any_reference(numbers: &mut Numbers, objects: &[u32], committed: u32) -> VMGcRef {
    let raw = match numbers.below(6) {
        0..3 => numbers.pick(objects),
        3 => numbers.pick(objects) + 4 * numbers.below(20),
        4 => committed.wrapping_sub(8).wrapping_add(4 * numbers.below(6)),
        _ => u32::MAX - numbers.below(40),
    };
    VMGcRef::from_raw_u32(raw).expect("not null")
}

/// Whether `call` panicked.
fn panics<T>(call: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_err()
}

/// The failure rule's panics, and no others: whatever the reference, the layout, the type, the number and the heap's bytes
/// are, a field or an element that lies inside its object and the heap is read and written, and any other panics.
#[test]
fn any_reference_layout_and_bytes_end_with_an_answer_or_the_panic_that_is_documented() {
    let storages: [StorageType; 7] =
        [StorageType::I8, PACKED, ValType::I32.into(), ValType::I64.into(), ValType::V128.into(), ANY, FUNC];
    let mut panicked = [0; 3];
    for seed in 0..400 {
        let mut numbers = Numbers::new(seed);
        let collector = numbers.pick(&BuiltinCollector::ALL);
        let heap = HeapConfig { initial_bytes: 0, max_bytes: 64 << 10, ..HeapConfig::default() };
        let mut store = store(Config::new().collector(collector).heap(heap));
        let (ty, struct_layout) = struct_pre(&mut store, &storages.map(var));
        let (elements, array_layout) = array_pre(&mut store, var(ANY));
        let mut gc = GcStore::new(&mut store);
        let mut objects: Vec<_> = (0..5).map(|_| gc.alloc_struct(&ty).unwrap().as_gc_ref().as_raw_u32()).collect();
        objects.extend((0..5).map(|len| gc.alloc_array(&elements, len).unwrap().as_gc_ref().as_raw_u32()));
        let committed = u32::try_from(store.heap_stats().committed_bytes).unwrap();
        let inside = |at: u32, size: u64| u64::from(at) + size <= u64::from(committed);
        for _ in 0..40 {
            // Anything is written anywhere, also over headers and lengths.
            let whole = VMGcRef::from_raw_u32(8).unwrap().into_structref_unchecked();
            let (at, word) = (4 * numbers.below(committed / 4 - 2), numbers.pick(&[0, 1, 9, 70, 1 << 30, u32::MAX]));
            GcStore::new(&mut store).struct_data(&whole, committed - 8).write_u32(at, word);

            let reference = any_reference(&mut numbers, &objects, committed);
            let (at, storage) = (reference.as_raw_u32(), numbers.pick(&storages));
            let (width, value) = (u64::from(storage.byte_width()), Val::default_for_ty(storage.unpacked()).unwrap());
            let mut no_gc = AutoAssertNoGc::new(&mut store);
            if numbers.one_in(2) {
                let mut layout = struct_layout.clone();
                let field = numbers.index(layout.fields.len() + 1);
                if numbers.one_in(3) {
                    layout.size = numbers.pick(&[0, 8, 64, 4096, 1 << 20, u32::MAX]);
                }
                if let (true, Some(field)) = (numbers.one_in(3), layout.fields.get_mut(field)) {
                    field.offset = numbers.pick(&[0, 4, 60, 4000, u32::MAX - 3]);
                }
                let offset = layout.fields.get(field).map(|field| u64::from(field.offset));
                let fits = offset.is_some_and(|offset| offset + width <= u64::from(layout.size));
                let is_answered = fits && inside(at, u64::from(layout.size));
                let object = reference.into_structref_unchecked();
                assert_eq!(panics(|| object.read_field(&mut no_gc, &layout, &storage, field)), !is_answered);
                assert_eq!(panics(|| object.write_field(&mut no_gc, &layout, &storage, field, value)), !is_answered);
                panicked[0] += usize::from(!is_answered);
            } else {
                let array = reference.into_arrayref_unchecked();
                let has_len = inside(at, 8);
                assert_eq!(panics(|| array.len(&mut no_gc)), !has_len);
                panicked[1] += usize::from(!has_len);
                let len = if has_len { array.len(&mut no_gc) } else { 0 };
                let index = numbers.below(12);
                let fits = 8 + 4 * u64::from(index) + width <= array_layout.size_for_len(len);
                let is_answered = index < len && fits && inside(at, array_layout.size_for_len(len));
                assert_eq!(panics(|| array.read_elem(&mut no_gc, &array_layout, &storage, index)), !is_answered);
                let write = || array.write_elem(&mut no_gc, &array_layout, &storage, index, value);
                assert_eq!(panics(write), !is_answered);
                panicked[2] += usize::from(!is_answered);
            }
        }
        // What the heap came to is for it to say: an answer, or an error.
        let _ = (store.gc(), store.verify());
    }
    assert!(panicked.iter().all(|&count| count > 100), "{panicked:?}");
}
