//! Handles of a store: what they name, and that they name nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tumulus::error::{Cause, Error, Misuse, Trap};
use tumulus::memory::MemoryType;
use tumulus::store::{
    AnyRef, Caller, Engine, ExternRef, Func, Global, GlobalType, I31, Memory, RootScope, Rooted, Store, Table,
    TableType, Val,
};
use tumulus::types::{FuncType, Mutability, RefType, ValType};

fn store() -> Store<()> {
    Store::new(&Engine::default(), ())
}

fn misuse(error: &Error) -> &Misuse {
    match error.cause() {
        Cause::Misuse(misuse) => misuse,
        other => panic!("{other:?}"),
    }
}

/// A payload that counts how often payloads are dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn wrapped_closures_are_called_with_their_types() {
    let mut store = Store::new(&Engine::default(), 40);
    let add = Func::wrap(&mut store, |caller: Caller<'_, i32>, a: i32, b: i64| (caller.data() + a, b + 1)).unwrap();
    assert_eq!(add.ty(&store), FuncType::new([ValType::I32, ValType::I64], [ValType::I32, ValType::I64]));
    let typed = add.typed::<(i32, i64), (i32, i64)>(&store).unwrap();
    assert_eq!(typed.call(&mut store, (2, 6)).unwrap(), (42, 7));
    let mut results = [Val::I32(0), Val::I32(0)];
    add.call(&mut store, &[Val::I32(-40), Val::I64(0)], &mut results).unwrap();
    assert_eq!((results[0].i32(), results[1].i64()), (Some(0), Some(1)));
}

#[test]
fn wrong_counts_and_types_are_refused() {
    let mut store = store();
    let func = Func::wrap(&mut store, |value: f64| value.sqrt()).unwrap();
    let error = func.call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err();
    assert_eq!(*misuse(&error), Misuse::WrongCount { what: "arguments", wanted: 1, given: 0 });
    let error = func.call(&mut store, &[Val::F64(0)], &mut []).unwrap_err();
    assert_eq!(*misuse(&error), Misuse::WrongCount { what: "results", wanted: 1, given: 0 });
    let error = func.call(&mut store, &[Val::F32(0)], &mut [Val::I32(0)]).unwrap_err();
    assert!(matches!(misuse(&error), Misuse::TypeMismatch { .. }), "{error}");
    let error = func.typed::<f32, f64>(&store).unwrap_err();
    assert!(error.to_string().contains("(func (param f32) (result f64))"), "{error}");
}

#[test]
fn a_dynamic_function_that_returns_the_wrong_type_is_told() {
    let mut store = store();
    let ty = FuncType::new([], [ValType::I64]);
    let func = Func::new(&mut store, ty, |_, _, results| {
        results[0] = Val::F32(0);
        Ok(())
    })
    .unwrap();
    let error = func.call(&mut store, &[], &mut [Val::I32(0)]).unwrap_err();
    assert!(matches!(misuse(&error), Misuse::TypeMismatch { .. }), "{error}");
}

#[test]
fn errors_of_host_functions_come_through() {
    let mut store = store();
    let trap = Func::wrap(&mut store, || -> Result<(), Error> { Err(Trap::Unreachable.into()) }).unwrap();
    assert_eq!(trap.call(&mut store, &[], &mut []).unwrap_err().trap(), Some(Trap::Unreachable));
    let host = Func::wrap(&mut store, || -> Result<(), Error> { Err(Error::host("no such file")) }).unwrap();
    let error = host.call(&mut store, &[], &mut []).unwrap_err();
    assert!(matches!(error.cause(), Cause::Host(_)));
    assert_eq!(error.to_string(), "no such file");
}

