//! Conditions under which other implementations failed, stated for heaps and stores of this one, on every collector.
//! Others of the kind are in the kit, in `heap_collect`, `heap_corrupt`, `young`, `spec_regressions` and `tests/scripts`.

use std::sync::{Arc, Mutex};

use tumulus::collector::BuiltinCollector;
use tumulus::error::{Corruption, CorruptionKind, OutOfMemoryKind};
use tumulus::heap::HeapConfig;
use tumulus::memory::{Growth, Limiter, ResourceLimiter};
use tumulus::store::{AnyRef, Config, Engine, ExternRef, Global, GlobalType, I31, OwnedRooted, RootScope, Store, Val};
use tumulus::testkit::fixture::{Fixture, LEFT};
use tumulus::testkit::world::{EXTERNS, FUNCS, PAIR, REFS};
use tumulus::testkit::{Settings, Tally};
use tumulus::trace::{RootSource, RootVisitor};
use tumulus::types::{Mutability, RefType};

fn each(max_bytes: u64, test: impl Fn(BuiltinCollector, Fixture)) {
    for collector in BuiltinCollector::ALL {
        test(collector, Fixture::new(collector.create(), &Settings::checked(max_bytes)));
    }
}

struct BrokenRoots;

impl RootSource for BrokenRoots {
    fn visit_roots(&mut self, _visitor: &mut dyn RootVisitor) -> Result<(), Corruption> {
        Err(Corruption::new(CorruptionKind::BadHostId, 8))
    }
}

/// R16: roots that cannot be shown are an error, and nothing is freed on the strength of those that were.
#[test]
fn r16_roots_that_fail_to_be_shown_stop_the_heap() {
    each(1 << 20, |collector, mut fixture| {
        let tally = Tally::default();
        fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room");
        let collected = fixture.heap.collect(&mut BrokenRoots);
        if !collector.traits().collects {
            return collected.expect("no collection");
        }
        let found = collected.expect_err("the roots failed").corruption();
        assert_eq!(found, Some(Corruption::new(CorruptionKind::BadHostId, 8)), "{collector}");
        assert_eq!(fixture.structure(PAIR).expect_err("damaged").corruption(), found);
        assert_eq!(tally.counts(), [0], "{collector}");
        drop(fixture);
        assert_eq!(tally.counts(), [1], "{collector}: payloads go with the heap");
    });
}

/// R17: what is made for a constructor one by one is rooted until all of it is stored.
#[test]
fn r17_operands_of_a_constructor_outlive_each_allocation() {
    for collector in BuiltinCollector::ALL {
        let mut fixture = Fixture::new(collector.create(), &Settings { zeal: 1, ..Settings::checked(1 << 20) });
        for number in 0..100 {
            let pair = fixture.pair(number << 1 | 1, 0).expect("room");
            fixture.roots.push(pair);
        }
        let array = fixture.array(REFS, 100).expect("room");
        let layout = fixture.layout(REFS);
        let elements = core::mem::replace(&mut fixture.roots, vec![array]);
        fixture.heap.array_write_words(&layout, array, 0, &elements).expect("in bounds");
        fixture.collect();
        let array = fixture.roots[0];
        for number in 0..100 {
            let pair = fixture.read(array, 8 + 4 * number);
            assert_eq!(fixture.read(pair, LEFT), number << 1 | 1, "{collector}");
        }
    }
}

/// Refuses what it is told to.
struct Refusing(Arc<Mutex<bool>>);

impl ResourceLimiter for Refusing {
    fn growing(&mut self, _growth: &Growth) -> bool {
        !*self.0.lock().expect("no panic inside")
    }
}

/// L5: a collection that could not begin leaves everything to the next one.
#[test]
fn l5_after_a_refused_collection_the_next_one_works() {
    each(16 << 20, |collector, mut fixture| {
        let refuse = Arc::new(Mutex::new(false));
        fixture.heap.set_limiter(Limiter::new(Refusing(Arc::clone(&refuse))));
        fixture.push_list(10_000);
        *refuse.lock().expect("no panic inside") = true;
        let before = fixture.heap.stats().committed_bytes;
        if let Err(error) = fixture.heap.collect(&mut fixture.roots) {
            assert_eq!(error.out_of_memory().expect("refused").kind, OutOfMemoryKind::Denied, "{collector}");
        }
        assert_eq!(fixture.heap.stats().committed_bytes, before);
        *refuse.lock().expect("no panic inside") = false;
        fixture.collect();
        assert_eq!(fixture.list_length(fixture.roots[0]), 10_000);
    });
}

