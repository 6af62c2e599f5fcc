//! Collections without end: neither what one costs nor what the process holds grows (R19, A22).
//!
//! The same work is done again and again. Cost is counted in the bytes that collections touched, which depend on nothing
//! but what was done before; memory is what the heap has committed and what the process has resident. The short runs
//! belong to every test run, the long ones to those that ask for ignored tests.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use tumulus::collector::BuiltinCollector;
use tumulus::testkit::fixture::{LEFT, RIGHT};
use tumulus::testkit::world::{BYTES, REFS};
use tumulus::testkit::{Fixture, Numbers, Settings};

const MIB: u64 = 1 << 20;
/// Parts of a run that are compared with each other.
const PARTS: u64 = 10;
/// Parts in which everything finds its place.
const SETTLING: u64 = 2;
/// Elements of the array through which most of what lives is held: a large object, with cards.
const ELEMENTS: u32 = 3000;
/// What the allocator and the test harness may add to resident memory.
const RESIDENT_TOLERANCE: u64 = 4 * MIB;

/// Resident memory is that of the process, so that only one test runs at a time.
static PROCESS: Mutex<()> = Mutex::new(());

/// Resident bytes of the process.
fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 = statm.split(' ').nth(1).expect("the second number").parse().expect("a number");
    pages * 4096
}

/// A heap in which the same amount lives after each round.
struct Soak {
    fixture: Fixture,
    numbers: Numbers,
    /// Cloned into each payload, so that its count tells how many of them live.
    payload: Arc<()>,
}

impl Soak {
    fn new(collector: BuiltinCollector) -> Soak {
        let mut fixture = Fixture::new(collector.create(), &Settings::new(8 * MIB));
        let array = fixture.array(REFS, ELEMENTS).unwrap();
        fixture.roots.push(array);
        assert!(fixture.push_list(500).1.is_none(), "room for a short list");
        let mut soak = Soak { fixture, numbers: Numbers::new(22), payload: Arc::new(()) };
        for element in 0..ELEMENTS {
            soak.replace(element);
        }
        soak
    }

    /// Makes an element of the array a new pair, which refers to another element; so old objects come to refer to young
    /// ones, and what dies of age lies all over the heap.
    fn replace(&mut self, element: u32) {
        let pair = self.fixture.pair(0, 0).expect("room");
        let array = self.fixture.roots[0];
        self.fixture.write(array, 8 + 4 * element, pair);
        // Upwards only and cut before long, so that no chain keeps ever more alive.
        let above = element / 4 * 4 + 3;
        if above != element && above < ELEMENTS {
            let other = self.fixture.read(array, 8 + 4 * above);
            self.fixture.write(pair, LEFT, other);
        }
    }

    /// Garbage of all kinds, some that survived a while, and a collection.
    fn round(&mut self, round: u64) {
        for _ in 0..40 {
            let element = self.numbers.below(ELEMENTS);
            self.replace(element);
            self.fixture.pair(0, 0).expect("room");
        }
        // A cycle.
        let one = self.fixture.pair(0, 0).expect("room");
        self.fixture.roots.push(one);
        let other = self.fixture.pair(one, 0).expect("room");
        let one = self.fixture.roots.pop().expect("it was pushed");
        self.fixture.write(one, RIGHT, other);
        self.fixture.array(BYTES, 100 + self.numbers.below(10_000)).expect("room");
        let payload = Box::new(Arc::clone(&self.payload));
        self.fixture.heap.allocate_extern(payload, &mut self.fixture.roots).expect("room");

        let (heap, roots) = (&mut self.fixture.heap, &mut self.fixture.roots);
        let collected = if round.is_multiple_of(4) { heap.collect(roots) } else { heap.collect_minor(roots) };
        collected.expect("a sound heap");
        drop(heap.take_dead_payloads());
    }
}

/// Rounds of work, each with a collection.
fn soak(collector: BuiltinCollector, collections: u64) {
    let mut soak = Soak::new(collector);
    let mut settled = None;
    for part in 0..PARTS {
        let before = soak.fixture.heap.stats();
        for round in 0..collections / PARTS {
            soak.round(round);
        }
        let stats = soak.fixture.heap.stats();
        assert_eq!(
            stats.collections - before.collections,
            collections / PARTS,
            "{collector}: none but those asked for"
        );
        assert!(Arc::strong_count(&soak.payload) <= 5, "{collector}: payloads of four rounds and the count's own");
        let work = stats.work_bytes - before.work_bytes;
        let (committed, resident) = (stats.committed_bytes, resident_bytes());
        if part < SETTLING {
            continue;
        }
        let (first_work, first_committed, first_resident) = *settled.get_or_insert((work, committed, resident));
        let during = format!("{collector}, part {part}");
        assert!(work <= first_work + first_work / 20, "{during}: {work} bytes of work, {first_work} at first");
        assert!(committed <= first_committed, "{during}: {committed} bytes committed, {first_committed} at first");
        let allowed = first_resident + RESIDENT_TOLERANCE;
        assert!(resident <= allowed, "{during}: {resident} bytes resident, {first_resident} at first");
    }
    soak.fixture.verify();
    assert_eq!(soak.fixture.list_length(soak.fixture.roots[1]), 500);
}

/// Collections of a heap that nobody writes to: each does what the last one did.
fn idle(collector: BuiltinCollector, collections: u64) {
    let mut soak = Soak::new(collector);
    let (heap, roots) = (&mut soak.fixture.heap, &mut soak.fixture.roots);
    // What was built is made old, and fragments may be evacuated.
    for _ in 0..4 {
        heap.collect(roots).expect("a sound heap");
    }
    let (settled, resident) = (heap.stats(), resident_bytes());
    let mut cycles = [None, None];
    for collection in 0..collections {
        let is_minor = collection % 2 == 1;
        let collected = if is_minor { heap.collect_minor(roots) } else { heap.collect(roots) };
        collected.expect("a sound heap");
        let cycle = heap.stats().last_cycle;
        assert_eq!(*cycles[usize::from(is_minor)].get_or_insert(cycle), cycle, "{collector}, collection {collection}");
    }
    let stats = heap.stats();
    let expected = if collector.traits().collects { settled.collections + collections } else { 0 };
    assert_eq!(stats.collections, expected, "{collector}");
    assert_eq!(
        (stats.committed_bytes, stats.live_bytes, stats.used_bytes),
        (settled.committed_bytes, settled.live_bytes, settled.used_bytes),
        "{collector}"
    );
    assert!(resident_bytes() <= resident + RESIDENT_TOLERANCE, "{collector}");
}

fn run(collections: u64) {
    let _alone = PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
    for collector in BuiltinCollector::ALL {
        idle(collector, collections);
        if collector.traits().collects {
            soak(collector, collections);
        }
    }
}

#[test]
fn cost_and_memory_stay_flat_over_a_thousand_collections() {
    run(1000);
}

#[test]
#[ignore = "takes a minute"]
fn cost_and_memory_stay_flat_over_a_hundred_thousand_collections() {
    run(100_000);
}
