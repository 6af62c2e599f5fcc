//! Conditions that hosts met in other implementations, at the boundary between host and heap. Each has its id.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse};
use tumulus::heap::HeapConfig;
use tumulus::object::VMGcRef;
use tumulus::store::{
    AnyRef, AutoAssertNoGc, Config, Engine, ExnRef, ExternRef, Func, GcStore, Global, GlobalType, I31, OwnedRooted,
    RootScope, RootSlot, Rooted, Store, StructRef, StructRefPre, Table, TableType, Tag, TagType, Val, ValRaw,
};
use tumulus::types::{FieldType, FuncType, Mutability, RefType, StructType, SubType, ValType};
use tumulus::wasm::{Instance, Module};

fn store(collector: BuiltinCollector) -> Store<()> {
    let heap = HeapConfig { verify: true, poison: true, move_all: true, ..HeapConfig::default() };
    Store::new(&Engine::new(Config::new().collector(collector).heap(heap)).unwrap(), ())
}

fn pair(store: &mut Store<()>) -> StructRefPre {
    let field = |storage| FieldType::new(Mutability::Var, storage);
    let ty = StructType::new([field(ValType::I32.into()), field(RefType::ANYREF.into())]);
    let ty = store.engine().types().register(vec![SubType::new(ty)]).unwrap().get(0);
    StructRefPre::new(store, &ty).unwrap()
}

/// Counts how often it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// S1: a batch of fresh references crosses while every allocation collects.
#[test]
fn s1_references_moved_in_as_a_batch_are_all_roots_before_anything_collects() {
    for collector in BuiltinCollector::ALL {
        let heap = HeapConfig {
            zeal: std::num::NonZeroU32::new(1),
            verify: true,
            poison: true,
            move_all: true,
            ..HeapConfig::default()
        };
        let mut store = Store::new(&Engine::new(Config::new().collector(collector).heap(heap)).unwrap(), ());
        let ty = FuncType::new([], [ValType::Ref(RefType::EXTERNREF); 4]);
        let fresh = Func::new(&mut store, ty, |mut caller, _, results| {
            for (i, result) in (0_u32..).zip(results) {
                *result = ExternRef::new(&mut caller, i)?.into();
            }
            Ok(())
        })
        .unwrap();
        let mut results = [Val::null_extern_ref(); 4];
        fresh.call(&mut store, &[], &mut results).unwrap();
        ExternRef::new(&mut store, u32::MAX).unwrap();
        for (i, result) in (0_u32..).zip(results) {
            let handle = result.extern_ref().flatten().unwrap();
            assert_eq!(handle.data(&store).unwrap().unwrap().downcast_ref(), Some(&i), "{collector}");
        }
    }
}

/// S10: a call that is given up in the middle, by a panic through guest and host, leaves the heap valid.
#[test]
fn s10_a_call_abandoned_midway_leaves_the_store_usable() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let text = r#"(module
            (type $box (struct (field (mut i32)) (field (mut (ref null $box)))))
            (import "" "leave" (func $leave (param anyref)))
            (global $last (export "last") (mut (ref null $box)) (ref.null $box))
            (func (export "run") (param i32)
              (local $new (ref null $box))
              (local.set $new (struct.new $box (local.get 0) (global.get $last)))
              (global.set $last (local.get $new))
              (call $leave (local.get $new))))"#;
        let module = Module::new(store.engine(), text).unwrap();
        let leave = Func::wrap(&mut store, |object: Option<Rooted<AnyRef>>| {
            assert!(object.is_none(), "given up on purpose");
        })
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[leave.into()]).unwrap();
        let run = instance.get_func(&mut store, "run").unwrap();
        let before = store.root_counts();
        for i in 0..10 {
            let call = catch_unwind(AssertUnwindSafe(|| run.call(&mut store, &[Val::I32(i)], &mut [])));
            assert!(call.is_err());
            store.gc().unwrap();
        }
        let mut scope = RootScope::new(&mut store);
        let mut at = instance.get_global(&mut scope, "last").unwrap().get(&mut scope).any_ref().unwrap();
        for i in (0..10).rev() {
            let object = at.unwrap().as_struct(&scope).unwrap().unwrap();
            assert_eq!(object.field(&mut scope, 0).unwrap().i32(), Some(i), "{collector}");
            at = object.field(&mut scope, 1).unwrap().any_ref().unwrap();
        }
        drop(scope);
        let counted = store.root_counts();
        assert_eq!(counted.iter().sum::<u64>(), before.iter().sum::<u64>() + 1, "{collector}: the global only");
    }
}

