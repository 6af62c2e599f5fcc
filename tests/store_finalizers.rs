//! Finalisers: when they run, what they are given, and what they may do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse};
use tumulus::heap::HeapConfig;
use tumulus::store::{
    AnyRef, AsContextMut, Caller, Config, Engine, EphemeronTable, ExternRef, Func, GcStore, I31, OwnedRooted,
    RootScope, Rooted, Store, StoreContextMut, StructRef, StructRefPre, Val,
};
use tumulus::trace::RootCategory;
use tumulus::types::{FieldType, Mutability, RefType, StructType, SubType};
use tumulus::wasm::{Instance, Module};

/// What finalisers did, and handles that they kept.
#[derive(Default)]
struct Log {
    seen: Vec<u32>,
    kept: Vec<OwnedRooted<ExternRef>>,
}

fn store_of<T: Default>(collector: BuiltinCollector) -> Store<T> {
    let heap = HeapConfig { verify: true, poison: true, ..HeapConfig::default() };
    Store::new(&Engine::new(Config::new().collector(collector).heap(heap)).unwrap(), T::default())
}

fn store(collector: BuiltinCollector) -> Store<Log> {
    store_of(collector)
}

fn collecting() -> impl Iterator<Item = BuiltinCollector> {
    BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects)
}

fn number(store: &mut impl AsContextMut<Data = Log>, object: &Rooted<ExternRef>) -> u32 {
    let context = store.as_context_mut();
    *object.data(&context).unwrap().unwrap().downcast_ref().unwrap()
}

fn reference(value: &Val) -> Option<Rooted<AnyRef>> {
    match value {
        Val::AnyRef(reference) => *reference,
        _ => None,
    }
}

/// Makes an object that nothing keeps and whose finaliser logs its number.
fn make_logged(mut store: impl AsContextMut<Data = Log>, value: u32) {
    let mut scope = RootScope::new(store.as_context_mut());
    let object = ExternRef::new(&mut scope, value).unwrap();
    object
        .register_finalizer(&mut scope, |mut store, object| {
            let number = number(&mut store, &object);
            store.data_mut().seen.push(number);
        })
        .unwrap();
}

#[test]
fn each_registration_is_finalised_once_after_a_collection() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        for value in 0..10 {
            make_logged(&mut store, value);
        }
        assert!(store.data().seen.is_empty());
        assert_eq!(store.run_finalizers().unwrap(), 0, "{collector}: none was found dead yet");
        store.gc().unwrap();
        let expected: Vec<u32> = if collector.traits().collects { (0..10).collect() } else { vec![] };
        assert_eq!(store.data().seen, expected, "{collector}");
        for _ in 0..3 {
            store.gc().unwrap();
        }
        assert_eq!(store.data().seen, expected, "{collector}");
        assert_eq!(store.heap_stats().extern_payloads, if collector.traits().collects { 0 } else { 10 });
    }
}