/// A19: arrays without elements are objects like any other. A20, A21: an allocation that fails is an error and makes
/// nothing, whatever is allocated, and what was made is freed when it is dropped.
#[test]
fn a19_a20_a21_arrays_of_no_and_of_many_references_until_the_heap_is_full() {
    each(256 << 10, |collector, mut fixture| {
        for (kind, length) in [(EXTERNS, 0), (FUNCS, 10), (FUNCS, 3000)] {
            let mut made = 0;
            let full = loop {
                match fixture.array(kind, length) {
                    Ok(array) => fixture.roots.push(array),
                    Err(error) => break error,
                }
                made += 1;
            };
            let refusal = *full.out_of_memory().expect("the heap is full");
            assert!(made > 3 && refusal.asked > 0 && refusal.limit <= 256 << 10, "{collector}: {refusal:?}");
            for &array in &fixture.roots {
                assert_eq!(fixture.heap.array_len(array).expect("inside"), length);
            }
            fixture.verify();
            fixture.roots.clear();
            if collector.traits().collects {
                assert!(fixture.array(kind, length).is_ok(), "{collector}: room again");
            } else {
                break;
            }
        }
    });
}

fn store(collector: BuiltinCollector) -> Store<()> {
    let mut config = Config::new();
    config.collector(collector);
    config.heap(HeapConfig { verify: true, poison: true, ..HeapConfig::default() });
    Store::new(&Engine::new(&config).expect("valid settings"), ())
}

/// B3: an owned root may hold an `i31`, which is no object.
#[test]
fn b3_an_owned_i31_is_stored_and_read_again() {
    for collector in BuiltinCollector::ALL {
        let mut store = store(collector);
        let owned = {
            let mut scope = RootScope::new(&mut store);
            AnyRef::from_i31(&mut scope, I31::wrapping_u32(5))
                .and_then(|five| five.to_owned_rooted(&mut scope))
                .expect("room")
        };
        store.gc().expect("sound");
        let global = {
            let mut scope = RootScope::new(&mut store);
            let five = owned.to_rooted(&mut scope).expect("of this store");
            let ty = GlobalType::new(RefType::ANYREF.into(), Mutability::Var);
            Global::new(&mut scope, ty, Val::AnyRef(Some(five))).expect("the type fits")
        };
        store.gc().expect("sound");
        let mut scope = RootScope::new(&mut store);
        let Val::AnyRef(Some(read)) = global.get(&mut scope) else { panic!("{collector}: an any reference") };
        assert_eq!(read.as_i31(&mut scope).expect("rooted").map(I31::get_u32), Some(5), "{collector}");
    }
}

/// B13: a host value whose destructor touches the store it was in.
#[test]
fn b13_a_payload_that_gives_up_a_root_when_it_is_dropped() {
    struct Chain {
        next: Mutex<Option<OwnedRooted<ExternRef>>>,
        dropped: Arc<Mutex<u32>>,
    }
    impl Drop for Chain {
        fn drop(&mut self) {
            drop(self.next.lock().expect("no panic inside").take());
            *self.dropped.lock().expect("no panic inside") += 1;
        }
    }
    for collector in BuiltinCollector::ALL.into_iter().filter(|kind| kind.traits().collects) {
        let mut store = store(collector);
        let dropped = Arc::new(Mutex::new(0));
        {
            let mut scope = RootScope::new(&mut store);
            let mut next = None;
            for _ in 0..5 {
                let chain = Chain { next: Mutex::new(next.take()), dropped: Arc::clone(&dropped) };
                let object = ExternRef::new(&mut scope, chain).expect("room");
                next = Some(object.to_owned_rooted(&mut scope).expect("room"));
            }
        }
        let count = || *dropped.lock().expect("no panic inside");
        // Each collection frees the root that the last payload held.
        for round in 1..=5 {
            store.gc().expect("sound");
            assert_eq!(count(), round, "{collector}");
        }
    }
}