/// S3: items of one store used with another are errors in every build, whatever their numbers.
#[test]
fn s3_handles_of_another_store_are_refused() {
    let (mut one, mut other) = (store(), store());
    let func = Func::wrap(&mut one, || 1).unwrap();
    let _same_number = Func::wrap(&mut other, || 2).unwrap();
    let foreign = |error: Error| assert_eq!(*misuse(&error), Misuse::ForeignHandle);
    foreign(func.call(&mut other, &[], &mut [Val::I32(0)]).unwrap_err());
    foreign(func.typed::<(), i32>(&other).unwrap_err());
    let takes_func = Func::wrap(&mut other, |_: Option<Func>| ()).unwrap();
    foreign(takes_func.call(&mut other, &[Val::FuncRef(Some(func))], &mut []).unwrap_err());

    let global_ty = GlobalType::new(ValType::I32, Mutability::Var);
    let global = Global::new(&mut one, global_ty, Val::I32(1)).unwrap();
    let _same_number = Global::new(&mut other, global_ty, Val::I32(2)).unwrap();
    foreign(global.set(&mut other, Val::I32(3)).unwrap_err());

    let memory = Memory::new(&mut one, MemoryType::new(1, None)).unwrap();
    let _same_number = Memory::new(&mut other, MemoryType::new(1, None)).unwrap();
    foreign(memory.grow(&mut other, 1).unwrap_err());

    let table_ty = TableType::new(RefType::FUNCREF, 1, None);
    let table = Table::new(&mut one, table_ty, Val::FuncRef(None)).unwrap();
    let _same_number = Table::new(&mut other, table_ty, Val::FuncRef(None)).unwrap();
    foreign(table.set(&mut other, 0, Val::FuncRef(None)).unwrap_err());

    let object = ExternRef::new(&mut one, 1).unwrap();
    let _same_slot = ExternRef::new(&mut other, 2).unwrap();
    foreign(object.data(&other).unwrap_err());
    let owned = object.to_owned_rooted(&mut one).unwrap();
    foreign(owned.to_rooted(&mut other).unwrap_err());
}

#[test]
#[should_panic(expected = "a memory of this store")]
fn a_method_without_a_result_panics_on_a_foreign_handle() {
    let (mut one, mut other) = (store(), store());
    let memory = Memory::new(&mut one, MemoryType::new(1, None)).unwrap();
    let _same_number = Memory::new(&mut other, MemoryType::new(1, None)).unwrap();
    let _ = memory.data(&other);
}

#[test]
fn a_handle_is_stale_after_its_scope_also_when_left_by_an_error() {
    fn leave_early(store: &mut Store<()>) -> Result<Rooted<ExternRef>, Rooted<ExternRef>> {
        let mut scope = RootScope::new(store);
        Err(ExternRef::new(&mut scope, "gone").unwrap())
    }
    let mut store = store();
    let handle = leave_early(&mut store).unwrap_err();
    let _reuses_the_slot = ExternRef::new(&mut store, "other").unwrap();
    let error = handle.data(&store).unwrap_err();
    assert_eq!(*misuse(&error), Misuse::StaleHandle);
}

#[test]
fn handles_follow_their_objects_and_payloads_die_once() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut store = store();
    let outer = ExternRef::new(&mut store, Counted(Arc::clone(&dropped))).unwrap();
    let owned = {
        let mut scope = RootScope::new(&mut store);
        let owned = ExternRef::new(&mut scope, Counted(Arc::clone(&dropped))).unwrap();
        for _ in 0..10 {
            ExternRef::new(&mut scope, Counted(Arc::clone(&dropped))).unwrap();
        }
        owned.to_owned_rooted(&mut scope).unwrap()
    };
    store.gc().unwrap();
    assert_eq!(dropped.load(Ordering::Relaxed), 10);
    let is_counted =
        |handle: &Rooted<ExternRef>, store: &Store<()>| handle.data(store).unwrap().unwrap().is::<Counted>();
    assert!(is_counted(&outer, &store));
    let again = owned.to_rooted(&mut store).unwrap();
    assert!(is_counted(&again, &store));
    assert!(!Rooted::ref_eq(&store, &outer, &again).unwrap());
    store.verify().unwrap();

    drop(owned);
    store.gc().unwrap();
    // `again` still roots it.
    assert_eq!(dropped.load(Ordering::Relaxed), 10);
    drop(store);
    assert_eq!(dropped.load(Ordering::Relaxed), 12);
}