/// I10: what a finaliser is given is whole, and may be made alive again, with all that it reaches.
#[test]
fn i10_a_finaliser_reads_living_data_and_may_keep_it() {
    for collector in collecting() {
        let mut store = store(collector);
        let field = FieldType::new(Mutability::Var, RefType::ANYREF.into());
        let fields = StructType::new([field, FieldType::new(Mutability::Var, RefType::EXTERNREF.into())]);
        let ty = store.engine().types().register(vec![SubType::new(fields)]).unwrap().get(0);
        let ty = StructRefPre::new(&mut store, &ty).unwrap();
        {
            let mut scope = RootScope::new(&mut store);
            // A circle of two, each with a host value, both registered.
            let [one, other] = [1_u32, 2].map(|number| {
                let value = ExternRef::new(&mut scope, number).unwrap();
                StructRef::new(&mut scope, &ty, &[Val::AnyRef(None), Val::from(value)]).unwrap()
            });
            one.set_field(&mut scope, 0, other.to_anyref().into()).unwrap();
            other.set_field(&mut scope, 0, one.to_anyref().into()).unwrap();
            for object in [one, other] {
                object
                    .register_finalizer(&mut scope, |mut store, object| {
                        for _ in 0..2 {
                            let Val::AnyRef(Some(next)) = object.field(&mut store, 0).unwrap() else { panic!("null") };
                            let next = next.as_struct(&store).unwrap().expect("a struct");
                            let Val::ExternRef(Some(value)) = next.field(&mut store, 1).unwrap() else {
                                panic!("null")
                            };
                            let number = number(&mut store, &value);
                            store.data_mut().seen.push(number);
                            let value = value.to_owned_rooted(&mut store).unwrap();
                            store.data_mut().kept.push(value);
                            store.gc().unwrap();
                        }
                    })
                    .unwrap();
            }
        }
        store.gc().unwrap();
        assert_eq!(store.data().seen, [2, 2, 1, 1], "{collector}");
        for _ in 0..3 {
            store.gc().unwrap();
            let kept = std::mem::take(&mut store.data_mut().kept);
            let mut scope = RootScope::new(&mut store);
            let numbers: Vec<_> = kept
                .iter()
                .map(|kept| {
                    let kept = kept.to_rooted(&mut scope).unwrap();
                    number(&mut scope, &kept)
                })
                .collect();
            assert_eq!(numbers, [2, 2, 1, 1], "{collector}");
            drop(scope);
            store.data_mut().kept = kept;
        }
        store.data_mut().kept.clear();
        store.gc().unwrap();
        assert_eq!((store.heap_stats().live_bytes, store.data().seen.len()), (0, 4), "{collector}");
    }
}

/// The same object again and again, each time registered by its finaliser; it returns all the same.
#[test]
fn an_object_may_be_registered_again_by_its_finaliser() {
    fn register(store: &mut impl AsContextMut<Data = Log>, object: &Rooted<ExternRef>) {
        object
            .register_finalizer(store.as_context_mut(), |mut store, object| {
                let number = number(&mut store, &object);
                store.data_mut().seen.push(number);
                register(&mut store, &object);
                // Finalisers do not run inside of each other.
                store.gc().unwrap();
                assert_eq!(store.run_finalizers().unwrap(), 0);
            })
            .unwrap();
    }
    for collector in collecting() {
        let mut store = store(collector);
        {
            let mut scope = RootScope::new(&mut store);
            let object = ExternRef::new(&mut scope, 9_u32).unwrap();
            register(&mut scope, &object);
        }
        for round in 1..=5 {
            store.gc().unwrap();
            assert_eq!(store.data().seen, vec![9; round], "{collector}");
        }
    }
}

#[test]
fn nothing_weak_leads_to_what_is_finalised() {
    for collector in collecting() {
        let mut store = store(collector);
        let field = FieldType::new(Mutability::Var, RefType::ANYREF.into());
        let ty = store.engine().types().register(vec![SubType::new(StructType::new([field]))]).unwrap().get(0);
        let ty = StructRefPre::new(&mut store, &ty).unwrap();
        let table = EphemeronTable::<StructRef, StructRef>::new(&mut store).unwrap();
        let weaks = {
            let mut scope = RootScope::new(&mut store);
            let inner = StructRef::new(&mut scope, &ty, &[Val::AnyRef(None)]).unwrap();
            let outer = StructRef::new(&mut scope, &ty, &[inner.to_anyref().into()]).unwrap();
            outer
                .register_finalizer(&mut scope, |mut store, outer| {
                    assert!(reference(&outer.field(&mut store, 0).unwrap()).is_some());
                    store.data_mut().seen.push(1);
                })
                .unwrap();
            table.insert(&mut scope, &outer, &inner).unwrap();
            table.insert(&mut scope, &inner, &outer).unwrap();
            [outer, inner].map(|object| object.downgrade(&mut scope).unwrap())
        };
        // A collection that runs no finalisers yet.
        tumulus::store::GcStore::new(&mut store).gc().unwrap();
        assert_eq!(store.root_counts()[RootCategory::Finalizers as usize], 1, "{collector}");
        assert_eq!(store.heap_stats().finalizers_pending, 1);
        for weak in &weaks {
            assert!(weak.upgrade(&mut store).unwrap().is_none(), "{collector}");
        }
        assert_eq!(table.len(&store).unwrap(), 0, "{collector}");
        assert_eq!(store.run_finalizers().unwrap(), 1);
        assert_eq!(store.data().seen, [1], "{collector}");
        assert_eq!(store.root_counts()[RootCategory::Finalizers as usize], 0);
    }
}