/// S14: conversions to and from the raw form leave no root behind.
#[test]
fn s14_a_million_raw_conversions_leave_no_root() {
    let mut store = store(BuiltinCollector::default());
    let (any, external) = (ValType::Ref(RefType::ANYREF), ValType::Ref(RefType::EXTERNREF));
    let object = ExternRef::new(&mut store, 7_u8).unwrap();
    let start = store.root_counts();
    for _ in 0..1_000_000 {
        let mut scope = RootScope::new(&mut store);
        let raw = ValRaw::from_val(&scope, object.into(), external).unwrap();
        let internal = ValRaw::anyref(raw.get_externref()).to_val(&mut scope, any).unwrap();
        let handle = ExternRef::convert_any(&mut scope, &internal.any_ref().flatten().unwrap()).unwrap();
        assert!(Rooted::ref_eq(&scope, &handle, &object).unwrap());
    }
    assert_eq!(store.root_counts(), start);
}

/// R9: an exception that only an error holds is not collected, and its tag stays its own when others of its size are
/// made.
#[test]
fn r9_an_error_is_the_only_root_of_its_exception() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let ty = TagType::new(store.engine(), FuncType::new([ValType::I64], [])).unwrap();
        let [tag, other] = [(); 2].map(|()| Tag::new(&mut store, &ty).unwrap());
        let error = {
            let mut scope = RootScope::new(&mut store);
            ExnRef::new(&mut scope, &tag, &[Val::I64(7)]).unwrap().to_error(&mut scope).unwrap()
        };
        for i in 0..100 {
            let mut scope = RootScope::new(&mut store);
            ExnRef::new(&mut scope, &other, &[Val::I64(i)]).unwrap();
            if i % 10 == 0 {
                drop(scope);
                store.gc().unwrap();
            }
        }
        let exception = ExnRef::of_error(&mut store, &error).unwrap().unwrap();
        assert_eq!(exception.tag(&store).unwrap(), tag, "{collector}");
        assert_eq!(exception.values(&mut store).unwrap()[0].i64(), Some(7), "{collector}");
    }
}

/// R20: an `i31` is rooted before there is a heap, in a scope and by an owner, and its roots go like any other.
#[test]
fn r20_roots_of_an_i31_are_popped_and_dropped_without_a_heap() {
    let mut store = store(BuiltinCollector::default());
    let (owned, stale) = {
        let mut scope = RootScope::new(&mut store);
        let handle = AnyRef::from_i31(&mut scope, I31::wrapping_u32(3)).unwrap();
        (handle.to_owned_rooted(&mut scope).unwrap(), handle)
    };
    assert!(matches!(stale.as_i31(&store).unwrap_err().cause(), Cause::Misuse(Misuse::StaleHandle)));
    assert_eq!(store.root_counts().iter().sum::<u64>(), 1);
    drop(owned);
    assert_eq!(store.root_counts().iter().sum::<u64>(), 0);
    assert_eq!(store.heap_stats().committed_bytes, 0);
}

/// R21: the same object passed to two calls in one scope is one object, dropped once.
#[test]
fn r21_an_object_passed_twice_in_a_scope_is_dropped_once() {
    for collector in BuiltinCollector::ALL {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut store = store(collector);
        let same = Func::wrap(&mut store, |object: Option<Rooted<ExternRef>>| object).unwrap();
        let same = same.typed::<Option<Rooted<ExternRef>>, Option<Rooted<ExternRef>>>(&store).unwrap();
        {
            let mut scope = RootScope::new(&mut store);
            let object = ExternRef::new(&mut scope, Counted(Arc::clone(&dropped))).unwrap();
            let once = same.call(&mut scope, Some(object)).unwrap().unwrap();
            let twice = same.call(&mut scope, Some(object)).unwrap().unwrap();
            assert!(Rooted::ref_eq(&scope, &once, &twice).unwrap());
        }
        assert_eq!(store.heap_stats().extern_payloads, 1, "{collector}");
        store.gc().unwrap();
        let collects = collector.create().traits().collects;
        assert_eq!(dropped.load(Ordering::Relaxed), usize::from(collects), "{collector}");
        drop(store);
        assert_eq!(dropped.load(Ordering::Relaxed), 1, "{collector}");
    }
}

