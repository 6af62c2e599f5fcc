//! What is told of collections, and what can be asked of a store at any time.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use tumulus::collector::{BuiltinCollector, CycleKind, CyclePhase, Reason};
use tumulus::heap::{CollectionEvent, HeapConfig, HeapStats, PauseTimes};
use tumulus::store::{Config, Engine, ExnRef, ExternRef, Store, StructRef, StructRefPre, Tag, TagType, Val};
use tumulus::testkit::Settings;
use tumulus::testkit::fixture::Fixture;
use tumulus::trace::{Budget, Progress, RootCategory};
use tumulus::types::{FieldType, FuncType, Mutability, RefType, StructType, SubType, ValType};

type Events = Arc<Mutex<Vec<CollectionEvent>>>;

fn store(collector: BuiltinCollector, heap: HeapConfig) -> (Store<()>, Events) {
    let engine = Engine::new(Config::new().collector(collector).heap(heap)).unwrap();
    let mut store = Store::new(&engine, ());
    let events = Events::default();
    let seen = Arc::clone(&events);
    store.on_collection(move |event| seen.lock().unwrap().push(*event));
    (store, events)
}

fn cell(store: &mut Store<()>) -> StructRefPre {
    let field = FieldType::new(Mutability::Var, ValType::from(RefType::ANYREF).into());
    let group = store.engine().types().register(vec![SubType::new(StructType::new([field, field]))]).unwrap();
    StructRefPre::new(store, &group.get(0)).unwrap()
}

/// A list, half of which is dropped, and much garbage.
fn work(collector: BuiltinCollector, heap: HeapConfig) -> (Vec<CollectionEvent>, HeapStats) {
    let (mut store, events) = store(collector, heap);
    let cell = cell(&mut store);
    let null = Val::AnyRef(None);
    let mut list = StructRef::new(&mut store, &cell, &[null, null]).unwrap().to_owned_rooted(&mut store).unwrap();
    for round in 0..3000 {
        let mut scope = tumulus::store::RootScope::new(&mut store);
        let tail = if round == 1500 { null } else { list.to_rooted(&mut scope).unwrap().to_anyref().into() };
        let made = StructRef::new(&mut scope, &cell, &[tail, null]).unwrap();
        for _ in 0..10 {
            StructRef::new(&mut scope, &cell, &[null, tail]).unwrap();
        }
        list = made.to_owned_rooted(&mut scope).unwrap();
    }
    store.gc().unwrap();
    store.verify().unwrap();
    let events = events.lock().unwrap().clone();
    (events, store.heap_stats())
}

fn without_times(event: &CollectionEvent) -> CollectionEvent {
    CollectionEvent { times: PauseTimes::default(), ..*event }
}

fn small() -> HeapConfig {
    HeapConfig { initial_bytes: 64 << 10, max_bytes: 4 << 20, ..HeapConfig::default() }
}

#[test]
fn every_collection_is_told_once_with_what_it_did() {
    for collector in BuiltinCollector::ALL {
        let (events, stats) = work(collector, small());
        assert_eq!(events.len() as u64, stats.collections, "{collector}");
        if !collector.traits().collects {
            assert_eq!(stats.collections, 0);
            continue;
        }
        assert!(events.iter().zip(1..).all(|(event, number)| event.number == number));
        let last = events.last().unwrap();
        assert_eq!((last.reason, last.report.kind), (Reason::Explicit, CycleKind::Full), "{collector}");
        assert_eq!(last.report, stats.last_cycle);
        // 1500 cells of the list; the scope of the store holds the first one it made.
        assert_eq!(last.report.live_bytes, 1501 * 16, "{collector}");
        assert_eq!(last.report.roots[RootCategory::Owned as usize], 1);
        assert_eq!(last.report.roots[RootCategory::Scopes as usize], 1);
        assert_eq!(last.used_bytes_after, stats.used_bytes);
        assert_eq!(last.committed_bytes, stats.committed_bytes);
        assert!(events[..events.len() - 1].iter().all(|event| event.reason != Reason::Explicit));
        for CollectionEvent { report, used_bytes_before, used_bytes_after, times, .. } in &events {
            assert_eq!(report.phases.iter().flatten().sum::<u64>(), report.work_bytes(), "{collector}");
            assert_eq!((report.steps, report.step_work_bytes_max), (1, report.work_bytes()));
            assert!(used_bytes_after <= used_bytes_before || report.copied_bytes > 0, "{collector}");
            assert!(times.longest <= times.total);
        }
        let paused: std::time::Duration = events.iter().map(|event| event.times.total).sum();
        assert_eq!(paused, stats.times.total);
    }
}