/// Objects die inside of a guest; their finalisers run when its outermost call has returned.
#[test]
fn finalisers_run_when_the_outermost_call_returns() {
    const GUEST: &str = r#"(module
        (import "" "make" (func $make))
        (import "" "check" (func $check))
        (type $node (struct (field (ref null $node))))
        (func (export "run") (result (ref null $node))
            (local $i i32)
            (call $make)
            (loop $again
                (drop (struct.new_default $node))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 2000))))
            (call $check)
            (struct.new $node (struct.new_default $node))))"#;
    for collector in collecting() {
        let heap =
            HeapConfig { verify: true, poison: true, zeal: std::num::NonZeroU32::new(40), ..HeapConfig::default() };
        let engine = Engine::new(Config::new().collector(collector).heap(heap)).unwrap();
        let mut store = Store::new(&engine, Log::default());
        let module = Module::new(&engine, GUEST).unwrap();
        let make = Func::wrap(&mut store, |caller: Caller<'_, Log>| make_logged(caller, 4)).unwrap();
        let check = Func::wrap(&mut store, |mut caller: Caller<'_, Log>| {
            assert!(caller.data().seen.is_empty(), "no finaliser runs inside of a guest");
            assert_eq!(caller.heap_stats().finalizers_pending, 1);
            // A call that is not the outermost one.
            let inner = Func::wrap(caller.as_context_mut(), || ()).unwrap();
            inner.call(caller.as_context_mut(), &[], &mut []).unwrap();
            assert!(caller.data().seen.is_empty());
        })
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[make.into(), check.into()]).unwrap();
        let run = instance.get_func(&mut store, "run").unwrap();
        let mut results = [Val::AnyRef(None)];
        run.call(&mut store, &[], &mut results).unwrap();
        assert_eq!(store.data().seen, [4], "{collector}");
        // What the call returned was rooted while they ran.
        store.gc().unwrap();
        let node = reference(&results[0]).unwrap().as_struct(&store).unwrap().unwrap();
        assert!(reference(&node.field(&mut store, 0).unwrap()).is_some(), "{collector}");
    }
}