/// S1: several references moved to the host at once; rooting one must not lose the others.
#[test]
fn arguments_and_results_survive_a_collection_in_the_host_function() {
    let mut store = store();
    let ty = FuncType::new([ValType::Ref(RefType::EXTERNREF); 3], [ValType::Ref(RefType::EXTERNREF); 3]);
    let rotate = Func::new(&mut store, ty, |mut caller, params, results| {
        for _ in 0..100 {
            ExternRef::new(&mut caller, [0_u64; 4])?;
        }
        caller.gc()?;
        results.copy_from_slice(&[params[2], params[0], params[1]]);
        Ok(())
    })
    .unwrap();
    let params: Vec<_> = (0..3).map(|i| Val::ExternRef(Some(ExternRef::new(&mut store, i).unwrap()))).collect();
    let mut results = [Val::ExternRef(None); 3];
    rotate.call(&mut store, &params, &mut results).unwrap();
    let values = results.map(|val| match val {
        Val::ExternRef(Some(handle)) => *handle.data(&store).unwrap().unwrap().downcast_ref::<i32>().unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!(values, [2, 0, 1]);
}

/// R20: an `i31` needs no heap, and its root is popped like any other.
#[test]
fn an_i31_is_rooted_without_a_heap() {
    let mut store = store();
    let handle = {
        let mut scope = RootScope::new(&mut store);
        let handle = AnyRef::from_i31(&mut scope, I31::wrapping_u32(0x7FFF_FFFF)).unwrap();
        assert_eq!(handle.as_i31(&scope).unwrap().map(I31::get_i32), Some(-1));
        handle
    };
    assert!(handle.as_i31(&store).is_err());
    assert_eq!(store.heap_stats().committed_bytes, 0);
}

#[test]
fn host_functions_nest_only_so_deep() {
    let mut store: Store<Option<Func>> = Store::new(&Engine::default(), None);
    let again = Func::wrap(&mut store, |mut caller: Caller<'_, Option<Func>>| -> Result<(), Error> {
        let func = caller.data().unwrap();
        func.call(&mut caller, &[], &mut [])
    })
    .unwrap();
    *store.data_mut() = Some(again);
    assert_eq!(again.call(&mut store, &[], &mut []).unwrap_err().trap(), Some(Trap::StackOverflow));
    // The store is as good as before.
    let fine = Func::wrap(&mut store, || 7).unwrap();
    assert_eq!(fine.typed::<(), i32>(&store).unwrap().call(&mut store, ()).unwrap(), 7);
}

#[test]
fn globals_and_tables_hold_references_across_collections() {
    let mut store = store();
    let object = ExternRef::new(&mut store, 5_u8).unwrap();
    let ty = GlobalType::new(ValType::Ref(RefType::EXTERNREF), Mutability::Var);
    let global = Global::new(&mut store, ty, Val::ExternRef(Some(object))).unwrap();
    let table_ty = TableType::new(RefType::EXTERNREF, 2, Some(3));
    let table = Table::new(&mut store, table_ty, Val::ExternRef(None)).unwrap();
    table.set(&mut store, 1, Val::ExternRef(Some(object))).unwrap();
    for _ in 0..3 {
        store.gc().unwrap();
    }
    let (Val::ExternRef(Some(a)), Some(Val::ExternRef(Some(b)))) = (global.get(&mut store), table.get(&mut store, 1))
    else {
        panic!("references")
    };
    assert!(Rooted::ref_eq(&store, &a, &b).unwrap());
    assert_eq!(table.grow(&mut store, 1, Val::ExternRef(Some(b))).unwrap(), 2);
    assert!(table.grow(&mut store, 1, Val::ExternRef(None)).is_err());
    assert!(table.get(&mut store, 3).is_none());
    let error = table.set(&mut store, 3, Val::ExternRef(None)).unwrap_err();
    assert_eq!(*misuse(&error), Misuse::OutOfRange { what: "table", index: 3, len: 3 });
}

#[test]
fn an_immutable_global_is_not_written() {
    let mut store = store();
    let global = Global::new(&mut store, GlobalType::new(ValType::I32, Mutability::Const), Val::I32(1)).unwrap();
    let error = global.set(&mut store, Val::I32(2)).unwrap_err();
    assert_eq!(*misuse(&error), Misuse::Immutable("the global"));
    assert_eq!(global.get(&mut store).i32(), Some(1));
}

#[test]
fn memories_are_read_and_written_whole_or_not_at_all() {
    let mut store = store();
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
    let size = memory.data_size(&store);
    memory.write(&mut store, size - 2, &[1, 2]).unwrap();
    let error = memory.write(&mut store, size - 1, &[9, 9]).unwrap_err();
    assert_eq!((error.offset, error.length, error.size), (size - 1, 2, size));
    let mut buffer = [7; 2];
    assert!(memory.read(&store, usize::MAX, &mut buffer).is_err());
    assert_eq!(buffer, [7, 7]);
    memory.read(&store, size - 2, &mut buffer).unwrap();
    assert_eq!(buffer, [1, 2]);
    memory.read(&store, size, &mut []).unwrap();
    assert!(memory.read(&store, size + 1, &mut []).is_err());
    assert_eq!(memory.grow(&mut store, 1).unwrap(), 1);
    assert_eq!(memory.grow(&mut store, 0).unwrap(), 2);
    assert!(memory.grow(&mut store, 1).unwrap_err().out_of_memory().is_some());
    assert_eq!(memory.size(&store), 2);
}

#[test]
fn stores_go_to_other_threads() {
    fn is_send<T: Send>(_: &T) {}
    let mut store = store();
    is_send(&store);
    let handle = ExternRef::new(&mut store, 3).unwrap();
    let store = std::thread::spawn(move || {
        store.gc().unwrap();
        store
    })
    .join()
    .unwrap();
    assert!(handle.data(&store).unwrap().is_some());
}
