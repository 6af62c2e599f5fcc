//! Roots that are many and short-lived, and references that are none.

use std::num::NonZeroU32;

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Cause, Misuse};
use tumulus::heap::HeapConfig;
use tumulus::store::{
    AnyRef, ArrayRef, ArrayRefPre, Config, Engine, ExternRef, I31, RootScope, Rooted, Store, WeakRooted,
};
use tumulus::trace::RootCategory;
use tumulus::types::{ArrayType, FieldType, Mutability, RefType, SubType};

fn store(collector: BuiltinCollector) -> Store<()> {
    store_with_zeal(collector, None)
}

/// A store that collects at every so many allocations; three times out of four only what is young.
fn store_with_zeal(collector: BuiltinCollector, zeal: Option<NonZeroU32>) -> Store<()> {
    let heap = HeapConfig { verify: true, zeal, ..HeapConfig::default() };
    Store::new(&Engine::new(Config::new().collector(collector).heap(heap)).unwrap(), ())
}

fn array_pre(store: &mut Store<()>) -> ArrayRefPre {
    let element = FieldType::new(Mutability::Var, RefType::ANYREF.into());
    let ty = store.engine().types().register(vec![SubType::new(ArrayType::new(element))]).unwrap().get(0);
    ArrayRefPre::new(store, &ty).unwrap()
}

fn collects(collector: BuiltinCollector) -> bool {
    collector.create().traits().collects
}

/// S14, R19, R21: a million handles of each kind made and dropped, with collections between, leave nothing behind.
#[test]
fn a_million_roots_come_and_go() {
    let mut store = store(BuiltinCollector::default());
    let object = ExternRef::new(&mut store, 7_u8).unwrap();
    let start = store.root_counts();
    let mut committed = 0;
    for round in 0..1_000_000 {
        let mut scope = RootScope::new(&mut store);
        let owned = object.to_owned_rooted(&mut scope).unwrap();
        let again = owned.to_rooted(&mut scope).unwrap();
        let weak = again.downgrade(&mut scope).unwrap();
        assert!(weak.upgrade(&mut scope).unwrap().is_some());
        drop(scope);
        if round % 50_000 == 0 {
            store.gc().unwrap();
            let stats = store.heap_stats();
            assert!(committed == 0 || committed == stats.committed_bytes);
            committed = stats.committed_bytes;
        }
    }
    assert_eq!(store.root_counts(), start);
    assert_eq!(object.data(&store).unwrap().unwrap().downcast_ref::<u8>(), Some(&7));
}

#[test]
fn roots_are_counted_by_what_holds_them() {
    let mut store = store(BuiltinCollector::default());
    let object = ExternRef::new(&mut store, 1).unwrap();
    let owned: Vec<_> = (0..5).map(|_| object.to_owned_rooted(&mut store).unwrap()).collect();
    let count = |store: &mut Store<()>, category: RootCategory| store.root_counts()[category as usize];
    assert_eq!((count(&mut store, RootCategory::Scopes), count(&mut store, RootCategory::Owned)), (1, 5));
    drop(owned);
    assert_eq!((count(&mut store, RootCategory::Scopes), count(&mut store, RootCategory::Owned)), (1, 0));
    assert_eq!(count(&mut store, RootCategory::Tables), 0);
}

