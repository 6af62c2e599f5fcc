//! What a broken collector cannot do.

use tumulus::error::{Corruption, CorruptionKind};
use tumulus::space::{LargeRun, Window};
use tumulus::testkit::fixture::{Fixture, LEFT, RIGHT};
use tumulus::testkit::world::{BYTES, REFS};

use crate::arming::{DAMAGE, DENIED, Fault, Shared, plugged, settings};

#[test]
fn bad_windows_are_refused() {
    let spoiled: [fn(Window) -> Window; 12] = [
        |window| Window { cursor: window.cursor + 4, ..window },
        |window| Window { cursor: window.cursor + 1, ..window },
        |window| Window { limit: window.limit + 8, ..window },
        |window| Window { limit: u32::MAX, ..window },
        |window| Window { cursor: window.cursor - 8, ..window },
        |window| Window { cursor: window.limit, limit: window.limit + 4096 },
        |window| Window { cursor: window.limit, ..window },
        |window| Window { cursor: window.limit, limit: window.cursor },
        |window| Window { limit: window.cursor + 8, ..window },
        |_| Window { cursor: 0, limit: 4096 },
        |_| Window { cursor: 0xFFFF_F000, limit: 0xFFFF_FFF8 },
        |_| Window::EMPTY,
    ];
    for (number, spoil) in spoiled.into_iter().enumerate() {
        let shared = Shared::new(Fault::Window(spoil));
        let mut fixture = plugged(&shared, &settings());
        let error = fixture.pair(0, 0).expect_err("a bad window");
        let corruption = error.corruption().unwrap_or_else(|| panic!("window {number}: {error}"));
        assert_eq!(corruption.what, CorruptionKind::BadWindow, "window {number}");
        assert_stays_damaged(&shared, &mut fixture, corruption);
    }
}

#[test]
fn bad_runs_for_large_objects_are_refused() {
    let spoiled: [fn(LargeRun) -> LargeRun; 6] = [
        |run| LargeRun { start: run.start + 8, ..run },
        |run| LargeRun { start: run.start + 4096, ..run },
        |run| LargeRun { start: run.start - 4096, ..run },
        |run| LargeRun { start: 0, ..run },
        |run| LargeRun { start: u32::MAX, ..run },
        |run| LargeRun { start: 0xFFFF_F000, ..run },
    ];
    for (number, spoil) in spoiled.into_iter().enumerate() {
        let shared = Shared::new(Fault::Large(spoil));
        let mut fixture = plugged(&shared, &settings());
        let error = fixture.array(BYTES, 9000).expect_err("a bad run");
        let corruption = error.corruption().unwrap_or_else(|| panic!("run {number}: {error}"));
        assert_eq!(corruption.what, CorruptionKind::BadWindow, "run {number}");
        assert_stays_damaged(&shared, &mut fixture, corruption);
    }
}

/// How long a run is, the heap knows from its own account.
#[test]
fn the_length_that_a_collector_claims_is_not_believed() {
    let claims: [fn(LargeRun) -> LargeRun; 4] = [
        |run| LargeRun { bytes: 0, ..run },
        |run| LargeRun { bytes: 4096, ..run },
        |run| LargeRun { bytes: u32::MAX, ..run },
        |run| LargeRun { bytes: run.bytes + 4096, ..run },
    ];
    for claim in claims {
        let shared = Shared::new(Fault::None);
        let mut fixture = plugged(&shared, &settings());
        let neighbour = fixture.array(BYTES, 5000).expect("room");
        fixture.roots.push(neighbour);
        let layout = fixture.layout(BYTES);
        fixture.heap.array_fill(&layout, neighbour, 0, &[7], 5000).expect("in bounds");
        shared.set_fault(Fault::Large(claim));
        let large = fixture.array(BYTES, 9000).expect("room");
        assert!(fixture.heap.array_read(&layout, large, 0, 9000).expect("in bounds").iter().all(|&byte| byte == 0));
        let bytes = fixture.heap.array_read(&layout, neighbour, 0, 5000).expect("in bounds");
        assert!(bytes.iter().all(|&byte| byte == 7), "the neighbour was overwritten");
        fixture.verify();
    }
}

/// A collector that hands out the same room twice spoils its own heap: the verifier says so, and nothing panics.
#[test]
fn room_that_is_handed_out_twice_spoils_the_heap_and_nothing_else() {
    let shared = Shared::new(Fault::SameWindow);
    let mut fixture = plugged(&shared, &settings());
    let mut spoiled = false;
    for _ in 0..2000 {
        match fixture.pair(0, 0) {
            Ok(pair) => fixture.roots.push(pair),
            Err(error) => {
                spoiled |= error.corruption().is_some();
                break;
            }
        }
    }
    let overlap = fixture.heap.verify(&mut fixture.roots);
    fixture.roots.sort_unstable();
    let twice = fixture.roots.windows(2).any(|pair| pair[0] == pair[1]);
    assert!(spoiled || twice || overlap.is_err());
    let _ = fixture.heap.collect(&mut fixture.roots);
}

#[test]
fn what_a_collector_says_of_damage_is_final() {
    for fault in [Fault::Refill, Fault::Step] {
        let shared = Shared::new(Fault::None);
        let mut fixture = plugged(&shared, &settings());
        if matches!(fault, Fault::Step) {
            fixture.pair(0, 0).expect("room");
        }
        shared.set_fault(fault);
        let error = match fault {
            Fault::Refill => fixture.pair(0, 0).expect_err("damaged"),
            _ => fixture.heap.collect(&mut fixture.roots).expect_err("damaged"),
        };
        assert_eq!(error.corruption(), Some(DAMAGE));
        shared.set_fault(Fault::None);
        assert_stays_damaged(&shared, &mut fixture, DAMAGE);
    }
}

/// A cycle that cannot begin is refused, and the heap goes on.
#[test]
fn a_cycle_that_cannot_begin_changes_nothing() {
    let shared = Shared::new(Fault::Begin);
    let mut fixture = plugged(&shared, &settings());
    let pair = fixture.pair(3, 5).expect("room");
    fixture.roots.push(pair);
    let error = fixture.heap.collect(&mut fixture.roots).expect_err("denied");
    assert_eq!((error.out_of_memory(), fixture.heap.damage()), (Some(&DENIED), None));
    assert_eq!(fixture.heap.stats().collections, 0);
    let again = fixture.pair(pair, 0).expect("room");
    assert_eq!(fixture.read(fixture.read(again, LEFT), RIGHT), 5);
    shared.set_fault(Fault::None);
    fixture.collect();
}

/// After damage collections and allocations give it again, without a word to the collector or a byte touched.
fn assert_stays_damaged(shared: &Shared, fixture: &mut Fixture, corruption: Corruption) {
    assert_eq!(fixture.heap.damage(), Some(corruption));
    shared.take();
    let bytes = fixture.heap.bytes().to_vec();
    for _ in 0..2 {
        let errors = [
            fixture.pair(0, 0).err(),
            fixture.array(REFS, 3).err(),
            fixture.array(BYTES, 100_000).err(),
            fixture.heap.allocate_extern(Box::new(()), &mut fixture.roots).err(),
            fixture.heap.collect(&mut fixture.roots).err(),
        ];
        for error in errors {
            assert_eq!(error.and_then(|error| error.corruption()), Some(corruption));
        }
    }
    assert_eq!((shared.take(), fixture.heap.bytes() == bytes), (vec![], true));
}
