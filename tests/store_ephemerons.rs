//! Tables whose values live as long as their keys, through handles.

use std::num::NonZeroU32;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Error, Misuse};
use tumulus::heap::HeapConfig;
use tumulus::store::{
    AnyRef, AsContextMut, Config, Engine, EphemeronTable, ExternRef, I31, RootScope, Rooted, Store, StructRef,
    StructRefPre, Val,
};
use tumulus::trace::RootCategory;
use tumulus::types::{FieldType, Mutability, RefType, StructType, SubType};

fn store_with_zeal(collector: BuiltinCollector, zeal: Option<NonZeroU32>) -> Store<()> {
    let heap = HeapConfig { verify: true, zeal, ..HeapConfig::default() };
    Store::new(&Engine::new(Config::new().collector(collector).heap(heap)).unwrap(), ())
}

fn store(collector: BuiltinCollector) -> Store<()> {
    store_with_zeal(collector, None)
}

fn collecting() -> impl Iterator<Item = BuiltinCollector> {
    BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects)
}

/// A struct with one reference.
fn link_type(store: &mut Store<()>) -> StructRefPre {
    let field = FieldType::new(Mutability::Var, RefType::ANYREF.into());
    let ty = store.engine().types().register(vec![SubType::new(StructType::new([field]))]).unwrap().get(0);
    StructRefPre::new(store, &ty).unwrap()
}

fn link(store: impl AsContextMut, ty: &StructRefPre, to: Option<Rooted<AnyRef>>) -> Rooted<StructRef> {
    StructRef::new(store, ty, &[Val::AnyRef(to)]).unwrap()
}

fn number(store: impl AsContextMut, handle: &Rooted<ExternRef>) -> u32 {
    let mut store = store;
    let context = store.as_context_mut();
    *handle.data(&context).unwrap().unwrap().downcast_ref().unwrap()
}

#[test]
fn pairs_are_added_found_replaced_and_taken_out() {
    for collector in BuiltinCollector::ALL {
        let mut store = store_with_zeal(collector, NonZeroU32::new(3));
        let mut table = EphemeronTable::<ExternRef, ExternRef>::new(&mut store).unwrap();
        let keys: Vec<_> = (0..100_u32).map(|key| ExternRef::new(&mut store, key).unwrap()).collect();
        for key in &keys {
            let mut scope = RootScope::new(&mut store);
            let doubled = 2 * number(&mut scope, key);
            let value = ExternRef::new(&mut scope, doubled).unwrap();
            assert!(table.insert(&mut scope, key, &value).unwrap().is_none());
        }
        assert_eq!(table.len(&store).unwrap(), 100, "{collector}");
        for (key, place) in keys.iter().zip(0..) {
            let mut scope = RootScope::new(&mut store);
            let value = table.get(&mut scope, key).unwrap().expect("its key is alive");
            assert_eq!(number(&mut scope, &value), 2 * place, "{collector}");
            if place % 3 == 0 {
                let value = ExternRef::new(&mut scope, 7_u32).unwrap();
                let before = table.insert(&mut scope, key, &value).unwrap().expect("there was one");
                assert_eq!(number(&mut scope, &before), 2 * place, "{collector}");
            } else if place % 3 == 1 {
                let taken = table.remove(&mut scope, key).unwrap().expect("there was one");
                assert_eq!(number(&mut scope, &taken), 2 * place, "{collector}");
                assert!(!table.contains_key(&scope, key).unwrap());
                assert!(table.remove(&mut scope, key).unwrap().is_none());
            }
        }
        store.gc().unwrap();
        assert_eq!(table.len(&store).unwrap(), 67, "{collector}");
        for (key, place) in keys.iter().zip(0..) {
            let mut scope = RootScope::new(&mut store);
            let value = table.get(&mut scope, key).unwrap().map(|value| number(&mut scope, &value));
            assert_eq!(value, [Some(7), None, Some(2 * place)][place as usize % 3], "{collector}");
        }
        table.clear(&mut store).unwrap();
        assert!(table.is_empty(&store).unwrap());
        assert!(table.get(&mut store, &keys[0]).unwrap().is_none());
    }
}