/// On every collector alike: a weak handle keeps nothing alive, follows what lives, and is cleared in the collection
/// that finds its object dead.
#[test]
fn weak_handles_follow_the_living_and_forget_the_dead() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let pre = array_pre(&mut store);
        let kept = ArrayRef::new_default(&mut store, &pre, 3).unwrap();
        let weak_kept = kept.downgrade(&mut store).unwrap();
        let small = AnyRef::from_i31(&mut store, I31::wrapping_u32(9)).unwrap();
        let weak_small = small.downgrade(&mut store).unwrap();
        let mut dying: Vec<WeakRooted<ArrayRef>> = Vec::new();
        let mut held = Vec::new();
        for length in [1, 2, 40_000] {
            let mut scope = RootScope::new(&mut store);
            let young = ArrayRef::new_default(&mut scope, &pre, length).unwrap();
            dying.push(young.downgrade(&mut scope).unwrap());
            let inner = ArrayRef::new_default(&mut scope, &pre, length).unwrap();
            // Reachable from an older object only.
            kept.set(&mut scope, held.len().try_into().unwrap(), inner.into()).unwrap();
            held.push(inner.downgrade(&mut scope).unwrap());
        }
        for round in 0..3 {
            store.gc().unwrap();
            for weak in &dying {
                assert_eq!(weak.upgrade(&mut store).unwrap().is_some(), !collects(collector), "{collector} {round}");
            }
            let mut scope = RootScope::new(&mut store);
            for (weak, length) in held.iter().zip([1, 2, 40_000]) {
                let alive = weak.upgrade(&mut scope).unwrap().expect("held by `kept`");
                assert_eq!(alive.len(&scope).unwrap(), length, "{collector} {round}");
            }
            let alive = weak_kept.upgrade(&mut scope).unwrap().unwrap();
            assert!(Rooted::ref_eq(&scope, &alive, &kept).unwrap());
            let small = weak_small.upgrade(&mut scope).unwrap().unwrap();
            assert_eq!(small.as_i31(&scope).unwrap(), Some(I31::wrapping_u32(9)));
        }
        // Old by now, and only then dead.
        kept.set(&mut store, 1, tumulus::store::Val::AnyRef(None)).unwrap();
        store.gc().unwrap();
        let alive: Vec<_> = held.iter().map(|weak| weak.upgrade(&mut store).unwrap().is_some()).collect();
        assert_eq!(alive, [true, !collects(collector), true], "{collector}");
    }
}

/// The same through many minor collections: ids are used again, and none leads to what it did not name.
#[test]
fn weak_handles_are_right_after_minor_collections() {
    for collector in BuiltinCollector::ALL {
        let mut store = store_with_zeal(collector, NonZeroU32::new(61));
        let pre = array_pre(&mut store);
        let kept = ArrayRef::new_default(&mut store, &pre, 100).unwrap();
        let mut weak: Vec<(u32, bool, WeakRooted<ArrayRef>)> = Vec::new();
        for i in 0..60_000_u32 {
            let mut scope = RootScope::new(&mut store);
            let array = ArrayRef::new_default(&mut scope, &pre, i % 50).unwrap();
            let is_held = i % 1000 == 0 && i < 50_000;
            if is_held {
                kept.set(&mut scope, i / 1000, array.into()).unwrap();
            }
            if i % 97 == 0 || is_held {
                weak.push((i % 50, is_held, array.downgrade(&mut scope).unwrap()));
            }
            if i % 5000 == 0 {
                weak.retain(|(_, is_held, _)| *is_held);
            }
        }
        let stats = store.heap_stats();
        let seen = (stats.collections > 900, stats.minor_collections > 600);
        assert_eq!(seen, (collects(collector), collector.create().traits().has_minor), "{collector}");
        for (length, is_held, weak) in &weak {
            let mut scope = RootScope::new(&mut store);
            let alive = weak.upgrade(&mut scope).unwrap();
            assert!(alive.is_some() || !is_held, "{collector} lost what is held");
            if let Some(array) = alive {
                assert_eq!(array.len(&scope).unwrap(), *length, "{collector}");
            }
        }
        store.gc().unwrap();
        let alive = weak.iter().filter(|(_, _, weak)| weak.upgrade(&mut store).unwrap().is_some()).count();
        let wanted = if collects(collector) { 50 } else { weak.len() };
        assert_eq!(alive, wanted, "{collector}");
    }
}

#[test]
fn a_weak_handle_of_another_store_is_refused() {
    let (mut one, mut other) = (store(BuiltinCollector::default()), store(BuiltinCollector::default()));
    let weak = ExternRef::new(&mut one, 1).unwrap().downgrade(&mut one).unwrap();
    let _same_id = ExternRef::new(&mut other, 2).unwrap().downgrade(&mut other).unwrap();
    let error = weak.upgrade(&mut other).unwrap_err();
    assert!(matches!(error.cause(), Cause::Misuse(Misuse::ForeignHandle)));
}