/// B1: what the low-level interface allocates is known to the collector from birth, rooted or not.
#[test]
fn b1_an_allocation_without_a_handle_is_an_object_like_any_other() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let pre = pair(&mut store);
        let forgotten = GcStore::new(&mut store).alloc_struct(&pre).unwrap();
        drop(VMGcRef::from(forgotten));
        let kept = GcStore::new(&mut store).alloc_struct(&pre).unwrap();
        let kept: Rooted<StructRef> = AutoAssertNoGc::new(&mut store).root(kept.as_gc_ref()).unwrap();
        let host = GcStore::new(&mut store).alloc_externref(Box::new(5_u16)).unwrap();
        let host: Rooted<ExternRef> = AutoAssertNoGc::new(&mut store).root(host.as_gc_ref()).unwrap();
        kept.set_field(&mut store, 0, Val::I32(4)).unwrap();
        for _ in 0..3 {
            store.gc().unwrap();
        }
        assert_eq!(kept.field(&mut store, 0).unwrap().i32(), Some(4), "{collector}");
        assert_eq!(host.data(&store).unwrap().unwrap().downcast_ref(), Some(&5_u16), "{collector}");
    }
}

/// B2: a value made from a raw form keeps the object alive by itself, and giving it up takes nothing from others.
#[test]
fn b2_a_value_from_a_raw_form_is_a_root_of_its_own() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let pre = pair(&mut store);
        let ty = ValType::Ref(RefType::ANYREF);
        let owned: OwnedRooted<StructRef> = {
            let mut scope = RootScope::new(&mut store);
            let object = StructRef::new(&mut scope, &pre, &[Val::I32(6), Val::null_any_ref()]).unwrap();
            object.to_owned_rooted(&mut scope).unwrap()
        };
        let raw = {
            let mut scope = RootScope::new(&mut store);
            let object = owned.to_rooted(&mut scope).unwrap();
            ValRaw::from_val(&scope, object.to_anyref().into(), ty).unwrap()
        };
        let first = raw.to_val(&mut store, ty).unwrap().any_ref().flatten().unwrap();
        drop(owned);
        {
            let mut scope = RootScope::new(&mut store);
            raw.to_val(&mut scope, ty).unwrap();
        }
        for _ in 0..3 {
            store.gc().unwrap();
        }
        let object = first.as_struct(&store).unwrap().unwrap();
        assert_eq!(object.field(&mut store, 0).unwrap().i32(), Some(6), "{collector}");
    }
}

/// B4: an `i31` made external is no pointer, wherever it is held.
#[test]
fn b4_an_external_i31_is_followed_by_no_collector() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let small = AnyRef::from_i31(&mut store, I31::wrapping_i32(-1)).unwrap();
        let external = ExternRef::convert_any(&mut store, &small).unwrap();
        let ty = ValType::Ref(RefType::EXTERNREF);
        let global = GlobalType::new(ty, Mutability::Var);
        let global = Global::new(&mut store, global, external.into()).unwrap();
        let table = TableType::new(RefType::EXTERNREF, 200, None);
        let table = Table::new(&mut store, table, external.into()).unwrap();
        let owned = external.to_owned_rooted(&mut store).unwrap();
        for _ in 0..3 {
            ExternRef::new(&mut store, [0_u8; 16]).unwrap();
            store.gc().unwrap();
        }
        let held = [
            owned.to_rooted(&mut store).unwrap(),
            global.get(&mut store).extern_ref().flatten().unwrap(),
            table.get(&mut store, 150).unwrap().extern_ref().flatten().unwrap(),
        ];
        for external in held {
            assert!(external.data(&store).unwrap().is_none(), "{collector}");
            let small = AnyRef::convert_extern(&mut store, &external).unwrap();
            assert_eq!(small.as_i31(&store).unwrap(), Some(I31::wrapping_i32(-1)), "{collector}");
        }
    }
}

/// L6: a tag keeps its exceptions' type alive, and its index from being another's.
#[test]
fn l6_a_tag_keeps_the_type_of_its_exceptions() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let engine = store.engine().clone();
        let carried = [ValType::Ref(RefType::EXTERNREF), ValType::I64];
        let ty = TagType::new(&engine, FuncType::new(carried, [])).unwrap();
        let tag = Tag::new(&mut store, &ty).unwrap();
        drop(ty);
        let registered = engine.types().len();
        let payload = ExternRef::new(&mut store, "carried").unwrap();
        let exception = ExnRef::new(&mut store, &tag, &[payload.into(), Val::I64(9)]).unwrap();
        // Types that come and go, and would take a free index, with references elsewhere.
        for fields in 1..50 {
            let field = FieldType::new(Mutability::Var, ValType::I64.into());
            let other = engine.types().register(vec![SubType::new(StructType::new(vec![field; fields]))]).unwrap();
            let other = StructRefPre::new(&mut store, &other.get(0)).unwrap();
            let mut scope = RootScope::new(&mut store);
            StructRef::new_default(&mut scope, &other).unwrap();
        }
        assert!(engine.types().len() >= registered);
        store.gc().unwrap();
        let values = exception.values(&mut store).unwrap();
        let handle = values[0].extern_ref().flatten().unwrap();
        assert_eq!(handle.data(&store).unwrap().unwrap().downcast_ref(), Some(&"carried"), "{collector}");
        assert_eq!(values[1].i64(), Some(9), "{collector}");
        assert_eq!(tag.ty(&store).ty().params(), carried);
    }
}