#[test]
fn a_finaliser_may_call_and_may_panic() {
    for collector in collecting() {
        let mut store = store(collector);
        let func = Func::wrap(&mut store, |mut caller: Caller<'_, Log>| caller.data_mut().seen.push(100)).unwrap();
        for value in 0..3_u32 {
            let mut scope = RootScope::new(&mut store);
            let object = ExternRef::new(&mut scope, value).unwrap();
            object
                .register_finalizer(&mut scope, move |mut store, object| {
                    func.call(store.as_context_mut(), &[], &mut []).unwrap();
                    let number = number(&mut store, &object);
                    assert_ne!(number, 1, "this one panics");
                    store.data_mut().seen.push(number);
                })
                .unwrap();
        }
        let panicked = catch_unwind(AssertUnwindSafe(|| store.gc()));
        assert!(panicked.is_err(), "{collector}");
        assert_eq!(store.data().seen, [100, 0, 100], "{collector}");
        store.gc().unwrap();
        assert_eq!(store.data().seen, [100, 0, 100, 100, 2], "{collector}: the others run, that one not again");
        assert_eq!(store.root_counts()[RootCategory::Scopes as usize], 0, "{collector}: its scope has ended");
    }
}

/// A dropped store runs no finaliser, and drops each payload and each finaliser once.
#[test]
fn a_dropped_store_runs_no_finalisers() {
    for collector in BuiltinCollector::ALL {
        let payload = Arc::new(());
        let captured = Arc::new(());
        let mut store = store_of::<()>(collector);
        for round in 0..20 {
            let mut scope = RootScope::new(&mut store);
            let object = ExternRef::new(&mut scope, Arc::clone(&payload)).unwrap();
            let captured = Arc::clone(&captured);
            object.register_finalizer(&mut scope, move |_, _| panic!("it must not run: {captured:?}")).unwrap();
            drop(scope);
            if round == 10 {
                // Half of them wait in the queue.
                tumulus::store::GcStore::new(&mut store).gc().unwrap();
            }
        }
        assert_eq!((Arc::strong_count(&payload), Arc::strong_count(&captured)), (21, 21), "{collector}");
        drop(store);
        assert_eq!((Arc::strong_count(&payload), Arc::strong_count(&captured)), (1, 1), "{collector}");
    }
}

#[test]
fn what_cannot_be_registered_is_told() {
    let (mut one, mut other) = (store(BuiltinCollector::default()), store(BuiltinCollector::default()));
    let mine = ExternRef::new(&mut one, 1_u32).unwrap();
    let foreign = mine.register_finalizer(&mut other, |_, _| ()).unwrap_err().into_cause();
    assert!(matches!(foreign, Cause::Misuse(Misuse::ForeignHandle)));
    let stale = ExternRef::new(RootScope::new(&mut one), 2_u32).unwrap();
    let stale = stale.register_finalizer(&mut one, |_, _| ()).unwrap_err().into_cause();
    assert!(matches!(stale, Cause::Misuse(Misuse::StaleHandle)));
    // An i31 never dies.
    let captured = Arc::new(());
    let five = AnyRef::from_i31(&mut one, I31::wrapping_u32(5)).unwrap();
    let held = Arc::clone(&captured);
    five.register_finalizer(&mut one, move |_, _| panic!("it never runs: {held:?}")).unwrap();
    assert_eq!((Arc::strong_count(&captured), one.heap_stats().finalizers_registered), (1, 0));
    one.gc().unwrap();
}

#[test]
fn a_registration_can_be_taken_back_until_its_finaliser_runs() {
    for collector in collecting() {
        let mut store = store(collector);
        let captured = Arc::new(());
        let register = |store: &mut Store<Log>, value: u32| {
            let held = Arc::clone(&captured);
            let mut scope = RootScope::new(store);
            let object = ExternRef::new(&mut scope, value).unwrap();
            let run = move |mut store: StoreContextMut<'_, Log>, object: Rooted<ExternRef>| {
                let number = number(&mut store, &object);
                store.data_mut().seen.push(number);
                drop(held);
            };
            object.register_finalizer(&mut scope, run).unwrap()
        };
        let [alive, dead, again] = [1, 2, 3].map(|value| register(&mut store, value));
        assert!(alive.unregister(&mut store).unwrap());
        // An object found dead, by a collection that runs no finalisers.
        GcStore::new(&mut store).gc().unwrap();
        assert_eq!(store.heap_stats().finalizers_pending, 2, "{collector}");
        assert!(dead.unregister(&mut store).unwrap(), "its object waits, and is let go");
        assert_eq!(Arc::strong_count(&captured), 2, "what the finalisers held is gone with them");
        assert_eq!(store.run_finalizers().unwrap(), 1);
        assert_eq!(store.data().seen, [3], "{collector}");
        assert!(!again.unregister(&mut store).unwrap(), "it has run");
        // The heap's ids are used again.
        let later = register(&mut store, 4);
        for gone in [alive, dead, again] {
            assert!(!gone.unregister(&mut store).unwrap());
        }
        store.gc().unwrap();
        assert_eq!(store.data().seen, [3, 4]);
        // What was kept for its finaliser dies in the next collection.
        store.gc().unwrap();
        assert_eq!((store.heap_stats().finalizers_pending, store.heap_stats().extern_payloads), (0, 0));
        let foreign = later.unregister(&mut self::store(collector)).unwrap_err().into_cause();
        assert!(matches!(foreign, Cause::Misuse(Misuse::ForeignHandle)), "{foreign:?}");
    }
}
