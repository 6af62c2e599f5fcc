//! A heap that is reset is as new, whatever it was before.

use std::sync::Arc;
use std::sync::Mutex;

use tumulus::collector::BuiltinCollector;
use tumulus::error::OutOfMemory;
use tumulus::heap::{GcHeap, HeapConfig};
use tumulus::memory::{Growth, Limiter, MappedMemoryCreator, ResourceKind, ResourceLimiter};
use tumulus::testkit::fixture::Fixture;
use tumulus::testkit::world::{BYTES, LONGS, PAIR, REFS, World};
use tumulus::testkit::{Bytes, Settings, Tally};

fn settings(bytes: Bytes) -> Settings {
    Settings { bytes, ..Settings::checked(2 << 20) }
}

/// Makes some objects and gives the heap's bytes and where the roots lead.
fn work(fixture: &mut Fixture) -> (Vec<u8>, Vec<u32>) {
    fixture.roots.clear();
    for kind in &fixture.world.kinds {
        fixture.heap.register_type(&kind.object);
    }
    fixture.push_list(500);
    let large = fixture.array(REFS, 5000).expect("room");
    fixture.roots.push(large);
    fixture.collect();
    (fixture.heap.bytes().to_vec(), fixture.roots.clone())
}

/// On every kind of memory and with every collector; what comes next is byte for byte what a new heap does.
#[test]
fn a_heap_that_was_reset_does_as_a_new_one() {
    for collector in BuiltinCollector::ALL {
        for bytes in [Bytes::Mapped, Bytes::Vec, Bytes::Pool, Bytes::Static] {
            let wanted = work(&mut Fixture::new(collector.create(), &settings(bytes)));
            let tally = Tally::default();
            let mut fixture = Fixture::new(collector.create(), &settings(bytes));
            for round in 0..3 {
                fixture.push_list(2000);
                let external = fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room");
                let weak = fixture.heap.new_weak(external.get()).expect("an object");
                // Sound, damaged, and written all over.
                if round == 1 {
                    fixture.heap.store(external.get(), 0, [0xFF; 4]).expect("inside the heap");
                    fixture.roots.push(external.get());
                    assert!(fixture.heap.collect(&mut fixture.roots).is_err() || !collector.traits().collects);
                } else if round == 2 {
                    fixture.heap.bytes_mut().fill(0xA5);
                }
                drop(fixture.heap.reset(collector.create()));
                assert_eq!(tally.counts(), vec![1; round + 1], "each payload was dropped once");
                assert!(fixture.heap.bytes().is_empty() && fixture.heap.damage().is_none());
                assert_eq!(fixture.heap.weak_target(weak), None);
                assert_eq!(fixture.heap.stats().committed_bytes, 0);
                assert!(work(&mut fixture) == wanted, "{collector} on {}", bytes.name());
            }
        }
    }
}

/// S8: nothing that the one before wrote can be read, by references to anywhere either.
#[test]
fn s8_no_byte_from_before_can_be_read() {
    for bytes in [Bytes::Mapped, Bytes::Vec, Bytes::Pool, Bytes::Static] {
        let mut fixture = Fixture::new(BuiltinCollector::Null.create(), &settings(bytes));
        let array = fixture.array(BYTES, 1_500_000).expect("room");
        let layout = fixture.layout(BYTES);
        fixture.heap.array_fill(&layout, array, 0, &[0x5A], 1_500_000).expect("in bounds");
        drop(fixture.heap.reset(BuiltinCollector::Null.create()));
        assert!(fixture.heap.load::<1>(array, 100).is_err(), "nothing is committed");
        fixture.heap.register_type(&fixture.world.ty(LONGS));
        while let Ok(new) = fixture.array(LONGS, 10_000) {
            assert!(new >= 8);
            let bytes = fixture.heap.bytes();
            assert!(!bytes.contains(&0x5A), "a byte of the heap before");
        }
    }
}

/// Notes what it is asked for.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<Growth>>>);

impl ResourceLimiter for Noting {
    fn growing(&mut self, growth: &Growth) -> bool {
        self.0.lock().unwrap().push(*growth);
        true
    }

    fn grow_failed(&mut self, _growth: &Growth, error: &OutOfMemory) {
        panic!("{error}");
    }
}

/// The limiter stays and is asked from nothing on; the memory stays too, so that its base does not change.
#[test]
fn limiter_and_memory_stay() {
    let mut fixture = Fixture::new(BuiltinCollector::Copying.create(), &settings(Bytes::Mapped));
    let noting = Noting::default();
    fixture.heap.set_limiter(Limiter::new(noting.clone()));
    fixture.structure(PAIR).expect("room");
    let base = fixture.heap.bytes().as_ptr();
    let heap_growths = || noting.0.lock().unwrap().iter().filter(|growth| growth.kind == ResourceKind::GcHeap).count();
    let before = heap_growths();
    assert!(before > 0);
    drop(fixture.heap.reset(BuiltinCollector::Copying.create()));
    fixture.heap.register_type(&fixture.world.ty(PAIR));
    fixture.roots.clear();
    fixture.structure(PAIR).expect("room");
    assert_eq!(fixture.heap.bytes().as_ptr(), base);
    assert_eq!(heap_growths(), 2 * before);
    assert_eq!(
        noting
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|growth| growth.current == 0 && growth.kind == ResourceKind::GcHeap)
            .count(),
        2
    );
}

/// What is hidden by a reset would be accessible to compiled code that counts on a guard, and nobody would zero what that
/// wrote there.
#[test]
fn with_a_guard_the_memory_is_obtained_anew() {
    let config = HeapConfig { guard_bytes: 64 << 10, ..HeapConfig::default() };
    let collector = || BuiltinCollector::MarkRegion.create();
    let mut heap = GcHeap::new(config, collector(), Arc::new(MappedMemoryCreator::default())).expect("sound settings");
    let guard = heap.guard_bytes().expect("memory");
    let world = World::new();
    for _ in 0..3 {
        heap.register_type(&world.ty(BYTES));
        let array = heap.allocate_array(&world.ty(BYTES), 4 << 20, &mut [0_u32]).expect("room").get();
        let layout = *world.ty(BYTES).as_array().expect("an array type");
        assert!(heap.array_read(&layout, array, 0, 4 << 20).expect("in bounds").iter().all(|&byte| byte == 0));
        heap.bytes_mut().fill(0xA5);
        drop(heap.reset(collector()));
        assert_eq!((heap.reserved_bytes(), heap.bytes().len()), (0, 0), "given back");
        assert_eq!(heap.guard_bytes().expect("memory"), guard);
    }
}