/// Slots outside the heap, written without handles, on every collector: what was overwritten dies, what is held lives.
#[test]
fn slots_outside_the_heap_are_written_through_their_arrays() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let ty = RefType::EXTERNREF;
        let global = GlobalType::new(ty.into(), Mutability::Var);
        let global = Global::new(&mut store, global, Val::null_extern_ref()).unwrap();
        let table = Table::new(&mut store, TableType::new(ty, 300, None), Val::null_extern_ref()).unwrap();
        let owned = {
            let mut scope = RootScope::new(&mut store);
            ExternRef::new(&mut scope, 0_usize).unwrap().to_owned_rooted(&mut scope).unwrap()
        };
        for round in 1..10_usize {
            for (i, slot) in
                [RootSlot::global(&global), RootSlot::element(&table, 200), RootSlot::owned(&owned)].iter().enumerate()
            {
                let mut gc = GcStore::new(&mut store);
                let object = gc.alloc_externref(Box::new(10 * round + i)).unwrap();
                gc.write_root(slot, Some(object.as_gc_ref())).unwrap();
            }
            store.gc().unwrap();
            let held = [
                global.get(&mut store).extern_ref().flatten().unwrap(),
                table.get(&mut store, 200).unwrap().extern_ref().flatten().unwrap(),
                owned.to_rooted(&mut store).unwrap(),
            ];
            for (i, handle) in held.into_iter().enumerate() {
                let value = handle.data(&store).unwrap().unwrap().downcast_ref::<usize>().copied();
                assert_eq!(value, Some(10 * round + i), "{collector}");
            }
        }
        let seven = VMGcRef::from_i31(7);
        let mut gc = GcStore::new(&mut store);
        assert!(gc.write_root(&RootSlot::element(&table, 300), Some(&seven)).is_err());
        assert!(gc.write_root(&RootSlot::owned(&owned), None).is_err(), "an owned handle leads to something");
        gc.write_root(&RootSlot::global(&global), None).unwrap();
        assert!(global.get(&mut store).extern_ref().flatten().is_none());
        let mut other = self::store(collector);
        let error = GcStore::new(&mut other).write_root(&RootSlot::owned(&owned), Some(&seven)).unwrap_err();
        assert!(matches!(error.cause(), Cause::Misuse(Misuse::ForeignHandle)), "{error}");
    }
}

#[test]
fn values_say_their_types() {
    let mut store = store(BuiltinCollector::default());
    let pre = pair(&mut store);
    let object = StructRef::new_default(&mut store, &pre).unwrap();
    let func = Func::wrap(&mut store, |_: i32| 1_i64).unwrap();
    let host = ExternRef::new(&mut store, 1).unwrap();
    let internal = AnyRef::convert_extern(&mut store, &host).unwrap();
    let own = |val: Val, store: &Store<()>| val.ty(store).unwrap().to_string();
    assert_eq!(own(object.into(), &store), format!("(ref {})", pre.ty().index().bits()));
    assert_eq!(own(host.into(), &store), "(ref extern)");
    assert_eq!(own(internal.into(), &store), "(ref any)");
    assert_eq!(own(Val::null_func_ref(), &store), "nullfuncref");
    for val in [object.into(), func.into(), host.into(), internal.into(), Val::null_exn_ref(), Val::I64(3)] {
        let ty = val.ty(&store).unwrap();
        assert!(val.matches_ty(&store, ty).unwrap(), "{val:?} is of its own type {ty}");
    }
    assert!(func.matches_ty(&store, &FuncType::new([ValType::I32], [ValType::I64])).unwrap());
    assert!(!func.matches_ty(&store, &FuncType::new([ValType::I32], [])).unwrap());
    let other = self::store(BuiltinCollector::default());
    let error = Val::from(object).matches_ty(&other, RefType::ANYREF.into()).unwrap_err();
    assert!(matches!(error.cause(), Cause::Misuse(Misuse::ForeignHandle)));
}