#[test]
fn a_value_lives_as_long_as_its_key() {
    for collector in collecting() {
        let mut store = store(collector);
        let ty = link_type(&mut store);
        // A chain through two tables; each value leads back to the first key.
        let tables = [0; 2].map(|_| EphemeronTable::<StructRef, StructRef>::new(&mut store).unwrap());
        let (head, last) = {
            let mut scope = RootScope::new(&mut store);
            let first = link(&mut scope, &ty, None);
            let mut key = first;
            for step in 0..50 {
                let value = link(&mut scope, &ty, Some(first.to_anyref()));
                tables[step % 2].insert(&mut scope, &key, &value).unwrap();
                key = value;
            }
            (first.to_owned_rooted(&mut scope).unwrap(), key.downgrade(&mut scope).unwrap())
        };
        for _ in 0..3 {
            store.gc().unwrap();
            assert_eq!(tables.each_ref().map(|table| table.len(&store).unwrap()), [25, 25], "{collector}");
            let mut scope = RootScope::new(&mut store);
            let mut key = head.to_rooted(&mut scope).unwrap();
            for step in 0..50 {
                key = tables[step % 2].get(&mut scope, &key).unwrap().expect("its key is alive");
            }
            let last = last.upgrade(&mut scope).unwrap().expect("it is alive");
            assert!(Rooted::ref_eq(&scope, &key, &last).unwrap(), "{collector}");
        }
        assert_eq!(store.root_counts()[RootCategory::Ephemerons as usize], 50);
        drop(head);
        store.gc().unwrap();
        assert!(last.upgrade(&mut store).unwrap().is_none(), "{collector}");
        assert_eq!(tables.each_ref().map(|table| table.len(&store).unwrap()), [0, 0], "{collector}");
        assert_eq!(store.heap_stats().live_bytes, 0, "{collector}");
    }
}

#[test]
fn i31_keys_never_die() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let table = EphemeronTable::<AnyRef, ExternRef>::new(&mut store).unwrap();
        {
            let mut scope = RootScope::new(&mut store);
            let five = AnyRef::from_i31(&mut scope, I31::wrapping_u32(5)).unwrap();
            let value = ExternRef::new(&mut scope, 5_u32).unwrap();
            table.insert(&mut scope, &five, &value).unwrap();
        }
        for _ in 0..3 {
            store.gc().unwrap();
        }
        let mut scope = RootScope::new(&mut store);
        // Another handle to the same number.
        let five = AnyRef::from_i31(&mut scope, I31::wrapping_u32(5)).unwrap();
        let value = table.get(&mut scope, &five).unwrap().expect("it never dies");
        assert_eq!(number(&mut scope, &value), 5, "{collector}");
    }
}

#[test]
fn what_belongs_elsewhere_is_refused() {
    let foreign = |error: Error| matches!(error.into_cause(), Cause::Misuse(Misuse::ForeignHandle));
    let (mut one, mut other) = (store(BuiltinCollector::default()), store(BuiltinCollector::default()));
    let table = EphemeronTable::<ExternRef, ExternRef>::new(&mut one).unwrap();
    let [mine, theirs] = [&mut one, &mut other].map(|store| ExternRef::new(store, 1_u32).unwrap());
    assert!(foreign(table.insert(&mut other, &theirs, &theirs).unwrap_err()));
    assert!(foreign(table.insert(&mut one, &theirs, &mine).unwrap_err()));
    assert!(foreign(table.insert(&mut one, &mine, &theirs).unwrap_err()));
    assert!(foreign(table.get(&mut other, &theirs).unwrap_err()));
    assert!(foreign(table.remove(&mut one, &theirs).unwrap_err()));
    assert!(foreign(table.contains_key(&other, &theirs).unwrap_err()));
    assert!(foreign(table.len(&other).unwrap_err()));
    let stale = ExternRef::new(RootScope::new(&mut one), 2_u32).unwrap();
    let stale = table.get(&mut one, &stale).unwrap_err().into_cause();
    assert!(matches!(stale, Cause::Misuse(Misuse::StaleHandle)));
    assert!(table.is_empty(&one).unwrap());
}

/// R19: tables, pairs and keys that come and go leave nothing behind.
#[test]
fn tables_that_come_and_go_leave_memory_flat() {
    for collector in collecting() {
        let mut store = store(collector);
        let kept = EphemeronTable::<ExternRef, ExternRef>::new(&mut store).unwrap();
        let mut settled = None;
        for round in 0..400 {
            let mut tables: Vec<_> =
                (0..5).map(|_| EphemeronTable::<ExternRef, ExternRef>::new(&mut store).unwrap()).collect();
            let mut scope = RootScope::new(&mut store);
            for place in 0..50_u32 {
                let key = ExternRef::new(&mut scope, place).unwrap();
                kept.insert(&mut scope, &key, &key).unwrap();
                tables[place as usize % 5].insert(&mut scope, &key, &key).unwrap();
                key.register_finalizer(&mut scope, |_, _| ()).unwrap();
            }
            drop(scope);
            // One of them on another thread.
            let table = tables.pop().unwrap();
            std::thread::spawn(move || drop(table)).join().unwrap();
            drop(tables);
            store.gc().unwrap();
            let stats = store.heap_stats();
            assert_eq!((stats.ephemerons, stats.finalizers_registered, stats.finalizers_pending), (0, 0, 0));
            if round == 20 {
                settled = Some(stats.committed_bytes);
            }
            assert!(settled.is_none_or(|bytes| bytes == stats.committed_bytes), "{collector}, round {round}");
        }
        // What the finalisers of the last round kept.
        store.gc().unwrap();
        assert_eq!((store.heap_stats().extern_payloads, store.heap_stats().live_bytes), (0, 0), "{collector}");
    }
}