#[test]
fn phases_are_those_of_the_collector() {
    use CyclePhase::{Copy, Count, Mark, Minor, Recount};
    for (collector, minor, full) in [
        (BuiltinCollector::Copying, vec![], vec![Copy]),
        (BuiltinCollector::MarkRegion, vec![], vec![Mark]),
        (BuiltinCollector::Generational, vec![Minor], vec![Minor, Mark]),
        (BuiltinCollector::RefCount, vec![Count], vec![Recount]),
    ] {
        let (events, stats) = work(collector, HeapConfig { zeal: NonZeroU32::new(201), ..small() });
        let phases = |event: &CollectionEvent| -> Vec<CyclePhase> {
            let all = CyclePhase::ALL.into_iter().zip(event.report.phases);
            all.filter_map(|(phase, bytes)| bytes.map(|_| phase)).collect()
        };
        for event in &events {
            let wanted = if event.report.kind == CycleKind::Minor { &minor } else { &full };
            assert_eq!(phases(event), *wanted, "{collector}");
        }
        assert_eq!(stats.minor_collections > 0, !minor.is_empty(), "{collector}");
    }
}

#[test]
fn all_but_the_clock_is_the_same_in_another_run() {
    for collector in BuiltinCollector::ALL {
        for zeal in [0, 201] {
            let heap = HeapConfig { zeal: NonZeroU32::new(zeal), ..small() };
            let [(one, one_stats), (other, other_stats)] = [(), ()].map(|()| work(collector, heap.clone()));
            let plain = |events: &[CollectionEvent]| events.iter().map(without_times).collect::<Vec<_>>();
            assert_eq!(plain(&one), plain(&other), "{collector}");
            let [one, other] =
                [one_stats, other_stats].map(|stats| HeapStats { times: PauseTimes::default(), ..stats });
            assert_eq!(one, other, "{collector}");
        }
    }
}

/// A collection in steps is told when it is done, with the longest of them; one that is given up is not.
#[test]
fn steps_are_counted_and_the_longest_told() {
    let mut fixture = Fixture::new(BuiltinCollector::MarkRegion.create(), &Settings::checked(1 << 20));
    let events = Events::default();
    let seen = Arc::clone(&events);
    fixture.heap.on_collection(move |event| seen.lock().unwrap().push(*event));
    for _ in 0..100 {
        let pair = fixture.pair(0, 0).unwrap();
        fixture.roots.push(pair);
    }
    let Fixture { heap, roots, .. } = &mut fixture;
    let mut given_up = heap.start_collection(CycleKind::Full, roots).unwrap().unwrap();
    assert_eq!(given_up.step(Budget(2)).unwrap(), Progress::More);
    // Given up here.
    assert!(events.lock().unwrap().is_empty());
    let mut collection = heap.start_collection(CycleKind::Full, roots).unwrap().unwrap();
    let mut steps = 1;
    while collection.step(Budget(20)).unwrap() == (Progress::More {}) {
        steps += 1;
    }
    let [event] = events.lock().unwrap()[..] else { panic!("one collection was done") };
    assert!(steps > 2);
    assert_eq!(event.report.steps, steps);
    assert!(event.report.step_work_bytes_max <= event.report.work_bytes());
}

/// The operands of an exception that nobody caught are roots of their own category until the error is dropped.
#[test]
fn exceptions_that_became_errors_have_a_category() {
    for collector in BuiltinCollector::ALL {
        let (mut store, _) = store(collector, HeapConfig { zeal: NonZeroU32::new(1), ..small() });
        let ty = TagType::new(&store.engine().clone(), FuncType::new([ValType::Ref(RefType::EXTERNREF)], [])).unwrap();
        let tag = Tag::new(&mut store, &ty).unwrap();
        let error = {
            let mut scope = tumulus::store::RootScope::new(&mut store);
            let held = ExternRef::new(&mut scope, 5_u8).unwrap();
            let exception = ExnRef::new(&mut scope, &tag, &[held.into()]).unwrap();
            exception.to_error(&mut scope).unwrap()
        };
        let count = |store: &mut Store<()>, category| store.root_counts()[category as usize];
        store.gc().unwrap();
        assert_eq!(count(&mut store, RootCategory::Exceptions), 1, "{collector}");
        assert_eq!(count(&mut store, RootCategory::Owned), 0, "{collector}");
        let exception = ExnRef::of_error(&mut store, &error).unwrap().expect("an exception of this store");
        let Val::ExternRef(Some(held)) = exception.values(&mut store).unwrap()[0] else { panic!("a host value") };
        assert_eq!(held.data(&store).unwrap().and_then(|data| data.downcast_ref::<u8>()), Some(&5));
        drop(error);
        store.gc().unwrap();
        if collector.traits().collects {
            assert_eq!(count(&mut store, RootCategory::Exceptions), 0, "{collector}");
        }
    }
}

#[test]
fn an_observer_that_panics_leaves_the_heap_whole() {
    for collector in BuiltinCollector::ALL.into_iter().filter(|collector| collector.traits().collects) {
        let (mut store, _) = store(collector, small());
        let cell = cell(&mut store);
        let kept = StructRef::new(&mut store, &cell, &[Val::AnyRef(None); 2]).unwrap();
        store.on_collection(|_| panic!("told"));
        catch_unwind(AssertUnwindSafe(|| store.gc())).expect_err("the observer panics");
        store.on_collection(|_| {});
        store.verify().unwrap();
        store.gc().unwrap();
        assert!(kept.field(&mut store, 0).unwrap().i32().is_none());
        assert_eq!(store.heap_stats().collections, 2, "{collector}");
    }
}
