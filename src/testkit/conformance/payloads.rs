//! Host values live as long as their objects and are dropped once.

use super::{Case, KIB, MIB, Subject, To};
use crate::error::OutOfMemoryKind;
use crate::testkit::fixture::Fixture;
use crate::testkit::payload::{Payload, Tally};
use crate::testkit::world::EXTERNS;

pub(super) const CASES: &[Case] = &[
    Case::new("host values live and die with their objects, and are dropped once", To::All, live_and_die),
    Case::new("host values in arrays follow their objects", To::All, in_arrays),
    Case::new("a host value whose object found no room is dropped at once", To::All, no_room),
    Case::new("the id of a host value that died is never used for another", To::Collecting, ids),
];

fn new_extern(fixture: &mut Fixture, tally: &Tally) -> u32 {
    fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots).expect("room").get()
}

/// The number of the host value behind an object.
fn number_of(fixture: &Fixture, object: u32) -> Option<u64> {
    let payload = fixture.heap.extern_payload(object).ok()?;
    payload.downcast_ref::<Payload>().map(|payload| payload.number)
}

fn live_and_die(subject: &Subject<'_>) {
    let tally = Tally::default();
    let mut fixture = subject.fixture(MIB);
    for _ in 0..50 {
        let object = new_extern(&mut fixture, &tally);
        fixture.roots.push(object);
        // One between that dies young.
        new_extern(&mut fixture, &tally);
    }
    for round in 0..5_usize {
        // A few die with each collection, at all ages.
        for number in 0..round {
            fixture.roots[10 * number + round] = 0;
        }
        fixture.collect();
        drop(fixture.heap.take_dead_payloads());
        let counts = tally.counts();
        for (root, &object) in fixture.roots.iter().enumerate() {
            let number = 2 * root;
            if object != 0 {
                assert_eq!(number_of(&fixture, object), Some(number as u64), "after {round} collections");
                assert_eq!(counts[number], 0, "a host value was dropped while its object lives");
            } else if subject.traits.collects {
                assert_eq!(counts[number], 1, "the host value of a dead object is dropped once");
            }
        }
        if subject.traits.collects {
            let alive = fixture.roots.iter().filter(|&&object| object != 0).count() as u64;
            assert_eq!(fixture.heap.stats().extern_payloads, alive, "host values held after {round} collections");
            assert!((0..50).all(|number| counts[2 * number + 1] == 1), "host values that nobody had are dropped");
        }
    }
    drop(fixture);
    assert!(tally.counts().iter().all(|&drops| drops == 1), "each is dropped once: {:?}", tally.counts());
}

fn in_arrays(subject: &Subject<'_>) {
    let tally = Tally::default();
    let mut fixture = subject.fixture(4 * MIB);
    // A small array and a large one.
    for (root, length) in [(0, 40), (1, 4000)] {
        let array = fixture.array(EXTERNS, length).expect("room");
        fixture.roots.push(array);
        for index in 0..40 {
            let object = new_extern(&mut fixture, &tally);
            fixture.write(fixture.roots[root], 8 + 4 * index, object);
            if index % 10 == 0 {
                fixture.collect();
            }
        }
    }
    for round in 0..3 {
        fixture.collect();
        for number in 0..80_u32 {
            let object = fixture.read(fixture.roots[number as usize / 40], 8 + 4 * (number % 40));
            assert_eq!(number_of(&fixture, object), Some(number.into()), "round {round}");
        }
    }
    fixture.roots.truncate(1);
    fixture.collect();
    drop(fixture.heap.take_dead_payloads());
    let dropped = u32::from(subject.traits.collects);
    assert!(tally.counts()[..40].iter().all(|&drops| drops == 0));
    assert!(tally.counts()[40..].iter().all(|&drops| drops == dropped));
}

fn no_room(subject: &Subject<'_>) {
    let tally = Tally::default();
    let mut fixture = subject.fixture(16 * KIB);
    let (mut made, refused) = (0_usize, 5);
    for _ in 0..refused {
        let error = loop {
            match fixture.heap.allocate_extern(tally.payload().1, &mut fixture.roots) {
                Ok(object) => fixture.roots.push(object.get()),
                Err(error) => break error,
            }
            made += 1;
            assert!(made <= 2048, "more objects than the heap has room for");
        };
        assert_eq!(error.out_of_memory().map(|oom| oom.kind), Some(OutOfMemoryKind::HeapFull));
    }
    drop(fixture.heap.take_dead_payloads());
    let counts = tally.counts();
    assert_eq!((counts.len(), counts.iter().sum::<u32>()), (made + refused, 5), "those refused are dropped, no other");
    for (number, &object) in fixture.roots.iter().enumerate() {
        assert!(number_of(&fixture, object).is_some(), "object {number}");
    }
    drop(fixture);
    assert!(tally.counts().iter().all(|&drops| drops == 1));
}

fn ids(subject: &Subject<'_>) {
    let tally = Tally::default();
    let mut fixture = subject.fixture(64 * KIB);
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..1500 {
        let object = new_extern(&mut fixture, &tally);
        assert_eq!(number_of(&fixture, object), Some(number));
        assert!(seen.insert(fixture.read(object, 4)), "an id was used twice");
        fixture.collect();
        drop(fixture.heap.take_dead_payloads());
    }
    assert_eq!((fixture.heap.stats().extern_payloads, tally.counts()), (0, vec![1; 1500]));
}
